"""Doodles by value: what code draws, what becomes of it, and what the page may send."""

import base64

import pytest
import torch
from fake_flowers import FakeFlowers

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from test_widgets import Breaks, decoded, find

from flowerdiff.guidance import guided
from flowerdiff.pixels import from_uint8, png_bytes, to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.widgets import PRESETS, doodle_canvas, sdedit
from flowerdiff.widgets.sketches import PALETTE, Doodle

MODEL = FakeFlowers(image_size=16)
SUN = PRESETS["sun"].draw(16)


def url(pixels):
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def rgb(name):
    return torch.tensor([int(PALETTE[name][i : i + 2], 16) for i in (1, 3, 5)]).byte()


def edited(doodle, t=550, label="rose", w=2.0, seed=1, steps=4):
    """A doodle's walk, written out with the library."""
    x0 = from_uint8(doodle)[None]
    x_t = MODEL.schedule.add_noise(x0, t, noise([seed], t, (3, 16, 16)))
    eps = guided(MODEL, w, MODEL.null_label)
    y = torch.tensor([MODEL.label(label)])
    return list(ddim(eps, MODEL.schedule, x_t, y, start=t, steps=steps, clip_x0=1.0))


@pytest.fixture
def bench():
    return doodle_canvas(MODEL, "sun", "rose", steps=4)


# Sketches


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", [16, 64])
def test_a_sketch_has_its_colours(name, size):
    image, sketch = PRESETS[name].draw(size), PRESETS[name]
    assert image.shape == (3, size, size) and image.dtype == torch.uint8
    colours = {tuple(c) for c in image.flatten(1).T.tolist()}
    named = [sketch.ground, sketch.petal, sketch.heart, *(["green"] if sketch.stem else [])]
    assert colours == {tuple(rgb(c).tolist()) for c in named}


def test_a_sketch_is_where_it_should_be():
    sketch = Doodle("white", "red", "black", 4, 0.5, 0.2, 0.1, at=(0.25, -0.25))
    image = sketch.draw(80)
    dot = (image == rgb("black")[:, None, None]).all(0).nonzero().float().mean(0)
    assert dot.tolist() == pytest.approx([1.25 * 40 - 0.5, 1.25 * 40 - 0.5])  # row, column
    red = (image == rgb("red")[:, None, None]).all(0)
    assert red[int(1.25 * 40 - 0.5 * 40), 50] and red[50, int(1.25 * 40 + 0.5 * 40)]
    assert red.sum().item() == pytest.approx(4 * torch.pi * 8**2, rel=0.05)


# SDEdit


@pytest.mark.parametrize("t", [1, 3, 400, 800])
def test_sdedit_is_the_walk_from_the_noised_doodle(t):
    walk = list(sdedit(MODEL, SUN, t, "rose", w=1.5, seed=4, steps=5))
    expected = edited(SUN, t, w=1.5, seed=4, steps=min(5, t))
    assert [step.t for step in walk] == [step.t for step in expected]
    for step, other in zip(walk, expected, strict=True):
        torch.testing.assert_close(step.x_t, other.x_t)


# The canvas


def test_the_canvas_holds_what_the_page_sends(bench):
    assert torch.equal(bench.canvas.pixels(), SUN)
    drawn = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    bench.canvas.image = url(drawn)
    assert torch.equal(bench.canvas.pixels(), drawn)
    assert bench.grow_button.button_style == "primary"


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ("", "no picture"),
        ("data:image/png;base64,!!", "no picture"),
        ("data:image/png;base64,aGVsbG8=", "no picture"),
        (url(torch.zeros(3, 8, 16, dtype=torch.uint8)), "16 x 16"),
    ],
)
def test_what_is_no_picture_is_refused_where_it_is_seen(sent, hint, bench):
    walk = bench.walk
    bench.canvas.image = sent
    with pytest.raises(ValueError, match=hint):
        bench.canvas.pixels()
    bench.grow_button.click()
    assert "<b>ValueError</b>: the canvas sent" in bench.message.value
    assert bench.walk is walk
    bench.preset.value = "ball"  # and it can be used again
    bench.grow_button.click()
    assert bench.message.value == ""


