"""A compact net with more blocks, which computes at first what the one it grows from computes."""

from dataclasses import asdict

import torch
from torch import nn

from flowerdiff.unet.compact import AdaptiveBlock, CompactUNet


@torch.no_grad()
def load_shallower(net: CompactUNet, shallow: CompactUNet) -> None:
    """Load the weights of `shallow` into `net`, which is new and has as many blocks, or more.

    The blocks that `shallow` lacks hand on their input unchanged (their last convolutions are 0, as
    in any new block), so `net` begins where the training of `shallow` ended. After Net2Net, Chen et
    al. 2015, arXiv:1511.05641. Raises ValueError if a level of `shallow` has more blocks, or none,
    or if the nets differ in anything else.
    """
    old, blocks = shallow.config.blocks, net.config.blocks
    if len(old) != len(blocks) or any(
        a != b and not 0 < a < b for a, b in zip(old, blocks, strict=True)
    ):
        raise ValueError(f"a net with blocks {list(old)} can't be deepened to {list(blocks)}")
    theirs, ours = asdict(shallow.config), asdict(net.config)
    if differ := [key for key in ours if key != "blocks" and ours[key] != theirs[key]]:
        raise ValueError(f"the nets differ in more than blocks: {', '.join(differ)}")

    # Which layers are new. Down: the last blocks of a level, and what they keep for the way up is
    # what the old last one keeps. Up: all but a level's first block, which changes the width, and
    # right after it, where their input has the width of their output.
    down, up = [], []
    for level, (few, many) in enumerate(zip(old, blocks, strict=True)):
        new, rest = [True] * (many - few), [False] * (few + (level > 0))
        down = down + rest + new
        up = [False] + new + rest + up

    state = shallow.state_dict()
    state = {key: value for key, value in state.items() if not key.startswith(("down.", "up."))}
    for way, is_new in (("down", down), ("up", up)):
        layers = iter(shallow.get_submodule(way))
        for i, (layer, new) in enumerate(zip(net.get_submodule(way), is_new, strict=True)):
            if new and way == "up":
                _ignore_kept(layer)
            weights = (layer if new else next(layers)).state_dict()
            state |= {f"{way}.{i}.{key}": value for key, value in weights.items()}
    net.load_state_dict(state)


def _ignore_kept(block: AdaptiveBlock) -> None:
    """Let a block's skip connection hand on its input, without what is concatenated to it."""
    width = block.skip.out_channels
    nn.init.dirac_(block.skip.weight[:, :width])
    block.skip.weight[:, width:] = 0
    block.skip.bias.zero_()
