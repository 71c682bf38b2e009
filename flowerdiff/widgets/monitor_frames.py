"""A training run as frames: the loss so far, the samples, and the numbers in words."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flowerdiff import plots
from flowerdiff.widgets.frames import Frame

PLOT = 300  # pixels
FIRST = 10  # steps before a rate means anything
WINDOW = 50  # steps that the thick line averages over


def smoothed(losses: Sequence[float], window: int = WINDOW) -> Tensor:
    """The mean of each loss and those before it, (N,): of the last `window`, or of the last quarter
    where that is less, for at the beginning a loss falls fast.
    """
    sums = torch.tensor([0.0, *losses], dtype=torch.float64).cumsum(0)
    end = torch.arange(1, len(losses) + 1)
    begin = end - (end // 4).clamp(1, window)
    return ((sums[end] - sums[begin]) / (end - begin)).float()


def loss_plot(losses: Sequence[float], goal: int, size: int = PLOT) -> Tensor:
    """uint8 (3, size, size): every step's loss as a thin line, their running mean as a thick one.
    The axis of the losses is logarithmic: small differences count most at the end.
    """
    figure, axes = plots.panel(size)
    steps = torch.arange(1, len(losses) + 1)
    if losses:
        axes.plot(steps, losses, color=plots.COLOURS[4], linewidth=0.7)
        axes.plot(steps, smoothed(losses), color=plots.COLOURS[0], linewidth=2)
        axes.set_ylim(min(losses) / 1.2, max(max(losses) * 1.1, min(losses) * 1.5))
        plots.logarithmic(axes)
    axes.set_xlim(0, max(goal, 1))
    axes.tick_params(labelsize=9)
    return plots.pixels(figure)


def caption(
    step: int, goal: int, images: int, loss: float, rate: float, seconds_left: float
) -> str:
    """The numbers below the pictures. rate: images per second."""
    left = f"{int(seconds_left) // 60}:{int(seconds_left) % 60:02d} left"
    left = left if step >= FIRST else "measuring the time"  # the first steps are slower than others
    return " · ".join(
        [
            f"step {step} of {goal}",
            f"{images:,} images",
            f"loss {loss:.3f}",
            f"{rate:.0f} images/s",
            left if step < goal else "done",
        ]
    )


def training_frame(run, samples: Tensor, at: int) -> Frame:
    """What a run looks like now. samples: uint8 (3, H, W), drawn after step `at`."""
    loss = smoothed(run.losses)[-1].item() if run.losses else float("nan")
    images = run.progress.images if run.progress else 0
    words = caption(run.step, run.goal, images, loss, run.images_per_second, run.seconds_left)
    red, green, blue = (round(c) for c in samples.float().mean((1, 2)).tolist())
    spoken = f"{words}; samples of step {at}, mean colour red {red}, green {green}, blue {blue}"
    return Frame((loss_plot(run.losses, run.goal), samples), words, spoken)
