"""Who runs in the sampler race, and how a race looks: all of it without a widget's controls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flowerdiff import plots
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import Step, ddim, ddpm, dpm_solver_pp
from flowerdiff.schedule import Schedule
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.player import HERE, Player
from flowerdiff.widgets.stills import film

AMPLIFIED = 3  # a difference is multiplied before it is shown: most are too small to see
ROWS = ("picture", f"difference × {AMPLIFIED}")
POINTS = "end points"
SHOWN = 500  # points of a cloud: enough to see its shape
LONGEST = 26  # frames of ten pictures each, which are a megabyte or more


def log_snr_times(schedule: Schedule, steps: int, reach: float = 4.0) -> list[int]:
    """Times from T to 0, between them evenly spaced in lambda = log(snr) / 2 from -reach to reach,
    which a second-order solver likes. At most `steps` (3 or more) steps: times that fall on the
    same whole number count once.
    """
    log_snr = schedule.snr(torch.arange(1, schedule.T)).double().log() / 2  # of t = 1 .. T - 1
    wanted = torch.linspace(-reach, reach, steps - 1, dtype=torch.float64)
    inner = 1 + (log_snr[:, None] - wanted).abs().argmin(0)  # (steps - 1,)
    return [schedule.T, *sorted(set(inner.tolist()), reverse=True), 0]


def _even_in_log_snr(model, schedule, x_T, y=None, *, steps: int, **rest) -> Iterator[Step]:
    return dpm_solver_pp(model, schedule, x_T, y, steps=log_snr_times(schedule, steps), **rest)


# Called like a sampler: RACERS[name](model, schedule, x_T, y, steps=10, seeds=[7], clip_x0=1.0).
RACERS: Mapping[str, Callable[..., Iterator[Step]]] = {
    "DDPM": ddpm,
    "DDIM": ddim,
    "DPM-Solver++": dpm_solver_pp,
    "DPM-Solver++ (log-SNR)": _even_in_log_snr,
}


class PointsPlayer(Player):
    """A player whose pictures are plots of points: they are smoothed, pixels are not."""

    _css = (HERE / "player.css").read_text(encoding="utf-8") + (
        f'\n.fd-stage img[alt^="{POINTS};"] {{ image-rendering: auto; }}'
    )

    def still(self) -> tuple[Tensor, str]:
        _, alt = super().still()
        return film(self._rows, self.titles, 4, 1), alt


def points_race(
    finishes: Mapping[str, Sequence[Tensor]],
    captions: Sequence[str],
    truth: Tensor,
    limit: float = 1.8,
) -> Player:
    """A film of points in the plane, {title: [points (N, 2), one for each caption]}, each time over
    a cloud of the truth (M, 2) in grey; of each, the first `SHOWN`.
    """
    frames = []
    for f, caption in enumerate(captions):
        images = []
        for points in finishes.values():
            figure, axes = plots.panel(200, xlim=(-limit, limit), ylim=(-limit, limit))
            axes.set_position((0, 0, 1, 1))
            axes.set_axis_off()
            axes.plot(*truth[:SHOWN].T.numpy(), ".", color="#c8c8c8", markersize=3)
            axes.plot(*points[f][:SHOWN].T.numpy(), ".", color=plots.COLOURS[0], markersize=3)
            images.append(plots.pixels(figure))
        frames.append(Frame(tuple(images), caption, caption))
    look = {"label": "Samplers in two dimensions", "width": 200, "fps": 1.0}
    return PointsPlayer(list(finishes), {POINTS: frames}, **look)


@dataclass(frozen=True)
class Race:
    """What the samplers saw at each of their steps, and the picture they should have ended in."""

    exact: Tensor  # (3, S, S)
    seen: Mapping[int, Mapping[str, list[Tensor]]]  # [steps][racer]: x0_hat (3, S, S) by step

    def distance(self, x: Tensor) -> float:
        """Root of the mean squared difference from the exact picture, over all its numbers."""
        return (x - self.exact).square().mean().sqrt().item()

    def _difference(self, x: Tensor) -> Tensor:
        """How far each pixel is off, in grey, uint8 (3, S, S); black is exact."""
        away = (x - self.exact).abs().mean(0, keepdim=True).expand_as(x)
        return to_uint8(AMPLIFIED * away - 1)

    def finish(self) -> dict[str, list[Frame]]:
        """A film of the finished pictures, a frame for each number of steps."""
        ends = {n: {name: x[-1] for name, x in seen.items()} for n, seen in self.seen.items()}
        return self._film([(f"{n} steps", pictures) for n, pictures in ends.items()])

    def walk(self, steps: int) -> dict[str, list[Frame]]:
        """A film of x0_hat on the way, of at most `LONGEST` frames; who needs fewer steps waits."""
        seen = self.seen[steps]
        last = max(map(len, seen.values())) - 1
        every = torch.linspace(0, last, min(last + 1, LONGEST)).round().int().tolist()
        now = [{name: x[min(i, len(x) - 1)] for name, x in seen.items()} for i in every]
        return self._film([(f"step {i} of {last}", x) for i, x in zip(every, now, strict=True)])

    def _film(self, scenes) -> dict[str, list[Frame]]:
        film = {row: [] for row in ROWS}
        for where, pictures in scenes:
            far = " · ".join(f"{name} {self.distance(x):.3f}" for name, x in pictures.items())
            caption = f"{where} · distance from exact: {far}"
            shown = [*pictures.values(), self.exact]
            away = [self._difference(x) for x in shown]
            for row, images in zip(ROWS, ([to_uint8(x) for x in shown], away), strict=True):
                film[row].append(Frame(tuple(images), caption, caption))
        return film
