"""Lesson 05, guidance: the exercise about negative labels."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake

# 6 · the labels of one pass, with negative ones


def both_labels(y, avoid, null_label):
    return torch.cat([y, torch.where(avoid >= 0, avoid, null_label)])


def _draw_avoid(generator, i):
    batch, null_label = [(4, 5), (5, 10), (6, 102), (4, 7), (5, 102)][i]
    y = torch.randint(1, null_label, (batch,), generator=generator)
    avoid = torch.randint(1, null_label, (batch,), generator=generator)
    avoid[0], avoid[1] = 0, -1  # the first class can be avoided as well; one has none to avoid
    order = torch.randperm(batch, generator=generator)
    return y, avoid[order], null_label


def _interleaved(y, avoid, null_label):
    return torch.stack([y, torch.where(avoid >= 0, avoid, null_label)], 1).flatten()


check_both_labels = Exercise(
    "05",
    "away from another flower",
    both_labels,
    _draw_avoid,
    [
        Mistake(
            "the halves are swapped: first the labels to go towards, then those to go away from.",
            lambda y, avoid, null: torch.cat([torch.where(avoid >= 0, avoid, null), y]),
        ),
        Mistake(
            "-1 stands for 'nothing special to avoid'; the net knows no label -1. What do we go "
            "away from otherwise?",
            lambda y, avoid, null: torch.cat([y, avoid]),
        ),
        Mistake(
            "the wrong way round: where there *is* a flower to avoid, you take the null label.",
            lambda y, avoid, null: torch.cat([y, torch.where(avoid >= 0, null, avoid)]),
        ),
        Mistake(
            "0 is a flower. Where there is nothing to avoid, it is the null label as usual.",
            lambda y, avoid, null: torch.cat([y, avoid.clamp(min=0)]),
        ),
        Mistake(
            "nobody avoids anything: the second half is the null label for all.",
            lambda y, avoid, null: torch.cat([y, torch.full_like(y, null)]),
        ),
        Mistake(
            "class 0 is a flower that can be avoided; only -1 means none.",
            lambda y, avoid, null: torch.cat([y, torch.where(avoid > 0, avoid, null)]),
        ),
        Mistake(
            "the labels take turns; the model's answer is cut into two halves, so all y come "
            "first.",
            _interleaved,
        ),
        Mistake(
            "where there is nothing to avoid you go away from y itself, and w does nothing.",
            lambda y, avoid, null: torch.cat([y, torch.where(avoid >= 0, avoid, y)]),
        ),
        Mistake(
            "the first half must stay y: also where there is nothing to avoid.",
            lambda y, avoid, null: torch.cat(
                [torch.where(avoid >= 0, y, null), torch.where(avoid >= 0, avoid, null)]
            ),
        ),
        Mistake(
            "the flowers to avoid come after the null labels: three thirds. A pass for *two* "
            "predictions has 2 B labels.",
            lambda y, avoid, null: torch.cat([y, torch.full_like(y, null), avoid]),
        ),
        Mistake(
            "only the second half; the pass needs both, 2 B labels.",
            lambda y, avoid, null: torch.where(avoid >= 0, avoid, null),
        ),
    ],
)
