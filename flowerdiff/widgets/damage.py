"""Five ways to spoil a picture, each with a knob: blur, noise, JPEG, contrast, colour."""

import io
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from flowerdiff.augment import contrast, saturation
from flowerdiff.sampling import noise


@dataclass(frozen=True)
class Damage:
    """How pictures are spoilt, in this order. The numbers here change nothing."""

    colour: float = 1.0  # 0 is black and white, 2 is gaudy
    contrast: float = 1.0  # 0 is one flat grey
    blur: float = 0.0  # the width (standard deviation) of a Gaussian, in pixels
    noise: float = 0.0  # standard deviation, in grey levels of 255
    jpeg: int = 100  # quality, 1 to 100; 100 is: no JPEG at all

    def __str__(self) -> str:
        changed = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return " · ".join(f"{f.name} {getattr(self, f.name):g}" for f in changed) or "no damage"


NEUTRAL = {f.name: f.default for f in fields(Damage)}
# From no damage to a lot, in steps of the same "strength": to draw curves of scores over.
SWEEP = {
    "blur": (0.0, 0.5, 1.0, 2.0, 3.0),
    "noise": (0.0, 4.0, 8.0, 16.0, 32.0),
    "jpeg": (100, 90, 70, 40, 10),
    "contrast": (1.0, 0.7, 0.5, 0.3, 0.15),
    "colour": (1.0, 0.75, 0.5, 0.25, 0.0),
}


def damaged(images: Tensor, damage: Damage) -> Tensor:
    """uint8 (N, 3, H, W) -> the same, spoilt. The noise of image i is always the same."""
    x = images.float() / 255
    if damage.colour != 1:
        x = torch.stack([saturation(image, damage.colour) for image in x])
    if damage.contrast != 1:
        x = torch.stack([contrast(image, damage.contrast) for image in x])
    if damage.blur:
        x = _blurred(x, damage.blur)
    if damage.noise:
        x = x + damage.noise / 255 * noise(range(len(x)), 1, tuple(x.shape[1:]))
    pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    if damage.jpeg < 100:
        pixels = torch.stack([_through_jpeg(image, damage.jpeg) for image in pixels])
    return pixels


def _blurred(x: Tensor, width: float) -> Tensor:
    """Down, then across; what lies beyond the edge is mirrored."""
    reach = min(int(3 * width) + 1, min(x.shape[2:]) - 1)
    at = torch.arange(-reach, reach + 1)
    bell = torch.exp(-at.square() / (2 * width**2))
    bell = (bell / bell.sum()).expand(3, 1, 1, -1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="reflect"), bell, groups=3)
    down = bell.transpose(2, 3)
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode="reflect"), down, groups=3)


def _through_jpeg(image: Tensor, quality: int) -> Tensor:
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    picture.save(file := io.BytesIO(), "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
