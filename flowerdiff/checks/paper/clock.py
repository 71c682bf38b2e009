"""Lesson 07, the paper: the exercise that asks the clock."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 5 · the clock


def evaluations(training, sampling):
    return _asked(sampling) / _asked(training, 80 * 2346 * 3)


def _asked(seconds: float, times: int = 106 * 800) -> float:
    """Seconds for each time that the net was asked."""
    return seconds / times


def _draw_times(generator, i):
    training, ratio = (torch.rand(2, generator=generator, dtype=torch.float64)).tolist()
    return 1800 + 6000 * training, (1800 + 6000 * training) * (0.12 + 0.2 * ratio)


def _times(factor: float):
    return lambda training, sampling: factor * evaluations(training, sampling)


check_evaluations = Exercise(
    "07",
    "how often was the net asked?",
    evaluations,
    _draw_times,
    [
        Mistake(
            "the wrong way round: seconds of sampling for each picture and step, divided by the "
            "seconds of one evaluation.",
            lambda training, sampling: 1 / evaluations(training, sampling),
        ),
        Mistake(
            "to train on a picture takes as long as *three* evaluations: one forward, and the way "
            "back costs two.",
            _times(1 / 3),
        ),
        Mistake(
            "the way back costs two, but the way forward is there as well: three evaluations for a "
            "training picture.",
            _times(2 / 3),
        ),
        Mistake(
            "there are 106 pictures: you have the evaluations of all of them together.",
            _times(106),
        ),
        Mistake(
            "in each of the 800 steps the net is asked: you have the evaluations of a whole walk.",
            _times(800),
        ),
        Mistake(
            "in training each of the 2,346 pictures is seen in each of the 80 epochs.",
            _times(1 / 80),
        ),
        Mistake(
            "an epoch has 2,346 pictures; you count it as one evaluation.",
            _times(1 / 2346),
        ),
        Mistake(
            "that is the one time divided by the other. In each of the two, how many times was the "
            "net asked?",
            lambda training, sampling: sampling / training,
        ),
    ],
)
