"""What a training run is to do, as a TOML file says it; `flowerdiff.run` has such a file."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from flowerdiff.augment import AUGMENTATIONS
from flowerdiff.schedule import PREDICTIONS, Schedule, cosine_schedule, linear_schedule
from flowerdiff.training import TrainConfig

SCHEDULES = {"linear": linear_schedule, "cosine": cosine_schedule}
# Must be 1 or more: a 0, meant as "never", would do nothing or divide by zero.
COUNTS = ("size", "save_every", "sample_every", "steps", "batch_size", "accumulate", "stair")


@dataclass(frozen=True)
class Run:
    """The fields of the TOML file."""

    out: str
    source: str
    size: int
    train: TrainConfig
    split: str | None = None
    start_from: str | None = None
    augment: str = "flip"  # one of AUGMENTATIONS
    net: dict = field(default_factory=dict)
    schedule: dict = field(default_factory=dict)
    save_every: int = 500  # steps between checkpoints
    sample_every: int = 2000  # steps between sample grids


def read_run(path: str | Path) -> Run:
    """Read a TOML file. Raises ValueError that says what is wrong with it."""
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return checked(Run(**given | {"train": train_config(given.get("train", {}))}))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}".replace("Run.__init__() ", "")) from None


def train_config(settings: dict) -> TrainConfig:
    """Of what a TOML file says in [train]: lists become tuples, whole floats (1e4) integers."""
    whole = {setting.name for setting in fields(TrainConfig) if setting.type is int}
    found = {}
    for name, value in settings.items():
        if isinstance(value, list):
            value = tuple(value)
        elif name in whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        found[name] = value
    return TrainConfig(**found)


def checked(run: Run) -> Run:
    """The run, if it can be begun. Raises TypeError that says what is wrong with it."""
    choices = {
        "augment": (run.augment, AUGMENTATIONS),
        "prediction": (run.train.prediction, PREDICTIONS),
        "schedule": (run.schedule.get("kind", "linear"), SCHEDULES),
    }
    for name, (chosen, possible) in choices.items():
        if chosen not in possible:
            raise TypeError(f"no {name} {chosen!r}: choose from {', '.join(possible)}")
    for config in (run, run.train):
        for setting in fields(config):
            value, kind = getattr(config, setting.name), setting.type
            if kind is int and type(value) is not int:
                raise TypeError(f"{setting.name} is {value!r}: it is a whole number")
            if kind is float and type(value) not in (int, float):
                raise TypeError(f"{setting.name} is {value!r}: it is a number")
            if setting.name in COUNTS and value < 1:
                raise TypeError(f"{setting.name} is {value!r}: it is at least 1")
    if not isinstance(run.train.ema_decay, tuple) or not run.train.ema_decay:
        raise TypeError("ema_decay is a list, such as [0.999]")
    schedule_of(run)
    return run


def schedule_of(run: Run) -> Schedule:
    """The schedule that the file asks for."""
    arguments = {key: value for key, value in run.schedule.items() if key != "kind"}
    return SCHEDULES[run.schedule.get("kind", "linear")](**arguments)
