"""Get a file of weights over the network: whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from flowerdiff.metrics.weights import BadWeights, WeightFile
from flowerdiff.store import replacing

CHUNK = 1 << 18  # bytes
TIMEOUT = 20.0  # seconds without one byte
LARGEST = 1 << 30  # bytes; none of the files comes near it


class DownloadFailed(RuntimeError):
    """No place gave the file. Says what each answered."""


def get(file: WeightFile, mirror: str | None = None, timeout: float = TIMEOUT) -> Path:
    """Download a file that is not here yet, with a progress bar; returns where it lies.

    mirror: the address of a folder that has it, in place of its publisher's; for a classroom where
    one machine has the files, `python -m http.server` there is enough.

    The bytes lie under a temporary name until they are complete, have the hash in the file's name
    if it has one, and hold what they should; a file that is here already but is not what it should
    be is replaced. Raises DownloadFailed.
    """
    path = file.path
    if path.is_file():
        with contextlib.suppress(BadWeights):
            file.read()
            return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if mirror and "://" not in mirror:
        mirror = f"http://{mirror}"
    urls = [f"{mirror.rstrip('/')}/{file.file}"] if mirror else file.urls
    failures = []
    for url in urls:
        try:
            data = _fetch(url, file.file, timeout)
            file.check(data, path)
        except (OSError, HTTPException, BadWeights) as error:
            failures.append(f"{url.split('/')[2] or url}: {_reason(error)}")
            continue
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return path
    raise DownloadFailed(f"could not get {file.file} ({file.size}): {'; '.join(failures)}")


def _fetch(url: str, name: str, timeout: float) -> bytes:
    """All bytes at an address. Raises OSError if they stay away, or are fewer than announced."""
    request = urllib.request.Request(url, headers={"User-Agent": "flowerdiff"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        if size > LARGEST:
            raise OSError(f"it would be {size:,} bytes")
        data = bytearray()
        with tqdm(total=size or None, desc=name, unit="B", unit_scale=True) as bar:
            while chunk := answer.read(CHUNK):
                data += chunk
                bar.update(len(chunk))
                if len(data) > LARGEST:
                    raise OSError(f"it does not end after {LARGEST:,} bytes")
    if size and len(data) != size:
        raise OSError(f"only {len(data):,} of {size:,} bytes came")
    return bytes(data)


def _reason(error: Exception) -> str:
    """In one line, why it failed."""
    cause = getattr(error, "reason", None)  # URLError wraps what the system said
    cause = cause if isinstance(cause, OSError) else error
    return " ".join(str(getattr(cause, "strerror", None) or cause or type(cause).__name__).split())
