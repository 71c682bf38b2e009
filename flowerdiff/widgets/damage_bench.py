"""Spoil flowers with sliders, and see which scores notice."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, fields

import ipywidgets as ipw
from torch import Tensor

from flowerdiff.metrics import Measured, Score
from flowerdiff.pixels import grid
from flowerdiff.widgets.controls import Bench, control, light, line
from flowerdiff.widgets.damage import NEUTRAL, Damage, damaged
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.player import HERE, Player
from flowerdiff.widgets.range import Range
from flowerdiff.widgets.scoreboard import (
    Panel,
    brief,
    no_reference_judges,
    offline_panel,
    scoreboard,
)
from flowerdiff.widgets.stills import film

SHOWN = 4  # flowers; the scores are of all of them, those of single pictures of these alone
LABEL = "Damage and scores"
NO_KERNEL = (
    "The slider moves through the damages that were measured here. For others, run this cell."
)
# The film to begin with: without Python, it is all there is.
FIRST = (
    Damage(),
    Damage(blur=1.0),
    Damage(noise=8.0),
    Damage(jpeg=40),
    Damage(contrast=0.3),
    Damage(colour=0.0),
)
LOOK = {"label": LABEL, "note": NO_KERNEL, "fps": 1.0, "width": 192}
LONGEST = 18  # frames, which travel to the page at every move; the oldest of the own ones goes
RANGES = {
    "blur": {"max": 3.0, "step": 0.1},
    "noise": {"max": 64.0, "step": 2.0},
    "jpeg": {"min": 5, "max": 100, "step": 5},
    "contrast": {"max": 2.0, "step": 0.1},
    "colour": {"max": 2.0, "step": 0.1},
}


class ScorePlayer(Player):
    """A player whose caption is a table of plain text, beside the pictures where there is room."""

    _css = (
        (HERE / "player.css").read_text(encoding="utf-8")
        + f"""
