"""Weights that are not part of flowerdiff: where they lie, and how they are read with nothing run.

They lie where pyiqa and torch-fidelity look for them as well: in the folders of torch.hub, which
the environment variable TORCH_HOME moves. `flowerdiff weights get NAME` puts them there.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

PYIQA = (
    "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main",
    "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights",
)
NONCOMMERCIAL = "pyiqa's: for non-commercial use only (PolyForm Noncommercial 1.0.0)"


class MissingWeights(RuntimeError):
    """A file of weights is not on this machine. Says which, how large, and how to get it."""


class BadWeights(RuntimeError):
    """A file of weights is not what it should be. Says what is wrong with it."""


@dataclass(frozen=True)
class WeightFile:
    """A file that somebody else publishes."""

    name: str  # for the command line
    use: str  # for what
    file: str  # its name; where that ends in -0a1b2c3d.pth, the first digits of its SHA-256
    folder: str  # of torch.hub
    size: str
    licence: str
    urls: tuple[str, ...]  # the same bytes from several places
    parse: Callable[[bytes, str], object]  # bytes and a name for errors -> what the file holds
    also: tuple[str, ...] = ()  # other names under which programs keep the same bytes

    @property
    def path(self) -> Path:
        """Where it lies, or would: under any of its names, the first if there is none."""
        home = Path(torch.hub.get_dir()) / self.folder
        paths = [home / name for name in (self.file, *self.also)]
        return next((path for path in paths if path.is_file()), paths[0])

    def require(self) -> Path:
        """Raises MissingWeights, before anything slow is imported."""
        if not self.path.is_file():
            raise MissingWeights(
                f"{self.use} needs {self.file} ({self.size}), which is not in {self.path.parent}: "
                f"get it once, with a network, by  flowerdiff weights get {self.name}"
            )
        return self.path

    def read(self) -> object:
        """What the file holds, checked. Raises MissingWeights or BadWeights."""
        path = self.require()
        return self.check(path.read_bytes(), path)

    def check(self, data: bytes, path: Path) -> object:
        """What these bytes hold. Raises BadWeights if they are not this file's."""
        check_hash(data, path)
        return self.parse(data, str(path))


def check_hash(data: bytes, path: Path) -> None:
    """Raises BadWeights unless the bytes have the hash in the file's name, if there is one."""
    promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", path.name)
    digest = hashlib.sha256(data).hexdigest()
    if promised and not digest.startswith(promised[1]):
        raise BadWeights(
            f"{path} has another hash than its name says ({digest[: len(promised[1])]}): get it "
            "again"
        )


def tensors(data: bytes, name: str) -> object:
    """What a .pth file holds, by an unpickler that makes tensors and containers, nothing else."""
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # of an error page in place of the file, torch raises of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadWeights(
            f"{name} is no file of weights, or cut short, or holds what could run code: {reason}"
        ) from None


def our_bytes(held: object) -> io.BytesIO:
    """Tensors as a file of our own making, for a library that unpickles all that it is given."""
    file = io.BytesIO()
    torch.save(held, file)
    file.seek(0)
    return file


def read_weights(path: Path) -> dict[str, Tensor]:
    """A .pth file with its hash in its name (name-0a1b2c3d.pth), checked.

    Raises MissingWeights or BadWeights.
    """
    if not path.is_file():
        raise MissingWeights(f"no weights at {path}: pip install --force-reinstall the package")
    data = path.read_bytes()
    check_hash(data, path)
    return tensors(data, str(path))


def _state(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a net by their names; some files have them under `params`."""
    state = tensors(data, name)
    state = state.get("params", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise BadWeights(f"{name} holds no weights of a net")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _brisque(data: bytes, name: str) -> list[Tensor]:
    """The coefficients (K,) and the support vectors (K, 36) of a regression."""
    match tensors(data, name):
        case (Tensor(ndim=1) as coefficients, Tensor(ndim=2) as vectors) if vectors.shape == (
            len(coefficients),
            36,
        ):
            return [coefficients, vectors]
    raise BadWeights(f"{name} holds no support vectors of BRISQUE")


def _niqe(data: bytes, name: str) -> bytes:
    """A MATLAB file with the mean (36) and the covariance (36, 36) of good photographs."""
    from scipy.io import loadmat  # it reads numbers and text; there is no code in such a file

    try:
        held = loadmat(io.BytesIO(data), variable_names=["mu_prisparam", "cov_prisparam"])
        shapes = math.prod(held["mu_prisparam"].shape), held["cov_prisparam"].shape
    except Exception as error:  # of a broken file, scipy raises of many kinds
        raise BadWeights(f"{name} is no MATLAB file of NIQE's: {error}") from None
    if shapes != (36, (36, 36)):
        raise BadWeights(f"{name} holds no parameters of NIQE: its shapes are {shapes}")
    return data


def _of_pyiqa(name: str, use: str, file: str, size: str, parse: Callable) -> WeightFile:
    urls = tuple(f"{base}/{file}" for base in PYIQA)
    return WeightFile(name, use, file, "pyiqa", size, NONCOMMERCIAL, urls, parse)


NIQE = _of_pyiqa("niqe", "NIQE", "niqe_modelparameters.mat", "11 kB", _niqe)
BRISQUE = _of_pyiqa("brisque", "BRISQUE", "brisque_svm_weights.pth", "0.2 MB", _brisque)
CNN_IQA = _of_pyiqa("cnn-iqa", "CNN-IQA", "CNNIQA_koniq10k-e6f14c91.pth", "2.9 MB", _state)
INCEPTION = WeightFile(
    "inception",
    "Inception-v3 (for FID, KID and IS as published)",
    "weights-inception-2015-12-05-6726825d.pth",
    "checkpoints",
    "96 MB",
    "Apache 2.0",
    (
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
    ),
    _state,
    also=("pt_inception-2015-12-05-6726825d.pth",),
)
FILES = {file.name: file for file in (INCEPTION, CNN_IQA, NIQE, BRISQUE)}


def named(names: list[str]) -> list[WeightFile]:
    """The files of these names, or of `all`. Raises ValueError for none and for another name."""
    wrong = sorted(set(names) - {*FILES, "all"})
    if wrong or not names:
        what = f"no weights called {', '.join(wrong)}" if wrong else "which weights?"
        raise ValueError(f"{what}: there are {', '.join(FILES)}, or all")
    return list(FILES.values()) if "all" in names else [FILES[name] for name in names]
