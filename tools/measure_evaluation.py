"""Measure for lesson 06 what takes photographs: docs/results/evaluation/photographs.json.

    python tools/measure_evaluation.py ../flowers.parquet --scratch /tmp/evaluation

FID and KID over n, of photographs and of blurred photographs against other photographs; what the
wrong value range does to them; the Inception Score over n, and which classes the net sees. And NIQE
and BRISQUE of garden flowers under each damage, for who has no weights of theirs (`flowerdiff
weights get niqe brisque`). Five minutes of one core. The JSON holds numbers alone.

--scratch: a folder for the features of real images (see flowerdiff/evaluate.py).
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import torch
from timm.data import ImageNetInfo

from flowerdiff.data import load_flowers
from flowerdiff.evaluate import real_features
from flowerdiff.garden import garden
from flowerdiff.metrics import (
    Features,
    brisque,
    efficientnet_lite0,
    efficientnet_lite0_logits,
    fid,
    inception_score,
    kid,
    niqe,
)
from flowerdiff.pixels import from_uint8
from flowerdiff.processes import machine
from flowerdiff.study.audit import wrapped
from flowerdiff.widgets import SWEEP, Damage, damaged

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/evaluation/photographs.json"
COUNTS = (53, 106, 212, 424, 848, 1600, 3200)
REPEATS = 5  # other photographs each time
WRAPPED = 424
BLURRED, BLUR = 1600, Damage(blur=0.6)


def compared(images: Features, real: Features, n: int, order: torch.Generator) -> dict:
    """FID and KID of n against n, chosen at random `REPEATS` times; twice where n is large.

    `images` may be the first of the photographs in `real`, spoilt: nothing is compared with itself.
    """
    fids, kids = [], []
    for _ in range(REPEATS if n < 1000 else 2):
        own = torch.randperm(len(images), generator=order)[:n]
        others = torch.randperm(len(real), generator=order)
        others = others[~torch.isin(others, own)][:n]
        fids.append(fid(images[own], real[others]).value)
        kids.append(kid(images[own], real[others]))
    half = statistics.fmean(k.interval[1] - k.value for k in kids)
    return {
        "n": n,
        "fid": [round(value, 2) for value in fids],
        "kid": [round(k.value, 5) for k in kids],
        "kid_half_interval": round(half, 5),
    }


def scores_over_n(logits: Features) -> list:
    """[n, IS, low, high] of the first n, for each n."""
    counts = [n for n in COUNTS if n <= len(logits)]
    scores = [inception_score(logits[:n]) for n in counts]
    return [
        [n, *(round(x, 3) for x in (score.value, *score.interval))]
        for n, score in zip(counts, scores, strict=True)
    ]


def quality_of_garden_flowers() -> dict:
    """{score: {damage: [[level, score], ...]}} of a new flower of each species, at 64 px."""
    flowers, _, _ = garden(1, 64, seed=1)
    return {
        judge.name: {
            name: [
                [level, round(judge(damaged(flowers, Damage(**{name: level}))).value, 3)]
                for level in levels
            ]
            for name, levels in SWEEP.items()
        }
        for judge in (niqe(), brisque())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="real flowers with the splits train and validation")
    parser.add_argument("--scratch", type=Path, required=True)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # that few images are few is what we measure

    extractor, classes = efficientnet_lite0(), efficientnet_lite0_logits()
    train, validation = (load_flowers(asked.source, split=s) for s in ("train", "validation"))
    asked.scratch.mkdir(parents=True, exist_ok=True)
    known, _, _ = real_features(extractor, train, validation, asked.scratch)
    order = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(train), generator=order)
    photographs, images = known.features[shuffled], train.images[shuffled]
    blurred = extractor(damaged(images[:BLURRED], BLUR))
    cast = extractor(wrapped(from_uint8(images[:WRAPPED])))
    others = photographs[WRAPPED : 2 * WRAPPED]
    ranges = {"right": photographs[:WRAPPED], "wrapped": cast}

    def logits(features: Features) -> Features:
        return Features(classes.net.classifier(features.values), classes.name, logits=True)

    guesses = logits(photographs).values.argmax(1).bincount() / len(train)
    names = ImageNetInfo()
    results = {
        "command": f"python tools/measure_evaluation.py {Path(asked.source).name} --scratch DIR",
        "features": extractor.name,
        "photographs": [compared(photographs, photographs, n, order) for n in COUNTS],
        "blur": BLUR.blur,
        "blurred": [compared(blurred, photographs, n, order) for n in COUNTS if n <= BLURRED],
        "wrapped": {"n": WRAPPED}
        | {
            name: {"fid": round(fid(f, others).value, 2), "kid": round(kid(f, others).value, 4)}
            for name, f in ranges.items()
        },
        "is": scores_over_n(logits(photographs)),
        "guesses": [
            [names.index_to_description(i).split(",")[0], round(guesses[i].item(), 4)]
            for i in guesses.topk(10).indices.tolist()
        ],
        "quality_of_garden_flowers": quality_of_garden_flowers(),
        "machine": machine(),
        "made": time.strftime("%Y-%m-%d"),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
