"""`flowerdiff doctor`: what works here, what does not, and what to do about it.

Each check is a small function that returns a `Check`. It imports inside, so that the report comes
line by line and a broken library is a line in it instead of a traceback.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

GB = 1e9
OLDEST = (3, 11)  # Python, as in pyproject.toml


@dataclass(frozen=True)
class Check:
    name: str
    status: str  # "ok", "off" (not needed for the lessons), "warn", "FAIL" (lessons won't run)
    detail: str
    remedy: str = ""  # what to do; for everything but "ok"


def python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        remedy = "make a new environment with a newer one: make lab PYTHON=/path/to/python3.12"
        return Check("Python", "FAIL", f"{version}, needs 3.11", remedy)
    return Check("Python", "ok", f"{version} in {sys.prefix}")


def torch_works() -> Check:
    try:
        import torch

        x = torch.ones(1, 3, 8, 8)
        torch.nn.functional.conv2d(x, x)  # loads the compute libraries, which the import does not
    except Exception as error:
        remedy = "install PyTorch again as pytorch.org says for this machine"
        return Check("torch", "FAIL", f"does not run: {first_line(error)}", remedy)
    return Check("torch", "ok", torch.__version__)


def device() -> Check:
    try:
        import torch
    except Exception:
        return Check("device", "FAIL", "unknown without torch", "see the line on torch")
    if torch.cuda.is_available():
        try:
            gpu = torch.cuda.get_device_name()
            torch.ones(2, device="cuda").sum().item()  # an old driver or GPU fails only here
        except Exception as error:
            remedy = "set CUDA_VISIBLE_DEVICES= (empty) to use the CPU, or update the driver"
            return Check("device", "FAIL", f"the GPU does not run: {first_line(error)}", remedy)
        return Check("device", "ok", f"cuda: {gpu}")
    if torch.backends.mps.is_available():
        return Check("device", "ok", "mps: the GPU of this Mac")
    cores, threads = usable_cores(), torch.get_num_threads()
    if threads < min(cores, 2):
        remedy = f"unset OMP_NUM_THREADS, or call torch.set_num_threads({cores})"
        return Check("device", "warn", f"cpu: {threads} thread on {cores} cores", remedy)
    return Check("device", "ok", f"cpu: {threads} threads on {cores} cores")


def pieces(extra: str, missing_status: str, purpose: str) -> Check:
    """Are the packages that `extra` asks for installed, and new enough? "" is flowerdiff itself."""
    name = f"extra {extra}" if extra else "packages"
    where = f'".[{extra}]"' if extra else "."
    remedy = f"in flowerdiff's folder: {this_python()} -m pip install -e {where}"
    try:
        wanted = requirements(extra)
    except metadata.PackageNotFoundError:
        return Check(name, "FAIL", "flowerdiff itself is not installed", remedy)
    lacking = [lack for lack in map(lacks, wanted) if lack]
    if not lacking:
        return Check(name, "ok", f"{len(wanted)} installed: {purpose}")
    listed = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
    return Check(name, missing_status, f"lacks {listed}: {purpose}", remedy)


def widgets() -> Check:
    """Widgets are two halves, one in the kernel and one in the page, whose versions go together."""
    halves = {"7": "1", "8": "3"}  # major version of ipywidgets -> of jupyterlab_widgets
    packages = ("jupyterlab", "ipywidgets", "jupyterlab_widgets", "anywidget")
    versions = {package: version(package) for package in packages}
    detail = ", ".join(f"{package} {v or 'missing'}" for package, v in versions.items())
    update = f"{this_python()} -m pip install --upgrade --force-reinstall "
    missing = [package for package, v in versions.items() if v is None]
    if missing:
        return Check("widgets", "FAIL", detail, update + " ".join(missing))
    kernel, page = (versions[p].split(".")[0] for p in ("ipywidgets", "jupyterlab_widgets"))
    if halves.get(kernel) != page:
        return Check("widgets", "FAIL", f"{detail}: not of one kind", update + "ipywidgets")
    from jupyter_core.paths import jupyter_path  # comes with jupyterlab

    extensions = [Path(folder) for folder in jupyter_path("labextensions")]  # the user's, too
    absent = [
        package
        for package, folder in (
            ("jupyterlab_widgets", "@jupyter-widgets/jupyterlab-manager"),
            ("anywidget", "anywidget"),
        )
        if not any((path / folder).is_dir() for path in extensions)
    ]
    if absent:
        detail += f"; JupyterLab's half is in none of {', '.join(map(str, extensions))}"
        return Check("widgets", "FAIL", detail, update + " ".join(absent))
    return Check("widgets", "ok", detail)


def weights() -> Check:
    try:
        from flowerdiff.checkpoint import PRETRAINED, WEIGHTS, load_pretrained

        for name in PRETRAINED:
            load_pretrained(name)  # checks the hash
        size = sum((WEIGHTS / f"{name}.safetensors").stat().st_size for name in PRETRAINED)
    except Exception as error:
        remedy = "get the files of flowerdiff/weights again: git checkout flowerdiff/weights"
        return Check("weights", "FAIL", first_line(error), remedy)
    return Check("weights", "ok", f"{', '.join(PRETRAINED)} ({size / 1e6:.0f} MB), hash right")


def hub() -> Check:
    try:
        from huggingface_hub import constants, file_download

        from flowerdiff.data import hub_reachable
        from flowerdiff.oxford import REPO
    except Exception as error:
        remedy = "see the lines on packages and torch"
        return Check("hub", "FAIL", f"flowerdiff.data does not load: {first_line(error)}", remedy)
    folder = file_download.repo_folder_name(repo_id=REPO, repo_type="dataset")
    cached = Path(constants.HF_HUB_CACHE, folder, "snapshots").is_dir()
    copy = f"{REPO} is {'' if cached else 'not '}in the cache"
    if hub_reachable(timeout=3):
        return Check("hub", "ok", f"{constants.ENDPOINT} answers; {copy}")
    if cached:
        return Check("hub", "ok", f"offline; {copy}")
    remedy = 'none needed for the lessons; load_flowers("hub") wants a network, once'
    return Check("hub", "warn", f"offline; {copy}", remedy)


def disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / GB
    if free < 2:
        remedy = "free some: a training run keeps checkpoints, the Hub's flowers stay in its cache"
        return Check("disk", "warn", f"{free:.1f} GB free here, 2 GB needed for training", remedy)
    return Check("disk", "ok", f"{free:.0f} GB free here")


def memory() -> Check:
    try:
        import psutil
    except ImportError:
        return Check("memory", "warn", "unknown without psutil", "see the line on packages")
    free = psutil.virtual_memory().available / GB
    if free < 2:
        remedy = "close other programs and shut down the kernels of other notebooks"
        return Check("memory", "warn", f"{free:.1f} GB available, 2 GB wanted", remedy)
    return Check("memory", "ok", f"{free:.0f} GB available")


CHECKS: tuple[Callable[[], Check], ...] = (
    python,
    torch_works,
    device,
    lambda: pieces("", "FAIL", "what the library stands on"),
    lambda: pieces("notebooks", "FAIL", "the lessons in JupyterLab"),
    lambda: pieces("metrics", "off", "measures how good pictures are"),
    lambda: pieces("quality", "off", "the paper's quality scores (not for commercial use)"),
    lambda: pieces("test", "off", "flowerdiff's own tests"),
    widgets,
    weights,
    hub,
    disk,
    memory,
)


def checks() -> Iterator[Check]:
    """Every check, one after the other."""
    return (check() for check in CHECKS)


def main(argv: list[str] | None = None) -> int:
    """Print the report; 1 if something that the lessons need is broken, else 0."""
    argparse.ArgumentParser(prog="flowerdiff doctor", description=__doc__).parse_args(argv)
    failed = 0
    for check in checks():
        print(f"{check.status:4}  {check.name:15}  {check.detail}", flush=True)
        if check.remedy:
            print(f"{'':23}-> {check.remedy}", flush=True)
        failed += check.status == "FAIL"
    print(f"\n{failed} to mend: see the arrows above." if failed else "\nReady: flowerdiff lab")
    return 1 if failed else 0


def this_python() -> str:
    """As one types it; a folder's name may have spaces."""
    return f'"{sys.executable}"' if " " in sys.executable else sys.executable


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def requirements(extra: str) -> list[Requirement]:
    """What flowerdiff's metadata asks for in `extra`, without its references to itself."""
    wanted = []
    for requirement in map(Requirement, metadata.requires("flowerdiff") or []):
        condition = requirement.marker
        named = "extra" in str(condition)
        applies = condition is None or condition.evaluate({"extra": extra})
        if applies and named == bool(extra) and requirement.name != "flowerdiff":
            wanted.append(requirement)
    return wanted


def lacks(requirement: Requirement) -> str:
    """What is wrong with an installed package, in a few words, or "" if nothing."""
    have = version(requirement.name)
    if have is None:
        return requirement.name
    # A development build (2.9.0.dev, 2.9.0a0+git) is good enough here.
    if not requirement.specifier.contains(have, prereleases=True):
        return f"{requirement.name}{requirement.specifier} (has {have})"
    return ""
