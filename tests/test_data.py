"""Flowers from the Hub, from files of every kind, and from the garden: pixels, labels, errors."""

import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import zlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flowerdiff import data, oxford
from flowerdiff.data import DataError, Flowers, hub_reachable, load_flowers
from flowerdiff.labels import OXFORD, find_label
from flowerdiff.pictures import Row, square

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image, format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def write(path: Path, content: bytes | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return path


def plain(colour, size=(12, 12), mode="RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def pixels_of(content: bytes, size=4) -> np.ndarray:
    return Row("a picture", content, 0).pixels(size)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour_type, lines: bytes) -> bytes:
    """A PNG by hand, for what Pillow reads and does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


# ---- every kind of picture -------------------------------------------------------------------


def grey16(value, mode="I;16"):
    order = ">" if mode == "I;16B" else "<"
    raw = np.full((12, 12), value, f"{order}u2").tobytes()
    return Image.frombytes(mode, (12, 12), raw)


def palette(transparency=None):
    image = Image.new("P", (12, 12), 1)
    image.putpalette([9, 9, 9, 10, 200, 30])
    options = {} if transparency is None else {"transparency": transparency}
    return encoded(image, **options)


PICTURES = {
    "RGB": (encoded(plain((10, 20, 30))), (10, 20, 30)),
    "JPEG": (encoded(plain((90, 90, 90)), "JPEG"), (90, 90, 90)),
    "bilevel": (encoded(plain(1, mode="1")), WHITE),
    "grey": (encoded(plain(128, mode="L")), (128, 128, 128)),
    "grey JPEG": (encoded(plain(128, mode="L"), "JPEG"), (128, 128, 128)),
    "CMYK TIFF": (encoded(plain((0, 255, 255, 0), mode="CMYK"), "TIFF"), RED),
    "CMYK JPEG": (encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG", quality=100), (254, 0, 0)),
    "palette": (palette(), (10, 200, 30)),
    "palette, one colour clear": (palette(transparency=1), WHITE),
    "palette, half clear": (palette(transparency=bytes([255, 128])), (132, 227, 142)),
    "GIF": (encoded(plain(RED).quantize(2), "GIF"), RED),
    "grey and alpha": (encoded(plain((0, 128), mode="LA")), (127, 127, 127)),
    "alpha, clear": (encoded(plain((255, 0, 0, 0), mode="RGBA")), WHITE),
    "alpha, half": (encoded(plain((255, 0, 0, 128), mode="RGBA")), (255, 127, 127)),
    "alpha, WebP": (encoded(plain((0, 0, 0, 0), mode="RGBA"), "WEBP", lossless=True), WHITE),
    "RGB, one colour clear": (encoded(plain(RED), transparency=RED), WHITE),
    "16-bit grey": (encoded(grey16(100 * 257)), (100, 100, 100)),
    "16-bit white": (encoded(grey16(65535)), WHITE),
    "16-bit TIFF, big-endian": (encoded(grey16(100 * 257, "I;16B"), "TIFF"), (100, 100, 100)),
    "16 bits in 32": (encoded(plain(100 * 257, mode="I"), "TIFF"), (100, 100, 100)),
    "16-bit RGB": (
        png(2, 2, 16, 2, 2 * (b"\0" + 2 * struct.pack(">3H", 0, 200 * 257, 65535))),
        (0, 200, 255),
    ),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_of_picture_becomes_the_right_rgb(kind):
    content, colour = PICTURES[kind]
    image = pixels_of(content)
    assert image.shape == (4, 4, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - colour).max() <= (kind == "CMYK JPEG"), image[0, 0]


QUADRANTS = {  # what a camera's orientation flag makes of  red green / blue white
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("orientation", QUADRANTS)
def test_pictures_are_turned_as_the_camera_says(orientation):
    stored = Image.new("RGB", (2, 2))
    stored.putdata([RED, GREEN, BLUE, WHITE])
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = pixels_of(encoded(stored, exif=exif), size=2)
    assert [tuple(p) for p in upright.reshape(4, 3).tolist()] == QUADRANTS[orientation]


def stripes(width, height) -> Image.Image:
    """Red, green, blue along the longer edge; the middle square is green."""
    image = Image.new("RGB", (width, height))
    step = max(width, height) // 3
    for i, colour in enumerate((RED, GREEN, BLUE)):
        corner = (i * step, 0) if width > height else (0, i * step)
        image.paste(colour, (*corner, corner[0] + step, corner[1] + step))
    return image


def test_each_picture_is_cropped_to_its_own_centre(tmp_path):
    for i, (width, height) in enumerate([(30, 10), (10, 30), (90, 30), (60, 180)]):
        write(tmp_path / f"stripes/{i}.png", stripes(width, height))
    images = load_flowers(tmp_path, size=8).images.permute(0, 2, 3, 1)
    assert (images == torch.tensor(GREEN, dtype=torch.uint8)).all()


def test_an_odd_margin_shifts_by_whole_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (8, 11, 3), np.uint8)
    assert (np.asarray(square(Image.fromarray(noise), 8)) == noise[:, 1:9]).all()


def test_shrinking_averages_instead_of_picking_pixels():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = np.asarray(square(Image.fromarray(board), 8)).astype(int)
    assert np.abs(small - 127.5).max() < 3


# ---- what cannot be read ---------------------------------------------------------------------

JPEG = encoded(
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)), "JPEG"
)
BROKEN = {
    "truncated.jpg": (JPEG[: len(JPEG) // 2], "cannot be decoded.*truncated.*replace"),
    "truncated.png": (encoded(stripes(90, 30))[:-30], "cannot be decoded.*replace"),
    "empty.jpg": (b"", "not a picture"),
    "words.jpg": (b"this is no picture", "not a picture that Pillow can read; convert it"),
    "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "not a picture"),
    "large.png": (png(9000, 9000, 8, 2, b""), "more than 64 megapixels; make it smaller"),
    "huge.png": (png(60000, 60000, 8, 2, b""), "more than 64 megapixels; make it smaller"),
    "float.tif": (encoded(plain(0.5, mode="F"), "TIFF"), "floating-point.*replace it"),
    "deep.tif": (encoded(plain(10**6, mode="I"), "TIFF"), "more than 16 bits"),
}


@pytest.fixture
def mixed(tmp_path):
    """One good picture and every kind of broken one."""
    write(tmp_path / "rose/good.png", plain(RED))
    for name, (content, _) in BROKEN.items():
        write(tmp_path / "rose" / name, content)
    return tmp_path


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_an_error_that_names_it_and_a_remedy(tmp_path, name):
    content, problem = BROKEN[name]
    path = write(tmp_path / "rose" / name, content)
    with pytest.raises(DataError, match=problem) as caught:
        load_flowers(tmp_path)
    assert str(path) in str(caught.value) and "skip_bad=True" in str(caught.value)


def test_skip_bad_counts_and_names_what_it_leaves_out(mixed):
    flowers = load_flowers(mixed, size=8, skip_bad=True)
    assert len(flowers) == 1 and flowers.labels.tolist() == [0]
    assert flowers.skipped == tuple(sorted(str(mixed / "rose" / name) for name in BROKEN))
    assert f"{len(BROKEN)} skipped" in repr(flowers)


def test_nothing_left_is_an_error(tmp_path):
    write(tmp_path / "rose/a.png", b"")
    with pytest.raises(DataError, match="none of its 1 pictures"):
        load_flowers(tmp_path, skip_bad=True)


@settings(max_examples=60)
@given(st.sampled_from([JPEG, encoded(stripes(9, 3)), palette()]), st.data())
def test_damaged_bytes_decode_or_raise_data_error_and_nothing_else(content, draw):
    damaged = bytearray(content)
    for at in draw.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[at] = draw.draw(st.integers(0, 255))
    try:
        assert pixels_of(bytes(damaged)).shape == (4, 4, 3)
    except DataError as error:
        assert str(error).startswith("a picture: ")


# ---- folders of pictures ---------------------------------------------------------------------


def test_folder_of_classes(tmp_path):
    # "test" in a file's name is no split, and hidden files and notes are no pictures.
    for name in ("rose/1.png", "rose/2-train.png", "daisy/test_3.png"):
        write(tmp_path / name, plain(RED))
    for name in (".DS_Store", "README.md", "rose/.hidden.png", "rose/licence.txt", "Thumbs.db"):
        write(tmp_path / name, b"text")
    flowers = load_flowers(str(tmp_path), size=8)
    assert flowers.class_names == ["daisy", "rose"]
    assert flowers.labels.tolist() == [0, 1, 1] and flowers.labels.dtype == torch.long
    assert flowers.images.shape == (3, 3, 8, 8) and flowers.images.is_contiguous()


def test_folder_with_splits_keeps_one_numbering(tmp_path):
    for name in ("train/rose/1.png", "train/daisy/2.png", "test/rose/3.png"):
        write(tmp_path / name, plain(RED))
    assert len(load_flowers(tmp_path, size=8)) == 3
    test = load_flowers(tmp_path, size=8, split="test")
    assert test.labels.tolist() == [1] and test.class_names == ["daisy", "rose"]
    with pytest.raises(DataError, match="no split 'validation'; it has test, train"):
        load_flowers(tmp_path, split="validation")


def test_metadata_file(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / name, plain(RED))
    lines = "file_name,label,split\na.png,rose,train\nb.png,daisy,train\nc.png,rose,test\n"
    write(tmp_path / "metadata.csv", b"\xef\xbb\xbf" + lines.encode())  # as a spreadsheet saves it
    flowers = load_flowers(tmp_path, size=8, split="train")
    assert [flowers.class_names[k] for k in flowers.labels] == ["rose", "daisy"]


def test_numbers_for_names_keep_their_order(tmp_path):
    for k in range(12):
        write(tmp_path / f"{k}.png", plain(RED))
    lines = [f"{k}.png,{k}" for k in range(12)]
    write(tmp_path / "metadata.csv", "\n".join(["file_name,label", *lines]).encode())
    flowers = load_flowers(tmp_path, size=8)
    assert flowers.class_names == [str(k) for k in range(12)]
    assert sorted(flowers.labels.tolist()) == list(range(12))
    assert flowers.label("10") == flowers.label(10) == 10


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("file_name,label\na.png,\n", "a.png: its label is ''"),
        ("file_name,label\nother.png,rose\n", "a.png: its label is None"),
        ("file_name,label\na.png,rose\ngone.png,rose\n", "gone.png: the picture is missing"),
        ("name,label\na.png,rose\n", "metadata.csv: every line needs a file_name and a label"),
        ("file_name,label\na.png,ros\udce9\n", "metadata.csv: .*UTF-8"),
    ],
)
def test_metadata_mistakes_name_the_file(tmp_path, lines, message):
    write(tmp_path / "a.png", plain(RED))
    write(tmp_path / "metadata.csv", lines.encode(errors="surrogateescape"))
    if "other.png" in lines:
        write(tmp_path / "other.png", plain(RED))
    elif "a.png,\n" in lines:
        write(tmp_path / "b.png", plain(RED))
        write(tmp_path / "metadata.csv", (lines + "b.png,rose\n").encode())
    with pytest.raises(DataError, match=message):
        load_flowers(tmp_path)


def test_a_picture_outside_every_class_is_a_bad_label(tmp_path):
    write(tmp_path / "rose/1.png", plain(RED))
    stray = write(tmp_path / "stray.png", plain(RED))
    with pytest.raises(DataError, match="stray.png: its label is None"):
        load_flowers(tmp_path)
    assert load_flowers(tmp_path, skip_bad=True).skipped == (str(stray),)


def test_a_folder_without_labels_says_what_to_add(tmp_path):
    write(tmp_path / "1.png", plain(RED))
    with pytest.raises(DataError, match="one sub-folder per class, or add a metadata.csv"):
        load_flowers(tmp_path)


# ---- parquet files ---------------------------------------------------------------------------


def parquet(path: Path, labels, names=None, pictures=None, **columns) -> Path:
    """As `datasets` writes it; bad labels go past its checks, as in a file from elsewhere."""
    pictures = pictures or [encoded(plain((0, 0, k))) for k in range(len(labels))]
    cells = [
        p if p is None or isinstance(p, dict) else {"bytes": p, "path": None} for p in pictures
    ]
    table = datasets.Dataset.from_dict({"image": cells, "label": labels, **columns})
    features = table.features | {"image": datasets.Image()}
    if names:
        features["label"] = datasets.ClassLabel(names=names)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = table.with_format("arrow")[:]
    metadata = datasets.Features(features).arrow_schema.metadata
    pyarrow.parquet.write_table(arrow.replace_schema_metadata(metadata), path)
    return path


def test_parquet_with_named_classes_and_splits(tmp_path):
    path = parquet(
        tmp_path / "f.parquet", [2, 0, 1], ["a", "b", "c"], split=["train", "test", "train"]
    )
    flowers = load_flowers(path, size=4, split="train")
    assert flowers.labels.tolist() == [2, 1] and flowers.class_names == ["a", "b", "c"]
    assert flowers.images[:, 2, 0, 0].tolist() == [0, 2]  # blue was the row's number
    assert len(load_flowers(path, size=4)) == 3
    with pytest.raises(DataError, match="no split 'val'; it has test, train"):
        load_flowers(path, split="val")


@pytest.mark.parametrize("label", [-1, 3, None])
def test_a_bad_label_names_row_and_image(tmp_path, label):
    path = parquet(tmp_path / "f.parquet", [0, label, 1], ["a", "b", "c"], image_id=[7, 4711, 9])
    with pytest.raises(DataError) as caught:
        load_flowers(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, row 1 (image 4711): its label is {label!r}")
    assert "from 0 to 2" in message and "skip_bad=True" in message
    flowers = load_flowers(path, size=4, skip_bad=True)
    assert flowers.labels.tolist() == [0, 1]
    assert flowers.skipped == (f"{path}, row 1 (image 4711)",)


def test_a_broken_picture_in_a_parquet_file_is_named(tmp_path):
    pictures = [encoded(plain(RED)), {"bytes": JPEG[:300], "path": "image_00042.jpg"}, None]
    path = parquet(tmp_path / "f.parquet", [0, 0, 0], ["a"], pictures)
    with pytest.raises(DataError, match=r"f.parquet, row 1 \(image image_00042.jpg\): cannot be"):
        load_flowers(path)
    skipped = load_flowers(path, skip_bad=True).skipped
    assert skipped == (f"{path}, row 1 (image image_00042.jpg)", f"{path}, row 2")


@pytest.mark.parametrize(
    ("labels", "names", "numbered"),
    [
        (["rose", "daisy", "rose"], ["daisy", "rose"], [1, 0, 1]),
        ([10, 2, 10], ["2", "10"], [1, 0, 1]),
    ],
)
def test_labels_without_names_are_numbered(tmp_path, labels, names, numbered):
    flowers = load_flowers(parquet(tmp_path / "f.parquet", labels), size=4)
    assert flowers.class_names == names and flowers.labels.tolist() == numbered


def test_a_folder_of_parquet_files(tmp_path):
    parquet(tmp_path / "data/train-00000-of-00002.parquet", [0, 1], ["a", "b"])
    parquet(tmp_path / "data/train-00001-of-00002.parquet", [1], ["a", "b"])
    parquet(tmp_path / "data/test-00000-of-00001.parquet", [0], ["a", "b"])
    assert load_flowers(tmp_path, size=4).labels.tolist() == [0, 0, 1, 1]
    assert load_flowers(tmp_path, size=4, split="train").labels.tolist() == [0, 1, 1]
    parquet(tmp_path / "hub/train/0000.parquet", [0, 1], ["a", "b"])
    parquet(tmp_path / "hub/validation/0000.parquet", [1], ["a", "b"])
    assert load_flowers(tmp_path / "hub", size=4, split="validation").labels.tolist() == [1]
    shutil.rmtree(tmp_path / "hub")
    parquet(tmp_path / "data/more.parquet", [0], ["b", "a"])
    with pytest.raises(DataError, match="name different classes"):
        load_flowers(tmp_path)


def test_a_file_that_is_no_parquet_and_a_missing_column(tmp_path):
    with pytest.raises(DataError, match=r"bad.parquet: cannot be read as parquet"):
        load_flowers(write(tmp_path / "bad.parquet", b"PAR1 and no more"))
    path = tmp_path / "other.parquet"
    datasets.Dataset.from_dict({"picture": ["a"], "label": [0]}).to_parquet(path)
    with pytest.raises(DataError, match="needs the columns image and label; it has picture, label"):
        load_flowers(path)


def test_what_is_no_source_at_all(tmp_path):
    with pytest.raises(DataError, match='roses is not there; .*"hub", or "garden"'):
        load_flowers(tmp_path / "roses")
    with pytest.raises(DataError, match="neither a parquet file nor a folder"):
        load_flowers(write(tmp_path / "rose.png", plain(RED)))
    with pytest.raises(DataError, match="size is 0"):
        load_flowers("garden", size=0)


# ---- the garden, and the object itself -------------------------------------------------------


def test_garden(monkeypatch):
    monkeypatch.setattr(data, "GARDEN", {"train": (2, 0), "validation": (1, 1)})
    train = load_flowers("garden", size=16, split="train")
    validation = load_flowers("garden", size=16, split="validation")
    classes = len(train.class_names)
    assert classes >= 16 and len(train) == 2 * classes and len(validation) == classes
    assert train.labels.bincount().tolist() == [2] * classes
    assert len(load_flowers("garden", size=16)) == 3 * classes
    same = (train.images[:, None] == validation.images).flatten(2).all(-1)
    assert not same.any()
    with pytest.raises(DataError, match="no split 'test'; it has train, validation"):
        load_flowers("garden", split="test")


FLOWERS = Flowers(
    torch.arange(3, dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 2, 2),
    torch.tensor([0, 1, 1]),
    ["rose", "oxeye daisy"],
    "here",
)


def test_flowers_say_what_they_are_in_one_line():
    assert repr(FLOWERS) == "Flowers(3 of 2x2, 2 classes, 'here')"
    assert len(FLOWERS) == 3
    with pytest.raises(AttributeError):
        FLOWERS.labels = None


@pytest.mark.parametrize(
    ("indices", "kept"),
    [
        ([2, 0], [2, 0]),
        ([], []),
        (range(2), [0, 1]),
        (torch.tensor([1]), [1]),
        (1, [1]),
        (FLOWERS.labels == 1, [1, 2]),
    ],
)
def test_subset(indices, kept):
    subset = FLOWERS.subset(indices)
    assert subset.images[:, 0, 0, 0].tolist() == kept
    assert subset.labels.tolist() == FLOWERS.labels[kept].tolist()
    assert subset.class_names == FLOWERS.class_names


def test_label_by_name_number_and_typo():
    assert FLOWERS.label("Oxeye-Daisy") == FLOWERS.label(1) == FLOWERS.label("1") == 1
    assert find_label("sunflower", OXFORD) == 53
    with pytest.raises(ValueError, match="did you mean oxeye daisy?"):
        FLOWERS.label("daisy")
    with pytest.raises(ValueError, match="'sunflwr'; did you mean sunflower?"):
        find_label("sunflwr", OXFORD)
    with pytest.raises(ValueError, match="'zzz'; class_names lists all 102"):
        find_label("zzz", OXFORD)
    for number in (2, -1, "2"):
        with pytest.raises(ValueError, match="no class .*2|no class .*-1"):
            FLOWERS.label(number)


@given(st.sampled_from(OXFORD))
def test_every_name_finds_its_own_class(name):
    assert OXFORD[find_label(name.upper().replace(" ", "_"), OXFORD)] == name


# ---- the Hub's data set, by an imitation with its exact structure ----------------------------

DROPPED = (3, 7, 18, 22, 23, 33, 42, 54)  # the labels that the paper's filter drops (FACTS)
FOLDERS = sorted(str(n) for n in range(1, 103) if n % 5 not in (0, 3) and n != 2)
FEW = dict(zip(DROPPED, (19, 13, 13, 13, 12, 12, 12, 12), strict=True))
MANY = [20] + [45] * 38 + [44] * 14  # 20 is enough to stay


def hub_labels() -> list[int]:
    many = iter(MANY)
    labels = [k for k in range(61) for _ in range(FEW[k] if k in FEW else next(many))]
    random.Random(0).shuffle(labels)
    return labels


def write_hub(folder: Path, labels=None, folders=FOLDERS) -> Path:
    """The red of each picture is its class number at Oxford."""
    labels = labels or hub_labels()
    pictures = {k: encoded(plain((int(n), 0, 0), (6, 4))) for k, n in enumerate(folders)}
    file = "data/train-00000-of-00001.parquet"
    parquet(folder / file, labels, folders, [pictures.get(k, pictures[0]) for k in labels])
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
    write(folder / "README.md", f"{card}    path: data/train-*\n---\n".encode())
    return folder


@pytest.fixture
def imitation(tmp_path, monkeypatch):
    """load_flowers("hub") reads the folder that the test writes here."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(oxford, "hub_folder", lambda revision: str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_imitation_has_the_hubs_structure():
    labels = hub_labels()
    assert (len(labels), len(FOLDERS)) == (2452, 61)
    assert FOLDERS[:4] == ["1", "101", "102", "11"]
    assert OXFORD[0] == "pink primrose" and OXFORD[53] == "sunflower" and len(set(OXFORD)) == 102


def test_hub_is_verified_filtered_relabelled_and_named(imitation):
    write_hub(imitation)
    flowers = load_flowers("hub", size=4, split="train")
    assert len(flowers) == 2346 and len(flowers.class_names) == 53
    assert flowers.labels.unique().tolist() == list(range(53))
    assert min(flowers.labels.bincount()) == 20
    oxford_numbers = flowers.images[:, 0, 0, 0].tolist()
    for number, label in zip(oxford_numbers, flowers.labels.tolist(), strict=True):
        assert flowers.class_names[label] == OXFORD[number - 1]
    kept = [n for k, n in enumerate(FOLDERS) if k not in DROPPED]
    assert flowers.class_names == [OXFORD[int(n) - 1] for n in kept]
    assert repr(flowers) == "Flowers(2,346 of 4x4, 53 classes, 'hub: coroperv/oxford-flowers')"


def test_the_paper_s_filter_drops_the_labels_it_dropped():
    new, names = oxford.paper_classes(hub_labels(), FOLDERS)
    assert set(range(61)) - set(new) == set(DROPPED)
    assert list(new.values()) == list(range(53)) and len(names) == 53


def relabelled(label, to):
    labels = hub_labels()
    labels[labels.index(label)] = to
    return labels


@pytest.mark.parametrize(
    ("labels", "folders", "found"),
    [
        (hub_labels()[1:], FOLDERS, "2,451 images of 61 classes"),
        (hub_labels(), [*FOLDERS, "99b"], "2,452 images of 62 classes"),
        (relabelled(3, 0), FOLDERS, "2,347 images of 53 classes"),
        (relabelled(0, -1), FOLDERS, "2,326 images of 52 classes"),
        (hub_labels(), ["rose", *FOLDERS[1:]], "named by Oxford's numbers"),
        (hub_labels(), ["103", *FOLDERS[1:]], "named by Oxford's numbers"),
    ],
)
def test_another_data_set_on_the_hub_is_refused(labels, folders, found):
    with pytest.raises(DataError, match="not the paper's coroperv/oxford-flowers") as caught:
        oxford.paper_classes(labels, folders)
    assert found in str(caught.value) and "revision=" in str(caught.value)


def test_a_damaged_copy_of_the_hub_is_one_clear_error(imitation):
    write(imitation / "data/train-00000-of-00001.parquet", b"PAR1")
    with pytest.raises(DataError, match="cannot be read .*delete it and load again"):
        load_flowers("hub")


# ---- with and without a network --------------------------------------------------------------


def test_hub_reachable_says_no_without_waiting(monkeypatch, tmp_path):
    constants = oxford.constants
    monkeypatch.setattr(constants, "ENDPOINT", "http://flowerdiff.invalid")  # never a real name
    assert not hub_reachable(timeout=2)
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert hub_reachable(timeout=2)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert not hub_reachable(timeout=2)
        server.shutdown()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        load_flowers("hub")


# A learner's process: a Hub of our own answers, then refuses, then says nothing at all. In its own
# process, because the Hub's library reads the address and the cache's place once, on import.
LEARNER = """
import http.server, json, os, pathlib, shutil, socket, sys, threading, time

folder, home = map(pathlib.Path, sys.argv[1:])
sha, repo = "a" * 40, "datasets/coroperv/oxford-flowers"
files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
tree = [{"type": "file", "path": f, "size": len(b), "oid": "b" * 40} for f, b in files.items()]
pages = {
    "/": b"",
    f"/api/{repo}/revision/main": json.dumps({"id": repo, "sha": sha, "siblings": []}).encode(),
    f"/api/{repo}/tree/{sha}": json.dumps(tree).encode(),
}
pages |= {f"/{repo}/resolve/{sha}/{f}": b for f, b in files.items()}

class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = pages.get(self.path.split("?")[0])
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", str(hash(self.path)))
        self.send_header("X-Repo-Commit", sha)
        self.end_headers()
        if self.command == "GET" and body:
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass

hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=hub.serve_forever, daemon=True).start()
os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(home)}

from flowerdiff.data import DataError, load_flowers

def load(**options):
    start = time.monotonic()
    try:
        outcome = repr(load_flowers("hub", size=4, **options))
    except DataError as error:
        outcome = str(error)
    return outcome, time.monotonic() - start

report = {"online": load(), "online, no such revision": load(revision="v9")}
hub.shutdown()
hub.server_close()
report["refused, cached"] = load()
report["refused, another revision"] = load(revision="v9")
silence = socket.create_server(("127.0.0.1", hub.server_port))  # accepts, and never answers
report["silent, cached"] = load()
shutil.rmtree(home)
report["silent"] = load()
silence.close()
report["refused"] = load()
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """{situation: (what load_flowers("hub") gave or said, seconds)}"""
    folder = write_hub(tmp_path_factory.mktemp("hub"))
    home = tmp_path_factory.mktemp("home") / "hf"
    proxies = {"http_proxy", "https_proxy", "all_proxy", "hf_hub_offline", "hf_datasets_offline"}
    environment = {k: v for k, v in os.environ.items() if k.lower() not in proxies}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", LEARNER, folder, home],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("situation", ["online", "refused, cached", "silent, cached"])
def test_hub_loads_from_a_mirror_and_then_from_the_cache(learner, situation):
    assert learner[situation][0].startswith("Flowers(2,346 of 4x4, 53 classes")


@pytest.mark.parametrize("situation", ["refused", "silent", "refused, another revision"])
def test_without_a_network_hub_fails_within_5_seconds_and_names_two_other_choices(
    learner, situation
):
    message, seconds = learner[situation]
    assert seconds < 5
    assert "coroperv/oxford-flowers" in message and "does not answer" in message
    assert 'load_flowers("garden")' in message and 'load_flowers("a/local/path")' in message


def test_a_revision_that_is_not_there_says_so(learner):
    message, _ = learner["online, no such revision"]
    assert "revision 'v9', could not be downloaded" in message and "404" in message
    assert "\n" not in message


# ---- real flowers, where this machine has them -----------------------------------------------


def test_real_flowers(data_path):
    flowers = load_flowers(data_path)
    assert len(flowers) == 7370 and flowers.images.shape[1:] == (3, 64, 64)
    assert tuple(flowers.class_names) == OXFORD
    validation = load_flowers(data_path, split="validation")
    assert len(validation) == 818
    # Already square and of this size: the pixels are the file's own.
    first = datasets.Dataset.from_parquet(str(data_path))[0]["image"]
    assert (flowers.images[0].permute(1, 2, 0).numpy() == np.asarray(first)).all()


def test_a_label_that_is_no_label_stays_to_be_an_error():
    rows = [Row("a", None, [1, 2]), Row("b", None, "rose")]
    numbered, names = data._number_classes(rows)
    assert [row.label for row in numbered] == [[1, 2], 0] and names == ["rose"]


# ---- the file that our numbers come from


def test_oxfords_files_become_the_file_that_our_numbers_come_from(tmp_path):
    loadmat = pytest.importorskip("scipy.io", reason="comes with flowerdiff[metrics]")
    tool = Path(__file__).parents[1] / "tools/oxford_parquet.py"
    split = json.loads((tool.parents[1] / "configs/oxford102-split.json").read_text())
    validation, left_out = split["validation"][0], split["left out"][0]
    colours = {1: RED, validation: GREEN, left_out: BLUE, 8189: WHITE}
    with tarfile.open(tmp_path / "102flowers.tgz", "w:gz") as tar:
        for i, colour in colours.items():
            tar.add(write(tmp_path / "a.jpg", plain(colour, (90, 60))), f"jpg/image_{i:05d}.jpg")
    labels = np.arange(8189)[None] % 102 + 1  # of picture 1, 2, 3, ...
    loadmat.savemat(tmp_path / "imagelabels.mat", {"labels": labels})
    asked = [tmp_path / name for name in ("102flowers.tgz", "imagelabels.mat", "flowers.parquet")]
    subprocess.run([sys.executable, tool, *asked], check=True, capture_output=True)

    train = load_flowers(asked[-1], size=64, split="train")
    assert tuple(train.class_names) == OXFORD and train.labels.tolist() == [0, 8188 % 102]
    assert train.images[:, :, 32, 32].tolist() == [list(RED), list(WHITE)]
    assert load_flowers(asked[-1], split="validation").labels.tolist() == [(validation - 1) % 102]
    inside = subprocess.run(
        [sys.executable, tool, *asked[:2], tool.with_name("f.parquet")], capture_output=True
    )
    assert inside.returncode == 2 and b"outside the project" in inside.stderr


def test_our_split_has_the_counts_that_the_card_names(data_path):
    split = json.loads((Path(__file__).parents[1] / "configs/oxford102-split.json").read_text())
    table = pyarrow.parquet.read_table(data_path, columns=["image_id", "split"]).to_pydict()
    ours = dict(zip(table["image_id"], table["split"], strict=True))
    assert {i for i, name in ours.items() if name == "validation"} == set(split["validation"])
    assert not set(ours) & set(split["left out"])
    assert len(ours) + len(split["left out"]) == 8189
