"""Which settings make the most of a CPU minute? Short runs of equal cost, one setting changed each.

    python tools/search.py --source FILE.parquet --out DIR          run what is missing, and write
    python tools/search.py --source FILE.parquet --out DIR wider    these runs alone
    python tools/search.py --out DIR --table docs/results/search.md    the table of what is there

Every run costs the CPU time of `--minutes` of the first one. How many steps that makes is measured
beforehand, all settings in turn in one go, in CPU seconds of one thread: other work on the machine
hardly counts. Then each run is `flowerdiff train` and `flowerdiff evaluate`. In DIR/NAME: the run's
folder, its TOML file, and the scores. Stop it at any time; what is done is not done again.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch

from flowerdiff.checkpoint import make_net
from flowerdiff.evaluate import Evaluation, evaluate
from flowerdiff.run import train_run
from flowerdiff.schedule import cosine_schedule
from flowerdiff.training import TrainConfig, train

SAMPLES = 510
BASE = {
    "size": 32,
    "split": "train",
    "net": {"kind": "CompactUNet"},
    "schedule": {"kind": "cosine"},
    "train": {"lr": 5e-4, "batch_size": 16, "prediction": "v", "min_snr_gamma": 5.0}
    | {"precision": "auto", "ema_decay": [0.999, 0.99, 0.9999]},
}
PLAIN = {"min_snr_gamma": None}


def net(channels: list[int], blocks: list[int]) -> dict:
    return {"net": {"channels": channels, "blocks": blocks}}


def training(**changes) -> dict:
    return {"train": changes}


# What is changed in BASE; None takes a setting away. "cost": in runs of the first kind; "after": a
# run whose weights it begins with; "decay": the share of its steps over which lr goes down to 0;
# "of": no run of its own, but another model of that run.
RUNS = {
    "base": {},
    "base, other seed": training(seed=1),
    "batch 8": training(batch_size=8),
    "batch 32": training(batch_size=32),
    "wider": net([64, 128, 256], [1, 1, 1]),
    "narrower": net([32, 64, 128], [1, 1, 1]),
    "deeper, narrower": net([32, 64, 128], [2, 2, 2]),
    "deeper at 8 x 8": net([32, 96, 192], [1, 1, 2]),
    "lr 2.5e-4": training(lr=2.5e-4),
    "lr 1e-3": training(lr=1e-3),
    "lr 1e-3, decay to 0": training(lr=1e-3) | {"decay": 1.0},
    "decay to 0": {"decay": 1.0},
    "decay to 0, last half": {"decay": 0.5},
    "more at high noise": training(t_logit_normal=[0.7, 1.0]),
    "more at low noise": training(t_logit_normal=[-0.7, 1.0]),
    "more in the middle": training(t_logit_normal=[0.0, 1.0]),
    "uniform weight": training(**PLAIN),
    "eps": training(prediction="eps"),
    "eps, uniform weight": training(prediction="eps", **PLAIN),
    "x0": training(prediction="x0"),
    "x0, other seed": training(prediction="x0", seed=1),
    "linear": {"schedule": {"kind": "linear"}},
    "linear, eps, uniform weight: the paper's": {"schedule": {"kind": "linear"}}
    | training(prediction="eps", **PLAIN),
    "EMA 0.99": {"of": "base", "model": "model-0.99.safetensors"},
    "EMA 0.9999": {"of": "base", "model": "model-0.9999.safetensors"},
    "64 px": {"size": 64, "cost": 2},
    "32 px, then 64": {"size": 64, "after": "base"},
    "x0, 32 px, then 64": {"size": 64, "after": "x0"} | training(prediction="x0"),
}


def settings(name: str) -> dict:
    """BASE with the run's changes; `cost`, `after` and `decay` stay beside it."""
    changes = RUNS[name]
    merged = {
        key: {**value, **changes.get(key, {})}
        if isinstance(value, dict)
        else changes.get(key, value)
        for key, value in BASE.items()
    }
    merged["train"] = {k: v for k, v in merged["train"].items() if v is not None}
    return merged


