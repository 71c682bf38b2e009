"""Build the site: docs/ and the built lessons, as pages that also open from a disk (file://).

    python tools/build_docs.py              into build/site: open build/site/index.html
    python tools/build_docs.py --out DIR

Before Sphinx reads them, the pages of docs/ are laid out in build/site-source, and beside them the
lessons (each notebooks/NN_name.ipynb, with the solutions folded), one page for each part of the
library, the model's card and the tables of what was measured. Nothing is run but the recording of
the explorer's walks, and that only if the model is another one (tools/record_explorer.py).
"""

import argparse
import html
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
from folders import clear  # this and the next lie beside this file
from record_explorer import OUT as WALKS
from record_explorer import bring_up_to_date
from sphinx.cmd.build import main as sphinx

from flowerdiff.widgets.player import HERE as WIDGETS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "flowerdiff"
VIEW = "application/vnd.jupyter.widget-view+json"
RUN_IT = "> Read it here, or run it and change it: `make lab`, then open `{}`.\n"


def page_of(notebook: Path, solved: Path | None = None) -> nbformat.NotebookNode:
    """A lesson as a page: below each exercise its solution, folded; pictures with alt text."""
    page = nbformat.read(notebook, as_version=4)
    title, _, rest = page.cells[0].source.partition("\n")
    page.cells[0].source = f"{title}\n\n{RUN_IT.format(f'notebooks/{notebook.name}')}{rest}"
    solutions = nbformat.read(solved, as_version=4).cells if solved else []
    solutions = {cell.id: cell for cell in solutions if "exercise" in cell.metadata.get("tags", ())}
    cells = []
    for cell in page.cells:
        cells.append(cell)
        if solution := solutions.get(cell.id):
            solution.id += "-solved"
            solution.metadata.tags = ["hide-cell"]
            words = {f"code_prompt_{do}": f"{do.title()} the solution" for do in ("show", "hide")}
            solution.metadata.mystnb = words
            for output in solution.outputs:
                output.get("data", {}).pop(VIEW, None)  # its widget is not in the page's state
            cells.append(solution)
    for cell in cells:
        for output in cell.get("outputs", []):
            _picture_with_words(output)
    page.cells = cells
    return page


def _picture_with_words(output) -> None:
    """Sphinx would drop the alt text; and beside a widget, the picture for pages without script."""
    data = output.get("data", {})
    if "image/png" not in data:
        return
    about = output.get("metadata", {}).get("image/png", {})
    png = "".join(data["image/png"].split())
    width = f' width="{about["width"]}"' if "width" in about else ""
    alt = html.escape(about.get("alt", ""))
    image = f'<img class="fd-still" alt="{alt}"{width} src="data:image/png;base64,{png}">'
    if VIEW in data:
        image = f'<div class="fd-live" data-model="{data.pop(VIEW)["model_id"]}">{image}</div>'
    output["data"] = {"text/html": image}


def parts(package: Path = PACKAGE) -> dict[str, list[str]]:
    """The library's parts, and the modules of each. Of the checks only what they are made of: the
    lessons' own would tell what is wrong with an answer before it is given.
    """
    found = {}
    for path in sorted(package.rglob("*.py")):
        *folders, name = path.relative_to(package.parent).with_suffix("").parts
        module = ".".join([*folders, name]).removesuffix(".__init__")
        part = module.split(".")[1:2]
        if part and part != ["__main__"] and not (part == ["checks"] and len(folders) > 2):
            found.setdefault(part[0], []).append(module)
    return found


def api_page(name: str, modules: list[str]) -> str:
    """A page of the reference: the part's own words, then each of its modules."""
    lines = [f"# {name}", ""]
    for module in sorted(modules):
        is_package = len(modules) > 1 and module == f"flowerdiff.{name}"
        if module != f"flowerdiff.{name}":
            lines += [f"## {module.removeprefix('flowerdiff.')}", ""]
        members = [] if is_package else ["   :members:"]
        lines += ["```{eval-rst}", f".. automodule:: {module}", *members, "```", ""]
    return "\n".join(lines)


def table(head: list[str], rows: Iterable[list], about: dict, keys: Iterable[str]) -> str:
    """A table, and below it what is to be known about it."""
    lines = [head, ["---"] * len(head), *rows]
    text = "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
    return f"{text}\n{'; '.join(f'{key}: `{about[key]}`' for key in keys)}.\n"


SCORES = ("recognition", "diversity", "kid", "saturation")


def scored(setting: dict) -> list:
    """The cells of SCORES. Diversity may be missing; of saturation there is no interval."""
    setting = {"diversity": None} | setting
    *scores, saturation = (setting[name] for name in SCORES)
    return [*(interval(*score) if score else "" for score in scores), f"{saturation:.2f}"]


def guidance_table(measured: dict) -> str:
    rows = [[setting["name"], *scored(setting)] for setting in measured["settings"]]
    rows.append(["photographs", *scored(measured["real"])])
    head = ["guidance", "recognition", "diversity", "KID", "saturation"]
    return table(head, rows, measured, ("model", "n", "sampler", "steps", "features", "command"))