.fd-player[aria-label="{LABEL}"] .fd-stage {{ float: left; margin: 0 20px 4px 0; }}
.fd-player[aria-label="{LABEL}"] .fd-caption {{
  white-space: pre-wrap; min-height: 14em;
  font: 13px/1.45 var(--jp-code-font-family, monospace);
}}
.fd-player[aria-label="{LABEL}"] .fd-bar {{ clear: both; }}
"""
    )


@dataclass(frozen=True)
class Seen:
    """A damage, the pictures after it, and what the scores say."""

    damage: Damage
    images: Tensor  # uint8 (N, 3, H, W)
    scores: list[Score]
    alone: dict[str, Score]  # by judge, of those who look at single pictures and were asked


def damage_bench(
    images: Tensor, labels: Tensor, known: Measured, panel: Panel | None = None
) -> "DamageBench":
    """The widget: five damages on sliders, and what each score says of the spoilt flowers.

    images: uint8 (N, 3, H, W), a few dozen real flowers, with their labels (N,). known: other real
    flowers to compare them with, and their features. panel: who measures, if not EfficientNet-Lite0
    (whose features `known` must hold). A tick brings NIQE, BRISQUE and CNN-IQA in; where pyiqa or
    weights are missing, it says what to do. A handful of damages is measured at once, which takes
    seconds. An error in that is raised; a later one is shown in the widget.
    """
    return DamageBench(images, panel or offline_panel(known, labels))


class DamageBench(Bench):
    """See `damage_bench`. From Python: `measure(damage)` does what moving the sliders does, `seen`
    are all damages so far, in the order of the player's frames.
    """

    def __init__(self, images: Tensor, panel: Panel):
        super().__init__()
        self.images, self.panel = images, panel
        self._judges = {}
        self._following = False  # the sliders follow the film: nothing is to be measured
        with light():
            self.seen = [self._look(damage) for damage in FIRST]
        titles = ("as they were", "now")
        self.player = ScorePlayer(titles, self._film(), **LOOK)

        self.sliders = {}
        for name, ends in RANGES.items():
            layout = {"width": "260px", "margin": "0 12px 0 0"}
            self.sliders[name] = Range(label=name, value=NEUTRAL[name], layout=layout, **ends)
            self.sliders[name].observe(lambda _: self._moved(), "value")
        names = "NIQE, BRISQUE and CNN-IQA, too"
        self.alone = control(ipw.Checkbox, names, False, 290, indent=False)
        self.alone.observe(lambda _: self.act(self._ask), "value")
        self.undo = self.button("No damage", 110, lambda: self.measure(Damage()))
        self.missing = ipw.HTML(layout={"display": "none"})
        self.player.observe(lambda _: self._follow(), "index")
        above = line(*self.sliders.values(), self.undo, self.alone)
        self.children = [above, self.message, self.missing, self.player]

    def measure(self, damage: Damage) -> None:
        """Spoil and measure, or go back to what was measured before."""
        places = [i for i, seen in enumerate(self.seen) if seen.damage == damage]
        if not places:
            self._preview(damage)
            with light():
                self.seen.append(self._look(damage))
            if len(self.seen) > LONGEST:
                del self.seen[len(FIRST)]
        else:
            self._ask_judges(places[0])
        place = places[0] if places else len(self.seen) - 1
        self.player.show(self._film(), index=place)
        self._follow()

    def chosen(self) -> Damage:
        """What the sliders say."""
        chosen = {name: round(slider.value, 2) for name, slider in self.sliders.items()}
        return Damage(**chosen | {"jpeg": round(chosen["jpeg"])})

    def settle(self) -> None:
        self.player.preview(None)
        self._follow()  # also where what the sliders asked for could not be measured

    def still(self) -> tuple[Tensor, str]:
        """The first damages, and their scores in the words for them."""
        first = self.seen[: len(FIRST)]
        frames = [self._frame(seen) for seen in first]
        rows = {"": [Frame(f.images[1:], "", "") for f in frames]}
        said = ". ".join(frame.alt for frame in frames)
        return film(rows, [", ".join(str(seen.damage) for seen in first)], len(first), 1), (
            f"{LABEL}. Four flowers, spoilt in several ways. {said}."
        )

    def __repr__(self):
        return f"DamageBench({len(self.images)} flowers)"

    def _look(self, damage: Damage) -> Seen:
        images = damaged(self.images, damage)
        alone = {name: judge(images[:SHOWN]) for name, judge in self._judges.items()}
        return Seen(damage, images, self.panel(images), alone)

    def _ask(self) -> None:
        """The tick was set or taken away."""
        self._judges = {}
        found = no_reference_judges() if self.alone.value else {}
        self._judges = {name: judge for name, judge in found.items() if callable(judge)}
        missing = [f"{name} {judge}" for name, judge in found.items() if isinstance(judge, str)]
        lines = html.escape("\n".join(missing))
        look = "white-space: pre-line; line-height: 1.4"
        self.missing.value = f'<div role="status" style="{look}">{lines}</div>'
        self.missing.layout.display = None if missing else "none"
        self._ask_judges(0)
        self.measure(self.chosen())

    def _ask_judges(self, place: int) -> None:
        """What was measured there without the judges of now is measured with them."""
        if self._judges and self.seen[place].alone.keys() != self._judges.keys():
            with light():
                self.seen[place] = self._look(self.seen[place].damage)

    def _moved(self) -> None:
        if not self._following:
            self.act(lambda: self.measure(self.chosen()))

    def _follow(self) -> None:
        """The sliders show the damage of the frame."""
        damage = self.seen[self.player.index].damage
        self._following = True
        try:
            for f in fields(Damage):
                self.sliders[f.name].value = getattr(damage, f.name)
        finally:
            self._following = False

    def _preview(self, damage: Damage) -> None:
        images = grid(damaged(self.images[:SHOWN], damage), 2, pad=0)
        caption = f"{damage}\n\nmeasuring {len(self.images)} flowers …"
        frame = Frame((self._panes(self.images), images), caption, caption)
        self.player.preview({"": frame}, len(self.seen), len(self.seen))

    def _film(self) -> dict[str, Sequence[Frame]]:
        return {"": [self._frame(seen) for seen in self.seen]}

    def _frame(self, seen: Seen) -> Frame:
        was = self.seen[0]
        asked = [name for name in self._judges if name in was.alone and name in seen.alone]
        both = [one.scores + [one.alone[name] for name in asked] for one in (was, seen)]
        said = ", ".join(f"{score.name} {brief(score)}" for score in both[1])
        panes = self._panes(self.images), self._panes(seen.images)
        return Frame(panes, f"{seen.damage}\n\n{scoreboard(*both)}", f"{seen.damage}: {said}")

    @staticmethod
    def _panes(images: Tensor) -> Tensor:
        return grid(images[:SHOWN], 2, pad=0)
