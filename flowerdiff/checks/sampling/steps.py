"""Lesson 04, sampling: the exercises about what a step knows."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

SHAPES = [(4, 2), (2, 3, 4, 4), (7, 2), (1, 3, 6, 6), (2, 3, 8, 8)]


def some_alpha_bar(generator, i: int, steps: int | None = None) -> Tensor:
    """A made-up schedule, in float32 and float64 by turns: (T + 1,)."""
    steps = steps or 12 + 3 * i
    beta = 0.02 + 0.13 * torch.rand(steps, generator=generator, dtype=torch.float64)
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])
    return alpha_bar if i % 2 else alpha_bar.float()


def some_times(generator, i: int, alpha_bar: Tensor) -> tuple[int, int]:
    """Two times t > s, never neighbours; s = 0 in one of the trials, and 1 in another."""
    T = len(alpha_bar) - 1
    t = int(torch.randint(T // 2, T + 1, (), generator=generator))
    s = int(torch.randint(2, t - 1, (), generator=generator))
    return t, {1: 0, 3: 1}.get(i, s)


def some_noise(generator, i: int, dtype: torch.dtype, count: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(SHAPES[i], generator=generator, dtype=dtype) for _ in range(count))


# 1 · the score


def x0_from_score(x_t, score, ab_t):
    return (x_t + (1 - ab_t) * score) / ab_t**0.5


def _draw_score(generator, i):
    dtype = (torch.float32, torch.float64)[i % 2]
    ab_t = 0.1 + 0.8 * torch.rand((), generator=generator).item()
    return *some_noise(generator, i, dtype, 2), ab_t


check_x0_from_score = Exercise(
    "04",
    "x0_hat from the score",
    x0_from_score,
    _draw_score,
    [
        Mistake(
            "the sign: the score points to where points are denser, so x0_hat lies *with* it.",
            lambda x_t, score, ab: (x_t - (1 - ab) * score) / ab**0.5,
        ),
        Mistake(
            "score = -eps_hat / sqrt(1 - ab_t), so eps_hat is the score *times* that root, with a "
            "minus; you divided.",
            lambda x_t, score, ab: (x_t + score) / ab**0.5,
        ),
        Mistake(
            "x_t is sqrt(ab_t) times x0 and more: to get x0, *divide* by the root.",
            lambda x_t, score, ab: (x_t + (1 - ab) * score) * ab**0.5,
        ),
        Mistake(
            "you took the score for eps_hat. What does eps_hat = ... score say?",
            lambda x_t, score, ab: (x_t - (1 - ab) ** 0.5 * score) / ab**0.5,
        ),
        Mistake(
            "a factor is missing: eps_hat has a factor sqrt(1 - ab_t), and is multiplied with "
            "another one; together they have no root any more.",
            lambda x_t, score, ab: (x_t + (1 - ab) ** 0.5 * score) / ab**0.5,
        ),
        Mistake(
            "x_t holds sqrt(ab_t) times x0, so divide by the root.",
            lambda x_t, score, ab: (x_t + (1 - ab) * score) / ab,
        ),
        Mistake(
            "the noise is gone, and the picture is still shrunk: divide by sqrt(ab_t).",
            lambda x_t, score, ab: x_t + (1 - ab) * score,
        ),
        Mistake(
            "that is eps_hat; x0_hat is asked for.",
            lambda x_t, score, ab: -((1 - ab) ** 0.5) * score,
        ),
        Mistake(
            "all of it is divided by sqrt(ab_t), the score's part too: mind the brackets.",
            lambda x_t, score, ab: x_t / ab**0.5 + (1 - ab) * score,
        ),
    ],
)


# 2 · the posterior


def posterior_variance(ab_t, ab_s):
    beta = 1 - ab_t / ab_s
    return beta * (1 - ab_s) / (1 - ab_t)


def _draw_shares(generator, i):
    ab_t, ab_s = torch.rand(2, generator=generator, dtype=torch.float64).sort().values.tolist()
    return 0.05 + 0.4 * ab_t, 0.5 + 0.45 * ab_s


def _beta(ab_t, ab_s):
    return 1 - ab_t / ab_s


check_posterior_variance = Exercise(
    "04",
    "how well two hints tell where it was",
    posterior_variance,
    _draw_shares,
    [
        Mistake(
            "that is the precision. The variance is one over it.",
            lambda t, s: 1 / (1 - s) + (t / s) / _beta(t, s),
        ),
        Mistake(
            "variances do not add up when two hints are combined; precisions do. The answer must "
            "be smaller than each of the two.",
            lambda t, s: (1 - s) + _beta(t, s) / (t / s),
        ),
        Mistake(
            "the second hint: x_t, divided by sqrt(a). That divides its variance b by a.",
            lambda t, s: 1 / (1 / (1 - s) + 1 / _beta(t, s)),
        ),
        Mistake(
            "the second hint: a variance is divided by a, not by sqrt(a).",
            lambda t, s: 1 / (1 / (1 - s) + (t / s) ** 0.5 / _beta(t, s)),
        ),
        Mistake(
            "that is b, the variance of the noise between s and t: what you would have with "
            "the second step alone.",
            lambda t, s: _beta(t, s),
        ),
        Mistake(
            "that is the standard deviation; the variance is asked for.",
            lambda t, s: posterior_variance(t, s) ** 0.5,
        ),
        Mistake(
            "b is 1 - a, and a = ab_t / ab_s is what is kept between s and t; you took "
            "1 - ab_t, the noise of all steps.",
            lambda t, s: 1 / (1 / (1 - s) + t / (1 - t)),
        ),
        Mistake(
            "that is the first hint alone, 1 - ab_s.",
            lambda t, s: 1 - s,
        ),
        Mistake("that is the second hint alone, b / a.", lambda t, s: _beta(t, s) / (t / s)),
        Mistake(
            "the first hint is the jump from x0 to s: its variance is 1 - ab_s, not 1 - ab_t.",
            lambda t, s: 1 / (1 / (1 - t) + (t / s) / _beta(t, s)),
        ),
        Mistake(
            "the second hint is upside down: its variance is b / a, its precision a / b.",
            lambda t, s: 1 / (1 / (1 - s) + _beta(t, s) / (t / s)),
        ),
        Mistake(
            "a is upside down: what is kept between s and t is ab_t / ab_s, less than 1.",
            lambda t, s: 1 / (1 / (1 - s) + (s / t) / _beta(s, t)),
        ),
    ],
)
