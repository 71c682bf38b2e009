"""Record the training runs that lesson 03 shows instead of running: the clinic's patients, each
really broken in the way that its `Case` says, a healthy run, and some to compare it with.

    python tools/make_clinic.py              all of them: about six minutes of one core
    python tools/make_clinic.py a healthy    some

Each run leaves its samples in flowerdiff/checks/training/records/NAME.png, and its losses in
losses.json there. The learner sees letters; what is wrong with a letter stands here.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from flowerdiff.augment import as_intended, as_published
from flowerdiff.garden import draw_flower
from flowerdiff.pixels import from_uint8, grid, save_png, to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule, eps_model
from flowerdiff.stream import random_flip
from flowerdiff.training import TrainConfig, train
from flowerdiff.unet import CompactConfig, CompactUNet

RECORDS = Path(__file__).resolve().parent.parent / "flowerdiff/checks/training/records"
SPECIES = ("sunwheel", "embercup", "skyfive", "moontrumpet")
SIZE = 24
COSINE = cosine_schedule(T=800)
HEALTHY = TrainConfig(steps=250, lr=2e-3, warmup=25, prediction="x0", ema_decay=(0.99,))


def flowers(per_species: int, first_seed: int = 0) -> tuple[Tensor, Tensor]:
    seeds = range(first_seed, first_seed + per_species)
    images = torch.stack([draw_flower(name, seed, SIZE) for name in SPECIES for seed in seeds])
    return images, torch.arange(len(SPECIES)).repeat_interleave(per_species)


def as_they_are(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return images, labels


def shuffled_labels(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return images, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


def from_0_to_1(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """What the net is given if pixels are divided by 255 and not moved on to [-1, 1]."""
    return (images.float() / 2 + 127.5).to(torch.uint8), labels


@dataclass(frozen=True)
class Case:
    """How a run differs from the healthy one."""

    config: TrainConfig = HEALTHY
    data: Callable = as_they_are
    augment: Callable = random_flip
    ema_from_start: float | None = None  # an average that does not forget the random weights
    read_as: str | None = None  # what the sampler takes the net's output for, if for something else


CASES = {
    "healthy": Case(),
    "a": Case(ema_from_start=0.9995),
    "b": Case(data=shuffled_labels),
    "c": Case(augment=as_published),
    "d": Case(read_as="eps"),
    "e": Case(config=replace(HEALTHY, lr=0.1)),
    "f": Case(data=from_0_to_1),
    "healthy-again": Case(config=replace(HEALTHY, seed=1)),
    "batch-32": Case(config=replace(HEALTHY, batch_size=32)),
    "batch-32-again": Case(config=replace(HEALTHY, batch_size=32, seed=1)),
    "as-intended": Case(augment=as_intended),
    "eps": Case(config=replace(HEALTHY, prediction="eps")),
    "v": Case(config=replace(HEALTHY, prediction="v")),
    "min-snr": Case(config=replace(HEALTHY, min_snr_gamma=5.0)),
}


@torch.inference_mode()
def held_out_loss(net) -> float:
    """The error of x0_hat on 32 flowers of each species that are in no training set, at fixed t and
    eps.
    """
    images, y = flowers(32, first_seed=1_000_000)
    x0, n = from_uint8(images), len(images)
    t = 1 + (torch.arange(n) * 37 % n) * COSINE.T // n  # every part of 1..T, whatever the species
    eps = noise(range(n), 1, x0.shape[1:])
    return (net(COSINE.add_noise(x0, t, eps), t, y) - x0).square().mean().item()


@torch.inference_mode()
def samples(net, prediction: str) -> Tensor:
    """Four flowers of each species, always from the same noise: one row each."""
    labels = torch.arange(len(SPECIES)).repeat_interleave(4)
    x_T = noise(range(16), COSINE.T, (3, SIZE, SIZE))
    model = eps_model(net, COSINE, prediction)
    *_, last = ddim(model, COSINE, x_T, labels, steps=25, clip_x0=1.0)
    return grid(to_uint8(last.x_t.nan_to_num()), columns=4)


def run(name: str, case: Case) -> dict:
    torch.manual_seed(0)
    net = CompactUNet(CompactConfig(len(SPECIES), channels=(32, 64, 128), embedding=128))
    slow = copy.deepcopy(net)
    losses, held_out = [], {}
    images, labels = case.data(*flowers(60))
    begun = time.process_time()
    for progress in train(net, images, labels, COSINE, case.config, augment=case.augment):
        losses.append(float(f"{progress.loss:.4g}"))
        if case.ema_from_start is not None:
            with torch.no_grad():
                pairs = [list(slow.parameters()), list(net.parameters())]
                torch._foreach_lerp_(*pairs, 1 - case.ema_from_start)
        if progress.step % 25 == 0 and case.config.prediction == "x0":
            held_out[progress.step] = round(held_out_loss(progress.ema), 5)
    shown = progress.ema if case.ema_from_start is None else slow.eval()
    save_png(RECORDS / f"{name}.png", samples(shown, case.read_as or case.config.prediction))
    print(f"{name}: {time.process_time() - begun:.0f} s, held-out loss {held_out}", flush=True)
    return {"batch_size": case.config.batch_size, "losses": losses, "held_out": held_out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*CASES, []], help="all of them if none")
    RECORDS.mkdir(exist_ok=True)
    file = RECORDS / "losses.json"
    records = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in parser.parse_args().names or CASES:
        records[name] = run(name, CASES[name])
        rows = [f'  "{name}": {json.dumps(records[name])}' for name in CASES if name in records]
        file.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
