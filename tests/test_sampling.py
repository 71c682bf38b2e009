"""Samplers, step by step against diffusers, and in law against an exact mixture."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from flowerdiff.guidance import guided
from flowerdiff.mixture import Mixture
from flowerdiff.sampling import SAMPLERS, ddim, ddpm, dpm_solver_pp, noise, timesteps
from flowerdiff.schedule import Schedule, cosine_schedule, linear_schedule, zero_terminal_snr

LINEAR = linear_schedule()
SHAPE = (3, 8, 8)
BETAS = {"beta_start": 1e-4, "beta_end": 2e-2, "beta_schedule": "linear"}


def smooth_model(x_t, t, y):
    """A stand-in for a net: depends on all it is given, and sees an x0 within [-1, 1]."""
    shift = 0 if y is None else y.float().reshape(-1, 1, 1, 1)
    x0_hat = (x_t + shift * 0.1 + t.reshape(-1, 1, 1, 1) / 800).sin()
    return LINEAR.eps_from_x0(x_t, t, x0_hat)


def times_of_diffusers(scheduler, steps):
    """Our times for a diffusers scheduler: theirs count from 0, and leave out the clean image."""
    scheduler.set_timesteps(steps)
    return [int(t) + 1 for t in scheduler.timesteps] + [0]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_steps_are_diffusers(eta):
    theirs = DDIMScheduler(
        800, **BETAS, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    assert times_of_diffusers(theirs, 20) == timesteps(LINEAR, 20, None)
    seeds = [0, 1]
    walk = ddim(smooth_model, LINEAR, noise(seeds, 800, SHAPE), steps=20, seeds=seeds, eta=eta)
    for before, after in pairwise(walk):
        z = noise(seeds, after.t, SHAPE)
        step = theirs.step(before.eps_hat, before.t - 1, before.x_t, eta=eta, variance_noise=z)
        assert_close(after.x_t, step.prev_sample, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("variance", "name"), [(Schedule.beta, "fixed_large"), (Schedule.beta_tilde, "fixed_small")]
)
def test_ddpm_steps_are_diffusers(variance, name, monkeypatch):
    theirs = DDPMScheduler(800, **BETAS, variance_type=name, clip_sample=False)
    # Near t = 0 the last digit of a float32 alpha_bar shows: theirs gets ours, in double precision.
    theirs.alphas_cumprod, theirs.one = LINEAR.alpha_bar[1:].double(), torch.tensor(1.0).double()
    walk = ddpm(smooth_model, LINEAR, noise([3], 800, SHAPE), seeds=[3], variance=variance)
    for before, after in pairwise(walk):
        if 20 < before.t < 780:
            continue  # it is at either end that the numbers are awkward
        z = noise([3], after.t, SHAPE)
        module = "diffusers.schedulers.scheduling_ddpm.randn_tensor"  # give theirs our noise
        monkeypatch.setattr(module, lambda *args, z=z, **kwargs: z)
        step = theirs.step(before.eps_hat, before.t - 1, before.x_t)
        assert_close(after.x_t, step.prev_sample, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [5, 25])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # diffusers and numpy 2
def test_dpm_solver_steps_are_diffusers(steps):
    theirs = DPMSolverMultistepScheduler(
        800,
        **BETAS,
        algorithm_type="dpmsolver++",
        solver_order=2,
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    times = times_of_diffusers(theirs, steps)
    walk = dpm_solver_pp(smooth_model, LINEAR, noise([0], 800, SHAPE), steps=times)
    for before, after in pairwise(walk):
        step = theirs.step(before.eps_hat, before.t - 1, before.x_t)
        assert_close(after.x_t, step.prev_sample, atol=1e-5, rtol=1e-5)


def test_ddpm_with_beta_tilde_is_ddim_with_eta_one():
    x_T, seeds = noise([5, 6], 800, SHAPE), [5, 6]
    ancestral = ddpm(smooth_model, LINEAR, x_T, seeds=seeds, variance=Schedule.beta_tilde)
    implicit = ddim(smooth_model, LINEAR, x_T, seeds=seeds, eta=1.0)
    for a, b in zip(ancestral, implicit, strict=True):
        assert a.t == b.t
        assert_close(a.x_t, b.x_t, atol=1e-3, rtol=1e-3)  # rounding, added up over 800 steps


def test_clipping_gives_the_same_walk_in_ddpm_and_ddim():
    x_T, seeds = noise([5], 800, SHAPE), [5]
    options = {"steps": 20, "seeds": seeds, "clip_x0": 0.5}
    *_, a = ddpm(smooth_model, LINEAR, x_T, variance=Schedule.beta_tilde, **options)
    *_, b = ddim(smooth_model, LINEAR, x_T, eta=1.0, **options)
    assert_close(a.x_t, b.x_t, atol=1e-5, rtol=1e-4)
    assert a.x_t.abs().max() <= 0.5


# ------------------------------------------------------------------ in law, on the exact mixture

MIXTURE = Mixture(
    means=torch.tensor([[-1.5, 0.0], [1.0, 1.0], [1.0, -1.0]]),
    stds=torch.tensor([0.3, 0.2, 0.4]),
    weights=torch.tensor([0.5, 0.3, 0.2]),
)


@pytest.mark.parametrize(
    ("sampler", "options", "bound"),
    [
        (ddpm, {"steps": 200, "variance": Schedule.beta_tilde}, 0.06),
        (ddpm, {"steps": 200, "variance": Schedule.beta}, 0.06),
        (ddim, {"steps": 100}, 0.06),
        (ddim, {"steps": 200, "eta": 1.0}, 0.06),
        (dpm_solver_pp, {"steps": 25}, 0.06),
    ],
)
@pytest.mark.parametrize("schedule", [LINEAR, cosine_schedule(), zero_terminal_snr(LINEAR)])
def test_moments_of_the_exact_mixture(sampler, options, bound, schedule):
    """With the exact eps only the sampler can err. With n = 8,000 points the standard error of
    mean and covariance is 0.015 or less: each bound is four of these.
    """
    n = 8_000
    torch.manual_seed(0)
    x_T = torch.randn(n, 2)
    *_, last = sampler(MIXTURE.eps_model(schedule), schedule, x_T, **options)
    mean = MIXTURE.weights @ MIXTURE.means
    offset = MIXTURE.means - mean
    covariance = (offset.T * MIXTURE.weights) @ offset
    covariance = covariance + (MIXTURE.weights @ MIXTURE.stds**2) * torch.eye(2)
    assert_close(last.x_t.mean(0), mean, atol=bound, rtol=0)
    assert_close(last.x_t.T.cov(), covariance, atol=bound, rtol=0)
    nearest = torch.cdist(last.x_t, MIXTURE.means).argmin(1)
    assert_close(nearest.bincount() / n, MIXTURE.weights, atol=bound / 2, rtol=0)


def test_a_label_leads_to_its_own_component():
    y = torch.arange(3).repeat_interleave(500)
    torch.manual_seed(0)
    *_, last = ddim(MIXTURE.eps_model(LINEAR), LINEAR, torch.randn(1500, 2), y, steps=50)
    nearest = torch.cdist(last.x_t, MIXTURE.means).argmin(1)
    assert (nearest == y).float().mean() > 0.99  # not 1: the tails of the components overlap
    unlabelled = guided(MIXTURE.eps_model(LINEAR), -1, null_label=3)
    *_, last = ddim(unlabelled, LINEAR, torch.randn(1500, 2), y * 0, steps=50)
    assert len(torch.cdist(last.x_t, MIXTURE.means).argmin(1).unique()) == 3


# ------------------------------------------------------------------ contracts


@pytest.mark.parametrize("sampler", SAMPLERS.values())
@pytest.mark.parametrize("clip_x0", [None, 1.0])
def test_every_step_holds_together(sampler, clip_x0):
    walk = list(sampler(smooth_model, LINEAR, noise([1, 2], 800, SHAPE), steps=7, clip_x0=clip_x0))
    assert len(walk) == 8
    for step in walk:
        x_t = LINEAR.add_noise(step.x0_hat, step.t, step.eps_hat)
        assert_close(x_t, step.x_t, atol=1e-4, rtol=1e-4)
    assert walk[0].t == 800
    assert walk[-1].t == 0
    assert torch.equal(walk[-1].x_t, walk[-1].x0_hat)
    assert not walk[-1].eps_hat.any()


@pytest.mark.parametrize("sampler", SAMPLERS.values())
def test_going_on_from_a_step_is_the_same_walk(sampler):
    seeds = {"seeds": [4]} if sampler is ddpm else {}
    x_T = noise([4], 800, SHAPE)
    walk = list(sampler(smooth_model, LINEAR, x_T, steps=8, **seeds))
    middle = walk[4]
    rest = [step.t for step in walk[4:]]
    again = list(sampler(smooth_model, LINEAR, middle.x_t, start=middle.t, steps=rest, **seeds))
    assert [step.t for step in again] == rest
    if sampler is dpm_solver_pp:  # it has lost its memory of the step before: begins like DDIM
        fresh = list(ddim(smooth_model, LINEAR, middle.x_t, start=middle.t, steps=rest))
        assert torch.allclose(again[1].x_t, fresh[1].x_t, atol=1e-6)
    else:
        assert torch.equal(again[-1].x_t, walk[-1].x_t)


@pytest.mark.parametrize("sampler", [ddpm, ddim])
def test_an_image_is_the_same_in_any_batch(sampler):
    seeds = [9, 2, 7]
    options = {"steps": 10} | ({"eta": 1.0} if sampler is ddim else {})
    x_T = noise(seeds, 800, SHAPE)
    *_, together = sampler(smooth_model, LINEAR, x_T, seeds=seeds, **options)
    *_, alone = sampler(smooth_model, LINEAR, noise([7], 800, SHAPE), seeds=[7], **options)
    assert_close(together.x_t[2:], alone.x_t, atol=1e-6, rtol=0)


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=4), st.integers(0, 1000))
def test_noise_belongs_to_seed_and_time(seeds, t):
    draws = noise(seeds, t, (2, 4))
    assert draws.shape == (len(seeds), 2, 4)
    assert torch.equal(draws[-1:], noise(seeds[-1:], t, (2, 4)))
    assert not torch.equal(draws, noise(seeds, t + 1, (2, 4)))


def test_noise_is_standard_normal_and_uncorrelated_between_neighbouring_seeds():
    draws = noise(range(200), 5, (400,))
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02
    assert abs(torch.corrcoef(draws)[0, 1:]).max() < 0.25  # 5 standard errors


@given(st.integers(1, 800), st.data())
def test_timesteps_fall_from_start_to_zero(start, data):
    steps = data.draw(st.integers(1, start))
    times = timesteps(LINEAR, steps, start)
    assert len(times) == steps + 1
    assert times[0] == start
    assert times[-1] == 0
    assert all(s < t for t, s in pairwise(times))


@pytest.mark.parametrize(
    ("steps", "start", "message"),
    [
        (0, None, "1 to 800 steps, not 0"),
        (900, None, "1 to 800 steps, not 900"),
        (None, 801, "starts at t in 1..800"),
        ([800, 400], None, "fall from 800 to 0"),
        ([800, 400, 500, 0], None, "fall from 800 to 0"),
    ],
)
def test_impossible_times_are_refused(steps, start, message):
    with pytest.raises(ValueError, match=message):
        list(ddim(smooth_model, LINEAR, noise([0], 800, SHAPE), steps=steps, start=start))


def test_a_whole_number_of_numpys_is_a_number_of_steps():
    assert timesteps(LINEAR, np.int64(5), None) == timesteps(LINEAR, 5, None)
    assert torch.equal(noise(torch.arange(3), 7, SHAPE), noise(range(3), 7, SHAPE))
    assert timesteps(LINEAR, torch.tensor(5), None) == timesteps(LINEAR, 5, None)


def test_times_may_come_as_a_tensor_or_an_array():
    even = np.linspace(800, 0, 5).astype(int)
    for times in (even, torch.from_numpy(even), list(torch.from_numpy(even))):
        visited = timesteps(LINEAR, times, None)
        assert visited == [800, 600, 400, 200, 0] and {type(t) for t in visited} == {int}
    with pytest.raises(TypeError, match="integer"):
        timesteps(LINEAR, [800.0, 400.5, 0.0], None)


@pytest.mark.parametrize("sampler", SAMPLERS.values())
def test_a_walk_is_no_graph_and_its_steps_can_be_changed(sampler):
    net = torch.nn.Conv2d(3, 3, 3, padding=1)  # its weights ask for gradients
    walk = sampler(lambda x_t, t, y: net(x_t), LINEAR, noise([0], 800, SHAPE), steps=4, seeds=[0])
    for step in walk:
        assert not (step.x_t.requires_grad or step.x0_hat.requires_grad)
        step.x_t[:, :, :2] = 0
    assert torch.is_grad_enabled()


def test_seeds_must_match_the_batch():
    with pytest.raises(ValueError, match="2 images, 1 seeds"):
        list(ddpm(smooth_model, LINEAR, noise([0, 1], 800, SHAPE), steps=5, seeds=[0]))
