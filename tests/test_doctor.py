"""Each check of `flowerdiff doctor`, well and ill; the ill ones say what to do."""

import builtins
import os
import subprocess
import sys
import time
from collections import namedtuple
from importlib import metadata

import psutil
import pytest
import torch

from flowerdiff import checkpoint, data, doctor
from flowerdiff.doctor import Check


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def broken_import(monkeypatch):
    """broken_import("torch") makes `import torch` fail as a half-installed package does."""

    def breaks(name):
        real = builtins.__import__

        def fake(module, *args, **kwargs):
            if module.split(".")[0] == name:
                raise ImportError(f"{name}: cannot open shared object file\nand much more")
            return real(module, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", fake)

    return breaks


@pytest.fixture
def versions(monkeypatch):
    """versions(numpy="1.0", pillow=None) pretends that these are installed, or missing."""

    def pretend(**pretended):
        real = metadata.version
        pretended = {name.replace("_", "-"): value for name, value in pretended.items()}

        def fake(package):
            found = pretended.get(package.replace("_", "-"), "")
            if found is None:
                raise metadata.PackageNotFoundError(package)
            return found or real(package)

        monkeypatch.setattr(metadata, "version", fake)

    return pretend


def test_python_too_old(monkeypatch):
    assert doctor.python().status == "ok"
    monkeypatch.setattr(doctor, "OLDEST", (99, 0))
    assert doctor.python().status == "FAIL"
    assert "PYTHON=" in doctor.python().remedy


def test_torch_that_does_not_load(broken_import):
    assert doctor.torch_works() == Check("torch", "ok", torch.__version__)
    broken_import("torch")
    check = doctor.torch_works()
    assert check.status == "FAIL"
    assert check.detail == "does not run: torch: cannot open shared object file"
    assert "pytorch.org" in check.remedy
    assert doctor.device().status == "FAIL"
    assert "torch" in doctor.device().remedy


def test_torch_that_does_not_compute(monkeypatch):
    def illegal(*args):
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(torch.nn.functional, "conv2d", illegal)
    assert doctor.torch_works().status == "FAIL"


def test_device_cpu(monkeypatch, no_gpu):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert doctor.device() == Check("device", "ok", "cpu: 4 threads on 4 cores")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert doctor.device().status == "warn"
    assert "OMP_NUM_THREADS" in doctor.device().remedy
    monkeypatch.setattr(doctor, "usable_cores", lambda: 1)  # one thread is all it can use
    assert doctor.device().status == "ok"


def test_device_gpu(monkeypatch, no_gpu):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "mps" in doctor.device().detail
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")

    def no_kernel(*args, **kwargs):
        raise RuntimeError("no kernel image is available\nfor execution on the device")

    ones = torch.ones
    monkeypatch.setattr(torch, "ones", no_kernel)
    check = doctor.device()
    assert check.status == "FAIL"
    assert check.detail == "the GPU does not run: no kernel image is available"
    assert "CUDA_VISIBLE_DEVICES" in check.remedy
    monkeypatch.setattr(torch, "ones", lambda n, device: ones(n))
    assert doctor.device() == Check("device", "ok", "cuda: Old GPU")


def test_packages(versions):
    assert doctor.pieces("", "FAIL", "the library").status == "ok"
    versions(pillow=None, numpy="1.0", torch="99.0.0a0+git123")  # a development build is fine
    check = doctor.pieces("", "FAIL", "the library")
    assert check.status == "FAIL"
    assert "pillow" in check.detail and "has 1.0" in check.detail and "torch" not in check.detail
    assert check.remedy.endswith("-m pip install -e .")


def test_extras(versions):
    versions(pytest=None, pytest_xdist=None, pytest_timeout=None, nbval=None, hypothesis=None)
    check = doctor.pieces("test", "off", "the tests")
    assert check.status == "off"
    assert "and 2 more" in check.detail
    assert check.remedy.endswith('-m pip install -e ".[test]"')


def test_requirements_are_of_the_extra_asked_for():
    names = {extra: {r.name for r in doctor.requirements(extra)} for extra in ("", "notebooks")}
    assert "torch" in names[""] and "jupyterlab" not in names[""]
    assert "jupyterlab" in names["notebooks"] and "torch" not in names["notebooks"]
    assert "flowerdiff" not in names[""] | names["notebooks"]


def test_not_installed_at_all(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    check = doctor.pieces("", "FAIL", "the library")
    assert check.status == "FAIL" and "pip install -e ." in check.remedy


def test_widgets(versions, monkeypatch, tmp_path):
    assert doctor.widgets().status == "ok"
    folders = [tmp_path / "environment", tmp_path / "user"]  # JupyterLab looks there for its half
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda name: list(map(str, folders)))
    check = doctor.widgets()
    assert check.status == "FAIL"
    assert "pip install" in check.remedy
    assert "jupyterlab_widgets" in check.remedy and "anywidget" in check.remedy
    for half in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):  # pip install --user
        (folders[1] / half).mkdir(parents=True)
    assert doctor.widgets().status == "ok"