def steps_table(measured: dict) -> str:
    """The walks of few steps first."""
    rows = [[s["steps"] or "all", s["walk"], s["n"], *scored(s)] for s in measured["settings"]]
    rows.append(["", "photographs", measured["real"]["n"], *scored(measured["real"])])
    head = ["steps", "walk", "n", "recognition", "diversity", "KID", "saturation"]
    return table(head, rows, measured, ("model", "w", "features", "command"))


def interval(value: float, low: float, high: float) -> str:
    # Narrow columns break the line, if anywhere, before the bracket.
    return f"{value:.3g} [{low:.3g},\N{NO-BREAK SPACE}{high:.3g}]"


def nets_table(measured: dict) -> str:
    head = ["net", "parameters", "MFLOP for a picture", "pictures seen", "loss"]
    rows = []
    for name, net in measured["nets"].items():
        end = net["curve"][-1]
        size, work = f"{net['parameters']:,}", f"{net['mflop_per_image']:.0f}"
        rows.append([name, size, work, f"{end['images']:,}", f"{end['loss']:.4f}"])
    return table(head, rows, measured, ("data", "command", "machine"))


def search_table(measured: dict) -> str:
    """The short runs, the best first; at each size by itself, for their scores do not compare."""
    runs = [
        (run["settings"]["size"], run["scores"]["KID"], name, run)
        for name, run in measured["runs"].items()
    ]
    rows = []
    for size, kid, name, run in sorted(runs, key=lambda run: run[:3]):
        shares = [f"{run['scores'][f'recognition top-{k}'][0]:.0%}" for k in (1, 5)]
        rate, seen = f"{run['images_per_second']:.0f}", f"{run['images']:,}"
        rows.append([size, name, rate, seen, interval(*kid), " / ".join(shares)])
    head = ["px", "what is other", "images/s", "images seen", "KID", "top-1 / top-5"]
    return table(head, rows, measured, ("samples", "sampler", "command", "machine"))


RESULTS = {
    "_guidance.md": (guidance_table, "guidance.json"),
    "_steps.md": (steps_table, "steps.json"),
    "_nets.md": (nets_table, "nets/compare.json"),
    "_search.md": (search_table, "search.json"),
}


def on_the_site(text: str) -> str:
    """A page's text with its links into the repository, ../notebooks/NAME and ../flowerdiff/NAME.py
    (or a folder's __init__.py), turned into links to the pages that show these.
    """
    text = re.sub(r"\]\((?:\.\./)((?:\.\./)*)notebooks/", r"](\1lessons/", text)
    module = r"\]\((?:\.\./)((?:\.\./)*)flowerdiff/(\w+)(?:\.py|/__init__\.py)\)"
    return re.sub(module, r"](\1api/\2.md)", text)


def lay_out(source: Path) -> None:
    """Everything that Sphinx reads, in one folder."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("__pycache__"))
    for page in source.rglob("*.md"):
        page.write_text(on_the_site(page.read_text(encoding="utf-8")), encoding="utf-8")
    for notebook in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        solved = notebook.parent / "solutions" / notebook.name
        page = page_of(notebook, solved if solved.exists() else None)
        _write(source / "lessons" / notebook.name, nbformat.writes(page))
    for name, modules in parts().items():
        _write(source / "api" / f"{name}.md", api_page(name, modules))
    shutil.copy(PACKAGE / "weights/flowers64.md", source / "_card.md")
    for name, (make, file) in RESULTS.items():
        _write(
            source / name,
            make(json.loads((ROOT / "docs/results" / file).read_text(encoding="utf-8"))),
        )
    player = {"_esm": WIDGETS / "player.js", "_css": WIDGETS / "player.css"}
    texts = {name: path.read_text(encoding="utf-8") for name, path in player.items()}
    _write(source / "_static/player.js", f"const flowerdiffPlayer = {json.dumps(texts)};\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def build(out: Path, walks: Path, source: Path) -> None:
    """Pages in `out`, with the walks of the explorer; any warning of Sphinx's ends it."""
    lay_out(source)
    clear(out, "searchindex.js")
    doctrees = source.parent / f"{source.name}-doctrees"
    strict = ["--fail-on-warning", "--fresh-env", "--quiet", "--doctree-dir", str(doctrees)]
    if code := sphinx([*strict, str(source), str(out)]):
        sys.exit(code)
    (out / ".buildinfo").unlink()
    shutil.copytree(walks, out / "_static/walks", ignore=shutil.ignore_patterns("made-with"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build/site")
    arguments = parser.parse_args()
    bring_up_to_date()
    build(arguments.out.resolve(), WALKS, ROOT / "build/site-source")
    size = sum(file.stat().st_size for file in arguments.out.rglob("*") if file.is_file())
    print(f"{arguments.out / 'index.html'}: {size / 1e6:.0f} MB in all")


if __name__ == "__main__":
    main()
