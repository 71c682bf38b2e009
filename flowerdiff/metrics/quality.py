"""How good does one image look, with no other to compare it with? NIQE, BRISQUE and CNN-IQA.

pyiqa computes them. It is licensed for non-commercial use only (PolyForm Noncommercial 1.0.0), so
nothing else here needs it: it is the extra `quality`. It would download weights, and
unpickle whatever it finds; here it is given what has been read and checked, so it does neither.
`flowerdiff weights get niqe brisque cnn-iqa` gets the files.

All three were made for photographs, and have never seen a small drawn flower: they see blur, noise
and blocks, not petals.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from flowerdiff.metrics.distribution import Z95
from flowerdiff.metrics.features import check_pixels, require_extra
from flowerdiff.metrics.score import NoScore, Score
from flowerdiff.metrics.weights import (
    BRISQUE,
    CNN_IQA,
    NIQE,
    BadWeights,
    WeightFile,
    our_bytes,
)

BLOCK = 96  # pixels: NIQE compares blocks of this size, and needs 2 x 2 to tell how they vary
SMALLEST = 32  # pixels: below it BRISQUE has too few to fit its curves to; CNN-IQA learned on 32


@dataclass(frozen=True)
class Quality:
    """A score of single images. Call it with images, or with batches of them, for their mean."""

    name: str
    judge: str  # which net or which parameters
    net: Callable[[Tensor], Tensor]  # floats in [0, 1], (1, 3, H, W) -> one number
    smallest: int  # pixels that the shorter side must have ...
    size: int | None = None  # ... after images with less than this have been enlarged to it
    block: int | None = None  # it looks at blocks of so many pixels
    takes_flat: bool = True  # it has a score for an image of a single colour

    def each(self, images: Tensor) -> Tensor:
        """The score of each of the uint8 images (B, 3, H, W), float64 (B,).

        NaN for an image that has none: NIQE and BRISQUE have none for one of a single colour. One
        image at a time, so that a score does not depend on what else is in the batch. Warns if
        images are enlarged, or hold fewer than four blocks; ValueError if they are too small.
        """
        x = self._enlarged(check_pixels(images).cpu().float() / 255)
        return torch.tensor([self._one(image) for image in x.split(1)], dtype=torch.float64)

    def __call__(
        self, images: Tensor | Iterable[Tensor], batch_size: int = 64, progress: str | None = None
    ) -> Score:
        """The mean over uint8 images (N, 3, H, W), or over any number of batches of them."""
        batches = images.split(batch_size) if isinstance(images, Tensor) else images
        running = RunningQuality(self)
        for batch in tqdm(batches, desc=progress, unit="batch", disable=progress is None):
            running.update(batch)
        return running.compute()

    def seen(self, height: int, width: int) -> str:
        """What it is that looks, at images of what size: scores of different sizes differ."""
        looked = f"{self.judge}, {height} x {width} px"
        if self.size is not None and min(height, width) < self.size:
            looked += f" enlarged to {self.size}"
        return looked

    def _enlarged(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        shorter = min(height, width)
        if self.size is not None and shorter < self.size:
            warnings.warn(
                f"{self.name} needs {self.size} pixels, and these images have {shorter}: they are "
                "enlarged, which is blur to it. Compare only with images of the same size",
                stacklevel=3,
            )
            height, width = (math.ceil(side * self.size / shorter) for side in (height, width))
            x = F.interpolate(x, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
        if min(height, width) < self.smallest:
            raise ValueError(
                f"{self.name} needs images of {self.smallest} pixels or more; got {height} x "
                f"{width}"
            )
        if self.block is not None and (blocks := height // self.block * (width // self.block)) < 4:
            warnings.warn(
                f"{self.name} looks at blocks of {self.block} pixels, of which {height} x {width} "
                f"hold {blocks}: how the blocks vary cannot be told from fewer than 4",
                stacklevel=3,
            )
        return x

    def _one(self, image: Tensor) -> float:
        flat = (image.amax((-2, -1)) == image.amin((-2, -1))).all()  # in each channel
        if not self.takes_flat and flat:
            return math.nan  # where pyiqa raises, or makes a number of rounding errors
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on the covariance of one block
            try:
                return self.net(image).item()
            except (AssertionError, torch.linalg.LinAlgError):  # nearly a single colour
                return math.nan


class RunningQuality:
    """The mean of a quality over any number of images: it keeps their number, mean and variance."""

    def __init__(self, quality: Quality):
        self.quality = quality
        self._n, self._mean, self._squares, self._without = 0, 0.0, 0.0, 0
        self._seen: str | None = None

    def update(self, images: Tensor) -> Tensor:
        """Add uint8 images (B, 3, H, W); returns the score of each, (B,)."""
        seen = self.quality.seen(*images.shape[-2:])
        if self._seen not in (None, seen):
            raise ValueError(f"one score is of images of one size; got {self._seen}, then {seen}")
        each = self.quality.each(images)
        self._seen = seen
        good = each[each.isfinite()]
        self._without += len(each) - len(good)
        for value in good.tolist():  # Welford's: no difference of large sums
            self._n += 1
            off = value - self._mean
            self._mean += off / self._n
            self._squares += off * (value - self._mean)
        return each

    def compute(self) -> Score:
        """The mean so far; its interval is of the normal distribution, from two images on.

        Raises NoScore, which is a ValueError, if no image so far has one.
        """
        name, n = self.quality.name, self._n
        if not n:
            raise NoScore(f"no image that {name} has a score for, of {self._without}")
        note = ""
        if self._without:
            note = f"{self._without:,} of {n + self._without:,} images are flat and have no score"
            warnings.warn(f"{name}: {note}", stacklevel=2)
        interval = None
        if n > 1:
            half = Z95 * math.sqrt(self._squares / (n - 1) / n)
            interval = self._mean - half, self._mean + half
        return Score(name, self._mean, interval, n, None, self._seen, note=note)


def niqe(size: int = 2 * BLOCK) -> Quality:
    """NIQE, low is good: how far an image's statistics are from those of good photographs.

    Mittal et al. 2013 (IEEE Signal Processing Letters 20.3). It cuts an image into blocks of 96
    pixels and wants to know how they vary, so smaller images are first enlarged to `size` pixels,
    bicubic, which the score says. The paper's images of 128 pixels hold one block: niqe(size=96)
    takes them as they are, and warns.

    Raises MissingExtra or MissingWeights at once, or BadWeights; so do the others.
    """
    parameters = _ready(NIQE)
    net = _pyiqa("niqe", pretrained_model_path=io.BytesIO(parameters))
    return Quality("NIQE", "pyiqa", net, BLOCK, size, BLOCK, takes_flat=False)


def brisque() -> Quality:
    """BRISQUE, low is good: a regression from an image's statistics to what people said of blurred,
    noisy and compressed photographs. Mittal et al. 2012 (IEEE Transactions on Image Processing
    21.12). Raises as `niqe` does.
    """
    support_vectors = _ready(BRISQUE)
    net = _pyiqa("brisque", pretrained_model_path=our_bytes(support_vectors))
    return Quality("BRISQUE", "pyiqa", net, SMALLEST, takes_flat=False)


def cnn_iqa() -> Quality:
    """CNN-IQA, high is good, about 0 to 1: a small net that learned people's opinions of
    photographs (KonIQ-10k). Kang et al. 2014 (CVPR), in colour and with pyiqa's weights. Raises as
    `niqe` does.
    """
    state = _ready(CNN_IQA)
    metric = _pyiqa("cnniqa", pretrained=None)
    try:
        metric.net.load_state_dict(state)
    except RuntimeError as error:
        raise BadWeights(f"{CNN_IQA.path} is of another net: {error}") from None
    return Quality("CNN-IQA", f"pyiqa, {CNN_IQA.path.stem}", metric, SMALLEST)


QUALITIES = {"niqe": niqe, "brisque": brisque, "cnn-iqa": cnn_iqa}


def _ready(file: WeightFile):
    """What the file holds; whatever is missing is named before anything slow is imported."""
    require_extra(["pyiqa"], "quality", " (for non-commercial use only)")
    return file.read()


def _pyiqa(name: str, **options) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what pyiqa imports; it is not ours to mend
        import pyiqa  # seconds

        return pyiqa.create_metric(name, device="cpu", **options)
