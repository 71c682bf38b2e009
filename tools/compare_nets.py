"""What a net gets out of an equal number of CPU seconds: the paper's two, ours, and ours with one
change undone at a time.

    OMP_NUM_THREADS=1 python tools/compare_nets.py

About 20 CPU minutes on one core. Writes docs/results/nets/compare.json, which lesson 02 draws, and
docs/results/nets/samples.png.

All nets learn from the garden at 32 px and take turns, a few CPU seconds each, so that whatever
else the machine does slows all of them alike. Time is CPU time (`time.process_time`), without the
time that the validation takes. The loss is that of the averaged weights, on flowers, times and
noises that are the same for all nets and that none of them was trained on.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from flowerdiff.data import load_flowers
from flowerdiff.pixels import from_uint8, grid, save_png, to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import linear_schedule
from flowerdiff.training import TrainConfig, train
from flowerdiff.unet import (
    CompactConfig,
    CompactUNet,
    ThreeLayerConfig,
    ThreeLayerUNet,
    TwoLayerConfig,
    TwoLayerUNet,
)
from flowerdiff.unet.three_layer import PixelAttention

OUT = Path(__file__).resolve().parents[1] / "docs/results/nets"
SIZE, CLASSES = 32, 18
SLICE = 2.5  # CPU seconds until it is the next net's turn
POINTS = 8  # of each learning curve
SCHEDULE = linear_schedule()  # the paper's
BANDS = {"1-100": (1, 100), "101-400": (101, 400), "401-800": (401, 800)}  # of t
COMPACT = {"num_classes": CLASSES, "channels": (32, 64, 128), "blocks": (1, 1, 1), "embedding": 128}


def compact(**changes) -> CompactUNet:
    return CompactUNet(CompactConfig(**COMPACT | changes))


def replaced(net: nn.Module, kind: type, new: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """The net with `new(layer)` in the place of every layer of a kind."""
    for name, layer in list(net.named_modules()):
        if isinstance(layer, kind):
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, new(layer))
    return net


class SqueezedTime(CompactUNet):
    """The sinusoids get t / T, as in the paper's 3-layer net."""

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return super().forward(x_t, t.float() / SCHEDULE.T, y)


