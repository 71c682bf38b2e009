"""The augmentations: each change is torchvision's, and what the paper's code makes of a flower."""

import numpy as np
import pytest
import torch

from flowerdiff import augment
from flowerdiff.garden import draw_flower
from flowerdiff.stream import random_flip

FLOWER = draw_flower("heartwing", seed=0, size=32)
IMAGE = FLOWER.float() / 255


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "sharpness", "hue"])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.4, 3.0])
def test_a_change_is_torchvisions(name, factor):
    transforms = pytest.importorskip("torchvision.transforms.functional")
    factor = (factor - 1.4) / 4 if name == "hue" else factor  # hue: -0.35 to 0.4
    theirs = getattr(transforms, f"adjust_{name}")(IMAGE, factor)
    torch.testing.assert_close(getattr(augment, name)(IMAGE, factor), theirs, atol=1e-5, rtol=0)


def test_grey_pixels_keep_their_colour_under_every_hue():
    image = torch.rand(1, 5, 5).expand(3, 5, 5)
    torch.testing.assert_close(augment.hue(image, 0.3), image)


def test_a_third_of_the_rainbow_makes_red_green():
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    torch.testing.assert_close(augment.hue(red, 1 / 3), red.roll(1, 0), atol=1e-6, rtol=0)


def test_a_jitter_without_ranges_changes_nothing():
    changed = augment.Jitter()(IMAGE, np.random.default_rng(0))
    torch.testing.assert_close(changed, IMAGE, atol=1e-6, rtol=0)


def test_a_jitter_draws_from_its_ranges():
    jitter, rng = augment.Jitter(brightness=(0.5, 0.9)), np.random.default_rng(0)
    ratios = torch.stack([jitter(IMAGE, rng).mean() / IMAGE.mean() for _ in range(200)])
    assert 0.5 <= ratios.min() < 0.52 and 0.88 < ratios.max() <= 0.9


def test_a_jitter_changes_in_a_random_order():
    jitter = augment.Jitter(brightness=(3, 3), contrast=(0.5, 0.5))  # clamped, so the order counts
    seen = {jitter(IMAGE, np.random.default_rng(seed)).numpy().tobytes() for seed in range(20)}
    assert len(seen) > 1


def test_every_other_picture_is_sharpened():
    many = [augment.sharpen(IMAGE, np.random.default_rng(seed)) for seed in range(100)]
    sharper = [image for image in many if not torch.equal(image, IMAGE)]
    assert 30 < len(sharper) < 70
    assert all(torch.equal(image, augment.sharpness(IMAGE, 1.5)) for image in sharper)


def test_the_published_one_makes_every_image_black():
    for seed in range(50):
        assert augment.as_published(FLOWER, np.random.default_rng(seed)).eq(0).all()


def test_one_jitter_of_the_published_four_is_enough_to_lose_the_flower():
    flat = augment.PUBLISHED[0](IMAGE, np.random.default_rng(0))
    assert flat.amax() - flat.amin() < 1e-6
    assert all(j(IMAGE, np.random.default_rng(0)).eq(0).all() for j in augment.PUBLISHED[1:])


def test_the_intended_one_keeps_a_flower_and_changes_all_its_colours():
    many = [augment.as_intended(FLOWER, np.random.default_rng(seed)) for seed in range(200)]
    assert all(x.dtype == torch.uint8 and x.shape == FLOWER.shape for x in many)
    assert all(x.float().std() > 10 for x in many)
    petal = torch.stack([x[:, 10, 16] for x in many])  # once pink
    assert set(petal.argmax(1).tolist()) == {0, 1, 2}  # now reddest, greenest or bluest


def test_it_is_a_function_of_the_generator_alone_and_leaves_the_image():
    before = FLOWER.clone()
    one, two = (augment.as_intended(FLOWER, np.random.default_rng(7)) for _ in range(2))
    assert torch.equal(one, two) and torch.equal(FLOWER, before)


def test_half_of_the_images_are_flipped(monkeypatch):
    monkeypatch.setattr(augment, "INTENDED", ())
    monkeypatch.setattr(augment, "sharpness", lambda x, factor: x)
    flipped = [
        torch.equal(augment.as_intended(FLOWER, np.random.default_rng(seed)), FLOWER.flip(-1))
        for seed in range(100)
    ]
    assert 30 < sum(flipped) < 70
    rng = np.random.default_rng(0)
    assert torch.equal(
        augment.as_intended(FLOWER, np.random.default_rng(0)), random_flip(FLOWER, rng)
    )


# One at a time


@pytest.mark.parametrize("name", sorted(augment.AUGMENTATIONS.keys() - {"as_published"}))
def test_each_is_uint8_keeps_a_flower_and_leaves_the_original(name):
    change, before = augment.AUGMENTATIONS[name], FLOWER.clone()
    many = [change(FLOWER, np.random.default_rng(seed)) for seed in range(20)]
    assert all(x.dtype == torch.uint8 and x.shape == FLOWER.shape for x in many)
    assert all(x.float().std() > 10 for x in many) and torch.equal(FLOWER, before)
    assert len({x.numpy().tobytes() for x in many}) > (
        2 if name not in ("flip", "sharpness") else 1
    )


def test_a_shift_is_by_up_to_an_eighth_each_way():
    spot = torch.zeros(3, 32, 32)
    spot[:, 16, 16] = 1
    moves = []
    for seed in range(200):
        moved = augment.shift(spot, np.random.default_rng(seed))[0]
        rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        moves.append([(moved * at).sum() / moved.sum() - 16 for at in (rows, columns)])
    moves = torch.tensor(moves)
    assert (
        moves.abs().max() <= 4.01 and (moves.amax(0) > 3.5).all() and (moves.amin(0) < -3.5).all()
    )


def test_a_rotation_keeps_the_middle_and_turns_by_up_to_15_degrees():
    spot = torch.zeros(3, 33, 33)
    spot[:, 16, 28] = 1  # right of the middle
    angles = []
    for seed in range(200):
        turned = augment.rotate(spot, np.random.default_rng(seed))[0]
        row = (turned.sum(1) * torch.arange(33.0)).sum() / turned.sum() - 16
        column = (turned.sum(0) * torch.arange(33.0)).sum() / turned.sum() - 16
        assert torch.hypot(row, column) == pytest.approx(12, abs=0.1)
        angles.append(torch.rad2deg(torch.atan2(row, column)))
    angles = torch.stack(angles)
    assert -15.5 < angles.min() < -13 and 13 < angles.max() < 15.5
