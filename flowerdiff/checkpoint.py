"""A trained model as one file: weights in fp16, config, schedule, class names and model card."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from flowerdiff import store
from flowerdiff.labels import find_label
from flowerdiff.schedule import Schedule, eps_model
from flowerdiff.store import CheckpointError
from flowerdiff.unet import (
    CompactConfig,
    CompactUNet,
    ThreeLayerConfig,
    ThreeLayerUNet,
    TwoLayerConfig,
    TwoLayerUNet,
)

NETS = {
    "CompactUNet": (CompactUNet, CompactConfig),
    "TwoLayerUNet": (TwoLayerUNet, TwoLayerConfig),
    "ThreeLayerUNet": (ThreeLayerUNet, ThreeLayerConfig),
}

WEIGHTS = Path(__file__).parent / "weights"
# The bundled models and the SHA-256 of each, as `save_model` returned it (tools/bundle_model.py).
PRETRAINED: dict[str, str] = json.loads((WEIGHTS / "hashes.json").read_text(encoding="utf-8"))


def make_net(kind: str, config: dict) -> nn.Module:
    """A fresh net of a kind in `NETS`, from its config's fields. Raises ValueError."""
    if kind not in NETS:
        raise ValueError(f"no net {kind!r}: choose from {', '.join(NETS)}")
    net_class, config_class = NETS[kind]
    try:
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        return net_class(config_class(**fields))
    except TypeError as error:
        raise ValueError(f"{kind}: {error}") from None


@dataclass(frozen=True, eq=False, repr=False)
class FlowerModel:
    """A trained model, ready to sample from: `model(x_t, t, y)` is eps_hat."""

    net: nn.Module
    schedule: Schedule
    prediction: str  # what the net was trained to predict
    class_names: Sequence[str]
    image_size: int
    card: dict  # what the model is, how it was made, what it can't do

    @property
    def null_label(self) -> int:
        """The label that stands for "any flower"."""
        return len(self.class_names)

    @property
    def knows_classes(self) -> bool:
        """Whether the net takes labels at all."""
        return self.net.config.num_classes > 0

    def label(self, name: str | int) -> int:
        """The label of a class name, or of its number. Raises ValueError that suggests names."""
        return find_label(name, self.class_names)

    def __call__(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """x_t (B, 3, S, S), t (B,), y (B,) or None for any flower -> eps_hat (B, 3, S, S).

        The net is asked where it lies, and answers where x_t lies.
        """
        device = next(self.net.parameters()).device
        y = torch.full_like(t, self.null_label) if y is None else y
        eps = eps_model(self.net, self.schedule, self.prediction)
        return eps(x_t.to(device), t.to(device), y.to(device)).to(x_t.device)

    def __repr__(self):
        return (
            f"FlowerModel({self.image_size} px, {len(self.class_names)} classes, "
            f"T={self.schedule.T}, predicts {self.prediction})"
        )


def save_model(path: str | os.PathLike, model: FlowerModel) -> str:
    """Write a model to one safetensors file, weights in fp16; returns its SHA-256."""
    note = {
        "kind": type(model.net).__name__,
        "config": asdict(model.net.config),
        "prediction": model.prediction,
        "class_names": list(model.class_names),
        "image_size": model.image_size,
        "card": model.card,
    }
    tensors = {
        f"net.{name}": tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.net.state_dict().items()
    }
    return store.write(path, tensors | {"alpha_bar": model.schedule.alpha_bar}, note)


def load_model(path: str | os.PathLike, sha256: str | None = None) -> FlowerModel:
    """Read what `save_model` wrote, weights back in float32. Raises CheckpointError."""
    tensors, note = store.read(path, sha256)
    try:
        schedule = Schedule(tensors.pop("alpha_bar"))
        net = make_net(note["kind"], note["config"]).eval().requires_grad_(False)
        net.load_state_dict({name.removeprefix("net."): t for name, t in tensors.items()})
        net.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
        kept = ("prediction", "class_names", "image_size", "card")
        return FlowerModel(net, schedule, **{name: note[name] for name in kept})
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        message = f"{path} does not hold a model that this flowerdiff knows: {reason}"
        raise CheckpointError(message) from None


def weights_hash(model: FlowerModel) -> str:
    """SHA-256 of the net's weights by name: a model with another card still has the same."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.net.state_dict().items()}
    return store.digest_of(weights)


def load_pretrained(name: str = "flowers64") -> FlowerModel:
    """The model that comes with flowerdiff; needs no network. Raises CheckpointError."""
    if name not in PRETRAINED:
        raise CheckpointError(f"no model {name!r} in the package: it has {', '.join(PRETRAINED)}")
    path = WEIGHTS / f"{name}.safetensors"
    try:
        return load_model(path, PRETRAINED[name])
    except CheckpointError as error:
        raise CheckpointError(f"{error} (get it again: git checkout flowerdiff/weights)") from None
