"""From seeds and labels to images, with a whole model: the loop of every command that draws."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flowerdiff.checkpoint import FlowerModel
from flowerdiff.guidance import guided
from flowerdiff.sampling import noise, sampler_named

BATCH = 30  # images at a time that any laptop's memory holds, guided ones too


def draw(
    model: FlowerModel,
    seeds: Sequence[int],
    labels: Tensor | Sequence[int],
    w: float = 1.0,
    sampler: str = "ddim",
    steps: int | Sequence[int] | None = 25,
    clip_x0: float | None = 1.0,
) -> Tensor:
    """One image per seed and label (B,): floats (B, 3, S, S) on the CPU, near [-1, 1].

    `BATCH` of them at a time. The net is asked where it lies: `model.net.to("cuda")` draws on a
    GPU, with the same noise.
    w: guidance weight, -1 for no class. sampler: one of SAMPLERS. steps, clip_x0: as for those.
    Raises ValueError if there is not one seed for each label, or there is no such label or sampler.
    """
    labels = torch.as_tensor(labels)
    if len(seeds) != len(labels) or not len(labels):
        raise ValueError(f"one seed per label: {len(labels)} labels, {len(seeds)} seeds")
    walk = sampler_named(sampler)
    for label in set(labels.tolist()) - {model.null_label}:
        model.label(label)
    if (labels == model.null_label).all() or not model.knows_classes:
        w = -1.0  # both predictions would be the same one
    device = next(model.net.parameters()).device
    eps_model, shape = guided(model, w, model.null_label), (3, model.image_size, model.image_size)
    drawn = []
    for i in range(0, len(seeds), BATCH):
        own, y = seeds[i : i + BATCH], labels[i : i + BATCH].to(device)
        x_T = noise(own, model.schedule.T, shape).to(device)
        with torch.inference_mode():
            *_, last = walk(
                eps_model, model.schedule, x_T, y, steps=steps, seeds=own, clip_x0=clip_x0
            )
        drawn.append(last.x_t.cpu())
    return torch.cat(drawn)
