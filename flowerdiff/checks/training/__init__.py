"""Lesson 03, training: its exercises, in the order of the lesson, and the clinic's records."""

from flowerdiff.checks.exercise import in_order, summary
from flowerdiff.checks.training.clinic import (
    Disease,
    check_patient_a,
    check_patient_b,
    check_patient_c,
    check_patient_d,
    check_patient_e,
    check_patient_f,
)
from flowerdiff.checks.training.loss import check_training_loss, check_weight
from flowerdiff.checks.training.plan import check_lr_at, check_steps_needed
from flowerdiff.checks.training.records import Record, record
from flowerdiff.checks.training.steps import check_clip_factor, check_ema_update

in_order(
    check_training_loss,
    check_weight,
    check_ema_update,
    check_clip_factor,
    check_lr_at,
    check_steps_needed,
    check_patient_a,
    check_patient_b,
    check_patient_c,
    check_patient_d,
    check_patient_e,
    check_patient_f,
)

__all__ = [
    "Disease",
    "Record",
    "check_clip_factor",
    "check_ema_update",
    "check_lr_at",
    "check_patient_a",
    "check_patient_b",
    "check_patient_c",
    "check_patient_d",
    "check_patient_e",
    "check_patient_f",
    "check_steps_needed",
    "check_training_loss",
    "check_weight",
    "record",
    "summary",
]
