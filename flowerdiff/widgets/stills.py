"""Still pictures: for figures with alt text, and for pages where no widget runs."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image as PIL
from PIL import ImageDraw, ImageFont
from torch import Tensor

from flowerdiff.sampling import Step
from flowerdiff.schedule import Schedule
from flowerdiff.still import Picture
from flowerdiff.widgets.frames import TITLES, Frame, walk_frames

FONT_SIZE = 13  # pixels
GAP = 6


def picture(
    images: Sequence[Tensor],
    caption: str,
    labels: Sequence[str] = (),
    columns: int = 6,
    zoom: int = 2,
) -> Picture:
    """uint8 images (3, H, W), labelled, as one picture. The caption says what is to be seen."""
    labels = [*labels, *[""] * (len(images) - len(labels))]
    rows = [slice(i, i + columns) for i in range(0, len(images), columns)]
    sheet = _sheet([images[r] for r in rows], [labels[r] for r in rows], [""] * len(rows), zoom)
    return Picture(sheet, caption)


def film(
    rows: Mapping[str, Sequence[Frame]], titles: Sequence[str], count: int = 6, zoom: int = 2
) -> Tensor:
    """A player's frames as one uint8 image (3, H, W): `count` of them, evenly spaced, from left to
    right; every panel of every row of the player is a line of the film.
    """
    length = len(next(iter(rows.values())))
    chosen = [round(i) for i in np.linspace(0, length - 1, min(count, length))]
    lines, captions, heads = [], [], []
    for name, frames in rows.items():
        for panel, title in enumerate(titles):
            lines.append([frames[i].images[panel] for i in chosen])
            captions.append([""] * len(chosen))
            heads.append(f"{name} · {title}" if name and panel == 0 else title)
        captions[-1] = [_short(frames[i].caption) for i in chosen]
    return _sheet(lines, captions, heads, zoom)


def filmstrip(steps: Sequence[Step], schedule: Schedule, count: int = 6) -> Tensor:
    """A walk as one uint8 image (3, H, W): x_t, x0_hat and eps_hat at `count` times, t and SNR
    written below.
    """
    return film({"": walk_frames(steps, schedule)}, TITLES, count)


def _short(caption: str) -> str:
    """The parts of a caption that fit below one picture of a film (whose font has no ∞)."""
    parts = caption.replace("∞", "inf").split(" · ")
    return "\n".join(part for part in parts if re.match(r"t =|SNR|\d+ steps$", part))


def _sheet(
    lines: Sequence[Sequence[Tensor]],
    captions: Sequence[Sequence[str]],
    heads: Sequence[str],
    zoom: int,
) -> Tensor:
    """Lines of images (3, H, W) with a heading above each line and a caption below each image."""
    font = ImageFont.load_default(FONT_SIZE)
    text_height = FONT_SIZE + 4
    _, height, width = lines[0][0].shape
    height, width = height * zoom, width * zoom
    sheet_width = GAP + max(len(line) for line in lines) * (width + GAP)
    tops, top = [], GAP
    for head, line in zip(heads, captions, strict=True):
        tops.append(top)
        below = max((text.count("\n") + 1 if text else 0) for text in line)
        top += (text_height if head else 0) + height + below * text_height + GAP
    sheet = PIL.new("RGB", (sheet_width, top), "white")
    draw = ImageDraw.Draw(sheet)
    for top, head, images, texts in zip(tops, heads, lines, captions, strict=True):
        draw.text((GAP, top), head, "black", font)
        top += text_height if head else 0
        for i, (image, text) in enumerate(zip(images, texts, strict=True)):
            left = GAP + i * (width + GAP)
            pixels = PIL.fromarray(image.permute(1, 2, 0).cpu().numpy())
            sheet.paste(pixels.resize((width, height), PIL.Resampling.NEAREST), (left, top))
            draw.multiline_text((left, top + height + 1), text, "black", font, spacing=2)
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)
