"""Figures by their pixels and words; the films of lesson 01 by their frames."""

import base64
import io
import math

import matplotlib
import pytest
import torch
from PIL import Image

from flowerdiff import plots
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import cosine_schedule, linear_schedule
from flowerdiff.still import FlowerPlot
from flowerdiff.widgets import histogram_player, noise_stepper, schedule_explorer

X0 = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(0)) * 2 - 1
LINEAR, COSINE = linear_schedule(T=8, beta_T=0.5), cosine_schedule(T=8)


def near(image, colour, slack=40):
    """Where an image (3, H, W) has about a colour "#rrggbb": bool (H, W)."""
    rgb = torch.tensor([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return (image.int() - rgb[:, None, None]).abs().amax(0) < slack


# Figures


def test_a_curve_goes_where_its_values_are():
    rising = plots.curves({"": {"y": torch.linspace(0, 1, 50)}}, "a rising line").pixels
    rows, columns = near(rising, plots.COLOURS[0]).nonzero().T
    assert len(rows) > 200
    order = columns.argsort()
    third = len(order) // 3  # y grows downwards in an image
    assert rows[order[:third]].float().mean() > rows[order[-third:]].float().mean() + 100


def test_curves_of_one_name_look_the_same_in_all_panels():
    y = torch.linspace(0, 1, 50)
    image = plots.curves({"1": {"a": y, "b": 1 - y}, "2": {"b": 1 - y}}, "two panels").pixels
    right = image[:, :, image.shape[2] * 6 // 10 :]
    assert near(right, plots.COLOURS[1]).any() and not near(right, plots.COLOURS[0]).any()


def test_a_histogram_has_its_mass_where_the_values_are():
    values = {"left": torch.full((100,), -2.0), "right": torch.full((50,), 2.0)}
    figure, axes = plots.panel(200)
    plots.draw_histogram(axes, values)
    image = plots.pixels(figure)
    assert image.dtype == torch.uint8 and image.shape == (3, 200, 200)
    patches = [axes.patches[i].get_data() for i in (0, 2)]  # each is filled, then outlined
    width = 7 / 70
    assert [p.values.sum() * width for p in patches] == pytest.approx([1, 1])
    for patch, value in zip(patches, (-2, 2), strict=True):
        i = patch.values.argmax()
        assert patch.edges[i] <= value + 1e-6 and value - 1e-6 <= patch.edges[i + 1]


def test_two_scores_against_each_other():
    """Three points of one series on a falling line, one of another at the upper right."""
    line = {str(i): ((x, x - 0.05, x + 0.05), (1 - x,) * 3) for i, x in enumerate((0.1, 0.5, 0.9))}
    series = {"a": line, "b": {"": ((0.9, 0.9, 0.9), (0.9, 0.8, 1.0))}}
    image = plots.trade_off(series, "a caption", "x", "y").pixels
    first, second = (near(image, colour, 20) for colour in plots.COLOURS[:2])
    height, width = first.shape
    rows, columns = first.nonzero().float().T
    left, right = (rows[side].min() for side in (columns < 0.3 * width, columns > 0.8 * width))
    assert right > left + 0.4 * height
    assert second[: height // 3, int(0.8 * width) :].any()
    thin = near(image, "#66aad1", 20)  # that colour, see through to 60 %
    assert thin.sum(1).max() > 0.05 * width  # an interval to both sides of a point


def test_names_of_points_that_crowd_stand_each_at_its_own(monkeypatch):
    monkeypatch.setattr(plots, "show", lambda figure, caption: figure)
    at = {"first": (0, 1), "one": (0.88, 0.79), "two": (0.95, 0.75), "four": (0.94, 0.74)}
    figure = plots.trade_off(
        {"a": {name: ((x,) * 3, (y,) * 3) for name, (x, y) in at.items()}}, "", "x", "y"
    )
    (axes,) = figure.axes
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    for name, box in boxes.items():
        middle = (box.p0 + box.p1) / 2
        gaps = {n: math.dist(middle, axes.transData.transform(point)) for n, point in at.items()}
        assert min(gaps, key=gaps.get) == name
        assert not any(box.overlaps(other) for n, other in boxes.items() if n != name)


def test_a_plot_of_flowers_keeps_a_colour_that_few_of_them_have():
    noise = torch.rand(3, 200, 400, generator=torch.Generator().manual_seed(0))
    pixels = (noise * torch.tensor([255, 255, 60]).view(3, 1, 1)).byte()  # all but blue
    pixels[:, 90:100, 200:210] = torch.tensor([120, 40, 230], dtype=torch.uint8).view(3, 1, 1)
    file, width = FlowerPlot(pixels, "").png()
    shown = Image.open(io.BytesIO(file)).convert("RGB")
    assert width == 200 and shown.size == (400, 200)
    red, green, blue = shown.getpixel((205, 95))
    assert blue > 200 and green < 80


def test_densities_of_several_panels_have_one_scale():
    x = torch.linspace(-3, 3, 50)
    shown = plots.histograms(
        {"a": {"": torch.randn(100)}, "b": {"": torch.randn(100)}},
        "two histograms",
        expected={"b": {"Gaussian": (x, plots.normal(x))}},
    )
    left, right = shown.pixels.chunk(2, dim=2)
    dark = [near(half, "#000000")[20:-120].sum() for half in (left, right)]
    assert dark[1] > dark[0] + 200  # the expected curve, in black, is in its panel


def test_the_normal_density():
    x = torch.linspace(-8, 8, 4001)
    density = plots.normal(x, mean=0.5, std=1.5)
    assert torch.trapezoid(density, x) == pytest.approx(1, abs=1e-4)
    assert x[density.argmax()] == pytest.approx(0.5, abs=1e-3)


def test_points_and_their_density_are_in_the_same_place():
    right = torch.randn((200, 2), generator=torch.Generator().manual_seed(0)) * 0.1
    right = right + torch.tensor([2.0, 0.0])
    x, y = torch.meshgrid(*[torch.linspace(-3, 3, 61)] * 2, indexing="ij")
    density = (-((x - 2) ** 2 + y**2) / (2 * 0.5**2)).exp()
    image = plots.clouds({"": {"points": right}}, "a cloud in rings", density, size=4).pixels
    dots = near(image, plots.COLOURS[0]).nonzero().float()
    assert len(dots) > 200
    middle, wide = image.shape[1] / 2, image.shape[2]
    assert abs(dots[:, 0].mean() - middle) < 0.05 * wide
    # x = 2 of -3 .. 3: five sixths of the way, and the axes leave some room on the left.
    assert dots[:, 1].mean() == pytest.approx(wide * 5 / 6, rel=0.05)
    rings = near(image[:, :, wide // 2 : -20], "#000000")[40:-80]
    assert (rings.sum(1) > 0).sum() > 0.25 * image.shape[1]  # 99 % lie within 1.5 of the middle


def test_arrows_go_from_their_tails_to_scale():
    tails, by = torch.tensor([[-2.0, 0.0]]), torch.tensor([[4.0, 0.0]])
    posts = torch.tensor([[-2.0, 1.0], [2.0, 1.0]] * 9)  # above both ends of the arrow
    image = plots.clouds({"": {"": posts}}, "an arrow", size=4, arrows={"": (tails, by)}).pixels
    rows, columns = near(image, "#000000")[50:-90, 90:-10].nonzero().T  # without the axes
    assert rows.float().std() < 0.02 * image.shape[1]  # a horizontal line
    above, x = near(image, plots.COLOURS[0]).nonzero().T
    assert above.max() < rows.min()
    x = x.float()
    left, right = (side.mean().item() for side in (x[x < x.mean()], x[x > x.mean()]))
    ends = 90 + columns.min().item(), 90 + columns.max().item()
    assert ends == pytest.approx((left, right), abs=8)


def test_the_levels_hold_their_shares():
    x, y = torch.meshgrid(*[torch.linspace(-5, 5, 401)] * 2, indexing="ij")
    density = (-(x**2 + y**2) / 2).exp()
    levels = plots.levels_around(density, (0.99, 0.5))
    assert levels == pytest.approx([0.01, 0.5], rel=0.02)  # as it happens, of a round Gaussian


def test_a_figure_carries_its_words_and_is_fine(monkeypatch):
    shown = []
    monkeypatch.setattr("flowerdiff.still.display", shown.append)
    picture = plots.curves({"": {"y": torch.arange(5)}}, "five points")
    picture._ipython_display_()
    image, words = shown
    assert image.metadata["alt"] == "five points" and words.data == "*five points*"
    decoded = Image.open(io.BytesIO(image.data))
    assert decoded.size == (picture.pixels.shape[2], picture.pixels.shape[1])
    assert image.width * plots.FINE == decoded.width


def test_plots_leave_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    plots.curves({"": {"y": torch.arange(5)}}, "")
    assert dict(matplotlib.rcParams) == before


# Films


def test_the_noise_stepper_walks_one_step_at_a_time():
    player = noise_stepper(X0, LINEAR, times=[0, 1, 2, 8], seed=5)
    x, states = X0, [X0]
    for t in range(1, 9):
        beta = LINEAR.beta(t)
        x = (1 - beta).sqrt() * x + beta.sqrt() * noise([5], t, (3, 16, 16))[0]
        states.append(x)
    assert len(player.frames) == 4
    for frame, t in zip(player._rows[""], (0, 1, 2, 8), strict=True):
        left = LINEAR.alpha_bar[t].sqrt() * X0
        noisy, share, added, plot = frame.images
        assert torch.equal(noisy, to_uint8(states[t]))
        assert torch.equal(share, to_uint8(left))
        assert torch.equal(added, to_uint8(states[t] - left))
        assert plot.shape == (3, 200, 200)
        assert frame.caption.startswith(f"t = {t} · x0 × {LINEAR.alpha_bar[t].sqrt():.3f} + noise")
        assert f"mean {states[t].mean():.2f}" in frame.alt
    assert "SNR = ∞" in player._rows[""][0].caption


def test_the_explorer_shows_every_schedule_with_the_same_noise():
    schedules = {"linear": LINEAR, "cosine": COSINE}
    player = schedule_explorer({"a": X0, "b": -X0}, schedules, times=[0, 4, 8])
    assert player.titles == ["linear", "cosine", "all of them (curves)"]
    for row, x0 in (("a", X0), ("b", -X0)):
        for frame, t in zip(player._rows[row], (0, 4, 8), strict=True):
            eps = noise([0], 8, (3, 16, 16))[0]  # the same at all t
            for image, schedule in zip(frame.images[:2], schedules.values(), strict=True):
                assert torch.equal(image, to_uint8(schedule.add_noise(x0, t, eps)))
    caption = player._rows["b"][1].caption
    assert caption == f"t = 4 · linear: SNR {LINEAR.snr(4):.2g} · cosine: SNR {COSINE.snr(4):.2g}"
    assert f"linear {LINEAR.alpha_bar[4].sqrt():.0%}" in player._rows["a"][1].alt


def test_the_line_in_the_curves_is_at_t():
    player = schedule_explorer({"a": X0}, {"linear": LINEAR}, times=[0, 4, 8])
    columns = []
    for frame in player._rows["a"]:
        dark = near(frame.images[1], "#000000")[30:170, 45:].sum(0)  # right of the axis' own line
        columns.append(dark.argmax().item())
    steps = [b - a for a, b in zip(columns, columns[1:], strict=False)]
    assert steps[0] > 50 and abs(steps[0] - steps[1]) <= 2, columns


def test_schedules_of_different_length_cannot_be_compared():
    with pytest.raises(ValueError, match="same T"):
        schedule_explorer({"a": X0}, {"linear": LINEAR, "longer": linear_schedule(T=9)})


def test_the_histogram_player_says_mean_and_std_of_each_frame():
    values = torch.stack([torch.full((10,), 0.5), torch.arange(10.0)])
    player = histogram_player({"pixels": {"p": values}}, ["t = 0", "t = 1"])
    assert [frame.caption for frame in player._rows[""]] == ["t = 0", "t = 1"]
    assert player._rows[""][1].alt == "t = 1; p mean 4.50, std 3.03"
    assert player.titles == ["pixels (histogram)"]
    assert not torch.equal(*(frame.images[0] for frame in player._rows[""]))


def test_without_a_browser_a_film_is_a_strip_without_the_plots():
    player = schedule_explorer({"a": X0, "b": -X0}, {"linear": LINEAR}, times=[0, 4, 8])
    data, metadata = player._repr_mimebundle_()
    sheet = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert sheet.height < 100 and metadata["image/png"]["width"] == sheet.width
    alt = metadata["image/png"]["alt"]
    assert alt.startswith("Schedules, side by side. A strip of linear, from t = 0")
    plots_only = histogram_player({"p": {"": torch.zeros(2, 5)}}, ["t = 0", "t = 1"])
    sheet, alt = plots_only.still()
    assert sheet.shape[1] > 300 and "p (histogram)" in alt


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((0.03, 0.09), ["0.03", "0.04", "0.05", "0.06", "0.08"]),
        ((1e-3, 0.5), ["0.001", "0.01", "0.1"]),
        ((0.8, 40), ["1", "3", "10", "30"]),
    ],
)
def test_a_short_logarithmic_axis_has_numbers_that_can_be_read(limits, ticks):
    _, axes = plots.panel(200)
    axes.set_ylim(*limits)
    plots.logarithmic(axes)
    assert axes.get_yscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ticks
    assert not len(axes.get_yticks(minor=True))
