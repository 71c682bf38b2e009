"""A blind test: which of two sets of pictures is the real one? And could it have been luck?"""

from collections.abc import Mapping

import anywidget
import torch
import traitlets
from torch import Tensor

from flowerdiff.pixels import grid
from flowerdiff.widgets.player import HERE, StaticFallback, data_url
from flowerdiff.widgets.stills import picture

CONVINCED = 0.05  # a result that luck brings less often than this is more than luck


def blind_test(
    contests: Mapping[str, tuple[Tensor, Tensor]], rounds: int = 10, per_side: int = 4, seed=0
) -> "BlindTest":
    """The widget: round by round two sets of pictures, and a click on the one that is real.

    contests: {what the real flowers are compared with: (real, other)}, uint8 (N, 3, S, S) each;
    every `per_side` images that follow one another make a set, and each is shown once at most.
    Nothing is said before the last round. It needs no kernel.
    """
    return BlindTest(contests, rounds, per_side, seed)


class BlindTest(StaticFallback, anywidget.AnyWidget):
    """See `blind_test`. From Python: `right()` says how many answers are right so far."""

    _esm = HERE / "blind.js"
    _css = HERE / "blind.css"

    contests = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rounds = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    verdicts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    contest = traitlets.Int(0).tag(sync=True)
    answers = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)

    def __init__(self, contests, rounds, per_side, seed):
        self._first: list[Tensor] = []  # the two sides of the first round
        rng = torch.Generator().manual_seed(seed)
        all_rounds = [self._pairs(*sets, rounds, per_side, rng) for sets in contests.values()]
        super().__init__(
            contests=list(contests),
            rounds=all_rounds,
            verdicts=[luck(right, rounds) for right in range(rounds + 1)],
            question=f"Which {per_side} are real? Click on them, or press ← or →.",
            answers=[[] for _ in contests],
        )

    def right(self) -> int:
        """How many of the answers to the contest that is shown are right."""
        rounds, answers = self.rounds[self.contest], self.answers[self.contest]
        return sum(round["real"] == answer for round, answer in zip(rounds, answers, strict=False))

    def still(self) -> tuple[Tensor, str]:
        alt = f"The first round of a blind test. {self.question} The left ones, or the right ones?"
        return picture(self._first, alt, ["left", "right"], zoom=3).pixels, alt

    def __repr__(self):
        return f"BlindTest({len(self.contests)} contests of {len(self.verdicts) - 1} rounds)"

    def _pairs(self, real: Tensor, other: Tensor, rounds: int, per_side: int, rng) -> list[dict]:
        kinds = [[s for s in of.split(per_side) if len(s) == per_side] for of in (real, other)]
        if min(map(len, kinds)) < rounds:
            raise ValueError(
                f"{rounds} rounds with {per_side} pictures on a side take {rounds * per_side} of "
                f"each kind; got {len(real)} real ones and {len(other)} others"
            )
        orders = [torch.randperm(len(sets), generator=rng)[:rounds].tolist() for sets in kinds]
        sides = torch.randint(2, (rounds,), generator=rng).tolist()
        pairs = []
        for i, j, side in zip(*orders, sides, strict=True):
            shown = [grid(kinds[0][i]), grid(kinds[1][j])]
            if side == 1:
                shown.reverse()
            self._first = self._first or shown
            pairs.append({"images": [data_url(image) for image in shown], "real": side})
        return pairs


def luck(right: int, rounds: int) -> str:
    """What so many right answers prove."""
    from scipy.stats import binomtest  # slow to import

    low, high = binomtest(right, rounds).proportion_ci(method="wilson")
    chance = binomtest(right, rounds, alternative="greater").pvalue
    proof = "You can tell them apart." if chance < CONVINCED else "That may have been luck."
    return (
        f"{right} of {rounds} right: {right / rounds:.0%} (95 % interval: {low:.0%} to {high:.0%})."
        f" Somebody who guesses gets as many or more with a chance of {chance:.1%}. {proof}"
    )
