"""The stream of training images, and all that is random about each: order, flip, label, t, noise.

Everything is a function of the seed and of an image's place in the stream, never of how often a
generator was asked before. So a run that was killed and resumed, and a run spread over several
processes, see the same images, times and noise as one left alone.
"""

import functools

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
        # Stratified: slot k of B draws its t from the k-th part of 1..T. Less noise in the loss.
        slot = place % config.batch_size
        t.append(1 + int((slot + rng.random()) / config.batch_size * T))
        eps.append(torch.from_numpy(rng.standard_normal(x0[-1].shape, np.float32)))
    y = drop_labels(torch.stack(y), torch.tensor(drop), null_label)
    return from_uint8(torch.stack(x0)), y, torch.tensor(t), torch.stack(eps)
