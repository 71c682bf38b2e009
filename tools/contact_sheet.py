"""Every class of a bundled model, four seeds each, and any flower: docs/results/NAME/*.webp.

    python tools/contact_sheet.py flowers64
    python tools/contact_sheet.py flowers64 --real ../flowers.parquet --out /tmp/sheets

Nobody picks: seeds 0 to 3 for every class, DDIM, 25 steps, w = 1; and seeds 0 to 47 without a
class. With --real there is one sheet more, with four photographs of each class beside its samples;
it goes to --out, outside the project, for the photographs may not be published.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm import tqdm

from flowerdiff.checkpoint import FlowerModel, load_pretrained
from flowerdiff.data import Flowers, load_flowers
from flowerdiff.draw import draw
from flowerdiff.pixels import grid, to_uint8

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 4
ANY = 48  # samples of no class
TITLE, GAP, WIDTH = 16, 8, 810  # pixels: the line with the name, between classes, of the sheet


def samples(model: FlowerModel, label: int) -> Tensor:
    return to_uint8(draw(model, range(SEEDS), torch.full((SEEDS,), label)))


def photographs(flowers: Flowers, label: int) -> Tensor:
    return flowers.images[flowers.labels == label][:SEEDS]


def sheet(names: list[str], rows: list[Tensor]) -> Image.Image:
    """A row of images (N, 3, S, S) for each name, under it, in as many columns as there is room."""
    strips = [grid(images, columns=len(images), pad=1) for images in rows]
    _, height, width = strips[0].shape
    columns = max(1, WIDTH // (width + GAP))
    lines = -(-len(names) // columns)
    page = Image.new("RGB", (columns * (width + GAP), lines * (height + TITLE + GAP)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for i, (name, strip) in enumerate(zip(names, strips, strict=True)):
        x, y = i % columns * (width + GAP), i // columns * (height + TITLE + GAP)
        pen.text((x + 1, y), name, fill="black", font=font)
        page.paste(Image.fromarray(strip.permute(1, 2, 0).numpy()), (x, y + TITLE))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="flowers64", help="a bundled model's name")
    parser.add_argument("--real", help="real flowers of the same classes")
    parser.add_argument("--out", type=Path, help="with --real: a folder outside the project")
    asked = parser.parse_args()
    if bool(asked.real) != bool(asked.out):
        parser.error("--real and --out go together")
    if asked.out and asked.out.resolve().is_relative_to(ROOT):
        parser.error(f"photographs may not be published: give an --out outside {ROOT}")

    model = load_pretrained(asked.model)
    names = list(model.class_names)
    rows = [samples(model, label) for label in tqdm(range(len(names)), unit="class")]
    labels = torch.full((ANY,), model.null_label)
    any_flower = grid(to_uint8(draw(model, range(ANY), labels, w=-1)), columns=12)
    out = ROOT / "docs/results" / asked.model
    save(out / "classes.webp", sheet(names, rows))
    save(out / "any-flower.webp", Image.fromarray(any_flower.permute(1, 2, 0).numpy()))
    if asked.real:
        flowers = load_flowers(asked.real, size=model.image_size, split="train")
        beside = [torch.cat([row, photographs(flowers, i)]) for i, row in enumerate(rows)]
        save(asked.out / "classes.webp", sheet(names, beside))


def save(path: Path, page: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, quality=88, method=6)


if __name__ == "__main__":
    main()
