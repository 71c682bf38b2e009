"""Lesson 06, evaluation: the exercises about how far two sets of pictures are apart."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake

# 2 · the Frechet distance


def frechet(mean_1, cov_1, mean_2, cov_2):
    roots = _eigenvalues(cov_1 @ cov_2).sqrt().sum()
    away = (mean_1 - mean_2).square().sum()
    return (away + cov_1.trace() + cov_2.trace() - 2 * roots).item()


def _eigenvalues(matrix: Tensor) -> Tensor:
    return torch.linalg.eigvals(matrix).real.clamp(min=0)


def _draw_gaussians(generator, i):
    dim = [3, 2, 5, 4, 6][i]
    mean_1, mean_2 = torch.randn(2, dim, generator=generator, dtype=torch.float64)
    roots = torch.randn(2, dim, dim + 2, generator=generator, dtype=torch.float64)
    cov_1, cov_2 = (root @ root.T / (dim + 2) for root in roots)
    return mean_1, cov_1, mean_2, cov_2


def _spreads(cov_1: Tensor, cov_2: Tensor) -> Tensor:
    return cov_1.trace() + cov_2.trace() - 2 * _eigenvalues(cov_1 @ cov_2).sqrt().sum()


check_frechet = Exercise(
    "06",
    "the Fréchet distance",
    frechet,
    _draw_gaussians,
    [
        Mistake(
            "the distance of the means is squared in this formula: no root over it.",
            lambda m, s, n, r: ((m - n).norm() + _spreads(s, r)).item(),
        ),
        Mistake(
            "the distance of the means is missing.",
            lambda m, s, n, r: _spreads(s, r).item(),
        ),
        Mistake(
            "first the square of each number, then the sum: |a|^2 is not (a_1 + ... + a_D)^2.",
            lambda m, s, n, r: ((m - n).sum().square() + _spreads(s, r)).item(),
        ),
        Mistake(
            "|a|^2 is a *sum* over the dimensions, not a mean.",
            lambda m, s, n, r: ((m - n).square().mean() + _spreads(s, r)).item(),
        ),
        Mistake(
            "the roots of the *eigenvalues* are summed, not the eigenvalues: their sum is the "
            "trace of S_1 S_2.",
            lambda m, s, n, r: (
                (m - n).square().sum() + s.trace() + r.trace() - 2 * (s @ r).trace()
            ).item(),
        ),
        Mistake(
            "a root of each number on the diagonal of S_1 S_2 is not the root of the matrix: take "
            "its eigenvalues.",
            lambda m, s, n, r: (
                (m - n).square().sum() + s.trace() + r.trace() - 2 * (s @ r).diagonal().sqrt().sum()
            ).item(),
        ),
        Mistake(
            "you multiply the covariances number by number (*); it is the product of matrices (@).",
            lambda m, s, n, r: (
                (m - n).square().sum()
                + s.trace()
                + r.trace()
                - 2 * _eigenvalues(s * r).sqrt().sum()
            ).item(),
        ),
        Mistake(
            "S_1 S_2 is not symmetric, and eigvalsh looks at one half of a matrix alone: eigvals.",
            lambda m, s, n, r: (
                (m - n).square().sum()
                + s.trace()
                + r.trace()
                - 2 * torch.linalg.eigvalsh(s @ r).clamp(min=0).sqrt().sum()
            ).item(),
        ),
        Mistake(
            "the eigenvalues of a product are not the products of the eigenvalues: multiply the "
            "matrices first.",
            lambda m, s, n, r: (
                (m - n).square().sum()
                + s.trace()
                + r.trace()
                - 2 * (_eigenvalues(s) * _eigenvalues(r)).sqrt().sum()
            ).item(),
        ),
        Mistake(
            "that is only right if features know nothing of each other: you use the diagonals of "
            "the two covariances alone.",
            lambda m, s, n, r: (
                (m - n).square().sum() + (s.diagonal().sqrt() - r.diagonal().sqrt()).square().sum()
            ).item(),
        ),
        Mistake(
            "the factor 2 is missing: two equal Gaussians must be at the distance 0.",
            lambda m, s, n, r: frechet(m, s, n, r) + _eigenvalues(s @ r).sqrt().sum().item(),
        ),
        Mistake(
            "a sign: the last term is subtracted. Two equal Gaussians must be at the distance 0.",
            lambda m, s, n, r: frechet(m, s, n, r) + 4 * _eigenvalues(s @ r).sqrt().sum().item(),
        ),
        Mistake(
            "no root over the whole: FID is what Fréchet would call the *squared* distance.",
            lambda m, s, n, r: frechet(m, s, n, r) ** 0.5,
        ),
        Mistake(
            "the traces of the covariances are missing: the more the two spread, the further.",
            lambda m, s, n, r: (
                (m - n).square().sum() - 2 * _eigenvalues(s @ r).sqrt().sum()
            ).item(),
        ),
        Mistake(
            "one root of the sum of the eigenvalues is not the sum of their roots.",
            lambda m, s, n, r: (
                (m - n).square().sum() + s.trace() + r.trace() - 2 * (s @ r).trace().sqrt()
            ).item(),
        ),
    ],
)


# 3 · KID


def kid(x, y):
    return _kid(x, y)


def _kid(x, y, kernel=None, pairs=None, both=2.0) -> float:
    """With other parts, for the mistakes; pairs(k): the mean over pairs from one set."""
    kernel, pairs = kernel or _cubic, pairs or _without_diagonal
    return (pairs(kernel(x, x)) + pairs(kernel(y, y)) - both * kernel(x, y).mean()).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _without_diagonal(k: Tensor) -> Tensor:
    return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))


def _draw_features(generator, i):
    n, m, dim = [(4, 6, 3), (5, 3, 4), (6, 7, 5), (3, 5, 2), (6, 8, 4)][i]
    x, y = (torch.randn(k, dim, generator=generator, dtype=torch.float64) for k in (n, m))
    if i == 2:  # nearly the same set again, and a KID below 0
        return x, torch.cat([x, x[:1]]) + 0.01 * y
    return x, y + 0.5


check_kid = Exercise(
    "06",
    "KID",
    kid,
    _draw_features,
    [
        Mistake(
            "the pairs of an image with itself are in the mean. They make every set look more like "
            "itself than it is, and KID too high, the more so the fewer the images.",
            lambda x, y: _kid(x, y, pairs=torch.mean),
        ),
        Mistake(
            "the pairs of an image with itself are out of the sum, but still counted: there are "
            "n (n - 1) pairs left.",
            lambda x, y: _kid(x, y, pairs=lambda k: (k.sum() - k.trace()) / len(k) ** 2),
        ),
        Mistake(
            "`a / n * (n - 1)` is (a / n) times (n - 1): put n * (n - 1) into brackets.",
            lambda x, y: _kid(x, y, pairs=lambda k: (k.sum() - k.trace()) / len(k) * (len(k) - 1)),
        ),
        Mistake(
            "you have each pair once (i < j), but n (n - 1) counts it twice, as i, j and as j, i.",
            lambda x, y: _kid(x, y, pairs=lambda k: _without_diagonal(k) / 2),
        ),
        Mistake(
            "do not clip at 0: KID is right on average *because* it may be negative.",
            lambda x, y: max(_kid(x, y), 0.0),
        ),
        Mistake(
            "only x . y is divided by D; then comes the + 1.",
            lambda x, y: _kid(x, y, lambda a, b: ((a @ b.T + 1) / a.shape[1]) ** 3),
        ),
        Mistake(
            "x.y is to be divided by D, the number of features.",
            lambda x, y: _kid(x, y, lambda a, b: (a @ b.T + 1) ** 3),
        ),
        Mistake(
            "you divide by the number of images; D is the number of features, `x.shape[1]`.",
            lambda x, y: _kid(x, y, lambda a, b: (a @ b.T / len(a) + 1) ** 3),
        ),
        Mistake(
            "the + 1 of the kernel is missing: without it only third moments are compared, and "
            "means and variances go unseen.",
            lambda x, y: _kid(x, y, lambda a, b: (a @ b.T / a.shape[1]) ** 3),
        ),
        Mistake(
            "the kernel is a cube, not a square: a square does not see how lopsided the sets are.",
            lambda x, y: _kid(x, y, lambda a, b: (a @ b.T / a.shape[1] + 1) ** 2),
        ),
        Mistake(
            "the factor 2 is missing: there are two means within the sets, and one between them.",
            lambda x, y: _kid(x, y, both=1.0),
        ),
        Mistake(
            "a sign: the mean between the sets is subtracted. The more alike they are, the less.",
            lambda x, y: _kid(x, y, both=-2.0),
        ),
        Mistake(
            "between the sets *no* pair is left out: x_1 and y_1 are two different images.",
            lambda x, y: _kid(x, y, both=0.0) - 2 * _crossed_without_diagonal(_cubic(x, y)),
        ),
        Mistake(
            "between the sets *no* pair is left out, and there are n times m of them.",
            lambda x, y: _kid(x, y, both=0.0) - 2 * _without_diagonal(_cubic(x, y)).item(),
        ),
        Mistake(
            "you have sums where means are asked for.",
            lambda x, y: (
                _cubic(x, x).sum()
                - _cubic(x, x).trace()
                + _cubic(y, y).sum()
                - _cubic(y, y).trace()
                - 2 * _cubic(x, y).sum()
            ).item(),
        ),
    ],
)


def _crossed_without_diagonal(k: Tensor) -> float:
    pairs = min(k.shape)
    return ((k.sum() - k.diagonal().sum()) / (k.numel() - pairs)).item()