class ShiftOnly(nn.Module):
    """In the place of `scale_shift`: time and class are added, and scale nothing."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.shift = nn.Linear(layer.in_features, layer.out_features // 2)

    def forward(self, emb: Tensor) -> Tensor:
        shift = self.shift(emb)
        return torch.cat([torch.zeros_like(shift), shift], dim=1)


def added() -> CompactUNet:
    net = compact()
    for block in net.modules():
        if hasattr(block, "scale_shift"):
            block.scale_shift = ShiftOnly(block.scale_shift)
    return net


def not_zeroed() -> CompactUNet:
    net = compact()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.any():
            layer.reset_parameters()
    return net


def three_layer() -> ThreeLayerUNet:
    return ThreeLayerUNet(ThreeLayerConfig(CLASSES, width=12))


NETS: dict[str, Callable[[], nn.Module]] = {
    "2-layer": lambda: TwoLayerUNet(TwoLayerConfig(CLASSES, width=32)),
    "3-layer": three_layer,
    "3-layer, no attention": lambda: replaced(
        three_layer(), PixelAttention, lambda _: nn.Identity()
    ),
    "compact": compact,
    "compact, another seed": compact,
    "compact, no patches": lambda: compact(patch=1),
    "compact, no attention": lambda: compact(heads=0),
    "compact, BatchNorm": lambda: replaced(
        compact(), nn.GroupNorm, lambda norm: nn.BatchNorm2d(norm.num_channels)
    ),
    "compact, t / T": lambda: SqueezedTime(CompactConfig(**COMPACT)),
    "compact, added only": added,
    "compact, not zeroed": not_zeroed,
}


@dataclass(frozen=True)
class Exam:
    """The same questions for every net: x_t, t, y and the noise to be found."""

    x_t: Tensor
    t: Tensor
    y: Tensor
    eps: Tensor

    def losses(self, net: nn.Module) -> Tensor:
        """The mean squared error of each image, (N,)."""
        parts = zip(*(a.split(60) for a in (self.x_t, self.t, self.y, self.eps)), strict=True)
        with torch.inference_mode():
            errors = [(net(x, t, y) - eps).square().mean((1, 2, 3)) for x, t, y, eps in parts]
        return torch.cat(errors)


def exam() -> Exam:
    """The validation flowers, each with a noise and a time; together they see all of 1..T."""
    flowers = load_flowers("garden", split="validation", size=SIZE)
    images, y = flowers.images, flowers.labels
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    t = 1 + (order * SCHEDULE.T) // len(y)
    eps = noise(range(len(y)), SCHEDULE.T, images.shape[1:])
    return Exam(SCHEDULE.add_noise(from_uint8(images), t, eps), t, y, eps)


class Candidate:
    """One net in training, stopped whenever it is not its turn."""

    def __init__(self, name: str, seed: int, flowers):
        torch.manual_seed(seed)
        self.name, self.net = name, NETS[name]()
        self.config = TrainConfig(steps=1_000_000, lr=6e-4, warmup=50, ema_decay=(0.99,), seed=seed)
        self.run = train(self.net, flowers.images, flowers.labels, SCHEDULE, self.config)
        self.seconds, self.last, self.curve = 0.0, None, []

    def work(self, until: float) -> None:
        """Train until so many CPU seconds have been spent in all."""
        begun, before = time.process_time(), self.seconds
        while self.seconds < until:
            self.last = next(self.run)
            self.seconds = before + time.process_time() - begun

    def examine(self, exam: Exam) -> None:
        losses = exam.losses(self.last.ema)
        bands = {
            name: losses[(first <= exam.t) & (exam.t <= last)].mean().item()
            for name, (first, last) in BANDS.items()
        }
        point = {"cpu_seconds": self.seconds, "images": self.last.images}
        self.curve.append(point | {"loss": losses.mean().item(), "loss_by_t": bands})

    def samples(self, count: int = 12) -> Tensor:
        """Flowers drawn by the averaged weights: uint8 (count, 3, SIZE, SIZE)."""
        x_T, y = noise(range(count), SCHEDULE.T, (3, SIZE, SIZE)), torch.arange(count) % CLASSES
        with torch.inference_mode():
            *_, last = ddim(self.last.ema, SCHEDULE, x_T, y, steps=25, clip_x0=1.0)
        return to_uint8(last.x_t)

    def report(self) -> dict:
        net = self.last.ema
        x, t, y = torch.zeros(1, 3, SIZE, SIZE), torch.tensor([1]), torch.tensor([0])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(x, t, y)
        return {
            "parameters": sum(p.numel() for p in net.parameters()),
            "mflop_per_image": counter.get_total_flops() / 1e6,
            "predict_ms_per_image": milliseconds(net, 16),
            "train_ms_per_image": 1000 * self.seconds / self.last.images,
            "curve": self.curve,
        }


def milliseconds(net: nn.Module, batch: int) -> float:
    """CPU milliseconds for one image's prediction in a batch; the least of ten tries."""
    x, t = torch.zeros(batch, 3, SIZE, SIZE), torch.ones(batch, dtype=torch.long)
    tries = []
    with torch.inference_mode():
        for _ in range(10):
            begun = time.process_time()
            net(x, t, t)
            tries.append(time.process_time() - begun)
    return 1000 * min(tries) / batch


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=100, help="CPU seconds for each net")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    flowers, questions = load_flowers("garden", split="train", size=SIZE), exam()
    Candidate("2-layer", 0, flowers).work(0.1)  # the first step of a process is slow
    candidates = [Candidate(name, int("another" in name), flowers) for name in NETS]
    turns = max(round(arguments.seconds / SLICE), POINTS)
    exams = {round(turns * (i + 1) / POINTS) for i in range(POINTS)}
    for turn in range(1, turns + 1):
        for candidate in candidates:
            candidate.work(arguments.seconds * turn / turns)
            if turn in exams:
                candidate.examine(questions)
        if turn in exams:
            losses = "  ".join(f"{c.name} {c.curve[-1]['loss']:.4f}" for c in candidates)
            print(f"{arguments.seconds * turn / turns:.0f} s: {losses}", flush=True)

    config = asdict(candidates[0].config)
    command = f"python tools/compare_nets.py --seconds {arguments.seconds:g}"
    result = {
        "command": f"OMP_NUM_THREADS=1 {command}",
        "machine": f"one thread on one core ({processor()}), PyTorch {torch.__version__}, float32",
        "data": f"garden, {SIZE} px, {len(flowers)} flowers; examined on {len(questions.t)} others",
        "training": {k: config[k] for k in ("batch_size", "lr", "warmup", "ema_decay")},
        "schedule": repr(SCHEDULE),
        "nets": {c.name: c.report() for c in candidates},
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "compare.json").write_text(
        json.dumps(rounded(result), indent=1) + "\n", encoding="utf-8"
    )
    sheet = grid(torch.cat([c.samples() for c in candidates]), columns=12)
    save_png(arguments.out / "samples.png", sheet)


def rounded(value):
    """Five digits of every number: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
