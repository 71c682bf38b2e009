"""Lesson 06, evaluation: its exercises, in the order of the lesson."""

from flowerdiff.checks.evaluation.pixels import check_to_pixels
from flowerdiff.checks.evaluation.sets import check_frechet, check_kid
from flowerdiff.checks.evaluation.spread import check_diversity, check_inception_score
from flowerdiff.checks.evaluation.trust import check_chance, check_suspects, what_c_sends
from flowerdiff.checks.exercise import in_order, summary

in_order(
    check_to_pixels,
    check_frechet,
    check_kid,
    check_inception_score,
    check_diversity,
    check_suspects,
    check_chance,
)

__all__ = [
    "check_chance",
    "check_diversity",
    "check_frechet",
    "check_inception_score",
    "check_kid",
    "check_suspects",
    "check_to_pixels",
    "summary",
    "what_c_sends",
]
