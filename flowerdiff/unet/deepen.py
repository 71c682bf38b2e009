"""A compact net with more blocks, which computes at first what the one it grows from computes."""

from dataclasses import replace

import torch
from torch import nn

from flowerdiff.unet.compact import AdaptiveBlock, CompactUNet


@torch.no_grad()
def deepen(net: CompactUNet, blocks: tuple[int, ...]) -> CompactUNet:
    """A net with `blocks` residual blocks each way and the weights of `net`, which has fewer.

    The new blocks hand on their input unchanged (their last convolutions are 0, as in any new
    block), so the deep net begins where the training of the shallow one ended. After Net2Net, Chen
    et al. 2015, arXiv:1511.05641. Raises ValueError if a level of `net` has more blocks, or none.
    """
    old = net.config.blocks
    if len(old) != len(blocks) or any(not 0 < a <= b for a, b in zip(old, blocks, strict=True)):
        raise ValueError(f"a net with blocks {list(old)} can't be deepened to {list(blocks)}")
    deep = CompactUNet(replace(net.config, blocks=tuple(blocks)))
    for name, part in deep.named_children():
        if name not in ("down", "up") and part is not None:
            part.load_state_dict(net.get_submodule(name).state_dict())

    # Down: the new blocks are the last of their level, and what they keep for the way up is what
    # the old last one keeps.
    ours, theirs = iter(net.down), iter(deep.down)
    for level, (few, many) in enumerate(zip(old, blocks, strict=True)):
        _copy(ours, theirs, few + (level > 0))
        for _ in range(many - few):
            next(theirs)

    # Up: the level's first block changes the width; so the new ones come right after it, where
    # their input has the width of their output.
    ours, theirs = iter(net.up), iter(deep.up)
    for level, (few, many) in reversed(list(enumerate(zip(old, blocks, strict=True)))):
        _copy(ours, theirs, 1)
        for _ in range(many - few):
            _ignore_kept(next(theirs))
        _copy(ours, theirs, few + (level > 0))
    return deep


def _copy(ours, theirs, count: int) -> None:
    """Load the weights of the next `count` layers of `ours` into those of `theirs`."""
    for _ in range(count):
        next(theirs).load_state_dict(next(ours).state_dict())


def _ignore_kept(block: AdaptiveBlock) -> None:
    """Let a block's skip connection hand on its input, without what is concatenated to it."""
    width = block.skip.out_channels
    nn.init.dirac_(block.skip.weight[:, :width])
    block.skip.weight[:, width:] = 0
    block.skip.bias.zero_()
