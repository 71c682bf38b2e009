"""Where lessons run besides JupyterLab: Colab (see also tools/check_colab.py), Binder, VS Code."""

import ast
import importlib.util
import io
import os
import re
import stat
import subprocess
import sys
import textwrap
import types
import zipfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from test_layout import CONDA_NAMES, PROJECT

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
build_notebooks = pytest.importorskip("build_notebooks", reason="comes with flowerdiff[test]")

README = (ROOT / "README.md").read_text()
FRONT_ENDS = {"jupyterlab", "ipykernel", "voila"}  # Colab and Binder bring their own, or need none


def requirements(*extras: str) -> dict[str, Requirement]:
    """What flowerdiff and its extras ask for, by name."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    found = [Requirement(r) for wanted in lists for r in wanted if not r.startswith("flowerdiff")]
    return {r.name: r for r in found}


# The first cell of a lesson

CELL = build_notebooks.first_cell("install").source


@pytest.fixture
def without(monkeypatch, tmp_path):
    """`without(names, fetch)`: run the first cell in an empty folder, where these are missing."""
    monkeypatch.chdir(tmp_path)
    commands = []
    monkeypatch.setattr("subprocess.run", lambda command, **_: commands.append(command))

    find = importlib.util.find_spec

    def run(*missing, fetch=None):
        def only_these(name):
            return None if name in missing else find(name)

        monkeypatch.setattr("importlib.util.find_spec", only_these)
        monkeypatch.setattr("urllib.request.urlretrieve", fetch)
        exec(CELL, {})
        return commands

    return run


def test_where_flowerdiff_is_the_first_cell_does_nothing(without, tmp_path, capsys):
    assert without() == []
    assert Path.cwd() == tmp_path and not list(tmp_path.iterdir())
    assert capsys.readouterr() == ("", "")


def test_where_it_is_missing_the_course_is_fetched(without, tmp_path):
    def fetch(address):
        assert address == f"{build_notebooks.REPOSITORY}/archive/main.zip"
        with zipfile.ZipFile(tmp_path / "fetched", "w") as packed:  # with a name that says nothing
            packed.writestr("flowerdiff-main/notebooks/a.ipynb", "{}")
        return str(tmp_path / "fetched"), None

    (command,) = without("flowerdiff", fetch=fetch)
    assert command[:5] == [sys.executable, "-m", "pip", "install", "-q"]
    assert command[5] == "./flowerdiff-main[metrics]"
    assert Path.cwd() == tmp_path / "flowerdiff-main/notebooks"
    # After a restart of the kernel it is installed, and the folder must be found again.
    os.chdir(tmp_path)
    without(fetch=None)
    assert Path.cwd() == tmp_path / "flowerdiff-main/notebooks"
    without(fetch=None)
    assert Path.cwd() == tmp_path / "flowerdiff-main/notebooks"


def test_without_a_network_it_says_what_to_do(without):
    def fetch(address):
        raise URLError("no route")

    with pytest.raises(ModuleNotFoundError, match="no route.*Is there a network.*its kernel"):
        without("flowerdiff", fetch=fetch)


def test_gigabytes_are_not_fetched_unasked(without):
    with pytest.raises(ModuleNotFoundError, match=f"{re.escape(sys.executable)}.*its kernel"):
        without("flowerdiff", "torch")


def test_every_lesson_has_the_cell_below_its_title():
    for source in sorted(ROOT.glob("notebooks/[0-9]*.py")):
        title, cell, *_ = build_notebooks.from_source(source).cells
        assert title.source.startswith("# ") and cell.source == CELL
        assert cell.metadata.jupyter.source_hidden and "remove-cell" in cell.metadata.tags


# Colab


def colab() -> dict[str, Version]:
    lines = (ROOT / "tools/colab/packages.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {name.replace("_", "-"): Version(version) for name, version in pairs}


def test_colab_has_what_the_first_cell_does_not_install():
    there = colab()
    assert there["ipywidgets"] == Version("7.7.1")
    (listed,) = re.findall(r"packages = (\[.*\])", CELL)
    asked = set(ast.literal_eval(listed)) - {"./flowerdiff-main[metrics]"}
    installed = requirements("metrics").keys() | asked
    for name, requirement in requirements("notebooks", "metrics").items():
        if name in FRONT_ENDS:
            continue
        assert name in there or name in installed, f"{name} is nowhere on Colab"
        # One that is too old would be replaced, and Colab would ask to restart the kernel.
        assert name not in there or there[name] in requirement.specifier, name


STARTUP = (ROOT / "tools/colab/startup.py").read_text()
WIDGETS = """
import torch
from flowerdiff.widgets import Frame, Player
from flowerdiff.widgets.controls import Bench, line

