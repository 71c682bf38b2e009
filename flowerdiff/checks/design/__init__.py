"""Lesson 02, U-Net design: its exercises, in the order of the lesson."""

from flowerdiff.checks.design.blocks import check_attend, check_meet
from flowerdiff.checks.design.counting import check_field, check_flops, check_parameters
from flowerdiff.checks.design.inputs import check_sinusoid
from flowerdiff.checks.design.norm import check_group_norm
from flowerdiff.checks.exercise import in_order, summary

in_order(
    check_field,
    check_parameters,
    check_meet,
    check_flops,
    check_sinusoid,
    check_attend,
    check_group_norm,
)

__all__ = [
    "check_attend",
    "check_field",
    "check_flops",
    "check_group_norm",
    "check_meet",
    "check_parameters",
    "check_sinusoid",
    "summary",
]
