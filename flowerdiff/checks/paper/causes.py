"""Lesson 07, the paper: the exercises that make the causes again."""

import torch
from torch import Tensor
from torch.nn import functional as F

from flowerdiff.checks.exercise import Exercise, Mistake

# 1 · black squares


def eps_of_black(x_t, alpha_bar):
    return (x_t + alpha_bar.sqrt()) / (1 - alpha_bar).sqrt()


def _draw_noised_black(generator, i):
    shape = [(3, 4, 4), (2, 3, 5, 5), (7,), (3, 6, 4), (3, 8, 8)][i]
    alpha_bar = 0.1 + 0.8 * torch.rand((), generator=generator)
    eps = torch.randn(shape, generator=generator)
    return (1 - alpha_bar).sqrt() * eps - alpha_bar.sqrt(), alpha_bar


check_eps_of_black = Exercise(
    "07",
    "the noise on a black square",
    eps_of_black,
    _draw_noised_black,
    [
        Mistake(
            "that is right where x0 is 0, and 0 is the middle grey. Black is -1.",
            lambda x, ab: x / (1 - ab).sqrt(),
        ),
        Mistake(
            "that is the noise on a *white* square: x0 = -1, and it is subtracted.",
            lambda x, ab: (x - ab.sqrt()) / (1 - ab).sqrt(),
        ),
        Mistake(
            "the roots are missing: x_t is made with sqrt(alpha_bar) and sqrt(1 - alpha_bar).",
            lambda x, ab: (x + ab) / (1 - ab),
        ),
        Mistake(
            "the root over alpha_bar is missing.",
            lambda x, ab: (x + ab) / (1 - ab).sqrt(),
        ),
        Mistake(
            "the root over 1 - alpha_bar is missing.",
            lambda x, ab: (x + ab.sqrt()) / (1 - ab),
        ),
        Mistake(
            "that is the noise as it lies on the picture, with the standard deviation "
            "sqrt(1 - alpha_bar). eps has 1: divide.",
            lambda x, ab: x + ab.sqrt(),
        ),
        Mistake(
            "you multiply by sqrt(1 - alpha_bar); that is how the noise got in. Out it comes by "
            "dividing.",
            lambda x, ab: (x + ab.sqrt()) * (1 - ab).sqrt(),
        ),
        Mistake(
            "the two roots have changed places: sqrt(alpha_bar) belongs to x0, "
            "sqrt(1 - alpha_bar) to eps.",
            lambda x, ab: (x + (1 - ab).sqrt()) / ab.sqrt(),
        ),
        Mistake(
            "a whole number for x0 is fine, but you add 1 to x_t as if alpha_bar were 1: in x_t "
            "there is only sqrt(alpha_bar) of the black left.",
            lambda x, ab: (x + 1) / (1 - ab).sqrt(),
        ),
        Mistake(
            "x0 has a factor in x_t, sqrt(alpha_bar), and to subtract -1 is to add 1.",
            lambda x, ab: (x - 1) / (1 - ab).sqrt(),
        ),
        Mistake(
            "the sign of all of it is turned.",
            lambda x, ab: -eps_of_black(x, ab),
        ),
    ],
)

# 2 · NIQE's distance


def niqe(mean_1, cov_1, mean_2, cov_2):
    away = mean_1 - mean_2
    return (away @ torch.linalg.inv((cov_1 + cov_2) / 2) @ away).sqrt().item()


def _draw_gaussians(generator, i):
    dim = [3, 2, 5, 4, 6][i]
    mean_1, mean_2 = torch.randn(2, dim, generator=generator, dtype=torch.float64)
    roots = torch.randn(2, dim, 2 * dim, generator=generator, dtype=torch.float64)
    cov_1, cov_2 = (root @ root.T / (2 * dim) for root in roots)
    return mean_1, cov_1, mean_2, cov_2


def _distance(away: Tensor, matrix: Tensor) -> float:
    return (away @ matrix @ away).sqrt().item()