grey = torch.full((3, 4, 4), 128, dtype=torch.uint8)
player = Player(["a"], {"": [Frame((grey,), "caption", "alt")]})
class Both(Bench):
    still = lambda self: player.still()
both = Both()
both.children = [both.message, player]
"""


def test_on_colab_a_widget_says_where_its_script_is():
    """In a kernel that takes itself for Colab's. What Colab then does, Colab alone can tell."""
    pytest.importorskip("nbclient")
    import nbformat
    from nbclient import NotebookClient

    sources = [STARTUP, WIDGETS, "player", "both"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    for cell in notebook.cells[2:]:
        (output,) = cell.outputs
        view = "application/vnd.jupyter.widget-view+json"
        assert set(output.data) == {view, "text/plain"}
        assert "custom_widget_manager" in output.metadata[view]["colab"]


def test_elsewhere_a_widget_has_its_picture(monkeypatch):
    pytest.importorskip("anywidget")
    from flowerdiff.widgets import Frame, Player

    grey = torch.full((3, 4, 4), 128, dtype=torch.uint8)
    player = Player(["a"], {"": [Frame((grey,), "caption", "alt")]})
    assert player._ipython_display_ is None
    assert "image/png" in player._repr_mimebundle_()[0]
    monkeypatch.setitem(sys.modules, "google.colab.output", types.ModuleType("output"))
    assert callable(player._ipython_display_)


# Binder


def test_binder_installs_what_the_lessons_need():
    environment = yaml.safe_load((ROOT / ".binder/environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    python, pip, *conda, with_pip = environment["dependencies"]
    # Binder's builder finds its base image by `python=3.x` alone; and must not find "-e .", since
    # what is local is installed by postBuild, in the repository's folder.
    assert re.fullmatch(r"python=3\.\d+", python) and pip == "pip"
    assert Version(python.partition("=")[2]) in SpecifierSet(PROJECT["requires-python"])
    there = {r.name: r.specifier for r in map(Requirement, [*conda, *with_pip["pip"]])}
    names = CONDA_NAMES | {"torch": "pytorch-cpu"}
    wanted = requirements("notebooks", "metrics").values()
    assert there == {names.get(r.name, r.name): r.specifier for r in wanted}
    full = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert set(with_pip["pip"]) <= set(full)


def test_binder_installs_flowerdiff_itself():
    script = ROOT / ".binder/postBuild"
    assert script.stat().st_mode & stat.S_IXUSR and script.read_text().startswith("#!")
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    assert "pip install --no-deps --editable ." in script.read_text()


# VS Code


def test_vs_code_finds_the_widgets_script_on_the_disk():
    """Its Jupyter extension takes it from here, so that no server needs to be asked for it."""
    pytest.importorskip("anywidget")
    folder = Path(sys.prefix, "share/jupyter/nbextensions/anywidget")
    assert (folder / "index.js").stat().st_size > 1000
    assert '"nbextensions/anywidget/index"' in (folder / "extension.js").read_text()


# The moving picture


def test_the_moving_picture():
    from PIL import Image

    file = ROOT / "docs/_static/stepper.webp"
    data = file.read_bytes()
    assert len(data) < 2_000_000
    film = Image.open(io.BytesIO(data))
    assert film.n_frames > 20 and film.width <= 900
    shown = re.findall(r"!\[([^]]{80,})\]\((docs/_static/stepper\.webp)\)", README)
    assert len(shown) == 1, "the README shows it, with words for those who cannot see it"


# README and CONTRIBUTING


def test_the_readme_knows_each_lessons_minutes():
    for built in sorted(ROOT.glob("notebooks/[0-9]*.ipynb")):
        number, source = built.name[:2], built.with_suffix(".py").read_text()
        row = re.search(rf"^\| {number} \| .*?{built.name}.*?\| (\d+)( \+ \d+)? \|", README, re.M)
        assert row, f"lesson {number} is not in the README's table"
        assert row[1] == re.search(r"^# \*\*About (\d+) minutes", source, re.M)[1], built.name


def test_contributing_quotes_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = "docs|flowerdiff|notebooks|tests|tools"
    paths = re.findall(rf"`((?:{folders})/[\w./-]+\.(?:js|md|py))`", text)
    paths = {path for path in paths if not re.search("NN|LESSON", path)}
    assert len(paths) > 8 and not [path for path in paths if not (ROOT / path).exists()]
    quoted = [textwrap.dedent(b) for b in re.findall(r"```python\n(.*?)^ *```", text, re.M | re.S)]
    lesson, exercise, cell, _ = quoted
    first = (ROOT / "notebooks/00_first_flower.py").read_text()
    assert all(part.strip() in first for part in lesson.split("\n\n"))
    assert exercise in (ROOT / "flowerdiff/checks/forward/steps.py").read_text()
    assert cell in (ROOT / "notebooks/01_forward_diffusion.py").read_text()
