"""What a checkpoint of a training run holds, and whether it is of this run."""

import hashlib
import json
import operator
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from flowerdiff.store import CheckpointError


def state(step: int, net: nn.Module, emas, optimizer) -> dict[str, Tensor]:
    """Everything that a run is made of, by name."""
    tensors = {f"net.{name}": value for name, value in net.state_dict().items()}
    for i, ema in enumerate(emas):
        tensors |= {f"ema{i}.{name}": value for name, value in ema.state_dict().items()}
    for name, parameter in net.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"adam.{key}.{name}"] = value
    return tensors | {"step": torch.tensor(step)}


def restore(tensors: dict[str, Tensor], net: nn.Module, emas, optimizer) -> int:
    """Put a saved `state` back in place; returns the step it was saved after."""
    for prefix, module in [("net.", net), *((f"ema{i}.", ema) for i, ema in enumerate(emas))]:
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
    for name, parameter in net.named_parameters():
        # Into tensors laid out like the parameter: the fused optimizer takes that for granted.
        moments = {
            key: torch.empty_like(parameter).copy_(tensors[f"adam.{key}.{name}"])
            for key in ("exp_avg", "exp_avg_sq")
        }
        step = tensors[f"adam.step.{name}"].to(parameter.device)
        optimizer.state[parameter] = {"step": step, **moments}
    return int(tensors["step"])


# Of a run's settings these may change when it goes on: to train for longer is no other run, and a
# batch in more pieces is the same batch.
MAY_CHANGE = {"steps": 0, "decay": 0, "accumulate": 1}


def note(config, net: nn.Module, schedule, images: Tensor, labels: Tensor, augment) -> dict:
    """What may not change when a run goes on; it is written into its checkpoint."""
    digests = {
        name: hashlib.sha256(tensor.cpu().contiguous().numpy()).hexdigest()
        for name, tensor in (
            ("alpha_bar", schedule.alpha_bar), ("pixels", images), ("labels", labels),
        )
    }  # fmt: skip
    name = getattr(augment, "__qualname__", type(augment).__qualname__)
    note = {
        "train": asdict(replace(config, **MAY_CHANGE)) | {"augment": name},
        "net": {"kind": type(net).__name__} | asdict(net.config),
        "data": {"images": len(images), "size": list(images.shape[2:])} | digests,
    }
    # As a file has it. NumPy's numbers become Python's: `TrainConfig(seed=np.int64(3))`.
    return json.loads(json.dumps(note, default=operator.methodcaller("item")))


def check_same_run(path, saved: dict, wanted: dict, defaults: dict) -> None:
    """saved, wanted: notes. defaults: the settings' default values, assumed for those that did not
    exist yet when the checkpoint was written. Raises CheckpointError that names what is another.
    """
    # Older notes say nothing, or less, of the data, and neither which net it is nor how images were
    # augmented.
    defaults = defaults | {"augment": wanted["train"]["augment"]}
    saved = {
        "train": defaults | saved.get("train", {}) | MAY_CHANGE,
        "net": {"kind": wanted["net"]["kind"]} | saved.get("net", {}),
        "data": wanted["data"] | saved.get("data", {}),
    }
    differ = [
        name
        for part, settings in wanted.items()
        for name, value in settings.items()
        if json.dumps(saved[part].get(name)) != json.dumps(value)
    ]
    if differ:
        raise CheckpointError(
            f"{path} is from a run with other settings ({', '.join(differ)}): set them back, name "
            "another folder, or delete it"
        )
