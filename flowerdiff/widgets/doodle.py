"""Draw a flower, noise it to some t, and let the model go on from there: SDEdit (Meng et al. 2021,
arXiv:2108.01073), with a canvas for mouse, finger and keyboard.
"""

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass

import anywidget
import ipywidgets as ipw
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from flowerdiff.guidance import guided
from flowerdiff.pixels import from_uint8, png_bytes, to_uint8
from flowerdiff.sampling import Step, ddim, noise
from flowerdiff.widgets.controls import Bench, check_range, control, light, line
from flowerdiff.widgets.frames import Frame, step_frame
from flowerdiff.widgets.player import HERE, Player
from flowerdiff.widgets.sketches import PALETTE, PRESETS
from flowerdiff.widgets.stepper import MAX_STEPS, MAX_W
from flowerdiff.widgets.stills import picture

LEAST_T = 25  # with less noise nothing but the drawing is left
TITLES = ("doodle", "x_t: noised, on its way", "x0_hat: flower in it")
NO_KERNEL = (
    "The slider below works without Python; drawing works, but Grow needs Python. If nothing is "
    "running, run this cell: click into it and press Shift + Enter."
)


def sdedit(model, doodle: Tensor, t: int, label: str, w=2.0, seed=1, steps=15) -> Iterator[Step]:
    """Noise a picture to t, and walk from there to 0 with DDIM.

    doodle: uint8 (3, S, S), S the model's image_size. t: 1..T; the larger, the less is kept of it.
    The first step's x_t is the noised doodle; its noise is `noise([seed], t)`.
    """
    schedule, steps = model.schedule, min(steps, t)
    x0 = from_uint8(doodle)[None]
    x_t = schedule.add_noise(x0, t, noise([seed], t, x0.shape[1:]))
    y, eps_model = torch.tensor([model.label(label)]), guided(model, w, model.null_label)
    return ddim(eps_model, schedule, x_t, y, start=t, steps=steps, clip_x0=1.0)


class Canvas(anywidget.AnyWidget):
    """A square of `size` pixels to draw on, with a palette, brushes, undo and fill.

    image: the picture, a PNG as a data URL; the page and Python both may set it.
    """

    _esm = HERE / "doodle.js"
    _css = HERE / "doodle.css"

    image = traitlets.Unicode().tag(sync=True)
    size = traitlets.Int(64).tag(sync=True)
    palette = traitlets.List().tag(sync=True)  # [name, colour] pairs, in the order shown

    def __init__(self, pixels: Tensor):
        super().__init__(palette=[list(pair) for pair in PALETTE.items()], size=pixels.shape[2])
        self.show(pixels)

    def show(self, pixels: Tensor) -> None:
        """Put a picture on the canvas: uint8 (3, S, S)."""
        self.image = "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()

    def pixels(self) -> Tensor:
        """What is on the canvas: uint8 (3, S, S). ValueError if the page sent something else."""
        try:
            data = base64.b64decode(self.image.partition(",")[2], validate=True)
            picture = Image.open(io.BytesIO(data)).convert("RGB")
        except (binascii.Error, OSError) as error:
            raise ValueError(f"the canvas sent no picture: {error}") from error
        if picture.size != (self.size, self.size):
            raise ValueError(
                f"the canvas sent {picture.size} pixels, not {self.size} x {self.size}"
            )
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)

    def __repr__(self):
        return f"Canvas({self.size} x {self.size})"


def doodle_canvas(
    model, preset="five petals", label=None, t=550, w=2.0, seed=1, steps=15
) -> "DoodleBench":
    """The widget: draw, choose how much noise (t), a flower and a seed, and grow a flower of it.

    model: a FlowerModel. preset: a name of `PRESETS`. label: one of `model.class_names`, the first
    one unless given. The preset is grown at once. An error in it is raised; a later one is shown.
    """
    if preset not in PRESETS:
        raise ValueError(f"no doodle {preset!r}: choose from {', '.join(PRESETS)}")
    check_range("t", t, LEAST_T, model.schedule.T)
    label = model.class_names[0 if label is None else model.label(label)]
    return DoodleBench(model, preset, Edit(label, t, w, seed, steps))


@dataclass(frozen=True)
class Edit:
    """All that becomes of a doodle depends on, besides the doodle and the model."""

    label: str
    t: int
    w: float
    seed: int
    steps: int

    def __post_init__(self):
        check_range("w", self.w, -1, MAX_W)
        check_range("steps", self.steps, 1, MAX_STEPS)

    def __str__(self):
        return f"{self.label} from t = {self.t} · w = {self.w:g} · seed {self.seed}"


