"""Lesson 01, forward diffusion: the exercises about schedules."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.forward.steps import some_alpha_bar, uniform

# 5 · signal and noise


def time_of(alpha_bar, snr):
    return int((alpha_bar / (1 - alpha_bar) < snr).nonzero()[0])


def _first(below) -> int:
    found = below.nonzero()
    return int(found[0]) if len(found) else -1


def _snr(alpha_bar):
    return alpha_bar / (1 - alpha_bar)


def _draw_snr(generator, i):
    alpha_bar = some_alpha_bar(generator, i, 70 + 10 * i)
    about = uniform(generator, *((0.3, 0.9), (1.1, 3.0))[i % 2]).item()  # on both sides of 1
    t = time_of(alpha_bar, about)
    before, below = _snr(alpha_bar)[t - 1 : t + 1].tolist()
    return alpha_bar, 0.75 * before + 0.25 * below  # so that the time before is nearer


check_time_of = Exercise(
    "01",
    "when the noise takes over",
    time_of,
    _draw_snr,
    [
        Mistake(
            "one step too early. Did you leave out t = 0, or take the last before, or the nearest? "
            "Entry t of alpha_bar is time t, and the first t *below* is asked for.",
            lambda ab, snr: _first(_snr(ab) < snr) - 1,
        ),
        Mistake(
            "one step too late: entry t of alpha_bar is time t, so the index is the time.",
            lambda ab, snr: _first(_snr(ab) < snr) + 1,
        ),
        Mistake(
            "you compare alpha_bar itself; the SNR is alpha_bar / (1 - alpha_bar).",
            lambda ab, snr: _first(ab < snr),
        ),
        Mistake(
            "you compare the ratio of the two *factors*, the roots; the SNR is a ratio of "
            "variances.",
            lambda ab, snr: _first(_snr(ab).sqrt() < snr),
        ),
        Mistake(
            "yours is t = 0. Is the ratio upside down (it is signal over noise), is it > for <, or "
            "are parentheses missing: alpha_bar / (1 - alpha_bar)?",
            lambda ab, snr: _first((1 - ab) / ab < snr),
        ),
        Mistake(
            "you count the times at which it is below; the first of them is asked for.",
            lambda ab, snr: int((_snr(ab) < snr).sum()),
        ),
        Mistake(
            "that is the last time of all: nonzero() is in order, and the first is [0].",
            lambda ab, snr: int((_snr(ab) < snr).nonzero()[-1]),
        ),
    ],
)


# 6 · nothing left at the end


def zero_terminal(alpha_bar):
    root = alpha_bar.sqrt()
    return ((root - root[-1]) / (1 - root[-1])) ** 2


def _only_the_last(alpha_bar):
    return torch.cat([alpha_bar[:-1], alpha_bar.new_zeros(1)])


def _root(alpha_bar):
    root = alpha_bar.sqrt()
    return (root - root[-1]) / (1 - root[-1])


check_zero_terminal = Exercise(
    "01",
    "nothing left at the end",
    zero_terminal,
    lambda generator, i: (some_alpha_bar(generator, i),),
    [
        Mistake(
            "you shift and stretch alpha_bar itself; do it to its square root, the factor that the "
            "picture is multiplied with.",
            lambda ab: (ab - ab[-1]) / (1 - ab[-1]),
        ),
        Mistake(
            "shifted, but not stretched: now alpha_bar[0] is below 1, and the clean picture is no "
            "longer clean.",
            lambda ab: (ab.sqrt() - ab[-1].sqrt()) ** 2,
        ),
        Mistake("that is the root; square it again.", _root),
        Mistake(
            "you shift the root by alpha_bar[-1]; shift it by its own last entry, root[-1].",
            lambda ab: ((ab.sqrt() - ab[-1]) / (1 - ab[-1])) ** 2,
        ),
        Mistake(
            "only the last entry is 0, and the step to it takes away at once all that was left. "
            "Shift the whole curve.",
            _only_the_last,
        ),
        Mistake(
            "stretched the wrong way: after the shift the curve begins at 1 - root[-1]; divide by "
            "that.",
            lambda ab: ((ab.sqrt() - ab[-1].sqrt()) * (1 - ab[-1].sqrt())) ** 2,
        ),
    ],
)


# 7 · larger pictures


def for_size(alpha_bar, size):
    f = (64 / size) ** 2
    return f * alpha_bar / (f * alpha_bar + 1 - alpha_bar)


def _with_factor(alpha_bar, f):
    return f * alpha_bar / (f * alpha_bar + 1 - alpha_bar)


def _not_a_number(alpha_bar, size):
    snr = _snr(alpha_bar) * (64 / size) ** 2
    return snr / (1 + snr)


check_for_size = Exercise(
    "01",
    "a schedule for larger pictures",
    for_size,
    lambda generator, i: (some_alpha_bar(generator, i), (16, 32, 96, 128, 256)[i]),
    [
        Mistake(
            "size / 64 the wrong way round: a larger picture needs *more* noise, so less SNR.",
            lambda ab, size: _with_factor(ab, (size / 64) ** 2),
        ),
        Mistake(
            "a square of k x k pixels holds k^2 of them: the square is missing.",
            lambda ab, size: _with_factor(ab, 64 / size),
        ),
        Mistake(
            "you multiply alpha_bar; it is the SNR that is multiplied. Turn it back into alpha_bar "
            "afterwards.",
            lambda ab, size: ab * (64 / size) ** 2,
        ),
        Mistake(
            "that is the new SNR; turn it back into alpha_bar = SNR / (1 + SNR).",
            lambda ab, size: _snr(ab) * (64 / size) ** 2,
        ),
        Mistake(
            "right but for t = 0, where the SNR is infinite and inf / inf is not a number (nan): "
            "multiply the fraction out by (1 - alpha_bar), or set entry 0 to 1.",
            _not_a_number,
        ),
    ],
)
