"""What the site is made of: docstrings as pages, lessons with folded solutions, recorded walks.

The pages themselves, in a browser: tests/browser/test_site.py.
"""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import build_docs
import record_explorer
from docstrings import as_rst

from flowerdiff import sampling

ROOT = Path(__file__).resolve().parents[1]


def rst(docstring: str, names=None) -> str:
    return "\n".join(as_rst(docstring.splitlines(), names))


def test_code_and_what_looks_like_markup():
    assert rst("`x_t` is x_0 | y*z\\n") == "\\ ``x_t``\\  is x\\_0 \\| y\\*z\\\\n\n"


def test_names_of_the_module_become_links():
    names = vars(sampling)
    assert ":py:obj:`~flowerdiff.sampling.Step`" in rst("A `Step` of it.", names)
    assert ":py:obj:`~flowerdiff.schedule.Schedule`" in rst("A `Schedule`.", names)  # imported
    assert "``torch``" in rst("`torch`", names)  # not ours


def test_what_is_indented_is_kept_and_arguments_stand_alone():
    text = rst("It is\n    a_b = `c`\nthen\nw: the weight\ny (B,): labels\nand: so on")
    assert ".. code-block:: text\n\n       a_b = `c`\n\nthen" in text
    assert text.endswith("then\n\nw: the weight\n\ny (B,): labels\n\nand: so on\n")


@pytest.fixture
def lesson(tmp_path):
    """A lesson's two editions, with one exercise, one picture and one widget."""
    view = {build_docs.VIEW: {"model_id": "m"}, "image/png": "AAAA"}
    output = nbformat.v4.new_output(
        "display_data", view, metadata={"image/png": {"alt": '"a" < b'}}
    )
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nText", id="a"),
        nbformat.v4.new_code_cell("...", id="b", metadata={"tags": ["exercise"]}),
        nbformat.v4.new_code_cell("widget", id="c", outputs=[output]),
    ]
    student, solved = tmp_path / "09_x.ipynb", tmp_path / "solved.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), student)
    cells[1].source = "the answer"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), solved)
    return student, solved


def test_a_lesson_has_its_solutions_folded(lesson):
    page = build_docs.page_of(*lesson)
    assert [cell.source for cell in page.cells[1:]] == ["...", "the answer", "widget"]
    assert page.cells[0].source.startswith("# Title\n\n> Read it here")
    assert "notebooks/09_x.ipynb" in page.cells[0].source
    assert page.cells[2].metadata.tags == ["hide-cell"]
    assert page.cells[2].metadata.mystnb["code_prompt_show"] == "Show the solution"
    assert len(build_docs.page_of(lesson[0]).cells) == 3  # a lesson without exercises


def test_a_picture_keeps_its_words_and_a_widget_its_place(lesson):
    ((output,),) = [
        cell.outputs for cell in build_docs.page_of(*lesson).cells if cell.get("outputs")
    ]
    (markup,) = output.data.values()
    assert markup.startswith('<div class="fd-live" data-model="m"><img class="fd-still"')
    assert 'alt="&quot;a&quot; &lt; b"' in markup and "data:image/png;base64,AAAA" in markup


def test_the_reference_tells_no_answers():
    parts = build_docs.parts()
    assert {"schedule", "sampling", "widgets", "checks"} <= set(parts)
    assert parts["checks"] == ["flowerdiff.checks", "flowerdiff.checks.exercise"]
    assert parts["schedule"] == ["flowerdiff.schedule"]
    assert "__main__" not in parts
    page = build_docs.api_page("unet", parts["unet"])
    assert page.index("flowerdiff.unet\n") < page.index("## unet.compact")


def test_links_of_the_pages_lead_somewhere_in_the_repository_and_on_the_site():
    link = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
    made = {"results/study/tables.md"}  # by `flowerdiff study`
    for page in (ROOT / "docs").rglob("*.md"):
        for to in link.findall(page.read_text()):
            assert (page.parent / to).exists() or to in made, f"{page.name}: {to}"
    text = (
        "[a](../notebooks/00.ipynb) [b](../../flowerdiff/unet/__init__.py) [c](../flowerdiff/a.py)"
    )
    there = "[a](lessons/00.ipynb) [b](../api/unet.md) [c](api/a.md)"
    assert build_docs.on_the_site(text) == there


def test_tables_say_what_was_measured():
    measured = json.loads((ROOT / "docs/results/guidance.json").read_text())
    text = build_docs.guidance_table(measured)
    setting = next(s for s in measured["settings"] if s["name"] == "w = 4")
    low, high = setting["recognition"][1:]
    row = f"| w = 4 | {setting['recognition'][0]:.3g} [{low:.3g},\N{NO-BREAK SPACE}{high:.3g}] |"
    assert row in text and f"command: `{measured['command']}`" in text
    del setting["diversity"]  # of one image per class there is none
    assert f"{row}  | " in build_docs.guidance_table(measured)
    steps = json.loads((ROOT / "docs/results/steps.json").read_text())
    rows = build_docs.steps_table(steps).splitlines()[2:]
    for found, line in zip(steps["settings"], rows, strict=False):
        assert line.startswith(f"| {found['steps'] or 'all'} | {found['walk']} | {found['n']} | ")
        assert f" | {found['kid'][0]:.3g} [" in line
    nets = json.loads((ROOT / "docs/results/nets/compare.json").read_text())
    assert build_docs.nets_table(nets).count("\n| ") == len(nets["nets"]) + 1
    search = json.loads((ROOT / "docs/results/search.json").read_text())
    lines = build_docs.search_table(search).splitlines()[2:]
    small = [run for run in search["runs"].values() if run["settings"]["size"] == 32]
    best = min(small, key=lambda run: run["scores"]["KID"][0])
    assert f"| {best['images']:,} | {best['scores']['KID'][0]:.3g} [" in lines[0]


def test_walks_are_recorded_for_another_model_or_sampler_only(tmp_path, monkeypatch):
    recorded = []
    monkeypatch.setattr(record_explorer, "load_pretrained", lambda name: name)
    monkeypatch.setattr(record_explorer, "record", lambda *a: recorded.append(a) or 100)
    record_explorer.bring_up_to_date(tmp_path)
    record_explorer.bring_up_to_date(tmp_path)
    assert len(recorded) == 1
    monkeypatch.setitem(record_explorer.PRETRAINED, record_explorer.MODEL, "another hash")
    record_explorer.bring_up_to_date(tmp_path)
    assert len(recorded) == 2
    sampler = tmp_path / "sampling.py"
    sampler.write_text("# another one")
    monkeypatch.setattr(record_explorer.sampling, "__file__", str(sampler))
    record_explorer.bring_up_to_date(tmp_path)
    assert len(recorded) == 3
    monkeypatch.setattr(record_explorer, "record", lambda *a: record_explorer.MAX_BYTES + 1)
    with pytest.raises(SystemExit, match="record fewer"):
        record_explorer.bring_up_to_date(tmp_path, force=True)


def test_the_explorer_has_what_it_promises():
    plan = record_explorer.Plan()
    assert len(set(plan.flowers)) >= 12
    assert plan.start == (1, 2, "ddim")
    assert plan.walks(-1) == [("any", seed) for seed in plan.seeds]
    assert len(plan.walks(2)) == len(plan.flowers) * len(plan.seeds)
    assert record_explorer.key("water lily", 2, -1.0, "ddim") == "water-lily.2.-1.ddim"
