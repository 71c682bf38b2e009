"""What is measured of one trained model: as the paper did it, as it should be, and of more images.

Three times, because each answers another question: do we get the paper's numbers; what would they
have been; and which of the differences between them are there at all.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate.utils import gather_object
from torch import Tensor
from tqdm import tqdm

from flowerdiff import metrics
from flowerdiff.checkpoint import FlowerModel
from flowerdiff.data import Flowers
from flowerdiff.draw import draw
from flowerdiff.evaluate import kept_features
from flowerdiff.guidance import guided
from flowerdiff.metrics import Extractor, Measured, Quality, Recogniser
from flowerdiff.metrics.quality import QUALITIES
from flowerdiff.metrics.score import NoScore
from flowerdiff.metrics.weights import FILES
from flowerdiff.pixels import grid, to_uint8
from flowerdiff.processes import cpu_seconds, processes
from flowerdiff.sampling import ddpm, noise
from flowerdiff.study import audit
from flowerdiff.study.grid import Measures, StudyRun

BATCH = 53  # images at a time
MORE_SEEDS = 1000  # the first seed of the larger set: other images than the paper's few


@dataclass(frozen=True)
class Instruments:
    """Everything that measures, made once for all runs."""

    qualities: dict[str, Quality]
    missing: dict[str, str]  # the scores that can't be had on this machine, and what to do about it
    features: Extractor
    logits: Extractor
    known: Measured  # the training images
    held_out: Measured | None
    recogniser: Recogniser

    @property
    def classes(self) -> int:
        return len(self.known.labels.unique())


def make_instruments(
    measures: Measures, flowers: Flowers, held_out: Flowers | None, folder: Path
) -> Instruments:
    """Raises MissingWeights or MissingExtra if the features can't be had. What is left out of the
    other scores is in `missing`.
    """
    if measures.features == "inception":
        features, logits = metrics.inception(), metrics.inception_logits()
    else:
        features, logits = metrics.efficientnet_lite0(), metrics.efficientnet_lite0_logits()
    for extractor in (features, logits):
        extractor.to(processes().device)
    qualities, missing = {}, {}
    for name, make in QUALITIES.items():
        try:
            qualities[name] = make()
        except metrics.MissingExtra as error:
            missing[name] = f"{name}: {error}"
        except metrics.MissingWeights:
            file = FILES[name]  # not the error's words: they name a folder of this machine
            missing[name] = f"{file.use}: {file.file} ({file.size}) is not here"
    parts = {"train": flowers.images}
    if held_out is not None:
        parts["validation"] = held_out.images
    seen = kept_features(features, parts, folder)
    return Instruments(
        qualities=qualities,
        missing=missing,
        features=features,
        logits=logits,
        known=Measured(flowers.images, flowers.labels, seen["train"]),
        held_out=held_out and Measured(held_out.images, held_out.labels, seen["validation"]),
        recogniser=metrics.train_recogniser(seen["train"], flowers.labels),
    )


def draw_shared(
    model: FlowerModel, n: int, first_seed: int, what: str, **how
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """n images (floats, as they come), their labels, which go round the classes, and the time.

    All processes share the work, and all get all images.
    """
    began, cpu_began = time.perf_counter(), cpu_seconds()
    labels = torch.arange(n) % len(model.class_names)
    mine: list[Tensor] = []
    with processes().split_between_processes(list(range(n))) as places:
        batches = torch.tensor(places, dtype=torch.long).split(BATCH) if places else ()
        quiet = not processes().is_main_process
        for batch in tqdm(batches, desc=what, unit="batch", disable=quiet, leave=False):
            seeds = (first_seed + batch).tolist()
            mine += draw(model, seeds, labels[batch], **how)
    images = torch.stack(gather_object(mine))
    seconds = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": cpu_seconds() - cpu_began,
    }
    return images, labels, seconds


def measure_run(
    run: StudyRun, model: FlowerModel, averaged: FlowerModel, by: Instruments, measures: Measures
) -> tuple[dict, Tensor]:
    """All scores of a run, for its JSON file, and the paper's 106 images of it, uint8.

    model: the net as it was trained; averaged: its EMA.
    """
    w = 0.0 if run.conditional else -1.0
    x, labels, seconds = draw_shared(
        model, measures.published_images, 0, "the paper's images", **_as_published(measures, w)
    )
    images = to_uint8(x)
    more = _scores(run, model, by, measures, w)
    results = {
        "drawing": {"images": len(x), "steps": measures.published_steps} | seconds,
        "published": {
            quality.name: audit.quality_of_floats(quality, x) for quality in by.qualities.values()
        },
        "corrected": _qualities(images, by),
        "more": more,
        "ema": _scores(run, averaged, by, measures, w),
    }
    if run.guidance:
        results["guidance"] = [
            _of_w(model, by, measures, other)
            | {"more": more if other == w else _scores(run, model, by, measures, other)}
            for other in run.guidance
        ]
    return results, images


def walk(model: FlowerModel) -> Tensor:
    """The paper's Figure 1: x_t of one unconditional sample at falling t, uint8 (3, H, W)."""
    device, T = next(model.net.parameters()).device, model.schedule.T
    x_T = noise([0], T, (3, model.image_size, model.image_size)).to(device)
    shown = {round(T * part) for part in (1, 0.75, 0.5, 0.25, 0.125, 0.0625, 0)}
    with torch.inference_mode():
        steps = ddpm(guided(model, -1.0, model.null_label), model.schedule, x_T,
                     torch.zeros(1, dtype=torch.long, device=device), seeds=[0])  # fmt: skip
        images = [to_uint8(step.x_t.cpu()) for step in steps if step.t in shown]
    return grid(torch.cat(images), columns=len(images))


