"""Lesson 03, training: the clinic. Six broken runs, and what each could have been taken for."""

from enum import IntEnum

from flowerdiff.checks.exercise import Exercise, Mistake


class Disease(IntEnum):
    """What a run may suffer from. A diagnosis is a number, so that a check can compare it."""

    LR_TOO_HIGH = 1
    LR_TOO_LOW = 2
    WRONG_LABELS = 3
    PIXELS_FROM_0_TO_1 = 4
    BLACK_PICTURES = 5
    EMA_TOO_SLOW = 6
    OUTPUT_MISREAD = 7
    TOO_FEW_PICTURES = 8
    STOPPED_TOO_EARLY = 9


LOOKS = {  # what one would see if it were that
    Disease.LR_TOO_HIGH: "a learning rate that is too high shows in the curve: it jumps up, or "
    "stays far above the healthy one and ragged, and the net draws nothing that it was shown",
    Disease.LR_TOO_LOW: "with a learning rate that is too low, the curve creeps: it would still be "
    "near the place where the healthy one began",
    Disease.WRONG_LABELS: "with wrong labels there are good flowers, but the four in a row are not "
    "of one species",
    Disease.PIXELS_FROM_0_TO_1: "with pixels from 0 to 1 no picture has anything darker than a "
    "middle grey: forms are right, and everything is pale",
    Disease.BLACK_PICTURES: "black training pictures are the easiest there are: the loss would "
    "fall far below the healthy one, to nearly nothing",
    Disease.EMA_TOO_SLOW: "an average that is too slow leaves the curve healthy, for the curve is "
    "the net's own; but the samples are the average's, which has hardly left its random start: "
    "they are dim, with a hint of flowers in them",
    Disease.OUTPUT_MISREAD: "when the sampler takes the net's output for something else (a clean "
    "picture for the noise), the curve is healthy, and the samples are noise from edge to edge",
    Disease.TOO_FEW_PICTURES: "with too few pictures the curve falls below the healthy one, and "
    "the samples are beautiful: they are the training pictures, again and again",
    Disease.STOPPED_TOO_EARLY: "a run that was stopped early has a healthy curve that is shorter, "
    "and samples that are rough, but of the right colours",
}


def patient(letter: str, disease: Disease, look_at: str) -> Exercise:
    """The check of one diagnosis. look_at: where the sign is; ends the hint for a wrong one."""
    return Exercise(
        "03",
        f"patient {letter}",
        lambda: int(disease),
        lambda generator, i: (),
        [
            Mistake(f"{looks}. {look_at}", lambda wrong=wrong: wrong)
            for wrong, looks in LOOKS.items()
            if wrong != disease
        ],
    )


check_patient_a = patient(
    "A", Disease.EMA_TOO_SLOW, "Here the curve is as good as the healthy one. Who drew the samples?"
)
check_patient_b = patient(
    "B", Disease.WRONG_LABELS, "Here most flowers are fine; now look along the rows."
)
check_patient_c = patient(
    "C",
    Disease.BLACK_PICTURES,
    "Here the curve is *better* than healthy. What is so easy to learn?",
)
check_patient_d = patient(
    "D",
    Disease.OUTPUT_MISREAD,
    "Here training went well, and yet no flower is left. What comes after training?",
)
check_patient_e = patient(
    "E", Disease.LR_TOO_HIGH, "Here the curve itself is ill: look at its beginning and its height."
)
check_patient_f = patient(
    "F", Disease.PIXELS_FROM_0_TO_1, "Here the forms are right; look for the darkest pixel."
)
