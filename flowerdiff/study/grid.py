"""The grid of runs, from one TOML file: `configs/study.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from flowerdiff.config import Run, check_types, checked, read_toml, schedule_of, train_config
from flowerdiff.data import DataError, Flowers, load_flowers
from flowerdiff.training import TrainConfig

FEATURES = ("inception", "efficientnet-lite0")
PAPER_IMAGES = 2346  # an epoch of the paper's, at any scale


@dataclass(frozen=True)
class Measures:
    """How much is drawn and measured of each model."""

    published_steps: int | None  # of ancestral sampling for the paper's scores; None is all T
    more_images: int  # for the scores that need more images than the paper had ...
    more_steps: int  # ... drawn in so many steps of DDIM
    features: str  # one of FEATURES
    published_images: int = 106  # for CNN-IQA, NIQE and BRISQUE; half of them for FID and IS


@dataclass(frozen=True)
class StudyRun:
    """One training run of the grid, and what is measured of it."""

    name: str  # and its folder's
    row: str
    title: str
    conditional: bool
    seed: int
    base: str | None  # the row that this one is compared with
    guidance: tuple[float, ...]  # the w of Table 3; () if it is not part of that
    run: Run


@dataclass(frozen=True)
class Study:
    """All of it."""

    scale: str
    source: str
    split: str | None
    size: int
    classes: int | None  # None is all
    images: int | None
    measures: Measures
    runs: tuple[StudyRun, ...]

    def only(self, rows: Sequence[str]) -> Study:
        """The part of the study with these rows; all of it for none. Raises ValueError."""
        if unknown := set(rows) - {run.row for run in self.runs}:
            known = ", ".join(dict.fromkeys(run.row for run in self.runs))
            raise ValueError(f"no row {', '.join(sorted(unknown))}: choose from {known}")
        return replace(self, runs=tuple(r for r in self.runs if not rows or r.row in rows))

    def flowers(self) -> tuple[Flowers, Flowers | None]:
        """What the nets are trained on, and real flowers of the same classes that they never see,
        if the source has a validation split. Raises DataError.
        """
        train, others = load_flowers(self.source, size=self.size, split=self.split), None
        if self.split is not None:
            with suppress(DataError):  # no such split
                others = load_flowers(self.source, size=self.size, split="validation")
                others = _of_classes(others, _largest(train, self.classes))
        return self.chosen(train), others

    def chosen(self, flowers: Flowers) -> Flowers:
        """`images` flowers of the `classes` that have the most, as evenly as they come."""
        flowers = _of_classes(flowers, _largest(flowers, self.classes))
        place = torch.empty(len(flowers), dtype=torch.long)  # of an image in its class
        for label in range(len(flowers.class_names)):
            of_class = flowers.labels == label
            place[of_class] = torch.arange(int(of_class.sum()))
        # The first of every class, then the second of every class, and so on.
        order = (place * len(flowers.class_names) + flowers.labels).argsort()
        return flowers.subset(order[: self.images].sort().values)


def _largest(flowers: Flowers, classes: int | None) -> list[int]:
    counts = torch.bincount(flowers.labels, minlength=len(flowers.class_names))
    order = counts.argsort(descending=True, stable=True)
    return sorted(order[: classes or len(order)].tolist())


def _of_classes(flowers: Flowers, labels: list[int]) -> Flowers:
    """Only the flowers of these classes, which get the labels 0, 1, ..."""
    new = torch.full((len(flowers.class_names),), -1)
    new[labels] = torch.arange(len(labels))
    kept = flowers.subset(new[flowers.labels] >= 0)
    names = [flowers.class_names[label] for label in labels]
    return replace(kept, labels=new[kept.labels], class_names=names)


def read_study(path: str | Path, scale: str, out: str | Path, source: str | None = None) -> Study:
    """The study of this scale. source: the flowers, if not those that the file names.

    Raises ValueError that says what is wrong with the file.
    """
    try:
        fields = read_toml(path)
        if scale not in fields["scales"]:
            raise ValueError(f"no scale {scale!r}: choose from {', '.join(fields['scales'])}")
        chosen = fields["scales"][scale]
        _check_words(fields, chosen)
        chosen["source"] = source or chosen["source"]
        measure = {k: None if v == "all" else v for k, v in chosen["measure"].items()}
        study = Study(
            scale=scale,
            source=chosen["source"],
            split=chosen.get("split"),
            size=chosen["size"],
            classes=chosen.get("classes"),
            images=chosen.get("images"),
            measures=Measures(**measure),
            runs=tuple(
                _study_run(fields, chosen, row, model, seed, Path(out))
                for row in fields["rows"]
                for model in row.get("models", MODELS)
                for seed in row.get("seeds", (0,))
            ),
        )
        _check_measures(study)
        return study
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing") from None
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


# fmt: off
ROW = (  # what a row may say
    "name", "title", "net", "models", "seeds", "augment", "schedule", "train", "longer", "guidance",
    "base",
)
SCALE = ("source", "split", "size", "epochs", "nets", "measure", "train", "classes", "images")
# fmt: on
MODELS = ("unconditional", "conditional")


def _check_words(fields: dict, scale: dict) -> None:
    """Raises TypeError for words that mean nothing here, as slips of the keyboard do."""
    rows = fields["rows"]
    names = [row["name"] for row in rows]
    for given, known in (
        (scale, SCALE),
        *((row, ROW) for row in rows),
        *((row.get("models", ()), MODELS) for row in rows),
        *(([row["base"]], names) for row in rows if "base" in row),
    ):
        if unknown := [word for word in given if word not in known]:
            raise TypeError(f"no {unknown[0]!r} here: choose from {', '.join(sorted(known))}")
    if twice := {name for name in names if names.count(name) > 1}:
        raise TypeError(f"two rows are called {twice.pop()!r}")


def _check_measures(study: Study) -> None:
    """Raises TypeError for what would come out only when the first net has been trained."""
    measures = study.measures
    check_types(measures)
    if measures.features not in FEATURES:
        raise TypeError(f"no features {measures.features!r}: choose from {', '.join(FEATURES)}")
    for run in study.runs:
        T = schedule_of(run.run).T
        for name in ("published_steps", "more_steps"):
            steps = getattr(measures, name)
            if steps is not None and not 1 <= steps <= T:
                raise TypeError(f"{name} is {steps}: there are 1 to {T}")
    for name in ("published_images", "more_images"):
        if getattr(measures, name) < 4:  # half of them are measured, and a score needs two
            raise TypeError(f"{name} is {getattr(measures, name)}: it is at least 4")


def _study_run(fields: dict, scale: dict, row: dict, model: str, seed: int, out: Path) -> StudyRun:
    name, conditional = f"{row['name']}-{model}-{seed}", model == "conditional"
    net = dict(scale["nets"][row["net"]])
    if not conditional:
        net["num_classes"] = 0  # else it gets the classes of its flowers
    augment = row.get("augment", "flip")
    train = fields["train"] | scale.get("train", {}) | row.get("train", {})
    run = checked(
        Run(
            out=str(out / name),
            source=scale["source"],
            split=scale.get("split"),
            size=scale["size"],
            net=net,
            schedule=fields["schedule"] | row.get("schedule", {}),
            train=_train(train, scale["epochs"] * row.get("longer", 1), seed),
            augment=augment,
            sample_every=10**9,  # only at the end
        )
    )
    if len(run.train.ema_decay) < 2 or run.train.ema_decay[0]:
        raise TypeError("ema_decay is 0, the net itself, and an average: [0.0, 0.999]")
    guidance = tuple(row.get("guidance", ())) if conditional else ()
    base = row.get("base")
    return StudyRun(name, row["name"], row["title"], conditional, seed, base, guidance, run)


def _train(settings: dict, epochs: int, seed: int) -> TrainConfig:
    """The paper's course of the learning rate: down to 0, epoch by epoch."""
    if not epochs > 0:
        raise TypeError(f"epochs is {epochs}: it is more than 0")
    if not settings["batch_size"] > 0:
        raise TypeError(f"batch_size is {settings['batch_size']}: it is at least 1")
    steps = round(epochs * PAPER_IMAGES / settings["batch_size"])
    course = {"steps": steps, "decay": steps, "stair": round(steps / epochs), "seed": seed}
    return train_config(settings | course)
