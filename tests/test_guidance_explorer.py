"""The guidance explorer by value, and the two numbers of colour that it shows."""

import pytest
import torch
from fake_flowers import Remembering

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from test_widgets import decoded, find

from flowerdiff.colour import clipped, saturation
from flowerdiff.guidance import guided, guided_between
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS, ddim, dpm_solver_pp, noise
from flowerdiff.widgets import guidance_explorer
from flowerdiff.widgets.guidance_explorer import SEEDS, WEIGHTS

MODEL = Remembering(image_size=16)
NULL = MODEL.null_label


def drawn(name, w, sampler=dpm_solver_pp, seed=3, steps=4, low=0, high=800):
    """One row of pictures, one at a time and with the library alone: uint8 (3, 3, 16, 16)."""
    images = []
    for s in range(seed, seed + 3):
        own = {"seeds": [s], "clip_x0": 1.0}
        model = guided_between(MODEL, w, NULL, low, high)
        x_T, y = noise([s], 800, (3, 16, 16)), torch.tensor([MODEL.label(name)])
        *_, last = sampler(model, MODEL.schedule, x_T, y, steps=steps, **own)
        images.append(to_uint8(last.x_t)[0])
    return torch.stack(images)


@pytest.fixture
def explorer():
    return guidance_explorer(MODEL, "daisy", "rose", seed=3, steps=4)


def shown(explorer, w, row):
    """The pictures of a row that the page gets for a w."""
    urls = explorer.player.frames[WEIGHTS.index(w)]["images"][row]
    return torch.stack([decoded(url) for url in urls])


def near(a, b):
    return (a.int() - b.int()).abs().max() <= 1  # a batch's sums may round otherwise than one's


# colour


def image(*colours):
    """uint8 (1, 3, 1, N) of N pixels."""
    return torch.tensor(colours, dtype=torch.uint8).T[None, :, None]


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ([(7, 7, 7)], 0),
        ([(0, 0, 0)], 0),
        ([(200, 0, 0)], 1),
        ([(200, 100, 50)], 0.75),
        ([(200, 0, 0), (90, 90, 90)], 0.5),
    ],
)
def test_saturation_is_that_of_hsv(colours, expected):
    assert saturation(image(*colours)).tolist() == pytest.approx([expected])


def test_clipped_counts_both_ends_of_the_scale():
    images = torch.cat([image((0, 255, 7), (1, 254, 255)), image((1, 2, 3), (4, 5, 6))])
    assert clipped(images).tolist() == pytest.approx([0.5, 0])


@pytest.mark.parametrize("measure", [saturation, clipped])
def test_colours_are_measured_of_pixels(measure):
    with pytest.raises(TypeError, match="to_uint8"):
        measure(torch.zeros(1, 3, 2, 2))


# the explorer


@pytest.mark.parametrize("w", [-1, 0, 2, 8])
def test_every_frame_is_what_the_sampler_draws(explorer, w):
    for row, name in enumerate(["daisy", "rose"]):
        assert near(shown(explorer, w, row), drawn(name, w))
    assert torch.equal(
        explorer.images[w], torch.cat([shown(explorer, w, 0), shown(explorer, w, 1)])
    )


def test_w_minus_1_forgets_the_label_and_nothing_else(explorer):
    assert torch.equal(shown(explorer, -1, 0), shown(explorer, -1, 1))
    assert not torch.equal(shown(explorer, 0, 0), shown(explorer, 0, 1))


