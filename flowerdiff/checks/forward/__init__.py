"""Lesson 01, forward diffusion: its exercises, in the order of the lesson."""

from flowerdiff.checks.exercise import summary
from flowerdiff.checks.forward.jump import check_add_noise
from flowerdiff.checks.forward.schedules import check_for_size, check_time_of, check_zero_terminal
from flowerdiff.checks.forward.steps import check_alpha_bars, check_noise_step, check_std_after_two

__all__ = [
    "check_add_noise",
    "check_alpha_bars",
    "check_for_size",
    "check_noise_step",
    "check_std_after_two",
    "check_time_of",
    "check_zero_terminal",
    "summary",
]
