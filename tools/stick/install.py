"""Set up the course on this laptop from this folder, without a network.

    python3 install.py             into the folder flowerdiff in your home
    python3 install.py FOLDER      into another one

Needs nothing but Python. When it was interrupted, run it again: it goes on. It never overwrites a
file of yours.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

OLDEST = (3, 11)
HERE = Path(__file__).resolve().parent
GB = 1e9
# Without the folder's name: Windows would read its umlauts in another code page than Python writes.
BATCH = '@cd /d "%~dp0"\n@.venv\\Scripts\\flowerdiff.exe lab\n'
SHELL = '#!/bin/sh\ncd "$(dirname "$0")" && exec .venv/bin/flowerdiff lab "$@"\n'


def main() -> int:
    if sys.version_info < OLDEST:
        print(f"This is Python {sys.version.split()[0]}; the course needs 3.11 or newer.")
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.home() / "flowerdiff"
    folder = folder.expanduser().resolve()
    if os.name == "nt" and sees_no_umlauts(sys.version_info) and not str(folder).isascii():
        print(f"This Python, {sys.version.split()[0]}, would not find the course in {folder}:")
        print("name a folder in plain letters, such as: py install.py C:\\flowerdiff")
        return 1
    print(f"The course goes into {folder}", flush=True)
    if shortage := lacks(folder, HERE / "wheels"):
        print(shortage)
        return 1
    copy_missing(HERE / "course", folder)
    if (HERE / "site").is_dir():
        copy_missing(HERE / "site", folder / "build" / "site")
    environment = folder / ".venv"
    python = program(environment, "python")
    if not runs(python):
        venv.create(environment, with_pip=True, clear=True, symlinks=os.name != "nt")
    print("Installing from the stick; this takes some minutes ...", flush=True)
    if subprocess.run(
        [str(python), *pip_arguments(HERE / "wheels")], cwd=folder, env=only_here()
    ).returncode:
        print("\nThe installation failed: show the lines above to the instructor.")
        return 1
    (environment / ".installed-lab").touch()  # so that `make lab` does not ask a network
    start = write_start(folder)
    code = subprocess.run(
        [str(program(environment, "flowerdiff")), "doctor"], cwd=folder
    ).returncode
    print(f"\nTo begin: {start}" if code == 0 else "\nShow the lines with FAIL to the instructor.")
    return code


def sees_no_umlauts(version: tuple) -> bool:
    """Older ones read the file that says where the course is in the system's code page; pip writes
    it in UTF-8 (github.com/python/cpython/pull/117917).
    """
    return version < (3, 12, 4)


def runs(python: Path) -> bool:
    """Whether an environment is whole, and of this Python: not left over from an interruption, or
    from another version that was tried first.
    """
    code = "import pip, sys; print(*sys.version_info[:2], sys.prefix != sys.base_prefix)"
    try:
        answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError:
        return False
    return answer.stdout.split() == [*map(str, sys.version_info[:2]), "True"]


def pip_arguments(wheels: Path) -> list[str]:
    """Install the course, so that a change of its code is seen at once; from `wheels` alone."""
    offline = ["--no-index", "--find-links", str(wheels), "--only-binary=:all:"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    named = wheels.parent / "extras.txt"
    extras = named.read_text(encoding="utf-8").strip() if named.exists() else "notebooks"
    return ["-m", "pip", "install", *quiet, *offline, "-e", f".[{extras}]"]


def only_here() -> dict[str, str]:
    """This process's environment without settings of pip's, which may point to other places."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def lacks(folder: Path, wheels: Path) -> str:
    """What is missing on the disk, in words; "" if there is room."""
    cuda = sys.platform.startswith("linux") and any(wheels.glob("nvidia_*.whl"))
    need = 7.0 if cuda else 2.0  # GB
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free / GB
    return "" if free > need else f"{free:.1f} GB are free there, {need:.0f} GB are needed."


def copy_missing(source: Path, to: Path) -> None:
    """Copy a folder; what is there already stays as it is."""
    for path in sorted(source.rglob("*")):
        copy = to / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(copy.name + ".partial")  # a stick may be pulled out
            shutil.copyfile(path, partial)
            partial.replace(copy)


def program(environment: Path, name: str) -> Path:
    """A program of an environment."""
    if os.name == "nt":
        return environment / "Scripts" / f"{name}.exe"
    return environment / "bin" / name


def write_start(folder: Path) -> Path:
    """A file to click on, or to call, that opens the first lesson."""
    start = folder / ("start.bat" if os.name == "nt" else "start.sh")
    start.write_text(BATCH if os.name == "nt" else SHELL, encoding="ascii")
    start.chmod(0o755)
    return start


if __name__ == "__main__":
    sys.exit(main())
