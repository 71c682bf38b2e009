"""tools/install_browser.sh, on machines made of a folder of stand-in programs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "tools/install_browser.sh"
RELEASE = Path("/etc/os-release")
DEBIAN = RELEASE.exists() and "\nID=debian\n" in RELEASE.read_text()
WORKS = "#!/bin/sh\necho Chromium 1.0"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


class Machine:
    def __init__(self, folder: Path):
        self.bin, self.env = folder, {"PATH": str(folder), "HOME": str(folder)}
        for tool in "bash sh dirname readlink cat id grep env chmod".split():  # noqa: SIM905
            (folder / tool).symlink_to(shutil.which(tool))

    def program(self, name: str, text: str) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, *arguments, **env):
        command = [str(self.bin / "bash"), str(SCRIPT), *arguments, str(self.bin / "python")]
        return subprocess.run(command, env=self.env | env, capture_output=True, text=True)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_finds_what_is_on_the_path(machine):
    machine.program("chromium", "#!/bin/sh\nexit 1")  # as Ubuntu's, which only says: use snap
    chrome = machine.program("google-chrome", WORKS)
    assert machine.run().stdout == f"{chrome}\n"
    assert machine.run("--find").stdout == f"{chrome}\n"


def test_the_users_choice_comes_first(machine):
    machine.program("chromium", WORKS)
    mine = machine.program("mine", WORKS)
    assert machine.run(FLOWERDIFF_CHROMIUM=str(mine)).stdout == f"{mine}\n"
    wrong = machine.run(FLOWERDIFF_CHROMIUM="/no/such")
    assert wrong.returncode == 1 and "FLOWERDIFF_CHROMIUM=/no/such does not run" in wrong.stderr


def test_find_installs_nothing(machine):
    called = machine.bin / "called"
    machine.program("apt-get", f"#!/bin/sh\n: > {called}")
    machine.program("python", f'#!/bin/sh\nif [ "$1" = -m ]; then : > {called}; fi')
    looked = machine.run("--find")
    assert (looked.returncode, looked.stdout) == (1, "") and not called.exists()


def test_installs_playwrights_own(machine):
    own = machine.bin / "own"
    install = f"printf '{WORKS}' > {own}; chmod +x {own}; echo 'a progress bar'"
    machine.program("python", f'#!/bin/sh\nif [ "$1" = -m ]; then {install}; else echo {own}; fi')
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, f"{own}\n")
    assert "a progress bar" in done.stderr  # the path alone is on stdout


@pytest.mark.skipif(not (DEBIAN and os.geteuid() == 0), reason="Debian, as root")
def test_installs_debians(machine):
    chromium = machine.bin / "chromium"
    machine.program(
        "apt-get", f"#!/bin/sh\nif [ $1 = install ]; then printf '{WORKS}' > {chromium}; fi; "
        f"chmod +x {chromium} || true"
    )  # fmt: skip
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, f"{chromium}\n")


def test_says_what_to_do_when_nothing_helps(machine):
    machine.program("python", "#!/bin/sh\nexit 1")
    machine.program("apt-get", "#!/bin/sh\nexit 100")
    done = machine.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "FLOWERDIFF_CHROMIUM" in done.stderr and "make test-fast" in done.stderr
