"""Schedules and the algebra between x0, x_t, eps and v, against closed forms and diffusers."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from flowerdiff.schedule import (
    Schedule,
    cosine_schedule,
    eps_model,
    linear_schedule,
    zero_terminal_snr,
)

SCHEDULES = [linear_schedule(), cosine_schedule(), zero_terminal_snr(linear_schedule())]


def images(batch=3, seed=0):
    return torch.randn(2, batch, 3, 8, 8, generator=torch.Generator().manual_seed(seed)).unbind()


def test_linear_is_the_papers_and_matches_diffusers():
    ours = linear_schedule()
    theirs = DDPMScheduler(800, beta_start=1e-4, beta_end=2e-2, beta_schedule="linear")
    assert ours.T == 800
    assert_close(ours.alpha_bar[1:], theirs.alphas_cumprod, atol=1e-6, rtol=1e-5)
    assert ours.beta(1).item() == pytest.approx(1e-4, rel=1e-3)
    assert ours.beta(800).item() == pytest.approx(2e-2, rel=1e-3)


def test_cosine_matches_diffusers():
    theirs = DDPMScheduler(800, beta_schedule="squaredcos_cap_v2")
    assert_close(cosine_schedule().alpha_bar[1:], theirs.alphas_cumprod, atol=1e-6, rtol=1e-4)


def test_zero_terminal_snr_matches_diffusers_and_ends_in_noise():
    ours = zero_terminal_snr(linear_schedule(), terminal=0.0)
    betas = DDPMScheduler(800, beta_start=1e-4, beta_end=2e-2, beta_schedule="linear").betas
    theirs = torch.cumprod(1 - rescale_zero_terminal_snr(betas), dim=0)
    assert_close(ours.alpha_bar[1:], theirs, atol=1e-6, rtol=1e-4)
    assert ours.alpha_bar[-1] == 0
    assert 0 < zero_terminal_snr(linear_schedule()).snr(800) < 1e-7


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_alpha_bar_has_T_plus_one_entries_and_begins_with_one(schedule):
    assert schedule.alpha_bar.shape == (801,)
    assert schedule.alpha_bar[0] == 1
    assert schedule.alpha_bar.dtype == torch.float32
    assert math.isinf(schedule.snr(0))


def test_a_bad_alpha_bar_is_refused():
    with pytest.raises(ValueError, match="begin with exactly 1"):
        Schedule(torch.tensor([0.9, 0.5]))
    with pytest.raises(ValueError, match="fall at every step"):
        Schedule(torch.tensor([1.0, 0.5, 0.6]))


@given(st.sampled_from(SCHEDULES), st.lists(st.integers(1, 799), min_size=1, max_size=5))
def test_conversions_undo_each_other(schedule, times):
    t = torch.tensor(times)
    x0, eps = images(len(times))
    x_t = schedule.add_noise(x0, t, eps)
    v = schedule.v_from(x0, t, eps)
    # Rounding in x_t is enlarged by sqrt((1 - alpha_bar) / alpha_bar) in x0, the reverse in eps.
    for_x0 = 1e-5 / schedule.alpha_bar[t].min().sqrt().item()
    for_eps = 1e-5 / (1 - schedule.alpha_bar[t]).min().sqrt().item()
    assert_close(schedule.x0_from_eps(x_t, t, eps), x0, atol=for_x0, rtol=1e-3)
    assert_close(schedule.eps_from_x0(x_t, t, x0), eps, atol=for_eps, rtol=1e-3)
    assert_close(schedule.x0_from_v(x_t, t, v), x0, atol=1e-5, rtol=1e-5)
    assert_close(schedule.eps_from_v(x_t, t, v), eps, atol=1e-5, rtol=1e-5)


def test_an_int_time_is_the_same_as_a_tensor_of_it():
    schedule, (x0, eps) = linear_schedule(), images()
    t = torch.full((3,), 300)
    assert torch.equal(schedule.add_noise(x0, 300, eps), schedule.add_noise(x0, t, eps))


def test_time_zero_is_the_image():
    schedule, (x0, eps) = cosine_schedule(), images()
    assert torch.equal(schedule.add_noise(x0, 0, eps), x0)


@pytest.mark.parametrize("t", [2, 400, 800])
def test_posterior_is_bayes_rule(t):
    """q(x_s | x_t, x0) from the product of two Gaussians, in float64, another way than ours."""
    schedule, s = linear_schedule(), t - 1
    x0, x_t = images()
    ab = schedule.alpha_bar.double()
    a = ab[t] / ab[s]
    precision = a / (1 - a) + 1 / (1 - ab[s])
    mean = (a.sqrt() * x_t / (1 - a) + ab[s].sqrt() * x0 / (1 - ab[s])) / precision
    ours, variance = schedule.posterior(x_t, t, x0)
    assert_close(ours, mean.float(), atol=1e-5, rtol=1e-5)
    assert variance.item() == pytest.approx(1 / precision.item(), rel=1e-4)


def test_posterior_over_several_steps_ends_on_x0():
    x0, x_t = images()
    mean, variance = linear_schedule().posterior(x_t, 500, x0, s=0)
    assert_close(mean, x0)
    assert variance == 0


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_a_net_of_any_prediction_becomes_a_model_of_eps(prediction):
    schedule, (x0, eps) = cosine_schedule(), images()
    t = torch.tensor([1, 400, 700])
    target = {"eps": eps, "v": schedule.v_from(x0, t, eps), "x0": x0}[prediction]
    model = eps_model(lambda x_t, t, y: target.bfloat16(), schedule, prediction)
    eps_hat = model(schedule.add_noise(x0, t, eps), t, None)
    assert eps_hat.dtype == torch.float32
    assert_close(eps_hat[1:], eps[1:], atol=0.03, rtol=0.03)  # bf16 targets: 3 digits
