"""Lesson 03, training: the exercises about how long a run is, and how long its steps are."""

import math

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 5 · the learning rate


def lr_at(step, steps, lr, warmup, decay):
    return lr * min(1, (step + 1) / warmup, (steps - step) / decay)


def _draw_step(generator, i):
    warmup, decay = 10 + 5 * i, (30, 32, 15, 36, 38)[i]
    steps = warmup + decay + (1 if i == 2 else 40)
    # The first step, up, level (between the last one up and the first one down), down, the last.
    step = (0, warmup // 2, warmup, steps - decay // 2, steps - 1)[i]
    return step, steps, 0.001 + 0.002 * torch.rand(1, generator=generator).item(), warmup, decay


check_lr_at = Exercise(
    "03",
    "up, level, down",
    lr_at,
    _draw_step,
    [
        Mistake(
            "the first step has a learning rate of 0, and does nothing: count from step + 1.",
            lambda s, n, lr, w, d: lr * min(1, s / w, (n - s) / d),
        ),
        Mistake(
            "the last step has a learning rate of 0, and does nothing: at step = steps - 1 there "
            "is one step to go.",
            lambda s, n, lr, w, d: lr * min(1, (s + 1) / w, (n - s - 1) / d),
        ),
        Mistake(
            "the first step has a rate of 0, and so has the last: neither does anything.",
            lambda s, n, lr, w, d: lr * min(1, s / w, (n - s - 1) / d),
        ),
        Mistake(
            "the fall is a step too long: the first of the last `decay` steps still has lr.",
            lambda s, n, lr, w, d: lr * min(1, (s + 1) / w, (n - s) / (d + 1)),
        ),
        Mistake(
            "over the last steps it rises again, from 0: the steps that are *left* count there.",
            lambda s, n, lr, w, d: lr * (min(1, (s + 1) / w) if s < n - d else (s - n + d) / d),
        ),
        Mistake(
            "it goes up, and never stops: not more than lr.",
            lambda s, n, lr, w, d: lr * min((s + 1) / w, (n - s) / d),
        ),
        Mistake("it never goes down.", lambda s, n, lr, w, d: lr * min(1, (s + 1) / w)),
        Mistake(
            "there is no warm-up: the first step is as long as all others.",
            lambda s, n, lr, w, d: lr * min(1, (n - s) / d),
        ),
        Mistake(
            "it falls over the whole run. `decay` is the number of the last steps, over which it "
            "falls.",
            lambda s, n, lr, w, d: lr * min(1, (s + 1) / w, (n - s) / n),
        ),
        Mistake(
            "the two ramps are multiplied where they must not be, or added: take the smallest.",
            lambda s, n, lr, w, d: lr * ((s + 1) / w) * ((n - s) / d),
        ),
        Mistake(
            "the right shape between 0 and 1: multiply it with lr.",
            lambda s, n, lr, w, d: min(1, (s + 1) / w, (n - s) / d),
        ),
        Mistake("it is always lr.", lambda s, n, lr, w, d: lr),
    ],
)


# 6 · steps and images


def steps_needed(images, per_pass, processes, accumulate):
    return math.ceil(images / (per_pass * processes * accumulate))


def _draw_run(generator, i):
    batch, processes, accumulate = (8, 16, 4, 32, 16)[i], (2, 3, 4, 2, 8)[i], (3, 4, 2, 5, 4)[i]
    batches = int(torch.randint(20, 60, (1,), generator=generator))
    over = (1, 2, 3, 0, 5)[i]  # once it comes out even
    return batches * batch * processes * accumulate + over, batch, processes, accumulate


check_steps_needed = Exercise(
    "03",
    "steps and pictures",
    steps_needed,
    _draw_run,
    [
        Mistake(
            "the last pictures are left out. Round up: a started step is a step.",
            lambda n, b, p, a: n // (b * p * a),
        ),
        Mistake(
            "a step too many where the pictures come out even: round up only if some are left.",
            lambda n, b, p, a: n // (b * p * a) + 1,
        ),
        Mistake(
            "there is no half step: round up to a whole number.",
            lambda n, b, p, a: n / (b * p * a),
        ),
        Mistake(
            "the other processes work as well: in a step, each of them sees its own pictures.",
            lambda n, b, p, a: math.ceil(n / (b * a)),
        ),
        Mistake(
            "with accumulation, several forward passes make *one* step.",
            lambda n, b, p, a: math.ceil(n / (b * p)),
        ),
        Mistake(
            "accumulation makes a step larger, so there are fewer of them: it belongs into the "
            "denominator.",
            lambda n, b, p, a: math.ceil(n * a / (b * p)),
        ),
        Mistake(
            "more processes mean fewer steps, not more.",
            lambda n, b, p, a: math.ceil(n * p / (b * a)),
        ),
        Mistake(
            "a step is more than one pass of one process: count all pictures that it sees.",
            lambda n, b, p, a: math.ceil(n / b),
        ),
    ],
)
