"""The folder for USB sticks, with packages made here of a few bytes: nothing is downloaded."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools/stick"))

import install
import make_stick
from make_stick import SYSTEMS, TO_BUILD, Target, wanted

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WINDOWS, MAC, LINUX = (Target(system, "3.12") for system in ("windows", "mac", "linux"))


def test_what_the_lessons_need():
    requirements = wanted(PROJECT["project"], ["notebooks"])
    assert any(r.startswith("torch>=") for r in requirements)
    assert any(r.startswith("jupyterlab>=") for r in requirements)
    assert not any(r.startswith(("pytest", "pyiqa", "flowerdiff")) for r in requirements)


def test_an_extra_of_extras_is_all_of_them():
    project = {
        "dependencies": ["a"],
        "optional-dependencies": {"b": ["b", "c"], "all": ["flowerdiff[b]", "d", "c"]},
    }
    assert wanted(project, ["all"]) == ["a", "b", "c", "d"]


def test_the_build_backend_is_on_the_stick():
    assert set(PROJECT["build-system"]["requires"]) <= set(TO_BUILD)


def test_what_git_leaves_alone_stays_off_the_stick():
    files = {str(file) for file in make_stick.course_files()}
    assert {"README.md", "notebooks/00_first_flower.ipynb", "pyproject.toml"} <= files
    assert "flowerdiff/weights/flowers64.safetensors" in files
    assert not [file for file in files if file.startswith((".venv", "build/", "runs/"))]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_target_knows_its_markers(system):
    only = {"windows": "win32", "mac": "darwin", "linux": "linux"}
    environment = Target(system, "3.12").markers()
    for name, platform in only.items():
        assert Marker(f'sys_platform == "{platform}"').evaluate(environment) == (name == system)
    assert Marker('python_version >= "3.12" and python_full_version < "3.13"').evaluate(environment)
    assert Marker('implementation_name == "cpython"').evaluate(environment)


def test_tags_are_asked_for_one_by_one():
    arguments = LINUX.arguments()
    assert "--python-version=3.12" in arguments and "--abi=cp312" in arguments
    assert "--platform=manylinux_2_28_x86_64" in arguments  # torch
    assert "--platform=manylinux2014_x86_64" in arguments  # most others
    assert "--platform=win_amd64" in WINDOWS.arguments()


def wheel(folder, name, tag="py3-none-any", requires=(), python=">=3.0"):
    """A wheel of one module."""
    info = f"{name}-1.0.dist-info"
    needs = f"Requires-Python: {python}\n" + "".join(f"Requires-Dist: {r}\n" for r in requires)
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}"
        )
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index of packages, one of which needs another package on each system."""
    folder = tmp_path / "index"
    folder.mkdir()
    needs = ['onlywin; sys_platform == "win32"', 'onlymac; platform_system == "Darwin"']
    wheel(folder, "common", requires=[*needs, 'cuda; platform_system == "Linux"'])
    for name in ("onlywin", "onlymac", "cuda"):
        wheel(folder, name)
    for tag in ("win_amd64", "macosx_11_0_arm64", "manylinux_2_17_x86_64"):
        wheel(folder, "compiled", tag=f"cp312-cp312-{tag}")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return ["--no-index", "--find-links", str(folder)]


def test_a_stick_for_windows_and_mac_is_made_on_linux(index, tmp_path):
    """pip alone would take this machine's markers, and leave out what only Windows needs."""
    stick = tmp_path / "stick"
    expected = {
        WINDOWS: {"onlywin-1.0-py3-none-any.whl", "compiled-1.0-cp312-cp312-win_amd64.whl"},
        MAC: {"onlymac-1.0-py3-none-any.whl", "compiled-1.0-cp312-cp312-macosx_11_0_arm64.whl"},
        LINUX: {"cuda-1.0-py3-none-any.whl", "compiled-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"},
    }
    seen = {"common-1.0-py3-none-any.whl"}
    for target, new in expected.items():
        assert not make_stick.would_install(stick, ["common", "compiled"], target)
        make_stick.download(stick, ["common", "compiled"], target, index)
        seen |= new
        assert {path.name for path in (stick / "wheels").iterdir()} == seen
        assert make_stick.would_install(stick, ["common", "compiled"], target)
    (stick / "wheels" / "onlymac-1.0-py3-none-any.whl").unlink()
    assert not make_stick.would_install(stick, ["common", "compiled"], MAC)
    assert make_stick.would_install(stick, ["common", "compiled"], WINDOWS)


def test_a_python_that_this_machine_has_not(index, tmp_path):
    wheel(tmp_path / "index", "modern", python=">=3.90")
    target = Target("windows", "3.99")
    make_stick.download(tmp_path / "stick", ["modern"], target, index)
    assert make_stick.would_install(tmp_path / "stick", ["modern"], target)
    assert not make_stick.would_install(tmp_path / "stick", ["modern"], WINDOWS)


