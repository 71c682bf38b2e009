"""Are generated flowers copies of the training images?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flowerdiff.metrics.features import Features, Measured, require_extra

CLOSEST = 0.001  # the share of real images that are nearer to the training set than a copy may be
# Mean difference in grey levels, of 255, below which two images are one photograph. In Oxford-102
# at 64 px, photographs that it has twice differ by up to 8, two shots of one flower by 14 and more.
SAME = 10


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each of N images, the training image that is most like it."""

    distance: Tensor  # (N,) Euclidean, between features
    index: Tensor  # (N,) long, which training image ...
    mirrored: Tensor  # (N,) bool, ... or its mirror image
    difference: Tensor  # (N,) mean absolute difference from it, in grey levels, 0..255

    @property
    def same(self) -> Tensor:
        """(N,) bool: it is that very photograph, to the eye."""
        return self.difference < SAME


def nearest(measured: Measured, train: Measured, mirrored: Features) -> Nearest:
    """mirrored: the features of the training images flipped left to right, in the same order.

    A model that is trained with random flips may know a picture by its mirror image alone.
    """
    require_extra(["sklearn"])
    from sklearn.neighbors import NearestNeighbors  # slow to import

    measured.features.check_same_kind(train.features)
    measured.features.check_same_kind(mirrored)
    known = torch.cat([train.features.values, mirrored.values]).numpy()  # (2 M, D)
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    found = search.kneighbors(measured.features.values.numpy())
    distance, index = (torch.from_numpy(part)[:, 0] for part in found)
    flipped, index = index >= len(train.images), index % len(train.images)
    difference = [
        (image.float() - picture(train.images, i, flip).float()).abs().mean()
        for image, i, flip in zip(measured.images, index, flipped, strict=True)
    ]
    return Nearest(distance, index, flipped, torch.stack(difference))


def picture(images: Tensor, i: Tensor, mirrored: Tensor) -> Tensor:
    """Image i of (N, 3, S, S), or its mirror image."""
    return images[i].flip(-1) if mirrored else images[i]


@dataclass(frozen=True, eq=False)
class Memorisation:
    """Samples beside real images that the model has never seen: who is nearer to training images?

    Flowers resemble flowers, so a small distance proves nothing by itself: a new real flower says
    how small it may be. But some validation images are no new flowers. Oxford-102 has photographs
    twice, in one class or even in two, and such a pair, at distance 0, would acquit every copy.
    They are left out.
    """

    samples: Nearest
    validation: Nearest

    @cached_property
    def new(self) -> Tensor:
        """Distances of the validation images that are no training image, rising, (M,)."""
        return self.validation.distance[~self.validation.same].sort().values

    @property
    def rank(self) -> int:
        """How many of those are the closest 0.1 %; at least one."""
        return max(1, math.ceil(CLOSEST * len(self.new)))

    @property
    def threshold(self) -> float:
        """The distance of the last of the closest: a sample below it may be a copy."""
        return self.new[self.rank - 1].item()

    @cached_property
    def suspects(self) -> Tensor:
        """The samples below the threshold, (K,), the closest first."""
        order = self.samples.distance.argsort()
        return order[self.samples.distance[order] < self.threshold]

    @property
    def expected(self) -> float:
        """How many suspects there would be if samples were as close as new real flowers are."""
        return len(self.samples.distance) * self.rank / (len(self.new) + 1)

    @property
    def chance(self) -> float:
        """The probability, in that case, of as many suspects as there are or more.

        Walk through all images from the closest on: it is the chance to meet that many samples
        before the validation image that sets the threshold (negative hypergeometric).
        """
        from scipy.stats import nhypergeom

        n, m = len(self.samples.distance), len(self.new)
        return float(nhypergeom(n + m, n, self.rank).sf(len(self.suspects) - 1))

    def __repr__(self) -> str:
        n = len(self.samples.distance)
        return (
            f"Memorisation({self.samples.same.sum()} of {n:,} samples are a training image; "
            f"{len(self.suspects)} are closer than {self.threshold:.3g}, "
            f"{self.expected:.1f} expected, chance {self.chance:.2g})"
        )


def memorisation(
    samples: Measured, train: Measured, mirrored: Features, validation: Measured
) -> Memorisation:
    """The nearest training image of each sample and of each real validation image.

    mirrored: as for `nearest`. Raises ValueError if no validation image is a new picture.
    """
    found = Memorisation(nearest(samples, train, mirrored), nearest(validation, train, mirrored))
    if not len(found.new):
        raise ValueError("every validation image is also a training image: there is no yardstick")
    return found
