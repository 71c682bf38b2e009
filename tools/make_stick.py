"""Build the folder for USB sticks: what a class needs without a network, and prove that it works.

    python tools/make_stick.py STICK                        for laptops like this one
    python tools/make_stick.py STICK --for windows mac linux --python 3.11 3.12 3.13
    python tools/make_stick.py STICK --check-only           again, on the stick itself

STICK then holds course/ (this repository with the model), wheels/ (all packages), site/ (if `make
docs` was run), install.py and README.txt for the participants. The check is what a participant
does: install.py into a fresh environment, with the network off; then `flowerdiff doctor`, and a
drawn flower. For other kinds of laptops pip works out whether it would find all that it needs.

On Linux pip's torch carries CUDA: some 3 GB of wheels and 6 GB on each laptop. With
--pip-args "--extra-index-url URL" it comes from another index: pytorch.org's install page names
one of CPU builds, a tenth of the size.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from folders import clear  # beside this file

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / "tools" / "stick"
GB = 1e9
LARGEST = 4 * 2**30  # bytes: what FAT32, the format that sticks are sold with, can hold in one file
# The course is installed editable, so pip builds it, from these.
TO_BUILD = ["hatchling>=1.27", "editables>=0.3"]


@dataclass(frozen=True)
class System:
    """A kind of laptop: the tags of the wheels that it takes, and what markers say on it."""

    tags: tuple[str, ...]
    markers: dict[str, str]


def _system(
    tags: Iterable[str], os_name: str, sys_platform: str, name: str, machine: str
) -> System:
    markers = {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": name,
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
    }
    return System(tuple(tags), markers)


MANYLINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]  # 2.28: Debian 10, 2019
MANYLINUX += [f"manylinux{old}_x86_64" for old in ("2014", "2010", "1")]
SYSTEMS = {
    "linux": _system(MANYLINUX, "posix", "linux", "Linux", "x86_64"),
    "windows": _system(["win_amd64"], "nt", "win32", "Windows", "AMD64"),
    # pip takes the tags of older versions, too, but of each package the newest alone: for macOS 12
    # and 13 there is no newer torch than 2.11. For Macs with Intel there is none any more.
    "mac": _system(["macosx_14_0_arm64"], "posix", "darwin", "Darwin", "arm64"),
}


@dataclass(frozen=True)
class Target:
    """A kind of laptop with a version of Python, as in ("windows", "3.12")."""

    system: str
    python: str

    def __str__(self):
        return f"{self.system}, Python {self.python}"

    def arguments(self) -> list[str]:
        """What tells pip to look for this laptop's wheels and not for this one's."""
        tags = [f"--platform={tag}" for tag in SYSTEMS[self.system].tags]
        abi = f"cp{self.python.replace('.', '')}"
        abis = [f"--abi={name}" for name in (abi, "abi3", "none")]
        return ["--implementation=cp", f"--python-version={self.python}", *abis, *tags]

    def markers(self) -> dict[str, str]:
        """What `sys_platform` and its like are there. pip would take this machine's, whatever
        --platform says (github.com/pypa/pip/issues/11664), and leave out what only Windows needs.
        """
        python = {
            "python_version": self.python,
            "python_full_version": f"{self.python}.9",
            "implementation_version": f"{self.python}.9",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
        return SYSTEMS[self.system].markers | python


def pip(*arguments: str, target: Target | None = None) -> list[str]:
    """A command: pip, or pip that believes to be on the target."""
    if target is None:
        return [sys.executable, "-m", "pip", *arguments]
    code = f"""
import sys
from pip._vendor.packaging import markers
here = markers.default_environment
markers.default_environment = lambda: {{**here(), **{target.markers()!r}}}
from pip._internal.cli.main import main
sys.exit(main())
"""
    return [sys.executable, "-c", code, *arguments]


def wanted(project: dict, extras: Iterable[str]) -> list[str]:
    """The requirements of the course and of its extras; `project` is pyproject.toml's table."""
    found = list(project["dependencies"])
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            if requirement.startswith("flowerdiff["):
                names = requirement[len("flowerdiff[") : -1].split(",")
                found += wanted({**project, "dependencies": []}, names)
            else:
                found.append(requirement)
    return list(dict.fromkeys(found))


def course_files(root: Path = ROOT) -> list[Path]:
    """The repository as it is on the disk, without what git is told to leave alone, and without
    the training runs, which only those need who train on.
    """
    which = ["-z", "--cached", "--others", "--exclude-standard"]
    listing = ["git", "-C", str(root), "ls-files", *which]
    names = subprocess.run(listing, check=True, capture_output=True, encoding="utf-8").stdout
    files = [Path(name) for name in names.split("\0") if name and (root / name).is_file()]
    return [file for file in files if file.parts[0] != "runs"]


def lay_out(stick: Path, site: Path, pythons: str, needs: str) -> None:
    """All but the wheels."""
    clear(stick / "course", "flowerdiff/__init__.py")
    clear(stick / "site", "searchindex.js")
    for file in course_files():
        copy = stick / "course" / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, copy)
    words = ""
    if (site / "index.html").is_file():
        shutil.copytree(site, stick / "site")
        words = "\nTo read without Python: open site/index.html in a browser.\n"
    shutil.copyfile(PARTS / "install.py", stick / "install.py")
    text = (PARTS / "README.txt").read_text(encoding="utf-8")
    (stick / "README.txt").write_text(
        text.format(pythons=pythons, needs=needs, site=words), encoding="utf-8"
    )


