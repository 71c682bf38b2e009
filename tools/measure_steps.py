"""Measure how many steps each sampler needs: docs/results/steps.json.

    python tools/measure_steps.py ../flowers.parquet --scratch /tmp/steps

KID, recognition and diversity over the features of EfficientNet-Lite0, for each sampler and number
of steps; w = 1. The times are even in t, and for a second-order solver with few steps also even in
log-SNR, and with small steps first. Image i has seed i and class i modulo their number in all
settings, so what differs between them comes of the steps alone.

--scratch: a folder for the features of real images (see flowerdiff/evaluate.py). A setting that the
JSON already has, of the same model, is not measured again: delete the file to start anew. On two
cores the longest walks take half a day: fewer samples of them are drawn.
"""

import json
import time
from pathlib import Path

import torch
from measure_guidance import Instruments, arguments, so_far  # beside this file
from tqdm import tqdm

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.draw import draw
from flowerdiff.evaluate import BATCH
from flowerdiff.metrics import Measured
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS
from flowerdiff.schedule import Schedule
from flowerdiff.widgets import log_snr_times

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/steps.json"
SAMPLES = {5: 204, 10: 204, 25: 204, 50: 204, 200: 204, None: 102}  # of so many steps; None: all T
FEW = 25  # up to so many steps, other spacings are tried


def small_first(schedule: Schedule, steps: int) -> list[int]:
    """Times from T to 0, the first steps small: what colour the picture has is decided there. At
    most `steps` steps: times that fall on the same whole number count once.
    """
    times = {round(schedule.T * (1 - (i / steps) ** 1.5)) for i in range(steps + 1)}
    return sorted(times, reverse=True)


SPACED = {"even in log-SNR": log_snr_times, "small steps first": small_first}


def walks(schedule: Schedule, steps: int | None) -> dict:
    """By name: a sampler, and the `steps` that it is to take."""
    found = {sampler: (sampler, steps) for sampler in SAMPLERS}
    if steps and steps <= FEW:
        for how, times in SPACED.items():
            found[f"dpm_solver_pp, {how}"] = ("dpm_solver_pp", times(schedule, steps))
    return found


def main() -> None:
    asked = arguments(__doc__.splitlines()[0]).parse_args()

    model = load_pretrained(asked.model)
    by = Instruments.ready(asked, model.image_size)
    results = so_far(RESULTS, asked, model, by, {"w": 1})
    done = [(setting["walk"], setting["steps"]) for setting in results["settings"]]
    wanted = [(steps, *walk) for steps in SAMPLES for walk in walks(model.schedule, steps).items()]
    for steps, name, (sampler, times) in wanted:
        if (name, steps) in done:
            continue
        n = SAMPLES[steps]
        labels = torch.arange(n) % len(model.class_names)
        began = time.process_time()
        batches = tqdm(torch.arange(n).split(BATCH), desc=f"{name}: {steps or 'all'} steps")
        images = torch.cat(
            [
                to_uint8(draw(model, seeds.tolist(), labels[seeds], 1.0, sampler, times))
                for seeds in batches
            ]
        )
        seconds = round((time.process_time() - began) / n, 2)  # of all threads together
        drawn = Measured(images, labels, by.extractor(images))
        setting = {"walk": name, "steps": steps, "n": n, "cpu_seconds_per_image": seconds}
        results["settings"].append(setting | by.scores(drawn))
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
