"""Work through the grid: train, measure, write; any number of workers, and go on after any stop.

A run is done when its `result.json` is there. While somebody works on it he holds the lock of its
folder, and lets go of it when he dies. So the same command on as many machines as you like, with
one shared folder, is a cluster; `spread` starts such workers through submitit, here or on Slurm.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from flowerdiff.checkpoint import load_model
from flowerdiff.data import Flowers
from flowerdiff.metrics import require_extra
from flowerdiff.pixels import grid, save_png
from flowerdiff.processes import machine, processes
from flowerdiff.run import train_flowers
from flowerdiff.store import replacing
from flowerdiff.study.grid import Study, StudyRun
from flowerdiff.study.measure import Instruments, make_instruments, measure_run, real_scores, walk

PACKAGES = ("flowerdiff", "torch", "torchmetrics", "timm", "scikit-learn", "pyiqa")
SHOWN = 24  # images in a run's samples.png


def work(study: Study, out: Path) -> bool:
    """Do what is left to do of the study; False if others are still working on a part of it."""
    # While one process measures, the others wait for it: longer than torch would let them.
    state = processes(timeout=timedelta(hours=12))
    check_same_study(study, out)
    if not any(_to_do(out, run) for run in study.runs):
        return True
    flowers, held_out = study.flowers()
    few = study.measures.more_images < 2 * len(flowers.class_names)
    if few and any(run.conditional for run in study.runs):
        raise ValueError(
            f"more_images is {study.measures.more_images}: diversity needs two of each of "
            f"{len(flowers.class_names)} classes"
        )
    by = None
    for run in study.runs:
        lock = FileLock(out / run.name / "lock")
        if not _ours(state, out, run, lock):
            continue
        try:
            if by is None:  # seconds to minutes, so only if there is something to measure
                by = make_instruments(study.measures, flowers, held_out, out)
                if state.is_main_process:
                    write(out / "real.json", {"scores": real_scores(by), "missing": by.missing})
            do(run, study, flowers, by, out / run.name)
        except FloatingPointError as error:  # a run that diverges is a result too
            about = _about(run, study, flowers)
            write(out / run.name / "result.json", about | {"failed": str(error)})
        finally:
            lock.release()
    return not any(_to_do(out, run) for run in study.runs)


def do(run: StudyRun, study: Study, flowers: Flowers, by: Instruments, folder: Path) -> None:
    """One run, from where its checkpoint left off to its result.json."""
    state = processes()
    if state.is_main_process:
        print(f"{run.name}: {run.run.train.steps:,} steps", flush=True)
    train_flowers(run.run, flowers)
    state.wait_for_everyone()
    models = [load_model(folder / name) for name in _model_files(run)]
    for model in models:
        model.net.to(state.device)
    scores, images = measure_run(run, *models, by, study.measures)
    if state.is_main_process:
        save_png(folder / "samples.png", grid(images[:SHOWN], columns=8))
        save_png(folder / "walk.png", walk(models[0]))
        last = json.loads((folder / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        write(folder / "result.json", _about(run, study, flowers) | {"training": last} | scores)
        (folder / "checkpoint.safetensors").unlink()  # four times the model, and of no more use
    state.wait_for_everyone()


def write(path: Path, results: dict) -> None:
    """A whole JSON file or none."""
    with replacing(path) as part:
        part.write_text(json.dumps(results, indent=2, default=str) + "\n", encoding="utf-8")


def worker_command(args) -> list[str]:
    """The command of one worker: that of the command line's `args`, without what starts workers."""
    command = [sys.executable, "-m", "flowerdiff", "study", "--no-report"]
    for name in ("scale", "out", "source", "config"):
        if getattr(args, name) is not None:
            command += [f"--{name}", str(getattr(args, name))]
    return command + (["--rows", *args.rows] if args.rows else [])


