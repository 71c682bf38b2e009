"""Measure a model: `flowerdiff evaluate --source flowers.parquet --out DIR`.

The samples are spread evenly over the classes, image i with seed i, so the first 510 of 2,040 are
what 510 would have been. They are compared with the `train` split; beside each number stands the
same number for real images, those of the `validation` split: a yardstick. (For recognition it is no
upper limit: samples can be more typical of their kind than photographs.) Real classes are not even,
27 to 206 images in Oxford-102: that alone makes a KID of 0.001. That the samples are spread evenly
and not by chance changes it by less than 0.002.

In DIR: `scores.json`, `scores.md`, `samples/` and `real-*.safetensors` (run again to go on after a
stop; a copy of the latter saves another DIR some minutes), and `nearest.png`, which shows real
photographs.

`--quality niqe brisque cnn-iqa is` adds scores of one set of images alone, `--features inception`
takes the features of published FIDs; for the files that they need, see `flowerdiff weights`.
"""

import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from flowerdiff import store
from flowerdiff.checkpoint import (
    PRETRAINED,
    WEIGHTS,
    FlowerModel,
    load_model,
    load_pretrained,
    weights_hash,
)
from flowerdiff.data import Flowers, load_flowers
from flowerdiff.draw import BATCH, draw
from flowerdiff.metrics import (
    Extractor,
    Features,
    Measured,
    Score,
    copies_found,
    denoised,
    denoising_error,
    efficientnet_lite0,
    inception,
    inception_logits,
    inception_score,
    judge,
    measure,
    memorisation,
    nearest_pairs,
    table,
)
from flowerdiff.metrics.quality import QUALITIES
from flowerdiff.metrics.weights import FILES
from flowerdiff.pixels import save_png, to_uint8
from flowerdiff.processes import machine, processes
from flowerdiff.sampling import sampler_named, timesteps

PACKAGES = ("flowerdiff", "torch", "torchmetrics", "scikit-learn", "timm")
IF_USED = {"pyiqa": "pyiqa", "torch_fidelity": "torch-fidelity"}  # their modules and packages
HOME = Path(__file__).resolve().parents[1]  # of flowerdiff, where no real photograph may lie


@dataclass(frozen=True)
class Evaluation:
    """What to measure: the options of the command line."""

    model: str  # a bundled model's name, or a path
    source: str  # real flowers with the splits train and validation, as for load_flowers
    n: int = 2040  # samples
    w: float = 1.0
    sampler: str = "ddim"  # one of SAMPLERS
    steps: int | list[int] | None = 25  # None is all, a list their times, as for the samplers
    features: str = "efficientnet-lite0"  # or inception
    quality: tuple[str, ...] = ()  # of QUALITIES, or is


def evaluate(asked: Evaluation, out: Path) -> Path:
    """Draw, measure and write; returns the path of the table. Shows progress.

    Raises MissingExtra or MissingWeights within a second, ValueError if the model and the flowers
    do not go together, or there is no such sampler or number of steps.
    """
    began = time.perf_counter()
    if asked.n < 3:
        raise ValueError(f"n is {asked.n}; the scores need 3 samples at the very least")
    judges = judges_named(asked.quality)
    extractor = {"inception": inception, "efficientnet-lite0": efficientnet_lite0}[asked.features]()
    model, digest = _model(asked.model)
    sampler_named(asked.sampler)  # raises ValueError, as the next line does for wrong steps
    timesteps(model.schedule, asked.steps, None)
    for net in (model.net, extractor):
        net.to(processes().device)  # a GPU, if there is one
    train, validation = (
        load_flowers(asked.source, size=model.image_size, split=split)
        for split in ("train", "validation")
    )
    if list(model.class_names) != list(train.class_names):
        raise ValueError(f"{asked.model} draws other classes than {asked.source} shows")
    with warnings.catch_warnings(action="ignore"):  # an error now, not when the samples are drawn
        judge(judges, *2 * [validation.images[:2]])
    out.mkdir(parents=True, exist_ok=True)
    known, mirrored, real = real_features(extractor, train, validation, out)
    samples, drawing = draw_all(model, asked, extractor, out / "samples")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows = measure(samples, known, real, by_class=asked.w > -1 and model.knows_classes)
        rows += judge(judges, samples.images, real.images)
    found = memorisation(samples, known, mirrored, real)
    some = torch.linspace(0, len(train) - 1, min(len(train), len(validation))).long()
    denoising = {
        split: denoising_error(model, model.schedule, images, labels, processes().device)
        for split, images, labels in (
            ("train", train.images[some], train.labels[some]),
            ("validation", validation.images, validation.labels),
        )
    }
    used = [package for module, package in IF_USED.items() if module in sys.modules]
    results = {
        # Of a path only its end: the folders of the machine are nobody's business.
        "asked": asdict(asked)
        | {"model": Path(asked.model).name, "source": Path(asked.source).name},
        "model_sha256": digest,  # of the file
        "features": extractor.name,
        "classes": list(model.class_names),  # sample i has seed i and class i modulo their number
        "scores": [asdict(row) for row in rows],
        "memorisation": copies_found(found),
        "denoising": {split: asdict(score) for split, score in denoising.items()},
        "notes": sorted({str(warning.message) for warning in caught}),
        "drawing_seconds": round(drawing, 1),  # all of it, earlier runs of this command included
        "seconds": round(time.perf_counter() - began, 1),  # this run
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in (*PACKAGES, *used)},
        "made": time.strftime("%Y-%m-%d"),
    }
    (out / "scores.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (out / "scores.md").write_text(
        page(results, table(rows, found) + "\n" + denoised(**denoising)), encoding="utf-8"
    )
    if asked.source != "garden" and out.resolve().is_relative_to(HOME):
        tqdm.write(f"no nearest.png: it shows real photographs, so give an --out outside {HOME}")
    else:
        picture = nearest_pairs(found, samples.images, train.images, validation.images)
        save_png(out / "nearest.png", picture)
        tqdm.write(f"{out / 'nearest.png'} shows training images: do not publish photographs")
    return out / "scores.md"


