"""Lesson 05, guidance: the exercise about dropping labels."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake


def uniform(generator, low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


# 1 · label dropout


def drop_labels(y, u, p, num_classes):
    return torch.where(u < p, num_classes, y)


def _draw_labels(generator, i):
    """u[0] and the mean of u on different sides of p, and one u between p and 1/2."""
    batch, num_classes = [(6, 5), (9, 3), (12, 102), (8, 10), (16, 102)][i]
    y = torch.randint(0, num_classes, (batch,), generator=generator)
    y[:3] = torch.tensor([1, 0, num_classes - 1])
    u = torch.rand(batch, generator=generator, dtype=torch.float64)
    if i % 2:  # most are dropped, but not the first two
        p = uniform(generator, 0.6, 0.8)
        u = 0.6 * p * u
        u[:2] = p + torch.tensor([0.1, 0.2]) * (1 - p)
    else:  # few are dropped, the first two among them
        p = uniform(generator, 0.15, 0.4)
        u = p + (0.5 + 0.5 * u) * (1 - p)
        u[:2] = torch.tensor([0.9, 0.7]) * p
    u[2] = (p + 0.5) / 2
    return y, u, p, num_classes


check_drop_labels = Exercise(
    "05",
    "drop labels, image by image",
    drop_labels,
    _draw_labels,
    [
        Mistake(
            "the batch shares one draw, u[0]: all labels go, or none. Each image has its own.",
            lambda y, u, p, n: torch.full_like(y, n) if u[0] < p else y.clone(),
        ),
        Mistake(
            "the batch shares one draw, the mean of u: all labels go, or none. Each image has its "
            "own.",
            lambda y, u, p, n: torch.full_like(y, n) if u.mean() < p else y.clone(),
        ),
        Mistake(
            "you keep those that were to be dropped: u is below p in a share p of all cases.",
            lambda y, u, p, n: torch.where(u < p, y, n),
        ),
        Mistake(
            "num_classes - 1 is a flower, the last one. The null label is one more.",
            lambda y, u, p, n: torch.where(u < p, n - 1, y),
        ),
        Mistake(
            "one too far: flowers are counted from 0, so num_classes itself is the new row.",
            lambda y, u, p, n: torch.where(u < p, n + 1, y),
        ),
        Mistake(
            "0 is a flower, the first one. The null label is num_classes.",
            lambda y, u, p, n: torch.where(u < p, 0, y),
        ),
        Mistake(
            "-1 is no row of the table (or, in Python, its last one). The null label is "
            "num_classes.",
            lambda y, u, p, n: torch.where(u < p, -1, y),
        ),
        Mistake(
            "the images without a label are gone from the batch: they are to be learned from, too.",
            lambda y, u, p, n: y[u >= p],
        ),
        Mistake(
            "all labels are dropped; only those whose u is below p should be.",
            lambda y, u, p, n: torch.full_like(y, n),
        ),
        Mistake(
            "you drop about half, whatever p is.",
            lambda y, u, p, n: torch.where(u < 0.5, n, y),
        ),
    ],
)
