"""How well does a model take known noise away: from images it was trained on, and from new ones?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from flowerdiff.metrics.distribution import Z95
from flowerdiff.metrics.score import Score
from flowerdiff.pixels import from_uint8
from flowerdiff.schedule import Schedule

TIMES = 4  # of each image, one in each quarter of the walk
GAMMA = 5.0
BATCH = 64


def denoising_error(
    model: Callable[[Tensor, Tensor, Tensor], Tensor],
    schedule: Schedule,
    images: Tensor,
    labels: Tensor,
    device: torch.device | str = "cpu",
) -> Score:
    """Mean of min(1, 5 / SNR) (eps - eps_hat)^2: the training loss with the weights of min-SNR
    (gamma = 5; Hang et al. 2023, arXiv:2303.09556), whatever the net was trained to predict.

    images uint8 (N, 3, S, S), labels long (N,). Image i of a set gets the same times and the same
    noise each time: what differs between two models is no luck. A model that knows its training
    images by heart has a smaller error on these than on images that it has never seen.
    """
    rng = torch.Generator().manual_seed(0)
    errors = []
    for image, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        x0, error = from_uint8(image), torch.zeros(len(image))
        for quarter in range(TIMES):
            share = (quarter + torch.rand(len(image), generator=rng)) / TIMES
            t = 1 + (share * schedule.T).long().clamp(max=schedule.T - 1)
            eps = torch.randn(x0.shape, generator=rng)
            x_t = schedule.add_noise(x0, t, eps)
            with torch.inference_mode():
                eps_hat = model(x_t.to(device), t.to(device), y.to(device)).cpu()
            weight = (GAMMA / schedule.snr(t)).clamp(max=1)
            error += weight * (eps - eps_hat).square().flatten(1).mean(1) / TIMES
        errors.append(error)
    error = torch.cat(errors)
    value, half = error.mean().item(), Z95 * error.std().item() / len(error) ** 0.5
    return Score(
        "denoising error", value, (value - half, value + half), len(error), None,
        f"eps, {TIMES} times per image",
    )  # fmt: skip
