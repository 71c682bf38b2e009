"""Lesson 04, sampling: the exercises about DDIM and about where the steps go."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake
from flowerdiff.checks.sampling.steps import (
    posterior_variance,
    some_alpha_bar,
    some_noise,
    some_times,
)

# 4 · one step of DDIM


def ddim_step(x_t, eps_hat, z, alpha_bar, t, s, eta):
    return _step(x_t, eps_hat, z, alpha_bar, t, s, _variance(alpha_bar, t, s, eta))


def _variance(alpha_bar, t, s, eta):
    return eta**2 * posterior_variance(alpha_bar[t], alpha_bar[s])


def _x0_hat(x_t, eps_hat, ab_t):
    return (x_t - (1 - ab_t) ** 0.5 * eps_hat) / ab_t**0.5


def _step(x_t, eps_hat, z, alpha_bar, t, s, fresh, old=None):
    """x_s with noise of variance `fresh`, and of the old direction what is left, or `old`."""
    ab_s = alpha_bar[s]
    old = (1 - ab_s - fresh).clamp(min=0) if old is None else old
    x0_hat = _x0_hat(x_t, eps_hat, alpha_bar[t])
    return ab_s**0.5 * x0_hat + old**0.5 * eps_hat + fresh**0.5 * z


def _eta_once(x_t, eps_hat, z, alpha_bar, t, s, eta):
    return _step(x_t, eps_hat, z, alpha_bar, t, s, _variance(alpha_bar, t, s, eta**0.5))


def _too_much_noise(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh = _variance(alpha_bar, t, s, eta)
    return _step(x_t, eps_hat, z, alpha_bar, t, s, fresh, 1 - alpha_bar[s])


def _roots_apart(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh = _variance(alpha_bar, t, s, eta)
    old = ((1 - alpha_bar[s]) ** 0.5 - fresh**0.5) ** 2
    return _step(x_t, eps_hat, z, alpha_bar, t, s, fresh, old)


def _no_fresh_noise(x_t, eps_hat, z, alpha_bar, t, s, eta):
    return _step(x_t, eps_hat, 0 * z, alpha_bar, t, s, _variance(alpha_bar, t, s, eta))


def _always_zero(x_t, eps_hat, z, alpha_bar, t, s, eta):
    return _step(x_t, eps_hat, z, alpha_bar, t, s, 0 * alpha_bar[s])


def _share_of_all(x_t, eps_hat, z, alpha_bar, t, s, eta):
    return _step(x_t, eps_hat, z, alpha_bar, t, s, eta**2 * (1 - alpha_bar[s]))


def _beta(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh = eta**2 * (1 - alpha_bar[t] / alpha_bar[s])
    return _step(x_t, eps_hat, z, alpha_bar, t, s, fresh if s else 0 * fresh)


def _stays_at_t(x_t, eps_hat, z, alpha_bar, t, s, eta):
    ab_t, fresh = alpha_bar[t], _variance(alpha_bar, t, s, eta)
    x0_hat = _x0_hat(x_t, eps_hat, ab_t)
    return ab_t**0.5 * x0_hat + (1 - ab_t - fresh) ** 0.5 * eps_hat + fresh**0.5 * z


def _variance_for_std(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh = _variance(alpha_bar, t, s, eta)
    return _step(x_t, eps_hat, z, alpha_bar, t, s, fresh**2, 1 - alpha_bar[s] - fresh)


def _v_for_its_root(x_t, eps_hat, z, alpha_bar, t, s, eta):
    v = posterior_variance(alpha_bar[t], alpha_bar[s])
    return _step(x_t, eps_hat, z, alpha_bar, t, s, (eta * v) ** 2)


def _noises_swapped(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh = _variance(alpha_bar, t, s, eta)
    x0_hat = _x0_hat(x_t, eps_hat, alpha_bar[t])
    old = 1 - alpha_bar[s] - fresh
    return alpha_bar[s] ** 0.5 * x0_hat + old**0.5 * z + fresh**0.5 * eps_hat


def _x0_without_root(x_t, eps_hat, z, alpha_bar, t, s, eta):
    fresh, root = _variance(alpha_bar, t, s, eta), alpha_bar[t] ** 0.5
    x0_hat = _x0_hat(x_t, eps_hat, alpha_bar[t]) / root
    old = 1 - alpha_bar[s] - fresh
    return alpha_bar[s] ** 0.5 * x0_hat + old**0.5 * eps_hat + fresh**0.5 * z


def _draw_step(generator, i):
    alpha_bar = some_alpha_bar(generator, i)
    times = some_times(generator, i, alpha_bar)
    eta = 0.3 + 0.5 * torch.rand((), generator=generator).item()
    return *some_noise(generator, i, alpha_bar.dtype, 3), alpha_bar, *times, eta


check_ddim_step = Exercise(
    "04",
    "one step of DDIM",
    ddim_step,
    _draw_step,
    [
        Mistake(
            "eta multiplies the standard deviation, so the variance has eta squared.", _eta_once
        ),
        Mistake(
            "too much noise: what fresh noise brings, the old must give. Old and fresh variance "
            "together are 1 - alpha_bar[s].",
            _too_much_noise,
        ),
        Mistake(
            "standard deviations do not add up, variances do: subtract inside the root.",
            _roots_apart,
        ),
        Mistake("the old noise has made room for the fresh one: add it, times z.", _no_fresh_noise),
        Mistake("right for eta = 0. Now let eta have its say.", _always_zero),
        Mistake(
            "eta = 1 would replace *all* noise. It should add that of the posterior: eta^2 times "
            "posterior_variance.",
            _share_of_all,
        ),
        Mistake(
            "you took b for the variance of the fresh noise; here it is eta^2 times the "
            "posterior's.",
            _beta,
        ),
        Mistake("you mix for t again: the step goes to s, so alpha_bar[s].", _stays_at_t),
        Mistake("z is multiplied with its variance; take the root.", _variance_for_std),
        Mistake(
            "v is a variance: sigma is eta times the *root* of v, sigma squared is eta^2 times v.",
            _v_for_its_root,
        ),
        Mistake("right for eta = 1 only: where is eta?", lambda *step: ddim_step(*step[:6], 1)),
        Mistake(
            "the noises are swapped: sigma belongs to the fresh one, z, and the large root to "
            "eps_hat.",
            _noises_swapped,
        ),
        Mistake(
            "x0_hat: x_t holds sqrt(alpha_bar[t]) times x0, so divide by the root.",
            _x0_without_root,
        ),
        Mistake(
            "s need not be t - 1: take alpha_bar[s].",
            lambda *step: ddim_step(*step[:5], step[4] - 1, step[6]),
        ),
    ],
)


# 5 · where the steps go


def log_snr_times(alpha_bar, steps):
    log_snr = _log_snr(alpha_bar)
    return _nearest(log_snr, torch.linspace(-2, 2, steps, dtype=log_snr.dtype))


def _log_snr(alpha_bar):
    return (alpha_bar[1:] / (1 - alpha_bar[1:])).log() / 2  # of t = 1 .. T


def _nearest(values, wanted, first: int = 1):
    return first + (values[:, None] - wanted).abs().argmin(0)


def _from_the_end(alpha_bar, steps):
    return log_snr_times(alpha_bar, steps).flip(0)


def _counted_from_0(alpha_bar, steps):
    log_snr = _log_snr(alpha_bar)
    return _nearest(log_snr, torch.linspace(-2, 2, steps, dtype=log_snr.dtype), first=0)


def _not_halved(alpha_bar, steps):
    log_snr = 2 * _log_snr(alpha_bar)
    return _nearest(log_snr, torch.linspace(-2, 2, steps, dtype=log_snr.dtype))


def _snr_without_log(alpha_bar, steps):
    snr = (2 * _log_snr(alpha_bar)).exp()
    ends = torch.tensor([-4.0, 4.0], dtype=snr.dtype).exp().tolist()
    return _nearest(snr, torch.linspace(*ends, steps, dtype=snr.dtype))


def _alpha_bar_alone(alpha_bar, steps):
    half = alpha_bar[1:].log() / 2
    return _nearest(half, torch.linspace(-2, 2, steps, dtype=half.dtype))


def _even_in_t(alpha_bar, steps):
    ends = log_snr_times(alpha_bar, 2).tolist()
    return torch.linspace(*ends, steps).round().long()


def _no_distance(alpha_bar, steps):
    log_snr = _log_snr(alpha_bar)
    return 1 + (log_snr[:, None] - torch.linspace(-2, 2, steps, dtype=log_snr.dtype)).argmin(0)


def _draw_times(generator, i):
    # So few times that the nearest in alpha_bar, or in SNR, is often another one than in lambda.
    T = 40 + 4 * i
    top = 0.42 + 0.08 * torch.rand((), generator=generator).item()
    beta = torch.linspace(1e-3, top, T, dtype=torch.float64)
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])
    return alpha_bar, 6 + i


check_log_snr_times = Exercise(
    "04",
    "times evenly in log-SNR",
    log_snr_times,
    _draw_times,
    [
        Mistake(
            "wrong order: a walk goes from noise (-2) to picture (2). Or is the SNR upside down?",
            _from_the_end,
        ),
        Mistake(
            "each is one too small: if you left t = 0 out, position 0 of your list is t = 1.",
            _counted_from_0,
        ),
        Mistake("lambda is *half* the logarithm of the SNR.", _not_halved),
        Mistake("evenly in the SNR itself; take its logarithm first.", _snr_without_log),
        Mistake(
            "that is the logarithm of alpha_bar; the SNR is alpha_bar / (1 - alpha_bar).",
            _alpha_bar_alone,
        ),
        Mistake("these are evenly spaced in t; they should be so in lambda.", _even_in_t),
        Mistake(
            "one time too many: `steps` of them are asked for.",
            lambda alpha_bar, steps: log_snr_times(alpha_bar, steps + 1),
        ),
        Mistake(
            "the smallest difference is the most negative one; the nearest has the smallest "
            "*absolute* difference.",
            _no_distance,
        ),
    ],
)
