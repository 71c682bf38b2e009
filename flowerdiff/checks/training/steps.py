"""Lesson 03, training: the exercises about what happens in a step."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 3 · the averaged net


def ema_update(ema, net, decay, is_buffer):
    return torch.where(is_buffer, net, decay * ema + (1 - decay) * net)


def _draw_weights(generator, i):
    n = 10 + i
    ema, net = torch.randn(2, n, generator=generator)
    is_buffer = torch.arange(n) % 4 == 1
    decay = 0.75 + 0.15 * torch.rand(1, generator=generator).item()
    return ema, net + 3 * is_buffer, decay, is_buffer


check_ema_update = Exercise(
    "03",
    "the averaged net",
    ema_update,
    _draw_weights,
    [
        Mistake(
            "decay and 1 - decay are swapped: the average keeps most of what it was.",
            lambda ema, net, d, b: torch.where(b, net, (1 - d) * ema + d * net),
        ),
        Mistake(
            "buffers are averaged, too. They are statistics that belong to the net's present "
            "weights, and averages already: copy them.",
            lambda ema, net, d, b: d * ema + (1 - d) * net,
        ),
        Mistake(
            "the buffers stay as they were in the first step. Copy the net's.",
            lambda ema, net, d, b: torch.where(b, ema, d * ema + (1 - d) * net),
        ),
        Mistake(
            "that is the net itself; nothing is averaged.",
            lambda ema, net, d, b: net,
        ),
        Mistake(
            "the factors don't add up to 1, so the weights grow at every step.",
            lambda ema, net, d, b: torch.where(b, net, ema + (1 - d) * net),
        ),
        Mistake(
            "the wrong ones are copied: is_buffer is True for the buffers.",
            lambda ema, net, d, b: torch.where(b, d * ema + (1 - d) * net, net),
        ),
        Mistake(
            "the average forgets a part of itself at every step: net must come in with 1 - decay.",
            lambda ema, net, d, b: torch.where(b, net, d * ema),
        ),
        Mistake(
            "that is the plain mean of the two; decay says how much of the old one stays.",
            lambda ema, net, d, b: torch.where(b, net, (ema + net) / 2),
        ),
    ],
)


# 4 · gradients that are too long


def clip_factor(a, b, max_norm):
    norm = (a.square().sum() + b.square().sum()).sqrt()
    return (max_norm / norm).clamp(max=1)


def _draw_gradients(generator, i):
    a = torch.randn((2 + i, 3), generator=generator)
    b = torch.randn(4 + i, generator=generator)
    b = b * (0.5, 0.5, 3.0, 0.5, 0.5)[i] * a.norm() / b.norm()  # once b is surely the longer one
    norm = torch.cat([a.flatten(), b]).norm().item()
    return a, b, norm * (0.3, 1.5, 0.5, 3.0, 0.6)[i]  # some are too long, some are not


check_clip_factor = Exercise(
    "03",
    "gradients that are too long",
    clip_factor,
    _draw_gradients,
    [
        Mistake(
            "short gradients are made longer: the factor is 1 at most.",
            lambda a, b, m: m / torch.cat([a.flatten(), b]).norm(),
        ),
        Mistake(
            "lengths don't add up, their squares do: the root of the sum of *all* squares.",
            lambda a, b, m: (m / (a.norm() + b.norm())).clamp(max=1),
        ),
        Mistake(
            "the root is missing: the length is the root of the sum of squares.",
            lambda a, b, m: (m / (a.square().sum() + b.square().sum())).clamp(max=1),
        ),
        Mistake(
            "you look at the longer of the two only. The gradient is *one* vector; a and b are "
            "parts of it.",
            lambda a, b, m: (m / torch.maximum(a.norm(), b.norm())).clamp(max=1),
        ),
        Mistake(
            "you look at the largest entry; the length is asked for.",
            lambda a, b, m: (m / torch.cat([a.flatten(), b]).abs().max()).clamp(max=1),
        ),
        Mistake(
            "that is the mean of the squares, as in a loss; a length has their sum.",
            lambda a, b, m: (m / torch.cat([a.flatten(), b]).square().mean().sqrt()).clamp(max=1),
        ),
        Mistake(
            "upside down: a long gradient wants a *small* factor.",
            lambda a, b, m: (torch.cat([a.flatten(), b]).norm() / m).clamp(min=1),
        ),
        Mistake(
            "the fraction is upside down: a gradient that is twice too long wants the factor 1/2.",
            lambda a, b, m: (torch.cat([a.flatten(), b]).norm() / m).clamp(max=1),
        ),
        Mistake(
            "that is the length that the gradient shall have; divide it by the one that it has.",
            lambda a, b, m: torch.cat([a.flatten(), b]).norm().clamp(max=m),
        ),
        Mistake(
            "b is left out: the length is that of the whole gradient, a and b together.",
            lambda a, b, m: (m / a.norm()).clamp(max=1),
        ),
    ],
)
