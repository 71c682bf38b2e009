"""Do here what Colab does with a lesson: its packages, none but the notebook, and the first cell.

    python tools/check_colab.py                              all lessons, then the widgets' tests
    python tools/check_colab.py 00_first_flower              one
    python tools/check_colab.py --python python3.13          the environment is made with that one

The environment, in build/colab, gets the packages that Colab has (tools/colab/packages.txt: their
versions, ipywidgets 7.7.1 among them). Then a lesson's first cell is run in an empty folder. It
fetches the course, from an archive of this checkout in the place of GitHub's, installs it, and must
leave Colab's packages as they were. Then every cell of the lessons runs, by nbval, in kernels that
take themselves for Colab's (tools/colab/startup.py). Not tried: Colab's own pages, which take the
widgets' scripts from a server.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from build_notebooks import REPOSITORY, ROOT, first_cell
from folders import clear

PACKAGES = ROOT / "tools/colab/packages.txt"
STARTUP = ROOT / "tools/colab/startup.py"
TESTING = ["nbval>=0.11", "pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100"]
SHOWN = ("torch", "numpy", "pillow", "datasets", "ipython", "ipykernel", "ipywidgets", "anywidget")


def make_environment(folder: Path, python: str) -> Path:
    """The Python of an environment with Colab's packages; made again if their list has changed."""
    env, made_with = folder / "env", folder / "packages.txt"
    inside = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = f"{python}\n{PACKAGES.read_text(encoding='utf-8')}"
    if not made_with.exists() or made_with.read_text(encoding="utf-8") != wanted:
        clear(folder, "packages.txt")
        subprocess.run([python, "-m", "venv", env], check=True)
        pip = [inside, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-r", PACKAGES], check=True)
        subprocess.run([*pip, "-c", PACKAGES, *TESTING], check=True)
        made_with.write_text(wanted, encoding="utf-8")
    return inside


def archive(file: Path) -> None:
    """This checkout as GitHub would hand it out: what git knows and what it does not ignore."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    names = run.stdout
    top = f"{REPOSITORY.rpartition('/')[2]}-main"
    with zipfile.ZipFile(file, "w") as packed:
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                packed.write(ROOT / name, f"{top}/{name}")


def open_lesson(python: Path, folder: Path) -> Path:
    """Run the first cell where nothing else is, without flowerdiff; the folder it leads to."""
    content = folder / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    archive(folder / "course.zip")
    pip = [python, "-m", "pip", "uninstall", "--quiet", "--yes", "flowerdiff"]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    address = f"{REPOSITORY}/archive/main.zip"
    cell = first_cell("install").source
    assert address in cell
    cell = cell.replace(address, (folder / "course.zip").as_uri()) + "\nprint(os.getcwd())"
    done = subprocess.run(
        [python, "-c", cell], cwd=content, check=True, stdout=subprocess.PIPE, text=True
    )
    return Path(done.stdout.splitlines()[-1])


def installed(python: Path) -> dict[str, str]:
    listing = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    found = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    return {_plain(row["name"]): row["version"].partition("+")[0] for row in json.loads(found)}


def wanted() -> dict[str, str]:
    lines = PACKAGES.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {_plain(name): version for name, version in pairs}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def run_lessons(python: Path, notebooks: Path, names: list[str], folder: Path) -> list[str]:
    """nbval, lesson by lesson, and after all lessons the tests of the widgets; what has failed."""
    startup = folder / "ipython/profile_default/startup"
    startup.mkdir(parents=True, exist_ok=True)
    shutil.copy(STARTUP, startup / "00-colab.py")
    env = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), "HF_HUB_OFFLINE": "1"}
    # Warnings of packages of Colab's age are not ours to heed.
    pytest = [python, "-m", "pytest", "-q", "-W", "default", "--disable-warnings"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "--timeout=1200"]
    failed = []

    def run(what: str, *arguments) -> None:
        print(what, flush=True)
        if subprocess.run([*pytest, *arguments], cwd=notebooks.parent, env=env).returncode:
            failed.append(what)

    for notebook in sorted(notebooks.rglob("*.ipynb")):
        if not names or notebook.stem in names:
            run(str(notebook.relative_to(notebooks)), *nbval, notebook)
    if not names:
        tests = sorted((notebooks.parent / "tests").glob("test_*.py"))
        mark = "\nfrom flowerdiff.widgets"
        run("widgets", *(p for p in tests if mark in p.read_text(encoding="utf-8")))
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="like 00_first_flower; all lessons if none")
    parser.add_argument("--python", default=sys.executable, help="3.13 is what Colab has")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/colab")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    python = make_environment(folder, arguments.python)
    notebooks = open_lesson(python, folder)
    there, expected = installed(python), wanted()
    other = {name: there.get(name) for name in expected if there.get(name) != expected[name]}
    if other:
        sys.exit(f"not as on Colab any more: {other}")
    version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True)
    print(f"As on Colab: all {len(expected)} packages. {version.stdout.strip()}", end="")
    print("".join(f", {name} {there[name]}" for name in SHOWN))
    print("added:", ", ".join(sorted(there.keys() - expected.keys())), flush=True)
    if failed := run_lessons(python, notebooks, arguments.names, folder):
        sys.exit(f"failed with Colab's packages: {', '.join(failed)}")


if __name__ == "__main__":
    main()
