"""Lesson 07, the paper: its exercises, in the order of the lesson."""

from flowerdiff.checks.exercise import in_order, summary
from flowerdiff.checks.paper.causes import check_centre_square, check_eps_of_black, check_niqe
from flowerdiff.checks.paper.clock import check_evaluations
from flowerdiff.checks.paper.numbers import check_chance_of_a_trend, check_gap_interval

in_order(
    check_eps_of_black,
    check_niqe,
    check_chance_of_a_trend,
    check_centre_square,
    check_evaluations,
    check_gap_interval,
)

__all__ = [
    "check_centre_square",
    "check_chance_of_a_trend",
    "check_eps_of_black",
    "check_evaluations",
    "check_gap_interval",
    "check_niqe",
    "summary",
]
