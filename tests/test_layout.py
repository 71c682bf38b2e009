"""Who imports whom, how long a module is, and that the documents name what is there."""

import ast
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from flowerdiff import cli, doctor
from flowerdiff.config import read_run

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "flowerdiff"

ANYBODY = {"pixels", "labels"}  # may be imported by every module
TOP = {"widgets", "plots", "checks"}  # are for lessons; no other module imports them
MAY_IMPORT = {
    "__init__": set(),
    "options": set(),
    "pixels": set(),
    "labels": set(),
    "store": set(),
    "schedule": set(),
    "unet": set(),
    "netinfo": {"unet"},
    "garden": set(),
    "pictures": set(),
    "guidance": {"schedule"},
    "sampling": {"schedule"},
    "mixture": {"schedule"},
    "stream": {"guidance"},
    "augment": {"stream"},
    "precision": set(),
    "processes": set(),
    "resume": {"store"},
    "training": {"schedule", "guidance", "precision", "processes", "resume", "store", "stream"},
    "oxford": {"pictures"},
    "data": {"garden", "oxford", "pictures"},
    "checkpoint": {"schedule", "store", "unet"},
    "draw": {"checkpoint", "guidance", "sampling"},
    "config": {"augment", "checkpoint", "schedule", "training"},
    "run": {
        "augment", "checkpoint", "config", "data", "draw", "processes", "schedule", "training",
        "unet",
    },
    "metrics": {"schedule", "store"},
    "colour": {"metrics"},
    "evaluate": {"checkpoint", "data", "draw", "metrics", "processes", "sampling", "store"},
    "study": {
        "augment", "checkpoint", "config", "data", "draw", "evaluate", "guidance", "metrics",
        "processes", "run", "sampling", "store", "training",
    },
    "still": set(),
    "course": set(),
    "plots": {"still"},
    "checks": set(),
    "widgets": {
        "augment", "colour", "guidance", "metrics", "netinfo", "plots", "sampling", "schedule",
        "still",
    },
    "doctor": {"checkpoint", "data", "oxford"},
    "classroom": {"checkpoint", "doctor", "draw"},
    "cli": {
        "checkpoint", "classroom", "doctor", "draw", "evaluate", "metrics", "options", "processes",
        "run", "study",
    },
    "__main__": {"cli"},
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    """The part of the library that a file belongs to: a module, or a folder of modules."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(source: str) -> set[str]:
    """The parts of flowerdiff that some code imports, at its top or inside a function."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "import flowerdiff.x, not .x: one way, and this test reads it"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    names = [name.split(".") for name in names]
    return {name[1] if name[1:] else "__init__" for name in names if name[0] == "flowerdiff"}


def test_every_kind_of_import_is_seen():
    source = """
import flowerdiff.schedule as s, math
from flowerdiff import store
from flowerdiff.unet.layers import sinusoid
def late():
    from flowerdiff.widgets import Player
"""
    assert imported_parts(source) == {"schedule", "store", "unet", "widgets"}
    assert imported_parts("import flowerdiff") == {"__init__"}
    assert imported_parts("from torch import nn") == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    assert part(path) in MAY_IMPORT, "a new module: say in MAY_IMPORT what it stands on"
    allowed = MAY_IMPORT[part(path)] | ANYBODY | {part(path)}
    assert imported_parts(path.read_text()) <= allowed


def test_the_table_of_imports_is_of_this_library():
    assert set(MAY_IMPORT) == set(map(part, MODULES))
    assert not any(parts & TOP for name, parts in MAY_IMPORT.items() if name not in TOP)
    assert not any(MAY_IMPORT[leaf] for leaf in ANYBODY)
    placed = set()  # no circles: each part stands on parts that are already there
    while ready := {p for p in MAY_IMPORT if p not in placed and MAY_IMPORT[p] <= placed}:
        placed |= ready
    assert placed == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 250


def test_text_is_utf_8_on_every_system():
    """Without `encoding` Windows takes its own, which has no arrows and breaks umlauts."""
    unsaid = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for folder in (PACKAGE, ROOT / "tools")
        for file in folder.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _opens_text(call)
        if "encoding" not in {keyword.arg for keyword in call.keywords}
    ]
    assert not unsaid


def _opens_text(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in ("read_text", "write_text")
    if not (isinstance(call.func, ast.Name) and call.func.id == "open"):
        return False
    return not (len(call.args) > 1 and "b" in ast.literal_eval(call.args[1]))


def test_no_path_of_the_machine_it_was_written_on():
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("not a git checkout")
    homes = [f"/{name}/".encode() for name in ("work", "root")]
    files = [ROOT / name for name in found.stdout.split("\0") if name]
    assert not [f for f in files if f.is_file() and any(home in f.read_bytes() for home in homes)]


# --- pyproject.toml, environment.yml ---

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {  # where conda-forge calls it otherwise
    "torch": "pytorch",
    "huggingface-hub": "huggingface_hub",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
}


def test_conda_and_pip_ask_for_the_same():
    extras = PROJECT["optional-dependencies"]
    pip = PROJECT["dependencies"]
    for name in ("notebooks", "metrics", "docs", "cluster", "test"):
        pip = pip + [r for r in extras[name] if not r.startswith("flowerdiff[")]
    pip = [Requirement(r) for r in pip]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, with_pip = environment["dependencies"]
    assert with_pip["pip"][-1] == "-e ."
    conda = {r.name: r.specifier for r in map(Requirement, conda + with_pip["pip"][:-1])}
    # Two extras may need one package, but not two versions of it.
    assert len({r.name for r in pip}) == len(set(pip))
    assert conda.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    conda.pop("pip")
    assert conda == {CONDA_NAMES.get(r.name, r.name): r.specifier for r in pip}


@pytest.mark.parametrize("name", ["pyproject.toml", "environment.yml"])
def test_each_dependency_has_its_reason(name):
    lines = re.findall(r'^ +(?:"|- )[\w-]+(?:\[\w+\])?>=.*', (ROOT / name).read_text(), re.M)
    assert len(lines) > 20
    assert not [line for line in lines if not re.search(r"# \w", line)]


def test_doctor_knows_the_oldest_python():
    assert PROJECT["requires-python"] == f">={'.'.join(map(str, doctor.OLDEST))}"


# --- README.md ---

README = (ROOT / "README.md").read_text()


def test_make_has_what_the_readme_says():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))
    assert {"lab", "test"} <= named <= targets


def test_the_command_line_has_what_the_readme_says(capsys):
    commands = re.findall(r"^flowerdiff (.+?)(?: +#.*)?$", README, re.M)
    assert {"doctor", "train", "sample", "weights"} <= {command.split()[0] for command in commands}
    for command in commands:
        name, *rest = shlex.split(command)
        with pytest.raises(SystemExit) as end:
            cli.main([name, "--help"])
        assert end.value.code == 0
        usage = capsys.readouterr().out
        assert all(flag in usage for flag in rest if flag.startswith("--"))


def test_the_readmes_library_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"^```python\n(.+?)^```", README, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    shorter = example.replace("steps=25", "steps=2")
    exec(compile(shorter, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert (tmp_path / "sunflowers.png").stat().st_size > 1000


def test_the_readmes_training_example_is_read(tmp_path):
    (example,) = re.findall(r"^```toml\n(.+?)^```", README, re.M | re.S)
    (tmp_path / "run.toml").write_text(example)
    assert read_run(tmp_path / "run.toml").source == "garden"


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]
