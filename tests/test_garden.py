"""The garden: same flower for the same seed, at every size; every species itself."""

import hashlib
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from flowerdiff.garden import SPECIES, draw_flower, garden

NAMES = [species.name for species in SPECIES]
species_index = st.integers(0, len(SPECIES) - 1)


@pytest.fixture(scope="module")
def two_gardens():
    return garden(10, size=32), garden(6, size=32, seed=1)


def test_there_are_enough_species_each_with_its_own_name_and_look():
    assert len(SPECIES) >= 16
    assert len(set(NAMES)) == len(SPECIES)
    assert len({species.rings for species in SPECIES}) == len(SPECIES)
    assert len({species.sky for species in SPECIES}) == len(SPECIES)


@settings(max_examples=20, deadline=None)
@given(species_index, st.integers(0, 2**63), st.sampled_from([16, 17, 31, 32, 33, 64]))
def test_a_flower_is_a_function_of_species_seed_and_size(index, seed, size):
    flower = draw_flower(index, seed, size)
    assert flower.shape == (3, size, size) and flower.dtype == torch.uint8
    assert torch.equal(flower, draw_flower(NAMES[index], seed, size))
    assert flower.float().std() > 15  # a picture, not a flat colour


@pytest.mark.parametrize("size", [16, 191, 192, 256])
def test_the_smallest_and_the_largest(size):
    assert draw_flower("sunwheel", 0, size).shape == (3, size, size)


def test_another_process_draws_the_same_flowers():
    draw = (
        "import hashlib; from flowerdiff.garden import garden;"
        "print(hashlib.sha256(garden(2, size=24, seed=3)[0].numpy().tobytes()).hexdigest())"
    )
    here = subprocess.run([sys.executable, "-c", draw], capture_output=True, text=True, check=True)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    mine = hashlib.sha256(garden(2, size=24, seed=3)[0].numpy().tobytes()).hexdigest()
    assert here.stdout.strip() == mine


def test_global_random_states_are_left_alone():
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    garden(1, size=16)
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize("name", NAMES)
def test_other_seeds_give_other_flowers(name):
    flowers = torch.stack([draw_flower(name, seed, 16) for seed in range(5)]).float()
    apart = torch.pdist(flowers.flatten(1)) / flowers[0].numel() ** 0.5  # rms, grey levels
    assert apart.min() > 5


