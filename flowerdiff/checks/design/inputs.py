"""Lesson 02, U-Net design: the exercise about how time gets in."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake


def sinusoid(t, dim):
    return _waves(t, torch.logspace(0, -4, dim // 2))


def _waves(t, frequency):
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def _interleaved(t, dim):
    angle = t.float()[:, None] * torch.logspace(0, -4, dim // 2)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def _draw_times(generator, i):
    dim = [6, 8, 10, 12, 16][i]
    # Not up to T: a frequency that is right, but rounded in another way, would be too far off.
    return torch.randint(1, 101, ([3, 5, 1, 4, 6][i],), generator=generator), dim


check_sinusoid = Exercise(
    "02",
    "sinusoids of the time",
    sinusoid,
    _draw_times,
    [
        Mistake(
            "the frequencies fall in equal *steps*; they should fall by equal *factors*, or all "
            "but the last are fast (torch.logspace takes exponents).",
            lambda t, dim: _waves(t, torch.linspace(1, 1e-4, dim // 2)),
        ),
        Mistake(
            "the cosines come first in yours. Sines, then cosines.",
            lambda t, dim: sinusoid(t, dim).roll(dim // 2, 1),
        ),
        Mistake(
            "sines and cosines take turns in yours. All sines, then all cosines.",
            _interleaved,
        ),
        Mistake(
            "your frequencies grow. The first is 1, the last 0.0001.",
            lambda t, dim: _waves(t, torch.logspace(-4, 0, dim // 2)),
        ),
        Mistake(
            "your slowest frequency is not yet 0.0001: the last of n steps has number n - 1 "
            "(torch.logspace includes its end).",
            lambda t, dim: _waves(t, 10.0 ** (-4 * torch.arange(dim // 2) / (dim // 2))),
        ),
        Mistake(
            "a frequency here is radians per step of time: no factor 2 pi.",
            lambda t, dim: _waves(2 * torch.pi * t, torch.logspace(0, -4, dim // 2)),
        ),
        Mistake(
            "t as it is, please, not t / T: the section shows what becomes of that.",
            lambda t, dim: sinusoid(t / 800, dim),
        ),
        Mistake(
            "torch.logspace takes exponents, not frequencies: 10 to the 0 is 1, and 10 to the -4 "
            "is 0.0001.",
            lambda t, dim: _waves(t, torch.logspace(1, 1e-4, dim // 2)),
        ),
        Mistake(
            "both halves of yours are sines; the second half are cosines.",
            lambda t, dim: sinusoid(t, dim)[:, : dim // 2].repeat(1, 2),
        ),
        Mistake(
            "half of it is missing: `dim` numbers for each time, as many cosines as sines.",
            lambda t, dim: sinusoid(t, dim)[:, : dim // 2],
        ),
        Mistake(
            "each of sines and cosines has dim / 2 frequencies; you give each `dim`.",
            lambda t, dim: sinusoid(t, 2 * dim),
        ),
    ],
)
