"""Lesson 03, training: the exercises about what the loss is made of."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 1 · the loss of a batch


def _x_t(x0, t, alpha_bar, eps):
    ab = alpha_bar[t].reshape(-1, 1, 1, 1)
    return ab.sqrt() * x0 + (1 - ab).sqrt() * eps


def training_loss(weight, x0, t, alpha_bar, eps):
    eps_hat = weight * _x_t(x0, t, alpha_bar, eps)
    return (eps_hat - eps).square().mean()


def _error(weight, x0, t, alpha_bar, eps):
    return weight * _x_t(x0, t, alpha_bar, eps) - eps


def _one_time_for_all(weight, x0, t, alpha_bar, eps):
    return training_loss(weight, x0, t[:1].expand(len(x0)), alpha_bar, eps)


def _target_is_x0(weight, x0, t, alpha_bar, eps):
    return (weight * _x_t(x0, t, alpha_bar, eps) - x0).square().mean()


def _target_is_the_share(weight, x0, t, alpha_bar, eps):
    share = (1 - alpha_bar[t].reshape(-1, 1, 1, 1)).sqrt() * eps
    return (weight * _x_t(x0, t, alpha_bar, eps) - share).square().mean()


def _not_reshaped(weight, x0, t, alpha_bar, eps):
    ab = alpha_bar[t]
    return (weight * (ab.sqrt() * x0 + (1 - ab).sqrt() * eps) - eps).square().mean()


def _roots_forgotten(weight, x0, t, alpha_bar, eps):
    ab = alpha_bar[t].reshape(-1, 1, 1, 1)
    return (weight * (ab * x0 + (1 - ab) * eps) - eps).square().mean()


def _draw_batch(generator, i):
    beta = 0.02 + 0.1 * torch.rand(20 + 5 * i, generator=generator)
    alpha_bar = torch.cat([torch.ones(1), (1 - beta).cumprod(0)])
    batch, size = (4, 3, 4, 3, 2)[i], 4 + i  # once B is the width, too
    x0 = torch.rand((batch, 3, size, size), generator=generator) * 1.4 - 0.4
    eps = torch.randn(x0.shape, generator=generator)
    t = torch.randint(3, len(beta), (batch,), generator=generator)
    t[0] = 1  # two times that are surely different
    weight = 0.3 + 0.6 * torch.rand(1, generator=generator).item()
    return weight, x0, t, alpha_bar, eps


check_training_loss = Exercise(
    "03",
    "the loss of a batch",
    training_loss,
    _draw_batch,
    [
        Mistake(
            "the net is shown the clean pictures x0. It must see x_t: there is no noise in x0.",
            lambda w, x0, t, ab, eps: (w * x0 - eps).square().mean(),
        ),
        Mistake(
            "you compare with x0; this net is asked for the noise, eps.",
            _target_is_x0,
        ),
        Mistake(
            "you compare with the noise times its factor; the target is eps itself, with variance "
            "1 at every t.",
            _target_is_the_share,
        ),
        Mistake(
            "the errors are summed up. Take the mean, or the loss depends on how many pixels and "
            "pictures there are.",
            lambda *a: _error(*a).square().sum(),
        ),
        Mistake(
            "that is the mean of the errors' sizes; the errors must be squared.",
            lambda *a: _error(*a).abs().mean(),
        ),
        Mistake(
            "errors of opposite sign cancel out: square them before you take the mean.",
            lambda *a: _error(*a).mean().square(),
        ),
        Mistake(
            "you take the root of the mean. The squared error is the loss as it is.",
            lambda *a: _error(*a).square().mean().sqrt(),
        ),
        Mistake(
            "summed over the pixels, and the mean over the pictures only: mean over all of it.",
            lambda *a: _error(*a).square().flatten(1).sum(1).mean(),
        ),
        Mistake(
            "that is one loss for each picture; return their mean, one number.",
            lambda *a: _error(*a).square().flatten(1).mean(1),
        ),
        Mistake("all pictures get the time of the first: each has its own t.", _one_time_for_all),
        Mistake(
            "both roots are missing in x_t (lesson 01, exercise 4).",
            _roots_forgotten,
        ),
        Mistake(
            "alpha_bar[t] has the shape (B,); to go with pictures, it must be reshaped to "
            "(B, 1, 1, 1) (lesson 01, exercise 4). As it is, there is an error, or, where B "
            "happens to be the width, a wrong number without an error.",
            _not_reshaped,
        ),
        Mistake(
            "the two factors of x_t are swapped: alpha_bar is the picture's share.",
            lambda w, x0, t, ab, eps: (w * _x_t(eps, t, ab, x0) - eps).square().mean(),
        ),
        Mistake(
            "the weight is missing: the net's guess is weight * x_t.",
            lambda w, *a: training_loss(1, *a),
        ),
    ],
)


# 2 · the weight of a time


def weight(snr, gamma):
    return snr.clamp(max=gamma) / snr


check_weight = Exercise(
    "03",
    "min-SNR",
    weight,
    lambda generator, i: (
        10 ** (6 * torch.rand(20 + i, generator=generator) - 3),
        3.0 + i + torch.rand(1, generator=generator).item(),
    ),
    [
        Mistake(
            "that is the weight of an error in x0. An error in eps is SNR times as large, so its "
            "weight must be divided by the SNR.",
            lambda snr, gamma: snr.clamp(max=gamma),
        ),
        Mistake(
            "multiplied by the SNR: but an error in eps is already SNR times as large as that in "
            "x0. Turn it back into that one first.",
            lambda snr, gamma: snr.clamp(max=gamma) * snr,
        ),
        Mistake(
            "that makes an error in x0 of it, and no more; it is to count min(SNR, gamma) times.",
            lambda snr, gamma: 1 / snr,
        ),
        Mistake(
            "the larger of the two, not the smaller: clamp(max=...) cuts off from above.",
            lambda snr, gamma: snr.clamp(min=gamma) / snr,
        ),
        Mistake(
            "divided by SNR + 1: that is the weight for a net that predicts v.",
            lambda snr, gamma: snr.clamp(max=gamma) / (snr + 1),
        ),
        Mistake(
            "you divide by gamma; divide by the SNR.",
            lambda snr, gamma: snr.clamp(max=gamma) / gamma,
        ),
        Mistake(
            "upside down: the weight gets smaller where the SNR is large.",
            lambda snr, gamma: snr / snr.clamp(max=gamma),
        ),
        Mistake(
            "gamma / SNR without the minimum: where there is little picture left, the weight grows "
            "beyond all bounds.",
            lambda snr, gamma: gamma / snr,
        ),
        Mistake(
            "that is 1 everywhere: the SNR in the numerator must be cut off at gamma.",
            lambda snr, gamma: torch.ones_like(snr),
        ),
    ],
)
