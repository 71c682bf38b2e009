"""Measure what guidance does to a bundled model: docs/results/guidance.json, for lesson 05.

    python tools/measure_guidance.py ../flowers.parquet --scratch /tmp/guidance

Over w: recognition, diversity and KID, over the features of EfficientNet-Lite0; saturation and
clipped values. Then one w in a part of the walk only. Image i has seed i and class i modulo their
number in all settings. The JSON holds numbers alone; of the real flowers, too.

--scratch: a folder for the features of real images (see flowerdiff/evaluate.py). A setting that the
JSON already has, of the same model and n, is not measured again: delete the file to start anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from flowerdiff.checkpoint import FlowerModel, load_pretrained, weights_hash
from flowerdiff.colour import clipped, saturation
from flowerdiff.data import load_flowers
from flowerdiff.evaluate import BATCH, real_features
from flowerdiff.guidance import guided_between
from flowerdiff.metrics import (
    Extractor,
    Features,
    Measured,
    Recogniser,
    diversity,
    efficientnet_lite0,
    kid,
    recognition,
    train_recogniser,
)
from flowerdiff.pixels import to_uint8
from flowerdiff.processes import machine
from flowerdiff.sampling import SAMPLERS, noise

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/guidance.json"
SAMPLER, STEPS = "dpm_solver_pp", 12
WEIGHTS = (-1, 0, 0.5, 1, 2, 4, 8)
# Four of the twelve steps each: t = 800 to 600, 533 to 333, 267 to 67. Then all but the first,
# which is where the paper of Kynkäänniemi et al. found guidance to do harm.
PARTS = {"first third": (534, 800), "middle third": (268, 533), "last third": (0, 267)}
PARTS |= {"all but the first third": (0, 533)}
PART_W = 4


def sampled(model, w: float, low: int, high: int, n: int, extractor) -> Measured:
    labels = torch.arange(n) % len(model.class_names)
    eps_model = guided_between(model, w, model.null_label, low, high)
    images, values = [], []
    for seeds in tqdm(torch.arange(n).split(BATCH), desc=f"w = {w}, t = {low} to {high}"):
        x_T = noise(seeds.tolist(), model.schedule.T, (3, model.image_size, model.image_size))
        with torch.inference_mode():
            *_, last = SAMPLERS[SAMPLER](
                eps_model, model.schedule, x_T, labels[seeds], steps=STEPS, clip_x0=1.0
            )
        images.append(to_uint8(last.x_t))
        values.append(extractor(images[-1]).values)
    return Measured(torch.cat(images), labels, Features(torch.cat(values), extractor.name))


@dataclass(frozen=True)
class Instruments:
    """What measures samples; `real` are photographs that neither model nor recogniser has seen."""

    extractor: Extractor
    known: Measured
    real: Measured
    recogniser: Recogniser

    @classmethod
    def ready(cls, asked: argparse.Namespace, size: int) -> Instruments:
        """From the flowers asked.source in `size` pixels; asked.scratch keeps their features."""
        extractor = efficientnet_lite0()
        train, validation = (
            load_flowers(asked.source, size=size, split=split) for split in ("train", "validation")
        )
        asked.scratch.mkdir(parents=True, exist_ok=True)
        known, _, real = real_features(extractor, train, validation, asked.scratch)
        return cls(extractor, known, real, train_recogniser(known.features, train.labels))

    def scores(self, measured: Measured) -> dict:
        """Each score as [value, low, high] with its 95 % interval; colours as values. There is no
        diversity of one image per class.
        """
        drawn, labels, known = measured.features, measured.labels, self.known
        found = {
            "recognition": recognition(self.recogniser, drawn, labels),
            "recognition_top5": recognition(self.recogniser, drawn, labels, top=5),
            "kid": kid(drawn, known.features),
        }
        if labels.bincount().max() > 1:
            found["diversity"] = diversity(drawn, labels, known.features, known.labels)
        rows = {name: [round(x, 4) for x in (s.value, *s.interval)] for name, s in found.items()}
        colours = {"saturation": saturation(measured.images), "clipped": clipped(measured.images)}
        return rows | {name: round(value.mean().item(), 4) for name, value in colours.items()}


def so_far(
    path: Path, asked: argparse.Namespace, model: FlowerModel, by: Instruments, how: dict
) -> dict:
    """The results in `path`, if they are of this model, measured in this way; else none yet."""
    of = {"model": asked.model, "weights_sha256": weights_hash(model), **how}
    of["features"] = by.extractor.name
    of["command"] = f"python tools/{Path(sys.argv[0]).name} {Path(asked.source).name} --scratch DIR"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if {key: results.get(key) for key in of} != of:
        results = of | {"settings": []}
    results["real"] = {"n": len(by.real.labels)} | by.scores(by.real)
    results["machine"] = machine()
    results["made"] = time.strftime("%Y-%m-%d")
    return results


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("source", help="real flowers with the splits train and validation")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--model", default="flowers64")
    return parser


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=306)
    asked = parser.parse_args()

    model = load_pretrained(asked.model)
    by = Instruments.ready(asked, model.image_size)
    how = {"n": asked.n, "sampler": SAMPLER, "steps": STEPS}
    results = so_far(RESULTS, asked, model, by, how)
    done = [setting["name"] for setting in results["settings"]]
    everything = {f"w = {w}": (w, 0, model.schedule.T) for w in WEIGHTS}
    everything |= {f"w = {PART_W}, {part}": (PART_W, *times) for part, times in PARTS.items()}
    for name, (w, low, high) in everything.items():
        if name in done:
            continue
        began = time.process_time()
        found = by.scores(sampled(model, w, low, high, asked.n, by.extractor))
        seconds = round(time.process_time() - began)  # of all threads together
        setting = {"name": name, "w": w, "low": low, "high": high, "cpu_seconds": seconds}
        results["settings"].append(setting | found)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
