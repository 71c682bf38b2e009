"""Noise on a picture, step by step; schedules side by side; histograms that grow. All are films for
the player: everything is worked out before, and then moves without Python.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from flowerdiff import plots
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import Schedule
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.player import HERE, Player
from flowerdiff.widgets.stills import film

PLOT = 200  # pixels, of a plot; more would make the notebook's file large
PLOTS = ("(curves)", "(histogram)")  # how the titles of panels with plots end
NOISY, LEFT, ADDED, VALUES = (
    "x_t",
    "= what is left of x0",
    "+ the noise",
    "pixel values (histogram)",
)


class PlotPlayer(Player):
    """A player with plots beside its pictures, or alone. Pixels stay square, plots are smoothed."""

    _css = (HERE / "player.css").read_text(encoding="utf-8") + "".join(
        f'\n.fd-stage img[alt*="{end};"] {{ image-rendering: auto; }}' for end in PLOTS
    )

    def still(self) -> tuple[Tensor, str]:
        """Four frames; of a film of pictures only the pictures, and of its rows the first."""
        pictures = [i for i, title in enumerate(self.titles) if not title.endswith(PLOTS)]
        panels = pictures or list(range(len(self.titles)))
        rows = {
            name: [Frame(tuple(f.images[i] for i in panels), f.caption, f.alt) for f in frames]
            for name, frames in list(self._rows.items())[:1]
        }
        titles = [self.titles[i] for i in panels]
        first, last = (next(iter(self._rows.values()))[i].caption for i in (0, -1))
        alt = f"{self.label}. A strip of {', '.join(titles)}, from {first} to {last}."
        return film(rows, titles, 4, 2 if pictures else 1), alt


def noise_stepper(
    x0: Tensor, schedule: Schedule, times: Sequence[int] | None = None, seed: int = 0
) -> PlotPlayer:
    """Watch a picture go. Every step adds fresh noise; at `times` (12 of them unless given) the
    noisy picture is shown, the two parts that it is the sum of, and the values of its pixels.

    x0: float (3, H, W) in [-1, 1]. Step t's noise is `noise([seed], t)`.
    """
    times = _times(schedule) if times is None else times
    frames, x_t = [], x0
    for t in range(max(times) + 1):
        if t:
            beta = schedule.beta(t)
            x_t = (1 - beta).sqrt() * x_t + beta.sqrt() * noise([seed], t, x0.shape)[0]
        if t in times:
            frames.append(_noise_frame(x0, x_t, t, schedule))
    titles = (NOISY, LEFT, ADDED, VALUES)
    return PlotPlayer(titles, {"": frames}, label="Adding noise, step by step", width=230)


def _noise_frame(x0: Tensor, x_t: Tensor, t: int, schedule: Schedule) -> Frame:
    alpha_bar = schedule.alpha_bar[t]
    left, std = alpha_bar.sqrt() * x0, (1 - alpha_bar).sqrt()
    figure, axes = plots.panel(PLOT)
    x = torch.linspace(-3.5, 3.5, 200)
    plots.draw_histogram(axes, {"": x_t}, {"": (x, plots.normal(x))})
    axes.set_ylim(0, 1.25)
    shares = f"x0 × {alpha_bar.sqrt():.3f} + noise × {std:.3f}"
    return Frame(
        (*map(to_uint8, (x_t, left, x_t - left)), plots.pixels(figure)),
        f"t = {t} · {shares} · SNR = {_snr(schedule, t)}",
        f"t {t}, picture {alpha_bar.sqrt():.0%}, noise {std:.0%}; pixel values with mean "
        f"{x_t.mean():.2f} and standard deviation {x_t.std():.2f}",
    )


def schedule_explorer(
    pictures: Mapping[str, Tensor],
    schedules: Mapping[str, Schedule],
    times: Sequence[int] | None = None,
    seed: int = 0,
) -> PlotPlayer:
    """The same pictures and the same noise under several schedules, side by side, with the curves
    of alpha_bar and SNR and a line where t is.

    pictures: float (3, H, W) in [-1, 1] by name, one row each. schedules: of the same T.
    """
    if len({schedule.T for schedule in schedules.values()}) != 1:
        raise ValueError(f"schedules of the same T, please; got {list(schedules.values())}")
    schedule = next(iter(schedules.values()))
    times = _times(schedule) if times is None else times
    rows = {name: [] for name in pictures}
    for t in times:
        caption = " · ".join(f"{name}: SNR {_snr(s, t)}" for name, s in schedules.items())
        spoken = ", ".join(f"{n} {s.alpha_bar[t].sqrt():.0%}" for n, s in schedules.items())
        for i, (name, x0) in enumerate(pictures.items()):
            eps = noise([seed], schedule.T, x0.shape)[
                0
            ]  # at all t: the picture fades, nothing flickers
            noisy = [to_uint8(s.add_noise(x0, t, eps)) for s in schedules.values()]
            plot = _curves(schedules, t, snr=i % 2 == 1)
            alt = f"t {t}; left of the picture: {spoken}"
            rows[name].append(Frame((*noisy, plot), f"t = {t} · {caption}", alt))
    titles = [*schedules, "all of them (curves)"]
    return PlotPlayer(titles, rows, label="Schedules, side by side", width=250)


def _curves(schedules: Mapping[str, Schedule], t: int, snr: bool) -> Tensor:
    figure, axes = plots.panel(PLOT)
    for style, (name, schedule) in enumerate(schedules.items()):
        y = schedule.snr(torch.arange(schedule.T + 1)) if snr else schedule.alpha_bar
        plots.draw_curve(axes, name, y, style)
        axes.plot(t, y[t], "o", color=plots.COLOURS[style], markeredgecolor="white")
    axes.axvline(t, color="black", linewidth=1)
    axes.set_title("SNR (log)" if snr else "alpha_bar", fontsize=10)
    axes.tick_params(labelsize=8)
    if snr:
        axes.set_yscale("log")
        axes.set_ylim(1e-5, 1e5)
    else:
        axes.legend(frameon=False, fontsize=8, handlelength=1.6, borderaxespad=0)
    return plots.pixels(figure)


def histogram_player(
    panels: Mapping[str, Mapping[str, Tensor]],
    captions: Sequence[str],
    expected: Sequence[Mapping[str, tuple[Tensor, Tensor]]] | None = None,
    label: str = "Histograms, step by step",
) -> PlotPlayer:
    """Histograms over time, {title: {name: values (F, N)}}: F frames, one for each caption.

    expected: for each frame {title: (x, density)}, a curve that is drawn over that histogram.
    """
    frames = []
    for f, caption in enumerate(captions):
        images, spoken = [], []
        for title, samples in panels.items():
            now = {name: values[f] for name, values in samples.items()}
            curve = (expected[f] if expected else {}).get(title)
            figure, axes = plots.panel(PLOT * 3 // 2)
            plots.draw_histogram(axes, now, {"": curve} if curve else {}, (-3.2, 3.2))
            axes.set_ylim(0, 1.3)
            if len(now) > 1:
                axes.legend(frameon=False, fontsize=9, loc="upper left", handlelength=1)
            images.append(plots.pixels(figure))
            spoken += [f"{n} mean {v.mean():.2f}, std {v.std():.2f}" for n, v in now.items()]
        frames.append(Frame(tuple(images), caption, "; ".join([caption, *spoken])))
    titles = [f"{title} (histogram)" for title in panels]
    return PlotPlayer(titles, {"": frames}, label=label, width=PLOT * 3 // 2)


def _times(schedule: Schedule) -> list[int]:
    """Times that follow the eye: finer in the first half, where most is to be seen."""
    return [round(f / 16 * schedule.T) for f in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16)]


def _snr(schedule: Schedule, t: int) -> str:
    return "∞" if t == 0 else f"{schedule.snr(t).item():.2g}"
