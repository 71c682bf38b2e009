"""The study's figures, as PNG: the paper's four, and what the larger sets say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from flowerdiff.study import paper
from flowerdiff.study.tables import MODELS, value_of

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # told apart by colour-blind people
FIGURES = {  # row: its figure in the paper, or ours
    "two-layer": "figure-2",
    "batch-32": "figure-3",
    "three-layer": "figure-4",
    "augmented-as-published": "augmented-as-published",
    "augmented-as-intended": "augmented-as-intended",
}
Results = Sequence[dict]


def figures(results: Results, runs: Path, out: Path) -> dict[str, str]:
    """Draw all that can be drawn of what is there; returns the files' names and what they show.

    runs: the folder of the runs, whose samples are shown if they are still there.
    """
    results = [r for r in results if "failed" not in r]
    out.mkdir(parents=True, exist_ok=True)
    made = {}

    def save(figure: Figure, name: str, shows: str) -> None:
        figure.savefig(out / name, dpi=110, bbox_inches="tight")
        made[name] = shows

    walks = sorted(runs.glob("two-layer-unconditional-*/walk.png"))
    if walks:
        words = "t = T, …, 0: one walk of the 2-layer net"
        save(_pictures({words: walks[0]}, 9), "figure-1.png", words)
    for row, name in FIGURES.items():
        shown = {
            _caption(r): path
            for r in results
            if (r["row"], r["seed"]) == (row, 0)
            and (path := runs / r["name"] / "samples.png").exists()
        }
        if shown:
            words = "; ".join(caption.splitlines()[0] for caption in shown)
            save(_pictures(shown, 6), f"{name}.png", f"Samples. {words}")
    if results:
        save(_kid_by_row(results), "kid.png", "KID of each row, a dot for each seed")
    for result in results:
        if "guidance" in result:
            save(_guidance(result), "guidance.png", "Scores against w")
            break
    return made


def _caption(result: dict) -> str:
    """What a picture shows, with its scores and the paper's."""
    model = MODELS[result["conditional"]]
    ours = [result["published"].get(name) for name in paper.QUALITY]
    theirs = paper.TABLE_1.get((result["row"], result["conditional"]))
    lines = [f"{result['title']}, {model}"]
    for who, values in (("here", ours), ("paper", theirs)):
        if values:
            scores = " / ".join("—" if v is None else f"{v:.2f}" for v in values)
            lines.append(f"{who}: {scores}")
    return "\n".join(lines)


def _pictures(files: dict[str, Path], width: float) -> Figure:
    """Pictures side by side, each below its caption."""
    with_pixels = {caption: np.asarray(Image.open(path)) for caption, path in files.items()}
    height, across = next(iter(with_pixels.values())).shape[:2]
    lines = max(caption.count("\n") + 1 for caption in files)
    size = width * len(files), width * height / across + 0.2 * lines
    figure = Figure(size, layout="constrained")
    for i, (caption, pixels) in enumerate(with_pixels.items(), 1):
        axes = figure.add_subplot(1, len(files), i)
        axes.imshow(pixels, interpolation="nearest")
        axes.set_title(caption, fontsize=10)
        axes.axis("off")
    return figure


def _kid_by_row(results: Results) -> Figure:
    """KID of the larger sets: a dot for each seed, the net itself and its EMA."""
    rows = list(dict.fromkeys((r["row"], r["conditional"]) for r in results))
    titles = {(r["row"], r["conditional"]): r["title"] for r in results}
    figure = Figure((8, 1 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for key, colour, marker, name in (("more", BLUE, "o", "the net"), ("ema", ORANGE, "x", "EMA")):
        places = [len(rows) - rows.index((r["row"], r["conditional"])) for r in results]
        values = [r[key]["KID"]["value"] for r in results]
        axes.plot(values, places, marker, color=colour, label=name, fillstyle="none")
    axes.set_yticks(
        range(len(rows), 0, -1), [f"{titles[row]}, {MODELS[row[1]]}" for row in rows], fontsize=9
    )
    axes.set_xlabel(f"KID over {results[0]['more']['KID']['features']} (lower is better)")
    axes.grid(axis="x", color="#dddddd")
    axes.legend(frameon=False)
    return figure


def _guidance(result: dict) -> Figure:
    """Table 3 as curves: what 53 images say, and what many do."""
    rows = result["guidance"]
    ws = [row["w"] for row in rows]
    figure = Figure((9, 3.3), layout="constrained")
    panels = [
        (
            "FID of 53 images",
            {
                "the paper": [paper.TABLE_3[w][0] if w in paper.TABLE_3 else np.nan for w in ws],
                "here, as published": [row["published"]["FID"] for row in rows],
                "here, corrected": [row["corrected"]["FID"]["value"] for row in rows],
            },
        ),
        (
            "IS of 53 images",
            {
                "the paper": [paper.TABLE_3[w][1] if w in paper.TABLE_3 else np.nan for w in ws],
                "here, as published": [row["published"]["IS"] for row in rows],
                "here, corrected": [row["corrected"]["IS"]["value"] for row in rows],
            },
        ),
        (
            f"KID of {rows[0]['more']['KID']['n']:,} images",
            {"here": [row["more"]["KID"]["value"] for row in rows]},
        ),
        (
            "recognition, diversity",
            {
                name.split()[-1]: [value_of(row["more"], name) for row in rows]
                for name in ("recognition top-5", "diversity")
            },
        ),
    ]
    for i, (title, curves) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), i, title=title, xlabel="w")
        axes.title.set_fontsize(10)
        lines = iter([(BLUE, "-"), (ORANGE, "--")])
        for name, values in curves.items():
            if not any(v == v for v in values):  # all NaN: none of the paper's w
                continue
            colour, style = (GREY, ":") if name == "the paper" else next(lines)
            scale = _as_ones(values) if title.startswith("FID") else values
            axes.plot(ws, scale, style, color=colour, marker=".", label=name)
        if title.startswith("FID"):
            axes.set_ylabel("in units of its mean over w")  # other features, other scales
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def _as_ones(values: Sequence[float]) -> list[float]:
    mean = fmean(v for v in values if v == v)
    return [v / mean for v in values]