def download(stick: Path, requirements: list[str], target: Target | None, more: list[str]) -> None:
    """The wheels of one kind of laptop; None: of this one."""
    arguments = ["download", "--quiet", "--only-binary=:all:", "--dest", str(stick / "wheels")]
    arguments += [*(target.arguments() if target else []), *more, *requirements]
    subprocess.run(pip(*arguments, target=target), check=True)


def would_install(stick: Path, requirements: list[str], target: Target) -> bool:
    """Whether pip finds a whole set of wheels for a laptop of another kind on the stick. (By a
    download from there to nowhere: `pip install --dry-run` compares with this machine's Python.)
    """
    arguments = ["download", "--quiet", "--no-index", "--only-binary=:all:"]
    arguments += ["--find-links", str(stick / "wheels"), *target.arguments()]
    with tempfile.TemporaryDirectory(prefix="flowerdiff-stick-") as nowhere:
        command = pip(*arguments, "--dest", nowhere, *requirements, target=target)
        return subprocess.run(command, env=only_here(os.environ)).returncode == 0


def only_here(environment: dict[str, str]) -> dict[str, str]:
    """Without settings of pip's: they may name other places to take packages from."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "HF_HUB_OFFLINE": "1"}


def offline() -> list[str]:
    """What to put before a command so that it has no network; nothing where that cannot be done."""
    cut = ["unshare", "--user", "--map-root-user", "--net"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*cut, "true"], capture_output=True).returncode
    ):
        return cut
    return []


def check(stick: Path) -> None:
    """Do what a participant does, in a folder that is thrown away."""
    cut = offline()
    print(
        f"checking {'with the network off' if cut else 'pip told to use no network'} ...",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="flowerdiff-stick-") as folder:
        laptop = Path(folder) / "laptop"
        env = only_here(os.environ)
        env.pop("PYTHONPATH", None)

        def run(*command: str) -> None:
            subprocess.run([*cut, *command], cwd=folder, env=env, check=True)

        base = getattr(sys, "_base_executable", sys.executable)  # not this environment's packages
        run(base, "-I", str(stick / "install.py"), str(laptop))
        scripts = laptop / ".venv" / ("Scripts" if os.name == "nt" else "bin")
        sample = ["sample", "--label", "sunflower", "--n", "1", "--out", str(laptop / "samples")]
        run(str(scripts / "flowerdiff"), *sample)
        if (laptop / "samples" / "00000.png").stat().st_size < 1000:
            sys.exit("the drawn flower is empty")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def report(stick: Path) -> str:
    """How large the parts are, and what format of stick can hold them."""
    parts = {path.name: size(path) for path in sorted(stick.iterdir()) if path.is_dir()}
    lines = [f"{name:8} {n / GB:6.2f} GB" for name, n in parts.items()]
    lines.append(f"{'in all':8} {sum(parts.values()) / GB:6.2f} GB in {stick}")
    if any(p.stat().st_size >= LARGEST for p in stick.rglob("*") if p.is_file()):
        lines.append("one file has 4 GB or more: format the stick as exFAT, not as FAT32")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stick", type=Path, help="the folder to make, on the stick or on a disk")
    parser.add_argument(
        "--for", dest="systems", nargs="+", choices=SYSTEMS, default=[], metavar="SYSTEM",
        help="windows, mac, linux; without it, laptops like this one",
    )  # fmt: skip
    parser.add_argument(
        "--python", nargs="+", default=["3.11", "3.12", "3.13"], metavar="VERSION",
        help="with --for: versions of Python (3.11 3.12 3.13)",
    )  # fmt: skip
    parser.add_argument(
        "--extras", nargs="+", default=["notebooks"], help="of pyproject.toml (notebooks)"
    )
    parser.add_argument("--pip-args", default="", help="added to `pip download`, such as an index")
    parser.add_argument(
        "--site", type=Path, default=ROOT / "build" / "site", help="what `make docs` made"
    )
    parser.add_argument("--check-only", action="store_true", help="a stick that is there already")
    parser.add_argument("--no-check", action="store_true", help="only build it")
    arguments = parser.parse_args()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*wanted(project, arguments.extras), *TO_BUILD]
    targets = [Target(s, python) for s in arguments.systems for python in arguments.python]
    stick = arguments.stick.resolve()
    if not arguments.check_only:
        (stick / "wheels").mkdir(parents=True, exist_ok=True)
        for target in [None, *targets]:
            print(f"packages for {target or 'this machine'} ...", flush=True)
            download(
                stick, requirements, target, shlex.split(arguments.pip_args, posix=os.name != "nt")
            )
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        pythons = sorted(
            {here, *(target.python for target in targets)}, key=lambda v: int(v.split(".")[1])
        )
        cuda = any((stick / "wheels").glob("nvidia_*.whl"))
        needs = "2 GB (on Linux 7 GB)" if cuda else "2 GB"
        (stick / "extras.txt").write_text(",".join(arguments.extras) + "\n", encoding="utf-8")
        lay_out(stick, arguments.site, f"This stick is for Python {', '.join(pythons)}.", needs)
    if not arguments.no_check:
        bad = [str(target) for target in targets if not would_install(stick, requirements, target)]
        if bad:
            sys.exit(f"wheels are missing for {'; '.join(bad)}")
        check(stick)
    print(report(stick))
    print("checked: it installs and draws a flower" if not arguments.no_check else "not checked")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # it has said why
        sys.exit(f"the stick is not ready: {shlex.join(map(str, error.cmd))[:150]} failed")
