"""The line that a participant sends, and what the instructor reads in thirty of them."""

import getpass
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowerdiff import classroom, doctor
from flowerdiff.classroom import Laptop, advise, drawn, line, read, table
from flowerdiff.cli import main
from flowerdiff.doctor import Check

FINE = [Check("Python", "ok", "3.12"), Check("flower", "ok", "2.4 s")]
ILL = [
    Check("widgets", "FAIL", "jupyterlab missing", "install"),
    Check("memory", "warn", "1.0 GB available", "close"),
    Check("flower", "off", "not drawn"),
]


def test_a_line_comes_back_as_it_was():
    (laptop,) = read(line(FINE))
    assert laptop.state == "ready" and laptop.seconds == 2.4 and laptop.bad == []
    assert laptop.facts["python"] == ".".join(map(str, sys.version_info[:3]))
    (laptop,) = read(line(ILL))
    assert laptop.state == "HELP" and laptop.seconds is None
    assert laptop.bad == [("FAIL", "widgets"), ("warn", "memory")]
    assert line(FINE).isascii() and "\n" not in line(ILL)


def test_the_line_tells_no_names(monkeypatch):
    """Details of checks hold folders, and a folder the name of a person: they stay at home."""
    private = Check("torch", "FAIL", "/home/ana/.venv/lib/libgomp.so of host lab-7", "remedy")
    text = line([private, *FINE])
    monkeypatch.setattr(classroom.platform, "release", lambda: "6.1-built-on-lab-7")
    text += line(FINE)  # on Linux the release may be anybody's words
    for word in ("ana", "lab-7", "/", "\\", socket.gethostname(), str(Path.cwd()), sys.prefix):
        assert word not in text
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text)


@pytest.mark.parametrize(
    "system, release, shown",
    [("Windows", "11", "Windows 11 AMD64"), ("Linux", "6.1", "Linux AMD64")],
)
def test_the_kind_of_machine(system, release, shown, monkeypatch):
    monkeypatch.setattr(classroom.platform, "system", lambda: system)
    monkeypatch.setattr(classroom.platform, "release", lambda: release)
    monkeypatch.setattr(classroom.platform, "machine", lambda: "AMD64")
    assert read(line(FINE))[0].facts["on"] == shown


