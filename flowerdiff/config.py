"""What a training run is to do, as a TOML file says it; `flowerdiff.run` has such a file."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import get_args, get_origin, get_type_hints

from flowerdiff.augment import AUGMENTATIONS
from flowerdiff.checkpoint import NETS
from flowerdiff.schedule import PREDICTIONS, Schedule, cosine_schedule, linear_schedule
from flowerdiff.training import TrainConfig

SCHEDULES = {"linear": linear_schedule, "cosine": cosine_schedule}
IN_WORDS = {int: "a whole number", float: "a number", str: "a text", dict: "a table, as in [net]"}
# Must be 1 or more: a 0, meant as "never", would do nothing or divide by zero.
COUNTS = ("size", "save_every", "sample_every", "steps", "batch_size", "accumulate", "stair")
# Must be more than 0: a 0, meant as "none", would scale all gradients to nothing.
MORE_THAN_0 = {"grad_clip": "inf for no limit", "min_snr_gamma": "leave it out for equal weights"}
NO_BACKSLASH = "in double quotes \\ means something else: write paths with / or in single quotes"


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
        given = read_toml(path)
        return checked(Run(**given | {"train": train_config(given.get("train", {}))}))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}".replace("Run.__init__() ", "")) from None


def read_toml(path: str | Path) -> dict:
    """A TOML file's tables. Raises TOMLDecodeError, which says where."""
    text = Path(path).read_text(encoding="utf-8-sig")  # Windows' editors may put a mark before it
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = f"; {NO_BACKSLASH}" if "\\" in text else ""
        raise tomllib.TOMLDecodeError(f"{error}{hint}") from None


def train_config(settings: dict) -> TrainConfig:
    """Of what a TOML file says in [train]: lists become tuples, whole floats (1e4) integers."""
    if not isinstance(settings, dict):
        raise TypeError(f"train is {settings!r}: it is {IN_WORDS[dict]}")
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
    for config in (run, run.train):
        check_types(config)
        for setting in fields(config):
            value = getattr(config, setting.name)
            if setting.name in COUNTS and value < 1:
                raise TypeError(f"{setting.name} is {value!r}: it is at least 1")
            if setting.name in MORE_THAN_0 and value is not None and not value > 0:
                raise TypeError(
                    f"{setting.name} is {value!r}: it is more than 0; {MORE_THAN_0[setting.name]}"
                )
            if isinstance(value, str) and not value.isprintable():
                raise TypeError(f"{setting.name} is {value!r}: {NO_BACKSLASH}")
    if not run.train.ema_decay:
        raise TypeError("ema_decay is a list, such as [0.999]")
    choices = {
        "augment": (run.augment, AUGMENTATIONS),
        "prediction": (run.train.prediction, PREDICTIONS),
        "schedule": (run.schedule.get("kind", "linear"), SCHEDULES),
        "net": (run.net.get("kind", "CompactUNet"), NETS),
    }
    for name, (chosen, possible) in choices.items():
        if chosen not in list(possible):  # a list compares what a TOML file may hold in its place
            raise TypeError(f"no {name} {chosen!r}: choose from {', '.join(possible)}")
    schedule_of(run)
    return run


def check_types(config) -> None:
    """Raises TypeError if a field of a dataclass holds something else than it is declared to."""
    for name, kind in get_type_hints(type(config)).items():
        if not _is_a(value := getattr(config, name), kind):
            raise TypeError(f"{name} is {value!r}: it is {_in_words(kind)}")


def _is_a(value, kind) -> bool:
    """A whole number is a number, too; True is neither."""
    if isinstance(kind, UnionType):
        return any(_is_a(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        fits = isinstance(value, tuple) and all(_is_a(one, first) for one in value)
        return fits and (... in others or len(value) == 1 + len(others))
    if kind is float:
        return type(value) in (int, float)
    return isinstance(value, kind) and not isinstance(value, bool)


def _in_words(kind) -> str:
    if isinstance(kind, UnionType):
        kind = get_args(kind)[0]  # the other is None: left out
    return "a list of numbers" if get_origin(kind) is tuple else IN_WORDS[kind]


def schedule_of(run: Run) -> Schedule:
    """The schedule that the file asks for."""
    arguments = {key: value for key, value in run.schedule.items() if key != "kind"}
    return SCHEDULES[run.schedule.get("kind", "linear")](**arguments)
