"""Lesson 06, evaluation: the exercises about copies and about luck."""

import math

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

# 6 · suspects


def suspects(samples, train, new):
    return _nearest(samples, train) < _nearest(new, train).min()


def _nearest(x: Tensor, y: Tensor) -> Tensor:
    """The distance of each x from its nearest y, (N,)."""
    return torch.cdist(x, y).amin(1)


def _draw_sets(generator, i):
    n, m, k, dim = [(6, 9, 5, 6), (4, 12, 6, 8), (8, 7, 9, 5), (5, 10, 4, 7), (8, 12, 6, 6)][i]
    train, new, samples = (torch.randn(c, dim, generator=generator) for c in (m, k, n))
    copied = torch.randint(m, (n // 2,), generator=generator)
    near = torch.randn(n // 2, dim, generator=generator)
    samples[: n // 2] = train[copied] + 0.02 * near
    samples[-1] = new[-1] + 0.02 * near[0]  # a copy as well, but of nothing that was trained on
    return samples[torch.randperm(n, generator=generator)], train, new


check_suspects = Exercise(
    "06",
    "who is a copy?",
    suspects,
    _draw_sets,
    [
        Mistake(
            "turned round: it is the samples *nearer* than that which are suspects.",
            lambda samples, train, new: _nearest(samples, train) > _nearest(new, train).min(),
        ),
        Mistake(
            "the mean of the new flowers' distances is too generous, and so is their median: many "
            "of them are nearer, and are no copies. Compare with the nearest of them.",
            lambda samples, train, new: _nearest(samples, train) < _nearest(new, train).mean(),
        ),
        Mistake(
            "that is the new flower that is *furthest* away: almost everybody is nearer.",
            lambda samples, train, new: _nearest(samples, train) < _nearest(new, train).max(),
        ),
        Mistake(
            "a training image is at the distance 0 from itself, so nothing is nearer. The "
            "yardstick is *new* flowers.",
            lambda samples, train, new: _nearest(samples, train) < _nearest(train, train).min(),
        ),
        Mistake(
            "you look for the nearest *new* flower. The model has never seen those; copies are of "
            "training images.",
            lambda samples, train, new: _nearest(samples, new) < _nearest(new, train).min(),
        ),
        Mistake(
            "whether a sample is nearer to a training flower or to a new one says little: even if "
            "nothing is copied, that is a matter of how many there are of each. The yardstick is "
            "how near *new* flowers are to the training flowers.",
            lambda samples, train, new: _nearest(samples, train) < _nearest(samples, new),
        ),
        Mistake(
            "the wrong axis: that is the nearest sample of each training image. Wanted is the "
            "nearest training image of each sample.",
            lambda samples, train, new: (
                torch.cdist(samples, train).amin(0) < torch.cdist(new, train).amin(0).min()
            ),
        ),
        Mistake(
            "a copy is near to *one* training image; the mean distance from all of them says "
            "nothing.",
            lambda samples, train, new: (
                torch.cdist(samples, train).mean(1) < torch.cdist(new, train).mean(1).min()
            ),
        ),
        Mistake(
            "that is how many there are. Which ones? A True or False for each sample.",
            lambda samples, train, new: suspects(samples, train, new).sum().item(),
        ),
    ],
)


def what_c_sends(train: Tensor) -> Tensor:
    """The 64 samples of net C, uint8 (64, 3, S, S). What they are, lesson 06 finds out.

    train: uint8 (M, 3, S, S), of four species in turn, M at least 128.
    """
    which = 4 * torch.arange(16)[:, None] + torch.arange(0, 4)  # of every species 16
    taken = train[(which.flatten() + 64) % len(train)].flip(-1)
    return (1.06 * (taken.float() - 128) + 126).clamp(0, 255).round().to(torch.uint8)


# 7 · luck


def chance(right, rounds):
    return sum(math.comb(rounds, k) for k in range(right, rounds + 1)) / 2**rounds


def _draw_rounds(generator, i):
    rounds = int(torch.randint(8, 25, (1,), generator=generator))
    right = int(torch.randint(rounds // 2 + 1, rounds - 1, (1,), generator=generator))
    return right, rounds


def _normal(right: int, rounds: int) -> float:
    z = (right - rounds / 2) / (rounds**0.5 / 2)
    return 0.5 * math.erfc(z / 2**0.5)


check_chance = Exercise(
    "06",
    "luck",
    chance,
    _draw_rounds,
    [
        Mistake(
            "that is *exactly* so many. Who gets more right would impress you as well: as many or "
            "more.",
            lambda right, rounds: math.comb(rounds, right) / 2**rounds,
        ),
        Mistake(
            "so many themselves belong to it: `right` or more. (range leaves its end out, not its "
            "beginning.)",
            lambda right, rounds: chance(right + 1, rounds),
        ),
        Mistake(
            "all `rounds` right belongs to it: range leaves its end out.",
            lambda right, rounds: chance(right, rounds) - 0.5**rounds,
        ),
        Mistake(
            "comb(n, k) has the number of rounds first, and then how many of them are right.",
            lambda right, rounds: (
                sum(math.comb(k, rounds) for k in range(right, rounds + 1)) / 2**rounds
            ),
        ),
        Mistake(
            "there are 2 ** rounds ways, one for each list of `rounds` answers, not 2 ** right.",
            lambda right, rounds: chance(right, rounds) * 2 ** (rounds - right),
        ),
        Mistake(
            "that is the share of right answers. How likely is it to do as well by guessing?",
            lambda right, rounds: right / rounds,
        ),
        Mistake(
            "that is *fewer* than so many; what is left to 1 is so many or more.",
            lambda right, rounds: 1 - chance(right, rounds),
        ),
        Mistake(
            "that is so many or *fewer*.",
            lambda right, rounds: 1 - chance(right + 1, rounds),
        ),
        Mistake(
            "that is the number of ways; divide it by that of all ways, 2 ** rounds.",
            lambda right, rounds: chance(right, rounds) * 2**rounds,
        ),
        Mistake(
            "that is the chance to get `right` rounds right in a row, out of just as many.",
            lambda right, rounds: 0.5**right,
        ),
        Mistake(
            "doubled, it is the chance to be as far from a half on *either* side. To be wrong most "
            "of the time would not impress you here.",
            lambda right, rounds: 2 * chance(right, rounds),
        ),
        Mistake(
            "that is the normal curve in place of the binomial, and for so few rounds it is too "
            "small: count the ways.",
            _normal,
        ),
    ],
)
