"""A mixture of Gaussians whose noise prediction is known exactly: the truth to hold samplers to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowerdiff.schedule import Model, Schedule


@dataclass(frozen=True, eq=False)
class Mixture:
    """K round Gaussians in D dimensions; component k is class k, and K is the null label."""

    means: Tensor  # (K, D)
    stds: Tensor  # (K,)
    weights: Tensor  # (K,), summing to 1

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n points (n, D) and the component (n,) that each came from."""
        y = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], generator=generator)
        return self.means[y] + self.stds[y, None] * z, y

    def eps_model(self, schedule: Schedule) -> Model:
        """The exact eps_hat(x_t (B, D), t (B,), y (B,) or None), of class y or of all together.

        x_t is a mixture too, with means sqrt(alpha_bar) mu_k and variances alpha_bar sigma_k^2 +
        1 - alpha_bar; and eps_hat = -sqrt(1 - alpha_bar) grad log p_t(x_t).
        """
        k = len(self.means)

        def model(x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
            ab = schedule.alpha_bar[t][:, None]  # (B, 1)
            offset = x_t[:, None] - ab.sqrt()[..., None] * self.means  # (B, K, D)
            variance = ab * self.stds**2 + 1 - ab  # (B, K)
            log_p = self.weights.log() - x_t.shape[1] / 2 * variance.log()
            log_p = log_p - offset.square().sum(2) / (2 * variance)  # (B, K), up to a constant
            if y is not None:  # a label leaves one component, the null label all
                chosen = (y[:, None] == torch.arange(k)) | (y[:, None] == k)
                log_p = log_p.masked_fill(~chosen, -torch.inf)
            share = log_p.softmax(1)  # (B, K): which component x_t came from
            score = -(share / variance)[..., None] * offset
            return -(1 - ab).sqrt() * score.sum(1)

        return model
