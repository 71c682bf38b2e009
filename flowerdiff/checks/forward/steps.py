"""Lesson 01, forward diffusion: the first exercises, from one step to alpha_bar."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

SHAPES = [(7,), (2, 5), (3, 4, 4), (1, 3, 6, 6), (3, 8, 8)]


def uniform(generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def some_betas(generator, i: int, steps: int | None = None) -> Tensor:
    """A made-up schedule's betas, each time of another length: (T,), some rising, some not."""
    return uniform(generator, 0.01, 0.12, steps or 12 + 3 * i)


def some_alpha_bar(generator, i: int, steps: int | None = None) -> Tensor:
    """A made-up schedule, in float32 and float64 by turns: (T + 1,)."""
    alpha_bar = alpha_bars(some_betas(generator, i, steps))
    return alpha_bar if i % 2 else alpha_bar.float()


# 1 · one step


def noise_step(x, beta, eps):
    return (1 - beta) ** 0.5 * x + beta**0.5 * eps


def _draw_step(generator, i):
    x, eps = (torch.randn(SHAPES[i], generator=generator) for _ in range(2))
    return x, uniform(generator, 0.05, 0.4).item(), eps


check_noise_step = Exercise(
    "01",
    "one step of noise",
    noise_step,
    _draw_step,
    [
        Mistake(
            "beta is a variance. What you multiply noise with is its standard deviation.",
            lambda x, beta, eps: (1 - beta) ** 0.5 * x + beta * eps,
        ),
        Mistake(
            "the picture shrinks too much: the square root over (1 - beta) is missing.",
            lambda x, beta, eps: (1 - beta) * x + beta**0.5 * eps,
        ),
        Mistake(
            "both square roots are missing: beta and 1 - beta are variances.",
            lambda x, beta, eps: (1 - beta) * x + beta * eps,
        ),
        Mistake(
            "the picture does not shrink, so the variance grows at every step.",
            lambda x, beta, eps: x + beta**0.5 * eps,
        ),
        Mistake(
            "the two factors are swapped: beta belongs to the noise.",
            lambda x, beta, eps: beta**0.5 * x + (1 - beta) ** 0.5 * eps,
        ),
        Mistake(
            "the root of a difference is not the difference of roots: sqrt(1 - beta) is not "
            "1 - sqrt(beta).",
            lambda x, beta, eps: (1 - beta**0.5) * x + beta**0.5 * eps,
        ),
        Mistake(
            "the picture shrinks, but no noise is added: add eps, with its factor.",
            lambda x, beta, eps: (1 - beta) ** 0.5 * x,
        ),
    ],
)


# 2 · two noises make one


def std_after_two(beta_1, beta_2):
    return (1 - (1 - beta_1) * (1 - beta_2)) ** 0.5


check_std_after_two = Exercise(
    "01",
    "the noise after two steps",
    std_after_two,
    lambda generator, i: tuple(uniform(generator, 0.05, 0.6, 2).tolist()),
    [
        Mistake(
            "standard deviations do not add up, variances do.",
            lambda b1, b2: ((1 - b2) * b1) ** 0.5 + b2**0.5,
        ),
        Mistake(
            "standard deviations do not add up, variances do; and the second step also shrinks "
            "the noise of the first.",
            lambda b1, b2: b1**0.5 + b2**0.5,
        ),
        Mistake(
            "the variances are added, good; but the second step also shrinks the noise of the "
            "first, as it shrinks everything.",
            lambda b1, b2: (b1 + b2) ** 0.5,
        ),
        Mistake(
            "that is the variance; the standard deviation is asked for.",
            lambda b1, b2: 1 - (1 - b1) * (1 - b2),
        ),
        Mistake(
            "that is what is left of the picture; the noise is asked for.",
            lambda b1, b2: ((1 - b1) * (1 - b2)) ** 0.5,
        ),
        Mistake(
            "which of the two noises is shrunk? The first one: it was there before the second "
            "step.",
            lambda b1, b2: (b1 + (1 - b1) ** 2 * b2) ** 0.5,
        ),
        Mistake(
            "which step shrinks the first noise? The second one, so the factor has beta_2 in it.",
            lambda b1, b2: ((1 - b1) * b1 + b2) ** 0.5,
        ),
        Mistake(
            "a factor f makes a variance f^2 times as large. The factor is sqrt(1 - beta_2), so "
            "f^2 is ...",
            lambda b1, b2: ((1 - b2) ** 0.5 * b1 + b2) ** 0.5,
        ),
    ],
)


# 3 · alpha bar


def alpha_bars(beta):
    return torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])


def _draw_betas(generator, i):
    return (some_betas(generator, i).float(),)


check_alpha_bars = Exercise(
    "01",
    "from beta to alpha_bar",
    alpha_bars,
    _draw_betas,
    [
        Mistake(
            "the right numbers, but one too few: the first entry is that of t = 0, the clean "
            "picture, where all of it is left.",
            lambda beta: (1 - beta).cumprod(0),
        ),
        Mistake(
            "the right numbers, but the 1 belongs in front: it is the entry of t = 0.",
            lambda beta: torch.cat([(1 - beta).cumprod(0), beta.new_ones(1)]),
        ),
        Mistake(
            "you add the betas up (cumsum): shares are multiplied. Half of a half is a quarter.",
            lambda beta: torch.cat([beta.new_ones(1), 1 - beta.cumsum(0)]),
        ),
        Mistake(
            "you add the alphas up (cumsum): shares are multiplied. Half of a half is a quarter.",
            lambda beta: torch.cat([beta.new_ones(1), (1 - beta).cumsum(0)]),
        ),
        Mistake(
            "that is alpha, what one step leaves; the bar means: of all steps up to t, multiplied.",
            lambda beta: torch.cat([beta.new_ones(1), 1 - beta]),
        ),
        Mistake(
            "you multiply the betas: what goes, not what stays.",
            lambda beta: torch.cat([beta.new_ones(1), beta.cumprod(0)]),
        ),
        Mistake(
            "that is the noise's share, 1 - alpha_bar.",
            lambda beta: 1 - torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)]),
        ),
        Mistake(
            "you drop the last entry, or shift the others: alpha_bar[t] holds the steps 1 to t, so "
            "there are T + 1 entries, and the last one holds all T steps.",
            lambda beta: torch.cat([beta.new_ones(1), (1 - beta[:-1]).cumprod(0)]),
        ),
        Mistake(
            "that is sqrt(alpha_bar), what the picture is multiplied with. alpha_bar is that "
            "squared.",
            lambda beta: torch.cat([beta.new_ones(1), (1 - beta).cumprod(0).sqrt()]),
        ),
    ],
)
