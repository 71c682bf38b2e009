"""One training run, from a TOML file to a model: `flowerdiff train --config run.toml`.

    out = "runs/garden"             # everything goes there; run again to go on from where it was
    source = "garden"               # as for load_flowers: "hub", "garden", or a path
    split = "train"                 # optional: without it, validation images are trained on, too
    size = 32                       # pixels
    start_from = "model.safetensors"  # optional: begin with these weights instead of random ones;
                                      # [net] may have more blocks than it, see unet.deepen
    augment = "flip"                # optional: another of flowerdiff.augment.AUGMENTATIONS
    save_every = 500                # steps from one checkpoint to the next
    sample_every = 2000             # and from one model file and grid of samples to the next

    [net]                           # the class in flowerdiff.unet, and its config's fields
    kind = "CompactUNet"
    channels = [48, 96, 192]

    [schedule]                      # "linear" or "cosine", and the function's arguments
    kind = "cosine"

    [train]                         # the fields of TrainConfig
    steps = 10000
    prediction = "v"

In `out`: `checkpoint.safetensors` (to go on from), `model.safetensors` (to sample from; for each
further one of `ema_decay` there is a `model-DECAY.safetensors`), `log.jsonl`, `samples/STEP.png`
(the same seeds each time) and `run.toml`.
"""

import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from flowerdiff.augment import AUGMENTATIONS
from flowerdiff.checkpoint import FlowerModel, load_model, make_net, save_model
from flowerdiff.config import Run, checked, read_run, schedule_of
from flowerdiff.data import Flowers, load_flowers
from flowerdiff.draw import draw
from flowerdiff.pixels import grid, save_png, to_uint8
from flowerdiff.processes import cpu_seconds, machine, processes
from flowerdiff.schedule import Schedule
from flowerdiff.training import Progress, train
from flowerdiff.unet import CompactUNet
from flowerdiff.unet.deepen import load_shallower


def sample_grid(model: FlowerModel, n: int = 16) -> torch.Tensor:
    """n images (uint8 grid) of labels spread over the classes, always with seeds 0..n-1."""
    labels = torch.linspace(0, len(model.class_names) - 1, n).round().long()
    return grid(to_uint8(draw(model, range(n), labels, steps=min(25, model.schedule.T))))


class RunFolder:
    """What a run leaves on disk, and what it needs to go on."""

    def __init__(self, run: Run, flowers: Flowers, schedule: Schedule):
        self.run, self.flowers, self.schedule = run, flowers, schedule
        self.path = Path(run.out).expanduser()
        (self.path / "samples").mkdir(parents=True, exist_ok=True)
        self.seconds_before = self.cpu_before = 0.0  # of earlier sessions of this run
        self.cpu_began = cpu_seconds()
        self.losses: list[float] = []

    def keep_log_until(self, step: int) -> None:
        """Drop log lines of steps after the checkpoint: they will be run again."""
        log = self.path / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]  # whole ones
        rows = [row for row in rows if row["step"] <= step]
        log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.seconds_before = rows[-1]["seconds"] if rows else 0.0
        self.cpu_before = rows[-1].get("cpu_seconds", 0.0) if rows else 0.0

    def log(self, progress: Progress) -> None:
        row = {
            "step": progress.step,
            "images": progress.images,
            "loss": round(sum(self.losses) / len(self.losses), 5),
            "lr": progress.lr,
            "images_per_second": round(progress.images_per_second, 1),
            "seconds": round(self.seconds_before + progress.seconds, 1),
            "cpu_seconds": round(self.cpu_before + cpu_seconds() - self.cpu_began, 1),
        }
        self.losses.clear()
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def save(self, progress: Progress) -> None:
        """The model file of each averaged net, and samples of the first."""
        models = [self.model(ema, progress) for ema in progress.emas]
        save_model(self.path / "model.safetensors", models[0])
        for model, decay in zip(models[1:], self.run.train.ema_decay[1:], strict=True):
            save_model(self.path / f"model-{decay}.safetensors", model)
        save_png(self.path / "samples" / f"{progress.step:07d}.png", sample_grid(models[0]))

    def model(self, net: nn.Module, progress: Progress) -> FlowerModel:
        source = self.flowers.source
        if Path(source).exists():  # of a path only its end: the machine's folders are its own
            source = Path(source).name
        card = {
            "data": f"{source}: {len(self.flowers)} images at {self.run.size} px",
            "steps": progress.step,
            "images_seen": progress.images,
            "hours": round((self.seconds_before + progress.seconds) / 3600, 2),
            "machine": f"{machine()}, torch {torch.__version__}",
            "started_from": self.run.start_from and _without_folders(self.run.start_from),
            "made": time.strftime("%Y-%m-%d"),
        }
        names, size = self.flowers.class_names, self.run.size
        return FlowerModel(net, self.schedule, self.run.train.prediction, names, size, card)


