"""The paper's 3-layer U-Net: ConvNeXt blocks and attention."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowerdiff.unet.layers import one_hot, sinusoid


@dataclass(frozen=True)
class ThreeLayerConfig:
    """The paper's is width 128; 32 suits a laptop."""

    num_classes: int = 0
    width: int = 128
    T: int = 800  # the sinusoids are of t / T


class ConvNeXtBlock(nn.Module):
    """7x7 depthwise convolution, time and class added, then wide and narrow again."""

    def __init__(self, c_in: int, c_out: int, embedding: int, labelled: bool):
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, 7, padding=3, groups=c_in)
        self.time = nn.Sequential(nn.GELU(), nn.Linear(embedding, c_in)) if embedding else None
        self.label = nn.Sequential(nn.ReLU(), nn.Linear(embedding, c_in)) if labelled else None
        self.mix = nn.Sequential(
            nn.GroupNorm(1, c_in),
            nn.Conv2d(c_in, 2 * c_out, 3, padding=1),
            nn.GELU(),
            nn.GroupNorm(1, 2 * c_out),
            nn.Conv2d(2 * c_out, c_out, 3, padding=1),
        )
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, time=None, label=None) -> Tensor:
        h = self.depthwise(x)
        if self.time is not None:
            h = h + self.time(time)[:, :, None, None]
        if self.label is not None:
            h = h + self.label(label)[:, :, None, None]
        return self.mix(h) + self.skip(x)


class PixelAttention(nn.Module):
    """Residual attention with 4 heads of 32: softmax attention, or linear attention, whose cost
    grows with the number of pixels and not with its square. Shen et al. 2018, arXiv:1812.01243.
    """

    def __init__(self, c: int, linear: bool):
        super().__init__()
        self.linear = linear
        self.norm = nn.GroupNorm(1, c)
        self.qkv = nn.Conv2d(c, 3 * 128, 1, bias=False)
        out = nn.Conv2d(128, c, 1)
        self.out = nn.Sequential(out, nn.GroupNorm(1, c)) if linear else out

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, 4, 32, h * w)
        q, k, v = qkv.unbind(1)  # each (B, heads, 32, H*W)
        if self.linear:
            q, k = q.softmax(dim=2) * 32**-0.5, k.softmax(dim=3)
            mixed = (v @ k.transpose(2, 3)) @ q
        else:
            q, k, v = (a.transpose(2, 3) for a in (q, k, v))
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3)
        return x + self.out(mixed.reshape(b, 128, h, w))


class ThreeLayerUNet(nn.Module):
    """The paper's 3-layer U-Net: 228,024,439 parameters (233,151,307 with 53 classes).

    ConvNeXt blocks with linear attention on every level and softmax attention in the middle.
    Time and class are added in every block. (The paper's text says "concatenated".)
    """

    multiple_of = 8

    def __init__(self, config: ThreeLayerConfig = ThreeLayerConfig()):
        super().__init__()
        self.config = config
        w, n, emb = config.width, config.num_classes, 4 * config.width
        widths = [w // 3 * 2, w, 2 * w, 4 * w, 8 * w]
        pairs = list(zip(widths, widths[1:], strict=False))

        def block(c_in, c_out):
            return ConvNeXtBlock(c_in, c_out, emb, labelled=n > 0)

        def stage(c_in, c_out, resample):
            attention = PixelAttention(c_out, linear=True)
            return nn.ModuleList([block(c_in, c_out), block(c_out, c_out), attention, resample])

        self.stem = nn.Conv2d(3, widths[0], 7, padding=3)
        self.time = nn.Sequential(nn.Linear(w, emb), nn.GELU(), nn.Linear(emb, emb))
        self.label = nn.Sequential(nn.Linear(n, emb), nn.ReLU(), nn.Linear(emb, emb)) if n else None
        self.down = nn.ModuleList(
            stage(a, b, nn.Conv2d(b, b, 4, stride=2, padding=1) if b < 8 * w else nn.Identity())
            for a, b in pairs
        )
        self.middle1 = block(8 * w, 8 * w)
        self.attention = PixelAttention(8 * w, linear=False)
        self.middle2 = block(8 * w, 8 * w)
        self.up = nn.ModuleList(
            stage(2 * b, a, nn.ConvTranspose2d(a, a, 4, stride=2, padding=1))
            for a, b in reversed(pairs[1:])
        )
        self.out = nn.Sequential(ConvNeXtBlock(w, w, 0, labelled=False), nn.Conv2d(w, 3, 1))

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        time = self.time(sinusoid(t.float() / self.config.T, self.config.width))  # (B, emb)
        label = None
        y = torch.full_like(t, self.config.num_classes) if y is None else y
        if self.label is not None:
            label = self.label(one_hot(y, self.config.num_classes))  # (B, emb)

        x, kept = self.stem(x_t), []
        for block1, block2, attention, downsample in self.down:
            x = attention(block2(block1(x, time, label), time, label))
            kept.append(x)
            x = downsample(x)
        x = self.middle2(self.attention(self.middle1(x, time, label)), time, label)
        for block1, block2, attention, upsample in self.up:
            x = torch.cat([x, kept.pop()], dim=1)
            x = upsample(attention(block2(block1(x, time, label), time, label)))
        return self.out(x)
