"""Lesson 05, guidance: the exercise in the plane, where everything is known."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.guidance.combine import combine
from flowerdiff.checks.guidance.dropout import uniform

# 7 · the score of the sharpened density


def sharpened_score(x, means, std, k, w):
    return _scores(x, means, std, k, w)


def _scores(x, means, std, k, w, share=None) -> Tensor:
    """Both scores, combined; `share` (N, K) says which mean a point came from, 1 in sum."""
    ways = (means - x[:, None]) / std**2  # (N, K, 2)
    share = _share(x, means, std) if share is None else share
    return combine(ways[:, k], (share[..., None] * ways).sum(1), w)


def _share(x, means, std, factor=2.0) -> Tensor:
    return (-(means - x[:, None]).square().sum(2) / (factor * std**2)).softmax(1)


def _nearest(x, means, std) -> Tensor:
    near = _share(x, means, std).argmax(1)
    return torch.nn.functional.one_hot(near, len(means)).to(x)


def _draw_plane(generator, i):
    points, components = [(5, 2), (6, 3), (7, 3), (4, 4), (6, 3)][i]
    means = torch.randn((components, 2), generator=generator) * 1.5
    x = torch.randn((points, 2), generator=generator)
    k = int(torch.randint(0, components, (), generator=generator))
    return x, means, uniform(generator, 0.6, 1.4), k, uniform(generator, 0.7, 4.0)


check_sharpened_score = Exercise(
    "05",
    "the score of the sharpened density",
    sharpened_score,
    _draw_plane,
    [
        Mistake(
            "uphill is *towards* a mean: (mean - x), not (x - mean).",
            lambda x, means, std, k, w: -_scores(x, means, std, k, w),
        ),
        Mistake(
            "you divide by the standard deviation; it is the variance, std squared.",
            lambda x, means, std, k, w: _scores(x, means, std, k, w) * std,
        ),
        Mistake(
            "nothing is divided by the variance.",
            lambda x, means, std, k, w: _scores(x, means, std, k, w) * std**2,
        ),
        Mistake(
            "of all means, only the nearest has its say. The shares are soft: softmax.",
            lambda x, means, std, k, w: _scores(x, means, std, k, w, _nearest(x, means, std)),
        ),
        Mistake(
            "the shares sum to 1 already: sum over the means; a mean divides by K once more.",
            lambda x, means, std, k, w: _scores(
                x, means, std, k, w, _share(x, means, std) / len(means)
            ),
        ),
        Mistake(
            "in the shares, the distance is not squared.",
            lambda x, means, std, k, w: _scores(
                x,
                means,
                std,
                k,
                w,
                (-(means - x[:, None]).norm(dim=2) / (2 * std**2)).softmax(1),
            ),
        ),
        Mistake(
            "every mean has the same share, wherever x is; near ones must count more.",
            lambda x, means, std, k, w: _scores(
                x, means, std, k, w, torch.full((len(x), len(means)), 1 / len(means))
            ),
        ),
        Mistake(
            "the shares need the minus sign: far ones must count less, not more.",
            lambda x, means, std, k, w: _scores(
                x, means, std, k, w, _share(x, means, std, factor=-2.0)
            ),
        ),
        Mistake(
            "in the shares, the squared distance is divided by *twice* the variance.",
            lambda x, means, std, k, w: _scores(
                x, means, std, k, w, _share(x, means, std, factor=1.0)
            ),
        ),
        Mistake(
            "that is guidance_scale: the exponents are 1 + w and -w.",
            lambda x, means, std, k, w: _scores(x, means, std, k, w - 1),
        ),
        Mistake(
            "the two scores are swapped: 1 + w belongs to class k.",
            lambda x, means, std, k, w: _scores(x, means, std, k, -1 - w),
        ),
        Mistake(
            "that is the score of class k alone, w = 0.",
            lambda x, means, std, k, w: _scores(x, means, std, k, 0.0),
        ),
        Mistake(
            "the softmax runs over the points; for each point, the shares of the *means* sum to 1.",
            lambda x, means, std, k, w: _scores(
                x,
                means,
                std,
                k,
                w,
                (-(means - x[:, None]).square().sum(2) / (2 * std**2)).softmax(0),
            ),
        ),
    ],
)
