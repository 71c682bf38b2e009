"""Lesson 05, guidance: its exercises, in the order of the lesson."""

from flowerdiff.checks.exercise import summary
from flowerdiff.checks.guidance.combine import check_combine, check_one_pass, check_which_w
from flowerdiff.checks.guidance.dropout import check_drop_labels
from flowerdiff.checks.guidance.interval import check_guide_between
from flowerdiff.checks.guidance.labels import check_both_labels
from flowerdiff.checks.guidance.plane import check_sharpened_score

__all__ = [
    "check_both_labels",
    "check_combine",
    "check_drop_labels",
    "check_guide_between",
    "check_one_pass",
    "check_sharpened_score",
    "check_which_w",
    "summary",
]
