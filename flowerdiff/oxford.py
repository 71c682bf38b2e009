"""The paper's data set: a part of Oxford-102, as it lies on the Hugging Face Hub."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import huggingface_hub
import pyarrow
from huggingface_hub import constants
from huggingface_hub.utils import get_session

from flowerdiff.labels import OXFORD
from flowerdiff.pictures import DataError

REPO = "coroperv/oxford-flowers"  # filtered by hand by the paper's authors
LOADED = (2452, 61)  # its images and classes, as the paper loaded them ...
MIN_PER_CLASS = 20  # ... without the classes that have fewer images ...
CHOSEN = (2346, 53)  # ... and what the paper trained on


def hub_reachable(timeout: float = 3.0) -> bool:
    """Whether the Hub (or the mirror in HF_ENDPOINT) answers within `timeout` seconds.

    False at once with HF_HUB_OFFLINE=1. Proxies are respected.
    """
    answers: list[bool] = []

    def ask() -> None:
        with suppress(Exception):  # no name, no route, no certificate, offline mode: all mean no
            reply = get_session().head(constants.ENDPOINT, timeout=timeout)
            answers.append(reply.status_code < 500)

    # In a thread, because looking up a name can hang for longer than any timeout of the request.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return any(answers)


def hub_folder(revision: str) -> str:
    """The data set's files on this disk, downloaded first if need be.

    Without a network it uses a copy in the cache, or raises DataError within seconds.
    """
    # Asked first: with a network that swallows packets, the download would retry for minutes.
    online = hub_reachable()
    try:
        return huggingface_hub.snapshot_download(
            REPO, repo_type="dataset", revision=revision, local_files_only=not online
        )
    except Exception as error:  # the network, the disk, the revision: many kinds of error
        if online:
            reason = str(error).strip().splitlines()[:1]
            why = f"could not be downloaded ({': '.join([type(error).__name__, *reason])})"
        elif constants.HF_HUB_OFFLINE:
            why = "is not in this machine's cache, and HF_HUB_OFFLINE is set"
        else:
            why = f"is not in this machine's cache, and {constants.ENDPOINT} does not answer"
        raise DataError(
            f"{REPO}, revision {revision!r}, {why}. Two other choices need no network: "
            'load_flowers("garden") draws flowers, and load_flowers("a/local/path") reads '
            "your own parquet file or folder of pictures."
        ) from error


def hub_table(folder: str) -> tuple[pyarrow.Table, list[str]]:
    """Columns image and label of the Hub's files in `folder`, and its class names."""
    import datasets  # slow to import, and of use only here and for parquet files

    try:
        table = datasets.load_dataset(folder, split="train")
        return table.with_format("arrow")[:], table.features["label"].names
    except Exception as error:  # files missing, cut short or laid out otherwise
        raise DataError(
            f"the copy of {REPO} in {folder} cannot be read ({error}); delete it and load again"
        ) from error


def paper_classes(
    labels: Sequence[int], folders: Sequence[str]
) -> tuple[dict[int, int], list[str]]:
    """The paper's filter: {old label: new label 0..52} of the kept classes, and their names.

    labels: of every row. folders: class names of the old labels, which on the Hub are Oxford's
    class numbers in the order of strings: "1", "10", "100", "101", "11", ... Raises DataError if
    the counts differ from the paper's.
    """
    counts = Counter(labels)
    kept = [k for k in range(len(folders)) if counts[k] >= MIN_PER_CLASS]
    found = (len(labels), len(folders))
    chosen = (sum(counts[k] for k in kept), len(kept))
    numbers = [int(name) if name.isdecimal() else 0 for name in folders]
    if (found, chosen) != (LOADED, CHOSEN) or not all(1 <= n <= len(OXFORD) for n in numbers):
        raise DataError(
            f"this is not the paper's {REPO}: {_of(found)}, after the filter {_of(chosen)}, where "
            f"the paper has {_of(LOADED)} named by Oxford's numbers, after the filter "
            f"{_of(CHOSEN)}. Pass the revision= of an older commit, or read it from a local path."
        )
    names = [OXFORD[numbers[k] - 1] for k in kept]
    return {k: new for new, k in enumerate(kept)}, names


def _of(size: tuple[int, int]) -> str:
    return f"{size[0]:,} images of {size[1]} classes"
