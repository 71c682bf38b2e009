"""Lesson 04, sampling: the exercise of one step of ancestral sampling."""

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.sampling.steps import (
    posterior_variance,
    some_alpha_bar,
    some_noise,
    some_times,
)

# 3 · one step of ancestral sampling


def _seen(x_t, eps_hat, ab_t):
    return (x_t - (1 - ab_t) ** 0.5 * eps_hat) / ab_t**0.5


def _std(ab_t, ab_s, s):
    return (1 - ab_t / ab_s) ** 0.5 if s else 0


def _step(x0=_seen, for_x0=None, for_x_t=None, std=_std):
    """The right step, or one with another x0_hat, share of it, share of x_t, or noise."""

    def step(x_t, eps_hat, z, alpha_bar, t, s):
        ab_t, ab_s = alpha_bar[t], alpha_bar[s]
        a, b = ab_t / ab_s, 1 - ab_t / ab_s
        of_x0 = for_x0(ab_t, ab_s) if for_x0 else ab_s**0.5 * b / (1 - ab_t)
        of_x_t = for_x_t(ab_t, ab_s) if for_x_t else a**0.5 * (1 - ab_s) / (1 - ab_t)
        return of_x0 * x0(x_t, eps_hat, ab_t) + of_x_t * x_t + std(ab_t, ab_s, s) * z

    return step


ancestral_step = _step()


def _neighbours(x_t, eps_hat, z, alpha_bar, t, s):
    return ancestral_step(x_t, eps_hat, z if s else 0 * z, alpha_bar, t, t - 1)


def _by_the_two_hints(x_t, eps_hat, z, alpha_bar, t, s):
    """The mean as section 2 has it: two hints, each with the precision 1 / variance."""
    ab_t, ab_s = alpha_bar[t], alpha_bar[s]
    a = ab_t / ab_s
    hints = [(ab_s**0.5 * _seen(x_t, eps_hat, ab_t), 1 - ab_s), (x_t / a**0.5, (1 - a) / a)]
    mean = sum(hint / v for hint, v in hints) / sum(1 / v for _, v in hints)
    return mean + ((1 - a) ** 0.5 * z if s else 0)


def _all_the_noise(x_t, eps_hat, z, alpha_bar, t, s):
    """1 - alpha_bar_t for beta, wherever it stands."""
    ab_t, ab_s = alpha_bar[t], alpha_bar[s]
    of_x_t = (ab_t / ab_s) ** 0.5 * (1 - ab_s) / (1 - ab_t)
    mean = ab_s**0.5 * _seen(x_t, eps_hat, ab_t) + of_x_t * x_t
    return mean + ((1 - ab_t) ** 0.5 * z if s else 0)


def _forwards(x_t, eps_hat, z, alpha_bar, t, s):
    ab_t, ab_s = alpha_bar[t], alpha_bar[s]
    return ab_s**0.5 * _seen(x_t, eps_hat, ab_t) + (1 - ab_s) ** 0.5 * z


def _draw_step(generator, i):
    alpha_bar = some_alpha_bar(generator, i)
    return (
        *some_noise(generator, i, alpha_bar.dtype, 3),
        alpha_bar,
        *some_times(generator, i, alpha_bar),
    )


check_ancestral_step = Exercise(
    "04",
    "one step back",
    ancestral_step,
    _draw_step,
    [
        Mistake(
            "right, except on arriving at s = 0: there no noise is added, for nobody would take "
            "it away again.",
            _step(std=lambda ab_t, ab_s, s: (1 - ab_t / ab_s) ** 0.5),
        ),
        Mistake(
            "b is the variance of the noise; z is multiplied with its root.",
            _step(std=lambda ab_t, ab_s, s: 1 - ab_t / ab_s if s else 0),
        ),
        Mistake(
            "the noise's variance is that of the posterior. A good choice, but here it is b, as in "
            "the paper.",
            _step(std=lambda ab_t, ab_s, s: posterior_variance(ab_t, ab_s) ** 0.5),
        ),
        Mistake(
            "the mean is right; add the noise, sqrt(b) times z.",
            _step(std=lambda ab_t, ab_s, s: 0),
        ),
        Mistake(
            "you took eps_hat for x0_hat: work out x0_hat first.",
            _step(x0=lambda x_t, eps_hat, ab_t: eps_hat),
        ),
        Mistake(
            "right, except on arriving at s = 0: there the first hint is certain, its variance 0, "
            "and 1 / 0 makes nan. The paper's form of the mean has no such place.",
            _by_the_two_hints,
        ),
        Mistake(
            "s need not be t - 1: take alpha_bar[s], and a = alpha_bar[t] / alpha_bar[s].",
            _neighbours,
        ),
        Mistake(
            "x0_hat: x_t holds sqrt(alpha_bar[t]) times x0, so divide by the root.",
            _step(x0=lambda x_t, eps_hat, ab_t: _seen(x_t, eps_hat, ab_t) / ab_t**0.5),
        ),
        Mistake(
            "b is 1 - a, the noise between s and t; you took 1 - alpha_bar[t], the noise of all "
            "steps.",
            _all_the_noise,
        ),
        Mistake(
            "you noise x0_hat afresh to s, and forget x_t. The posterior's mean holds both.",
            _forwards,
        ),
        Mistake(
            "right, except on arriving at s = 1: only on arriving at 0 no noise is added.",
            _step(std=lambda ab_t, ab_s, s: _std(ab_t, ab_s, s) if s > 1 else 0),
        ),
        Mistake(
            "the sign in x0_hat: the noise is taken *away* from x_t.",
            _step(x0=lambda x_t, eps_hat, ab_t: _seen(x_t, -eps_hat, ab_t)),
        ),
        Mistake(
            "x0_hat is clipped. That suits pictures (section 4); here it is not asked for.",
            _step(x0=lambda x_t, eps_hat, ab_t: _seen(x_t, eps_hat, ab_t).clamp(-1, 1)),
        ),
        Mistake(
            "x0_hat and x_t have swapped their factors.",
            _step(
                for_x0=lambda ab_t, ab_s: (ab_t / ab_s) ** 0.5 * (1 - ab_s) / (1 - ab_t),
                for_x_t=lambda ab_t, ab_s: ab_s**0.5 * (1 - ab_t / ab_s) / (1 - ab_t),
            ),
        ),
        Mistake(
            "both factors in the mean are divided by 1 - alpha_bar[t].",
            _step(
                for_x0=lambda ab_t, ab_s: ab_s**0.5 * (1 - ab_t / ab_s),
                for_x_t=lambda ab_t, ab_s: (ab_t / ab_s) ** 0.5 * (1 - ab_s),
            ),
        ),
        Mistake(
            "x_t's factor has the root of a, not a.",
            _step(for_x_t=lambda ab_t, ab_s: (ab_t / ab_s) * (1 - ab_s) / (1 - ab_t)),
        ),
        Mistake(
            "x0_hat's factor has the root of alpha_bar[s].",
            _step(for_x0=lambda ab_t, ab_s: ab_s * (1 - ab_t / ab_s) / (1 - ab_t)),
        ),
    ],
)
