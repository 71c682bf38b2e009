"""Build notebooks/NN_name.ipynb from notebooks/NN_name.py, and execute it, so that it carries its
pictures and widgets for readers who run nothing.

    python tools/build_notebooks.py                     all of them
    python tools/build_notebooks.py 00_first_flower     one
    python tools/build_notebooks.py --words             only text has changed, or the scripts of the
                                                        widgets: executes nothing
    python tools/build_notebooks.py --check             fail if one is stale; executes nothing

The .py file (jupytext's percent format) is the source: edit that one. Building twice gives the same
file twice, so a diff shows what changed.

A lesson with exercises has two editions. The source holds the answers, each between two comments:

    def noise_step(x, beta, eps):
        # solution
        return (1 - beta) ** 0.5 * x + beta**0.5 * eps
        # end of solution

In notebooks/solutions/NN_name.ipynb the comments are gone; in notebooks/NN_name.ipynb, the
students' edition, `return ...` stands in the place of the answer.

Below the title every lesson gets the same cell, tools/colab/first_cell.py: it installs the course.
"""

import argparse
import importlib
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
CELL_SECONDS = 600  # as in the Makefile: without bf16, lesson 03 trains for seven minutes
MAX_BYTES = 3_000_000
SOLUTION = re.compile(r"^( *)# solution\n(.*?)^ *# end of solution$", re.M | re.S)
SOLVED = "> **Solved edition.** Every exercise has its answer: try yourself before you look.\n"
WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# Run last: it shows every widget once more, as it is then.
SHOW_AGAIN = """
import gc
from IPython.display import display
from flowerdiff.widgets.player import StaticFallback
display(*(thing for thing in gc.get_objects() if issubclass(type(thing), StaticFallback)))
"""
# Where Colab fetches the course. OWNER is not known yet: the one place to say it. Then build again.
REPOSITORY = "https://github.com/OWNER/flowerdiff"


def has_exercises(source: Path) -> bool:
    return bool(SOLUTION.search(source.read_text(encoding="utf-8")))


def editions(source: Path) -> dict[Path, bool]:
    """The files that are built from a source, and whether the exercises are solved in them."""
    student = source.with_suffix(".ipynb")
    solved = student.parent / "solutions" / student.name
    return {student: False, solved: True} if has_exercises(source) else {student: False}


def from_source(source: Path, solved: bool = False) -> nbformat.NotebookNode:
    """The notebook as written, without outputs, in one of its editions."""
    notebook = jupytext.read(source, fmt="py:percent")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem}-{i:02d}"  # jupytext would draw new ones each time
        tags = _tags(cell)
        if cell.cell_type == "code" and SOLUTION.search(cell.source):
            cell.source = SOLUTION.sub(_answer if solved else _stub, cell.source)
            tags = [*tags, "exercise", "nbval-check-output"]  # what a check prints must stay so
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    if solved:
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n{SOLVED}{rest}"
    notebook.cells.insert(1, first_cell(f"{source.stem}-install"))
    return notebook


