"""Put a trained model into the package, with its card, its learning curve and samples.

    flowerdiff evaluate --model runs/flowers64/model.safetensors --source FILE --out EVALUATION
    python tools/bundle_model.py flowers64 runs/flowers64/model.safetensors \
        --runs runs/flowers64-first runs/flowers64 --scores EVALUATION/scores.json

With --after the first of these runs began with the weights of a model that is in the package: its
card's parts come first in the new one, and its learning curve stays; theirs is curve-on.png.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from flowerdiff.checkpoint import WEIGHTS, load_model, load_pretrained, save_model
from flowerdiff.pixels import save_png
from flowerdiff.run import sample_grid

ROOT = Path(__file__).resolve().parents[1]
DATA = (
    "Oxford-102 Flowers (Nilsback and Zisserman, 2008): 6,552 training images of 102 classes, "
    "centre-cropped, 64 px. The images are for research and are not part of flowerdiff."
)
PAPER_BUDGET = 80 * 2346  # images
LIMITS = (
    "64 px only. Colour, form and setting are right for nearly all kinds; stamens and thin petals "
    "are often smeared, most of all where a picture shows many flowers, or petals without an order "
    "(canterbury bells, sweet pea, snapdragon, sword lily, canna lily). It knows 102 kinds of "
    "flower and nothing else. Made for teaching; not for telling species apart."
)


def logged(folder: Path, steps: int | None) -> list[dict]:
    """The lines of a run's log, up to `steps`."""
    rows = [
        json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [row for row in rows if steps is None or row["step"] <= steps]


def stage(folder: Path, steps: int | None) -> dict:
    """What one run cost, up to `steps`."""
    last = logged(folder, steps)[-1]
    config = "configs/" + folder.name + ".toml"
    hours = round(last["cpu_seconds"] / 3600, 2)
    return {"config": config, "steps": last["step"], "images": last["images"], "cpu_hours": hours}


def measured(scores: dict) -> dict[str, str]:
    """What `flowerdiff evaluate` found, in words; each number beside that of real photographs."""
    asked, copies = scores["asked"], scores["memorisation"]
    how = f"{asked['n']} samples, w = {asked['w']:g}, {asked['sampler']}, {asked['steps']} steps"

    def words(score: dict) -> str:
        low, high = score["interval"]
        return f"{score['value']:.3g} [{low:.3g}, {high:.3g}]"

    rows = {
        row["samples"]["name"]: f"{words(row['samples'])}; real photographs {words(row['real'])}"
        for row in scores["scores"]
        if row["samples"]["interval"]  # FID of so few images has none, and means little
    }
    found = (
        f"{len(copies['same_picture'])} samples are a training photograph; "
        f"{len(copies['suspects'])} are nearer to one than 99.9 % of new real photographs are "
        f"({copies['expected']:.1f} would be by chance)"
    )
    errors = {
        f"denoising error, {split}": words(score) for split, score in scores["denoising"].items()
    }
    return {"how": f"{how}, features of {scores['features']}"} | rows | errors | {"copies": found}


def card_text(name: str, card: dict) -> str:
    """The model card as Markdown."""
    parts = "\n".join(
        f"| `{s['config']}` | {s['steps']:,} | {s['images']:,} | {s['cpu_hours']} |"
        for s in card["stages"]
    )
    numbers = "\n".join(f"| {k} | {v} |" for k, v in card["measured"].items())
    return f"""# Model card: {name}

**What it is.** {card["net"]}; draws one of 102 named flowers at 64 px, or any flower.

**Data.** {card["data"]}

**Training.** {card["images_seen"]:,} images seen in {card["cpu_hours"]} CPU-hours on
{card["machine"]}: {card["images_seen"] / PAPER_BUDGET:.1f} times as many as in each run of
the paper that the course follows (80 epochs of 2,346 images, 128 px, {PAPER_BUDGET:,} in all).

| part | steps | images | CPU-hours |
|---|---|---|---|
{parts}

The learning curve is in `docs/results/{name}`, samples that nobody picked in
`docs/results/{name}/samples.png` (seeds 0, 1, 2, ... for labels spread over the classes; DDIM,
25 steps, w = 1), and four of every class in `docs/results/{name}/classes.webp`.

**Measured** by `flowerdiff evaluate` against the `train` split; in brackets 95 % intervals. These
are not Inception's features: they do not compare with published scores.

| | |
|---|---|
{numbers}

**Limits.** {card["limits"]}

**Made** {card["made"]} by `python tools/bundle_model.py`; shown by `flowerdiff weights {name}`.
"""


def plot_curve(runs: dict[Path, int | None], path: Path, before: int) -> None:
    """Loss against images seen, the runs (folder: last step) one after the other; `before`: images
    that were seen before the first of them.
    """
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    losses = []
    for folder, steps in runs.items():
        rows = logged(folder, steps)
        losses += [row["loss"] for row in rows]
        axes.plot(
            [(before + r["images"]) / 1e6 for r in rows],
            [row["loss"] for row in rows],
            label=folder.name,
        )
        before += rows[-1]["images"]
    axes.set(
        xlabel="images seen, in millions", ylabel="squared error in v (training)", yscale="log"
    )
    ticks = [0.09, 0.1, 0.11, 0.12, 0.15, 0.2, 0.3, 0.5]
    axes.set_yticks(ticks, ticks)
    axes.set_yticks([], minor=True)
    axes.set_ylim(0.95 * min(losses), 1.05 * max(losses))
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("model", type=Path, help="the model file of the last run")
    parser.add_argument("--runs", type=Path, nargs="+", help="the folders of all runs, in order")
    parser.add_argument("--scores", type=Path, required=True, help="from flowerdiff evaluate")
    parser.add_argument("--after", help="a bundled model whose weights the first run began with")
    parser.add_argument("--machine", default="two CPU cores")
    args = parser.parse_args()

    model, scores = load_model(args.model), json.loads(args.scores.read_text(encoding="utf-8"))
    if scores["model_sha256"] != hashlib.sha256(args.model.read_bytes()).hexdigest():
        sys.exit(f"{args.scores} is of another model than {args.model}")
    runs = dict.fromkeys(args.runs) | {args.runs[-1]: model.card["steps"]}
    earlier = load_pretrained(args.after).card["stages"] if args.after else []
    stages = earlier + [stage(folder, steps) for folder, steps in runs.items()]
    parameters = sum(p.numel() for p in model.net.parameters())
    card = {
        "net": f"{type(model.net).__name__}, {parameters / 1e6:.1f} M parameters",
        "data": DATA,
        "stages": stages,
        "steps": sum(s["steps"] for s in stages),
        "images_seen": sum(s["images"] for s in stages),
        "cpu_hours": round(sum(s["cpu_hours"] for s in stages), 1),
        "machine": args.machine,
        "measured": measured(scores),
        "limits": LIMITS,
        "made": model.card["made"],
    }
    model = replace(model, card=card)

    hashes_file = WEIGHTS / "hashes.json"
    hashes = json.loads(hashes_file.read_text(encoding="utf-8"))
    hashes[args.name] = save_model(WEIGHTS / f"{args.name}.safetensors", model)
    hashes_file.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
    (WEIGHTS / f"{args.name}.md").write_text(card_text(args.name, card), encoding="utf-8")

    results = ROOT / "docs" / "results" / args.name
    results.mkdir(parents=True, exist_ok=True)
    curve = "curve-on.png" if args.after else "curve.png"
    plot_curve(runs, results / curve, sum(s["images"] for s in earlier))
    save_png(results / "samples.png", sample_grid(model, n=36))
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
