"""What the nets share."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot(y: Tensor, num_classes: int) -> Tensor:
    """y (B,) in 0..num_classes -> (B, num_classes) floats; the null label is a row of zeros."""
    return F.one_hot(y, num_classes + 1)[:, :-1].float()


def sinusoid(t: Tensor, dim: int, fastest: float = 1.0, slowest: float = 1e-4) -> Tensor:
    """Times t (B,) -> (B, dim): sines, then cosines, of t, at frequencies fastest to slowest."""
    # Made on the CPU: Macs' GPUs know no logspace.
    frequency = torch.logspace(math.log10(fastest), math.log10(slowest), dim // 2)
    angle = t.float()[:, None] * frequency.to(t.device)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def zeroed(layer: nn.Module) -> nn.Module:
    """Zero a layer's weights: a residual branch ending in it begins as the identity, so that a
    deep net trains from its first step.
    """
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