def test_the_caption_gives_both_names_of_w_and_measures_the_pictures(explorer):
    for i, w in enumerate(WEIGHTS):
        images = explorer.images[w]
        frame = explorer.player.frames[i]
        assert frame["caption"] == (
            f"w = {w:g} · guidance_scale = {w + 1:g} · saturation "
            f"{saturation(images).mean():.2f} · {clipped(images).mean():.1%} of the values clipped"
        )
        assert frame["alts"][1].startswith(
            f"w {w:g}; saturation {saturation(images[3:]).mean():.2f}"
        )
    assert explorer.player.index == WEIGHTS.index(0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_control_has_its_say(explorer, sampler):
    explorer.player.index = 7
    explorer.first.value, explorer.second.value, explorer.seed.value = "tulip", "daisy", 11
    explorer.sampler.value, explorer.steps.value = sampler, 3
    explorer.start.value, explorer.stop.value = 600, 200
    assert explorer.draw_button.button_style == "primary"  # a click would change the picture
    explorer.draw_button.click()
    assert explorer.message.value == ""
    assert explorer.draw_button.button_style == ""
    for row, name in enumerate(["tulip", "daisy"]):
        expected = drawn(name, 4, SAMPLERS[sampler], seed=11, steps=3, low=200, high=600)
        assert near(shown(explorer, 4, row), expected)
    assert explorer.player.index == 7  # the same w as before, to compare
    how = f"seeds 11 to 13 · {sampler}, 3 steps · guided at t = 600 to 200"
    assert explorer.player.rows == [f"tulip · {how}", f"daisy · {how}"]


def test_an_interval_differs_from_the_whole_walk_and_from_none(explorer):
    whole = explorer.images[8]
    explorer.start.value = 500
    explorer.draw()
    assert not torch.equal(explorer.images[8], whole)
    assert not torch.equal(explorer.images[8], explorer.images[0])
    explorer.start.value = 0
    explorer.draw()
    assert torch.equal(explorer.images[8], explorer.images[0])


def test_each_step_is_shown_as_soon_as_it_is_there(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer.player, "send", sent.append)
    explorer.draw_button.click()
    live = [message for message in sent if message["frame"]]
    assert [message["index"] for message in live] == [i for i in range(10) for _ in range(5)]
    assert {message["total"] for message in live} == {9}
    assert live[0]["rows"] == explorer.player.rows
    x_T = noise([3], 800, (3, 16, 16))
    first = next(ddim(guided(MODEL, -1, NULL), MODEL.schedule, x_T, torch.tensor([0]), clip_x0=1.0))
    assert near(decoded(live[0]["frame"]["images"][0][0]), to_uint8(first.x0_hat)[0])
    assert sent[-1]["frame"] is None  # and then back to the film


def test_what_cannot_be_drawn_is_said(explorer):
    before = explorer.images
    explorer.second.value = "daisy"
    explorer.draw_button.click()
    assert "choose two different flowers" in explorer.message.value
    explorer.second.value, explorer.start.value, explorer.stop.value = "rose", 200, 600
    explorer.draw_button.click()
    assert "guided from t = 200 down to 600 is nowhere" in explorer.message.value
    assert explorer.images is before and not explorer.draw_button.disabled
    explorer.start.value = 800
    explorer.draw_button.click()
    assert explorer.message.value == "" and explorer.images is not before


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"second": "daisy"}, "two different"),
        ({"sampler": "euler"}, "ddim, ddpm, dpm_solver_pp"),
        ({"steps": 0}, "steps from 1 to 50"),
        ({"steps": 51}, "steps from 1 to 50"),
    ],
)
def test_a_wrong_argument_is_refused_at_once(wrong, hint):
    with pytest.raises(ValueError, match=hint):
        guidance_explorer(MODEL, "daisy", **{"second": "rose", **wrong})


def test_where_no_widget_runs_there_is_a_picture(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer)
    sheet = decoded(data["image/png"])
    for w in (-1, 8):
        assert find(sheet, explorer.images[w][0], 1) and find(sheet, explorer.images[w][3], 1)
    alt = metadata["image/png"]["alt"]
    assert f"at w = 8: saturation {saturation(explorer.images[8]).mean():.2f}" in alt


def test_the_repr_is_the_same_every_time(explorer):
    how = "seeds 3 to 5 · dpm_solver_pp, 4 steps"
    assert repr(explorer) == f"GuidanceExplorer(daisy · {how}; rose · {how})"
    assert len(explorer.player.titles) == len(SEEDS) == 3
