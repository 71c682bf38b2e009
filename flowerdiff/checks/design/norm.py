"""Lesson 02, U-Net design: the exercise about GroupNorm."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

EPS = 1e-5


def group_norm(x, groups):
    return _by_group(x, groups)


def _by_group(x, groups, **how):
    return _normal(x.reshape(len(x), groups, -1), (2,), **how).reshape(x.shape)


def _normal(x, dims, eps=EPS, unbiased=False):
    mean, var = x.mean(dims, keepdim=True), x.var(dims, keepdim=True, unbiased=unbiased)
    return (x - mean) / (var + eps).sqrt()


def _by_std(x, groups, unbiased):
    parts = x.reshape(len(x), groups, -1)
    std = parts.std(2, keepdim=True, unbiased=unbiased)
    return ((parts - parts.mean(2, keepdim=True)) / (std + EPS)).reshape(x.shape)


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


def _so_many_channels_each(x, groups):
    return group_norm(x, x.shape[1] // groups)


def _for_each_pixel(x, groups):
    b, _, height, width = x.shape
    return _normal(x.reshape(b, groups, -1, height, width), (2,)).reshape(x.shape)


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
            lambda x, groups: _by_group(x, groups, unbiased=True),
        ),
        Mistake(
            "`std` divides by n - 1 here, and eps is missing: begin with `var(..., "
            "unbiased=False)`, add eps, and then take the root.",
            lambda x, groups: _by_group(x, groups, eps=0.0, unbiased=True),
        ),
        Mistake(
            "eps is missing: where a group is all alike you would divide by nothing.",
            lambda x, groups: _by_group(x, groups, eps=0.0),
        ),
        Mistake(
            "eps is added to the variance, under the root, not to the root.",
            lambda x, groups: _by_std(x, groups, unbiased=False),
        ),
        Mistake(
            "`std` divides by n - 1 here, and eps belongs under the root: begin with `var` and "
            "unbiased=False.",
            lambda x, groups: _by_std(x, groups, unbiased=True),
        ),
        Mistake(
            "`groups` is how many groups there are, not how many channels are in one.",
            _so_many_channels_each,
        ),
        Mistake(
            "every pixel has statistics of its own in yours. A group's run over its channels *and* "
            "all pixels.",
            _for_each_pixel,
        ),
        Mistake("you divide by the variance; it is its root that has x's units.", _by_variance),
        Mistake("the mean is still in it: subtract it first.", _not_centred),
    ],
)
