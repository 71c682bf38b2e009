"""Walk from noise x_T to an image x_0, one `Step` at a time.

A sampler is a generator, so the same loop is the sampler, the progress bar and the animation:

    for step in ddim(model, schedule, x_T, y, steps=25):
        show(step.x0_hat)
    image = step.x_t                      # the last step has t = 0

Stop whenever you like, change the label, the guidance, the sampler or the image itself, and go on:

    ddim(another_model, schedule, step.x_t, another_y, start=step.t, steps=10)
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from flowerdiff.schedule import Model, Schedule


@dataclass(frozen=True, eq=False)
class Step:
    """One station of the walk. All images are (B, ...), and always

        x_t = sqrt(alpha_bar_t) x0_hat + sqrt(1 - alpha_bar_t) eps_hat

    The last step has t = 0: x_t = x0_hat is the image, and eps_hat = 0, for no noise is left.
    """

    t: int
    x_t: Tensor  # where the walk is
    x0_hat: Tensor  # the clean image that the model sees in it (clipped, if clip_x0 is set)
    eps_hat: Tensor  # the noise that the model sees in it


def noise(seeds: Sequence[int], t: int, shape: Sequence[int] = (3, 64, 64)) -> Tensor:
    """Standard normal noise (B, *shape), float32; image i's is a function of (seeds[i], t) alone.

    So a seed gives the same flower alone or in a batch of 64, and after a stop and a restart.
    x_T is `noise(seeds, T)`; the noise that a sampler adds on arriving at s is `noise(seeds, s)`.
    """
    rngs = [np.random.default_rng([int(seed), t]) for seed in seeds]
    draws = [rng.standard_normal(shape, np.float32) for rng in rngs]
    return torch.from_numpy(np.stack(draws))


def timesteps(schedule: Schedule, steps: int | Sequence[int] | None, start: int | None) -> list:
    """The times a walk visits, falling from `start` (T unless given) to 0.

    steps: None for every one; N for N steps, evenly spaced; or the times themselves, ending in 0.
    """
    start = schedule.T if start is None else start
    if not 1 <= start <= schedule.T:
        raise ValueError(f"a walk starts at t in 1..{schedule.T}, not {start}")
    if steps is None:
        return list(range(start, -1, -1))
    # A whole number, NumPy's too; arrays of times have __index__ as well.
    if hasattr(steps, "__index__") and not getattr(steps, "ndim", 0):
        steps = operator.index(steps)
        if not 1 <= steps <= start:
            raise ValueError(f"from t = {start} a walk has 1 to {start} steps, not {steps}")
        return [round(start * (steps - i) / steps) for i in range(steps + 1)]
    times = [operator.index(t) for t in steps]
    times = times if times and times[0] == start else [start, *times]
    if times[-1] != 0 or any(s >= t for t, s in pairwise(times)):
        raise ValueError(f"the times of a walk fall from {start} to 0; got {times}")
    return times


def _predict(model, schedule, x_t, t, y, clip_x0) -> Step:
    """Ask the model once, and read its answer both ways: as x0_hat and as eps_hat."""
    with torch.no_grad():  # or a whole walk would be one graph, with all that the net worked out
        eps_hat = model(x_t, torch.full((len(x_t),), t, device=x_t.device), y)
    x0_hat = schedule.x0_from_eps(x_t, t, eps_hat)
    if clip_x0 is not None:
        x0_hat = x0_hat.clamp(-clip_x0, clip_x0)
        eps_hat = schedule.eps_from_x0(x_t, t, x0_hat)  # the noise that goes with the clipped x0
    return Step(t, x_t, x0_hat, eps_hat)


def _arrived(x_0: Tensor) -> Step:
    return Step(0, x_0, x_0, torch.zeros_like(x_0))


def _fresh_noise(seeds, s: int, like: Tensor) -> Tensor:
    if seeds is None:
        return torch.randn_like(like)
    if len(seeds) != len(like):
        raise ValueError(f"one seed per image: {len(like)} images, {len(seeds)} seeds")
    return noise(seeds, s, like.shape[1:]).to(like)


def ddpm(
    model: Model,
    schedule: Schedule,
    x_T: Tensor,
    y: Tensor | None = None,
    *,
    steps: int | Sequence[int] | None = None,
    start: int | None = None,
    seeds: Sequence[int] | None = None,
    clip_x0: float | None = None,
    variance: Callable[[Schedule, int, int], Tensor] = Schedule.beta,
) -> Iterator[Step]:
    """Ancestral sampling: draw x_s from N(posterior mean, variance). Ho et al. 2020, algorithm 2.

    x_T (B, ...): where the walk begins, at time `start`. y (B,) labels, or None.
    steps, start: see `timesteps`. seeds: one per image, for noise it owns (see `noise`).
    clip_x0: clamp x0_hat to [-clip_x0, clip_x0] before it is used; 1.0 suits images.
    variance: `Schedule.beta` (the paper's) or `Schedule.beta_tilde`, the two of Ho et al. 3.2.
    No noise is added on arriving at 0, as in the paper.
    """
    times = timesteps(schedule, steps, start)
    x = x_T
    for t, s in pairwise(times):
        step = _predict(model, schedule, x, t, y, clip_x0)
        yield step
        x, _ = schedule.posterior(x, t, step.x0_hat, s)
        if s > 0:
            x = x + variance(schedule, t, s).sqrt().item() * _fresh_noise(seeds, s, x)
    yield _arrived(x)


def ddim(
    model: Model,
    schedule: Schedule,
    x_T: Tensor,
    y: Tensor | None = None,
    *,
    steps: int | Sequence[int] | None = None,
    start: int | None = None,
    seeds: Sequence[int] | None = None,
    clip_x0: float | None = None,
    eta: float = 0.0,
) -> Iterator[Step]:
    """Point at x0_hat, then walk back towards it along eps_hat. Song et al. 2021, arXiv:2010.02502,
    eqs. (12) and (16). eta = 0 adds no noise at all; eta = 1 is `ddpm` with `Schedule.beta_tilde`.

    The other arguments are those of `ddpm`.
    """
    times = timesteps(schedule, steps, start)
    x = x_T
    for t, s in pairwise(times):
        step = _predict(model, schedule, x, t, y, clip_x0)
        yield step
        ab_s = schedule.alpha_bar[s].double().item()
        variance = eta**2 * schedule.beta_tilde(t, s).item()
        x = ab_s**0.5 * step.x0_hat + max(1 - ab_s - variance, 0) ** 0.5 * step.eps_hat
        if variance > 0:
            x = x + variance**0.5 * _fresh_noise(seeds, s, x)
    yield _arrived(x)


def dpm_solver_pp(
    model: Model,
    schedule: Schedule,
    x_T: Tensor,
    y: Tensor | None = None,
    *,
    steps: int | Sequence[int] | None = None,
    start: int | None = None,
    seeds: Sequence[int] | None = None,
    clip_x0: float | None = None,
) -> Iterator[Step]:
    """DPM-Solver++(2M): DDIM, but pointing where x0_hat is heading. Lu et al. 2022, algorithm 2,
    arXiv:2211.01095. In log-SNR time lambda = log(snr) / 2, the last two x0_hat are
    extrapolated by half a step. No noise is added. First and last step are DDIM's.

    The arguments are those of `ddpm`; seeds only so that all samplers are called alike.
    """
    times = timesteps(schedule, steps, start)
    log_snr = schedule.snr(slice(None)).double().log() / 2  # lambda_t; +inf at t = 0
    x, before = x_T, None
    for t, s in pairwise(times):
        step = _predict(model, schedule, x, t, y, clip_x0)
        yield step
        x0 = step.x0_hat
        if before is not None and s > 0:
            r = (log_snr[t] - log_snr[before.t]) / (log_snr[s] - log_snr[t])
            x0 = x0 + (x0 - before.x0_hat) / (2 * r.item())
        ab_t, ab_s = (schedule.alpha_bar[i].double().item() for i in (t, s))
        shrink = ((1 - ab_s) / (1 - ab_t)) ** 0.5
        x = shrink * x + (ab_s**0.5 - shrink * ab_t**0.5) * x0
        before = step
    yield _arrived(x)


# For menus and command lines. Written into code, the function itself reads better.
SAMPLERS = {"ddim": ddim, "ddpm": ddpm, "dpm_solver_pp": dpm_solver_pp}


def sampler_named(name: str) -> Callable[..., Iterator[Step]]:
    """One of SAMPLERS. Raises ValueError, with the names that there are, for any other."""
    if name not in SAMPLERS:
        raise ValueError(f"no sampler {name!r}: choose from {', '.join(SAMPLERS)}")
    return SAMPLERS[name]
