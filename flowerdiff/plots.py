"""Tensors to figures: curves and histograms, with the words that stand in for them.

A figure is drawn on its own canvas, without pyplot: nothing is left open, nothing is shown twice.
Curves differ in colour and in dash, in the colours of Okabe and Ito, which colour-blind people can
tell apart (https://jfly.uni-koeln.de/color/).
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from torch import Tensor

from flowerdiff.still import FINE, Plot

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
DASHES = ("-", "--", ":", "-.", "-", "--")
DPI = 96  # pixels on the screen for an inch of a figure

Curve = Tensor | tuple[Tensor, Tensor]  # y over 0, 1, 2, ...; or (x, y)


def curves(
    panels: Mapping[str, Mapping[str, Curve]],
    caption: str,
    xlabel: str | Sequence[str] = "t",
    log: Sequence[str] = (),
    ylim: tuple[float, float] | None = None,
    size: tuple[float, float] = (3.4, 2.8),
) -> Plot:
    """Panels side by side, {title: {name: curve}}, as one picture of a notebook.

    Curves of the same name look the same in all panels; the names stand in the first one. log: the
    titles of panels whose y axis is logarithmic. xlabel: of all panels, or one for each. ylim: for
    all panels. size: inches of one panel, width and height. A curve y may also be a bundle of N
    thin ones, (length, N).
    """
    figure = _figure(size[0] * len(panels), size[1])
    styles = {
        name: i for i, name in enumerate(dict.fromkeys(n for p in panels.values() for n in p))
    }
    xlabels = [xlabel] * len(panels) if isinstance(xlabel, str) else xlabel
    for i, (title, lines) in enumerate(panels.items()):
        axes = _axes(figure, 1, len(panels), i + 1, title=title, xlabel=xlabels[i])
        for name, curve in lines.items():
            draw_curve(axes, name, curve, styles[name])
        if ylim:
            axes.set_ylim(ylim)
        if title in log:
            logarithmic(axes)
        if i == 0 and len(styles) > 1:
            axes.legend(frameon=False)
    return show(figure, caption)


def logarithmic(axes) -> None:
    """A logarithmic y axis. Where it is short, its ticks are plain numbers, at least three of them
    if there is room: 0.04 and 0.05 can be read off, between 10^-2 and 10^-1 nothing can.
    """
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low > 1000:
        return
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8)):
        ticks = [d * 10.0**e for e in range(-9, 9) for d in digits if low <= d * 10.0**e <= high]
        if len(ticks) > 2:
            break
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def histograms(
    panels: Mapping[str, Mapping[str, Tensor]],
    caption: str,
    expected: Mapping[str, Mapping[str, Curve]] | None = None,
    xlabel: str = "value",
    limits: tuple[float, float] = (-3.5, 3.5),
    size: tuple[float, float] = (3.4, 2.6),
) -> Plot:
    """Panels side by side, {title: {name: values}}, as one picture; `expected` has the same titles:
    curves {name: (x, density)} that are drawn over the histograms, in black.
    """
    figure = _figure(size[0] * len(panels), size[1])
    for i, (title, samples) in enumerate(panels.items()):
        axes = _axes(figure, 1, len(panels), i + 1, title=title, xlabel=xlabel)
        black = (expected or {}).get(title, {})
        draw_histogram(axes, samples, black, limits)
        if black or (i == 0 and len(samples) > 1):
            axes.legend(frameon=False, fontsize=9, loc="upper right")
    top = 1.2 * max(axes.get_ylim()[1] for axes in figure.axes)
    for axes in figure.axes:
        axes.set_ylim(0, top)  # densities can be compared across panels
    return show(figure, caption)


def clouds(
    panels: Mapping[str, Mapping[str, Tensor]],
    caption: str,
    density: Tensor | None = None,
    limits: tuple[float, float] = (-3, 3),
    size: float = 2.6,
    arrows: Mapping[str, tuple[Tensor, Tensor]] | None = None,
) -> Plot:
    """Points in the plane: square panels side by side, {title: {name: points (N, 2)}}.

    density: (G, G) over the square of `limits`, first index for x, second for y. In every panel
    lines enclose 50, 90 and 99 % of it: where points drawn from it would lie. size: inches.
    arrows: {title: (from (M, 2), by (M, 2))}, in black and to scale.
    """
    figure = _figure(size * len(panels), size)
    # or the titles of square panels would touch the edge of the picture
    figure.set_layout_engine("compressed")
    for i, (title, groups) in enumerate(panels.items()):
        axes = _axes(figure, 1, len(panels), i + 1, title=title, xlim=limits, ylim=limits)
        axes.set_aspect("equal")
        for (name, points), colour in zip(groups.items(), cycle(COLOURS)):
            x, y = _array(points).T
            axes.plot(x, y, ".", color=colour, markersize=2, alpha=0.5, label=name)
        if density is not None:
            at = np.linspace(*limits, len(density))
            levels = levels_around(density, (0.99, 0.9, 0.5))
            axes.contour(at, at, _array(density).T, levels, colors="black", linewidths=1)
        if title in (arrows or {}):
            tails, by = map(_array, arrows[title])
            axes.quiver(*tails.T, *by.T, angles="xy", scale_units="xy", scale=1, width=0.008)
        if i == 0 and len(groups) > 1:
            axes.legend(frameon=False, fontsize=9, markerscale=4)
    return show(figure, caption)


def trade_off(
    series: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    caption: str,
    xlabel: str,
    ylabel: str,
    size: tuple[float, float] = (5.2, 3.6),
) -> Plot:
    """Two scores against each other, {series: {point: (x, y)}}: each point with its name beside it,
    each series joined by a line. x and y: the value and the two ends of its interval.
    """
    figure = _figure(*size)
    axes = _axes(figure, 1, 1, 1, xlabel=xlabel, ylabel=ylabel)
    named = []  # (name, x, y) of all points
    for style, (name, points) in enumerate(series.items()):
        colour, dash = COLOURS[style % len(COLOURS)], DASHES[style % len(DASHES)]
        x, y = (_array(list(side)).T for side in zip(*points.values(), strict=True))  # (3, points)
        axes.plot(x[0], y[0], dash, marker="o", color=colour, label=name)
        axes.hlines(y[0], x[1], x[2], colour, linewidth=0.8, alpha=0.6)
        axes.vlines(x[0], y[1], y[2], colour, linewidth=0.8, alpha=0.6)
        named += zip(points, x[0], y[0], strict=True)
    axes.legend(frameon=False)
    figure.draw_without_rendering()  # now it is settled where on the screen the points are
    taken = axes.transData.transform([point for _, *point in named])  # (points, 2)
    corners = np.array([(5, 5), (-5, -5), (5, -5), (-5, 5)])
    for i, (name, *point) in enumerate(named):  # at the corner that is farthest from all the rest
        middles = taken[i] + 2 * corners * figure.dpi / 72  # of the name, about
        gaps = np.linalg.norm(middles[:, None] - taken, axis=2).min(axis=1)
        dx, dy = corners[gaps.argmax()]
        sides = {"ha": "left" if dx > 0 else "right", "va": "bottom" if dy > 0 else "top"}
        axes.annotate(name, point, (dx, dy), textcoords="offset points", **sides)
        taken = np.vstack([taken, middles[gaps.argmax()]]) if name else taken
    return show(figure, caption)


def levels_around(density: Tensor, shares: Sequence[float]) -> list[float]:
    """For each share of the mass the density at the edge of the smallest region that holds it."""
    falling = density.flatten().sort(descending=True).values
    held = falling.cumsum(0) / falling.sum()
    return [falling[(held < share).sum()].item() for share in shares]


def draw_curve(axes, name: str, curve: Curve, style: int) -> None:
    """One curve on matplotlib axes; `style` chooses colour and dash together."""
    x, y = curve if isinstance(curve, tuple) else (torch.arange(len(curve)), curve)
    colour, dash = COLOURS[style % len(COLOURS)], DASHES[style % len(DASHES)]
    thin = {"linewidth": 0.8, "alpha": 0.6} if y.ndim == 2 else {"linewidth": 2}
    lines = axes.plot(_array(x), _array(y), dash, color=colour, **thin)
    lines[0].set_label(name)


def draw_histogram(
    axes,
    samples: Mapping[str, Tensor],
    expected: Mapping[str, Curve] | None = None,
    limits: tuple[float, float] = (-3.5, 3.5),
    bins: int = 70,
) -> None:
    """Histograms of density on matplotlib axes, and expected densities in black over them."""
    edges = np.linspace(*limits, bins + 1)
    width = (limits[1] - limits[0]) / bins
    for (name, values), colour in zip(samples.items(), cycle(COLOURS)):
        counts, _ = np.histogram(_array(values), edges)
        density = counts / (values.numel() * width)
        axes.stairs(density, edges, fill=True, color=colour, alpha=0.45, label=name)
        axes.stairs(density, edges, color=colour, linewidth=1)
    for name, (x, y) in (expected or {}).items():
        axes.plot(_array(x), _array(y), color="black", linewidth=1.5, label=name)
    axes.set_xlim(limits)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def normal(x: Tensor, mean=0.0, std=1.0) -> Tensor:
    """The density of a Gaussian at x, same shape."""
    return torch.distributions.Normal(mean, std).log_prob(x).exp()


def panel(size: int, **axes):
    """An empty square figure of `size` pixels and its axes, for a frame of a player."""
    figure = _figure(size / DPI, size / DPI)
    figure.set_layout_engine("none")  # the axes stay in one place from frame to frame
    return figure, _axes(figure, position=(0.2, 0.12, 0.76, 0.76), **axes)


def pixels(figure, scale: float = 1) -> Tensor:
    """A figure as one uint8 image (3, H, W); `scale` 2 for a sharp one on fine screens."""
    figure.set_dpi(DPI * scale)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    image = (image.astype(np.uint16) + 8) // 17 * 17  # 16 shades are enough, and a smaller file
    return torch.from_numpy(image.astype(np.uint8)).permute(2, 0, 1)


def show(figure, caption: str) -> Plot:
    """A figure as a picture of a notebook, finer than the screen."""
    return Plot(pixels(figure, FINE), caption)


def _figure(width: float, height: float):
    # Here and not above: matplotlib takes half a second to load, and not every lesson plots.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _axes(figure, *position: int, **properties):
    axes = figure.add_subplot(*position, **properties)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _array(values: Tensor) -> np.ndarray:
    return torch.as_tensor(values).detach().cpu().numpy()
