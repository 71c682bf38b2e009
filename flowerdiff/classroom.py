"""The week before a class: one line from each laptop, and a table of who needs help.

    flowerdiff doctor --class        a participant runs this and sends the line back
    flowerdiff doctor --read FILE    the instructor has all the lines in a file

The line is made to be sent by mail and chat: plain letters between two brackets, so that it is
found again among greetings and quotation marks, and when it was broken in two. It names versions,
the kind of machine and what does not work: no person, no computer, no folder.
"""

import platform
import re
import sys
import time
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flowerdiff import doctor
from flowerdiff.doctor import GB, Check

SLOW = 12.0  # seconds for one flower; the lessons draw dozens
REPORT = re.compile(r"\[flowerdiff[\s>]+([^][]*)\]")  # a mail may break it, or quote it
CHECKS: tuple[Callable[[], Check], ...] = (
    doctor.python,
    doctor.torch_works,
    doctor.device,
    lambda: doctor.pieces("", "FAIL", "what the library stands on"),
    lambda: doctor.pieces("notebooks", "FAIL", "the lessons in JupyterLab"),
    doctor.widgets,
    doctor.weights,
    doctor.disk,
    doctor.memory,
)
HELP = {  # what to tell somebody whose line names it
    "Python": "install Python 3.12, then set up again",
    "torch": "set up again in a new environment; on Windows the Visual C++ runtime may be missing",
    "device": "works, if slowly: see what `flowerdiff doctor` says of the device",
    "packages": "set up again: the installation did not come to its end",
    "extra notebooks": "set up again: JupyterLab or the widgets are not installed",
    "widgets": "set up again in a new environment: another Jupyter is mixed in",
    "weights": "get the course's folder again: the model's file is not as it should be",
    "disk": "free 2 GB before the class",
    "memory": "close other programs in class",
    "flower": "sees no sunflower: set up again, and send what `flowerdiff doctor` prints",
}


def main() -> int:
    """Look at this laptop, print the line; what to do with it goes to stderr."""
    print("looking at this laptop, about half a minute ...", file=sys.stderr, flush=True)
    found = [check() for check in CHECKS]
    found.append(flower() if not any(c.status == "FAIL" for c in found) else not_drawn())
    for check in found:
        if check.status != "ok" and check.remedy:
            print(f"{check.name}: {check.detail}\n  -> {check.remedy}", file=sys.stderr)
    print("send this line back, as it is:\n", file=sys.stderr, flush=True)
    print(line(found))
    return 1 if any(check.status == "FAIL" for check in found) else 0


def flower() -> Check:
    """How many seconds the first flower of lesson 00 takes, and whether it is one."""
    try:
        import torch

        from flowerdiff.checkpoint import load_pretrained
        from flowerdiff.draw import draw

        model = load_pretrained()
        label = torch.tensor([model.label("sunflower")])
        draw(model, [10], label, steps=1)  # what is only loaded once
        start = time.perf_counter()
        image = draw(model, [10], label, w=2.0, steps=25)
        seconds = time.perf_counter() - start
    except Exception as error:
        return Check("flower", "FAIL", doctor.first_line(error), "see above; or set up again")
    return drawn(image[0].mean((1, 2)).tolist(), seconds)


def drawn(mean_colour: list[float], seconds: float) -> Check:
    """What a flower's mean red, green and blue say of the machine that drew it."""
    red, _, blue = mean_colour
    if not red > blue:  # also where they are not numbers
        return Check("flower", "FAIL", "the sunflower is not yellow", "set up again")
    if seconds > SLOW:
        slow = "close other programs, plug the power in, and run this again"
        return Check("flower", "warn", f"{seconds:.1f} s", slow)
    return Check("flower", "ok", f"{seconds:.1f} s")


def not_drawn() -> Check:
    return Check("flower", "off", "not drawn")


def line(found: Iterable[Check]) -> str:
    """The line to send back. Of the checks it has the names, and of the flower its seconds: their
    details may hold the names of folders.
    """
    found = list(found)
    bad = [f"{c.status} {c.name}" for c in found if c.status in ("FAIL", "warn")]
    seconds = next((c.detail for c in found if c.name == "flower"), "not drawn")
    facts = {
        "": _version("flowerdiff"),
        "on": _system(),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "lab": _version("jupyterlab"),
        "ipywidgets": _version("ipywidgets"),
        "anywidget": _version("anywidget"),
        "flower": seconds if re.fullmatch(r"[\d.]+ s", seconds) else "no",
        "cores": str(doctor.usable_cores()),
        "disk": f"{doctor.shutil.disk_usage('.').free / GB:.0f} GB",
        "says": ", ".join(bad) or "ready",
    }
    return f"[flowerdiff {'; '.join(f'{key} {value}'.strip() for key, value in facts.items())}]"


