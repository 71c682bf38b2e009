"""Every score at once, of samples beside real images, and what a person reads of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from flowerdiff.metrics.copies import CLOSEST, Memorisation, Nearest, picture
from flowerdiff.metrics.distribution import fid, kid
from flowerdiff.metrics.features import Measured
from flowerdiff.metrics.flowers import diversity, pairs_in_common, recognition, train_recogniser
from flowerdiff.metrics.score import NoScore, Score
from flowerdiff.pixels import grid

PAIRS = 16  # closest pairs in the picture and in the notes
BETTER = {"KID": "↓", "FID": "↓", "recognition top-1": "↑", "recognition top-5": "↑"}
BETTER |= {"NIQE": "↓", "BRISQUE": "↓", "CNN-IQA": "↑", "IS": "↑"}


@dataclass(frozen=True)
class Row:
    """One score twice: as good as a model's samples are, and as good as real images are."""

    samples: Score
    real: Score  # of validation images, which have the same source as the training images


def measure(
    samples: Measured, train: Measured, validation: Measured, by_class: bool = True
) -> list[Row]:
    """KID and FID against the training images, recognition and diversity; each beside the floor.
    Of so few images that no class has two, there is no diversity.

    by_class: leave out, if False, what means nothing for samples that no class was asked of.
    """
    drawn, known, real = samples.features, train.features, validation.features
    rows = [Row(kid(drawn, known), kid(real, known))]
    # FID depends on n, so only a pair of equal n is fair. Samples go round the classes, so the
    # first few are as mixed as all; real images may be sorted.
    few, some = _as_many(len(drawn), len(real))
    rows.append(Row(fid(drawn[:few], known), fid(real[some], known)))
    if len(drawn) > few:
        rows.append(Row(fid(drawn, known), fid(real, known)))
    if not by_class:
        return rows
    both = (samples, validation)
    kinds = len(train.labels.unique())
    recogniser = train_recogniser(known, train.labels) if kinds > 1 else None
    for top in (1, 5):
        if top < kinds:  # of the first five of five, every answer is right
            rows.append(Row(*(recognition(recogniser, s.features, s.labels, top) for s in both)))
    if all(pairs_in_common(s.labels, train.labels) for s in both):
        rows.append(Row(*(diversity(s.features, s.labels, known, train.labels) for s in both)))
    return rows


def judge(judges: list[Callable[[Tensor], Score]], samples: Tensor, real: Tensor) -> list[Row]:
    """Scores that look at one set of uint8 images (N, 3, S, S) alone; of as many of either set.

    One that none of the images has, as where a model draws nothing but black, is left out, with a
    warning.
    """
    few, some = _as_many(len(samples), len(real))
    rows = []
    for score in judges:
        try:
            rows.append(Row(score(samples[:few]), score(real[some])))
        except NoScore as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
    return rows


def _as_many(n: int, n_real: int) -> tuple[int, Tensor]:
    """How many samples can stand beside as many real images, and which of these, at random."""
    few = min(n, n_real)
    return few, torch.randperm(n_real, generator=torch.Generator().manual_seed(0))[:few]


def copies_found(found: Memorisation) -> dict:
    """What `memorisation` found, for a JSON file. Samples are named by their place, 0 .. N - 1."""
    near = found.samples

    def pairs(which: Tensor) -> list[dict]:
        return [
            {
                "sample": i,
                "train_image": near.index[i].item(),
                "mirrored": near.mirrored[i].item(),
                "distance": round(near.distance[i].item(), 4),
                "difference": round(near.difference[i].item(), 2),
            }
            for i in which.tolist()
        ]

    return {
        "same_picture": pairs(near.same.nonzero()[:, 0]),
        "validation_left_out": found.validation.same.sum().item(),
        "threshold": found.threshold,
        "suspects": pairs(found.suspects),
        "expected": found.expected,
        "chance": found.chance,
        "median_distance": near.distance.median().item(),
        "median_distance_real": found.new.median().item(),
        "closest": pairs(near.distance.argsort()[:PAIRS]),
    }


def nearest_pairs(
    found: Memorisation, samples: Tensor, train: Tensor, validation: Tensor
) -> Tensor:
    """The closest pairs, uint8 (3, H, W): samples, to the right of each the training image nearest
    to it; and below them the same of new real images. The others: uint8 (N, 3, S, S).

    The picture shows real photographs if `train` does.
    """

    def closest(title: str, near: Nearest, images: Tensor, order: Tensor) -> Tensor:
        pairs = [
            torch.stack([images[i], picture(train, near.index[i], near.mirrored[i])])
            for i in order[:PAIRS]
        ]
        large = torch.cat(pairs).repeat_interleave(2, -1).repeat_interleave(2, -2)  # for our eyes
        sheet = grid(large, columns=8, pad=4)
        return torch.cat([_text(title, sheet.shape[-1]), sheet], dim=1)

    order, new = found.samples.distance.argsort(), found.validation.distance.argsort()
    new = new[~found.validation.same[new]]
    above = closest("samples | nearest training images", found.samples, samples, order)
    below = closest("new real images | nearest training images", found.validation, validation, new)
    return torch.cat([above, below], dim=1)


def _text(line: str, width: int) -> Tensor:
    """A line of text, uint8 (3, 20, width)."""
    page = Image.new("RGB", (width, 20), "white")
    ImageDraw.Draw(page).text((4, 4), line, "black", ImageFont.load_default(13))
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)


def table(rows: list[Row], found: Memorisation) -> str:
    """A table in Markdown, [95 % interval] behind each number."""
    lines = ["| | samples | real validation images |", "|---|---|---|"]
    lines += [
        f"| {row.samples.name} {BETTER.get(row.samples.name, '')} "
        f"| {_cell(row.samples)} | {_cell(row.real)} |"
        for row in rows
    ]
    near = found.samples
    lines += [
        f"| distance to the nearest training image, median | {near.distance.median():.3g} "
        f"| {found.new.median():.3g} |",
        f"| the same picture as a training image | {near.same.sum()} of {len(near.same):,} "
        f"| {found.validation.same.sum()} of {len(found.validation.same):,}, left out below |",
        f"| nearer than the nearest {CLOSEST:.1%} of real images ({found.threshold:.3g}) "
        f"| {len(found.suspects)} of {len(near.same):,}; {found.expected:.1f} expected by chance, "
        f"p = {found.chance:.2g} | |",
    ]
    return "\n".join(lines) + "\n"


def denoised(train: Score, validation: Score) -> str:
    """What `denoising_error` says of two sets of images, as a paragraph."""
    return (
        f"Denoising error: {_cell(train)}, of training images; {_cell(validation)}, of validation "
        "images. A model that knows its training images by heart denoises them better.\n"
    )


def _cell(score: Score) -> str:
    interval = " [{:.3g}, {:.3g}]".format(*score.interval) if score.interval else ""
    return f"{score.value:.3g}{interval}, n = {score.n:,}"