def _without_folders(path: str) -> str:
    """Of a path from the root only its end: the machine's folders are its own."""
    return Path(path).name if Path(path).is_absolute() else path


def train_run(config: str | Path, **changes) -> Path:
    """Run, or go on with, the training that the TOML file describes; returns its folder.

    changes: fields of `Run` to use instead of the file's, such as `source`. Raises ValueError that
    says what is wrong with them or with the file.
    """
    changes = {k: str(v) if isinstance(v, Path) else v for k, v in changes.items()}
    try:
        run = checked(replace(read_run(config), **changes))
    except TypeError as error:
        raise ValueError(str(error)) from None
    flowers = load_flowers(run.source, size=run.size, split=run.split)
    return train_flowers(run, flowers, with_changes(config, changes))


def with_changes(config: str | Path, changes: dict[str, str]) -> str:
    """The TOML file's text with other values of its fields above the tables, so that one can go
    on from the copy.
    """
    text = Path(config).read_text(encoding="utf-8-sig")
    for name, value in changes.items():
        rest = re.sub(rf"(?m)^{name}\s*=.*\n?", "", text, count=1)
        line = "" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
        text = line + rest
    return text


def new_net(run: Run, classes: int) -> nn.Module:
    """The net that the file asks for, untrained; of one seed always with the same weights."""
    fields = {"num_classes": classes} | run.net
    if fields.get("kind", "CompactUNet") != "CompactUNet":
        fields.setdefault("T", schedule_of(run).T)  # the paper's nets are told t / T
    with torch.random.fork_rng(devices=[]):  # the net is made on the CPU
        torch.manual_seed(run.train.seed)
        return make_net(fields.pop("kind", "CompactUNet"), fields)


def train_flowers(run: Run, flowers: Flowers, toml: str | None = None) -> Path:
    """`train_run` on flowers that are loaded already; toml: what `run.toml` is to hold. Raises
    ValueError if the net does not suit them, FloatingPointError if the loss is no longer a number.
    """
    schedule, classes = schedule_of(run), len(flowers.class_names)
    net = new_net(run, classes)
    if net.config.num_classes not in (0, classes):
        raise ValueError(
            f"[net] num_classes is {net.config.num_classes}, but {flowers.source} has {classes} "
            "(or 0, for a net that is told no class)"
        )
    if run.size % net.multiple_of:
        kind = type(net).__name__
        raise ValueError(f"size is {run.size}; {kind} takes multiples of {net.multiple_of}")
    if run.start_from:
        began = load_model(run.start_from).net
        if isinstance(began, CompactUNet) and isinstance(net, CompactUNet):
            load_shallower(net, began)
        else:
            net.load_state_dict(began.state_dict())
    net.to(processes().device)  # a GPU, if there is one

    folder = RunFolder(run, flowers, schedule)
    training = train(
        net,
        flowers.images,
        flowers.labels,
        schedule,
        run.train,
        augment=AUGMENTATIONS[run.augment],
        checkpoint=folder.path / "checkpoint.safetensors",
        save_every=run.save_every,
    )
    bar = tqdm(total=run.train.steps, unit="step", disable=not processes().is_main_process)
    for progress in training:
        if math.isnan(progress.loss):
            raise FloatingPointError(f"the loss is NaN at step {progress.step}: lower the lr?")
        if not processes().is_main_process:
            continue  # of several processes one writes
        if bar.n == 0:
            bar.update(progress.step - 1)  # where the checkpoint left off
            folder.keep_log_until(progress.step - 1)
            if toml is not None:  # only now is it known that a checkpoint there is of this run
                (folder.path / "run.toml").write_text(toml, encoding="utf-8")
        bar.update()
        folder.losses.append(progress.loss)
        last = progress.step == run.train.steps
        if progress.step % 100 == 0 or last:
            folder.log(progress)
            bar.set_postfix_str(
                f"loss {progress.loss:.3f}, {progress.images_per_second:.0f} images/s"
            )
        if progress.step % run.sample_every == 0 or last:
            folder.save(progress)
    if processes().is_main_process and not (folder.path / "model.safetensors").exists():
        raise ValueError(
            f"{folder.path}: no step was left to do, and no model is there: more steps?"
        )
    return folder.path
