"""The paper's augmentation, as its authors wrote it and as they meant it.

The paper says: brightness, contrast, saturation and hue are changed by ColorJitter "with 0.5
scale", and the sharpness by a factor of 1.5. Its code runs four ColorJitters in a row, one for each
property, and gives each of them the range (0, 0) for the other three. That is no "leave it alone"
where the neutral value is 1: a contrast of 0 makes a picture flat, a brightness of 0 black.

All are made for `train(..., augment=as_intended)`: (uint8 image, its generator) -> uint8 image.
The arithmetic is torchvision's, in floats from 0 to 1, so that nothing is rounded on the way.
`AUGMENTATIONS` has them by name, with those that the paper would have liked to try one at a time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from flowerdiff.stream import random_flip

# How bright the eye sees red, green and blue.
GREY = torch.tensor([0.2989, 0.587, 0.114])[:, None, None]
NEUTRAL = (1.0, 1.0)
Change = Callable[[Tensor, np.random.Generator], Tensor]


def blend(image: Tensor, other: Tensor, factor: float) -> Tensor:
    """factor 0 is `other`, 1 is `image`, more goes on beyond `image`; clamped to [0, 1]."""
    return (factor * image + (1 - factor) * other).clamp(0, 1)


def grey(image: Tensor) -> Tensor:
    """The brightness of each pixel: (3, H, W) -> (1, H, W)."""
    return (GREY * image).sum(0, keepdim=True)


def brightness(image: Tensor, factor: float) -> Tensor:
    """0 is black, 1 as it was."""
    return blend(image, torch.zeros_like(image), factor)


def contrast(image: Tensor, factor: float) -> Tensor:
    """0 is one flat grey, 1 as it was."""
    return blend(image, grey(image).mean(), factor)


def saturation(image: Tensor, factor: float) -> Tensor:
    """0 is black and white, 1 as it was."""
    return blend(image, grey(image), factor)


def hue(image: Tensor, turn: float) -> Tensor:
    """Every colour moved along the rainbow: 0 as it was, 1/3 red to green, 0.5 or -0.5 opposite."""
    high, low = image.amax(0), image.amin(0)
    spread = (high - low).clamp(min=1e-12)  # where it is 0, the pixel is grey, and any hue will do
    r, g, b = image
    angle = torch.where(  # 0 red, 2 green, 4 blue, 6 red again
        high == r,
        (g - b) / spread,
        torch.where(high == g, 2 + (b - r) / spread, 4 + (r - g) / spread),
    )
    k = (torch.tensor([5.0, 3.0, 1.0])[:, None, None] + angle + 6 * turn) % 6  # (3, H, W)
    return high - (high - low) * torch.minimum(k, 4 - k).clamp(0, 1)


def sharpness(image: Tensor, factor: float) -> Tensor:
    """0 is a little blurred, 1 as it was, more is sharper. The outermost pixels stay."""
    kernel = torch.ones(3, 3)
    kernel[1, 1] = 5
    kernel = (kernel / kernel.sum()).expand(3, 1, 3, 3)
    smooth = image.clone()
    smooth[:, 1:-1, 1:-1] = F.conv2d(image[None], kernel, groups=3)[0]
    return blend(image, smooth, factor)


@dataclass(frozen=True)
class Jitter:
    """Four changes in a random order, each by a number drawn evenly from its range. The ranges here
    change nothing. `Jitter(...)(image, rng)`: float (3, H, W) in [0, 1] -> the same.
    """

    brightness: tuple[float, float] = NEUTRAL
    contrast: tuple[float, float] = NEUTRAL
    saturation: tuple[float, float] = NEUTRAL
    hue: tuple[float, float] = (0.0, 0.0)

    def __call__(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        changes = [
            (brightness, self.brightness),
            (contrast, self.contrast),
            (saturation, self.saturation),
            (hue, self.hue),
        ]
        for i in rng.permutation(4):
            change, between = changes[i]
            image = change(image, rng.uniform(*between))
        return image


HALF, TURN, NOTHING = (0.5, 1.5), (-0.5, 0.5), (0.0, 0.0)
INTENDED = (Jitter(HALF, HALF, HALF, TURN),)
PUBLISHED = (
    Jitter(brightness=HALF, contrast=NOTHING, saturation=NOTHING, hue=NOTHING),
    Jitter(brightness=NOTHING, contrast=HALF, saturation=NOTHING, hue=NOTHING),
    Jitter(brightness=NOTHING, contrast=NOTHING, saturation=HALF, hue=NOTHING),
    Jitter(brightness=NOTHING, contrast=NOTHING, saturation=NOTHING, hue=TURN),
)


def as_intended(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Flip, one jitter of all four properties by half, and sharpen every second image."""
    return _augmented(image, rng, *INTENDED, sharpen)


def as_published(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Flip, the four jitters of the paper's code, and sharpen (there it comes first): black,
    whatever the image was.
    """
    return _augmented(image, rng, *PUBLISHED, sharpen)


def sharpen(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Every second image sharper by 1.5."""
    return sharpness(image, 1.5) if rng.random() < 0.5 else image


def rotate(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Turned by up to 15 degrees; what comes in at the corners is mirrored."""
    turn = math.radians(rng.uniform(-15, 15))
    cos, sin = math.cos(turn), math.sin(turn)
    return _moved(image, [[cos, -sin, 0.0], [sin, cos, 0.0]])


def shift(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Moved by up to an eighth of its width each way; what comes in at the edges is mirrored."""
    right, down = rng.uniform(-1 / 4, 1 / 4, 2)  # the image is 2 wide, from -1 to 1
    return _moved(image, [[1.0, 0.0, right], [0.0, 1.0, down]])


def _moved(image: Tensor, affine: list) -> Tensor:
    """Each pixel takes the colour at `affine` (2, 3) times its place (x, y, 1), bilinear."""
    affine = torch.tensor([affine], dtype=torch.float32)
    places = F.affine_grid(affine, [1, *image.shape], align_corners=False)
    return F.grid_sample(image[None], places, padding_mode="reflection", align_corners=False)[0]


def _augmented(image: Tensor, rng: np.random.Generator, *changes: Change) -> Tensor:
    x = random_flip(image, rng).float() / 255
    for change in changes:
        x = change(x, rng)
    return (x * 255).round().to(torch.uint8)


def _alone(name: str, change: Change) -> Change:
    """The flip, which the paper always has, and one change more."""

    def changed(image: Tensor, rng: np.random.Generator) -> Tensor:
        return _augmented(image, rng, change)

    changed.__qualname__ = name  # by which a checkpoint knows it
    return changed


ALONE = {
    "brightness": Jitter(brightness=HALF),
    "contrast": Jitter(contrast=HALF),
    "saturation": Jitter(saturation=HALF),
    "hue": Jitter(hue=TURN),
    "sharpness": sharpen,
    "rotation": rotate,
    "shift": shift,
}
AUGMENTATIONS = {
    "flip": random_flip,
    "as_published": as_published,
    "as_intended": as_intended,
    **{name: _alone(name, change) for name, change in ALONE.items()},
}
