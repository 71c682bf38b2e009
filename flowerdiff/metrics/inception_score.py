"""Inception Score: is each image surely of one class, and are all classes there?"""

from __future__ import annotations

import math
import warnings

import torch

from flowerdiff.metrics.distribution import Z95
from flowerdiff.metrics.features import Features
from flowerdiff.metrics.score import Score


class RunningIS:
    """Inception Score of any number of images: it keeps sums, (C + 1, C + 1), in float64.

    torchmetrics' InceptionScore has the same value (the tests compare them), but keeps the logits
    of every image.
    """

    def __init__(self):
        self._n = 0
        self._kind: Features | None = None

    def update(self, logits: Features) -> None:
        """Add images. Raises TypeError for features that are no logits of classes."""
        if not logits.logits:
            raise TypeError(
                f"IS needs the logits of a classifier; {logits.extractor} gives features: use "
                "inception_logits() or efficientnet_lite0_logits()"
            )
        if self._kind is None:
            self._kind, classes = logits[[]], logits.values.shape[1]
            self._sum = torch.zeros(classes + 1, dtype=torch.float64)
            self._products = torch.zeros(classes + 1, classes + 1, dtype=torch.float64)
        self._kind.check_same_kind(logits)
        p = logits.values.double().softmax(1)  # (B, C)
        log_p = logits.values.double().log_softmax(1)
        rows = torch.cat([(p * log_p).sum(1, keepdim=True), p], dim=1)  # (B, 1 + C)
        self._n += len(rows)
        self._sum += rows.sum(0)
        self._products += rows.T @ rows

    def compute(self) -> Score:
        """The score so far; see `inception_score`."""
        if self._n < 2:
            raise ValueError(f"IS needs two images or more; got {self._n}")
        n, classes = self._n, len(self._sum) - 1
        if n < classes:
            warnings.warn(
                f"IS over {classes:,} classes from {n:,} images is too low, because so few cannot "
                "show all classes: compare it only with IS of equal n",
                stacklevel=2,
            )
        mean = self._sum / n  # of p log p, and of p
        log_mean = mean[1:].clamp(min=1e-300).log()  # a class that nobody shows adds 0 * log 0 = 0
        # KL(p_i || mean) = (sum of p_i log p_i) - p_i . log_mean, so it is linear in the rows.
        weights = torch.cat([torch.ones(1, dtype=torch.float64), -log_mean])
        log_is = (mean @ weights).item()
        variance = (weights @ (self._products / n) @ weights).item() - log_is**2
        half = Z95 * math.sqrt(max(variance, 0.0) / (n - 1))
        interval = math.exp(log_is - half), math.exp(log_is + half)
        name = self._kind.extractor
        return Score("IS", math.exp(log_is), interval, n, None, name, biased=True)


def inception_score(logits: Features) -> Score:
    """exp of the mean of KL(p(class | image) || p(class)): from 1 to the number of classes.

    Salimans et al. 2016, arXiv:1606.03498, eq. in section 4; high is good. The classes are those
    of ImageNet, a few kinds of flowers among them, so on flowers it says little: 20 species that
    the net all calls `daisy` have an IS of 1. Real images never enter.

    Too low for few images, and never above n: two IS of different n do not compare. The papers'
    protocol, and torchmetrics' default, is the mean over ten parts of the images, so that of
    n = 53 is a score of five images at a time; here it is one score of all.

    The interval is of the delta method: the sum that the exp is taken of is a mean over images. It
    holds for the score at this n, bias and all.
    """
    running = RunningIS()
    running.update(logits)
    return running.compute()
