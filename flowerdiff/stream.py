"""The stream of training images, and all that is random about each: order, flip, label, t, noise.

Everything is a function of the seed and of an image's place in the stream, never of how often a
generator was asked before. So a run that was killed and resumed, and a run spread over several
processes, see the same images, times and noise as one left alone.
"""

import functools
import math
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from flowerdiff.guidance import drop_labels
from flowerdiff.pixels import from_uint8


def random_flip(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror an image (3, H, W) with probability 1/2: the paper's augmentation."""
    return image.flip(-1) if rng.random() < 0.5 else image


@functools.lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(n)


def draw_time(u: float, T: int, logit_normal: tuple[float, float] | None) -> int:
    """The time t in 1..T at the share u (from 0 to 1) of all draws, the smallest times first.

    logit_normal None: all times equally often, the paper's choice. (mean, std): t / T is the
    sigmoid of a Gaussian. A mean above 0 spends more draws on high noise, one below on low noise, a
    smaller std more in between. Esser et al. 2024, arXiv:2403.03206, section 3.1.
    """
    if logit_normal is not None:
        u = min(max(u, 1e-9), 1 - 1e-9)
        u = 1 / (1 + math.exp(-NormalDist(*logit_normal).inv_cdf(u)))
    return min(1 + int(u * T), T)  # a sigmoid may be rounded up to 1


def draw_batch(images, labels, T, null_label, config, places, augment):
    """The training images at these places of the stream, with all that is random about them.

    Place p is slot p % batch_size of step p // batch_size. Returns x0 (b, 3, H, W) in [-1, 1],
    labels y (b,) with some dropped, times t (b,), noise eps (b, 3, H, W).
    """
    x0, y, drop, t, eps = [], [], [], [], []
    for place in places:
        epoch, i = divmod(place, len(images))
        index = int(_epoch_order(config.seed, epoch, len(images))[i])
        rng = np.random.default_rng([config.seed, 1, place])
        x0.append(augment(images[index], rng))
        y.append(labels[index])
        drop.append(rng.random() < config.label_dropout)
        # Stratified: slot k of B draws from the k-th part of the times. Less noise in the loss.
        slot = place % config.batch_size
        share = (slot + rng.random()) / config.batch_size
        t.append(draw_time(share, T, config.t_logit_normal))
        eps.append(torch.from_numpy(rng.standard_normal(x0[-1].shape, np.float32)))
    y = drop_labels(torch.stack(y), torch.tensor(drop), null_label)
    return from_uint8(torch.stack(x0)), y, torch.tensor(t), torch.stack(eps)