@pytest.mark.parametrize(
    "pretended, remedy",
    [({"ipywidgets": "7.7.1"}, "ipywidgets"), ({"anywidget": None}, "anywidget")],
)
def test_widgets_whose_halves_do_not_fit(versions, pretended, remedy):
    versions(**pretended)
    check = doctor.widgets()
    assert check.status == "FAIL"
    assert "pip install" in check.remedy and check.remedy.endswith(remedy)


def test_weights(monkeypatch, tmp_path):
    assert doctor.weights().status == "ok"
    monkeypatch.setattr(checkpoint, "WEIGHTS", tmp_path)
    check = doctor.weights()
    assert check.status == "FAIL"
    assert "no such file" in check.detail
    assert "flowerdiff/weights" in check.remedy


def test_weights_with_another_hash(monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", dict.fromkeys(checkpoint.PRETRAINED, "0" * 64))
    check = doctor.weights()
    assert check.status == "FAIL" and "hash" in check.detail and check.remedy


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """hub(reachable, cached) pretends."""

    def pretend(reachable, cached):
        monkeypatch.setattr(data, "hub_reachable", lambda timeout: reachable)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        if cached:
            folder = tmp_path / "datasets--coroperv--oxford-flowers/snapshots"
            folder.mkdir(parents=True)

    return pretend


@pytest.mark.parametrize("cached", [False, True])
def test_hub_reachable(hub, cached):
    hub(True, cached)
    assert doctor.hub().status == "ok"
    assert ("not in the cache" in doctor.hub().detail) != cached


def test_hub_offline(hub):
    hub(False, cached=False)
    check = doctor.hub()
    assert check.status == "warn"  # every lesson works without it
    assert "network" in check.remedy


def test_hub_offline_and_cached(hub):
    hub(False, cached=True)
    assert doctor.hub().status == "ok"


def test_data_that_does_not_load(broken_import):
    broken_import("huggingface_hub")
    assert doctor.hub().status == "FAIL" and doctor.hub().remedy


def test_disk(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(9e9, 8e9, 1e9))
    assert doctor.disk().status == "warn"
    assert "1.0 GB free" in doctor.disk().detail and "free some" in doctor.disk().remedy
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(9e9, 0, 9e9))
    assert doctor.disk().status == "ok"


def test_memory(monkeypatch, broken_import):
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(1e9))
    assert doctor.memory().status == "warn" and "kernels" in doctor.memory().remedy
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(8e9))
    assert doctor.memory() == Check("memory", "ok", "8 GB available")
    broken_import("psutil")
    assert doctor.memory().status == "warn" and doctor.memory().remedy


def test_report(monkeypatch, capsys):
    fine, bad = Check("a", "ok", "well"), Check("b", "FAIL", "ill", "do this")
    monkeypatch.setattr(doctor, "CHECKS", [lambda: fine])
    assert doctor.main([]) == 0
    assert capsys.readouterr().out == f"ok    a{'':16}well\n\nReady: flowerdiff lab\n"
    monkeypatch.setattr(doctor, "CHECKS", [lambda: fine, lambda: bad])
    assert doctor.main([]) == 1
    assert f"{'':23}-> do this" in capsys.readouterr().out


def test_a_warning_is_no_failure(monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", [lambda: Check("a", "warn", "meh", "do this")])
    assert doctor.main([]) == 0


def test_on_this_machine_without_a_network():
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "flowerdiff.cli", "doctor"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert time.monotonic() - start < 60  # 15 on a machine that does nothing else
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert len([line for line in done.stdout.splitlines() if line.startswith("ok  ")]) >= 8
