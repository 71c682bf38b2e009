"""The paper's scores as its code computed them, mistakes and all, so that they can be looked at.

`sample()` of that code returned floats around [-1, 1], not clamped, and gave them as they were to
metrics that expect [0, 1]. The rest of flowerdiff can't do that: its metrics take uint8 only.
"""

from __future__ import annotations

import statistics
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

from flowerdiff.metrics import Extractor, Features, Quality, fid, inception_score

SPLITS = 10  # that torchmetrics' Inception Score asks for; of 53 images it makes nine
SHOWN = 128  # pixels: the paper's images


def wrapped(x: Tensor) -> Tensor:
    """Floats -> uint8 as torchmetrics' `normalize=True` makes them: (x * 255).byte().

    Right for [0, 1]. What is outside wraps around: -1 becomes 1, -0.5 129, 1.5 126. Written out
    here, because the cast of a negative float is another on other processors.
    """
    return ((x * 255).trunc().long() % 256).to(torch.uint8)


def quality_of_floats(quality: Quality, x: Tensor) -> float | None:
    """The mean score of floats (N, 3, H, W) that are not in [0, 1], as if they were.

    pyiqa has since learned to refuse them, so what it wraps is called. None if no image has a score
    (NIQE and BRISQUE have none for a single colour).
    """
    if x.shape[-1] < SHOWN:
        x = F.interpolate(x, (SHOWN, SHOWN), mode="bicubic", align_corners=False)
    scores = []
    for image in x.split(1):
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # NIQE on one block
                score = quality.net.net(image).item()
        except (AssertionError, torch.linalg.LinAlgError):
            continue
        if torch.tensor(score).isfinite():
            scores.append(score)
    return statistics.fmean(scores) if scores else None


def fid_as_published(features: Features, real: Features) -> float:
    """FID of 53 images against all training images: of `wrapped` ones against real ones in the
    right range.
    """
    with warnings.catch_warnings(action="ignore"):  # that so few are far too few
        return fid(features, real).value


def is_as_published(logits: Features) -> float:
    """The mean of nine Inception Scores, of 53 images, of six or five each: it cannot exceed 6."""
    with warnings.catch_warnings(action="ignore"):  # that so few are far too few
        parts = torch.arange(len(logits)).chunk(min(SPLITS, len(logits) // 2))
        return statistics.fmean(inception_score(logits[part]).value for part in parts)


def published_pixels(x: Tensor, extractor: Extractor) -> Features:
    """What a net saw in the paper's samples."""
    with warnings.catch_warnings(action="ignore"):
        return extractor(wrapped(x))
