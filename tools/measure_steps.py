"""Measure how many steps each sampler needs: docs/results/steps.json.

    python tools/measure_steps.py ../flowers.parquet --scratch /tmp/steps

KID, recognition and diversity over the features of EfficientNet-Lite0, for each sampler and number
of steps; w = 1. The times are even in t, and for a second-order solver with few steps also even in
log-SNR, and with small steps first. Image i has seed i and class i modulo their number in all
settings, so what differs between them comes of the steps alone.

--scratch: a folder for the samples and the features of real images (as of flowerdiff/evaluate.py).
Batches that it has are not drawn again, nor is a setting measured again that the JSON has of the
same model: delete the file to start anew. On two cores it all takes a day, most of it the walks of
all steps, of which fewer samples are drawn.
"""

import json
from pathlib import Path

from measure_guidance import Instruments, arguments, so_far  # beside this file

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.evaluate import Evaluation, draw_all
from flowerdiff.sampling import SAMPLERS
from flowerdiff.schedule import Schedule
from flowerdiff.widgets import log_snr_times

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/steps.json"
# Of so many steps; None: all T. Two of each class, of all T of the first 18 only.
SAMPLES = {5: 204, 10: 204, 25: 204, 50: 204, 200: 204, None: 120}
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
        walk = Evaluation(asked.model, asked.source, n=n, w=1.0, sampler=sampler, steps=times)
        folder = asked.scratch / f"{name}, {steps or 'all'} steps"
        print(folder.name)
        drawn, _ = draw_all(model, walk, by.extractor, folder)
        results["settings"].append({"walk": name, "steps": steps, "n": n} | by.scores(drawn))
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
