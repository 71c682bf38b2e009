"""The one way from floats to pixels, and pictures made of them."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flowerdiff.pixels import from_uint8, grid, png_bytes, save_png, to_uint8, webp_bytes


def test_the_range_is_clamped_and_rounded_and_never_wraps():
    x = torch.tensor([-9.0, -1.0, -0.999, 0.0, 0.999, 1.0, 9.0])
    assert to_uint8(x).tolist() == [0, 0, 0, 128, 255, 255, 255]
    assert to_uint8(x.bfloat16())[[0, 1, 5, 6]].tolist() == [0, 0, 255, 255]


def test_every_pixel_value_survives_the_round_trip():
    pixels = torch.arange(256, dtype=torch.uint8)
    x = from_uint8(pixels)
    assert (x.min(), x.max()) == (-1, 1)
    assert torch.equal(to_uint8(x), pixels)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1))
def test_rounding_moves_a_value_by_at_most_half_a_level(values):
    x = torch.tensor(values)
    assert (from_uint8(to_uint8(x)) - x).abs().max() <= 1 / 255 + 1e-6


def test_pixels_are_not_taken_for_floats_nor_floats_for_pixels():
    with pytest.raises(TypeError, match="pixels already"):
        to_uint8(torch.zeros(3, dtype=torch.uint8))
    with pytest.raises(TypeError, match="uint8"):
        from_uint8(torch.zeros(3))
    with pytest.raises(TypeError, match="to_uint8 first"):
        png_bytes(torch.zeros(3, 4, 4))
    with pytest.raises(TypeError, match="to_uint8 first"):
        grid(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="at least one"):
        grid(torch.zeros(0, 3, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_image_is_an_error(value):
    with pytest.raises(ValueError, match="diverged"):
        to_uint8(torch.tensor([0.0, value]))


def test_a_grid_holds_every_image_in_reading_order():
    images = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 3, 4, 6)
    sheet = grid(images, columns=3, pad=1)
    assert sheet.shape == (3, 2 * 5 + 1, 3 * 7 + 1)
    assert [sheet[0, 1 + 5 * (i // 3), 1 + 7 * (i % 3)].item() for i in range(5)] == [0, 1, 2, 3, 4]
    assert sheet[0, 0, 0] == sheet[0, 6, 15] == 255  # the frame, and the place left over


@pytest.mark.parametrize("file_of", [png_bytes, webp_bytes])
def test_a_file_holds_the_same_pixels(tmp_path, file_of):
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    save_png(tmp_path / "a.png", image)
    assert (tmp_path / "a.png").read_bytes() == png_bytes(image)
    pixels = np.array(Image.open(io.BytesIO(file_of(image))))
    assert torch.equal(torch.from_numpy(pixels).permute(2, 0, 1), image)
