"""Make the file that the other tools call FILE: Oxford-102 Flowers at 64 px, with our two splits.

    python tools/oxford_parquet.py 102flowers.tgz imagelabels.mat ../oxford102-64px.parquet

The first two come from https://www.robots.ox.ac.uk/~vgg/data/flowers/102/, free for research; so
the third must not become part of this project. It has the columns image, label (with the names of
the classes), image_id (Oxford's number of the picture) and split.

configs/oxford102-split.json says which pictures go where: 6,552 to `train` and 818 to `validation`;
the other 819 we never had. The pictures are cropped and scaled as in `load_flowers`. Ours came as
JPEG files, already of this size, so pixels may differ a little.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Image, Value
from PIL import Image as PIL
from scipy.io import loadmat
from tqdm import tqdm

from flowerdiff.labels import OXFORD
from flowerdiff.pictures import square

ROOT = Path(__file__).resolve().parents[1]
SPLIT = json.loads((ROOT / "configs/oxford102-split.json").read_text(encoding="utf-8"))
FEATURES = Features(
    image=Image(),
    label=ClassLabel(names=list(OXFORD)),
    image_id=Value("int32"),
    split=Value("string"),
)


def pictures(archive: Path, numbers: Path, size: int) -> Iterator[dict]:
    """The rows, in the order of the archive."""
    classes = loadmat(numbers)["labels"].ravel()  # of picture 1, 2, 3, ...: 1 .. 102
    other = {i: name for name, ids in SPLIT.items() for i in ids}
    with tarfile.open(archive) as tar:
        for member in tqdm(tar, unit=" files"):
            if not member.name.endswith(".jpg"):
                continue
            image_id = int(Path(member.name).stem.removeprefix("image_"))
            split = other.get(image_id, "train")
            if split == "left out":
                continue
            file = io.BytesIO()
            with PIL.open(tar.extractfile(member)) as picture:
                square(picture, size).save(file, "PNG")
            yield {
                "image": {"bytes": file.getvalue(), "path": f"image_{image_id:05d}.png"},
                "label": int(classes[image_id - 1]) - 1,
                "image_id": image_id,
                "split": split,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="102flowers.tgz")
    parser.add_argument("labels", type=Path, help="imagelabels.mat")
    parser.add_argument("out", type=Path, help="the parquet file, outside the project")
    parser.add_argument("--size", type=int, default=64)
    asked = parser.parse_args()
    if asked.out.resolve().is_relative_to(ROOT):
        parser.error("the photographs are not ours: keep them outside the project")
    rows = list(pictures(asked.archive, asked.labels, asked.size))
    Dataset.from_list(rows, FEATURES).to_parquet(asked.out)
    print(f"{len(rows):,} pictures in {asked.out}")


if __name__ == "__main__":
    main()
