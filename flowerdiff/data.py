"""Flowers from three places, as uint8 images and labels.

`load_flowers("hub")` is the paper's data set, `load_flowers("a/local/path")` your own parquet file
or folder of pictures, `load_flowers("garden")` drawn flowers that need no network. What cannot be
read is an error that names it and says what to do: nothing is replaced or left out silently.
"""

from __future__ import annotations

import csv
import math
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from PIL import Image

from flowerdiff import oxford
from flowerdiff.garden import garden
from flowerdiff.labels import find_label
from flowerdiff.oxford import hub_reachable
from flowerdiff.pictures import DataError, Row

__all__ = ["DataError", "Flowers", "hub_reachable", "load_flowers"]

GARDEN = {"train": (60, 0), "validation": (10, 1)}  # split: flowers of each species, seed
# Notes beside the pictures, and what Windows hides there.
NOT_PICTURES = {".csv", ".json", ".jsonl", ".md", ".txt", ".html", ".ini", ".db"}


@dataclass(frozen=True, eq=False, repr=False)
class Flowers:
    """Images and what they show. `skipped` names what skip_bad=True left out."""

    images: torch.Tensor  # uint8 (N, 3, S, S)
    labels: torch.Tensor  # long (N,), 0 .. len(class_names) - 1
    class_names: list[str]
    source: str
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size, classes = self.images.shape[-1], len(self.class_names)
        skipped = f", {len(self.skipped):,} skipped" if self.skipped else ""
        return (
            f"Flowers({len(self):,} of {size}x{size}, {classes} classes{skipped}, {self.source!r})"
        )

    def subset(self, indices) -> Flowers:
        """The flowers at `indices` (integers, or a bool mask of length N), in that order."""
        indices = torch.as_tensor(indices)
        if indices.dtype != torch.bool:
            indices = indices.long()  # an empty list arrives as float
        indices = indices.reshape(-1)  # a single number is a list of one
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def label(self, name: str | int) -> int:
        """The label of a class: flowers.label("sunflower"). A typo is a ValueError with a hint."""
        return find_label(name, self.class_names)


def load_flowers(
    source: str | Path,
    size: int = 64,
    split: str | None = None,
    skip_bad: bool = False,
    revision: str = "main",
) -> Flowers:
    """Load flowers as uint8 images (N, 3, size, size) and labels (N,).

    source: "hub", "garden", or the path of
      - a parquet file with the columns image and label, or a folder of such files;
      - a folder of pictures: one sub-folder per class, or a metadata.csv beside them with the
        columns file_name and label. (A folder called hub or garden is "./hub", "./garden".)
    split: None takes everything. "train" takes the rows whose split column says train, or the files
      called train-*.parquet or train/…. The garden has "train" and "validation".
    skip_bad: leave out what cannot be used and name it in Flowers.skipped, instead of raising.
    revision: branch, tag or commit of the Hub's data set. "hub" is the paper's choice from it: 53
      classes with at least 20 images each, 2,346 images. A copy in the cache needs no network.

    Every picture is cropped to its own centre square. (The paper's code crops all of them to the
    size of whichever picture a plotting loop had shown last.) Raises DataError.
    """
    if size < 1:
        raise DataError(f"size is {size}; images are at least 1 pixel wide, usually 64 or 128")
    if source == "garden":
        return _garden(size, split)
    if source == "hub":
        source = f"hub: {oxford.REPO}"
        rows, class_names = _hub(revision, source)
    else:
        rows, class_names = _local(Path(source).expanduser())
    if split is not None:
        splits = sorted({row.split for row in rows if row.split})
        rows = [row for row in rows if row.split == split]
        if not rows:
            hint = f"it has {', '.join(splits)}" if splits else "it has none: leave split out"
            raise DataError(f"{source} has no split {split!r}; {hint}")
    return _decode(rows, class_names, str(source), size, skip_bad)


def _garden(size: int, split: str | None) -> Flowers:
    if split is not None and split not in GARDEN:
        raise DataError(f"the garden has no split {split!r}; it has {', '.join(GARDEN)}")
    parts = [garden(n, size, seed) for name, (n, seed) in GARDEN.items() if split in (None, name)]
    images, labels, names = zip(*parts, strict=True)
    return Flowers(torch.cat(images), torch.cat(labels), names[0], "garden")


def _hub(revision: str, where: str) -> tuple[list[Row], list[str]]:
    folder = oxford.hub_folder(revision)
    table, folders = oxford.hub_table(folder)
    new, names = oxford.paper_classes(table["label"].to_pylist(), folders)
    rows = _table_rows(table, where, Path(folder), "train")
    few = set(range(len(folders))) - set(new)
    # A label that is no class at all stays, to be an error later.
    return [replace(r, label=new.get(r.label, r.label)) for r in rows if r.label not in few], names


def _local(path: Path) -> tuple[list[Row], list[str]]:
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
        return _parquet(files) if files else _picture_folder(path)
    if path.is_file() and path.suffix == ".parquet":
        return _parquet([path])
    what = "neither a parquet file nor a folder" if path.exists() else "not there"
    raise DataError(f'{path} is {what}; load_flowers takes such a path, or "hub", or "garden"')


