"""Between the [-1, 1] floats that diffusion works in and the uint8 pixels that eyes and files want.

`to_uint8` is the only function in flowerdiff that makes pixels of floats. Everything that shows,
saves or measures an image takes uint8, so a wrong value range cannot get any further than this.
"""

import io
import math
import os

import torch
from PIL import Image
from torch import Tensor


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1], any shape -> uint8 in 0..255, same shape. Outside values are clamped.

    Raises TypeError for an integer tensor (already pixels?), ValueError for NaN or infinity.
    """
    if not x.is_floating_point():
        raise TypeError(f"to_uint8 wants floats in [-1, 1]; got {x.dtype}: is it pixels already?")
    if not torch.isfinite(x).all():
        raise ValueError("to_uint8 got NaN or infinity: the walk or the training has diverged")
    return ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """uint8 in 0..255, any shape -> float32 in [-1, 1], same shape. The inverse of `to_uint8`."""
    if pixels.dtype != torch.uint8:
        raise TypeError(f"from_uint8 wants uint8 pixels; got {pixels.dtype}")
    return pixels.float() / 127.5 - 1


def grid(images: Tensor, columns: int | None = None, pad: int = 2) -> Tensor:
    """Lay uint8 images (N, 3, H, W) out row by row on white -> one uint8 image (3, H', W').

    Raises TypeError for anything but uint8, ValueError for no image.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"grid takes uint8 pixels; got {images.dtype}: use to_uint8 first")
    n, _, height, width = images.shape
    if n == 0:
        raise ValueError("grid needs at least one image")
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    sheet = torch.full(
        (3, rows * (height + pad) + pad, columns * (width + pad) + pad), 255, dtype=torch.uint8
    )
    for i, image in enumerate(images):
        top = pad + (i // columns) * (height + pad)
        left = pad + (i % columns) * (width + pad)
        sheet[:, top : top + height, left : left + width] = image
    return sheet


def png_bytes(image: Tensor) -> bytes:
    """One uint8 image (3, H, W) as a PNG file's bytes. Raises TypeError if it is not uint8."""
    # Level 1: these are small pictures, made by the dozen while a person waits.
    return _file(image, "PNG", compress_level=1)


def webp_bytes(image: Tensor) -> bytes:
    """The same as a WebP file's, every pixel kept: a quarter smaller, and all browsers read it."""
    return _file(image, "WEBP", lossless=True, quality=20, method=2)  # of the effort, not the look


def _file(image: Tensor, kind: str, **options) -> bytes:
    if image.dtype != torch.uint8:
        raise TypeError(f"a {kind} file takes uint8 pixels; got {image.dtype}: use to_uint8 first")
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).cpu().numpy()).save(buffer, kind, **options)
    return buffer.getvalue()


def save_png(path: str | os.PathLike, image: Tensor) -> None:
    """Write one uint8 image (3, H, W) to a PNG file."""
    with open(path, "wb") as file:
        file.write(png_bytes(image))
