"""The study's tables, in Markdown, with the paper's numbers beside ours.

A cell is the mean over the seeds, and behind it the lowest and the highest seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from flowerdiff.metrics.score import t95
from flowerdiff.study import paper

MODELS = {False: "unconditional", True: "conditional"}
MORE = {
    "KID": "↓",
    "FID": "↓",
    "recognition top-5": "↑",
    "diversity": "",
    "NIQE": "↓",
    "BRISQUE": "↓",
    "CNN-IQA": "↑",
}
WHICH = {"published": "as published", "corrected": "corrected", "more": "of more images"}
COMPARED = (
    ("published", "NIQE"),
    ("published", "BRISQUE"),
    ("published", "CNN-IQA"),
    ("more", "NIQE"),
    ("more", "BRISQUE"),
    ("more", "CNN-IQA"),
    ("more", "KID"),
    ("more", "recognition top-5"),
)
Results = Sequence[dict]  # what the result.json of some runs hold


def tables(results: Results, real: dict | None, missing: dict[str, str]) -> str:
    """All of them. real: the scores of real flowers; missing: which scores could not be had."""
    failed = [r["name"] for r in results if "failed" in r]
    results = [r for r in results if "failed" not in r]
    parts = [
        "## Table 1: quality of 106 images\n",
        *(table_1(results, conditional) for conditional in MODELS),
        "## Table 2: time\n",
        table_2(results),
        "## Table 3: guidance scale\n",
        table_3(results),
        "## More images\n",
        *(more(results, conditional, real) for conditional in MODELS),
        "## What can be told from luck\n",
        compared := differences(results),
        _by_luck(compared),
        _small_print(results, failed, missing),
    ]
    return "\n".join(part for part in parts if part)


def table_1(results: Results, conditional: bool) -> str:
    """As the paper reports it, as its code would score our images, and as it should."""
    rows = [
        [
            title,
            " / ".join(_number(x) for x in paper.TABLE_1.get((row, conditional), ())) or "—",
            _several(some, "published", paper.QUALITY),
            _several(some, "corrected", paper.QUALITY),
        ]
        for row, title, some in _rows(results, conditional)
        if (row, conditional) in paper.TABLE_1 or row == "augmented-as-intended"
    ]
    head = [
        f"{MODELS[conditional]}: CNN-IQA ↑ / NIQE ↓ / BRISQUE ↓",
        "the paper",
        "here, as published",
        "here, corrected",
    ]
    return _table(head, rows)


def table_2(results: Results) -> str:
    rows = []
    for conditional, model in MODELS.items():
        for row, title, some in _rows(results, conditional):
            if (row, conditional) in paper.TABLE_2:
                training, drawing = (
                    fmean(r[what]["seconds" if r["on_gpu"] else "cpu_seconds"] for r in some)
                    for what in ("training", "drawing")
                )
                theirs = paper.TABLE_2[row, conditional]
                rows.append([f"{title}, {model}", *theirs, _clock(training), _clock(drawing)])
    head = ["", "the paper: training", "sampling", "here: training", "sampling"]
    return _table(head, rows)


def table_3(results: Results) -> str:
    some = [r for r in results if "guidance" in r]
    if not some:
        return ""
    rows = []
    for i, w in enumerate(x["w"] for x in some[0]["guidance"]):
        ours = [r["guidance"][i] for r in some]
        rows.append(
            [
                f"{w:g}",
                " / ".join(_number(x) for x in paper.TABLE_3.get(w, ())) or "—",
                _several(ours, "published", ("FID", "IS")),
                _several(ours, "corrected", ("FID", "IS")),
                *(
                    _cell(ours, lambda r, q=q: value_of(r["more"], q))
                    for q in ("KID", "recognition top-5", "diversity")
                ),
            ]
        )
    n = some[0]["measures"]["more_images"]
    head = [
        "w",
        "the paper: FID ↓ / IS ↑",
        "here, as published",
        "here, corrected",
        f"KID ↓, n = {n:,}",
        "recognition top-5 ↑",
        "diversity",
    ]
    return _table(head, rows)


def more(results: Results, conditional: bool, real: dict | None) -> str:
    """The scores of many images, of the net itself and of its EMA."""
    measured = {name for r in results if r["conditional"] == conditional for name in r["more"]}
    names = [name for name in MORE if name in measured]
    rows = []
    for _, title, some in _rows(results, conditional):
        for part, what in (("more", ""), ("ema", ", EMA")):
            cells = [_cell(some, lambda r, q=q, part=part: value_of(r[part], q)) for q in names]
            rows.append([title + what, *cells])
    if rows and real:
        cells = [_cell([real], lambda r, q=q: value_of(r, q)) for q in names]
        rows.append(["real flowers, held out", *cells])
    head = [MODELS[conditional], *(f"{name} {MORE[name]}" for name in names)]
    return _table(head, rows)


def differences(results: Results) -> str:
    """Each row less its base, with a 95 % interval of what other seeds would give.

    The spread between seeds is pooled over all rows that have several, for one row's three say
    little; so a row with one seed has an interval too. Student's t.
    """
    rows = []
    for conditional, model in MODELS.items():
        groups = {row: (title, some) for row, title, some in _rows(results, conditional)}
        for part, name in COMPARED:
            values = {
                row: [v for r in some if (v := value_of(r[part], name)) is not None]
                for row, (_, some) in groups.items()
            }
            spread = _pooled(list(values.values()))
            for row, (title, some) in groups.items():
                theirs, ours = values[row], values.get(some[0]["base"])
                if spread is None or not ours or not theirs:
                    continue
                sd, df = spread
                half = t95(df) * sd * (1 / len(ours) + 1 / len(theirs)) ** 0.5
                gap = fmean(theirs) - fmean(ours)
                told = "can't be told" if abs(gap) < half else "lower" if gap < 0 else "higher"
                compared = f"{title}, {model}, with {groups[some[0]['base']][0]}"
                between = f"{_number(gap - half)} to {_number(gap + half)}"
                rows.append([compared, f"{name}, {WHICH[part]}", _number(gap), between, told])
    return _table(["compared", "score", "difference", "95 % interval", ""], rows)


def _by_luck(table: str) -> str:
    """Below the table of differences: how many of them 95 % intervals find where there is none."""
    n = len(table.splitlines()) - 2  # less its head
    sentence = f"Where nothing differs, one line in 20 says otherwise: some {n / 20:.0f} of {n}.\n"
    return sentence if table else ""


def _pooled(groups: list[list[float]]) -> tuple[float, int] | None:
    """Standard deviation within groups, and its degrees of freedom; None if there are none."""
    squares = sum((x - fmean(group)) ** 2 for group in groups for x in group if len(group) > 1)
    df = sum(len(group) - 1 for group in groups if len(group) > 1)
    return ((squares / df) ** 0.5, df) if df else None


def _small_print(results: Results, failed: list[str], missing: dict[str, str]) -> str:
    notes = []
    if results:
        r = results[0]
        m, train = r["measures"], r["settings"]["train"]
        notes += [
            f"Scale: {r['scale']}; {r['data']}, source {r['settings']['source']}. "
            f"Learning rate {train['lr']:g}, {r['training']['images']:,} images seen.",
            f"The paper's images: ancestral sampling, {m['published_steps'] or 'all'} steps; the "
            f"larger sets: {m['more_images']:,} images, DDIM, {m['more_steps']} steps, w = 0.",
            f"Features of FID, KID, IS and recognition: {m['features']}. Only Inception's compare "
            "with the paper's FID and IS.",
            "Intervals: Student's t; the spread between seeds is pooled over the rows that have "
            "several, as if all spread alike. Black rows spread more: others' are rather too long.",
            f"Time here: {'on the clock' if r['on_gpu'] else 'CPU time of all threads'}.",
            f"Machines: {'; '.join(sorted({r['machine'] for r in results}))}. "
            f"Made {max(r['made'] for r in results)}.",
        ]
    notes += [f"Not measured: {why}" for why in missing.values()]
    notes += [f"Diverged: {name}" for name in failed]
    return "\n".join(f"- {note}" for note in notes) + "\n"


def _rows(results: Results, conditional: bool) -> list[tuple[str, str, list[dict]]]:
    """(row, title, its results, one for each seed), in the order of the grid."""
    rows: dict[str, list[dict]] = {}
    for result in results:
        if result["conditional"] == conditional:
            rows.setdefault(result["row"], []).append(result)
    return [(row, some[0]["title"], some) for row, some in rows.items()]


def value_of(scores: dict, name: str) -> float | None:
    """A score's value: it is there with all that it carries, or as a number, or not at all."""
    score = scores.get(name)
    return score["value"] if isinstance(score, dict) else score


def _cell(some: Results, of: Callable[[dict], float | None]) -> str:
    values = [value for value in map(of, some) if value is not None]
    if not values:
        return "—"
    spread = f" ({_number(min(values))} to {_number(max(values))})" if len(values) > 1 else ""
    return _number(fmean(values)) + spread


def _several(some: Results, part: str, names: Sequence[str]) -> str:
    """Cells of several scores, with slashes between them."""
    return " / ".join(_cell(some, lambda r, q=q: value_of(r[part], q)) for q in names)


def _number(x: float) -> str:
    return f"{x:.3f}" if abs(x) < 1 else f"{x:.2f}" if abs(x) < 100 else f"{x:.0f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
