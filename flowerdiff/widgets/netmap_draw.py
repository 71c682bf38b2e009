"""The map of a net as plain numbers, words and pixels: where each block stands, what is said of it,
what its activations look like. No widget in here.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as PIL
from PIL import ImageDraw, ImageFont
from torch import Tensor

from flowerdiff.netinfo import Block
from flowerdiff.pixels import png_bytes, to_uint8

WIDTH, HEIGHT = 1000, 180  # of the map, in units of its own
TOP, STEP = 6, 27  # where the largest blocks begin, and how much lower each level stands
TALLEST = 116
ROW = 150  # where time and class stand, below
NO_PIXELS = "no pixels"
CHANNELS = 8  # of which activations are shown
GREYS = 16  # shades of an activation: enough for the eye, and a small file
SHADE = 255 // (GREYS - 1)
COLOURS = {  # kind: fill, text
    "down": ("#56b4e9", "#000000"),
    "middle": ("#e69f00", "#000000"),
    "up": ("#009e73", "#ffffff"),
    "ends": ("#dddddd", "#000000"),
    "given": ("#cc79a7", "#000000"),
}


@dataclass(frozen=True)
class Box:
    """Where a block stands on the map."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def kind(name: str) -> str:
    """What colour a block has, by its name."""
    first = name.split()[0]
    groups = {"bottleneck": "middle", "attention": "middle", "time": "given", "label": "given"}
    return groups.get(first, first if first in COLOURS else "ends")


def places(blocks: Sequence[Block]) -> dict[str, Box]:
    """A box for each block, by name. From left to right in the order of work; lower by a step
    where the map is half as large; the width grows with the channels.
    """
    seen = [b for b in blocks if len(b.shape) == 3]
    given = [b for b in blocks if len(b.shape) == 1]
    size = max(b.shape[1] for b in seen)
    widest = max(b.shape[0] for b in seen)
    pitch = WIDTH / len(seen)
    boxes = {}
    for i, block in enumerate(seen):
        channels, height, _ = block.shape
        level = math.log2(size / height)
        width = pitch * (0.3 + 0.45 * math.log2(channels + 1) / math.log2(widest + 1))
        box_height = max(TALLEST - STEP * level, 16)
        left = pitch * (i + 0.5) - width / 2
        boxes[block.part.name] = Box(left, TOP + STEP * level, width, box_height)
    below: dict[tuple, int] = {}  # how many already stand at one place
    for block in given:
        feeds = block.part.feeds
        n = below[feeds] = below.get(feeds, 0) + 1
        at = boxes[feeds[0]].x - 20 if feeds else 8
        boxes[block.part.name] = Box(at + 62 * (n - 1), ROW, 54, 22)
    return boxes


def skip_lines(blocks: Sequence[Block], boxes: Mapping[str, Box]) -> list[list[float]]:
    """The skip connections: x and y of the start, x and y of the end. They run in the strip above
    the deeper blocks, and no two at one height.
    """
    pairs = [(name, b.part.name) for b in blocks for name in b.part.skips]
    by_top: dict[float, int] = {}
    lines = []
    for start, end in sorted(pairs, key=lambda pair: boxes[pair[0]].x):
        a, b = boxes[start], boxes[end]
        top = max(a.y, b.y)
        n = by_top[top] = by_top.get(top, 0) + 1
        y = top + 5 + 7 * (n - 1)
        lines.append([a.x + a.width, y, b.x, y])
    return lines


def described(block: Block, size: int, total_flops: int) -> dict:
    """What the page needs to know of a block, besides its place: words, and what it sees."""
    channels, *pixels = block.shape
    if block.sees is None:
        field, shape = NO_PIXELS, f"{channels} numbers"
    else:
        top, left, bottom, right = block.sees
        whole = (bottom - top, right - left) == (size, size)
        field = "the whole picture" if whole else f"{bottom - top} × {right - left} pixels"
        shape = f"{channels} × {pixels[0]} × {pixels[1]}"
    flops = f"{_short(block.flops)}FLOP"
    if block.flops:
        flops += f" ({block.flops / total_flops:.1%} of the net's)"
    return {
        "name": block.part.name,
        "what": block.part.what,
        "shape": shape,
        "parameters": f"{block.parameters:,}",
        "flops": flops,
        "field": field,
        "sees": [i / size for i in block.sees] if block.sees else [],
    }


