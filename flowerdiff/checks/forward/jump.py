"""Lesson 01, forward diffusion: the exercise of the jump from 0 to t, for a batch."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.forward.steps import some_alpha_bar

# 4 · the jump, for a batch


def add_noise(x0, t, alpha_bar, eps):
    return _mix(_per_image(alpha_bar[t], x0), x0, eps)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (images.ndim - 1))


def _mix(ab: Tensor, x0: Tensor, eps: Tensor) -> Tensor:
    return ab.sqrt() * x0 + (1 - ab).sqrt() * eps


def _roots_forgotten(x0, t, alpha_bar, eps):
    ab = _per_image(alpha_bar[t], x0)
    return ab * x0 + (1 - ab) * eps


def _variance_for_std(x0, t, alpha_bar, eps):
    ab = _per_image(alpha_bar[t], x0)
    return ab.sqrt() * x0 + (1 - ab) * eps


def _difference_of_roots(x0, t, alpha_bar, eps):
    ab = _per_image(alpha_bar[t], x0)
    return ab.sqrt() * x0 + (1 - ab.sqrt()) * eps


def _one_step(x0, t, alpha_bar, eps):
    alpha = torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])
    return _mix(_per_image(alpha[t], x0), x0, eps)


def _swapped(x0, t, alpha_bar, eps):
    return _mix(1 - _per_image(alpha_bar[t], x0), x0, eps)


def _one_late(x0, t, alpha_bar, eps):
    return _mix(_per_image(alpha_bar[t - 1], x0), x0, eps)


def _noise_at_zero(x0, t, alpha_bar, eps):
    return _mix(_per_image(alpha_bar[t.clamp(min=1)], x0), x0, eps)


def _first_time_for_all(x0, t, alpha_bar, eps):
    return _mix(alpha_bar[t[0]], x0, eps)


def _along_the_columns(x0, t, alpha_bar, eps):
    return _mix(alpha_bar[t], x0, eps)  # (B,) meets (B, 3, H, W) at W


def _along_the_channels(x0, t, alpha_bar, eps):
    return _mix(alpha_bar[t][:, None, None], x0, eps)  # (B, 1, 1) meets (B, 3, H, W) at 3


def _draw_batch(generator, i):
    alpha_bar = some_alpha_bar(generator, i)
    batch, height, width = [(3, 5, 4), (6, 6, 6), (3, 3, 3), (1, 2, 5), (3, 3, 3)][i]
    shape, kind = (batch, 3, height, width), {"generator": generator, "dtype": alpha_bar.dtype}
    x0, eps = torch.rand(shape, **kind) * 2 - 1, torch.randn(shape, **kind)
    t = torch.randint(2, len(alpha_bar) - 1, (batch,), generator=generator)
    if batch > 1:  # the ends, and two images that are surely at different times
        t[0], t[1] = len(alpha_bar) - 1, 0
    return x0, t, alpha_bar, eps


check_add_noise = Exercise(
    "01",
    "to any t in one jump",
    add_noise,
    _draw_batch,
    [
        Mistake("both square roots are missing.", _roots_forgotten),
        Mistake(
            "the noise is multiplied with its variance; it wants its standard deviation, the root.",
            _variance_for_std,
        ),
        Mistake(
            "the root of a difference is not the difference of roots: sqrt(1 - alpha_bar) is not "
            "1 - sqrt(alpha_bar).",
            _difference_of_roots,
        ),
        Mistake(
            "that is alpha_t, a single step; the jump from 0 to t takes alpha_bar[t] as it is.",
            _one_step,
        ),
        Mistake("picture and noise have swapped their factors.", _swapped),
        Mistake("one step too early: it is alpha_bar[t], not t - 1.", _one_late),
        Mistake(
            "at t = 0 there is noise in the picture. alpha_bar[0] is 1: no special case is needed.",
            _noise_at_zero,
        ),
        Mistake(
            "all images get the time of the first: each has its own t[i].", _first_time_for_all
        ),
        Mistake(
            "alpha_bar[t] has the shape (B,), so PyTorch lays it along the *columns* of the "
            "images. It must become (B, 1, 1, 1).",
            _along_the_columns,
        ),
        Mistake(
            "alpha_bar[t] is laid along the *rows*, as (B, 1). It must become (B, 1, 1, 1).",
            lambda x0, t, alpha_bar, eps: _mix(alpha_bar[t][:, None], x0, eps),
        ),
        Mistake(
            "alpha_bar[t] is laid along the *channels*, as (B, 1, 1). It must become (B, 1, 1, 1).",
            _along_the_channels,
        ),
    ],
)
