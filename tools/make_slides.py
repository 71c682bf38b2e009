"""Make slides of the lessons: build/slides/index.html, to open from a disk; no network, no server.

    python tools/make_slides.py                     all lessons
    python tools/make_slides.py 01_forward_diffusion

The source is the built lesson (notebooks/NN_name.ipynb, and so notebooks/NN_name.py): nothing is
written twice. A turn of a lesson becomes two slides: the question ("Predict"), then what the cell
shows, with the first words of the explanation. Players are alive. Exercises, common mistakes and
key points have slides of their own. What does not fit, the rest of the explanation and the code,
is in the slide's notes, which open in a window of their own (key n).
"""

import argparse
import base64
import html
import importlib.util
import json
import re
import shutil
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from folders import clear  # beside this file
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / "tools" / "slides"
SHOW = ROOT / "docs" / "_static" / "widgets.js"  # as on the site: revives widgets without Python
PROJECTOR = ROOT / "flowerdiff" / "widgets" / "projector.css"
VIEW = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"
ROOM, BESIDE = 700, 320  # characters that can be read from the last row, alone or by a picture
LINES = 12  # of printed output
WHOLE = ("Common mistakes", "Key points")  # sections that are shown to their last word
LEFT_OUT = ("What you have solved", "Where to go on")


@dataclass
class Slide:
    title: str
    body: str  # HTML
    kind: str = "text"  # its class: title, text, question, picture, wide, exercise
    notes: list[str] = field(default_factory=list)  # HTML


@dataclass(frozen=True)
class Block:
    """A paragraph, an item, an equation ...: the smallest thing that goes onto a slide."""

    kind: str  # of markdown-it: paragraph, heading, blockquote, math_block, list_item, table ...
    source: str  # Markdown


def _parser() -> MarkdownIt:
    """CommonMark with tables, and with $math$ that goes through to MathJax as it is."""
    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, double_inline=True)
    for name, form in {"math_inline": "\\({}\\)", "math_block": "<p>\\[{}\\]</p>"}.items():

        def math(self, tokens, i, options, env, form=form):
            return form.format(html.escape(tokens[i].content))

        parser.add_render_rule(name, math)
        parser.add_render_rule(f"{name}_double", math)
    return parser


PARSER = _parser()


def render(source: str) -> str:
    """HTML of Markdown. Links lead nowhere in a lecture room: their words stay."""
    return re.sub(r"</?a\b[^>]*>", "", PARSER.render(source)).strip()


def blocks(source: str) -> list[Block]:
    """A cell's Markdown, cut into its blocks; a list into its items."""
    lines, found = source.splitlines(), []
    for token in PARSER.parse(source):
        kind = token.type.removesuffix("_open")
        if not token.map or token.nesting < 0 or kind in ("bullet_list", "ordered_list"):
            continue
        if token.level == 0 or (token.level == 1 and kind == "list_item"):
            found.append(Block(kind, "\n".join(lines[slice(*token.map)]).strip()))
    return found


