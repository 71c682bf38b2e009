"""How far apart are two sets of images, as sets? FID and KID, over any features."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from flowerdiff.metrics.features import Features, require_extra
from flowerdiff.metrics.score import Score

Z95 = 1.96  # a normal variable is within so many standard deviations of its mean, 95 % of the time
ROWS = 1024  # of a kernel matrix at a time


def fid(images: Features, real: Features) -> Score:
    """Frechet distance of two Gaussians with the means and covariances of the features, >= 0.

        |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    Heusel et al. 2017, arXiv:1706.08500. Always too high, and more so the fewer the images: D
    features have D (D + 1) / 2 covariances. Warns below D images. There is no interval: to
    resample images would add the very bias that the interval is to show.
    """
    require_extra(["torchmetrics"])
    from torchmetrics.image.fid import FrechetInceptionDistance  # slow to import

    images.check_same_kind(real)
    n, dim = min(len(images), len(real)), images.values.shape[1]
    if n < 2:
        raise ValueError(f"FID needs two images or more on each side; got {n}")
    if n < dim:
        warnings.warn(
            f"FID over {dim:,} features from {n:,} images is far too high, because no covariance "
            "of full rank comes of so few: compare it only with FIDs of equal n, or use KID",
            stacklevel=2,
        )
    as_they_are = nn.Identity()  # torchmetrics would have a net here; these are features already
    as_they_are.num_features = dim
    metric = FrechetInceptionDistance(feature=as_they_are)
    metric.update(images.values.double(), real=False)
    metric.update(real.values.double(), real=True)
    value = max(metric.compute().item(), 0.0)  # rounding can leave -1e-12
    return Score("FID", value, None, len(images), len(real), images.extractor)


def kid(images: Features, real: Features) -> Score:
    """Squared MMD with the kernel (x.y / D + 1)^3: 0 on average if both sets have one source.

    Binkowski et al. 2018, arXiv:1801.01401, eq. (4). Unbiased at any number of images, so it may be
    negative. They average over subsets of 1,000; here every pair of images counts once, which has
    the same mean and less noise.

    The interval is the jackknife's: the score without image i, for every i on both sides. Spread
    over subsets would be that of a score of fewer images. Near 0 it is on the safe side (Efron and
    Stein 1981: a jackknife variance is too large on average, never too small).
    """
    images.check_same_kind(real)
    x, y = images.values.double(), real.values.double()
    n, m = len(x), len(y)
    if min(n, m) < 3:
        raise ValueError(f"KID needs three images or more on each side; got {n} and {m}")
    xx, yy = _others(x), _others(y)
    xy, yx = _row_sums(x, y), _row_sums(y, x)
    mean_xx, mean_yy = xx.sum() / (n * (n - 1)), yy.sum() / (m * (m - 1))
    value = mean_xx + mean_yy - 2 * xy.sum() / (n * m)
    without_x = (xx.sum() - 2 * xx) / ((n - 1) * (n - 2)) - 2 * (xy.sum() - xy) / ((n - 1) * m)
    without_y = (yy.sum() - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (yx.sum() - yx) / ((m - 1) * n)
    variance = (n - 1) * without_x.var(correction=0) + (m - 1) * without_y.var(correction=0)
    half, value = Z95 * variance.sqrt().item(), value.item()
    return Score("KID", value, (value - half, value + half), n, m, images.extractor)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _row_sums(x: Tensor, y: Tensor) -> Tensor:
    """Sum over j of k(x_i, y_j), (n,): never more than ROWS rows of the kernel in memory."""
    return torch.cat([_kernel(rows, y).sum(1) for rows in x.split(ROWS)])


def _others(x: Tensor) -> Tensor:
    """Sum over j != i of k(x_i, x_j), (n,)."""
    return _row_sums(x, x) - ((x * x).sum(1) / x.shape[1] + 1) ** 3
