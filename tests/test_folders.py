"""What the tools may remove."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import folders


def test_only_what_the_tool_made_is_removed(tmp_path):
    mine, theirs, empty = (tmp_path / name for name in ("mine", "theirs", "empty"))
    for folder, file in ((mine, "mark"), (theirs, "thesis.tex")):
        folder.mkdir()
        (folder / file).write_text("")
    empty.mkdir()
    for folder in (mine, empty, tmp_path / "not there"):
        folders.clear(folder, "mark")
        assert not folder.exists()
    with pytest.raises(SystemExit, match="theirs holds other things"):
        folders.clear(theirs, "mark")
    assert (theirs / "thesis.tex").exists()


def test_neither_the_course_nor_what_it_lies_in_is_removed(tmp_path, monkeypatch):
    course = tmp_path / "course"
    (course / "build" / "site").mkdir(parents=True)
    (course / "mark").write_text("")
    monkeypatch.setattr(folders, "ROOT", course)
    for folder in (course, tmp_path):
        with pytest.raises(SystemExit):
            folders.clear(folder, "mark")
    folders.clear(course / "build" / "site", "mark")  # half-made, without the mark
    assert (course / "mark").exists() and not (course / "build" / "site").exists()
