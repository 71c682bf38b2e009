"""How gaudy is a picture? Two numbers of its colours. No net is asked, so they need no extra."""

import torch
from torch import Tensor

from flowerdiff.metrics.features import check_pixels


def saturation(images: Tensor) -> Tensor:
    """How far from grey, 0..1: the S of HSV, averaged over the pixels. uint8 (N, 3, H, W) -> (N,).

    A pixel's S is (max - min) / max of its red, green and blue; that of black is 0.
    """
    high, low = (extreme(check_pixels(images).float(), 1) for extreme in (torch.amax, torch.amin))
    return ((high - low) / high.clamp(min=1)).mean((1, 2))


def clipped(images: Tensor) -> Tensor:
    """The share of values, 0..1, that are at an end of the scale: 0 or 255. uint8 (N, 3, H, W) ->
    (N,). There is no detail left where all is white, or black.
    """
    images = check_pixels(images)
    return ((images == 0) | (images == 255)).float().mean((1, 2, 3))
