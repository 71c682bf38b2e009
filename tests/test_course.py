"""Files of the course are found from where a lesson runs."""

import pytest

from flowerdiff.course import course_file


def test_a_file_is_found_from_any_folder_of_the_course(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/numbers.json").touch()
    (tmp_path / "notebooks/solutions").mkdir(parents=True)
    for folder in (".", "notebooks", "notebooks/solutions"):
        monkeypatch.chdir(tmp_path / folder)
        assert course_file("docs/numbers.json").samefile(tmp_path / "docs/numbers.json")


def test_a_notebook_that_was_carried_off_says_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no\.json is neither"):
        course_file("docs/no.json")
