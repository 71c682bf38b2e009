"""The sampler race: the same model, the same noise, and as many steps for each sampler."""

import time
from dataclasses import dataclass

import ipywidgets as ipw
import torch
from torch import Tensor

from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.widgets.controls import Bench, check_range, control, light, line
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.player import Player
from flowerdiff.widgets.racers import RACERS, ROWS, Race
from flowerdiff.widgets.stepper import MAX_W, NO_KERNEL
from flowerdiff.widgets.stills import picture

BUDGETS = (5, 10, 25, 50)  # steps, each of which asks the model once
FINISH = "how they finish"
PAUSE = 0.2  # seconds from one sign of progress to the next: each is ten pictures to send


@dataclass(frozen=True)
class Start:
    """All that a race depends on, besides the model."""

    label: str
    seed: int
    w: float

    def __post_init__(self):
        check_range("w", self.w, -1, MAX_W)

    def __str__(self):
        return f"{self.label} · w = {self.w:g} · seed {self.seed}"


def sampler_race(
    model, label=None, seed=7, w=0.0, budgets=BUDGETS, exact_steps=None
) -> "SamplerRace":
    """The widget: all of `RACERS` from the same noise, with 5, 10, 25 and 50 steps, beside what
    DDIM makes in `exact_steps` (all T unless given). That takes a while.

    model: a FlowerModel. label: one of `model.class_names`; the first one unless given. w: guidance
    weight; 0 takes half the time of others. The first race is run at once, an error in it is
    raised. A later one shows how far it is, and its errors.
    """
    start = Start(model.class_names[0 if label is None else model.label(label)], seed, w)
    return SamplerRace(model, start, tuple(budgets), exact_steps or model.schedule.T)


class SamplerRace(Bench):
    """See `sampler_race`. From Python: `result` is the last `Race`, `run()` does what the button
    does, `player.index` is the frame shown.
    """

    def __init__(self, model, start: Start, budgets: tuple[int, ...], exact_steps: int):
        super().__init__()
        self.model, self.start, self.budgets, self.exact_steps = model, start, budgets, exact_steps
        self.player: Player | None = None
        self.result = self._run(start)
        titles = (*RACERS, f"exact: DDIM, {exact_steps} steps")
        look = {"label": "Sampler race", "note": NO_KERNEL, "fps": 3.0}
        look["width"] = 171  # of which two rows take three quarters: 128 px, twice 64
        self.player = Player(titles, self.result.finish(), **look)

        names = sorted(model.class_names)
        w, seed = {"min": -1, "max": MAX_W, "step": 0.5}, {"min": 0, "max": 2**31 - 1}
        self.flower = control(ipw.Dropdown, "flower", start.label, 215, options=names)
        self.seed = control(ipw.BoundedIntText, "seed", start.seed, 105, **seed)
        self.w = control(ipw.BoundedFloatText, "w", start.w, 80, **w)
        self.race_button = self.button("Race", 90, self.run)
        options = [(FINISH, 0), *((f"the walk with {n} steps", n) for n in budgets)]
        self.steps = control(ipw.Dropdown, "show", 0, 230, options=options)
        self.steps.observe(lambda _: self.act(self._show), "value")
        for choice in (self.flower, self.seed, self.w):
            choice.observe(lambda _: self.settle(), "value")
        above = line(self.flower, self.seed, self.w, self.race_button, self.steps)
        self.children = [above, self.message, self.player]

    def run(self) -> None:
        """Race as the controls say, and show the film that `show` names."""
        start = self.chosen()
        self.result = self._run(start)
        self.start = start
        self._show()

    def chosen(self) -> Start:
        """What the controls say now; `start` is what the picture shows."""
        return Start(self.flower.value, self.seed.value, self.w.value)

    def settle(self) -> None:
        self.player.preview(None)
        # Colour the button whose click would change the picture.
        self.race_button.button_style = "primary" if self.chosen() != self.start else ""

    def still(self) -> tuple[Tensor, str]:
        """How they finish: a line for each number of steps, a column for each sampler."""
        rows = self.result.finish()[ROWS[0]]
        images = [image for frame in rows for image in frame.images]
        names = [*RACERS, "exact"]
        labels = [_brief(n, name) for n in self.budgets for name in names]
        alt = f"Sampler race, {self.start}. " + ". ".join(frame.caption for frame in rows)
        return picture(images, alt, labels, columns=len(names)).pixels, alt

    def __repr__(self):
        return f"SamplerRace({self.start}; {', '.join(map(str, self.budgets))} steps)"

    def _show(self) -> None:
        steps = self.steps.value
        self.player.show(self.result.walk(steps) if steps else self.result.finish(), index=0)

    def _run(self, start: Start) -> Race:
        with light():
            *_, exact = self._watched(start, ddim, self.exact_steps, "exact", len(RACERS))
            seen = {n: {} for n in self.budgets}
            for n in self.budgets:
                for place, (name, racer) in enumerate(RACERS.items()):
                    seen[n][name] = list(self._watched(start, racer, n, name, place))
        return Race(exact, seen)

    def _watched(self, start: Start, sampler, steps: int, name: str, place: int):
        """Yield x0_hat (3, S, S) of each step of a walk, and show now and then how far it is."""
        model, schedule, size = self.model, self.model.schedule, self.model.image_size
        x_T = noise([start.seed], schedule.T, (3, size, size))
        y = torch.tensor([model.label(start.label)])
        eps = guided(model, start.w, model.null_label)
        own = {"clip_x0": 1.0, "seeds": [start.seed]}
        shown = -PAUSE  # the first is shown at once
        for i, step in enumerate(sampler(eps, schedule, x_T, y, steps=steps, **own)):
            if self.player and time.monotonic() - shown > PAUSE:
                shown = time.monotonic()
                self._progress(step.x0_hat[0], f"{name}: step {i} of {steps}", place, i, steps)
            yield step.x0_hat[0]

    def _progress(self, x: Tensor, text: str, place: int, i: int, steps: int) -> None:
        grey = torch.full_like(to_uint8(x), 128)
        images = [grey] * len(self.player.titles)
        images[place] = to_uint8(x)
        rows = {ROWS[0]: Frame(tuple(images), text, text)}
        rows[ROWS[1]] = Frame((grey,) * len(images), text, text)
        self.player.preview(rows, i, steps)


def _brief(steps: int, name: str) -> str:
    name = name.replace("DPM-Solver++ (log-SNR)", "DPM++ log-SNR").replace("-Solver", "")
    return name if name == "exact" else f"{steps}: {name}"