def real_scores(by: Instruments) -> dict | None:
    """The scores of real flowers that no net has seen: as good as it gets."""
    if by.held_out is None:
        return None
    return _quality_and_distance(by.held_out, by, by_class=True)


def _as_published(measures: Measures, w: float) -> dict:
    return {"w": w, "sampler": "ddpm", "steps": measures.published_steps, "clip_x0": None}


def _scores(
    run: StudyRun, model: FlowerModel, by: Instruments, measures: Measures, w: float
) -> dict:
    """What many images say, drawn with fewer steps."""
    x, labels, _ = draw_shared(
        model, measures.more_images, MORE_SEEDS, f"w = {w:g}", w=w, steps=measures.more_steps
    )
    images = to_uint8(x)
    return _quality_and_distance(Measured(images, labels, by.features(images)), by, run.conditional)


def _quality_and_distance(some: Measured, by: Instruments, by_class: bool) -> dict:
    scores = [metrics.kid(some.features, by.known.features)]
    scores.append(_quietly(metrics.fid, some.features, by.known.features))
    if by_class:
        for top in (1, 5) if by.classes > 5 else (1,):
            scores.append(metrics.recognition(by.recogniser, some.features, some.labels, top))
        scores.append(
            metrics.diversity(some.features, some.labels, by.known.features, by.known.labels)
        )
    return {score.name: asdict(score) for score in scores} | _qualities(some.images, by)


def _qualities(images: Tensor, by: Instruments) -> dict:
    """None for a score that no image has: NIQE and BRISQUE have none for a single colour."""
    scores = {}
    for quality in by.qualities.values():
        try:
            scores[quality.name] = asdict(_quietly(quality, images))
        except NoScore:
            scores[quality.name] = None
    return scores


def _of_w(model: FlowerModel, by: Instruments, measures: Measures, w: float) -> dict:
    """A column of Table 3: FID and IS of one image per class, FID against all training images."""
    x, _, _ = draw_shared(model, by.classes, 0, f"Table 3, w = {w:g}", **_as_published(measures, w))
    pixels, seen = to_uint8(x), audit.published_pixels
    return {
        "w": w,
        "published": {
            "FID": audit.fid_as_published(seen(x, by.features), by.known.features),
            "IS": audit.is_as_published(seen(x, by.logits)),
        },
        "corrected": {
            "FID": asdict(_quietly(metrics.fid, by.features(pixels), by.known.features)),
            "IS": asdict(_quietly(metrics.inception_score, by.logits(pixels))),
        },
    }


def _quietly(score, *arguments):
    """The warnings (too few images, enlarged images) would come with every run; the tables say it
    once.
    """
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return score(*arguments)