def test_a_wheel_for_another_python_is_not_enough(index, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        make_stick.download(tmp_path / "stick", ["compiled"], Target("windows", "3.13"), index)


def test_layout(tmp_path, monkeypatch):
    monkeypatch.setattr(
        make_stick, "course_files", lambda: [Path("LICENSE"), Path("flowerdiff/__init__.py")]
    )
    make_stick.lay_out(tmp_path, tmp_path / "no-site", "For Python 3.12.", "2 GB")
    assert (tmp_path / "course/flowerdiff/__init__.py").exists()
    assert not (tmp_path / "site").exists()
    text = (tmp_path / "README.txt").read_text()
    assert "For Python 3.12." in text and "2 GB of disk" in text and "{" not in text
    site = tmp_path / "built"
    site.mkdir()
    (site / "index.html").write_text("<title>x</title>")
    make_stick.lay_out(tmp_path, site, "", "2 GB")
    assert (tmp_path / "site/index.html").exists()
    assert "site/index.html" in (tmp_path / "README.txt").read_text()


def test_nothing_of_pips_settings_gets_into_the_check():
    dirty = {"PIP_FIND_LINKS": "/elsewhere", "PIP_INDEX_URL": "x", "HOME": "h"}
    clean = make_stick.only_here(dirty)
    assert clean["PIP_CONFIG_FILE"] == os.devnull and clean["HOME"] == "h"
    assert "PIP_FIND_LINKS" not in clean and "PIP_INDEX_URL" not in clean


def test_the_network_is_really_off():
    cut = make_stick.offline()
    if not cut:
        pytest.skip("this machine lets nobody cut a network off")
    code = "import socket; print([n for _, n in socket.if_nameindex()])"
    seen = subprocess.run([*cut, sys.executable, "-c", code], capture_output=True, text=True)
    assert seen.stdout.strip() == "['lo']"


def test_sizes_are_told(tmp_path, monkeypatch):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/a.whl").write_bytes(b"x" * 2000)
    assert "exFAT" not in make_stick.report(tmp_path)
    monkeypatch.setattr(make_stick, "LARGEST", 1000)
    assert "exFAT" in make_stick.report(tmp_path)


# What the participant runs


def test_files_of_the_participant_stay(tmp_path):
    source, to = tmp_path / "course", tmp_path / "home"
    (source / "notebooks").mkdir(parents=True)
    (source / "notebooks/00.ipynb").write_text("new")
    (source / "README.md").write_text("new")
    (to / "notebooks").mkdir(parents=True)
    (to / "notebooks/00.ipynb").write_text("mine")
    install.copy_missing(source, to)
    assert (to / "notebooks/00.ipynb").read_text() == "mine"
    assert (to / "README.md").read_text() == "new"
    assert not list(to.rglob("*.partial"))


def test_a_full_disk_is_told_before_anything_is_copied(tmp_path, monkeypatch):
    assert install.lacks(tmp_path / "not/there/yet", tmp_path) == ""
    monkeypatch.setattr(install.shutil, "disk_usage", lambda path: type("", (), {"free": 3e9}))
    assert install.lacks(tmp_path, tmp_path) == ""
    (tmp_path / "nvidia_cudnn-1.0-py3-none-any.whl").touch()
    monkeypatch.setattr(install.sys, "platform", "linux")
    assert install.lacks(tmp_path, tmp_path) == "3.0 GB are free there, 7 GB are needed."
    monkeypatch.setattr(install.sys, "platform", "win32")  # CUDA's wheels are not for Windows
    assert install.lacks(tmp_path, tmp_path) == ""


def test_what_is_installed_is_what_the_stick_was_made_for(tmp_path):
    assert install.pip_arguments(tmp_path / "wheels")[-2:] == ["-e", ".[notebooks]"]
    (tmp_path / "extras.txt").write_text("notebooks,metrics\n")
    arguments = install.pip_arguments(tmp_path / "wheels")
    assert arguments[-1] == ".[notebooks,metrics]" and "--no-index" in arguments


def test_an_environment_is_whole_or_made_again(tmp_path):
    assert install.runs(Path(sys.executable))
    assert not install.runs(tmp_path / "bin/python")
    venv.create(tmp_path / "half", with_pip=False)  # as an interruption leaves it
    assert not install.runs(install.program(tmp_path / "half", "python"))


def test_no_folder_is_named_in_what_one_clicks_on(tmp_path):
    """Windows reads it in another code page than Python writes."""
    folder = tmp_path / "Zoë"
    folder.mkdir()
    assert "Zo" not in install.write_start(folder).read_bytes().decode("ascii")
    assert "%~dp0" in install.BATCH and install.BATCH.isascii()
    assert install.sees_no_umlauts((3, 12, 3)) and not install.sees_no_umlauts((3, 12, 4))


BACKEND = """
import zipfile

METADATA = "Metadata-Version: 2.1\\nName: flowerdiff\\nVersion: 1.0\\n"
METADATA += "Provides-Extra: notebooks\\nRequires-Dist: lab; extra == 'notebooks'\\n"


def build_editable(folder, config_settings=None, metadata_directory=None):
    name, info = "flowerdiff-1.0-py3-none-any.whl", "flowerdiff-1.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as file:
        file.writestr("flowerdiff.py", "def main(): print('well')")
        file.writestr(f"{info}/METADATA", METADATA)
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        file.writestr(f"{info}/entry_points.txt", "[console_scripts]\\nflowerdiff=flowerdiff:main")
        file.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.mark.slow
def test_install_py_on_a_course_of_a_few_bytes(tmp_path):
    stick = tmp_path / "stick"
    (stick / "course").mkdir(parents=True)
    (stick / "wheels").mkdir()
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (stick / "course/pyproject.toml").write_text(backend + '[project]\nname = "flowerdiff"\n')
    (stick / "course/backend.py").write_text(BACKEND)
    wheel(stick / "wheels", "lab")
    (stick / "install.py").write_text((ROOT / "tools/stick/install.py").read_text())
    laptop = tmp_path / "laptop of Ana"  # a name with spaces, as on many laptops
    command = [*make_stick.offline(), sys.executable, str(stick / "install.py"), str(laptop)]
    for _again in range(2):  # run again, it goes on
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "well" in done.stdout and "To begin:" in done.stdout
        for pip in laptop.rglob("site-packages/pip"):  # the second time it must mend this, too
            shutil.rmtree(pip)
    assert (laptop / ".venv/.installed-lab").exists()
    if os.name == "posix":
        start = subprocess.run([laptop / "start.sh"], capture_output=True, text=True)
        assert start.stdout.strip() == "well", start.stderr