class DoodleBench(Bench):
    """See `doodle_canvas`. From Python: `canvas.pixels()` is the drawing, `walk` the last walk,
    `grow()` does what the button does, `player.index` is the frame shown.
    """

    def __init__(self, model, preset: str, edit: Edit):
        super().__init__()
        self.model, self.edit = model, edit
        self.canvas = Canvas(PRESETS[preset].draw(model.image_size))
        self.grown_from, self.drawn = self.canvas.pixels(), self.canvas.image  # of the film shown
        with light():
            self.walk = list(self._edited(edit, self.grown_from))
        look = {"label": "From doodle to flower", "note": NO_KERNEL, "width": 192}
        look["layout"] = {"flex": "1 1 420px"}  # of itself a player has no width beside others
        self.player = Player(TITLES, self._film(), **look)

        names, T = sorted(model.class_names), model.schedule.T
        self.preset = control(ipw.Dropdown, "draw for me", preset, 230, options=list(PRESETS))
        self.flower = control(ipw.Dropdown, "flower", edit.label, 215, options=names)
        # Not a slider of ipywidgets: those have no name for a screen reader.
        ends = {"min": LEAST_T, "max": T, "step": 25}
        self.t = control(ipw.BoundedIntText, "noise it to t =", edit.t, 165, **ends)
        w, steps = {"min": -1, "max": MAX_W, "step": 0.5}, {"min": 1, "max": MAX_STEPS}
        self.w = control(ipw.BoundedFloatText, "w", edit.w, 80, **w)
        self.seed = control(ipw.BoundedIntText, "seed", edit.seed, 105, min=0, max=2**31 - 1)
        self.steps = control(ipw.BoundedIntText, "steps", edit.steps, 100, **steps)
        self.grow_button = self.button("Grow", 90, self.grow)

        self.preset.observe(lambda _: self.act(self._draw_preset), "value")
        for choice in (self.flower, self.t, self.w, self.seed, self.steps):
            choice.observe(lambda _: self._colour_button(), "value")
        self.canvas.observe(lambda _: self._colour_button(), "image")
        above = line(self.preset, self.t, self.flower, self.w, self.seed, self.steps)
        below = line(self.canvas, self.player)
        below.layout.align_items = "flex-start"
        above.children = (*above.children, self.grow_button)
        self.children = [above, self.message, below]
        self.player.index = len(self.walk) - 1

    def grow(self) -> None:
        """Let a flower grow from the drawing, as the controls say; each step is shown at once."""
        edit, drawn, doodle = self.chosen(), self.canvas.image, self.canvas.pixels()
        steps, last = [], min(edit.steps, edit.t)
        with light():
            for step in self._edited(edit, doodle):
                frame = self._frame(step, doodle, len(steps), last)
                self.player.preview({str(edit): frame}, len(steps), last)
                steps.append(step)
        self.walk, self.edit, self.grown_from, self.drawn = steps, edit, doodle, drawn
        self.player.show(self._film(), index=-1)

    def chosen(self) -> Edit:
        """What the controls say now; `edit` is what the picture shows."""
        choices = (self.flower, self.t, self.w, self.seed, self.steps)
        return Edit(*(choice.value for choice in choices))

    def settle(self) -> None:
        self.player.preview(None)
        self._colour_button()

    def still(self) -> tuple[Tensor, str]:
        """The doodle, noised, what the model sees in it half-way, and the flower."""
        middle, end = self.walk[len(self.walk) // 2], self.walk[-1]
        images = [self.walk[0].x_t[0], middle.x0_hat[0], end.x_t[0]]
        labels = ["doodle", f"noised, t = {self.edit.t}", f"x0_hat, t = {middle.t}", "flower"]
        alt = f"A doodle, the same with noise, and two stages of what grows of it: {self.edit}."
        return picture([self.grown_from, *map(to_uint8, images)], alt, labels).pixels, alt

    def __repr__(self):
        return f"DoodleBench({self.edit})"

    def _edited(self, edit: Edit, doodle: Tensor) -> Iterator[Step]:
        return sdedit(self.model, doodle, edit.t, edit.label, edit.w, edit.seed, edit.steps)

    def _film(self) -> dict[str, list[Frame]]:
        last = len(self.walk) - 1
        steps = enumerate(self.walk)
        return {str(self.edit): [self._frame(s, self.grown_from, i, last) for i, s in steps]}

    def _frame(self, step: Step, doodle: Tensor, i: int, last: int) -> Frame:
        frame = step_frame(step, self.model.schedule, i, last)
        return Frame((doodle, *frame.images[:2]), frame.caption, frame.alt)

    def _draw_preset(self) -> None:
        self.canvas.show(PRESETS[self.preset.value].draw(self.model.image_size))

    def _colour_button(self) -> None:
        # Colour the button whose click would change the picture.
        changed = (self.chosen(), self.canvas.image) != (self.edit, self.drawn)
        self.grow_button.button_style = "primary" if changed else ""
