"""The paper's 2-layer U-Net, block by block."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flowerdiff.unet.layers import one_hot


@dataclass(frozen=True)
class TwoLayerConfig:
    """The paper's is width 128; 32 or 64 suit a laptop (a multiple of 8)."""

    num_classes: int = 0
    width: int = 128
    T: int = 800  # time enters as t / T


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with BatchNorm and GELU. If `residual`, the first one's output
    is added to the second's, and the sum scaled back to unit variance.
    """

    def __init__(self, c_in: int, c_out: int, residual: bool = False):
        super().__init__()
        self.residual = residual
        self.first, self.second = (
            nn.Sequential(nn.Conv2d(c, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.GELU())
            for c in (c_in, c_out)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(first)
        return (first + second) / math.sqrt(2) if self.residual else second


def up_stage(c_in: int, c_out: int) -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(c_in, c_out, 2, stride=2),
        ConvBlock(c_out, c_out),
        ConvBlock(c_out, c_out),
    )


def embed(c_in: int, c_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(c_in, c_out), nn.GELU(), nn.Linear(c_out, c_out))


class TwoLayerUNet(nn.Module):
    """The paper's 2-layer U-Net: 7,486,723 parameters (7,589,763 with 53 classes).

    Time is added and the class multiplied in, before each of the two up stages. (The paper's text
    says "concatenated"; its conditional code does this. Its code without classes adds the first
    time before the bottleneck's ConvTranspose2d; here nets with and without differ in the class
    alone.) A dropped label is a zero one-hot.
    """

    multiple_of = 32  # two poolings by 2, then one by 8

    def __init__(self, config: TwoLayerConfig = TwoLayerConfig()):
        super().__init__()
        self.config = config
        w, n = config.width, config.num_classes
        self.stem = ConvBlock(3, w, residual=True)
        self.down1 = nn.Sequential(ConvBlock(w, w), nn.MaxPool2d(2))
        self.down2 = nn.Sequential(ConvBlock(w, 2 * w), nn.MaxPool2d(2))
        self.bottleneck = nn.Sequential(
            nn.AvgPool2d(8),
            nn.GELU(),
            nn.ConvTranspose2d(2 * w, 2 * w, 8, stride=8),
            nn.GroupNorm(8, 2 * w),
            nn.ReLU(),
        )
        self.time1, self.time2 = embed(1, 2 * w), embed(1, w)
        self.label1, self.label2 = (embed(n, 2 * w), embed(n, w)) if n else (None, None)
        self.up1 = up_stage(4 * w, w)
        self.up2 = up_stage(2 * w, w)
        self.out = nn.Sequential(
            nn.Conv2d(2 * w, w, 3, padding=1),
            nn.GroupNorm(8, w),
            nn.ReLU(),
            nn.Conv2d(w, 3, 3, padding=1),
        )

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        time = t[:, None].float() / self.config.T
        y = torch.full_like(t, self.config.num_classes) if y is None else y

        def condition(h, embed_time, embed_label):
            if embed_label is not None:
                h = h * embed_label(one_hot(y, self.config.num_classes))[:, :, None, None]
            return h + embed_time(time)[:, :, None, None]

        x = self.stem(x_t)  # (B, w, H, W)
        down1 = self.down1(x)  # (B, w, H/2, W/2)
        down2 = self.down2(down1)  # (B, 2w, H/4, W/4)
        h = condition(self.bottleneck(down2), self.time1, self.label1)
        h = condition(self.up1(torch.cat([h, down2], dim=1)), self.time2, self.label2)
        h = self.up2(torch.cat([h, down1], dim=1))  # (B, w, H, W)
        return self.out(torch.cat([h, x], dim=1))
