"""One picture file, of any kind that Pillow reads, to square RGB pixels, or to a clear error."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 64_000_000  # a larger picture is a mistake or an attack, and fills a laptop's memory


class DataError(ValueError):
    """A data set, or one picture of it, cannot be used: the message names it and a remedy."""


@dataclass(frozen=True)
class Row:
    """One line of a data set, not yet checked."""

    name: str  # what an error calls it
    picture: bytes | Path | None
    label: object  # whatever the file holds
    split: str | None = None

    def checked_label(self, classes: int) -> int:
        """The label, if it is one of 0 .. classes - 1. Otherwise DataError."""
        if type(self.label) is int and 0 <= self.label < classes:
            return self.label
        raise DataError(
            f"{self.name}: its label is {self.label!r}, where classes go from 0 to {classes - 1}; "
            "correct it, or pass skip_bad=True to leave such pictures out"
        )

    def pixels(self, size: int) -> np.ndarray:
        """The picture as uint8 (size, size, 3). DataError if it is missing, broken or too large."""
        try:
            if self.picture is None:
                raise FileNotFoundError
            file = io.BytesIO(self.picture) if isinstance(self.picture, bytes) else self.picture
            with Image.open(file) as image:
                if image.width * image.height > MAX_PIXELS:  # known before anything is decoded
                    raise Image.DecompressionBombError
                return np.asarray(square(image, size))
        except Exception as error:  # a broken file makes Pillow's decoders raise almost anything
            raise DataError(
                f"{self.name}: {_problem(error)}, or pass skip_bad=True to leave such pictures out"
            ) from error


def _problem(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "the picture is missing; put it back"
        case UnidentifiedImageError():
            return "not a picture that Pillow can read; convert it to JPEG or PNG"
        case Image.DecompressionBombError():
            return f"more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller"
        case _:
            return f"cannot be decoded: {error}; replace it"


def square(image: Image.Image, size: int) -> Image.Image:
    """Any Pillow image as RGB, upright, its centre square resized to (size, size) with Lanczos.

    Upright: turned as the camera's EXIF flag says. Transparency is laid on white, the page a
    learner sees it on. 16-bit grey is scaled to 8 bits. Colour profiles are not applied.
    Raises ValueError for pixels whose range nobody has agreed on.
    """
    image = _rgb(ImageOps.exif_transpose(image))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range, 8-bit ones have")
    if image.mode.startswith("I"):  # 16 bits, which convert() would clip to white
        grey = np.asarray(image)
        if grey.max() > 65535:
            raise ValueError("it has more than 16 bits per pixel")
        image = Image.fromarray((grey.clip(0) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
