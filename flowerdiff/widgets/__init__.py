"""What a person moves with a hand.

`frames` and `stills` make pixels and words of tensors: no widget in them, so they are tested by
value. `player` shows frames in a browser, without a kernel. `schedules` makes films of noise for
it. `controls` is what the widgets with Python behind them share; `stepper` is one of those.
"""

from flowerdiff.widgets.frames import Frame, walk_frames
from flowerdiff.widgets.player import Player
from flowerdiff.widgets.schedules import histogram_player, noise_stepper, schedule_explorer
from flowerdiff.widgets.stepper import DenoisingStepper, denoising_stepper
from flowerdiff.widgets.stills import film, filmstrip, picture

__all__ = [
    "DenoisingStepper",
    "Frame",
    "Player",
    "denoising_stepper",
    "film",
    "filmstrip",
    "histogram_player",
    "noise_stepper",
    "picture",
    "schedule_explorer",
    "walk_frames",
]
