"""Nets that look at a noisy image and predict the noise: the paper's two, and a compact one.

Each is built from a frozen config, `Net(Config(num_classes=...))`, keeps it as `net.config`, and is
called `net(x_t, t, y)`: x_t (B, 3, H, W) float; t (B,) long in 1..T; y (B,) long in 0..num_classes,
where `num_classes` itself is the null label ("no class given"), as is None. It returns a tensor
like x_t. A net with num_classes = 0 is unconditional and ignores y. H and W are divisible by
`net.multiple_of`.
"""

from flowerdiff.unet.compact import CompactConfig, CompactUNet
from flowerdiff.unet.three_layer import ThreeLayerConfig, ThreeLayerUNet
from flowerdiff.unet.two_layer import TwoLayerConfig, TwoLayerUNet

__all__ = [
    "CompactConfig",
    "CompactUNet",
    "ThreeLayerConfig",
    "ThreeLayerUNet",
    "TwoLayerConfig",
    "TwoLayerUNet",
]
