"""Lesson 02, U-Net design: the exercises that build: where all meets, attention, GroupNorm."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 4 · what goes into an up stage


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


# 7 · GroupNorm

EPS = 1e-5


def group_norm(x, groups):
    parts = x.reshape(len(x), groups, -1)
    return _normal(parts, (2,)).reshape(x.shape)


def _normal(x, dims, eps=EPS, unbiased=False):
    mean, var = x.mean(dims, keepdim=True), x.var(dims, keepdim=True, unbiased=unbiased)
    return (x - mean) / (var + eps).sqrt()


def _by_variance(x, groups):
    parts = x.reshape(len(x), groups, -1)
    var = parts.var(2, keepdim=True, unbiased=False)
    return ((parts - parts.mean(2, keepdim=True)) / (var + EPS)).reshape(x.shape)


def _not_centred(x, groups):
    parts = x.reshape(len(x), groups, -1)
    return (parts / (parts.var(2, keepdim=True, unbiased=False) + EPS).sqrt()).reshape(x.shape)


def _over_the_batch(x, groups):
    parts = x.reshape(len(x), groups, -1)
    return _normal(parts, (0, 2)).reshape(x.shape)


def _every_nth_channel(x, groups):
    b, c, height, width = x.shape
    parts = x.reshape(b, c // groups, groups, height, width)
    return _normal(parts, (1, 3, 4)).reshape(x.shape)


def _draw_maps(generator, i):
    b, c, height, width, groups = [
        (2, 6, 3, 3, 3), (3, 8, 2, 2, 2), (4, 4, 3, 2, 2), (2, 12, 2, 3, 4), (3, 6, 3, 3, 2),
    ][i]  # fmt: skip
    scale = torch.rand((b, c, 1, 1), generator=generator) + 0.3
    shift = torch.randn((b, c, 1, 1), generator=generator)
    x = torch.randn((b, c, height, width), generator=generator) * scale + shift
    return x * (0.002 if i == 1 else 1), groups  # once so small that eps counts


check_group_norm = Exercise(
    "02",
    "GroupNorm",
    group_norm,
    _draw_maps,
    [
        Mistake(
            "mean and variance run over the batch as well, so the images mix: that is what "
            "GroupNorm is there to avoid.",
            _over_the_batch,
        ),
        Mistake(
            "that is BatchNorm in training: per channel, over all images.",
            lambda x, groups: _normal(x, (0, 2, 3)),
        ),
        Mistake(
            "every channel has statistics of its own in yours; the channels of a group share them.",
            lambda x, groups: _normal(x, (2, 3)),
        ),
        Mistake(
            "all channels share one mean and variance in yours: that is a single group.",
            lambda x, groups: _normal(x, (1, 2, 3)),
        ),
        Mistake(
            "your groups are made of every n-th channel; a group is a run of neighbouring ones.",
            _every_nth_channel,
        ),
        Mistake(
            "the variance is the plain average of the squares here: divided by n, not n - 1 "
            "(unbiased=False).",
            lambda x, groups: _normal(x.reshape(len(x), groups, -1), (2,), unbiased=True).reshape(
                x.shape
            ),
        ),
        Mistake(
            "eps is missing: where a group is all alike you would divide by nothing.",
            lambda x, groups: _normal(x.reshape(len(x), groups, -1), (2,), 0.0).reshape(x.shape),
        ),
        Mistake("you divide by the variance; it is its root that has x's units.", _by_variance),
        Mistake("the mean is still in it: subtract it first.", _not_centred),
    ],
)
