"""Record samples of a garden net for lesson 06, which measures them: docs/results/evaluation/*.png.

    python tools/record_garden_samples.py          about four minutes of one core

Lesson 03's net and flowers (four species, 60 of each, 32 pixels): what it draws after 100 steps
(early.png) and after 2,000 (late.png). Sample i has seed i and class i modulo 4. In a PNG they lie
row by row, 16 in each.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from flowerdiff.garden import draw_flower
from flowerdiff.pixels import grid, to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule, eps_model
from flowerdiff.training import TrainConfig, train
from flowerdiff.unet import CompactConfig, CompactUNet

OUT = Path(__file__).resolve().parent.parent / "docs/results/evaluation"
SPECIES = ("sunwheel", "embercup", "skyfive", "moontrumpet")
SIZE, PER_SPECIES = 32, 60
N, COLUMNS = 64, 16
COSINE = cosine_schedule(T=800)
CONFIG = TrainConfig(steps=2000, decay=700, lr=2e-3, warmup=50, prediction="x0", ema_decay=(0.99,))
NAMES = {100: "early", CONFIG.steps: "late"}


@torch.inference_mode()
def samples(net) -> Tensor:
    """uint8 (N, 3, SIZE, SIZE)."""
    model = eps_model(net, COSINE, CONFIG.prediction)
    x_T = noise(range(N), COSINE.T, (3, SIZE, SIZE))
    *_, last = ddim(model, COSINE, x_T, torch.arange(N) % len(SPECIES), steps=25, clip_x0=1.0)
    return to_uint8(last.x_t)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    images = [draw_flower(name, seed, SIZE) for name in SPECIES for seed in range(PER_SPECIES)]
    labels = torch.arange(len(SPECIES)).repeat_interleave(PER_SPECIES)
    torch.manual_seed(0)
    net = CompactUNet(CompactConfig(len(SPECIES), channels=(32, 64, 128), embedding=128))
    for progress in train(net, torch.stack(images), labels, COSINE, CONFIG):
        if progress.step in NAMES:
            sheet = grid(samples(progress.ema), COLUMNS, pad=0).permute(1, 2, 0)
            path = OUT / f"{NAMES[progress.step]}.png"
            Image.fromarray(sheet.numpy()).save(path, optimize=True)
            print(f"{path.name}: {time.process_time() - began:.0f} s so far", flush=True)


if __name__ == "__main__":
    main()