def judges_named(names: tuple[str, ...]) -> list[Callable[[Tensor], Score]]:
    """The scores of these names, ready to look at images. Raises MissingWeights for any of them
    before the first is made ready, which takes seconds.
    """
    for name in names:
        FILES["inception" if name == "is" else name].require()
    judges = []
    for name in names:
        if name == "is":
            classes = inception_logits()
            classes.to(processes().device)
            judges.append(lambda images, classes=classes: inception_score(classes(images)))
        else:
            judges.append(QUALITIES[name]())
    return judges


def page(results: dict, scores: str) -> str:
    """The table with what it was made of, in Markdown."""
    asked, notes = results["asked"], "".join(f"- {note}\n" for note in results["notes"])
    return (
        f"# {asked['model']}: w = {asked['w']:g}, {asked['sampler']}, "
        f"{asked['steps'] or 'all'} steps\n\n{scores}\n"
        f"In brackets: 95 % intervals. Features: {results['features']}; real images: "
        f"{asked['source']}, `train` for comparison, `validation` for the last column. "
        f"{results['seconds']:,.0f} seconds, and {results['drawing_seconds']:,.0f} to draw, on "
        f"{results['machine']}; {results['made']}.\n\n{notes}"
    )


def _model(name: str) -> tuple[FlowerModel, str]:
    """The model, and the hash of its file."""
    path = WEIGHTS / f"{name}.safetensors" if name in PRETRAINED else Path(name)
    model = load_pretrained(name) if name in PRETRAINED else load_model(path)
    return model, hashlib.sha256(path.read_bytes()).hexdigest()


def real_features(
    extractor: Extractor, train: Flowers, validation: Flowers, out: Path
) -> tuple[Measured, Features, Measured]:
    """Training images, the features of their mirror images, validation images."""
    parts = {"train": train.images, "validation": validation.images}
    features = kept_features(extractor, parts | {"mirrored": train.images.flip(-1)}, out)
    return (
        Measured(train.images, train.labels, features["train"]),
        features["mirrored"],
        Measured(validation.images, validation.labels, features["validation"]),
    )


def kept_features(extractor: Extractor, parts: dict[str, Tensor], out: Path) -> dict[str, Features]:
    """Features of uint8 images (N, 3, S, S), by name; from a file in `out` if it has just these."""
    key = hashlib.sha256(extractor.name.encode())
    for name, images in parts.items():
        key.update(name.encode() + images.numpy().tobytes())
    path = out / f"real-{key.hexdigest()[:16]}.safetensors"
    if path.exists():
        values, _ = store.read(path)
    else:
        values = {name: extractor(part, progress=name).values for name, part in parts.items()}
        store.write(path, values, {"extractor": extractor.name})
    return {name: Features(part, extractor.name) for name, part in values.items()}


def draw_all(
    model: FlowerModel, asked: Evaluation, extractor: Extractor, folder: Path
) -> tuple[Measured, float]:
    """asked.n samples with seeds 0.., going round the classes, and the seconds it took.

    Each batch is kept in a file of `folder`; one that was made in just this way, with the same
    weights, is read instead.
    """
    labels = torch.arange(asked.n) % len(model.class_names)
    how = {key: value for key, value in asdict(asked).items() if key in ("w", "sampler", "steps")}
    how |= {"model": weights_hash(model), "features": extractor.name}
    batches, seconds = [], 0.0
    for seeds in tqdm(torch.arange(asked.n).split(BATCH), desc="samples", unit="batch"):
        path = folder / f"{seeds[0]:06d}.safetensors"
        asked_for = how | {"seeds": seeds.tolist()}
        batch, note = store.read(path) if path.exists() else ({}, {})
        if note.get("asked_for") != asked_for:
            began = time.perf_counter()
            images = to_uint8(
                draw(model, seeds.tolist(), labels[seeds], asked.w, asked.sampler, asked.steps)
            )
            note = {"asked_for": asked_for, "seconds": time.perf_counter() - began}
            batch = {"images": images, "features": extractor(images).values}
            store.write(path, batch, note)
        batches.append(batch)
        seconds += note["seconds"]
    images, values = (torch.cat([b[part] for b in batches]) for part in ("images", "features"))
    return Measured(images, labels, Features(values, extractor.name)), seconds
