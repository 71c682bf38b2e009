"""The nets: the paper's parameter counts, and that everything they are given is used."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from flowerdiff.unet import (
    CompactConfig,
    CompactUNet,
    ThreeLayerConfig,
    ThreeLayerUNet,
    TwoLayerConfig,
    TwoLayerUNet,
)
from flowerdiff.unet.compact import Attention

SMALL = {
    "two": lambda n: TwoLayerUNet(TwoLayerConfig(num_classes=n, width=8)),
    "three": lambda n: ThreeLayerUNet(ThreeLayerConfig(num_classes=n, width=12)),
    "compact": lambda n: CompactUNet(
        CompactConfig(num_classes=n, channels=(16, 32), blocks=(1, 1))
    ),
}


def awake(net):
    """Undo the zero initialisation, which makes a fresh net predict 0 whatever it sees."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


@pytest.mark.parametrize(
    ("net", "config", "parameters"),
    [
        (TwoLayerUNet, TwoLayerConfig(), 7_486_723),
        (TwoLayerUNet, TwoLayerConfig(num_classes=53), 7_589_763),
        (ThreeLayerUNet, ThreeLayerConfig(), 228_024_439),
        (ThreeLayerUNet, ThreeLayerConfig(num_classes=53), 233_151_307),
    ],
)
def test_the_papers_nets_have_the_papers_parameters(net, config, parameters):
    with torch.device("meta"):  # counts, without the gigabyte
        assert sum(p.numel() for p in net(config).parameters()) == parameters


def test_the_compact_net_fits_into_16_megabytes():
    parameters = sum(p.numel() for p in CompactUNet().parameters())
    assert 5e6 < parameters < 8e6


@pytest.mark.parametrize("name", SMALL)
@given(batch=st.integers(1, 3), factor=st.integers(1, 2))
@settings(max_examples=3)
def test_output_is_shaped_like_the_input(name, batch, factor):
    net = SMALL[name](5)
    size = net.multiple_of * factor
    x_t, t = torch.randn(batch, 3, size, size), torch.full((batch,), 7)
    assert net(x_t, t, torch.full((batch,), 5)).shape == x_t.shape


@pytest.mark.parametrize("name", SMALL)
def test_image_time_and_label_all_matter(name):
    net = awake(SMALL[name](5))
    x_t, t, y = torch.randn(1, 3, 32, 32), torch.tensor([50]), torch.tensor([2])
    with torch.no_grad():
        out = net(x_t, t, y)
        assert not torch.allclose(out, net(x_t.flip(-1), t, y))
        assert not torch.allclose(out, net(x_t, t + 700, y))
        assert not torch.allclose(out, net(x_t, t, y + 1))
        assert not torch.allclose(out, net(x_t, t, y * 0 + 5))  # the null label


@pytest.mark.parametrize("name", SMALL)
def test_no_label_is_the_null_label(name):
    net, x_t, t = SMALL[name](5).eval(), torch.randn(2, 3, 32, 32), torch.tensor([1, 800])
    assert torch.equal(net(x_t, t), net(x_t, t, torch.tensor([5, 5])))


@pytest.mark.parametrize("name", SMALL)
def test_an_unconditional_net_needs_no_label(name):
    net = SMALL[name](0)
    x_t = torch.randn(2, 3, 32, 32)
    assert net(x_t, torch.tensor([1, 800])).shape == x_t.shape


@pytest.mark.parametrize("name", SMALL)
def test_images_of_a_batch_do_not_mix(name):
    net = awake(SMALL[name](5))
    x_t, t, y = torch.randn(3, 3, 32, 32), torch.tensor([1, 400, 800]), torch.tensor([0, 1, 5])
    with torch.no_grad():
        torch.testing.assert_close(
            net(x_t, t, y)[1:2], net(x_t[1:2], t[1:2], y[1:2]), atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name):
    net = SMALL[name](5).train()
    for p in net.parameters():  # a zeroed layer hides those before it on the first step
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    out = net(torch.randn(4, 3, 32, 32), torch.tensor([1, 9, 90, 800]), torch.tensor([0, 1, 4, 5]))
    out.square().mean().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("channels", "blocks", "said"),
    [
        ((16, 32), (1, 1, 1), "got 3 blocks for 2 channels"),
        ((16, 40), (1, 1), "multiples of 16: 40"),
    ],
)
def test_a_compact_net_that_cannot_be_is_refused_in_words(channels, blocks, said):
    with pytest.raises(ValueError, match=said):
        CompactConfig(channels=channels, blocks=blocks)
    with pytest.raises(ValueError, match="5 heads cannot share 192 channels"):
        CompactConfig(heads=5)


def test_attention_of_the_compact_net_is_the_usual_one():
    torch.manual_seed(0)
    layer = Attention(32, heads=2)
    torch.nn.init.normal_(layer.out.weight)
    x = torch.randn(2, 32, 4, 4)
    q, k, v = layer.qkv(layer.norm(x)).flatten(2).unflatten(1, (3, 2, 16)).unbind(1)
    mixed = F.scaled_dot_product_attention(q.mT, k.mT, v.mT).mT.reshape(2, 32, 4, 4)
    torch.testing.assert_close(layer(x), x + layer.out(mixed))
