"""The instructor's pages: minutes that add up, a page for each lesson, commands that exist."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from flowerdiff import classroom, cli

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import make_stick

ROOT = Path(__file__).resolve().parents[1]
TEACH = ROOT / "docs" / "teach"
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
PAGES = {page.name: page.read_text() for page in TEACH.glob("*.md")}


def programmes():
    """{title: [(minutes, what)]}; the last row is the sum."""
    found = {}
    for part in re.split(r"^##+ ", PAGES["programmes.md"], flags=re.M)[1:]:
        rows = re.findall(r"^\| (\**\d+\**) \| (.*?) \|", part, re.M)
        if rows:
            found[part.splitlines()[0]] = [(int(n.strip("*")), what) for n, what in rows]
    return found


def test_the_minutes_add_up():
    sums = {}
    for title, rows in programmes().items():
        *parts, (total, _) = rows
        assert sum(minutes for minutes, _ in parts) == total, title
        sums[title] = total
    assert sums == {"Ninety minutes": 90, "Half a day": 240, "First day": 360, "Second day": 360}


def test_a_programme_names_sections_and_exercises_that_are_there():
    """ "Lesson 01, sections 1 to 4; exercises 1 to 4": of that lesson's own numbers."""
    seen = 0
    for rows in programmes().values():
        for _, what in rows:
            if not (lesson := re.match(r"Lesson (\d\d)", what)):
                continue
            (source,) = (path.read_text() for path in LESSONS if path.name.startswith(lesson[1]))
            for word, mark in (
                ("section", r"^# ## (\d+) ·"),
                ("exercise", r"^# ### Exercise (\d+) ·"),
            ):
                there = set(map(int, re.findall(mark, source, re.M)))
                numbers = re.findall(rf"{word}s? (\d+)(?: (?:to|and|or) (\d+))?", what, re.I)
                for number in {int(n) for pair in numbers for n in pair if n}:
                    assert number in there, f"lesson {lesson[1]} has no {word} {number}"
                    seen += 1
    assert seen > 40


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_has_its_page(lesson):
    text = PAGES[f"lesson-{lesson.name[:2]}.md"]
    title = re.search(r"^# # (.+)$", lesson.read_text(), re.M)[1]
    assert text.startswith(f"# Teaching {title}\n")
    parts = re.split(r"^## ", text, flags=re.M)
    names = [part.splitlines()[0] for part in parts[1:] if not part.startswith("The clinic")]
    assert names == [
        "What it is for",
        "Where they get stuck",
        "Questions for the room",
        "What to skip",
    ]
    stuck, room = (next(p for p in parts if p.startswith(name)) for name in names[1:3])
    assert len(re.findall(r"^\*\*[123]\. ", stuck, re.M)) == 3
    questions = re.split(r"^- ", room, flags=re.M)[1:]
    assert len(questions) >= 5
    for question in questions:
        asked = re.match(r"\*[^*]+\?\*", question)
        assert asked and len(question) > len(asked[0]) + 20, f"no answer: {question}"


@pytest.mark.parametrize("name", PAGES)
def test_links_between_the_pages(name):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGES[name]):
        assert (TEACH / link).exists(), f"{name}: {link}"


def test_every_page_is_in_the_table_of_contents():
    (toctree,) = re.findall(r"```\{toctree\}.*?```", PAGES["index.md"], re.S)
    assert {f"{name}.md" for name in toctree.split() if f"{name}.md" in PAGES} == set(PAGES) - {
        "index.md"
    }


def test_the_example_lines_are_what_the_program_reads_and_says():
    blocks = re.findall(r"```text\n(.*?)```", PAGES["before.md"], re.S)
    (sample,) = classroom.read(next(b for b in blocks if b.startswith("[flowerdiff")))
    assert sample.state == "ready" and sample.seconds == 3.1
    assert list(sample.facts) == list(classroom.read(classroom.line([]))[0].facts)
    lines = next(b for b in blocks if b.startswith("Ana: ")).replace("...; ", "")
    printed = next(b for b in blocks if b.startswith("$ flowerdiff doctor --read"))
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    table = classroom.table(classroom.read(lines), ours)
    assert printed.partition("\n")[2].rstrip() == table


def test_commands_on_the_pages_exist(capsys):
    text = "\n".join(PAGES.values())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^|`| )make (lab|install|docs|slides)\b", text, re.M)) <= targets
    for command in set(re.findall(r"flowerdiff (\w+)(?= |\n|`)(?: --(\w+))?", text)):
        name, option = command
        if name in ("doctor", "lab"):
            with pytest.raises(SystemExit):
                cli.main([name, "--help"])
            assert f"--{option}" in capsys.readouterr().out or not option
    options = set(re.findall(r"make_stick\.py \S+(.*)", text))
    parser_words = (ROOT / "tools/make_stick.py").read_text()
    for option in re.findall(r"--[a-z-]+", " ".join(options)):
        assert f'"{option}"' in parser_words or option == "--extra-index-url"
    systems = set(re.findall(r"--for ((?:\w+ ?)+)", text))
    assert {s for line in systems for s in line.split()} <= set(make_stick.SYSTEMS)
