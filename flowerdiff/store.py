"""Tensors and a note in one file that is whole or absent, never half: atomic, hashed, no pickle.

The file is ordinary safetensors. Its metadata holds the note (JSON) and the SHA-256 of both.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


class CheckpointError(RuntimeError):
    """A file of weights is missing, cut short, altered, or of another net. Says what to do."""


def digest_of(tensors: dict[str, Tensor], note: str = "") -> str:
    """SHA-256 of contiguous tensors and a note."""
    # The file as it would be without metadata: every name, dtype, shape and byte is in it.
    return hashlib.sha256(safetensors.torch.save(tensors) + note.encode()).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; what is there at the end takes the place of `path`.

    A reader, or a crash at any moment, finds the old file or the new one, never a half of it.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: str | os.PathLike, tensors: dict[str, Tensor], note: dict) -> str:
    """Write tensors and a JSON-able note, at once or not at all; return their SHA-256."""
    path = Path(path).expanduser()
    text = json.dumps(note)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = digest_of(tensors, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(safetensors.torch.save(tensors, {"note": text, "sha256": digest}))
        file.flush()
        os.fsync(file.fileno())
    return digest


def read(path: str | os.PathLike, sha256: str | None = None) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the note, checked against the file's own hash, and against `sha256` if given.

    Raises CheckpointError, and returns nothing, if anything is amiss.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f"no such file: {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # Copies: the tensors themselves lie in the file, mapped into memory, and as long as one
            # of them lives Windows lets nobody write the file anew.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        message = f"{path} is cut short or not safetensors ({error}): get it again"
        raise CheckpointError(message) from None
    if not {"note", "sha256"} <= metadata.keys():
        raise CheckpointError(f"{path} was not written by flowerdiff: it has no hash")
    digest = digest_of(tensors, metadata["note"])
    if digest != metadata["sha256"] or (sha256 and digest != sha256):
        raise CheckpointError(f"{path} has another hash than it should: get it again")
    return tensors, json.loads(metadata["note"])
