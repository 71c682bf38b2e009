"""Lesson 04, sampling: its exercises, in the order of the lesson."""

from flowerdiff.checks.exercise import summary
from flowerdiff.checks.sampling.ancestral import check_ancestral_step
from flowerdiff.checks.sampling.ddim import check_ddim_step, check_log_snr_times
from flowerdiff.checks.sampling.going_on import check_keep_known, check_slerp, check_start_from
from flowerdiff.checks.sampling.steps import check_posterior_variance, check_x0_from_score

__all__ = [
    "check_ancestral_step",
    "check_ddim_step",
    "check_keep_known",
    "check_log_snr_times",
    "check_posterior_variance",
    "check_slerp",
    "check_start_from",
    "check_x0_from_score",
    "summary",
]
