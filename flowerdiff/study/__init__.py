"""The paper's study, whole: `flowerdiff study --scale laptop --out runs/study`.

grid     the runs, from configs/study.toml
cost     what they will take on this machine (--dry-run)
work     train and measure them, one after the other, by any number of workers
measure  what is measured of one run
audit    the paper's mistakes of measurement, made again on purpose
tables, figures   what came out, beside the paper's numbers (paper)
"""

from __future__ import annotations

import json
from pathlib import Path

from flowerdiff.study.cost import estimate
from flowerdiff.study.cost import table as cost_table
from flowerdiff.study.grid import Study, read_study
from flowerdiff.study.tables import tables
from flowerdiff.study.worker import check_same_study, spread, work, worker_command, write

__all__ = [
    "Study", "cost_table", "estimate", "read_study", "report", "spread", "tables", "work",
    "worker_command",
]  # fmt: skip


def report(study: Study, out: Path, where: Path) -> Path:
    """Write what is done so far to `where`: results.json, tables.md, figures. Returns the tables.

    Raises ValueError if nothing is done yet.
    """
    from flowerdiff.metrics import require_extra

    require_extra(["matplotlib"], "notebooks")
    from flowerdiff.study.figures import figures

    check_same_study(study, out)
    files = [out / run.name / "result.json" for run in study.runs]
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
    if not results:
        raise ValueError(f"no run of this study is done in {out}")
    real = json.loads((out / "real.json").read_text(encoding="utf-8"))
    where.mkdir(parents=True, exist_ok=True)
    write(where / "results.json", {"real": real, "runs": results})
    done = f"{len(results)} of {len(files)} runs are done."
    pictures = figures(results, out, where)
    text = f"# The study, {study.scale} scale\n\n{done}\n\n" + tables(
        results, real["scores"], real["missing"]
    )
    text += "\n" + "".join(f"![{shows}]({name})\n" for name, shows in pictures.items())
    (where / "tables.md").write_text(text, encoding="utf-8")
    return where / "tables.md"
