"""Classifier-free guidance: drop labels in training, combine two predictions in sampling.

Ho & Salimans 2022, arXiv:2207.12598. The weight w is theirs and the paper's:

    eps_hat = (1 + w) eps(x_t, t, y) - w eps(x_t, t, null)

w = -1 is unconditional, w = 0 plain conditional, w > 0 goes further towards the label. What other
libraries call `guidance_scale` is 1 + w.
"""

import torch
from torch import Tensor

from flowerdiff.schedule import Model


def drop_labels(y: Tensor, drop: Tensor, null_label: int) -> Tensor:
    """Labels y (B,), with the null label in place of those whose `drop` (B,) bool is True.

    The choice is made per image. Dropping the labels of a whole batch at once gives the same
    average and a worse gradient: most steps would learn nothing of the unconditional model.
    """
    return torch.where(drop, null_label, y)


def guided(model: Model, w: float, null_label: int) -> Model:
    """The guided model (a closure): same signature, same shapes, predictions combined with w.

    w = 0 and w = -1 are exactly the conditional and the unconditional model, at the cost of one
    evaluation; any other w costs two, made as one batch of 2 B.

    null_label: what to go away from. Another class in its place is a *negative label*: towards y
    and away from that class. y may be None with w = -1, and with w = 0 if the model takes it.
    """

    def unconditional(x_t: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        return model(x_t, t, torch.full_like(t, null_label))

    def both(x_t: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        if y is None:
            raise ValueError("guidance needs labels y (B,)")
        y_and_null = torch.cat([y, torch.full_like(y, null_label)])
        eps_y, eps_null = model(torch.cat([x_t, x_t]), torch.cat([t, t]), y_and_null).chunk(2)
        return (1 + w) * eps_y - w * eps_null

    if w == 0:
        return model
    return unconditional if w == -1 else both


def guided_between(model: Model, w: float, null_label: int, low: int, high: int) -> Model:
    """`guided` for images at times low <= t <= high, the conditional model itself, at half the
    cost, for all others. Kynkäänniemi et al. 2024, arXiv:2404.07724, in t instead of sigma.
    """
    strong = guided(model, w, null_label)

    def sometimes(x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        inside = (low <= t) & (t <= high)
        if inside.all() or not inside.any():  # always so in a walk, where all images share one t
            return (strong if inside.all() else model)(x_t, t, y)
        eps = torch.empty_like(x_t)
        for part, which in ((strong, inside), (model, ~inside)):
            eps[which] = part(x_t[which], t[which], y[which])
        return eps

    return sometimes


def guidance_scale(w: float) -> float:
    """The `guidance_scale` of diffusers for our w: also the s of GLIDE, the w of Imagen, and the
    gamma of those who write p(x|y)^gamma p(x)^(1 - gamma).
    """
    return 1 + w


def w_from_guidance_scale(scale: float) -> float:
    """Our w for a `guidance_scale` of diffusers."""
    return scale - 1


def w_of(eps_hat: Tensor, eps_y: Tensor, eps_null: Tensor) -> float:
    """Which w a guided prediction was made with, whatever its maker calls it: how far eps_hat lies
    beyond eps_y, in units of the way from eps_null to eps_y. All three of one shape. Raises
    ValueError where eps_y and eps_null are the same: no w can be told.
    """
    way = eps_y - eps_null
    if not way.any():
        raise ValueError("eps_y and eps_null are the same: any w gives the same prediction")
    return ((eps_hat - eps_y) * way).sum().item() / way.square().sum().item()
