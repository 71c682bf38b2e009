"""Which settings make the most of a CPU minute? Short runs of equal cost, one setting changed each.

    python tools/search.py FILE.parquet --scratch DIR            run what is missing
    python tools/search.py FILE.parquet --scratch DIR wider x0   these runs alone

Every run costs the CPU time of `--minutes` of the first one. How many steps that makes is measured
once, all settings in turn in one go, in CPU seconds of one thread: other work on the machine hardly
counts. Then each run is `flowerdiff train` and `flowerdiff evaluate`, in DIR/NAME. What came out is
in docs/results/search.json. Stop it at any time, and go on on another machine: what is done is not
done again, and what is not gets the steps that were measured in the beginning. A run takes one
core: a second process with names of its own, begun when the file is there, halves the time.
"""

import argparse
import json
import platform
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

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/search.json"
SAMPLES, SAMPLER, STEPS = 510, "dpm_solver_pp", 12  # with w = 1
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
    "more at high noise": training(t_logit_normal=[0.7, 1.0]),
    "more at low noise": training(t_logit_normal=[-0.7, 1.0]),
    "more in the middle": training(t_logit_normal=[0.0, 1.0]),
    "uniform weight": training(**PLAIN),
    "eps": training(prediction="eps"),
    "eps, uniform weight": training(prediction="eps", **PLAIN),
    "x0": training(prediction="x0"),
    "x0, other seed": training(prediction="x0", seed=1),
    "x0, lr 1e-3": training(prediction="x0", lr=1e-3),
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


def seconds_per_step(rounds: int = 5, warm: int = 3, steps: int = 8) -> dict[str, float]:
    """CPU seconds of a step by `kind`, all kinds in turn."""
    timers = {kind(name): steps_timed(settings(name)) for name in RUNS}
    times = {key: [] for key in timers}
    for timer in timers.values():
        for _ in range(warm):
            next(timer)
    for _ in range(rounds):
        for key, timer in timers.items():
            times[key] += [next(timer) for _ in range(steps)]
    return {key: median(values) for key, values in times.items()}


def so_far() -> dict:
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def begin(minutes: float) -> None:
    """Measure how long a step takes: the results without any run."""
    results = {
        "minutes": minutes,
        "samples": SAMPLES,
        "sampler": f"{SAMPLER}, {STEPS} steps, w = 1",
        "command": "python tools/search.py FILE --scratch DIR",
        "machine": f"{platform.machine()}, one thread, torch {torch.__version__}",
        "seconds_per_step": seconds_per_step(),
        "runs": {},
    }
    written(results)


def written(results: dict) -> None:
    in_order = {name: results["runs"][name] for name in RUNS if name in results["runs"]}
    RESULTS.write_text(json.dumps(results | {"runs": in_order}, indent=1) + "\n", encoding="utf-8")


def steps_of(name: str, results: dict) -> int:
    """How many steps a run takes for what it may cost."""
    seconds = 60 * results["minutes"] * RUNS[name].get("cost", 1)
    return round(seconds / results["seconds_per_step"][kind(name)])


def run_one(name: str, source: str, scratch: Path, results: dict) -> None:
    """Train, evaluate, and write down what came out."""
    fields = settings(name)
    batch = fields["train"]["batch_size"]
    model, seconds = trained(name, source, scratch, results)
    folder = scratch / slug(name)
    features = scratch / f"real-{fields['size']}"  # of real images: the same for all of one size
    features.mkdir(exist_ok=True)
    for known in features.iterdir():
        shutil.copy(known, folder)
    evaluate(Evaluation(str(model), source, n=SAMPLES, sampler=SAMPLER, steps=STEPS), folder)
    for known in folder.glob("real-*.safetensors"):
        shutil.move(known, features / known.name)
    found = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    scores = {row["samples"]["name"]: row["samples"] for row in found["scores"]}
    scores["denoising error"] = found["denoising"]["validation"]
    names = ("KID", "recognition top-1", "recognition top-5", "denoising error")
    row = {
        "settings": fields,
        "images": steps_of(name, results) * batch,
        "images_per_second": round(batch / results["seconds_per_step"][kind(name)], 1),
        "cpu_seconds": seconds,
        "scores": {n: [scores[n]["value"], *scores[n]["interval"]] for n in names},
        "machine": found["machine"],
        "made": found["made"],
    }
    now = so_far()  # another process may have found something meanwhile
    now["runs"][name] = row
    written(now)


def trained(name: str, source: str, scratch: Path, results: dict) -> tuple[Path, int]:
    """The model file of a run, made if it is not there, and the CPU seconds that it took."""
    changes, folder = RUNS[name], scratch / slug(name)
    folder.mkdir(parents=True, exist_ok=True)
    if "of" in changes:
        _, seconds = trained(changes["of"], source, scratch, results)
        return scratch / slug(changes["of"]) / changes["model"], seconds
    fields = {"out": str(folder), "source": source} | settings(name)
    steps = steps_of(name, results)
    fields["sample_every"] = steps
    fields["train"] |= {"steps": steps, "decay": round(steps * changes.get("decay", 0))}
    if "after" in changes:
        fields["start_from"], _ = map(str, trained(changes["after"], source, scratch, results))
    config = scratch / f"{slug(name)}.toml"
    config.write_text(toml(fields), encoding="utf-8")
    train_run(config)  # which goes on from where it was, and does nothing if it was at the end
    log = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return folder / "model.safetensors", round(json.loads(log[-1])["cpu_seconds"])


def slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="real flowers with the splits train and validation")
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="RUN")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    asked = parser.parse_intermixed_args()  # the runs may follow the options
    torch.set_num_threads(1)
    if not RESULTS.exists():
        begin(asked.minutes)
    for name in asked.names or RUNS:
        results = so_far()
        if name not in results["runs"]:
            print(name, flush=True)
            run_one(name, asked.source, asked.scratch, results)
