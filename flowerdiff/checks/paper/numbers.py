"""Lesson 07, the paper: the exercises that ask a table what it can tell."""

import itertools
import math

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

# 3 · is it a trend?


def chance_of_a_trend(scores):
    return _share(scores, lambda rising, seen: rising >= seen)


def _rising(values) -> int:
    """Pairs of which the later one is larger."""
    return sum(a < b for a, b in itertools.combinations(values, 2))


def _neighbours(values) -> int:
    return sum(a < b for a, b in itertools.pairwise(values))


def _share(scores: Tensor, counts, of=_rising) -> float:
    """The share of all orders of these scores whose number of rising pairs `counts`."""
    values = scores.tolist()
    orders = list(itertools.permutations(values))
    return sum(counts(of(order), of(values)) for order in orders) / len(orders)


def _draw_scores(generator, i):
    return (torch.randperm(100, generator=generator)[: [4, 5, 3, 4, 5][i]] / 10,)


def _first_and_last(scores: Tensor) -> float:
    values = scores.tolist()
    orders = list(itertools.permutations(values))
    return sum(o[-1] - o[0] >= values[-1] - values[0] for o in orders) / len(orders)


check_chance_of_a_trend = Exercise(
    "07",
    "a trend, or luck?",
    chance_of_a_trend,
    _draw_scores,
    [
        Mistake(
            "as many rising pairs *or more*: you count only the orders with more.",
            lambda scores: _share(scores, lambda rising, seen: rising > seen),
        ),
        Mistake(
            "that is the share with exactly as many. An order that rises even more would have "
            "convinced you as well: as many or more.",
            lambda scores: _share(scores, lambda rising, seen: rising == seen),
        ),
        Mistake(
            "that is as many or *fewer*.",
            lambda scores: _share(scores, lambda rising, seen: rising <= seen),
        ),
        Mistake(
            "you look at neighbours only. All pairs count: the first with the third, too.",
            lambda scores: _share(scores, lambda rising, seen: rising >= seen, of=_neighbours),
        ),
        Mistake(
            "a share is wanted: divide by the number of all orders.",
            lambda scores: chance_of_a_trend(scores) * math.factorial(len(scores)),
        ),
        Mistake(
            "that is the share of pairs that rise, in this one order. How many *orders* of these "
            "numbers have as many?",
            lambda scores: _rising(scores.tolist()) / math.comb(len(scores), 2),
        ),
        Mistake(
            "you compare the first and the last number only; those between say something as well.",
            _first_and_last,
        ),
        Mistake(
            "the order that was found is one of the orders: it belongs to both counts.",
            lambda scores: (
                (chance_of_a_trend(scores) * math.factorial(len(scores)) - 1)
                / (math.factorial(len(scores)) - 1)
            ),
        ),
        Mistake(
            "a share from 0 to 1 is wanted, not per cent.",
            lambda scores: 100 * chance_of_a_trend(scores),
        ),
        Mistake(
            "doubled, it is the chance of a trend either way. The paper expected a *rise*.",
            lambda scores: 2 * chance_of_a_trend(scores),
        ),
    ],
)

# 6 · a difference and its interval


def gap_interval(scores, i, j, t95):
    return _interval(scores[i].mean() - scores[j].mean(), _pooled(scores), scores, t95)


def _pooled(scores: Tensor, *rows: int) -> Tensor:
    return scores.var(1).mean().sqrt()


def _interval(gap: Tensor, sd: Tensor, scores: Tensor, t95: float, of: float = 2) -> Tensor:
    half = t95 * sd * math.sqrt(of / scores.shape[1])
    return torch.stack([gap - half, gap + half])


def _draw_rows(generator, i):
    rows, seeds = [(3, 3), (4, 2), (2, 4), (5, 3), (4, 3)][i]
    spread = 0.5 + torch.rand(rows, 1, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, seeds, generator=generator, dtype=torch.float64)
    level = 3 * torch.randn(rows, 1, generator=generator, dtype=torch.float64)
    one, other = torch.randperm(rows, generator=generator)[:2].tolist()
    # float32, as torch.tensor makes of an answer worked out in Python's numbers
    return (level + spread * noise).float(), one, other, [2.447, 2.776, 2.447, 2.228, 2.306][i]


def _with(spread, of: float = 2):
    """A wrong interval with another standard deviation: spread(scores, i, j)."""
    return lambda scores, i, j, t95: _interval(
        scores[i].mean() - scores[j].mean(), spread(scores, i, j), scores, t95, of
    )


check_gap_interval = Exercise(
    "07",
    "a difference and its interval",
    gap_interval,
    _draw_rows,
    [
        Mistake(
            "the difference has the wrong sign: row i less row j.",
            lambda scores, i, j, t95: gap_interval(scores, j, i, t95),
        ),
        Mistake(
            "that is the spread of all numbers together, so the differences *between* rows are in "
            "it. Take the variance within each row, then the mean over the rows.",
            _with(lambda scores, i, j: scores.std()),
        ),
        Mistake(
            "the variance divides by one less than the number of seeds: with few seeds their own "
            "mean lies in their middle. (torch's var does so if you let it.)",
            _with(lambda scores, i, j: scores.var(1, correction=0).mean().sqrt()),
        ),
        Mistake(
            "you use the spread of these two rows only. Three seeds say little about a spread: "
            "pool all rows.",
            _with(lambda scores, i, j: scores[[i, j]].var(1).mean().sqrt()),
        ),
        Mistake(
            "pool the *variances*, then take the root: not the mean of standard deviations.",
            _with(lambda scores, i, j: scores.std(1).mean()),
        ),
        Mistake(
            "that is a variance: take its root.",
            _with(lambda scores, i, j: scores.var(1).mean()),
        ),
        Mistake(
            "*two* means are uncertain, and their variances add up: sqrt(1 / n + 1 / n).",
            _with(_pooled, of=1),
        ),
        Mistake(
            "the root over 1 / n + 1 / n is missing.",
            lambda scores, i, j, t95: gap_interval(
                scores, i, j, t95 * (2 / scores.shape[1]) ** 0.5
            ),
        ),
        Mistake(
            "n is the number of *seeds* of a row, scores.shape[1]; len(scores) counts the rows.",
            lambda scores, i, j, t95: gap_interval(
                scores, i, j, t95 * (scores.shape[1] / len(scores)) ** 0.5
            ),
        ),
        Mistake(
            "var(0) goes down a column, from row to row: the seeds of one row lie along axis 1.",
            _with(lambda scores, i, j: scores.var(0).mean().sqrt()),
        ),
        Mistake(
            "that is how far two single runs may be apart. A mean of n seeds is surer than one "
            "seed: divide by n.",
            lambda scores, i, j, t95: gap_interval(scores, i, j, t95 * scores.shape[1] ** 0.5),
        ),
        Mistake(
            "t95 is missing: so far it is one standard error to each side, which holds in two "
            "cases of three.",
            lambda scores, i, j, t95: gap_interval(scores, i, j, 1.0),
        ),
        Mistake(
            "that is half its width on each side; t95 times the standard error is *one* side.",
            lambda scores, i, j, t95: gap_interval(scores, i, j, t95 / 2),
        ),
        Mistake(
            "the right numbers, the upper end first.",
            lambda scores, i, j, t95: gap_interval(scores, i, j, t95).flip(0),
        ),
    ],
)
