"""Measure how many steps each sampler needs: docs/results/steps.json.

    python tools/measure_steps.py ../flowers.parquet --scratch /tmp/steps

KID, recognition and diversity over the features of EfficientNet-Lite0, for each sampler and number
of steps; w = 1. Image i has seed i and class i modulo their number in all settings, so the first
102 images of each setting, one per class, show what the steps alone change: compare these. The
settings of few steps are measured over more images as well.

--scratch: a folder for the features of real images (see flowerdiff/evaluate.py). A setting that the
JSON already has, of the same model, is not measured again: delete the file to start anew.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch
from measure_guidance import scores  # beside this file
from tqdm import tqdm

from flowerdiff.checkpoint import PRETRAINED, load_pretrained
from flowerdiff.data import load_flowers
from flowerdiff.draw import draw
from flowerdiff.evaluate import BATCH, real_features
from flowerdiff.metrics import Measured, efficientnet_lite0, train_recogniser
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/steps.json"
STEPS = {5: 510, 10: 510, 25: 510, 50: 510, 200: 102, None: 102}  # and the images; None is all T
SAME = 102  # images that all settings have


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="real flowers with the splits train and validation")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--model", default="flowers64")
    asked = parser.parse_args()

    model, extractor = load_pretrained(asked.model), efficientnet_lite0()
    train, validation = (
        load_flowers(asked.source, size=model.image_size, split=split)
        for split in ("train", "validation")
    )
    asked.scratch.mkdir(parents=True, exist_ok=True)
    known, _, real = real_features(extractor, train, validation, asked.scratch)
    recogniser = train_recogniser(known.features, train.labels)

    of = {
        "model": asked.model,
        "model_sha256": PRETRAINED[asked.model],
        "w": 1,
        "features": extractor.name,
        "command": f"python tools/measure_steps.py {Path(asked.source).name} --scratch DIR",
    }
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if {key: results.get(key) for key in of} != of:
        results = of | {"settings": []}
    results["real"] = {"n": len(real.labels)} | scores(real, known, recogniser)
    results["machine"] = f"{platform.machine()}, threads: {torch.get_num_threads()}"
    results["made"] = time.strftime("%Y-%m-%d")
    done = [(setting["sampler"], setting["steps"]) for setting in results["settings"]]
    wanted = [(sampler, steps) for steps in STEPS for sampler in SAMPLERS]
    for sampler, steps in wanted:
        if (sampler, steps) in done:
            continue
        n, began = STEPS[steps], time.process_time()
        labels = torch.arange(n) % len(model.class_names)
        batches = tqdm(torch.arange(n).split(BATCH), desc=f"{sampler}, {steps or 'all'} steps")
        images = torch.cat(
            [
                to_uint8(draw(model, seeds.tolist(), labels[seeds], 1.0, sampler, steps))
                for seeds in batches
            ]
        )
        seconds = round((time.process_time() - began) / n, 2)  # of all threads together
        drawn = Measured(images, labels, extractor(images))
        same = Measured(images[:SAME], labels[:SAME], drawn.features[:SAME])
        setting = {"sampler": sampler, "steps": steps, "cpu_seconds_per_image": seconds}
        setting["same"] = {"n": SAME} | scores(same, known, recogniser)
        setting["all"] = {"n": n} | scores(drawn, known, recogniser)
        results["settings"].append(setting)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