def _parquet(files: Sequence[Path]) -> tuple[list[Row], list[str]]:
    import datasets  # slow to import, and of use only here and for the Hub

    rows: list[Row] = []
    named: list[list[str]] = []
    for file in files:
        try:
            table = pyarrow.parquet.read_table(file)
            label = datasets.Features.from_arrow_schema(table.schema).get("label")
        except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
            raise DataError(f"{file}: cannot be read as parquet ({error}); replace it") from error
        named.append(label.names if isinstance(label, datasets.ClassLabel) else [])
        split = _split_in(file.stem) or _split_in(file.parent.name)
        rows += _table_rows(table, str(file), file.parent, split)
    if any(names != named[0] for names in named):
        raise DataError(f"{files[0].parent}: its parquet files name different classes; load one")
    return (rows, named[0]) if named[0] else _number_classes(rows)


def _table_rows(table: pyarrow.Table, where: str, folder: Path, split: str | None) -> list[Row]:
    if not {"image", "label"} <= set(table.column_names):
        has = ", ".join(table.column_names)
        raise DataError(f"{where}: needs the columns image and label; it has {has}")
    rows = []
    for i, cells in enumerate(table.to_pylist()):
        image = cells["image"]  # {"bytes": …, "path": …} as `datasets` writes it, or plain bytes
        data, path = (image["bytes"], image["path"]) if isinstance(image, dict) else (image, None)
        known_as = cells.get("image_id") or path
        name = f"{where}, row {i}" + (f" (image {known_as})" if known_as else "")
        picture = folder / path if data is None and path else data
        rows.append(Row(name, picture, cells["label"], cells.get("split", split)))
    return rows


def _picture_folder(root: Path) -> tuple[list[Row], list[str]]:
    # Not the folder reader of `datasets`: it takes a "test" in any file's name for a split, and
    # then leaves out the files that have none.
    listed: dict[Path, dict[str, str]] = {}
    for metadata in sorted(root.rglob("metadata.csv")):
        try:
            lines = list(csv.DictReader(metadata.read_text(encoding="utf-8-sig").splitlines()))
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{metadata}: {error}; save it as CSV in UTF-8") from error
        for line in lines:
            if not line.get("file_name") or "label" not in line:
                raise DataError(f"{metadata}: every line needs a file_name and a label")
            listed[metadata.parent / line["file_name"]] = line
    rows = []
    for file in sorted({f for f in root.rglob("*") if _is_picture(f, root)} | set(listed)):
        parts = Path(os.path.relpath(file, root)).parts  # metadata may point out of the folder
        folder_name = parts[-2] if len(parts) > 1 and not listed else None
        line = listed.get(file, {"label": folder_name})
        rows.append(Row(str(file), file, line["label"], line.get("split") or _split_in(parts[0])))
    if not any(row.label for row in rows):
        raise DataError(
            f"{root}: no labelled pictures; put them into one sub-folder per class, "
            "or add a metadata.csv with the columns file_name and label"
        )
    return _number_classes(rows)


def _is_picture(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return file.is_file() and not hidden and file.suffix.lower() not in NOT_PICTURES


def _split_in(name: str) -> str | None:
    found = re.match(r"(train|validation|valid|val|test)(-\d+-of-\d+.*)?$", name)
    return found[1] if found else None


def _number_classes(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Labels that are names, or unnamed numbers, become 0, 1, … Bad ones stay as they are."""
    texts = {row.label for row in rows if isinstance(row.label, str) and row.label}
    numbers = {row.label for row in rows if type(row.label) is int and row.label >= 0}
    # Numbers written as text, too, go by what they are: 2 comes before 10.
    known = [*sorted(numbers), *sorted(texts, key=lambda text: (_number(text), text))]
    new = {label: k for k, label in enumerate(known)}
    numbered = [
        replace(row, label=new[row.label])
        if type(row.label) in (int, str) and row.label in new
        else row
        for row in rows
    ]
    return numbered, [str(label) for label in known]


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else math.inf


def _decode(rows: list[Row], names: list[str], source: str, size: int, skip_bad: bool) -> Flowers:
    images = np.empty((len(rows), size, size, 3), np.uint8)
    labels: list[int] = []
    skipped: list[str] = []
    with warnings.catch_warnings():
        # MAX_PIXELS is stricter, and is an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for row in rows:
            try:
                label = row.checked_label(len(names))
                images[len(labels)] = row.pixels(size)
            except DataError:
                if not skip_bad:
                    raise
                skipped.append(row.name)
            else:
                labels.append(label)
    if not labels:
        raise DataError(f"{source}: none of its {len(rows)} pictures can be used")
    pixels = torch.from_numpy(images[: len(labels)]).permute(0, 3, 1, 2).contiguous()
    return Flowers(pixels, torch.tensor(labels), names, source, tuple(skipped))
