"""Guidance under a hand: the same labels and seeds at every w, and w on a slider."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import ipywidgets as ipw
import torch
from torch import Tensor

from flowerdiff.colour import clipped, saturation
from flowerdiff.guidance import guidance_scale, guided_between
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS, Step, noise, sampler_named
from flowerdiff.widgets.controls import Bench, check_range, control, light, line
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.player import Player
from flowerdiff.widgets.stepper import NO_KERNEL
from flowerdiff.widgets.stills import picture

WEIGHTS = (-1, -0.5, 0, 0.5, 1, 2, 3, 4, 6, 8)  # the frames of the film
SEEDS = ("seed", "seed + 1", "seed + 2")
MAX_STEPS = 50  # a step asks for twelve predictions at each of the weights


@dataclass(frozen=True)
class Settings:
    """All that the pictures depend on, besides the model and w."""

    first: str  # the label of the first row ...
    second: str  # ... and of the second
    seed: int
    sampler: str
    steps: int
    start: int  # guided from this time ...
    stop: int  # ... down to this one; with w = 0 before and after

    def __post_init__(self):
        if self.first == self.second:
            raise ValueError("choose two different flowers, one for each row")
        sampler_named(self.sampler)  # raises ValueError if there is none
        check_range("steps", self.steps, 1, MAX_STEPS)
        if self.start < self.stop:
            raise ValueError(
                f"a walk goes down: guided from t = {self.start} down to {self.stop} is nowhere"
            )

    @property
    def labels(self) -> tuple[str, str]:
        return self.first, self.second

    def row(self, label: str, T: int) -> str:
        """The name of a row of pictures: everything that w does not change."""
        last = self.seed + len(SEEDS) - 1
        text = f"{label} · seeds {self.seed} to {last} · {self.sampler}, {self.steps} steps"
        everywhere = self.start >= T and self.stop <= 1
        return text if everywhere else f"{text} · guided at t = {self.start} to {self.stop}"


def grow(model, chosen: Settings, w: float) -> Iterator[Step]:
    """Walk all pictures at once: B = labels x seeds, row by row. The step at t = 0 is the last."""
    schedule, size = model.schedule, model.image_size
    seeds = [chosen.seed + i for _ in chosen.labels for i in range(len(SEEDS))]
    y = torch.tensor([model.label(name) for name in chosen.labels for _ in SEEDS])
    x_T = noise(seeds, schedule.T, (3, size, size))
    own = {"seeds": seeds, "clip_x0": 1.0}
    eps_model = guided_between(model, w, model.null_label, chosen.stop, chosen.start)
    sampler = sampler_named(chosen.sampler)
    return sampler(eps_model, schedule, x_T, y, steps=chosen.steps, **own)


def guidance_frames(images: Tensor, chosen: Settings, w: float, T: int) -> dict[str, Frame]:
    """One frame for each row of uint8 images (labels x seeds, 3, H, W), by the row's name.

    The caption measures all of them, the words for the ear one row.
    """
    rows = zip(chosen.labels, images.split(len(SEEDS)), strict=True)
    caption = f"w = {w:g} · guidance_scale = {guidance_scale(w):g} · {_measured(images, ' · ')}"
    return {
        chosen.row(label, T): Frame(tuple(row), caption, f"w {w:g}; {_measured(row, ', ')}")
        for label, row in rows
    }


def _measured(images: Tensor, between: str) -> str:
    colourful, ends = (f(images).mean().item() for f in (saturation, clipped))
    return f"saturation {colourful:.2f}{between}{ends:.1%} of the values clipped"


def guidance_explorer(
    model, first: str = "sunflower", second: str = "rose", seed=0, sampler="dpm_solver_pp", steps=12
) -> "GuidanceExplorer":
    """The widget: w on a slider, two labels and three seeds, and everything else held.

    model: a FlowerModel (see `load_pretrained`). first, second: of `model.class_names`. sampler: a
    key of `SAMPLERS`. All pictures are drawn at once, ten w of six: with the bundled model in
    about 15 seconds. An error in that is raised; a later one is shown in the widget.
    """
    first, second = (model.class_names[model.label(name)] for name in (first, second))
    settings = Settings(first, second, seed, sampler, steps, model.schedule.T, 0)
    return GuidanceExplorer(model, settings)


class GuidanceExplorer(Bench):
    """See `guidance_explorer`. From Python: `images[w]` are the pictures, uint8 (6, 3, H, W), row
    by row; `draw()` does what the button does, `player.index` is the place of w in `WEIGHTS`.
    """

    def __init__(self, model, chosen: Settings):
        super().__init__()
        self.model, self.chosen = model, chosen
        T, names = model.schedule.T, {"options": sorted(model.class_names)}
        self.first = control(ipw.Dropdown, "flower", chosen.first, 205, **names)
        self.second = control(ipw.Dropdown, "and", chosen.second, 190, **names)
        self.seed = control(ipw.BoundedIntText, "seed", chosen.seed, 100, min=0, max=2**31 - 9)
        samplers = {"options": list(SAMPLERS)}
        self.sampler = control(ipw.Dropdown, "sampler", chosen.sampler, 180, **samplers)
        self.steps = control(ipw.BoundedIntText, "steps", chosen.steps, 95, min=1, max=MAX_STEPS)
        start, stop = chosen.start, chosen.stop
        self.start = control(ipw.BoundedIntText, "guided from t =", start, 165, min=0, max=T)
        self.stop = control(ipw.BoundedIntText, "down to t =", stop, 145, min=0, max=T)
        self.draw_button = self.button("Draw", 90, self.draw)

        self.images = self._drawn(chosen, lambda *frame: None)
        rows = self._rows(chosen, self.images)
        self.player = Player(
            SEEDS, rows, label="Guidance, w on a slider", note=NO_KERNEL, index=WEIGHTS.index(0)
        )
        choices = [self.first, self.second, self.seed, self.sampler, self.steps]
        self._choices = [*choices, self.start, self.stop]
        for choice in self._choices:
            choice.observe(lambda _: self._colour_button(), "value")
        above = line(*choices)
        below = line(self.start, self.stop, self.draw_button)
        self.children = [above, below, self.message, self.player]

    def draw(self) -> None:
        """Draw what the controls describe, at every w, each step shown as soon as it is there."""
        chosen = Settings(*(choice.value for choice in self._choices))
        images = self._drawn(chosen, self.player.preview)
        self.chosen, self.images = chosen, images
        self.player.show(self._rows(chosen, images), index=self.player.index)

    def settle(self) -> None:
        self.player.preview(None)
        self._colour_button()

    def still(self) -> tuple[Tensor, str]:
        """The first seed of each row at every w."""
        shown = [self.images[w][r * len(SEEDS)] for r in (0, 1) for w in WEIGHTS]
        ends = [f"at w = {w}: {_measured(self.images[w], ', ')}" for w in (WEIGHTS[0], WEIGHTS[-1])]
        alt = f"{self.player.label}. Two rows of pictures, {self!r}; {'; '.join(ends)}."
        labels = [f"w = {w:g}" for w in WEIGHTS] * 2
        return picture(shown, alt, labels, columns=len(WEIGHTS), zoom=1).pixels, alt

    def __repr__(self):
        rows = [self.chosen.row(name, self.model.schedule.T) for name in self.chosen.labels]
        return f"GuidanceExplorer({'; '.join(rows)})"

    def _drawn(self, chosen: Settings, show) -> dict[float, Tensor]:
        """The finished pictures for each w; `show(frames, index, total)` sees every step's x0_hat,
        and is told where in the film it will be.
        """
        finished, T = {}, self.model.schedule.T
        with light():
            for i, w in enumerate(WEIGHTS):
                for step in grow(self.model, chosen, w):
                    finished[w] = to_uint8(step.x0_hat)  # at t = 0 this is the picture itself
                    show(guidance_frames(finished[w], chosen, w, T), i, len(WEIGHTS) - 1)
        return finished

    def _rows(self, chosen: Settings, images: dict[float, Tensor]) -> dict[str, list[Frame]]:
        T = self.model.schedule.T
        frames = [guidance_frames(images[w], chosen, w, T) for w in WEIGHTS]
        return {name: [frame[name] for frame in frames] for name in frames[0]}

    def _colour_button(self) -> None:
        """Colour the button if a click would change the picture."""
        now = tuple(choice.value for choice in self._choices)
        self.draw_button.button_style = "primary" if now != astuple(self.chosen) else ""
