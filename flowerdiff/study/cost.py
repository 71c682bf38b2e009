"""What a study will cost on this machine, before it starts: hours, memory and disk for each run.

Each kind of net is trained for a few steps and asked a few times, in a process of its own, so that
what is reported as memory is its own peak. Where even one batch would not fit, two images are tried
and the rest is reckoned.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from flowerdiff.checkpoint import FlowerModel
from flowerdiff.config import Run, schedule_of
from flowerdiff.draw import draw
from flowerdiff.processes import processes
from flowerdiff.run import new_net
from flowerdiff.study.grid import Measures, Study, StudyRun
from flowerdiff.training import train

STEPS = 4  # of training that are timed; the first of them is not
CLASSES = 53  # the paper's: what a class costs is next to nothing
ROOM = 0.8  # of the free memory that a trial may take


@dataclass(frozen=True)
class Trial:
    """What one kind of net costs."""

    seconds_per_image: float  # of training
    seconds_per_answer: float  # for one image, when it draws
    base: float  # GB of memory
    per_image: float  # and for each image of a batch
    parameters: int
    reckoned: bool  # from a batch of two


@dataclass(frozen=True)
class Cost:
    """What one run costs."""

    name: str
    training: float  # hours
    drawing: float  # hours
    memory: float  # GB, at its peak
    disk: float  # GB while it runs: the checkpoint
    reckoned: bool


def estimate(study: Study) -> list[Cost]:
    """The cost of every run; a minute or more, for each kind of net is tried. Nothing is written,
    and no flowers are read.
    """
    classes = study.classes or CLASSES
    trials: dict[str, Trial] = {}
    costs = []
    for run in study.runs:
        train = run.run.train
        key = repr((run.run.net, train.batch_size, train.accumulate, train.precision))
        if key not in trials:
            trials[key] = _try(run.run, classes)
        costs.append(_cost(run, trials[key], study.measures, classes))
    return costs


def table(costs: list[Cost]) -> str:
    """In Markdown."""
    lines = [
        "| run | training, h | drawing, h | memory, GB | disk, GB |",
        "|---|---|---|---|---|",
    ]
    for cost in costs:
        about = "about " if cost.reckoned else ""
        lines.append(
            f"| {cost.name} | {about}{cost.training:.2f} | {about}{cost.drawing:.2f} "
            f"| {about}{cost.memory:.1f} | {cost.disk:.2f} |"
        )
    training, drawing = sum(c.training for c in costs), sum(c.drawing for c in costs)
    lines.append(
        f"| **all {len(costs)} runs** | **{training:.1f}** | **{drawing:.1f}** "
        f"| {max(c.memory for c in costs):.1f} | {max(c.disk for c in costs):.2f} |"
    )
    return "\n".join(lines) + "\n"


def _cost(run: StudyRun, trial: Trial, measures: Measures, classes: int) -> Cost:
    train, T = run.run.train, schedule_of(run.run).T
    steps, more = measures.published_steps or T, measures.more_images * measures.more_steps
    answers = measures.published_images * steps + 2 * more
    for w in run.guidance:
        # Of w = 0 the larger set is there already.
        answers += classes * steps if w == 0 else 2 * (classes * steps + more)
    copies = 3 + len(train.ema_decay)  # weights, the two moments of Adam, and the averages
    return Cost(
        run.name,
        train.steps * train.batch_size * trial.seconds_per_image / 3600,
        answers * trial.seconds_per_answer / 3600,
        trial.base + train.batch_size // train.accumulate * trial.per_image,
        copies * 4e-9 * trial.parameters,
        trial.reckoned,
    )


def _try(run: Run, classes: int) -> Trial:
    """Two small batches show how memory grows; then, if it fits, the real one is timed."""
    small, two = (_apart(_measure, run, batch, classes) for batch in (1, 2))
    per_image = max(two["memory"] - small["memory"], 0.0)
    base = small["memory"] - per_image
    size, free = run.train.batch_size // run.train.accumulate, _free()
    reckoned = base + size * per_image > ROOM * free
    timed = two if reckoned else _apart(_measure, run, size, classes)
    if not reckoned:  # what was seen is better than what was reckoned
        per_image = max(timed["memory"] - base, 0.0) / size
    return Trial(timed["seconds"], timed["answer"], base, per_image, timed["parameters"], reckoned)


def _apart(function, *arguments):
    """The function's value, from a fresh process."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(function, *arguments).result()


def _measure(run: Run, batch: int, classes: int) -> dict[str, float]:
    """Seconds for an image, and the process's peak memory in GB, of a few steps of training."""
    torch.manual_seed(0)
    net = new_net(run, classes).to(processes().device)
    schedule = schedule_of(run)
    images = torch.randint(256, (max(batch, 2), 3, run.size, run.size), dtype=torch.uint8)
    labels = torch.zeros(len(images), dtype=torch.long)
    config = replace(run.train, batch_size=batch, accumulate=1, steps=STEPS, decay=0, stair=1)
    times = [p.seconds for p in train(net, images, labels, schedule, config)]
    seconds = (times[-1] - times[0]) / (STEPS - 1) / batch
    memory = _peak()
    names = [str(label) for label in range(classes)]
    model = FlowerModel(net.eval(), schedule, config.prediction, names, run.size, {})
    draw(model, [0] * batch, labels[:batch], w=0.0, steps=1)
    began = time.perf_counter()
    draw(model, [0] * batch, labels[:batch], w=0.0, steps=2)
    return {
        "seconds": seconds,
        "answer": (time.perf_counter() - began) / 2 / batch,
        "memory": memory,
        "parameters": sum(p.numel() for p in net.parameters()),
    }


def _peak() -> float:
    """GB: of the GPU, if there is one, else of this process."""
    if processes().device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, where `resource` would count the parent's memory as well
        return (
            int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))[1]) * 1024 / 1e9
        )
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return info.peak_wset / 1e9
    import resource  # of Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def _free() -> float:
    """GB that a trial could take."""
    if processes().device.type == "cuda":
        return torch.cuda.mem_get_info()[0] / 1e9
    return psutil.virtual_memory().available / 1e9
