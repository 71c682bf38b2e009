"""Lesson 05, guidance: the exercise about guidance in an interval of t."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.guidance.combine import combine, some_w

# 5 · some of the time


def guide_between(eps_y, eps_null, w, t, low, high):
    return _where((low <= t) & (t <= high), eps_y, eps_null, w)


def _where(inside: Tensor, eps_y: Tensor, eps_null: Tensor, w: float) -> Tensor:
    return combine(eps_y, eps_null, w * inside.float().reshape(-1, 1, 1, 1))


def _swap(outside):
    """Guided inside the interval, and `outside(eps_y, eps_null)` where it is not."""

    def wrong(eps_y, eps_null, w, t, low, high):
        inside = ((low <= t) & (t <= high)).reshape(-1, 1, 1, 1)
        return torch.where(inside, combine(eps_y, eps_null, w), outside(eps_y, eps_null))

    return wrong


def _draw_times(generator, i):
    batch, size = [(6, 4), (7, 3), (6, 6), (8, 5), (6, 8)][i]
    eps_y, eps_null = (torch.randn((batch, 3, size, size), generator=generator) for _ in range(2))
    low = int(torch.randint(100, 350, (), generator=generator))
    high = int(torch.randint(450, 700, (), generator=generator))
    t = torch.randint(1, 801, (batch,), generator=generator)
    t[:5] = torch.tensor([low, high, (low + high) // 2, low - 50, high + 50])
    return eps_y, eps_null, some_w(generator, i), t.roll(i), low, high


check_guide_between = Exercise(
    "05",
    "guidance some of the time",
    guide_between,
    _draw_times,
    [
        Mistake(
            "the other way round: you guide outside of the interval.",
            lambda y, null, w, t, lo, hi: _where((t < lo) | (t > hi), y, null, w),
        ),
        Mistake(
            "outside, the label goes too: w = -1 there. It should be w = 0, plain conditional.",
            _swap(lambda y, null: null),
        ),
        Mistake(
            "outside, there is no prediction at all. It should be w = 0, plain conditional.",
            _swap(lambda y, null: torch.zeros_like(y)),
        ),
        Mistake(
            "the ends belong to the interval: low <= t and t <= high.",
            lambda y, null, w, t, lo, hi: _where((lo < t) & (t < hi), y, null, w),
        ),
        Mistake(
            "the lower end belongs to the interval, too: low <= t.",
            lambda y, null, w, t, lo, hi: _where((lo < t) & (t <= hi), y, null, w),
        ),
        Mistake(
            "the upper end belongs to the interval, too: t <= high.",
            lambda y, null, w, t, lo, hi: _where((lo <= t) & (t < hi), y, null, w),
        ),
        Mistake(
            "every image is guided. With 'or' every t is inside, and `.any()` asks for all of them "
            "at once: each image is inside or outside on its own.",
            lambda y, null, w, t, lo, hi: combine(y, null, w),
        ),
        Mistake(
            "`high` is forgotten: you guide from the start of the walk on.",
            lambda y, null, w, t, lo, hi: _where(lo <= t, y, null, w),
        ),
        Mistake(
            "`low` is forgotten: you guide to the end of the walk.",
            lambda y, null, w, t, lo, hi: _where(t <= hi, y, null, w),
        ),
        Mistake(
            "t has the shape (B,), so PyTorch lays it along the *columns* of the images. What is "
            "true or false for an image must become (B, 1, 1, 1).",
            lambda y, null, w, t, lo, hi: torch.where(
                (lo <= t) & (t <= hi), combine(y, null, w), y
            ),
        ),
        Mistake(
            "all images follow the time of the first: each has its own t[i].",
            lambda y, null, w, t, lo, hi: _where(
                ((lo <= t) & (t <= hi))[:1].expand(len(t)), y, null, w
            ),
        ),
        Mistake(
            "no image is guided. (`.all()` is true only if every t is inside; each image is inside "
            "or outside on its own.)",
            lambda y, null, w, t, lo, hi: y.clone(),
        ),
    ],
)
