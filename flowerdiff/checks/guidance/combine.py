"""Lesson 05, guidance: the exercises about two predictions and a weight."""

import torch
from torch import Tensor

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.guidance.dropout import uniform

SHAPES = [(2, 5), (1, 3, 4, 4), (4, 3, 6, 6), (3, 2), (2, 3, 8, 8)]


def some_w(generator, i: int) -> float:
    """Mostly a w above 0; once in five one between -1 and 0, a little of the label."""
    return uniform(generator, -0.8, -0.2) if i == 1 else uniform(generator, 0.6, 6.0)


# 2 · the guided prediction


def combine(eps_y, eps_null, w):
    return (1 + w) * eps_y - w * eps_null


def _draw_pair(generator, i):
    eps_y, eps_null = (torch.randn(SHAPES[i], generator=generator) for _ in range(2))
    return eps_y, eps_null, some_w(generator, i)


check_combine = Exercise(
    "05",
    "the guided prediction",
    combine,
    _draw_pair,
    [
        Mistake(
            "a sign: you add w times eps_null, but it is what we go away *from*.",
            lambda y, null, w: (1 + w) * y + w * null,
        ),
        Mistake(
            "the two predictions are swapped: this goes away from the label.",
            lambda y, null, w: (1 + w) * null - w * y,
        ),
        Mistake(
            "that is guidance_scale, not w: with w = 0 you get the prediction without a label, and "
            "it should be the one with it.",
            lambda y, null, w: null + w * (y - null),
        ),
        Mistake(
            "one way too far: counted from eps_y it is w ways, counted from eps_null it is 1 + w.",
            lambda y, null, w: null + (2 + w) * (y - null),
        ),
        Mistake(
            "parentheses are missing: 1 + w * eps_y adds the number 1 to every pixel.",
            lambda y, null, w: 1 + w * y - w * null,
        ),
        Mistake(
            "the weights must sum to 1, or the prediction grows with w: (1 + w) - w = 1. Yours "
            "sum to 1 + w.",
            lambda y, null, w: (1 + w) * y,
        ),
        Mistake(
            "the weights must sum to 1: where eps_y has 1 + w, eps_null has -1 only if w = 1.",
            lambda y, null, w: (1 + w) * y - null,
        ),
        Mistake(
            "the weights must sum to 1: where eps_null has -w, eps_y has 1 only if w = 0.",
            lambda y, null, w: y - w * null,
        ),
        Mistake(
            "that is the difference alone, w times; it is added to a prediction.",
            lambda y, null, w: w * (y - null),
        ),
        Mistake(
            "that is a mean of the two, which never gets beyond eps_y; the weight of eps_null is "
            "negative.",
            lambda y, null, w: (y + w * null) / (1 + w),
        ),
        Mistake(
            "the difference is the wrong way round: from eps_null to eps_y it is eps_y - eps_null.",
            lambda y, null, w: y + w * (null - y),
        ),
        Mistake(
            "1 + w belongs to eps_y and -w to eps_null; you have (1 + w) for both.",
            lambda y, null, w: (1 + w) * y - (1 + w) * null,
        ),
    ],
)


# 3 · one pass for both


def one_pass(both, w):
    return combine(*both.chunk(2), _per_image(w))


def _per_image(w: Tensor) -> Tensor:
    return w.reshape(-1, 1, 1, 1)


def _draw_both(generator, i):
    batch, height, width = [(3, 5, 4), (2, 4, 4), (4, 4, 4), (6, 6, 6), (2, 8, 2)][i]
    both = torch.randn((2 * batch, 3, height, width), generator=generator)
    return both, torch.rand(batch, generator=generator) * 5 + 0.5


