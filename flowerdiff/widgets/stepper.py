"""Grow a flower, step through the walk, and go on from any step with something changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ipywidgets as ipw
import torch

from flowerdiff.guidance import guided
from flowerdiff.sampling import SAMPLERS, Step, noise, sampler_named, timesteps
from flowerdiff.widgets.controls import Bench, check_range, control, light, line
from flowerdiff.widgets.frames import TITLES, step_frame, walk_frames
from flowerdiff.widgets.player import Player

MAX_STEPS = 100  # each step is three pictures in the page, about 50 kB
MAX_W = 10
NO_KERNEL = (
    "The slider works without Python; the other controls need it. If nothing is running, "
    "run this cell: click into it and press Shift + Enter."
)


@dataclass(frozen=True)
class Recipe:
    """All that a walk depends on, besides the model."""

    label: str
    seed: int
    w: float
    sampler: str
    steps: int

    def __post_init__(self):
        sampler_named(self.sampler)  # raises ValueError if there is none
        check_range("steps", self.steps, 1, MAX_STEPS)
        check_range("w", self.w, -1, MAX_W)

    def __str__(self):
        how = f"{self.sampler}, {self.steps} steps"
        return f"{self.label} · w = {self.w:g} · seed {self.seed} · {how}"


def walk(model, recipe: Recipe, here: Step | None = None) -> Iterator[Step]:
    """Grow one flower (B = 1) by the recipe, from pure noise; or go on from the step `here`,
    through those of the recipe's times that are left.
    """
    schedule, size = model.schedule, model.image_size
    x = here.x_t if here else noise([recipe.seed], schedule.T, (3, size, size))
    start = here.t if here else schedule.T
    left = [t for t in timesteps(schedule, recipe.steps, None) if t < start]
    y = torch.tensor([model.label(recipe.label)])
    eps_model, sampler = guided(model, recipe.w, model.null_label), sampler_named(recipe.sampler)
    # The same seed draws the same noise at each t, so two branches differ only by what you changed.
    own = {"seeds": [recipe.seed], "clip_x0": 1.0}
    return sampler(eps_model, schedule, x, y, start=start, steps=left, **own)


def denoising_stepper(
    model, label: str | None = None, seed=7, w=2.0, sampler="ddim", steps=25
) -> "DenoisingStepper":
    """The widget: choose a flower, grow it, step through the walk, go on from a step you like.

    model: a FlowerModel (see `load_pretrained`). label: one of `model.class_names`; the first one
    unless given. w: guidance weight, -1 ignores the label. sampler: a key of `SAMPLERS`.
    The first flower is grown at once. An error in it is raised; a later one is shown in the widget.
    """
    label = model.class_names[0 if label is None else model.label(label)]
    return DenoisingStepper(model, Recipe(label, seed, w, sampler, steps))


class DenoisingStepper(Bench):
    """See `denoising_stepper`. From Python: `walk` and `branch` hold the steps of the first and the
    second row, `grow()` and `go_on()` do what the buttons do, `player.index` is the step shown.
    """

    def __init__(self, model, recipe: Recipe):
        super().__init__()
        self.model, self.recipe = model, recipe
        with light():
            self.walk = list(walk(model, recipe))
        self.branch: list[Step] | None = None
        rows = {str(recipe): walk_frames(self.walk, model.schedule)}
        self.player = Player(TITLES, rows, label="Denoising, step by step", note=NO_KERNEL)
        self.player.playing = True  # the first thing to see: a flower coming out of the noise

        names = sorted(model.class_names)
        other = names[(names.index(recipe.label) + len(names) // 2) % len(names)]
        flower, sampler = {"options": names}, {"options": list(SAMPLERS)}
        w = {"min": -1, "max": MAX_W, "step": 0.5}
        self.flower = control(ipw.Dropdown, "flower", recipe.label, 215, **flower)
        self.seed = control(ipw.BoundedIntText, "seed", recipe.seed, 105, min=0, max=2**31 - 1)
        self.w = control(ipw.BoundedFloatText, "w", recipe.w, 80, **w)
        self.sampler = control(ipw.Dropdown, "sampler", recipe.sampler, 180, **sampler)
        self.steps = control(ipw.BoundedIntText, "steps", recipe.steps, 100, min=1, max=MAX_STEPS)
        self.grow_button = self.button("Grow", 90, self.grow)
        self.go_on_button = self.button("", 190, self.go_on)
        self.other_flower = control(ipw.Dropdown, "with flower", other, 245, **flower)
        self.other_w = control(ipw.BoundedFloatText, "and w", recipe.w, 110, **w)

        choices = [self.flower, self.seed, self.w, self.sampler, self.steps]
        for choice in choices:
            choice.observe(lambda _: self._label_buttons(), "value")
        self.player.observe(lambda _: self._label_buttons(), "index")
        self._label_buttons()
        above = line(*choices, self.grow_button)
        below = line(self.go_on_button, self.other_flower, self.other_w)
        self.children = [above, self.message, self.player, below]

    def grow(self) -> None:
        """Grow the flower that the controls describe."""
        recipe = self.chosen()
        steps = self._watch(walk(self.model, recipe), {}, str(recipe), recipe.steps)
        self.recipe, self.walk, self.branch = recipe, steps, None
        self._show({str(recipe): steps})

    def go_on(self) -> None:
        """Walk again from the step shown, with the other flower and w, and show both walks."""
        i = self.player.index
        here = self.walk[i]
        if here.t == 0:
            raise ValueError("this is the last step: move the slider back, then go on from there")
        recipe = replace(self.recipe, label=self.other_flower.value, w=self.other_w.value)
        first, second = str(self.recipe), f"from t = {here.t}: {recipe.label} · w = {recipe.w:g}"
        growing = walk(self.model, recipe, here)
        steps = self._watch(growing, {first: self.walk}, second, recipe.steps, self.walk[:i])
        self.branch = steps
        self._show({first: self.walk, second: steps})

    def chosen(self) -> Recipe:
        """What the controls say now; `recipe` is what the picture shows."""
        choices = (self.flower, self.seed, self.w, self.sampler, self.steps)
        return Recipe(*(choice.value for choice in choices))

    def settle(self) -> None:
        self.player.preview(None)
        self._label_buttons()

    def still(self):
        return self.player.still()

    def __repr__(self):
        return f"DenoisingStepper({self.recipe})"

    def _watch(self, growing: Iterator[Step], others, name, last: int, kept=()) -> list[Step]:
        """Take every step of a walk, and show each as soon as it is there, below `others`."""
        steps = list(kept)
        with light():
            for step in growing:
                steps.append(step)
                i = len(steps) - 1
                rows = {**others, name: steps}
                frames = {
                    k: step_frame(v[i], self.model.schedule, i, last) for k, v in rows.items()
                }
                self.player.preview(frames, i, last)
        return steps

    def _show(self, rows: dict[str, list[Step]]) -> None:
        frames = {name: walk_frames(steps, self.model.schedule) for name, steps in rows.items()}
        self.player.show(frames, index=-1)
        self._label_buttons()

    def _label_buttons(self) -> None:
        at_end = self.walk[self.player.index].t == 0
        self.go_on_button.description = "Go on: move back first" if at_end else "Go on from here"
        self.go_on_button.disabled = at_end
        # Colour the button whose click would change the picture.
        self.grow_button.button_style = "primary" if self.chosen() != self.recipe else ""
