"""Lesson 06, evaluation: the exercise about the range of values."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake


def to_pixels(x):
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def _draw_floats(generator, i):
    shape = [(2, 3, 4, 4), (1, 3, 6, 5), (12, 7), (3, 3, 4, 4), (2, 3, 8, 8)][i]
    levels = torch.randint(-25, 281, shape, generator=generator)  # a little beyond 0 and 255, too
    # Not near a half, where who rounds in another order gets the next level.
    off = 0.8 * torch.rand(shape, generator=generator) - 0.4
    return ((levels + off) / 127.5 - 1,)


def _cast(x: Tensor) -> Tensor:
    """What becomes of floats outside of 0..255 where a cast wraps around."""
    return (x.trunc().long() % 256).to(torch.uint8)


check_to_pixels = Exercise(
    "06",
    "from floats to pixels",
    to_pixels,
    _draw_floats,
    [
        Mistake(
            "that is the cast for pictures from 0 to 1. Ours begin at -1, and what is negative "
            "wraps around: -0.5 becomes 129, lighter than 0.",
            lambda x: _cast(x * 255),
        ),
        Mistake(
            "what is below 0 becomes black: half of the scale is lost. Move -1..1 to 0..2 first.",
            lambda x: (x.clamp(0, 1) * 255).round().to(torch.uint8),
        ),
        Mistake(
            "nothing is clamped: a value of 1.01 becomes 256, which wraps around to 0, black. (A "
            "clamp after the cast comes too late.)",
            lambda x: _cast(((x + 1) * 127.5).round()),
        ),
        Mistake(
            "neither clamped nor rounded: a value of 1.01 becomes 0, and 3.9 becomes 3. (A clamp "
            "after the cast comes too late.)",
            lambda x: _cast((x + 1) * 127.5),
        ),
        Mistake(
            "a cast cuts the fraction off, so everything is half a grey level too dark on average: "
            "round first.",
            lambda x: ((x.clamp(-1, 1) + 1) * 127.5).to(torch.uint8),
        ),
        Mistake(
            "with 128 (or 256 for the whole) the brightest value becomes 256, which uint8 does not "
            "have. Half is 127.5.",
            lambda x: _cast(((x.clamp(-1, 1) + 1) * 128).round()),
        ),
        Mistake(
            "with 128 (or 256 for the whole) the brightest value becomes 256, which uint8 does not "
            "have, and a cast cuts fractions off. Half is 127.5, and round first.",
            lambda x: _cast((x.clamp(-1, 1) + 1) * 128),
        ),
        Mistake(
            "-1 must become 0, and 1 must become 255. With 127 and 128 nothing is black.",
            lambda x: (x.clamp(-1, 1) * 127 + 128).round().to(torch.uint8),
        ),
        Mistake(
            "the cast comes last: on a scale from 0 to 1 it leaves only black and white.",
            lambda x: _cast((x.clamp(-1, 1) + 1) / 2) * 255,
        ),
        Mistake(
            "you clamp to 0..1, but the range is -1..1: everything dark becomes middle grey.",
            lambda x: ((x.clamp(0, 1) + 1) * 127.5).round().to(torch.uint8),
        ),
        Mistake(
            "-1..1 is 2 long, so it is 127.5 grey levels for each unit, not 255.",
            lambda x: ((x.clamp(-1, 1) + 1) * 255).clamp(0, 255).round().to(torch.uint8),
        ),
        Mistake(
            "the right numbers, but still floats. A metric that takes floats cannot know their "
            "range; uint8 has only one.",
            lambda x: ((x.clamp(-1, 1) + 1) * 127.5).round(),
        ),
        Mistake(
            "you stretch from the darkest to the brightest value. Then a pale picture is measured "
            "as a bright one: -1 is black and 1 is white, always.",
            lambda x: ((x - x.min()) / (x.max() - x.min()) * 255).round().to(torch.uint8),
        ),
    ],
)
