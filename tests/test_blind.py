"""The blind test by value: who is shown against whom, and what a result proves."""

import math
from itertools import pairwise

import pytest
import torch

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from test_widgets import decoded, find

from flowerdiff.pixels import grid
from flowerdiff.widgets import blind_test
from flowerdiff.widgets.blind import luck

REAL, OTHER = torch.randint(256, (2, 24, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(
    torch.uint8
)


@pytest.fixture
def test_of_two():
    return blind_test({"a net": (REAL, OTHER), "itself": (OTHER, REAL)}, rounds=5)


def test_each_round_shows_a_set_of_either_kind_and_none_twice(test_of_two):
    sets = {id(of): [grid(s) for s in of.split(4)] for of in (REAL, OTHER)}
    for rounds, kinds in zip(test_of_two.rounds, ((REAL, OTHER), (OTHER, REAL)), strict=True):
        seen = {0: [], 1: []}  # of the real kind, of the other
        for turn in rounds:
            images = [decoded(url) for url in turn["images"]]
            ordered = images[turn["real"]], images[1 - turn["real"]]
            for k, image in enumerate(ordered):
                places = [i for i, s in enumerate(sets[id(kinds[k])]) if torch.equal(s, image)]
                assert len(places) == 1
                seen[k] += places
        assert all(len(set(places)) == 5 for places in seen.values())
    assert {turn["real"] for turn in test_of_two.rounds[0]} == {0, 1}


def test_another_seed_is_another_test_and_the_same_one_the_same():
    once, again, other = (blind_test({"": (REAL, OTHER)}, 5, seed=s).rounds for s in (0, 0, 1))
    assert once == again != other


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="7 rounds with 4 pictures on a side take 28 of each"):
        blind_test({"": (REAL, OTHER)}, rounds=7)


def test_right_answers_are_counted(test_of_two):
    key = [turn["real"] for turn in test_of_two.rounds[1]]
    test_of_two.contest = 1
    test_of_two.answers = [[], [key[0], 1 - key[1], key[2]]]
    assert test_of_two.right() == 2


def test_there_is_a_verdict_for_every_result(test_of_two):
    assert test_of_two.verdicts == [luck(right, 5) for right in range(6)]


def test_a_verdict_has_wilsons_interval_and_the_chance_of_luck():
    p, n, z2 = 0.7, 10, 1.959964**2
    middle, half = (
        (p + z2 / 20) / (1 + z2 / n),
        math.sqrt(p * (1 - p) / n + z2 / 400) * math.sqrt(z2) / (1 + z2 / n),
    )
    ways = sum(math.comb(10, k) for k in (7, 8, 9, 10))
    assert luck(7, 10) == (
        f"7 of 10 right: 70% (95 % interval: {middle - half:.0%} to {middle + half:.0%}). "
        f"Somebody who guesses gets as many or more with a chance of {ways / 2**10:.1%}. "
        "That may have been luck."
    )


def test_more_right_answers_never_convince_less():
    convinced = ["You can tell" in luck(right, 10) for right in range(11)]
    assert convinced == [False] * 9 + [True] * 2
    assert all(a <= b for a, b in pairwise(convinced))


def test_where_no_widget_runs_there_is_a_picture(test_of_two):
    data, metadata = test_of_two._repr_mimebundle_()
    sheet = decoded(data["image/png"])
    for url in test_of_two.rounds[0][0]["images"]:
        assert find(sheet, decoded(url), 3)
    assert "Which 4 are real?" in metadata["image/png"]["alt"]
    assert data["text/plain"] == "BlindTest(2 contests of 5 rounds)"
