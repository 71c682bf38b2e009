"""A walk as frames: what to show of each step, and what to say about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import Step
from flowerdiff.schedule import Schedule

# eps_hat is standard normal: 99.7 % of it lies within 3, so eps_hat / 3 fits the pixels' [-1, 1].
EPS_SCALE = 3
TITLES = (
    "x_t: noisy image",
    "x0_hat: flower in it",
    f"eps_hat / {EPS_SCALE}: noise in it",
)


@dataclass(frozen=True)
class Frame:
    """One position of a player."""

    images: tuple[Tensor, ...]  # uint8 (3, H, W), one for each panel
    caption: str  # for the eye
    alt: str  # for the ear: where we are, and what the picture looks like


def walk_frames(steps: Sequence[Step], schedule: Schedule, image: int = 0) -> list[Frame]:
    """One frame per step, with the panels of `TITLES`; `image` chooses one of a batch.

    x_t and x0_hat are shown by `to_uint8`, so values outside [-1, 1] are clamped for the eye only.
    eps_hat is divided by 3 first, then clamped.
    """
    last = len(steps) - 1
    return [step_frame(step, schedule, i, last, image) for i, step in enumerate(steps)]


def step_frame(step: Step, schedule: Schedule, i: int, last: int, image: int = 0) -> Frame:
    """The frame of step `i` of a walk of `last` steps."""
    panels = (step.x_t[image], step.x0_hat[image], step.eps_hat[image] / EPS_SCALE)
    images = tuple(to_uint8(panel) for panel in panels)
    alpha_bar = schedule.alpha_bar[step.t].item()
    snr = "∞" if step.t == 0 else f"{schedule.snr(step.t).item():.3g}"
    red, green, blue = (round(c) for c in images[1].float().mean((1, 2)).tolist())
    return Frame(
        images,
        f"step {i} of {last} · t = {step.t} · ᾱ = {alpha_bar:.3g} · SNR = {snr}",
        f"step {i} of {last}, t {step.t}, signal {alpha_bar**0.5:.0%}, "
        f"noise {(1 - alpha_bar) ** 0.5:.0%}; "
        f"mean colour of x0_hat: red {red}, green {green}, blue {blue}",
    )