def weight(block: Block) -> int:
    """How much room a block takes, in characters of running text."""
    if block.kind == "math_block":
        return 90 * (1 + len(re.findall(r"\\\\|\\underbrace|\n", block.source.strip("$ \n"))) // 2)
    if block.kind in ("table", "fence"):
        return 50 * len(block.source.splitlines())
    return len(re.sub(r"\$[^$]*\$", "xxxx", block.source)) + 30 * (block.kind == "list_item")


def fitting(found: list[Block], room: int) -> int:
    """How many of the blocks fit."""
    used = 0
    for i, block in enumerate(found):
        used += weight(block)
        if used > room:
            return i
    return len(found)


def lead(found: list[Block], room: int) -> tuple[list[Block], list[Block]]:
    """(what of an explanation goes onto a slide, the blocks that are not shown to their end): its
    first blocks, or, if already the first one is too long, as many of its sentences as fit (one at
    least). It ends with a whole sentence.
    """
    n = fitting(found, room) or 1
    *kept, last = found[:n] or [None]
    if last and last.kind == "paragraph":
        text = " ".join(last.source.split())
        ends = sentence_ends(text) or [len(text)]
        left = room - sum(map(weight, kept))
        short = [end for end in ends if weight(Block("paragraph", text[:end])) <= left]
        cut = short[-1] if short else ends[0]
        if cut < len(text):
            return [*kept, Block("paragraph", text[:cut])], found[n - 1 :]
    return found[:n], found[n:]


def sentence_ends(text: str) -> list[int]:
    """Where a paragraph, in one line, may be cut. What leads to an equation is not whole."""
    ends = (m.end() for m in re.finditer(r"[.?!][*)\"”]*(?= +[A-Z*$(`\"“]|$)", text))
    return [end for end in ends if _closed(text[:end])]


def _closed(text: str) -> bool:
    """Whether a cut here leaves no emphasis, formula, name or bracket open."""
    if text.endswith(("al.", "e.g.", "i.e.", "vs.")):
        return False
    single = text.replace("**", "")  # marks of emphasis, without those of strong emphasis
    marks = [text.count("**"), single.count("*"), text.count("$"), text.count("`")]
    return not any(n % 2 for n in marks) and text.count("(") == text.count(")")


def pages(found: list[Block], room: int) -> list[list[Block]]:
    """All of it, on as many slides as it takes."""
    made = []
    while found:
        n = max(fitting(found, room), 1)
        made.append(found[:n])
        found = found[n:]
    return made


def to_html(found: Iterable[Block]) -> str:
    return "\n".join(render(block.source) for block in found)


def code(source: str) -> str:
    return f"<pre><code>{html.escape(source)}</code></pre>"


def shown(outputs: list) -> tuple[str, str, list[str]]:
    """What a cell put out: (HTML for the slide, its kind, HTML for the notes)."""
    figures, printed, notes, wide = [], [], [], True
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            png = "".join(data["image/png"].split())
            alt = output.metadata.get("image/png", {}).get("alt", "")
            image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png}">'
            if VIEW in data:
                image = f'<div class="live" data-model="{data[VIEW]["model_id"]}">{image}</div>'
            wide = wide and (VIEW in data or _aspect(png) > 1.5)
            figures.append(image)
            notes.append(f"<p><em>{html.escape(alt)}</em></p>")
        elif output.output_type == "stream":
            lines = output.text.rstrip().splitlines()
            fits = len(lines) <= LINES and max(map(len, lines), default=0) <= 100
            (printed if fits else notes).append(f"<pre>{html.escape(output.text.rstrip())}</pre>")
        elif tables := [b for b in blocks(data.get("text/markdown", "")) if b.kind == "table"]:
            printed.append(render(tables[0].source))
            notes += [render(table.source) for table in tables[1:]]
    if figures:
        return (
            f"<figure>{''.join(figures)}</figure>",
            "wide" if wide else "picture",
            notes + printed,
        )
    return "".join(printed), "text", notes


def _aspect(png: str) -> float:
    width, height = struct.unpack(">II", base64.b64decode(png[:64])[16:24])
    return width / height


class Deck:
    """The slides of a lesson, made from its cells one after the other."""

    def __init__(self, notebook: nbformat.NotebookNode):
        self.slides: list[Slide] = []
        self.section = self.heading = ""
        self.waiting: list[Block] = []  # text that is on no slide yet
        self.pictured: Slide | None = None  # a slide whose explanation is still to come
        for cell in notebook.cells:
            if "remove-cell" not in cell.metadata.get("tags", []):
                self.text(cell) if cell.cell_type == "markdown" else self.code(cell)
        self.flush()
        self.slides = [s for s in self.slides if s.title not in LEFT_OUT]

    def text(self, cell) -> None:
        for block in blocks(cell.source):
            if block.kind == "heading":
                self.flush()
                marks, _, title = block.source.partition(" ")
                self.heading = title
                if len(marks) < 3:
                    self.section = title
            elif block.kind == "blockquote" and "Predict" in block.source:
                self.question(re.sub(r"^> ?", "", block.source, flags=re.M))
            else:
                self.waiting.append(block)

    def question(self, words: str) -> None:
        """A slide of its own; a few words that lead to it stand above it."""
        body, notes = render(re.sub(r"^\*\*Predict\.\*\*\s*", "", words)), []
        if not self.pictured and self.slides and sum(map(weight, self.waiting)) <= BESIDE:
            notes = [to_html(self.waiting)]
            body = f'<div class="context">{notes[0]}</div>{body}' if self.waiting else body
            self.waiting = []
        self.flush()
        self.slides.append(Slide(self.section, body, "question", notes))

    def code(self, cell) -> None:
        self.flush()
        body, kind, notes = shown(cell.get("outputs", []))
        notes = [*notes, code(cell.source)]
        answers = bool(self.slides) and self.slides[-1].kind == "question"
        if kind == "text" and not answers and body.count("\n") < 2:
            body = ""  # a line that only says that all is well
        if body and "exercise" not in cell.metadata.get("tags", []):
            self.pictured = Slide(self.section, body, kind)
            self.slides.append(self.pictured)
        if self.slides:
            self.slides[-1].notes += notes
        if self.heading.startswith("Exercise"):
            self.heading = self.section  # what follows its check is the lesson again

    def flush(self) -> None:
        """Put the waiting text where it belongs."""
        found, picture = self.waiting, self.pictured
        self.waiting, self.pictured = [], None
        if not found:
            return
        everything = to_html(found)
        if picture:
            words, rest = lead(found, BESIDE)
            picture.body += f'<div class="words">{to_html(words)}</div>'
            picture.notes.insert(0, everything)
            if more := equations(rest):
                self.slides.append(Slide(self.section, to_html(more), notes=[everything]))
        elif not self.slides:
            self.opening(found)
        elif self.heading in WHOLE:
            for page in pages(found, ROOM):
                self.slides.append(Slide(self.heading, to_html(page)))
        elif self.heading.startswith("Exercise"):
            task, _ = lead(found, ROOM)
            self.slides.append(Slide(self.heading, to_html(task), "exercise", [everything]))
        else:
            words, rest = lead(found, ROOM)
            self.slides.append(Slide(self.heading, to_html(words), notes=[everything]))
            if more := equations(rest):
                self.slides.append(Slide(self.heading, to_html(more), notes=[everything]))

    def opening(self, found: list[Block]) -> None:
        """The lesson's name and minutes; then what one can do afterwards."""
        self.slides.append(Slide(self.section, render(found[0].source), "title", [to_html(found)]))
        aims = [block for block in found if block.kind == "list_item"]
        self.slides.append(Slide("Afterwards you can", to_html(aims), notes=[to_html(found)]))


