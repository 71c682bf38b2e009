"""The exact mixture is exact: its eps against the gradient of its log density."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from flowerdiff.mixture import Mixture
from flowerdiff.schedule import cosine_schedule

MIXTURE = Mixture(
    means=torch.tensor([[-1.0, 0.5], [2.0, 1.0]]),
    stds=torch.tensor([0.3, 0.7]),
    weights=torch.tensor([0.4, 0.6]),
)


@pytest.mark.parametrize("t", [1, 100, 799])
@pytest.mark.parametrize("label", [None, 0, 1, 2])
def test_eps_is_the_scaled_score(t, label):
    schedule = cosine_schedule()
    ab = schedule.alpha_bar[t]
    chosen = [0, 1] if label in (None, 2) else [label]
    std = (ab * MIXTURE.stds[chosen] ** 2 + 1 - ab).sqrt()[:, None].expand(-1, 2)
    parts = Independent(Normal(ab.sqrt() * MIXTURE.means[chosen], std), 1)
    noisy = MixtureSameFamily(Categorical(MIXTURE.weights[chosen]), parts)
    x_t = torch.randn(50, 2, requires_grad=True)
    (score,) = torch.autograd.grad(noisy.log_prob(x_t).sum(), x_t)
    y = None if label is None else torch.full((50,), label)
    eps = MIXTURE.eps_model(schedule)(x_t.detach(), torch.full((50,), t), y)
    torch.testing.assert_close(eps, -(1 - ab).sqrt() * score, atol=1e-4, rtol=1e-4)


def test_samples_follow_the_weights():
    x, y = MIXTURE.sample(20_000, torch.Generator().manual_seed(0))
    assert y.float().mean().item() == pytest.approx(0.6, abs=0.02)
    torch.testing.assert_close(x[y == 1].mean(0), MIXTURE.means[1], atol=0.03, rtol=0)
    assert x[y == 0].std(0).mean().item() == pytest.approx(0.3, abs=0.02)