check_one_pass = Exercise(
    "05",
    "one pass for both",
    one_pass,
    _draw_both,
    [
        Mistake(
            "the halves are swapped: the first half was asked *with* the labels.",
            lambda both, w: combine(*both.chunk(2)[::-1], _per_image(w)),
        ),
        Mistake(
            "you take every other image; but the batch is not y, null, y, null: it is all with a "
            "label first, then all without.",
            lambda both, w: combine(both[0::2], both[1::2], _per_image(w)),
        ),
        Mistake(
            "w has the shape (B,), so PyTorch lays it along the *columns* of the images. It must "
            "become (B, 1, 1, 1).",
            lambda both, w: combine(*both.chunk(2), w),
        ),
        Mistake(
            "w is laid along the *rows* of the images, as (B, 1). It must become (B, 1, 1, 1).",
            lambda both, w: combine(*both.chunk(2), w[:, None]),
        ),
        Mistake(
            "w is laid along the *channels*, as (B, 1, 1). It must become (B, 1, 1, 1).",
            lambda both, w: combine(*both.chunk(2), w[:, None, None]),
        ),
        Mistake(
            "all images get the w of the first: each has its own w[i].",
            lambda both, w: combine(*both.chunk(2), w[0]),
        ),
        Mistake(
            "all images get the mean of all w: each has its own w[i].",
            lambda both, w: combine(*both.chunk(2), w.mean()),
        ),
        Mistake(
            "that is guidance_scale: with w = 0 it must be the prediction with the label.",
            lambda both, w: combine(*both.chunk(2), _per_image(w) - 1),
        ),
        Mistake(
            "only half of it is there: what comes out has B images, the guided ones.",
            lambda both, w: torch.cat([combine(*both.chunk(2), _per_image(w))] * 2),
        ),
        Mistake(
            "the halves are the right ones, but a sign is not: eps_null is what we go away *from*.",
            lambda both, w: (
                (1 + _per_image(w)) * both.chunk(2)[0] + _per_image(w) * both.chunk(2)[1]
            ),
        ),
    ],
)


# 4 · which w was that?


def which_w(eps_hat, eps_y, eps_null):
    return _along(eps_hat - eps_y, eps_y - eps_null).item()


def _draw_guided(generator, i):
    """In 64 bits: a right answer that sums in another order must not differ by its rounding."""
    eps_y, eps_null, w = _draw_pair(generator, i)
    eps_y, eps_null = eps_y.double(), eps_null.double()
    return combine(eps_y, eps_null, w), eps_y, eps_null


def _along(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum() / (b * b).sum()


check_which_w = Exercise(
    "05",
    "which w was that?",
    which_w,
    _draw_guided,
    [
        Mistake(
            "that is guidance_scale, 1 + w: you measure from eps_null. With eps_hat = eps_y, the "
            "answer must be 0.",
            lambda e, y, null: _along(e - null, y - null),
        ),
        Mistake(
            "the sign is wrong: the way goes *from* eps_null *to* eps_y.",
            lambda e, y, null: _along(e - y, null - y),
        ),
        Mistake(
            "a ratio of lengths has no sign: one of the ways may go backwards, with w between -1 "
            "and 0.",
            lambda e, y, null: (e - y).norm() / (y - null).norm(),
        ),
        Mistake(
            "a ratio of squares is w squared, without its sign.",
            lambda e, y, null: (e - y).square().sum() / (y - null).square().sum(),
        ),
        Mistake(
            "you divide by the length of the way; it must be its square: with eps_hat - eps_y "
            "equal to the way, the answer must be 1.",
            lambda e, y, null: ((e - y) * (y - null)).sum() / (y - null).norm(),
        ),
        Mistake(
            "you do not divide by anything: how long is the way itself, squared?",
            lambda e, y, null: ((e - y) * (y - null)).sum(),
        ),
        Mistake(
            "that compares with eps_y, not with the way from eps_null to eps_y.",
            lambda e, y, null: _along(e - y, y),
        ),
        Mistake(
            "one w for each pixel; there is one w for all.",
            lambda e, y, null: (e - y) / (y - null),
        ),
    ],
)