def spread(
    command: list[str], out: Path, workers: int, cluster: str, options: dict[str, str]
) -> list:
    """Start workers, each with `command`, through submitit: the jobs.

    cluster: "local" for processes of this machine, "slurm" for jobs of a cluster. options: more of
    submitit's, such as slurm_partition, gpus_per_node or timeout_min. Raises MissingExtra, and
    ValueError on Windows.
    """
    if os.name == "nt":
        raise ValueError(
            "submitit does not work on Windows: start the command in two windows instead"
        )
    require_extra(["submitit"], "cluster")
    import submitit

    executor = submitit.AutoExecutor(folder=out / "jobs", cluster=cluster)
    numbers = {name: _number(value) for name, value in options.items()}
    try:
        executor.update_parameters(name="flowerdiff-study", **{"timeout_min": 24 * 60} | numbers)
    except (AssertionError, NameError) as error:  # of a wrong kind; of an unknown name
        raise ValueError(f"--options: {error}") from None
    # Two workers with all threads each would wait for one another most of the time.
    threads = max(1, (os.cpu_count() or 1) // workers) if cluster == "local" else None
    environment = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    return [executor.submit(_worker, command, environment) for _ in range(workers)]


def _number(text: str) -> int | float | str:
    """What a word of the command line stands for: submitit asks for numbers."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _worker(command: list[str], environment: dict[str, str]) -> int:
    # A process of its own: OMP_NUM_THREADS counts only before torch is imported.
    return subprocess.run(command, env=os.environ | environment, check=True).returncode


def _to_do(out: Path, run: StudyRun) -> bool:
    return not (out / run.name / "result.json").exists()


def _ours(state: PartialState, out: Path, run: StudyRun, lock: FileLock) -> bool:
    """Whether the run is to do, and we hold its lock now. Of several processes the first
    looks and holds it, for all.
    """
    ours = False
    if state.is_main_process and _to_do(out, run):
        (out / run.name).mkdir(parents=True, exist_ok=True)
        with suppress(Timeout):
            lock.acquire(blocking=False)
            ours = _to_do(out, run)  # or somebody finished it between our look and our lock
    return broadcast_object_list([ours])[0] if state.num_processes > 1 else ours


def _model_files(run: StudyRun) -> tuple[str, str]:
    return "model.safetensors", f"model-{run.run.train.ema_decay[1]}.safetensors"


def check_same_study(study: Study, out: Path) -> None:
    """Raises ValueError if `out` has results of another study, which would pass for this one's."""
    for run in study.runs:
        file = out / run.name / "result.json"
        if not file.exists():
            continue
        saved = json.loads(file.read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps(_asked(run, study), default=str))
        then, now = (
            {"scale": of["scale"], "measures": of["measures"], **of["settings"]}
            for of in (saved, wanted)
        )
        other = [key for key in now if key in then and then[key] != now[key]]
        if other:
            raise ValueError(
                f"{out / run.name} is of a study with other {', '.join(other)}: name another --out"
            )


def _asked(run: StudyRun, study: Study) -> dict:
    """What makes a run this one: the same again has the same results."""
    # Of a path only its end: the folders of the machine are nobody's business.
    settings = asdict(run.run) | {"out": run.name, "source": Path(study.source).name}
    settings["train"] = {
        key: str(value) if isinstance(value, float) and math.isinf(value) else value
        for key, value in settings["train"].items()
    }
    return {"scale": study.scale, "settings": settings, "measures": asdict(study.measures)}


def _about(run: StudyRun, study: Study, flowers: Flowers) -> dict:
    """Everything that a reader of the numbers must know."""
    return _asked(run, study) | {
        "name": run.name,
        "row": run.row,
        "title": run.title,
        "conditional": run.conditional,
        "seed": run.seed,
        "base": run.base,
        "data": f"{len(flowers):,} images of {len(flowers.class_names)} classes at {study.size} px",
        "versions": {name: metadata.version(name) for name in PACKAGES if _installed(name)},
        "machine": machine(),
        "on_gpu": processes().device.type != "cpu",
        "made": time.strftime("%Y-%m-%d"),
    }


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