def _system() -> str:
    """As Windows 11 AMD64, macOS 14.5 arm64, Linux x86_64. (A Linux kernel may bear a name.)"""
    name, machine = platform.system(), platform.machine()
    if name == "Darwin":
        return f"macOS {platform.mac_ver()[0]} {machine}"
    return f"Windows {platform.release()} {machine}" if name == "Windows" else f"{name} {machine}"


def _version(package: str) -> str:
    return doctor.version(package) or "none"


@dataclass(frozen=True)
class Laptop:
    """What one line says. who: the words before the line, as the instructor's file has them."""

    who: str
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def bad(self) -> list[tuple[str, str]]:
        """("FAIL" or "warn", name of the check) for all that is not as it should be."""
        says = self.facts.get("says", "")
        return [tuple(s.split(" ", 1)) for s in says.split(", ") if s[:5] in ("FAIL ", "warn ")]

    @property
    def seconds(self) -> float | None:
        """For one flower; None if none was drawn."""
        number = re.fullmatch(r"([\d.]+) s", self.facts.get("flower", ""))
        return float(number[1]) if number else None

    @property
    def state(self) -> str:
        if "says" not in self.facts or any(status == "FAIL" for status, _ in self.bad):
            return "HELP"
        return "look" if self.bad else "ready"


def text_of(path: str | Path) -> str:
    """A file's text, whatever wrote it: what PowerShell 5 writes with ">" is UTF-16."""
    data = Path(path).read_bytes()
    utf_16 = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return data.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")


def read(text: str) -> list[Laptop]:
    """The laptops whose lines are in a text. Where a name stands before the line, in the same line
    of the text (Ana: [flowerdiff ...]), the last one of that name counts.
    """
    found = {}
    for i, (before, words) in enumerate(_reports(text), start=1):
        above, _, beside = before.rpartition("\n")
        names = [w.strip(" \t\r>*:,;-|\"'") for w in (*above.splitlines(), beside)]
        who = next((name for name in reversed(names) if name), f"line {i}")
        version, *facts = [" ".join(fact.split()) for fact in words.split(";")]
        pairs = dict(fact.partition(" ")[::2] for fact in facts)
        key = who if names[-1] else i
        found.pop(key, None)
        found[key] = Laptop(who, {"version": version, **pairs})
    return list(found.values())


def _reports(text: str) -> Iterator[tuple[str, str]]:
    """(what stands before it, what is in it) for each report. A line that was broken has a new
    line in the middle of it, and in an answer's quotation a > after that.
    """
    end = 0
    for match in REPORT.finditer(text):
        yield text[end : match.start()], re.sub(r"\n[> \t]*", " ", match[1])
        end = match.end()


def table(laptops: list[Laptop], ours: str | None = None) -> str:
    """Who needs help and why: those first. ours: the version of flowerdiff to compare with."""
    ours = ours or _version("flowerdiff")
    order = ["HELP", "look", "ready"]
    lines = []
    for laptop in sorted(laptops, key=lambda x: (order.index(x.state), -(x.seconds or 0))):
        drawn = f"{laptop.seconds:.1f} s" if laptop.seconds is not None else "-"
        machine = laptop.facts.get("on", "?")
        lines.append(f"{laptop.state:5}  {laptop.who[:24]:24}  {drawn:>7}  {machine}")
        lines += [f"{'':7}-> {advice}" for advice in advise(laptop, ours)]
    count = {state: sum(x.state == state for x in laptops) for state in order}
    times = sorted(x.seconds for x in laptops if x.seconds is not None)
    spread = f"; a flower takes {times[0]:.1f} to {times[-1]:.1f} s" if times else ""
    states = f"{count['ready']} ready, {count['look']} to look at, {count['HELP']} need help"
    return "\n".join([*lines, "", f"{len(laptops)} laptops: {states}{spread}"])


def advise(laptop: Laptop, ours: str) -> list[str]:
    """What to tell the laptop's owner, most pressing first."""
    words = [f"{name}: {HELP.get(name, 'see `flowerdiff doctor`')}" for _, name in laptop.bad]
    if "says" not in laptop.facts:
        words.append("the line is not whole: ask for it again")
    if laptop.seconds is not None and laptop.seconds > SLOW:
        words = [w for w in words if not w.startswith("flower:")]
        words.append("slow: seat beside a faster one; 10 steps instead of 25 show the same")
    if laptop.facts.get("version", ours) != ours:
        words.append(f"has flowerdiff {laptop.facts['version']}, the class {ours}: get it again")
    return words