def sheet(activation: Tensor) -> tuple[Tensor, str]:
    """Activations as pixels, uint8 (3, H, W), and what dark and bright mean.

    (3, H, W) is a prediction, shown in colours, a third of it (see `EPS_SCALE`). (C, H, W) is shown
    as up to 8 channels, evenly chosen, on one scale of grey; (C,) as one row of squares after
    another.
    """
    a = activation.detach().float().cpu()
    if a.ndim == 3 and len(a) == 3:
        return to_uint8(a / 3), "the prediction / 3, in colours"
    low, high = (torch.quantile(a, q).item() for q in (0.005, 0.995))
    grey = ((a - low) / max(high - low, 1e-8)).clamp(0, 1) * (GREYS - 1)
    pixels = (grey.round() * SHADE).to(torch.uint8)
    words = f"black {low:.2g}, white {high:.2g}"
    if a.ndim == 1:
        columns = 2 ** math.ceil(math.log2(len(a)) / 2)
        padded = torch.zeros(columns * math.ceil(len(a) / columns), dtype=torch.uint8)
        padded[: len(a)] = pixels
        image = padded.reshape(-1, columns)
        words = f"all {len(a)} numbers; {words}"
    else:
        chosen = channels(len(a))
        rows = [pixels[chosen[i : i + 4]] for i in range(0, len(chosen), 4)]
        image = torch.cat([torch.cat(list(row), dim=1) for row in rows])
        words = f"channels {', '.join(map(str, chosen))}; {words}"
    return image.expand(3, -1, -1).contiguous(), words


def data_url(image: Tensor) -> str:
    """A uint8 image (3, H, W) for a page: a PNG, of four bits a pixel if it is a sheet of greys."""
    first = image[0]
    if not ((image == first).all() and (first % SHADE == 0).all()):
        data = png_bytes(image)
    else:
        greys = PIL.fromarray((first // SHADE).numpy(), "P")
        greys.putpalette([shade for i in range(GREYS) for shade in [i * SHADE] * 3])
        greys.save(file := io.BytesIO(), "PNG", bits=4, optimize=True)
        data = file.getvalue()
    return "data:image/png;base64," + base64.b64encode(data).decode()


def channels(count: int) -> list[int]:
    """Which channels of so many are shown: always the same, evenly spread."""
    return [i * count // CHANNELS for i in range(CHANNELS)] if count > CHANNELS else [*range(count)]


def still(boxes: Mapping[str, Box], lines, infos: Sequence[dict]) -> Tensor:
    """The map and its numbers as one uint8 image (3, H, W), for pages without widgets."""
    font, small = ImageFont.load_default(13), ImageFont.load_default(11)
    picture = PIL.new("RGB", (WIDTH, HEIGHT + 14 + 16 * (len(infos) + 1)), "white")
    draw = ImageDraw.Draw(picture)
    for info in infos:
        box = boxes[info["name"]]
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        draw.rectangle(corners, COLOURS[kind(info["name"])][0], "black")
        y = box.y + box.height + 2 if info["field"] != NO_PIXELS else box.y + 5
        draw.text((box.middle, y), info["name"], "black", small, "ma")
    for x1, y1, x2, y2 in lines:  # last, as in netmap.js
        draw.line((x1, y1, x2, y2), "#555555", 2)
        for x in (x1, x2):
            draw.ellipse((x - 3, y1 - 3, x + 3, y1 + 3), "#555555")
    columns = {"name": 4, "shape": 110, "parameters": 240, "flops": 350, "field": 600}
    heads = ("block", "output", "parameters", "FLOPs for one picture", "its middle pixel sees")
    rows = [dict(zip(columns, heads, strict=True)), *infos]
    for i, row in enumerate(rows):
        for key, x in columns.items():
            text = row[key].replace("×", "x")  # the font has no ×
            draw.text((x, HEIGHT + 12 + 16 * i), text, "black", font)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _short(number: float) -> str:
    """12,345,678 as "12.3 M", ready for a unit."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number:.0f} "
