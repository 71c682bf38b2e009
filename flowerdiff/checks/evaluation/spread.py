"""Lesson 06, evaluation: the exercises about sureness and variety."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

# 4 · the Inception Score


def inception_score(p):
    return _divergences(p, p.mean(0)).mean().exp().item()


def _divergences(p: Tensor, q: Tensor) -> Tensor:
    """KL of each row of p from q, (N,)."""
    return (p * (p / q).log()).sum(1)


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.log()).sum(-1)


def _draw_probabilities(generator, i):
    shape = [(4, 3), (6, 5), (3, 8), (5, 4), (6, 10)][i]
    return ((2 * torch.randn(shape, generator=generator, dtype=torch.float64)).softmax(1),)


check_inception_score = Exercise(
    "06",
    "the Inception Score",
    inception_score,
    _draw_probabilities,
    [
        Mistake(
            "the exp is missing: that is a score from 0 on, in nats. With it, it counts classes.",
            lambda p: _divergences(p, p.mean(0)).mean().item(),
        ),
        Mistake(
            "the divergence is the wrong way round: each image's p comes first, KL(p_i || mean).",
            lambda p: (p.mean(0) * (p.mean(0) / p).log()).sum(1).mean().exp().item(),
        ),
        Mistake(
            "a KL is a *sum* over the classes. You take the mean over images and classes at once.",
            lambda p: (p * (p / p.mean(0)).log()).mean().exp().item(),
        ),
        Mistake(
            "a KL is a sum over the *classes*, which are the columns: sum(1).",
            lambda p: (p * (p / p.mean(0)).log()).sum(0).mean().exp().item(),
        ),
        Mistake(
            "the p before the logarithm is missing: each class counts as much as it is likely.",
            lambda p: (p / p.mean(0)).log().sum(1).mean().exp().item(),
        ),
        Mistake(
            "the mean over the images is wanted, not their sum: else more images score higher.",
            lambda p: _divergences(p, p.mean(0)).sum().exp().item(),
        ),
        Mistake(
            "first the mean over the images, then exp: you have the mean of the exps.",
            lambda p: _divergences(p, p.mean(0)).exp().mean().item(),
        ),
        Mistake(
            "compare with the mean of *these* images, p.mean(0), not with equal chances for all "
            "classes (which is what p.mean(1) gives).",
            lambda p: _divergences(p, torch.full_like(p[0], 1 / p.shape[1])).mean().exp().item(),
        ),
        Mistake(
            "that is only how varied the set is (the entropy of the mean), not how sure the net is "
            "of each image.",
            lambda p: _entropy(p.mean(0)).exp().item(),
        ),
        Mistake(
            "that is only how sure the net is of each image, not how varied the set is.",
            lambda p: (-_entropy(p)).mean().exp().item(),
        ),
        Mistake(
            "exp undoes the natural logarithm, not log2.",
            lambda p: (p * (p / p.mean(0)).log2()).sum(1).mean().exp().item(),
        ),
        Mistake(
            "a sign is turned: the divergence is never negative, so the score is never below 1.",
            lambda p: (-_divergences(p, p.mean(0))).mean().exp().item(),
        ),
    ],
)


# 5 · diversity


def diversity(x, labels, real, real_labels):
    ratios = _by_class(torch.pdist, x, labels) / _by_class(torch.pdist, real, real_labels)
    return ratios.mean().item()


def _by_class(distances, x: Tensor, labels: Tensor) -> Tensor:
    """The mean of distances(images of the class), (classes,)."""
    return torch.stack([distances(x[labels == k]).mean() for k in labels.unique()])


def _draw_classes(generator, i):
    classes, n, n_real, dim = [
        (2, 3, 4, 3),
        (3, 2, 5, 4),
        (2, 4, 3, 2),
        (4, 3, 5, 3),
        (3, 4, 6, 4),
    ][i]

    def draw(count, width):
        labels = torch.arange(classes).repeat_interleave(count + torch.arange(classes))
        labels = labels[torch.randperm(len(labels), generator=generator)]
        spread = 1 + torch.rand(classes, generator=generator, dtype=torch.float64)
        x = torch.randn(len(labels), dim, generator=generator, dtype=torch.float64)
        return 3 * labels[:, None] + width * spread[labels, None] * x, labels

    return (*draw(n, 0.6), *draw(n_real, 1.0))


def _pairs_of(distances):
    """A wrong diversity with other distances within a class."""

    def wrong(x, labels, real, real_labels):
        ours, theirs = (_by_class(distances, *of) for of in ((x, labels), (real, real_labels)))
        return (ours / theirs).mean().item()

    return wrong


def _to_each_other(x, labels, real, real_labels) -> float:
    classes = labels.unique()
    across = [torch.cdist(x[labels == k], real[real_labels == k]).mean() for k in classes]
    return (torch.stack(across) / _by_class(torch.pdist, real, real_labels)).mean().item()


check_diversity = Exercise(
    "06",
    "diversity",
    diversity,
    _draw_classes,
    [
        Mistake(
            "the wrong way round: a model that always draws the same has the diversity 0, not an "
            "endless one.",
            lambda x, y, real, real_y: (
                (_by_class(torch.pdist, real, real_y) / _by_class(torch.pdist, x, y)).mean().item()
            ),
        ),
        Mistake(
            "you compare all pairs; but a rose and a daisy are far apart in every set. Only pairs "
            "of one class.",
            lambda x, y, real, real_y: (torch.pdist(x).mean() / torch.pdist(real).mean()).item(),
        ),
        Mistake(
            "first divide, class by class, then take the mean of the ratios: else the classes that "
            "are varied by nature count most.",
            lambda x, y, real, real_y: (
                _by_class(torch.pdist, x, y).mean() / _by_class(torch.pdist, real, real_y).mean()
            ).item(),
        ),
        Mistake(
            "a species with more images counts more in yours: `labels.unique()` has each once.",
            lambda x, y, real, real_y: (
                (_by_class(torch.pdist, x, y) / _by_class(torch.pdist, real, real_y))[y]
                .mean()
                .item()
            ),
        ),
        Mistake(
            "the last species is left out: labels go from 0 to labels.max(), and range leaves its "
            "end out. `labels.unique()` has them all.",
            lambda x, y, real, real_y: diversity(
                x[y < y.max()], y[y < y.max()], real[real_y < y.max()], real_y[real_y < y.max()]
            ),
        ),
        Mistake(
            "that is the first species alone. Is the `return` inside the loop?",
            lambda x, y, real, real_y: diversity(
                x[y == 0], y[y == 0], real[real_y == 0], real_y[real_y == 0]
            ),
        ),
        Mistake(
            "the sum of the ratios; divide by the number of species.",
            lambda x, y, real, real_y: len(y.unique()) * diversity(x, y, real, real_y),
        ),
        Mistake(
            "the distance of an image from itself is 0, and it is in your mean: the fewer images, "
            "the more it counts. torch.pdist leaves it out.",
            _pairs_of(lambda x: torch.cdist(x, x)),
        ),
        Mistake(
            "distances, not their squares.",
            _pairs_of(lambda x: torch.pdist(x).square()),
        ),
        Mistake(
            "sums instead of means: then the set with more images is the more varied one.",
            _pairs_of(lambda x: torch.pdist(x).sum()),
        ),
        Mistake(
            "that is how far the images are from the middle of their class; wanted are pairs.",
            _pairs_of(lambda x: (x - x.mean(0)).norm(dim=1)),
        ),
        Mistake(
            "you measure from generated to real images. Pairs come from one set, and the two sets "
            "are compared afterwards.",
            _to_each_other,
        ),
        Mistake(
            "the difference instead of the ratio: 1 should mean as varied as nature.",
            lambda x, y, real, real_y: (
                (_by_class(torch.pdist, x, y) - _by_class(torch.pdist, real, real_y)).mean().item()
            ),
        ),
    ],
)
