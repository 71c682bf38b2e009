"""Lesson 04, sampling: the exercises about walks that begin or go on with something changed."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.sampling.steps import some_alpha_bar, some_noise, some_times

# 6 · keep what is known


def keep_known(x_s, x0, known, eps, ab_s):
    return known * _noisy(x0, eps, ab_s) + (1 - known) * x_s


def _noisy(x0, eps, ab_s):
    return ab_s**0.5 * x0 + (1 - ab_s) ** 0.5 * eps


def _draw_known(generator, i):
    alpha_bar = some_alpha_bar(generator, i)
    _, s = some_times(generator, i, alpha_bar)
    shape = [(1, 3, 4, 2), (2, 3, 4, 4), (1, 3, 7, 2), (1, 3, 6, 6), (2, 3, 8, 8)][i]
    x_s, x0, eps = (torch.randn(shape, generator=generator) for _ in range(3))
    known = (torch.rand(x0.shape[-2:], generator=generator) < 0.5).to(x0)
    known.view(-1)[:2] = torch.tensor([0.0, 1.0])  # there is always some of both
    return x_s, x0.clamp(-1, 1), known, eps, alpha_bar[max(s, 1)].item()


check_keep_known = Exercise(
    "04",
    "keep what is known",
    keep_known,
    _draw_known,
    [
        Mistake(
            "the known pixels are clean in the midst of noise. At time s they must be as noisy as "
            "the rest: mix in eps.",
            lambda x_s, x0, known, eps, ab: known * x0 + (1 - known) * x_s,
        ),
        Mistake(
            "upside down: `known` is 1 where the picture is kept.",
            lambda x_s, x0, known, eps, ab: (1 - known) * _noisy(x0, eps, ab) + known * x_s,
        ),
        Mistake(
            "both square roots are missing from the noising.",
            lambda x_s, x0, known, eps, ab: known * (ab * x0 + (1 - ab) * eps) + (1 - known) * x_s,
        ),
        Mistake(
            "noise is added, but the known picture is not shrunk by sqrt(ab_s).",
            lambda x_s, x0, known, eps, ab: (
                known * (x0 + (1 - ab) ** 0.5 * eps) + (1 - known) * x_s
            ),
        ),
        Mistake(
            "the known part is laid *over* the walk: x_s must give way there, (1 - known) * x_s.",
            lambda x_s, x0, known, eps, ab: known * _noisy(x0, eps, ab) + x_s,
        ),
        Mistake(
            "x_s is noisy enough already: only the known picture is noised.",
            lambda x_s, x0, known, eps, ab: _noisy(known * x0 + (1 - known) * x_s, eps, ab),
        ),
        Mistake(
            "picture and noise have swapped their factors.",
            lambda x_s, x0, known, eps, ab: known * _noisy(x0, eps, 1 - ab) + (1 - known) * x_s,
        ),
        Mistake(
            "where nothing is known you have 0, a grey without noise: there x_s should stay.",
            lambda x_s, x0, known, eps, ab: known * _noisy(x0, eps, ab),
        ),
        Mistake(
            "the whole picture is put back: `known` says where.",
            lambda x_s, x0, known, eps, ab: _noisy(x0, eps, ab),
        ),
        Mistake(
            "the known pixels are shrunk, but have no noise: mix in eps.",
            lambda x_s, x0, known, eps, ab: known * ab**0.5 * x0 + (1 - known) * x_s,
        ),
    ],
)


# 7 · from one noise to another


def slerp(a, b, u):
    return _on_arc(a, b, u, torch.acos(_cosine(a, b)))


def _on_arc(a, b, u, angle):
    return (((1 - u) * angle).sin() * a + (u * angle).sin() * b) / angle.sin()


def _cosine(a, b):
    return (a * b).sum() / (a.norm() * b.norm())


def _columnwise(a, b, u):
    return _on_arc(a, b, u, torch.acos((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))))


def _lerp_then_length(a, b, u):
    x = (1 - u) * a + u * b
    return x * a.norm() / x.norm()


def _roots(a, b, u):
    return (1 - u) ** 0.5 * a + u**0.5 * b


def _cosine_for_angle(a, b, u):
    return _on_arc(a, b, u, _cosine(a, b))


def _not_divided(a, b, u):
    angle = torch.acos(_cosine(a, b))
    return ((1 - u) * angle).sin() * a + (u * angle).sin() * b


def _divided_in_part(a, b, u):
    angle = torch.acos(_cosine(a, b))
    return ((1 - u) * angle).sin() * a + (u * angle).sin() * b / angle.sin()


def _draw_noises(generator, i):
    dtype = (torch.float32, torch.float64)[i % 2]
    a, b = some_noise(generator, i, dtype, 2)
    b = 0.5 * a + b  # an angle that is not about 90 degrees
    return a, b, (0.2, 0.35, 0.6, 0.75, 0.3)[i]


check_slerp = Exercise(
    "04",
    "from one noise to another",
    slerp,
    _draw_noises,
    [
        Mistake(
            "a straight line: in the middle there is too little noise. Walk on the arc.",
            lambda a, b, u: (1 - u) * a + u * b,
        ),
        Mistake("a and b are swapped: u = 0 is a, u = 1 is b.", lambda a, b, u: slerp(a, b, 1 - u)),
        Mistake("divide by the sine of the whole angle.", _not_divided),
        Mistake("that is the *cosine* of the angle; the angle is acos of it.", _cosine_for_angle),
        Mistake(
            "an angle for each row or column; a noise is one vector, with one angle: sum over all "
            "of it.",
            _columnwise,
        ),
        Mistake(
            "a straight line, then stretched to the right length: it is on the arc, but does not "
            "move evenly along it.",
            _lerp_then_length,
        ),
        Mistake(
            "roots of the shares keep the variance if a and b have nothing in common, at 90 "
            "degrees. For any angle take the sines.",
            _roots,
        ),
        Mistake(
            "without dividing by both lengths, a * b summed up is no cosine.",
            lambda a, b, u: _on_arc(a, b, u, torch.acos((a * b).mean().clamp(-1, 1))),
        ),
        Mistake(
            "right for noises at 90 degrees. Others may have another angle: work it out.",
            lambda a, b, u: _on_arc(a, b, u, torch.tensor(torch.pi / 2, dtype=a.dtype)),
        ),
        Mistake(
            "the lengths belong into the angle only: on the arc are a and b themselves.",
            lambda a, b, u: slerp(a / a.norm(), b / b.norm(), u),
        ),
        Mistake(
            "both parts are divided by the sine, a's too: mind the brackets.", _divided_in_part
        ),
    ],
)


# 8 · begin with a doodle


def start_from(doodle, eps, ab_t):
    return _noisy(doodle.to(eps) / 127.5 - 1, eps, ab_t)


def _draw_doodle(generator, i):
    size = 4 + i
    doodle = torch.randint(0, 256, (3, size, size), generator=generator, dtype=torch.uint8)
    doodle[0, 0, :3] = torch.tensor([0, 130, 255])
    eps = torch.randn(doodle.shape, generator=generator)
    return doodle, eps, 0.1 + 0.8 * torch.rand((), generator=generator).item()


check_start_from = Exercise(
    "04",
    "begin with a doodle",
    start_from,
    _draw_doodle,
    [
        Mistake(
            "2 * doodle is still uint8, and 2 * 200 is 144 there: it begins again after 255. Make "
            "it a float first.",
            lambda doodle, eps, ab: _noisy((doodle * 2) / 255 - 1, eps, ab),
        ),
        Mistake(
            "the picture goes from 0 to 1; the model knows pictures from -1 to 1.",
            lambda doodle, eps, ab: _noisy(doodle / 255, eps, ab),
        ),
        Mistake(
            "the picture goes from 0 to 255: bring it to -1 .. 1 first.",
            lambda doodle, eps, ab: _noisy(doodle.float(), eps, ab),
        ),
        Mistake(
            "noise is added, but the picture is not shrunk by sqrt(ab_t).",
            lambda doodle, eps, ab: doodle / 127.5 - 1 + (1 - ab) ** 0.5 * eps,
        ),
        Mistake(
            "both square roots are missing.",
            lambda doodle, eps, ab: ab * (doodle / 127.5 - 1) + (1 - ab) * eps,
        ),
        Mistake(
            "no noise: the model would look for noise of time t in a picture that has none.",
            lambda doodle, eps, ab: ab**0.5 * (doodle / 127.5 - 1) + 0 * eps,
        ),
        Mistake(
            "that is pure noise, with none of the doodle in it.",
            lambda doodle, eps, ab: eps,
        ),
        Mistake(
            "picture and noise have swapped their factors.",
            lambda doodle, eps, ab: _noisy(doodle / 127.5 - 1, eps, 1 - ab),
        ),
        Mistake(
            "the picture goes from -1 to 0: 255 should become 1.",
            lambda doodle, eps, ab: _noisy(doodle / 255 - 1, eps, ab),
        ),
        Mistake(
            "nearly: 255 should become exactly 1, so the half of it is 127.5.",
            lambda doodle, eps, ab: _noisy(doodle / 128 - 1, eps, ab),
        ),
        Mistake(
            "picture plus noise, without their factors: it is not as noisy as t says.",
            lambda doodle, eps, ab: doodle / 127.5 - 1 + eps,
        ),
        Mistake(
            "that is the doodle as a clean x0; x_t is a mixture of it and eps.",
            lambda doodle, eps, ab: doodle / 127.5 - 1,
        ),
    ],
)
