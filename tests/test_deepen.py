"""A deepened net begins where the shallow one ended, and goes on from there."""

from dataclasses import replace

import pytest
import torch

from flowerdiff.unet import CompactConfig, CompactUNet
from flowerdiff.unet.deepen import load_shallower


def deepen(net, blocks):
    deep = CompactUNet(replace(net.config, blocks=blocks))
    load_shallower(deep, net)
    return deep


@pytest.fixture
def trained():
    """A shallow net whose last convolutions are not 0, and something to show it."""
    torch.manual_seed(0)
    net = CompactUNet(CompactConfig(num_classes=3, channels=(16, 32, 48), embedding=32, heads=2))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net, (torch.randn(2, 3, 16, 16), torch.tensor([3, 700]), torch.tensor([1, 3]))


@pytest.mark.parametrize("blocks", [(1, 1, 1), (1, 2, 3), (3, 2, 1)])
def test_deepened_net_computes_the_same(trained, blocks):
    net, batch = trained
    deep = deepen(net, blocks)
    assert deep.config.blocks == blocks
    torch.testing.assert_close(deep(*batch), net(*batch))
    deeper = deepen(deep, (3, 3, 3))
    torch.testing.assert_close(deeper(*batch), net(*batch))


def test_new_blocks_learn(trained):
    net, batch = trained
    deep = deepen(net, (1, 2, 1))
    for _ in range(2):  # first the last convolution moves away from 0, then what is before it
        deep(*batch).square().mean().backward()
        with torch.no_grad():
            for parameter in deep.parameters():
                parameter -= 1e-2 * parameter.grad
                parameter.grad = None
    deep(*batch).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in deep.down[3].parameters())
    assert deep.down[3].conv1.weight.shape == (32, 32, 3, 3)


@pytest.mark.parametrize("blocks", [(1, 1), (0, 1, 1), (2, 2, 1)])
def test_what_cannot_be_deepened(trained, blocks):
    net = deepen(trained[0], (2, 2, 2)) if blocks == (2, 2, 1) else trained[0]
    deep = CompactUNet(CompactConfig(3, channels=(16,) * len(blocks), blocks=blocks))
    with pytest.raises(ValueError, match="can't be deepened"):
        load_shallower(deep, net)


@pytest.mark.parametrize(
    "other",
    [{"num_classes": 0}, {"channels": (16, 32, 64)}, {"heads": 1}],  # no shape tells heads
)
def test_nets_that_differ_in_more_than_blocks_are_refused(trained, other):
    shallow = trained[0]
    other_net = CompactUNet(replace(shallow.config, **other))
    for net, start in ((other_net, shallow), (shallow, other_net)):
        with pytest.raises(ValueError, match=f"more than blocks: {next(iter(other))}"):
            load_shallower(net, start)
