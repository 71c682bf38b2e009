"""The compact net: ours, for a laptop's CPU, and for the bundled model."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowerdiff.unet.layers import sinusoid, zeroed


@dataclass(frozen=True)
class CompactConfig:
    """`channels[i]` at resolution (size / patch) / 2^i, `blocks[i]` residual blocks each way.

    Raises ValueError if the two are not of one length, a width is not a multiple of 16, or the
    last one not of `heads`.
    """

    num_classes: int = 102
    patch: int = 2  # the stem folds patch x patch pixels into channels: no work at full resolution
    channels: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (1, 1, 1)
    heads: int = 4  # of the attention on the coarsest level, the only one where it is cheap
    embedding: int = 256

    def __post_init__(self):
        if len(self.channels) != len(self.blocks):
            raise ValueError(
                f"one number of blocks for each of channels: got {len(self.blocks)} blocks "
                f"for {len(self.channels)} channels"
            )
        if self.patch < 1:
            raise ValueError(f"patch is {self.patch}: it is at least 1")
        if odd := [c for c in self.channels if c % 16]:  # GroupNorm's groups
            raise ValueError(f"channels are multiples of 16: {odd[0]} is not")
        if self.heads and self.channels[-1] % self.heads:
            raise ValueError(f"{self.heads} heads cannot share {self.channels[-1]} channels")


class GroupNorm(nn.GroupNorm):
    """In float32, whatever the precision of the rest: on a CPU, the backward pass of PyTorch's own
    takes five times as long in bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).to(x.dtype)


class Attention(nn.Module):
    """Residual softmax self-attention over all pixels.

    Written out: with so few pixels, training in bfloat16 on a CPU, PyTorch's fused
    scaled_dot_product_attention makes the whole net a tenth slower.
    """

    def __init__(self, c: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = GroupNorm(16, c)
        self.qkv = nn.Conv2d(c, 3 * c, 1)
        self.out = zeroed(nn.Conv2d(c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # each (B, heads, H*W, c / heads)
        weights = (q @ k.transpose(2, 3) / (c // self.heads) ** 0.5).softmax(dim=-1)
        mixed = weights @ v
        return x + self.out(mixed.transpose(2, 3).reshape(b, c, h, w))


class AdaptiveBlock(nn.Module):
    """Residual block; time and class scale and shift its second GroupNorm. heads > 0 ends it
    with attention.
    """

    def __init__(self, c_in: int, c_out: int, embedding: int, heads: int = 0):
        super().__init__()
        self.norm1 = GroupNorm(16, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * c_out)
        self.norm2 = GroupNorm(16, c_out)
        self.conv2 = zeroed(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        self.attention = Attention(c_out, heads) if heads else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.attention(self.skip(x) + self.conv2(F.silu(h)))


class CompactUNet(nn.Module):
    """Our net for the bundled model: as much quality per CPU second as we found.

    Most of the work is done at a quarter and an eighth of the image's size, where a convolution
    is a dense matrix product that a CPU likes.
    """

    def __init__(self, config: CompactConfig = CompactConfig()):
        super().__init__()
        self.config = config
        self.multiple_of = config.patch * 2 ** (len(config.channels) - 1)
        c, emb = config.channels, config.embedding
        self.time = nn.Sequential(nn.Linear(128, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.label = nn.Embedding(config.num_classes + 1, emb) if config.num_classes else None

        self.stem = nn.Sequential(
            nn.PixelUnshuffle(config.patch), nn.Conv2d(3 * config.patch**2, c[0], 3, padding=1)
        )
        # Down: every output is kept, for the way up.
        kept, now = [c[0]], c[0]
        self.down = nn.ModuleList()
        for level, (width, count) in enumerate(zip(c, config.blocks, strict=True)):
            heads = config.heads if level == len(c) - 1 else 0
            if level > 0:
                self.down.append(nn.Conv2d(now, width, 2, stride=2))
                kept.append(now := width)
            for _ in range(count):
                self.down.append(AdaptiveBlock(now, width, emb, heads))
                kept.append(now := width)
        self.middle = nn.ModuleList(
            [AdaptiveBlock(now, now, emb, config.heads), AdaptiveBlock(now, now, emb)]
        )
        # Up: as many blocks as outputs were kept; each takes one of them in by concatenation.
        self.up = nn.ModuleList()
        for level, width in reversed(list(enumerate(c))):
            heads = config.heads if level == len(c) - 1 else 0
            for _ in range(config.blocks[level] + 1):
                self.up.append(AdaptiveBlock(now + kept.pop(), width, emb, heads))
                now = width
            if level > 0:
                self.up.append(nn.Upsample(scale_factor=2, mode="nearest"))
        self.out = nn.Sequential(
            GroupNorm(16, now),
            nn.SiLU(),
            zeroed(nn.Conv2d(now, 3 * config.patch**2, 3, padding=1)),
            nn.PixelShuffle(config.patch),
        )

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        emb = self.time(sinusoid(t, 128))  # (B, embedding)
        y = torch.full_like(t, self.config.num_classes) if y is None else y
        if self.label is not None:
            emb = emb + self.label(y)
        emb = F.silu(emb)

        x = self.stem(x_t)  # (B, c0, H / patch, W / patch)
        kept = [x]
        for layer in self.down:
            x = layer(x) if isinstance(layer, nn.Conv2d) else layer(x, emb)
            kept.append(x)
        for block in self.middle:
            x = block(x, emb)
        for layer in self.up:
            if isinstance(layer, nn.Upsample):
                x = layer(x)
            else:
                x = layer(torch.cat([x, kept.pop()], dim=1), emb)
        return self.out(x)
