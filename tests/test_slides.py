"""Slides made of lessons: what becomes a slide, what goes into its notes."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import make_slides
from make_slides import VIEW, Block, Deck, blocks, equations, lead, pages, render, weight

ROOT = Path(__file__).resolve().parents[1]
PNG = (  # one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def kinds(source):
    return [block.kind for block in blocks(source)]


def test_a_cell_is_cut_into_blocks():
    source = "## 1 · Title\n\nWords $x_0$.\n\n$$ a = b $$\n\n- one\n  more\n- two\n\n> **Predict.**"
    expected = ["heading", "paragraph", "math_block", "list_item", "list_item", "blockquote"]
    assert kinds(source) == expected
    assert blocks(source)[3].source == "- one\n  more"


def test_math_goes_through_untouched():
    assert render("$x_t * \\bar\\alpha_t < 1$") == "<p>\\(x_t * \\bar\\alpha_t &lt; 1\\)</p>"
    assert "\\[ a_1 = b_1 \\]" in render("$$ a_1 = b_1 $$")


def test_links_leave_their_words():
    assert render("see [the paper](https://arxiv.org/abs/1), it") == "<p>see the paper, it</p>"


def test_an_explanation_is_cut_after_a_sentence():
    text = "Half. The *second* sentence (e.g. with $t = 1$) is longer. A third one follows here."
    found = [Block("paragraph", text)]
    assert lead(found, 10)[0][0].source == "Half."
    assert lead(found, 60)[0][0].source == text[: text.index(" A third")]
    assert lead(found, 60)[1] == found  # not shown to its end
    assert lead(found, 600) == (found, [])
    assert lead([], 10) == ([], [])


def test_no_cut_inside_of_emphasis_or_of_a_name():
    text = "**Two ways. Both of them bad.** Lin et al. say more. The end."
    found = [Block("paragraph", text)]
    assert lead(found, 12)[0][0].source == "**Two ways. Both of them bad.**"
    assert lead(found, 55)[0][0].source.endswith("say more.")


def test_words_that_lead_to_an_equation_go_with_it():
    found = blocks("It settles. If the variance is 1, then\n\n$$ v = 1 $$\n\nSo it is.")
    assert lead(found[:1], 300)[0][0].source == "It settles."
    assert [b.source for b in equations(found)] == ["If the variance is 1, then", "$$ v = 1 $$"]
    item = blocks("- a is b. So it is\n\n$$ v = 1 $$")
    assert [b.source for b in equations(item)] == ["So it is", "$$ v = 1 $$"]


def test_no_equation_is_shown_twice():
    found = blocks("One.\n\n$$ v = 1 $$\n\n" + "Much more. " * 60 + "Then\n\n$$ w = 2 $$")
    shown, rest = lead(found, 300)
    both = [b.source for b in [*shown, *equations(rest)]]
    assert both.count("$$ v = 1 $$") == both.count("$$ w = 2 $$") == 1


def test_a_long_list_takes_several_slides_and_loses_nothing():
    items = [Block("list_item", f"- mistake {i} " + "x" * 90) for i in range(12)]
    made = pages(items, 400)
    assert [item for page in made for item in page] == items and len(made) > 2
    assert all(sum(map(weight, page)) <= 400 for page in made)


def cell(kind, source, outputs=(), tags=()):
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    made = make(source, metadata={"tags": list(tags)})
    if kind == "code":
        made.outputs = list(outputs)
    return made


def picture(alt, **more):
    data = {"image/png": PNG, **more}
    return nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": alt}})


@pytest.fixture
def lesson():
    printed = nbformat.v4.new_output("stream", text="t = 1\nt = 2\nt = 3\n")
    cells = [
        cell(
            "markdown", "# 09 · Tests\n\n**About 5 minutes**.\n\n**Afterwards you can**\n\n- test;"
        ),
        cell("markdown", "## 1 · First\n\nIt begins.\n\n> **Predict.** What will $x$ be?"),
        cell("code", "draw(x)", [picture('a "red" flower')]),
        cell(
            "markdown", "Red. And so on.\n\n### Exercise 1 · Do it\n\n*easy · 5 minutes.* Write it."
        ),
        cell("code", "def f(): return ...", [printed], tags=["exercise"]),
        cell("markdown", "It went well.\n\n> **Predict.** And now?"),
        cell("code", "print(ts)", [printed]),
        cell("markdown", "Three.\n\n## Common mistakes\n\n- **a.** b\n- **c.** d"),
        cell("markdown", "## What you have solved"),
        cell("code", "summary()"),
        cell("markdown", "## Where to go on\n\n- a paper"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_turn_is_a_question_and_a_picture(lesson):
    slides = Deck(lesson).slides
    assert [(s.kind, s.title) for s in slides] == [
        ("title", "09 · Tests"),
        ("text", "Afterwards you can"),
        ("question", "1 · First"),
        ("picture", "1 · First"),
        ("exercise", "Exercise 1 · Do it"),
        ("question", "1 · First"),
        ("text", "1 · First"),
        ("text", "Common mistakes"),
    ]
    context = '<div class="context"><p>It begins.</p></div>'
    assert slides[2].body == f"{context}<p>What will \\(x\\) be?</p>"
    assert 'alt="a &quot;red&quot; flower"' in slides[3].body and "Red." in slides[3].body
    assert "t = 2" in slides[6].body and "Three." in slides[6].body
    assert slides[7].body.count("<li>") == 2


def test_much_text_before_a_question_has_a_slide_of_its_own(lesson):
    lesson.cells[1].source = f"## 1 · First\n\n{'Many words. ' * 40}\n\n> **Predict.** What?"
    assert [s.kind for s in Deck(lesson).slides][2:4] == ["text", "question"]


def test_what_is_not_shown_is_in_the_notes(lesson):
    slides = Deck(lesson).slides
    assert "draw(x)" in "".join(slides[3].notes) and "And so on" in "".join(slides[3].notes)
    assert "return ..." in "".join(slides[4].notes)
    assert "t = 1" not in slides[4].body  # what a check prints is not for the wall


def test_a_widget_is_alive_and_has_its_picture_until_then(lesson):
    view = {VIEW: {"model_id": "m1"}}
    lesson.cells[2].outputs = [picture("a strip", **view)]
    slide = Deck(lesson).slides[3]
    assert slide.kind == "wide"
    assert '<div class="live" data-model="m1"><img alt="a strip"' in slide.body


def test_a_table_that_a_cell_makes_is_shown(lesson):
    tables = "| w | FID |\n|---|---|\n| 0 | 317 |\n\n| w | IS |\n|---|---|\n| 0 | 1.87 |"
    said = [nbformat.v4.new_output("display_data", {"text/markdown": text}) for text in
            ("*A caption, which is below the picture.*", tables)]  # fmt: skip
    lesson.cells[6].outputs = said
    slide = Deck(lesson).slides[6]
    assert slide.body.startswith("<table>") and "317" in slide.body
    assert "caption" not in slide.body and "1.87" not in slide.body  # one fits
    assert "1.87" in "".join(slide.notes)


def test_films_wait_for_the_room():
    states = {
        "a": {"state": {"playing": True, "index": 3}},
        "b": {"state": {"playing": False, "index": 2}, "model_name": "AnyModel"},
        "c": {"state": {}},
    }
    made = make_slides.paused(states)
    assert made["a"]["state"] == {"playing": False, "index": 0}
    assert {name: made[name] for name in "bc"} == {name: states[name] for name in "bc"}


LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_question_and_picture_of_a_lesson_is_shown(path):
    notebook = nbformat.read(path, as_version=4)
    slides = Deck(notebook).slides
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    questions = sum(len(re.findall(r"^> \*\*Predict", text, re.M)) for text in texts)
    assert sum(s.kind == "question" for s in slides) == questions > 2
    pngs = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert sum(s.body.count("<img") for s in slides) == len(pngs)
    exercises = sum(len(re.findall(r"^### Exercise", text, re.M)) for text in texts)
    assert sum(s.kind == "exercise" for s in slides) == exercises
    body = "".join(s.body for s in slides)
    assert 'alt=""' not in body and "<a " not in body
    assert not re.search(r'(src|href)="(?!data:)', body)


def test_the_pages_ask_no_network(tmp_path):
    made = make_slides.build(LESSONS[:1], tmp_path)
    assert made == {"00 · First flower": len(Deck(nbformat.read(LESSONS[0], 4)).slides)}
    for name in ("index.html", LESSONS[0].stem + ".html"):
        text = (tmp_path / name).read_text()
        needed = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', text.partition('<script type="')[0])
        assert needed and not [file for file in needed if not (tmp_path / file).is_file()]