def test_a_mac_says_its_version(monkeypatch):
    monkeypatch.setattr(classroom.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(classroom.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(classroom.platform, "mac_ver", lambda: ("14.5", ("", "", ""), "arm64"))
    assert read(line(FINE))[0].facts["on"] == "macOS 14.5 arm64"


def test_a_sunflower_is_yellow_and_quick():
    assert drawn([0.2, 0.1, -0.4], 3.21) == Check("flower", "ok", "3.2 s")
    assert drawn([0.2, 0.1, -0.4], 40.0).status == "warn"
    assert drawn([-0.4, 0.1, 0.2], 3.0).status == "FAIL"
    assert drawn([float("nan")] * 3, 3.0).status == "FAIL"


def test_the_bundled_model_draws_one():
    assert classroom.flower().status in ("ok", "warn")  # warn: a busy machine


def test_a_model_that_does_not_load_is_a_finding(monkeypatch):
    def broken():
        raise ValueError("no such file\nand more")

    monkeypatch.setattr("flowerdiff.checkpoint.load_pretrained", broken)
    assert classroom.flower() == Check(
        "flower", "FAIL", "no such file", "see above; or set up again"
    )


MAILS = """
Hello! here it is:
> [flowerdiff 0.1.0; on Windows 11 AMD64; python 3.12.4; torch 2.6.0; lab 4.2.5;
> ipywidgets 8.1.5; anywidget 0.9.13; flower 3.1 s; cores 8; disk 20 GB; says
> ready]

Ben: [flowerdiff 0.1.0; on macOS 14.5 arm64; flower no; disk 1 GB; says FAIL widgets, warn disk]
Cleo: [flowerdiff 0.0.9; on Linux x86_64; flower 31.5 s; disk 90 GB; says warn flower]
here it is:
[flowerdiff 0.1.0; on Linux x86_64; flower 2.0 s; says ready]
Ben: [flowerdiff 0.1.0; on macOS 14.5 arm64; flower 2.2 s; disk 9 GB; says ready]
Dora: [flowerdiff 0.1.0; on Linux x86_64; flower 2.5 s]
Emil has no line yet
"""


def test_lines_are_found_in_mails():
    laptops = read(MAILS)
    names = ["Hello! here it is", "Cleo", "here it is", "Ben", "Dora"]
    assert [laptop.who for laptop in laptops] == names
    first, cleo, _, ben, dora = laptops
    assert first.state == "ready" and first.facts["ipywidgets"] == "8.1.5"  # broken over lines
    assert ben.state == "ready" and ben.seconds == 2.2  # the later of his two
    assert cleo.state == "look" and dora.state == "HELP"


@pytest.mark.parametrize("cut", ["\n", "\n> ", " "])
def test_a_mail_may_break_a_line_at_its_first_blank(cut):
    whole = "[flowerdiff 0.1.0; python 3.12.4; says ready]"
    broken = f"Hello,\n> {whole.replace(' ', cut, 1)}\n"
    assert [(r.state, r.facts) for r in read(broken)] == [("ready", read(whole)[0].facts)]


def test_two_with_the_same_words_above_are_two():
    text = "here:\n[flowerdiff 1; says ready]\nhere:\n[flowerdiff 1; says FAIL torch]"
    assert [laptop.state for laptop in read(text)] == ["ready", "HELP"]
    assert [laptop.who for laptop in read("[flowerdiff 1; says ready]")] == ["line 1"]


def test_who_needs_help_comes_first():
    rows = table(read(MAILS), ours="0.1.0").splitlines()
    states = [row.split()[0] for row in rows if row[:1].strip() and not row[0].isdigit()]
    assert states == ["HELP", "look", "ready", "ready", "ready"]
    assert "Dora" in rows[0] and "not whole" in rows[1]
    assert "Cleo" in rows[2] and "slow" in rows[3] and "0.0.9" in rows[4]
    assert rows[-1] == (
        "5 laptops: 3 ready, 1 to look at, 1 need help; a flower takes 2.0 to 31.5 s"
    )


def test_every_check_of_the_line_has_its_advice():
    for name in [*(check().name for check in classroom.CHECKS), "flower"]:
        (advice,) = advise(Laptop("Ana", {"version": "1", "says": f"FAIL {name}"}), "1")
        assert advice == f"{name}: {classroom.HELP[name]}"


def test_nobody():
    assert table([], "1").endswith("0 laptops: 0 ready, 0 to look at, 0 need help")


def test_the_instructor_reads_a_file(tmp_path, capsys):
    (tmp_path / "lines.txt").write_bytes(
        b"\xef\xbb\xbf" + MAILS.encode() + "Zo\xeb".encode("cp1252")
    )
    assert main(["doctor", "--read", str(tmp_path / "lines.txt")]) == 0
    assert "5 laptops" in capsys.readouterr().out
    (tmp_path / "lines.txt").write_bytes(MAILS.encode("utf-16"))  # as PowerShell 5 does
    assert main(["doctor", "--read", str(tmp_path / "lines.txt")]) == 0
    assert "5 laptops" in capsys.readouterr().out
    assert main(["doctor", "--read", str(tmp_path / "nowhere")]) == 1


def test_the_participant_runs_a_command(monkeypatch, capsys):
    monkeypatch.setattr(classroom, "CHECKS", (lambda: FINE[0],))
    monkeypatch.setattr(classroom, "flower", lambda: FINE[1])
    assert main(["doctor", "--class"]) == 0
    out, err = capsys.readouterr()
    assert out == line(FINE) + "\n" and "send this line back" in err
    monkeypatch.setattr(classroom, "CHECKS", (lambda: ILL[0],))
    assert main(["doctor", "--class"]) == 1
    out, err = capsys.readouterr()
    assert "-> install" in err and "flower no;" in out  # nothing is drawn where nothing works


def test_on_this_machine():
    done = subprocess.run(
        [sys.executable, "-m", "flowerdiff.cli", "doctor", "--class"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (laptop,) = read(done.stdout)
    assert laptop.state in ("ready", "look") and laptop.seconds > 0
    assert laptop.facts["version"] == doctor.version("flowerdiff")
