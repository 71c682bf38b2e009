"""What is measured of a net, against what can be worked out by hand."""

import copy

import pytest
import torch
from torch import nn

from flowerdiff import netinfo
from flowerdiff.checks.design import check_field, check_flops, check_parameters
from flowerdiff.netinfo import Part, activations, chain_field, measure, parts
from flowerdiff.unet import (
    CompactConfig,
    CompactUNet,
    ThreeLayerConfig,
    ThreeLayerUNet,
    TwoLayerConfig,
    TwoLayerUNet,
)
from flowerdiff.unet.two_layer import ConvBlock

NETS = {
    "two": lambda: TwoLayerUNet(TwoLayerConfig(num_classes=5, width=8)),
    "two, no classes": lambda: TwoLayerUNet(TwoLayerConfig(width=8)),
    "three": lambda: ThreeLayerUNet(ThreeLayerConfig(num_classes=5, width=6)),
    "compact": lambda: CompactUNet(CompactConfig(5, channels=(16, 32), blocks=(1, 2))),
    "compact, no patches": lambda: CompactUNet(CompactConfig(0, 1, (16, 32), (1, 1), heads=0)),
}
every_net = pytest.mark.parametrize("net", [make() for make in NETS.values()], ids=NETS)


class Chain(nn.Module):
    """Convolutions in a row, called like a net."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.Sequential(
            *[nn.Conv2d(3, 3, k, stride=s, padding=k // 2) for k, s in layers]
        )

    def forward(self, x_t, t, y):
        return self.layers(x_t)


@netinfo.parts.register
def _(net: Chain):
    return [Part("chain", ("layers",), "a chain")]


@pytest.mark.parametrize("seed", range(12))
def test_the_field_by_gradients_is_the_field_by_arithmetic(seed):
    rng = torch.Generator().manual_seed(seed)
    kernels = 1 + 2 * torch.randint(0, 3, (5,), generator=rng)  # odd: nothing is cut off a side
    strides = torch.randint(1, 3, (5,), generator=rng)
    layers = list(zip(kernels.tolist(), strides.tolist(), strict=True))
    (block,) = measure(Chain(layers), size=192)
    assert block.field == chain_field(layers) == check_field.oracle(kernels, strides)
    assert block.sees[2] - block.sees[0] == block.field  # as high as wide


def test_the_2_layer_nets_fields_are_those_worked_out_by_hand():
    sees = {b.part.name: b.field for b in measure(NETS["two"](), size=128)}
    stem = [(3, 1)] * 2
    down1 = [*stem, *[(3, 1)] * 2, (2, 2)]
    down2 = [*down1, *[(3, 1)] * 2, (2, 2)]
    assert sees["stem"] == chain_field(stem) == 5
    assert sees["down 1"] == chain_field(down1) == 10
    assert sees["down 2"] == chain_field(down2) == 20
    assert sees["bottleneck"] == chain_field([*down2, (8, 8)]) == 48
    assert sees["out"] == 80  # the middle pixel stands at a corner of four cells
    assert sees["time 1"] == sees["label 2"] == 0


@pytest.mark.parametrize("name", ["three", "compact"])
def test_attention_sees_everything(name):
    sees = {b.part.name: b.field for b in measure(NETS[name](), size=64)}
    assert sees["stem"] < 10
    assert sees["down 1" if name == "three" else "middle 1"] == 64 == sees["out"]


def test_without_attention_the_field_is_smaller():
    net = CompactUNet(CompactConfig(0, 2, (16, 32), (1, 1), heads=0))
    sees = {b.part.name: b.field for b in measure(net, size=96)}
    assert sees["down 1"] == chain_field([(2, 2), (3, 1), (3, 1), (3, 1)])
    assert sees["middle 2"] < 96


@every_net
def test_a_field_holds_whatever_changes_the_output(net):
    """A pixel outside of it may change, and the block's middle pixel does not notice."""
    blocks = [b for b in measure(net, size=64) if b.field not in (0, 64)]
    assert blocks
    net = copy.deepcopy(net).eval()
    torch.manual_seed(0)
    for parameter in net.parameters():  # a fresh compact net has branches that are zero
        nn.init.normal_(parameter, std=0.1)
    for name, layer in list(net.named_modules()):  # their averages do look at the whole picture
        if isinstance(layer, nn.GroupNorm):
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, nn.Identity())
    x, one = torch.randn(1, 3, 64, 64), torch.ones(1, dtype=torch.long)
    for block in blocks:
        top, left, bottom, right = block.sees
        changed = torch.randn(1, 3, 64, 64)
        changed[..., top:bottom, left:right] = x[..., top:bottom, left:right]
        name, (_, h, w) = block.part.name, block.shape
        middle = [activations(net, a, one, one)[name][:, h // 2, w // 2] for a in (x, changed)]
        torch.testing.assert_close(*middle)


@every_net
def test_the_parts_are_the_whole_net(net):
    blocks = measure(net, size=32)
    assert sum(b.parameters for b in blocks) == sum(p.numel() for p in net.parameters())
    assert len({b.part.name for b in blocks}) == len(blocks)
    assert blocks[0].part.name == "stem" and blocks[0].flops > 0
    names = [b.part.name for b in blocks]
    for b in blocks:
        assert all(names.index(skip) < names.index(b.part.name) for skip in b.part.skips)
        assert set(b.part.feeds) <= set(names)


@every_net
def test_skips_join_maps_of_one_size(net):
    shapes = {b.part.name: b.shape for b in measure(net, size=32)}
    inputs = {}
    for part in parts(net):
        first = net.get_submodule(part.modules[0])
        first.register_forward_hook(lambda m, i, o, n=part.name: inputs.__setitem__(n, i[0]))
    one = torch.ones(1, dtype=torch.long)
    net(torch.randn(1, 3, 32, 32), one, one)
    joined = [part for part in parts(net) if part.skips]
    assert len(joined) >= 3
    for part in joined:
        (skip,) = part.skips
        if not isinstance(net, ThreeLayerUNet):  # whose skips are kept before the halving
            assert shapes[skip][1:] == inputs[part.name].shape[2:], part.name
        assert inputs[part.name].shape[1] > shapes[skip][0]


def test_measuring_leaves_the_net_as_it_was():
    net = NETS["two"]().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    measure(net, size=32)
    assert net.training and not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_net_on_meta_has_numbers_but_no_field():
    with torch.device("meta"):
        blocks = measure(TwoLayerUNet(), size=128)
    assert sum(b.parameters for b in blocks) == 7_486_723
    assert sum(b.flops for b in blocks) / 4 == pytest.approx(14.4e9, rel=2e-3)  # of 64 px
    assert {b.field for b in blocks} == {0}


def test_an_unknown_net_is_refused():
    with pytest.raises(TypeError, match="does not know the blocks of a Linear"):
        parts(nn.Linear(1, 1))


def test_activations_are_what_comes_out():
    net = NETS["two"]().eval()
    x, one = torch.randn(2, 3, 32, 32), torch.ones(2, dtype=torch.long)
    found = activations(net, x, one, one)
    with torch.no_grad():
        torch.testing.assert_close(found["stem"], net.stem(x)[0])
        torch.testing.assert_close(found["out"], net(x, one, one)[0])
        torch.testing.assert_close(found["time 1"], net.time1(one[:, None] / 800)[0])
    assert set(found) == {p.name for p in parts(net)}


def test_the_exercises_that_count_agree_with_what_is_measured():
    for c_in, c_out in ((3, 8), (16, 8)):
        counted = sum(p.numel() for p in ConvBlock(c_in, c_out).parameters())
        assert check_parameters.oracle(c_in, c_out) == counted
    net = Chain([(5, 2)])
    (block,) = measure(net, size=32)
    assert block.flops == check_flops.oracle(3, 3, 5, 32, 2)
