"""Lesson 02, U-Net design: the exercises that build: where all meets, attention."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 3 · what goes into an up stage


def meet(h, skip, time, label):
    return torch.cat([h * _channels(label) + _channels(time), skip], dim=1)


def _channels(values):
    return values[:, :, None, None]


def _draw_meeting(generator, i):
    b, c, height, width = [(2, 3, 4, 5), (3, 4, 3, 4), (2, 6, 4, 4), (1, 2, 3, 3), (3, 4, 2, 4)][i]
    h, skip = torch.randn((2, b, c, height, width), generator=generator)
    time, label = torch.randn((2, b, c), generator=generator)
    return h, skip, time, label


check_meet = Exercise(
    "02",
    "where all meets",
    meet,
    _draw_meeting,
    [
        Mistake(
            "you add the time first, so the class multiplies it too. Multiply, then add.",
            lambda h, skip, time, label: meet(h + _channels(time), skip, 0 * time, label),
        ),
        Mistake(
            "the two are swapped: the class multiplies, the time is added.",
            lambda h, skip, time, label: meet(h, skip, label, time),
        ),
        Mistake(
            "both are added in yours. The class multiplies.",
            lambda h, skip, time, label: meet(h, skip, time + label, torch.ones_like(label)),
        ),
        Mistake(
            "both multiply in yours. The time is added.",
            lambda h, skip, time, label: meet(h, skip, 0 * time, time * label),
        ),
        Mistake("the time is missing.", lambda h, s, time, label: meet(h, s, 0 * time, label)),
        Mistake("the class is missing.", lambda h, s, time, label: meet(h, s, time, 0 * label + 1)),
        Mistake(
            "the skip has been changed: time and class are for h alone. The skip comes as it is.",
            lambda h, skip, time, label: meet(
                h, skip * _channels(label) + _channels(time), time, label
            ),
        ),
        Mistake(
            "the right things, in the other order: h first, then the skip. The weights of the next "
            "layer count on it.",
            lambda h, skip, time, label: meet(h, skip, time, label).roll(h.shape[1], 1),
        ),
        Mistake(
            "the skip is missing: put it beside h, with torch.cat.",
            lambda h, skip, time, label: meet(h, skip[:, :0], time, label),
        ),
        Mistake(
            "you add the skip to h. Here it is put *beside* it: twice as many channels.",
            lambda h, skip, time, label: h * _channels(label) + _channels(time) + skip,
        ),
        Mistake(
            "the skip has become further *images* of the batch. Put it beside h along the "
            "channels.",
            lambda h, skip, time, label: torch.cat([meet(h, h[:, :0], time, label), skip]),
        ),
        Mistake(
            "(B, C) is laid along *rows and columns* of the map, not along images and channels. It "
            "must become (B, C, 1, 1).",
            lambda h, skip, time, label: torch.cat([h * label + time, skip], 1),
        ),
        Mistake(
            "all images get the time and class of the first.",
            lambda h, skip, time, label: meet(
                h, skip, time[:1].expand_as(time), label[:1].expand_as(label)
            ),
        ),
    ],
)


# 6 · attention


def attend(q, k, v):
    return _weights(q, k) @ v


def _weights(q, k, scale=None, dim=-1):
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return (q @ k.transpose(-2, -1) * scale).softmax(dim)


def _draw_attention(generator, i):
    b, n, d = [(2, 5, 4), (1, 6, 8), (3, 4, 4), (2, 3, 6), (2, 7, 16)][i]
    return tuple(torch.randn((3, b, n, d), generator=generator))


check_attend = Exercise(
    "02",
    "attention",
    attend,
    _draw_attention,
    [
        Mistake(
            "the scores are not divided by the root of d: with many numbers they grow, and the "
            "softmax sees little but the largest.",
            lambda q, k, v: _weights(q, k, 1) @ v,
        ),
        Mistake(
            "you divide by d. The standard deviation of a sum of d products is its *root*.",
            lambda q, k, v: _weights(q, k, 1 / q.shape[-1]) @ v,
        ),
        Mistake(
            "you divide by the root of the number of pixels; it is d, the length of a q, that "
            "makes the scores grow.",
            lambda q, k, v: _weights(q, k, q.shape[-2] ** -0.5) @ v,
        ),
        Mistake(
            "the softmax runs over the wrong pixels. For each pixel that *looks* (a row), the "
            "weights of those it looks *at* (the columns) add up to 1: the last dimension.",
            lambda q, k, v: _weights(q, k, dim=-2) @ v,
        ),
        Mistake(
            "the softmax runs over the batch, so the pictures share their weights. For each pixel "
            "that looks, those of the pixels of its own picture add up to 1.",
            lambda q, k, v: _weights(q, k, dim=0) @ v,
        ),
        Mistake(
            "you multiply by the root of d: the scores grow even more. Divide.",
            lambda q, k, v: _weights(q, k, q.shape[-1] ** 0.5) @ v,
        ),
        Mistake(
            "e to the scores is half of a softmax. Divide by the sum: the weights add up to 1.",
            lambda q, k, v: (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).exp() @ v,
        ),
        Mistake(
            "who looks and who is looked at are swapped: scores[i, j] is q of i with k of j.",
            lambda q, k, v: _weights(k, q) @ v,
        ),
        Mistake(
            "without a softmax, the scores are no shares: they can be negative, and any size.",
            lambda q, k, v: q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 @ v,
        ),
        Mistake(
            "you divide after the softmax, so the weights do not add up to 1. First scale, then "
            "softmax.",
            lambda q, k, v: _weights(q, k, 1) * q.shape[-1] ** -0.5 @ v,
        ),
        Mistake(
            "those are the weights; what comes out is their average of the v.",
            lambda q, k, v: _weights(q, k),
        ),
        Mistake(
            "you average the k. They are only for finding; what is handed over are the v.",
            lambda q, k, v: _weights(q, k) @ k,
        ),
    ],
)