@pytest.mark.parametrize("name", NAMES)
def test_the_same_flower_at_twice_the_size(name):
    """Halving a picture gives the smaller one: rms error under 6 of 255 grey levels.

    Different flowers of a species are several times further apart, so a pose or a colour that
    depended on the size would show.
    """
    for seed, large in enumerate([32, 64, 256] if name in NAMES[::6] else [32, 64]):
        halved = F.avg_pool2d(draw_flower(name, seed, large).float(), 2)
        small = draw_flower(name, seed, large // 2).float()
        other = draw_flower(name, seed + 1, large // 2).float()
        error = (halved - small).square().mean().sqrt()
        assert error < 6, f"{large} px"
        assert error < 0.2 * (halved - other).square().mean().sqrt(), f"{large} px"


def test_garden_is_aligned_with_the_species():
    images, labels, names = garden(3, size=16, seed=2)
    assert images.shape == (3 * len(SPECIES), 3, 16, 16) and images.dtype == torch.uint8
    assert labels.dtype == torch.long and names == NAMES
    assert labels.bincount().tolist() == [3] * len(SPECIES)
    for k in (0, 7, len(images) - 1):
        assert torch.equal(images[k], draw_flower(int(labels[k]), 2_000_000 + k % 3, 16))


def test_gardens_share_no_flower():
    both = torch.cat([garden(3, size=16)[0], garden(3, size=16, seed=1)[0]])
    assert len(both.flatten(1).unique(dim=0)) == len(both)


def test_a_larger_garden_begins_with_the_smaller_one():
    small, large = garden(2, size=16)[0], garden(4, size=16)[0]
    n = len(SPECIES)
    assert torch.equal(large.view(n, 4, 3, 16, 16)[:, :2], small.view(n, 2, 3, 16, 16))


def test_colours_are_neither_washed_out_nor_burnt_out(two_gardens):
    (images, labels, _), _ = two_gardens
    values = images.float().movedim(1, -1)  # (N, 32, 32, 3)
    assert 90 < values.mean() < 165
    assert (images == 255).float().mean() < 0.05 and (images == 0).float().mean() < 0.05
    colourful = values.amax(-1) - values.amin(-1)  # per pixel: 0 is grey
    for k, name in enumerate(NAMES):
        assert values[labels == k].std() > 30, name
        assert colourful[labels == k].mean() > 25, name


def test_every_species_has_a_mean_colour_of_its_own(two_gardens):
    (images, labels, names), _ = two_gardens
    # the flower's middle and the picture's rim, each with a mean colour
    middle = images[..., 8:24, 8:24].float().mean((2, 3))
    corner = images[..., :5, :5].float().mean((2, 3))
    mean = torch.stack(
        [torch.cat([middle, corner], 1)[labels == k].mean(0) for k in range(len(names))]
    )
    assert torch.pdist(mean).min() > 20  # grey levels


def test_species_can_be_told_apart(two_gardens):
    (images, labels, names), (new_images, new_labels, _) = two_gardens
    x, new_x = images.flatten(1) / 255, new_images.flatten(1) / 255
    centroids = torch.stack([x[labels == k].mean(0) for k in range(len(names))])
    found = torch.cdist(new_x, centroids).argmin(1)
    assert (found == new_labels).float().mean() > 0.97


def test_species_can_be_told_apart_by_shape_and_not_by_colour_alone(two_gardens):
    """Rays in grey: how the picture changes round the centre tells the petals' number and shape."""
    (images, labels, names), (new_images, new_labels, _) = two_gardens

    def rays(pictures):  # power of each frequency round the centre, at each radius
        radius = torch.linspace(0.1, 0.9, 9)[:, None]
        angle = torch.arange(64) * (2 * torch.pi / 64)
        where = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)  # (9, 64, 2)
        grey = pictures.float().mean(1, keepdim=True) / 255
        grey = (grey - grey.mean((2, 3), keepdim=True)) / grey.std((2, 3), keepdim=True)
        polar = F.grid_sample(grey, where.expand(len(grey), -1, -1, -1), align_corners=False)
        return torch.fft.rfft(polar[:, 0]).abs()[..., :26].log1p().flatten(1)

    x, new_x = rays(images), rays(new_images)
    spread = x.std(0) + 0.1
    centroids = torch.stack([x[labels == k].mean(0) for k in range(len(names))])
    found = torch.cdist(new_x / spread, centroids / spread).argmin(1)
    assert (found == new_labels).float().mean() > 0.7  # chance: 0.06


@pytest.mark.parametrize(
    ("species", "message"),
    [
        ("sunweel", "did you mean 'sunwheel'"),
        ("MoonTrumpit", "did you mean 'moontrumpet'"),
        ("xyzzy", "candlecup"),
        (len(SPECIES), f"choose 0 to {len(SPECIES) - 1}"),
        (-1, f"choose 0 to {len(SPECIES) - 1}"),
    ],
)
def test_unknown_species(species, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw_flower(species, 0)


@pytest.mark.parametrize("size", [0, 15, 257, -64])
def test_size_out_of_range(size):
    with pytest.raises(ValueError, match="16 to 256"):
        draw_flower(0, 0, size)


def test_other_wrong_arguments():
    with pytest.raises(ValueError, match="seed -1 is negative"):
        draw_flower(0, -1)
    with pytest.raises(ValueError, match="negative"):
        garden(1, size=16, seed=-1)
    with pytest.raises(ValueError, match="at least 1"):
        garden(0)
    for wrong in ({"seed": 0.5}, {"seed": 0, "size": 32.0}):
        with pytest.raises(TypeError, match="integer"):
            draw_flower(0, **wrong)