# The widget


def test_the_preset_is_grown_at_once(bench):
    expected = edited(SUN)
    for i, step in enumerate(expected):
        doodle, x_t, x0_hat = bench.player.frames[i]["images"][0]
        assert torch.equal(decoded(doodle), SUN)
        assert torch.equal(decoded(x_t), to_uint8(step.x_t[0]))
        assert torch.equal(decoded(x0_hat), to_uint8(step.x0_hat[0]))
    assert bench.player.index == 4
    assert bench.player.frames[0]["caption"].startswith("step 0 of 4 · t = 550 ·")
    assert repr(bench) == "DoodleBench(rose from t = 550 · w = 2 · seed 1)"


def test_every_control_has_its_say(bench):
    assert bench.grow_button.button_style == ""
    bench.preset.value = "five petals"
    assert torch.equal(bench.canvas.pixels(), PRESETS["five petals"].draw(16))
    assert bench.grow_button.button_style == "primary"
    bench.flower.value, bench.t.value, bench.w.value = "tulip", 300, 0.0
    bench.seed.value, bench.steps.value = 9, 6
    bench.grow_button.click()
    assert bench.message.value == "" and bench.grow_button.button_style == ""
    expected = edited(PRESETS["five petals"].draw(16), 300, "tulip", 0.0, 9, 6)
    assert len(bench.walk) == 7
    torch.testing.assert_close(bench.walk[3].x_t, expected[3].x_t)
    assert bench.player.rows == ["tulip from t = 300 · w = 0 · seed 9"]
    assert bench.player.index == 6


def test_fewer_steps_than_asked_when_t_is_small(bench):
    bench.t.value, bench.steps.value = 25, 40
    bench.grow_button.click()
    assert bench.message.value == ""
    assert [step.t for step in bench.walk] == list(range(25, -1, -1))


def test_each_step_is_shown_as_soon_as_it_is_there(bench, monkeypatch):
    sent = []
    monkeypatch.setattr(bench.player, "send", sent.append)
    bench.grow_button.click()
    live = [message for message in sent if message["frame"]]
    assert [(message["index"], message["total"]) for message in live] == [(i, 4) for i in range(5)]
    assert torch.equal(decoded(live[0]["frame"]["images"][0][0]), SUN)
    assert sent[-1]["frame"] is None


def test_an_error_is_seen_and_the_flower_stays():
    model = Breaks(image_size=16)
    bench = doodle_canvas(model, steps=3)
    walk, model.healthy = bench.walk, False
    bench.grow_button.click()
    assert "<b>RuntimeError</b>: no &lt;more&gt; memory" in bench.message.value
    assert bench.walk is walk and not bench.grow_button.disabled


def test_an_unknown_preset_is_refused_at_once():
    with pytest.raises(ValueError, match="five petals, sun"):
        doodle_canvas(MODEL, "monalisa")


@pytest.mark.parametrize(
    "wrong",
    [{"t": 0}, {"t": 24}, {"t": 801}, {"w": 20.0}, {"w": -1.5}, {"steps": 0}, {"steps": 120}],
)
def test_what_the_controls_cannot_show_is_refused_at_once(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"choose {name} from .* not {value}"):
        doodle_canvas(MODEL, **wrong)


def test_where_no_widget_runs_there_is_a_picture(bench):
    data, metadata = bench._repr_mimebundle_()
    sheet = decoded(data["image/png"])
    assert find(sheet, SUN, 2) and find(sheet, to_uint8(bench.walk[-1].x_t[0]), 2)
    assert "rose from t = 550" in metadata["image/png"]["alt"]


def test_the_page_script_loads_nothing_from_anywhere(bench):
    code = "\n".join(bench.canvas._esm.splitlines()[2:])
    assert "import" not in code and "fetch(" not in code and "http" not in code
    assert "url(" not in bench.canvas._css
    assert [name for name, _ in bench.canvas.palette] == list(PALETTE)
