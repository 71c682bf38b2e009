"""The noise schedule: how much of the image is left at time t, and the algebra that follows.

    x_t = sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) eps,        eps ~ N(0, I)

A schedule is one tensor, `alpha_bar`, with T + 1 entries. `alpha_bar[0] == 1` is the clean image,
so the code's t is the paper's t in {1..T}, and the last step, to t = 0, ends exactly on x0.

Equations are numbered as in Ho et al. 2020 (DDPM), arXiv:2006.11239, unless said otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# A model predicts the noise: (x_t (B, ...), t (B,) long, y (B,) long or None) -> eps_hat (B, ...)
Model = Callable[[Tensor, Tensor, Tensor | None], Tensor]
PREDICTIONS = ("eps", "v", "x0")  # what a net may be trained to predict


@dataclass(frozen=True, eq=False)
class Schedule:
    """`alpha_bar`: float32 (T + 1,), falling from exactly 1 to almost 0.

    Times `t` and `s` below are an int, or a long tensor (B,) with one time per image, in 0..T
    (in `posterior` an int). What is worked out of a tensor lies where the tensor does. Images are
    (B, ...) of any shape.
    """

    alpha_bar: Tensor

    def __post_init__(self):
        ab = self.alpha_bar
        if ab.ndim != 1 or len(ab) < 2 or ab[0] != 1:
            raise ValueError("alpha_bar must have T + 1 >= 2 entries and begin with exactly 1")
        if not (ab.diff() < 0).all() or ab[-1] < 0:
            raise ValueError("alpha_bar must fall at every step and never go below 0")
        if ab.dtype != torch.float32:  # or the images would no longer be
            raise ValueError("alpha_bar is float32: work it out in float64, then .float()")

    def __repr__(self):
        return f"Schedule(T={self.T}, alpha_bar[T]={self.alpha_bar[-1]:.3g})"

    @property
    def T(self) -> int:
        """The number of noising steps; x_T is all but pure noise."""
        return len(self.alpha_bar) - 1

    def _at(self, t, like: Tensor) -> Tensor:
        """alpha_bar at t, shaped to multiply images: a scalar, or (B, 1, 1, ...)."""
        ab = self.alpha_bar.to(like.device)[t]
        return ab.reshape(-1, *[1] * (like.ndim - 1)) if ab.ndim else ab

    def _double(self, t) -> Tensor:
        """alpha_bar at t in float64, on the CPU: a Mac's GPU has no float64."""
        return self.alpha_bar.cpu()[t.cpu() if isinstance(t, Tensor) else t].double()

    def snr(self, t) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar); infinite at t = 0."""
        ab = self._double(t)
        return _single(ab / (1 - ab), t)

    def add_noise(self, x0: Tensor, t, eps: Tensor) -> Tensor:
        """x_t from x0 and eps in one jump. Eq. (4)."""
        ab = self._at(t, x0)
        return ab.sqrt() * x0 + (1 - ab).sqrt() * eps

    def x0_from_eps(self, x_t: Tensor, t, eps: Tensor) -> Tensor:
        """The x0 that this x_t and this noise imply. Eq. (4), solved for x0."""
        ab = self._at(t, x_t)
        return (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()

    def eps_from_x0(self, x_t: Tensor, t, x0: Tensor) -> Tensor:
        """The noise that this x_t and this x0 imply. Eq. (4), solved for eps; needs t >= 1."""
        ab = self._at(t, x_t)
        return (x_t - ab.sqrt() * x0) / (1 - ab).sqrt()

    def v_from(self, x0: Tensor, t, eps: Tensor) -> Tensor:
        """v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0. Salimans & Ho 2022, 2202.00512."""
        ab = self._at(t, x0)
        return ab.sqrt() * eps - (1 - ab).sqrt() * x0

    def x0_from_v(self, x_t: Tensor, t, v: Tensor) -> Tensor:
        """(x_t, v) is (x0, eps) turned by an angle; turned back, its first coordinate is x0."""
        ab = self._at(t, x_t)
        return ab.sqrt() * x_t - (1 - ab).sqrt() * v

    def eps_from_v(self, x_t: Tensor, t, v: Tensor) -> Tensor:
        """(x_t, v) is (x0, eps) turned by an angle; turned back, its second coordinate is eps."""
        ab = self._at(t, x_t)
        return (1 - ab).sqrt() * x_t + ab.sqrt() * v

    def beta(self, t, s=None) -> Tensor:
        """Variance of the noise added between s and t, 1 - alpha_bar_t / alpha_bar_s; s = t - 1
        unless given, so t >= 1. As the sampling variance sigma_t^2, this is the paper's choice.
        """
        ab_t, ab_s = self._double(t), self._double(t - 1 if s is None else s)
        return _single(1 - ab_t / ab_s, t)

    def beta_tilde(self, t, s=None) -> Tensor:
        """Variance of x_s when x_t and x0 are both known, t >= 1. Eq. (7); 0 when s = 0."""
        ab_t, ab_s = self._double(t), self._double(t - 1 if s is None else s)
        return _single((1 - ab_s) / (1 - ab_t) * (1 - ab_t / ab_s), t)

    def posterior(self, x_t: Tensor, t: int, x0: Tensor, s: int | None = None):
        """Mean (B, ...) and variance (scalar) of q(x_s | x_t, x0), s = t - 1 unless given.
        Eqs. (6) and (7), for any s < t.
        """
        s = t - 1 if s is None else s
        ab_t, ab_s = self._double(t), self._double(s)
        beta = 1 - ab_t / ab_s
        for_x0 = ab_s.sqrt() * beta / (1 - ab_t)
        for_x_t = (ab_t / ab_s).sqrt() * (1 - ab_s) / (1 - ab_t)
        return for_x0.item() * x0 + for_x_t.item() * x_t, self.beta_tilde(t, s)


def _single(value: Tensor, t) -> Tensor:
    """As float32, and where t lies."""
    return value.float().to(t.device) if isinstance(t, Tensor) else value.float()


def _from_betas(beta: Tensor) -> Schedule:
    # A product of hundreds of numbers near 1: accumulated in float64, kept in float32.
    alpha_bar = torch.cumprod(1 - beta.double(), dim=0)
    return Schedule(torch.cat([torch.ones(1), alpha_bar.float()]))


def linear_schedule(T: int = 800, beta_1: float = 1e-4, beta_T: float = 2e-2) -> Schedule:
    """beta rises linearly from beta_1 to beta_T: the paper's schedule, with the paper's numbers.

    These belong to T = 800. For another T give both times 800 / T, as in
    `linear_schedule(100, 8e-4, 0.16)`: with the same betas, 100 steps end far from noise.
    """
    return _from_betas(torch.linspace(beta_1, beta_T, T, dtype=torch.float64))


def cosine_schedule(T: int = 800, s: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """sqrt(alpha_bar) falls along a quarter of a cosine. Nichol & Dhariwal 2021, arXiv:2102.09672,
    eq. (17): `s` keeps the first betas from vanishing, `max_beta` the last from reaching 1.
    """
    angle = (torch.arange(T + 1, dtype=torch.float64) / T + s) / (1 + s) * math.pi / 2
    alpha_bar = angle.cos() ** 2
    return _from_betas((1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta))


def zero_terminal_snr(schedule: Schedule, terminal: float = 2.0**-30) -> Schedule:
    """Rescale so that x_T is pure noise. Lin et al. 2023, arXiv:2305.08891, algorithm 1.

    sqrt(alpha_bar) is shifted so that its last entry is 0, then scaled so that its first step is
    as it was. The last alpha_bar is then set to `terminal`: with an exact 0, x0 can't be had from
    x_T and eps (0 / 0), and every sampler would need a special case; 2^-30 leaves a signal of
    1/32768 of the noise, which no net can see. Pass `terminal=0.0` for the exact zero.
    """
    root = schedule.alpha_bar.double().sqrt()
    root = torch.cat([root[:1], (root[1:] - root[-1]) * root[1] / (root[1] - root[-1])])
    alpha_bar = root.square()
    alpha_bar[-1] = terminal
    return Schedule(alpha_bar.float())


def check_prediction(prediction: str) -> None:
    """Raises ValueError if it is none of PREDICTIONS."""
    if prediction not in PREDICTIONS:
        raise ValueError(f"no prediction {prediction!r}: choose from {', '.join(PREDICTIONS)}")


def eps_model(net: Model, schedule: Schedule, prediction: str) -> Model:
    """Wrap a net trained to predict "eps", "v" or "x0" into a model, which predicts eps.

    float32 inside: near t = T, eps and x_t agree to several digits, and bf16 would lose x0.
    Raises ValueError for another prediction.
    """
    check_prediction(prediction)
    to_eps = {
        "eps": lambda x_t, t, out: out,
        "v": schedule.eps_from_v,
        "x0": schedule.eps_from_x0,
    }[prediction]

    def model(x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        return to_eps(x_t, t, net(x_t, t, y).float())

    return model
