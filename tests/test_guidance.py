"""Guidance reduces exactly where it should, and costs what it says."""

import pytest
import torch

from flowerdiff.guidance import drop_labels, guidance_scale, guided, w_from_guidance_scale

NULL = 10
X, T, Y = torch.randn(4, 3, 8, 8), torch.tensor([1, 2, 3, 4]), torch.tensor([0, 3, 9, 3])


class Counting:
    """A model that counts how many images it was asked about."""

    def __init__(self):
        self.images = 0

    def __call__(self, x_t, t, y):
        self.images += len(x_t)
        return x_t * (1 + y.reshape(-1, 1, 1, 1)) + t.reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(("w", "y"), [(0, Y), (-1, torch.full((4,), NULL))])
def test_w_0_and_minus_1_are_exactly_the_model_at_half_the_cost(w, y):
    model = Counting()
    assert torch.equal(guided(model, w, NULL)(X, T, Y), Counting()(X, T, y))
    assert model.images == 4


@pytest.mark.parametrize("w", [-0.5, 0.5, 1, 4])
def test_other_weights_are_the_papers_formula(w):
    model = Counting()
    eps_y, eps_null = Counting()(X, T, Y), Counting()(X, T, torch.full((4,), NULL))
    combined = guided(model, w, NULL)(X, T, Y)
    torch.testing.assert_close(combined, (1 + w) * eps_y - w * eps_null)
    assert model.images == 8


def test_labels_are_dropped_image_by_image():
    drop = torch.tensor([True, False, False, True])
    assert drop_labels(Y, drop, NULL).tolist() == [NULL, 3, 9, NULL]


def test_the_scale_of_other_libraries():
    assert guidance_scale(0) == 1  # their "no guidance"
    assert w_from_guidance_scale(guidance_scale(2.5)) == 2.5
