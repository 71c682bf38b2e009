"""How far apart are two sets of images, as sets? FID and KID, over any features.

`fid` and `kid` take all features at once. `RunningFID` and `RunningKID` take them batch by batch,
in memory that does not grow:

    running = RunningFID()
    for batch in real_batches:          # uint8 (B, 3, H, W)
        running.update(extractor(batch), real=True)
    for batch in drawn_batches:
        running.update(extractor(batch))
    running.compute()                   # FID 21.3 (no interval) (n = 50,000 against 6,552, ...)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from flowerdiff.metrics.features import Features, require_extra
from flowerdiff.metrics.score import Score

Z95 = 1.96  # a normal variable is within so many standard deviations of its mean, 95 % of the time
ROWS = 1024  # of a kernel matrix at a time
KEEP = 5000  # images of each side that RunningKID keeps the features of


class RunningFID:
    """FID of any number of images: of each side it keeps two sums, (D,) and (D, D), in float64."""

    def __init__(self):
        require_extra(["torchmetrics"])
        self._metric = None
        self._kind: Features | None = None

    def update(self, features: Features, real: bool = False) -> None:
        """Add images. real: they are real ones, which the others are compared with."""
        if self._metric is None:
            self._metric, self._kind = _frechet(features.values.shape[1]), features[[]]
        self._kind.check_same_kind(features)
        self._metric.update(features.values.double(), real=real)

    def reset(self) -> None:
        """Forget the generated images and keep the real ones, for the next model."""
        if self._metric is not None:
            self._metric.reset()

    def compute(self) -> Score:
        """The score so far; see `fid`."""
        n, n_real = self._counts()
        return _fid(lambda: self._metric.compute().item(), n, n_real, self._kind)

    def _counts(self) -> tuple[int, int]:
        if self._metric is None:
            return 0, 0
        metric = self._metric
        return int(metric.fake_features_num_samples), int(metric.real_features_num_samples)


def fid(images: Features, real: Features) -> Score:
    """Frechet distance of two Gaussians with the means and covariances of the features, >= 0.

        |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    Heusel et al. 2017, arXiv:1706.08500; computed by torchmetrics. Always too high, and more so the
    fewer the images: D features have D (D + 1) / 2 covariances. Warns below D images, and two FIDs
    of different n do not compare. There is no interval: resampled sets have fewer different images
    and so another bias, and the interval would lie in the wrong place.
    """
    images.check_same_kind(real)
    n, n_real = len(images), len(real)
    if min(n, n_real) < images.values.shape[1]:
        return _fid(lambda: _frechet_of_few(images.values, real.values), n, n_real, images)
    running = RunningFID()
    running.update(images)
    running.update(real, real=True)
    return running.compute()


def _fid(value: Callable[[], float], n: int, n_real: int, kind: Features | None) -> Score:
    """The score, if there are images enough to work it out. kind: any features of these."""
    if min(n, n_real) < 2:
        raise ValueError(f"FID needs two images or more on each side; got {n} and {n_real}")
    few, dim = min(n, n_real), kind.values.shape[1]
    if few < dim:
        warnings.warn(
            f"FID over {dim:,} features from {few:,} images is far too high, because no "
            "covariance of full rank comes of so few: compare it only with FIDs of equal n, "
            "or use KID",
            stacklevel=3,
        )
    # Rounding can leave -1e-12.
    return Score("FID", max(value(), 0.0), None, n, n_real, kind.extractor, biased=True)


def _frechet_of_few(x: Tensor, y: Tensor) -> float:
    """The Frechet distance of (n, D) and (m, D), without any D x D matrix.

    With X and Y the centred features, S_1 = X'X / (n - 1) and S_2 = Y'Y / (m - 1), the eigenvalues
    of S_1 S_2 are the squares of the singular values of XY' / sqrt((n - 1) (m - 1)), and zeros. For
    a few images that takes milliseconds, where the eigenvalues of S_1 S_2 take seconds.
    """
    x, y = x.double(), y.double()
    away = (x.mean(0) - y.mean(0)).square().sum()
    x, y = (z.sub(z.mean(0)) / (len(z) - 1) ** 0.5 for z in (x, y))
    spread = x.square().sum() + y.square().sum() - 2 * torch.linalg.svdvals(x @ y.T).sum()
    return (away + spread).item()


def _frechet(dim: int):
    from torchmetrics.image.fid import FrechetInceptionDistance  # slow to import

    as_they_are = nn.Identity()  # torchmetrics would have a net here; these are features already
    as_they_are.num_features = dim
    # Each process has its own images: a sum over all of them would not fit the n of the score.
    return FrechetInceptionDistance(as_they_are, reset_real_features=False, sync_on_compute=False)


class RunningKID:
    """KID of any number of images: a random `keep` of each side, whose features it keeps.

    Every image has the same chance to be among them, whenever it comes and whatever the batches
    are; the score and its interval are those of a smaller set of images, and its note says so.
    """

    def __init__(self, keep: int = KEEP, seed: int = 0):
        self._sides = {real: _Sample(keep, [seed, int(real)]) for real in (False, True)}

    def update(self, features: Features, real: bool = False) -> None:
        """Add images. real: they are real ones, which the others are compared with."""
        for side in self._sides.values():
            if side.kept is not None:
                side.kept.check_same_kind(features)
        self._sides[real].add(features)

    def compute(self) -> Score:
        """The score so far; see `kid`."""
        drawn, real = self._sides[False], self._sides[True]
        if drawn.kept is None or real.kept is None:
            raise ValueError("KID needs three images or more on each side; one side has none")
        note = ""
        if drawn.seen > len(drawn.kept) or real.seen > len(real.kept):
            note = f"chosen at random among {drawn.seen:,} and {real.seen:,}"
        return _kid(drawn.kept, real.kept, note)


class _Sample:
    """A random `keep` of all rows that came by, each with the same chance.

    Every row gets a random number, and those with the lowest stay. The numbers come from numpy,
    which gives the same ones in any batches.
    """

    def __init__(self, keep: int, seed: list[int]):
        self.keep, self.seen = keep, 0
        self.kept: Features | None = None
        self._numbers = torch.empty(0, dtype=torch.float64)
        self._random = np.random.default_rng(seed)

    def add(self, features: Features) -> None:
        self.seen += len(features)
        numbers = torch.from_numpy(self._random.random(len(features)))
        if len(self._numbers) == self.keep:
            low = numbers < self._numbers.max()
            features, numbers = features[low], numbers[low]
        values = [features.values] if self.kept is None else [self.kept.values, features.values]
        numbers = torch.cat([self._numbers, numbers])
        lowest = numbers.argsort()[: self.keep].sort().values  # in the order in which they came
        kept = Features(torch.cat(values)[lowest], features.extractor, features.logits)
        self.kept, self._numbers = kept, numbers[lowest]


def kid(images: Features, real: Features) -> Score:
    """Squared MMD with the kernel (x.y / D + 1)^3: 0 on average if both sets have one source.

    Binkowski et al. 2018, arXiv:1801.01401, eq. (4). Unbiased at any number of images, so it may be
    negative. They average over subsets of 1,000, and so does torchmetrics; here every pair of
    images counts once, which has the same mean and less noise.

    The interval is the jackknife's: the score without image i, for every i on both sides. Spread
    over subsets would be that of a score of fewer images. Near 0 it is on the safe side (Efron and
    Stein 1981: a jackknife variance is too large on average, never too small).
    """
    return _kid(images, real)


def _kid(images: Features, real: Features, note: str = "") -> Score:
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
    return Score("KID", value, (value - half, value + half), n, m, images.extractor, note=note)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _row_sums(x: Tensor, y: Tensor) -> Tensor:
    """Sum over j of k(x_i, y_j), (n,): never more than ROWS rows of the kernel in memory."""
    return torch.cat([_kernel(rows, y).sum(1) for rows in x.split(ROWS)])


def _others(x: Tensor) -> Tensor:
    """Sum over j != i of k(x_i, x_j), (n,)."""
    return _row_sums(x, x) - ((x * x).sum(1) / x.shape[1] + 1) ** 3
