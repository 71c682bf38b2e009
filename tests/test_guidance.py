"""Guidance reduces exactly where it should, and costs what it says."""

import json
from pathlib import Path

import pytest
import torch

from flowerdiff.checkpoint import load_pretrained, weights_hash
from flowerdiff.guidance import (
    drop_labels,
    guidance_scale,
    guided,
    guided_between,
    w_from_guidance_scale,
    w_of,
)
from flowerdiff.sampling import timesteps
from flowerdiff.schedule import linear_schedule

RESULTS = Path(__file__).resolve().parents[1] / "docs/results/guidance.json"
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


def test_a_negative_label_takes_the_place_of_the_null_label():
    eps_y, eps_7 = Counting()(X, T, Y), Counting()(X, T, torch.full((4,), 7))
    torch.testing.assert_close(guided(Counting(), 2.0, 7)(X, T, Y), 3 * eps_y - 2 * eps_7)


@pytest.mark.parametrize(
    ("low", "high", "inside", "cost"),
    [
        (2, 3, [False, True, True, False], 6),  # 4 with the label, 2 of them again without
        (0, 800, [True] * 4, 8),
        (5, 800, [False] * 4, 4),
        (4, 4, [False, False, False, True], 5),
    ],
)
def test_guidance_in_an_interval_is_each_images_own(low, high, inside, cost):
    model = Counting()
    eps = guided_between(model, 1.5, NULL, low, high)(X, T, Y)
    chosen = torch.tensor(inside)[:, None, None, None]
    expected = torch.where(chosen, guided(Counting(), 1.5, NULL)(X, T, Y), Counting()(X, T, Y))
    assert torch.equal(eps, expected)
    assert model.images == cost


def test_labels_are_dropped_image_by_image():
    drop = torch.tensor([True, False, False, True])
    assert drop_labels(Y, drop, NULL).tolist() == [NULL, 3, 9, NULL]


def test_the_scale_of_other_libraries():
    assert guidance_scale(0) == 1  # their "no guidance"
    assert w_from_guidance_scale(guidance_scale(2.5)) == 2.5


@pytest.mark.parametrize("w", [-1.0, -0.3, 0.0, 2.5])
def test_w_can_be_told_from_the_prediction(w):
    eps_y, eps_null = Counting()(X, T, Y), Counting()(X, T, torch.full((4,), NULL))
    assert w_of(guided(Counting(), w, NULL)(X, T, Y), eps_y, eps_null) == pytest.approx(w, abs=1e-5)


def test_what_cannot_be_guided_or_told_is_said():
    model = guided(lambda x_t, t, y: x_t, 1.0, 4)
    with pytest.raises(ValueError, match="needs labels"):
        model(torch.zeros(2, 3), torch.ones(2, dtype=torch.long), None)
    same = torch.ones(2, 3)
    with pytest.raises(ValueError, match="any w"):
        w_of(same, same, same)


def test_the_recorded_measurements_are_of_the_bundled_model():
    """If this fails, the model is another one: run tools/measure_guidance.py (15 minutes to an
    hour) and see whether what lesson 05 says of the numbers is still so.
    """
    recorded = json.loads(RESULTS.read_text())
    assert recorded["weights_sha256"] == weights_hash(load_pretrained(recorded["model"]))
    assert {-1, 0, 1, 4, 8} <= {setting["w"] for setting in recorded["settings"]}


@pytest.mark.parametrize("part", ["first third", "middle third", "last third"])
def test_a_recorded_third_is_a_third_of_the_steps(part):
    recorded = json.loads(RESULTS.read_text())
    (setting,) = (s for s in recorded["settings"] if s["name"] == f"w = 4, {part}")
    *times, _ = timesteps(linear_schedule(), recorded["steps"], None)
    inside = [t for t in times if setting["low"] <= t <= setting["high"]]
    assert len(inside) * 3 == len(times)
    here = f'"{part}": ({setting["low"]}, '  # the lesson draws the same third
    assert here in (RESULTS.parents[2] / "notebooks/05_guidance.py").read_text()