def equations(found: list[Block]) -> list[Block]:
    """The equations of what did not fit, each with the sentence that leads to it."""
    kept = []
    for before, block in zip([None, *found], found, strict=False):
        if block.kind == "math_block":
            if before and before.kind in ("paragraph", "list_item"):
                text = " ".join(before.source.removeprefix("- ").split())
                start = max([end for end in sentence_ends(text) if end < len(text)], default=0)
                kept.append(Block("paragraph", text[start:].strip()))
            kept.append(block)
    return kept[: max(fitting(kept, ROOM), 2)]


def page(title: str, deck: Deck, states: dict) -> str:
    """A lesson's slides as one page, with its pictures and players in it."""
    total, sections, notes = len(deck.slides), [], []
    for i, slide in enumerate(deck.slides, start=1):
        tag = "h1" if slide.kind == "title" else "h2"
        mark = '<p class="predict">Predict</p>' if slide.kind == "question" else ""
        sections.append(
            f'<section class="slide {slide.kind}" id="s{i}" aria-roledescription="slide" '
            f'aria-label="{i} of {total}"><{tag} tabindex="-1">{render(slide.title)[3:-4]}</{tag}>'
            f'{mark}<div class="body">{slide.body}</div></section>'
        )
        notes.append(f'<div id="n{i}">{"".join(slide.notes)}</div>')
    saved = json.dumps({"state": paused(states)}).replace("</", "<\\/")
    return (PARTS / "page.html").read_text(encoding="utf-8").format(
        title=html.escape(title),
        slides="\n".join(sections),
        notes="\n".join(notes),
        type=STATES,
        states=saved,
    )  # fmt: skip


def paused(states: dict) -> dict:
    """A film that would run at once waits for the room, on its first frame."""
    first = {"playing": False, "index": 0}
    return {
        name: model | ({"state": model["state"] | first} if model["state"].get("playing") else {})
        for name, model in states.items()
    }


def build(notebooks: list[Path], out: Path) -> dict[str, int]:
    """Write the decks, the page that lists them, and what they need; {title: number of slides}."""
    clear(out, "slides.js")
    out.mkdir(parents=True)
    mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    for file in (
        PARTS / "slides.css",
        PARTS / "slides.js",
        SHOW,
        PROJECTOR,
        mathjax / "static/mathjax/tex-svg.js",
    ):
        shutil.copy(file, out)
    made, items = {}, []
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        deck = Deck(notebook)
        title = deck.slides[0].title
        states = notebook.metadata.get("widgets", {}).get(STATES, {}).get("state", {})
        (out / f"{path.stem}.html").write_text(page(title, deck, states), encoding="utf-8")
        made[title] = len(deck.slides)
        items.append(f'<li><a href="{path.stem}.html">{html.escape(title)}</a></li>')
    index = (PARTS / "index.html").read_text(encoding="utf-8")
    (out / "index.html").write_text(index.replace("{items}", "\n".join(items)), encoding="utf-8")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="like 01_forward_diffusion; all of them if none")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slides")
    arguments = parser.parse_args()
    folder = ROOT / "notebooks"
    notebooks = [folder / f"{Path(name).stem}.ipynb" for name in arguments.names]
    made = build(notebooks or sorted(folder.glob("[0-9][0-9]_*.ipynb")), arguments.out)
    for title, count in made.items():
        print(f"{title}: {count} slides")
    print(f"open {arguments.out / 'index.html'}")


if __name__ == "__main__":
    main()
