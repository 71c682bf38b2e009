"""Are they the flowers that were asked for, and do they vary?"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from flowerdiff.metrics.features import Features, require_extra
from flowerdiff.metrics.score import Score, t95


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A linear classifier of real flowers."""

    classifier: object  # scikit-learn's
    learned: Features  # what it was trained on

    def ranking(self, features: Features) -> Tensor:
        """Labels (N, classes), the likeliest first."""
        self.learned.check_same_kind(features)
        likely = torch.from_numpy(self.classifier.predict_proba(features.values.numpy()))
        labels = torch.from_numpy(self.classifier.classes_)
        return labels[likely.argsort(dim=1, descending=True)]


def train_recogniser(train: Features, labels: Tensor) -> Recogniser:
    """Logistic regression on real features and their labels (N,); seconds to a minute."""
    require_extra(["sklearn"])
    from sklearn.linear_model import LogisticRegression  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A strong penalty, for there are more weights than images. On Oxford-102's validation images
    # C = 0.1 is right as often, 0.001 in 8 % fewer cases.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    classifier.fit(train.values.numpy(), labels.numpy())
    return Recogniser(classifier, train)


def recognition(recogniser: Recogniser, features: Features, labels: Tensor, top: int = 1) -> Score:
    """The share of images (0..1) whose label (N,) is among the classifier's first `top` guesses.

    The interval is Wilson's. A classifier of real flowers also errs on real ones: say how often.
    """
    from scipy.stats import binomtest

    ranking = recogniser.ranking(features)
    if not 1 <= top <= ranking.shape[1]:
        raise ValueError(f"top is {top}; there are {ranking.shape[1]} classes")
    hits, n = (ranking[:, :top] == labels[:, None]).any(dim=1).sum().item(), len(features)
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    n_real = len(recogniser.learned)
    name = f"recognition top-{top}"
    return Score(name, hits / n, (interval.low, interval.high), n, n_real, features.extractor)


def pairs_in_common(labels: Tensor, others: Tensor) -> bool:
    """Whether there is a class of which both have two images or more."""
    mine, theirs = (
        set((counts > 1).nonzero().flatten().tolist())
        for counts in (labels.bincount(), others.bincount())
    )
    return bool(mine & theirs)


def diversity(images: Features, labels: Tensor, real: Features, real_labels: Tensor) -> Score:
    """Mean distance between two images of one class, in units of that of real images: 1 is as real.

    Averaged over the classes with two images or more on both sides; the interval (Student's t) is
    over classes. It sees if a class always gets the same picture, not whether the pictures are any
    good.
    """
    images.check_same_kind(real)
    ours, theirs = _spreads(images, labels), _spreads(real, real_labels)
    # A class whose real images are all the same has no unit.
    ratios = [ours[label] / theirs[label] for label in ours.keys() & theirs if theirs[label]]
    if not ratios:
        raise ValueError("diversity needs two images or more of a class, generated and real")
    mean, interval = statistics.fmean(ratios), None
    if len(ratios) > 1:
        half = t95(len(ratios) - 1) * statistics.stdev(ratios) / len(ratios) ** 0.5
        interval = (mean - half, mean + half)
    return Score("diversity", mean, interval, len(images), len(real), images.extractor)


def _spreads(features: Features, labels: Tensor) -> dict[int, float]:
    """Mean distance of two different images, for each class with two or more."""
    classes, counts = labels.unique(return_counts=True)
    return {
        label: torch.pdist(features.values[labels == label].double()).mean().item()
        for label in classes[counts > 1].tolist()
    }