check_niqe = Exercise(
    "07",
    "NIQE's distance",
    niqe,
    _draw_gaussians,
    [
        Mistake(
            "the root over the whole is missing.",
            lambda m, s, n, r: niqe(m, s, n, r) ** 2,
        ),
        Mistake(
            "the *mean* of the two covariances: half of their sum.",
            lambda m, s, n, r: _distance(m - n, torch.linalg.inv(s + r)),
        ),
        Mistake(
            "the half comes before the inverse: half an inverse is the inverse of the double.",
            lambda m, s, n, r: _distance(m - n, torch.linalg.inv(s + r) / 2),
        ),
        Mistake(
            "brackets are missing: / comes before +, so only the second covariance is halved.",
            lambda m, s, n, r: _distance(m - n, torch.linalg.inv(s + r / 2)),
        ),
        Mistake(
            "divided by the covariance, so its *inverse* stands in the middle: a step counts less "
            "where the points are spread out.",
            lambda m, s, n, r: _distance(m - n, (s + r) / 2),
        ),
        Mistake(
            "that is the plain distance of the means, as if all features were spread alike.",
            lambda m, s, n, r: (m - n).norm().item(),
        ),
        Mistake(
            "only the variances are in it, as if no two features had anything to do with each "
            "other: invert the whole matrix.",
            lambda m, s, n, r: ((m - n).square() / ((s + r) / 2).diagonal()).sum().sqrt().item(),
        ),
        Mistake(
            "only one covariance is in it, the first.",
            lambda m, s, n, r: _distance(m - n, torch.linalg.inv(s)),
        ),
        Mistake(
            "only one covariance is in it, the second.",
            lambda m, s, n, r: _distance(m - n, torch.linalg.inv(r)),
        ),
        Mistake(
            "first the mean of the covariances, then one inverse: not the mean of two inverses.",
            lambda m, s, n, r: _distance(m - n, (torch.linalg.inv(s) + torch.linalg.inv(r)) / 2),
        ),
        Mistake(
            "1 / matrix divides number by number; the inverse of a matrix is torch.linalg.inv.",
            lambda m, s, n, r: _distance(m - n, 2 / (s + r)),
        ),
    ],
)

# 4 · the square in the middle


def centre_square(image):
    return _cut(image, min(image.shape[1:]))


def _cut(image: Tensor, side: int, where: float = 0.5) -> Tensor:
    """A square of this side: where 0 is the upper left corner, 1 the lower right one."""
    top, left = (int(where * (length - side)) for length in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def _draw_picture(generator, i):
    height, width = [(6, 11), (9, 5), (8, 8), (12, 6), (7, 13)][i]
    picture = torch.rand(3, height, width, generator=generator)
    if i == 0:  # no square is quite in the middle: of stripes, one on either side will do
        picture = picture[:, :, :1].expand(3, height, width).clone()
    return (picture,)


check_centre_square = Exercise(
    "07",
    "the square in the middle",
    centre_square,
    _draw_picture,
    [
        Mistake(
            "the right size, but it is cut out of the upper left corner.",
            lambda x: _cut(x, min(x.shape[1:]), where=0),
        ),
        Mistake(
            "the right size, but it is cut out of the lower right corner: half of what is left "
            "over belongs on each side.",
            lambda x: _cut(x, min(x.shape[1:]), where=1),
        ),
        Mistake(
            "that is no crop: the picture is squeezed, and its flowers with it.",
            lambda x: F.interpolate(x[None], (min(x.shape[1:]),) * 2)[0],
        ),
        Mistake(
            "squeezed, and smoothly: still no crop.",
            lambda x: F.interpolate(x[None], (min(x.shape[1:]),) * 2, mode="bilinear")[0],
        ),
        Mistake(
            "that is as wide as the *longer* side, with black bars: the shorter one decides.",
            lambda x: F.pad(
                x,
                [(max(x.shape) - length) // 2 for length in (x.shape[2], x.shape[1]) for _ in "ab"],
            ),
        ),
        Mistake(
            "where nothing is to be cut off, x[0:-0] is x[0:0], which is empty: let the slice end "
            "at its beginning plus the side.",
            lambda x: x[
                :,
                (top := (x.shape[1] - min(x.shape[1:])) // 2) : -top,
                (left := (x.shape[2] - min(x.shape[1:])) // 2) : -left,
            ],
        ),
        Mistake(
            "you take the height for the side, always. A picture may be higher than wide.",
            lambda x: _cut(x, x.shape[1]) if x.shape[1] <= x.shape[2] else x,
        ),
        Mistake(
            "you take the width for the side, always. A picture may be wider than high.",
            lambda x: _cut(x, x.shape[2]) if x.shape[2] <= x.shape[1] else x,
        ),
        Mistake(
            "the first axis of the picture is the colour: height and width are shape[1] and "
            "shape[2].",
            lambda x: _cut(x, min(x.shape)),
        ),
    ],
)