def first_cell(cell_id: str) -> nbformat.NotebookNode:
    """The cell that fetches flowerdiff where it is missing; folded, and not on the site."""
    text = (ROOT / "tools/colab/first_cell.py").read_text(encoding="utf-8").rstrip("\n")
    folder = f"{REPOSITORY.rpartition('/')[2]}-main"  # in the archive of a branch `main`
    text = text.replace("REPOSITORY", REPOSITORY).replace("FOLDER", folder)
    metadata = {"tags": ["remove-cell"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    return nbformat.v4.new_code_cell(text, id=cell_id, metadata=metadata)


def _answer(match: re.Match) -> str:
    return match[2].rstrip("\n")


def _stub(match: re.Match) -> str:
    return f"{match[1]}return ...  # your code"


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run every cell in a kernel of its own, in the notebooks' folder; an error stops the build.

    A widget that went on after its cell (a training monitor) is stored with its last picture, as
    its state is: else readers would see the first moment of a run that has long ended.
    """
    notebook.cells.append(nbformat.v4.new_code_cell(SHOW_AGAIN))
    # This checkout, not another flowerdiff that may be installed; and nothing from a network.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
    where = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(notebook, timeout=CELL_SECONDS, resources=where, record_timing=False)
    client.coalesce_streams = True  # what is printed comes in pieces, cut anew each time
    client.execute(env=environment)  # the kernel's alone: tests go on in this process
    last = {_model(output): output for output in notebook.cells.pop().outputs}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if (model := _model(output)) and model in last:
                output.update(data=last[model].data, metadata=last[model].metadata)
    notebook.metadata.language_info = {"name": "python"}  # not the version that happened to run it


def as_text(notebook: nbformat.NotebookNode) -> str:
    """The file's text, with the random names of the widgets' models replaced by their numbers."""
    text = nbformat.writes(notebook)
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for i, model_id in enumerate(state):
        text = text.replace(model_id, f"{i:032x}")
    return nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"  # sorted by the new names


def build(source: Path, built: Path, solved: bool) -> None:
    started = time.monotonic()
    notebook = from_source(source, solved)
    execute(notebook)
    name = built.relative_to(NOTEBOOKS)
    if solved and (wrong := [cell.id for cell in notebook.cells if not _right(cell)]):
        sys.exit(f"{name}: the solution is not right in {', '.join(wrong)}")
    text = as_text(notebook)
    if len(text.encode()) > MAX_BYTES:
        sys.exit(f"{name}: {len(text) / 1e6:.1f} MB built; a lesson has at most 3 MB")
    built.parent.mkdir(exist_ok=True)
    built.write_text(text, encoding="utf-8")
    print(f"{name}: {time.monotonic() - started:.0f} s, {len(text) / 1e6:.2f} MB")


def reword(source: Path, built: Path, solved: bool) -> None:
    """Put the source's text cells into the built notebook, and the library's scripts and styles
    into its widgets; its outputs stay: in a second, not in minutes. Exits if anything but text has
    changed.
    """
    notebook, written = nbformat.read(built, as_version=4), from_source(source, solved)
    for cell, new in zip(notebook.cells, written.cells, strict=False):
        if cell.cell_type == new.cell_type == "markdown":
            cell.source = new.source
    if _as_written(notebook.cells) != _as_written(written.cells):
        sys.exit(f"{built.name}: not only words have changed; build it without --words")
    for widget in _anywidgets(notebook):
        widget |= _of_the_page(widget)
    built.write_text(as_text(notebook), encoding="utf-8")


def _anywidgets(notebook) -> list[dict]:
    """The states of a notebook's widgets that bring a script of ours along."""
    models = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {}).values()
    return [model["state"] for model in models if "_esm" in model["state"]]


def _of_the_page(widget: dict) -> dict[str, str]:
    """The script and the style that the library has today for a widget with this state."""
    module, _, name = widget["_anywidget_id"].rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    return {part: str(getattr(kind, part)) for part in ("_esm", "_css")}


def _model(output) -> str | None:
    """The widget that an output shows."""
    return output.get("data", {}).get(VIEW, {}).get("model_id")


def _right(cell) -> bool:
    """Whether the check of an exercise says ✓; other cells are all right."""
    printed = "".join(output.get("text", "") for output in cell.get("outputs", []))
    return "exercise" not in _tags(cell) or ("✓" in printed and not re.search("[○✗]", printed))


def stale(source: Path, built: Path, solved: bool) -> str:
    """Why the built notebook is not that of its source; "" if it is."""
    if not built.exists():
        return "not built"
    notebook = nbformat.read(built, as_version=4)
    if any(widget | _of_the_page(widget) != widget for widget in _anywidgets(notebook)):
        return "the widgets' scripts have changed since it was built (--words puts them in)"
    cells = notebook.cells
    if _as_written(cells) != _as_written(from_source(source, solved).cells):
        return "the source has changed since it was built"
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source]
    if any(cell.execution_count is None and "skip-execution" not in _tags(cell) for cell in code):
        return "it has cells that were not executed"
    return ""


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def _as_written(cells) -> list[tuple]:
    """All that comes from the source, and nothing that comes of running it."""
    return [(cell.id, cell.cell_type, cell.source, _tags(cell)) for cell in cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="like 00_first_flower; all of them if none")
    parser.add_argument("--check", action="store_true", help="only say which are stale")
    parser.add_argument("--words", action="store_true", help="take over text cells, run nothing")
    arguments = parser.parse_args()
    sources = [NOTEBOOKS / f"{Path(name).stem}.py" for name in arguments.names]
    sources = sources or sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    jobs = [(source, *edition) for source in sources for edition in editions(source).items()]
    if not arguments.check:
        for job in jobs:
            (reword if arguments.words else build)(*job)
        return
    reasons = {job[1].relative_to(NOTEBOOKS): reason for job in jobs if (reason := stale(*job))}
    for name, reason in reasons.items():
        print(f"{name}: {reason}; run: python tools/build_notebooks.py {name.stem}")
    sys.exit(1 if reasons else 0)


if __name__ == "__main__":
    main()
