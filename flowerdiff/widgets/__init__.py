"""What a person moves with a hand.

`frames` and `stills` make pixels and words of tensors: no widget in them, so they are tested by
value. `player` shows frames in a browser, without a kernel. `schedules` makes films of noise for
it. `controls` is what the widgets with Python behind them share; `stepper` is one of those.
"""

from flowerdiff.widgets.blind import BlindTest, blind_test
from flowerdiff.widgets.damage import SWEEP, Damage, damaged
from flowerdiff.widgets.damage_bench import DamageBench, damage_bench
from flowerdiff.widgets.doodle import DoodleBench, doodle_canvas, sdedit
from flowerdiff.widgets.frames import Frame, walk_frames
from flowerdiff.widgets.guidance_explorer import GuidanceExplorer, guidance_explorer
from flowerdiff.widgets.monitor import TrainingMonitor, training_monitor
from flowerdiff.widgets.netmap import NetMap, net_map
from flowerdiff.widgets.player import Player
from flowerdiff.widgets.projector import Projector, projector
from flowerdiff.widgets.race import SamplerRace, sampler_race
from flowerdiff.widgets.racers import RACERS, log_snr_times, points_race
from flowerdiff.widgets.schedules import histogram_player, noise_stepper, schedule_explorer
from flowerdiff.widgets.sketches import PRESETS
from flowerdiff.widgets.stepper import DenoisingStepper, denoising_stepper
from flowerdiff.widgets.stills import film, filmstrip, picture

__all__ = [
    "PRESETS",
    "RACERS",
    "SWEEP",
    "BlindTest",
    "Damage",
    "DamageBench",
    "DenoisingStepper",
    "DoodleBench",
    "Frame",
    "GuidanceExplorer",
    "NetMap",
    "Player",
    "Projector",
    "SamplerRace",
    "TrainingMonitor",
    "blind_test",
    "damage_bench",
    "damaged",
    "denoising_stepper",
    "doodle_canvas",
    "film",
    "filmstrip",
    "guidance_explorer",
    "histogram_player",
    "log_snr_times",
    "net_map",
    "noise_stepper",
    "picture",
    "points_race",
    "projector",
    "sampler_race",
    "schedule_explorer",
    "sdedit",
    "training_monitor",
    "walk_frames",
]
