"""The training runs that the lesson shows instead of running (tools/make_clinic.py made them)."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

FOLDER = Path(__file__).parent / "records"


@dataclass(frozen=True)
class Record:
    """One recorded run."""

    batch_size: int
    losses: Tensor = field(repr=False)  # (steps,), one of every step
    held_out: Tensor = field(repr=False)  # (N, 2): step, and the loss on flowers never trained on
    samples: Tensor = field(repr=False)  # uint8 (3, H, W): 16 flowers, one row for each species


@cache
def _losses() -> dict:
    return json.loads((FOLDER / "losses.json").read_text(encoding="utf-8"))


def record(name: str) -> Record:
    """A run by its name: "healthy", a patient's letter "a" to "f", "batch-32", ..."""
    runs = _losses()
    if name not in runs:
        raise ValueError(f"no run {name!r}: choose from {', '.join(runs)}")
    run = runs[name]
    held_out = torch.tensor([[int(step), loss] for step, loss in run["held_out"].items()])
    image = torch.from_numpy(np.array(Image.open(FOLDER / f"{name}.png"))).permute(2, 0, 1)
    return Record(run["batch_size"], torch.tensor(run["losses"]), held_out, image)