def toml(fields: dict) -> str:
    """TOML of numbers, strings, lists and one level of tables: JSON writes these alike."""
    top = [f"{k} = {json.dumps(v)}" for k, v in fields.items() if not isinstance(v, dict)]
    for table, values in fields.items():
        if isinstance(values, dict):
            top += [f"\n[{table}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())]
    return "\n".join(top) + "\n"


def kind(name: str) -> str:
    """What the cost of a step depends on."""
    fields = settings(name)
    return json.dumps([fields["size"], fields["net"], fields["train"]["batch_size"]])


def steps_timed(fields: dict) -> Iterator[float]:
    """CPU seconds of one step after another, on made-up pictures."""
    net = dict(fields["net"])
    model = make_net(net.pop("kind"), {"num_classes": 102} | net)
    images = torch.randint(0, 256, (64, 3, fields["size"], fields["size"]), dtype=torch.uint8)
    config = TrainConfig(**fields["train"] | {"steps": 10**6})
    began = None
    for _progress in train(model, images, torch.arange(64), cosine_schedule(), config):
        now = time.process_time()
        if began is not None:
            yield now - began
        began = time.process_time()


def seconds_per_step(out: Path, rounds: int = 5, warm: int = 3, steps: int = 8) -> dict[str, float]:
    """CPU seconds of a step by `kind`, all kinds in turn; kept in DIR/rates.json."""
    file = out / "rates.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    if known.keys() >= {kind(name) for name in RUNS}:
        return known
    timers, times = {}, {}
    for name in RUNS:
        if kind(name) not in timers:
            timers[kind(name)] = steps_timed(settings(name))
            times[kind(name)] = []
    for timer in timers.values():
        for _ in range(warm):
            next(timer)
    for _ in range(rounds):
        for key, timer in timers.items():
            times[key] += [next(timer) for _ in range(steps)]
    rates = {key: median(values) for key, values in times.items()}
    file.write_text(json.dumps(rates, indent=1) + "\n")
    return rates


def run_one(name: str, source: str, out: Path, minutes: float, rates: dict[str, float]) -> None:
    """Train and evaluate, and write DIR/NAME/row.json."""
    folder, changes, fields = out / slug(name), RUNS[name], settings(name)
    if (folder / "row.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for needed in {"after", "of"} & changes.keys():
        run_one(changes[needed], source, out, minutes, rates)
    rate, batch = rates[kind(name)], fields["train"]["batch_size"]
    steps = round(60 * minutes * changes.get("cost", 1) / rate)
    row = {"settings": fields, "steps": steps, "images": steps * batch}
    row |= {"images_per_second": round(batch / rate, 1)}
    if "of" in changes:
        model = out / slug(changes["of"]) / changes["model"]
    else:
        model = folder / "model.safetensors"
        row |= {"cpu_seconds": trained(name, source, folder, steps)}
    features = out / f"real-{fields['size']}"  # of the real images: the same for all of one size
    features.mkdir(exist_ok=True)
    for known in features.iterdir():
        shutil.copy(known, folder)
    evaluate(Evaluation(str(model), source, n=SAMPLES), folder)
    for known in folder.glob("real-*.safetensors"):
        shutil.move(known, features / known.name)
    shutil.rmtree(folder / "samples")
    (folder / "row.json").write_text(json.dumps({"name": name} | row, indent=1) + "\n")


def trained(name: str, source: str, folder: Path, steps: int) -> int:
    """Run one training; returns the CPU seconds that it took."""
    changes = RUNS[name]
    fields = {"out": str(folder), "source": source} | settings(name) | {"sample_every": steps}
    fields["train"] |= {"steps": steps, "decay": round(steps * changes.get("decay", 0))}
    if "after" in changes:
        fields["start_from"] = str(folder.parent / slug(changes["after"]) / "model.safetensors")
    config = folder.parent / f"{slug(name)}.toml"
    config.write_text(toml(fields))
    began = time.process_time()
    train_run(config)
    return round(time.process_time() - began)


def table(out: Path) -> str:
    """What is there so far, in Markdown."""
    lines = [
        "| what is different | px | images/s | images seen | KID | top-1 / top-5 |",
        "|---|---|---|---|---|---|",
    ]
    machines = set()
    for name in RUNS:
        folder = out / slug(name)
        if not (folder / "row.json").exists():
            continue
        row = json.loads((folder / "row.json").read_text())
        results = json.loads((folder / "scores.json").read_text())
        scores = {s["samples"]["name"]: s["samples"] for s in results["scores"]}
        kid, (low, high) = scores["KID"]["value"], scores["KID"]["interval"]
        top = [f"{100 * scores[f'recognition top-{k}']['value']:.0f} %" for k in (1, 5)]
        machines.add(f"{results['machine']}, torch {results['versions']['torch']}")
        lines.append(
            f"| {name} | {row['settings']['size']} | {row['images_per_second']:.0f} "
            f"| {row['images']:,} | {kid:.3f} [{low:.3f}, {high:.3f}] | {' / '.join(top)} |"
        )
    return "\n".join([*lines, "", f"On {'; '.join(sorted(machines))}.", ""])


def slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="RUN")
    parser.add_argument("--source")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--table", type=Path, help="write the table of what is there, run nothing")
    arguments = parser.parse_args()
    if arguments.table:
        arguments.table.write_text(table(arguments.out))
        raise SystemExit
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rates = seconds_per_step(arguments.out)
    for name in arguments.names or RUNS:
        print(name, flush=True)
        run_one(name, arguments.source, arguments.out, arguments.minutes, rates)
