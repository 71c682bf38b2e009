"""What the widgets show, by value. How they feel in a browser is tested in browser/."""

import base64
import html
import io
import json
import re
import threading

import pytest
import torch
from fake_flowers import FakeFlowers
from PIL import Image

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, ddpm, dpm_solver_pp, noise
from flowerdiff.widgets import (
    Frame,
    Player,
    denoising_stepper,
    film,
    filmstrip,
    picture,
    walk_frames,
)
from flowerdiff.widgets.controls import light

MODEL = FakeFlowers(image_size=16)


def sampled(sampler=ddim, label="rose", seed=3, w=2.0, start=None, model=MODEL, **arguments):
    """A walk written out with the library, to compare the widgets with. `start`: a Step."""
    schedule = model.schedule
    x = start.x_t if start else noise([seed], schedule.T, (3, 16, 16))
    y = torch.tensor([model.label(label)])
    if sampler is ddpm:
        arguments["seeds"] = [seed]
    if start:
        arguments["start"] = start.t
    eps = guided(model, w, model.null_label)
    return list(sampler(eps, schedule, x, y, clip_x0=1.0, **arguments))


def decoded(url_or_base64: str) -> torch.Tensor:
    data = url_or_base64.rpartition(",")[2]
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    return (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        .reshape(image.height, image.width, 3)
        .permute(2, 0, 1)
    )


def assert_same_walk(walk, other):
    assert [step.t for step in walk] == [step.t for step in other]
    for step, expected in zip(walk, other, strict=True):
        torch.testing.assert_close(step.x_t, expected.x_t)
        torch.testing.assert_close(step.x0_hat, expected.x0_hat)


@pytest.fixture
def stepper():
    return denoising_stepper(MODEL, "rose", seed=3, steps=8)


# frames


def test_a_frame_holds_the_pixels_of_its_step():
    steps = sampled(steps=8)
    frames = walk_frames(steps, MODEL.schedule)
    assert len(frames) == len(steps) == 9
    for frame, step in zip(frames, steps, strict=True):
        x_t, x0_hat, eps_hat = frame.images
        assert torch.equal(x_t, to_uint8(step.x_t[0]))
        assert torch.equal(x0_hat, to_uint8(step.x0_hat[0]))
        assert torch.equal(eps_hat, to_uint8(step.eps_hat[0] / 3))


def test_a_frame_says_where_it_is():
    frames = walk_frames(sampled(steps=8), MODEL.schedule)
    alpha_bar, snr = MODEL.schedule.alpha_bar[400], MODEL.schedule.snr(400)
    assert frames[4].caption == f"step 4 of 8 · t = 400 · ᾱ = {alpha_bar:.3g} · SNR = {snr:.3g}"
    assert frames[8].caption == "step 8 of 8 · t = 0 · ᾱ = 1 · SNR = ∞"
    assert frames[4].alt.startswith("step 4 of 8, t 400, signal 36%, noise 93%")
    red, green, blue = frames[8].images[1].float().mean((1, 2)).round().int().tolist()
    assert f"red {red}, green {green}, blue {blue}" in frames[8].alt


def test_frames_of_one_image_of_a_batch():
    x_T = noise([1, 2], 800, (3, 16, 16))
    steps = list(ddim(MODEL, MODEL.schedule, x_T, torch.tensor([0, 1]), steps=2))
    frames = walk_frames(steps, MODEL.schedule, image=1)
    assert torch.equal(frames[0].images[0], to_uint8(x_T[1]))


# stills


def find(sheet, image, zoom):
    """Whether the image, each pixel a square of `zoom`, is somewhere in the sheet."""
    big = image.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)
    windows = sheet.unfold(1, big.shape[1], 1).unfold(2, big.shape[2], 1)
    return (windows == big[:, None, None]).all(0).all(-1).all(-1).any().item()


def test_the_filmstrip_shows_the_first_and_the_last_step():
    steps = sampled(steps=8)
    strip = filmstrip(steps, MODEL.schedule, count=3)
    assert strip.dtype == torch.uint8 and strip.shape[0] == 3
    for step in (steps[0], steps[4], steps[8]):
        assert find(strip, to_uint8(step.x_t[0]), 2)
        assert find(strip, to_uint8(step.eps_hat[0] / 3), 2)
    assert not find(strip, to_uint8(steps[3].x_t[0]), 2)


def test_a_film_shorter_than_the_strip_is_shown_whole():
    steps = sampled(steps=2)
    strip = film({"a": walk_frames(steps, MODEL.schedule)}, ["", "", ""], count=8)
    assert all(find(strip, to_uint8(step.x0_hat[0]), 2) for step in steps)


def test_a_picture_shows_every_image_and_its_caption(monkeypatch):
    shown = []
    monkeypatch.setattr("flowerdiff.still.display", shown.append)
    images = [to_uint8(x) for x in MODEL.x0]
    picture(images, "five discs", labels=MODEL.class_names, columns=2)._ipython_display_()
    still, caption = shown
    assert still.metadata["alt"] == "five discs" and caption.data == "*five discs*"
    sheet = decoded(base64.b64encode(still.data).decode())
    assert all(find(sheet, image, 2) for image in images)


# player


def frame(value, panels=1):
    image = torch.full((3, 4, 4), value, dtype=torch.uint8)
    return Frame((image,) * panels, f"caption {value}", f"alt {value}")


def test_a_player_carries_its_frames_without_loss():
    player = Player(["a", "b"], {"up": [frame(1, 2), frame(2, 2)], "down": [frame(3, 2)] * 2})
    assert decoded(player.frames[1]["images"][0][1]).eq(2).all()
    assert decoded(player.frames[1]["images"][1][0]).eq(3).all()
    assert player.frames[0]["alts"] == ["alt 1", "alt 3"]
    assert player.rows == ["up", "down"]
    json.dumps(player.get_state(), default=repr)  # no bytes: the same in every front end
    assert repr(player) == "Player(2 frames, 2 x 2 panels)"


def test_a_player_keeps_its_index_within_its_frames():
    player = Player(["a"], {"": [frame(i) for i in range(5)]}, index=3)
    assert player.index == 3
    player.index = 99
    assert player.index == 4
    player.index = -7
    assert player.index == 0
    player.index = 4
    seen = []
    player.observe(lambda change: seen.append((len(player.frames), player.index)))
    player.show({"": [frame(9)] * 2}, index=-1)
    assert set(seen) == {(2, 1)}  # never new frames with the old index


@pytest.mark.parametrize("rows", [{}, {"": []}, {"a": [frame(1)], "b": [frame(1)] * 2}])
def test_a_player_refuses_rows_that_do_not_fit(rows):
    with pytest.raises(ValueError, match="rows of the same length"):
        Player(["a"], rows)


def test_a_player_needs_as_many_images_as_titles():
    with pytest.raises(ValueError, match="2 titles"):
        Player(["a", "b"], {"": [frame(1)]})


def test_the_page_scripts_load_nothing_from_anywhere():
    player = Player(["a"], {"": [frame(1)]})
    code = re.sub(r"^//.*$", "", player._esm, flags=re.MULTILINE)
    assert not re.search(r"\bimport\b|\bfetch\b|https?:", code)
    assert not re.search(r"@import|url\(", player._css)


def test_where_no_widget_runs_there_is_a_picture(stepper):
    for widget in (stepper, stepper.player):
        data, metadata = widget._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
        assert data["text/plain"] == repr(widget)
        assert find(decoded(data["image/png"]), to_uint8(stepper.walk[-1].x_t[0]), 2)
        assert "from step 0 of 8" in metadata["image/png"]["alt"]
        # IPython takes this method first if there is one, as in ipywidgets 7
        assert getattr(widget, "_ipython_display_", None) is None


def test_the_repr_is_the_same_every_time(stepper):
    assert repr(stepper) == "DenoisingStepper(rose · w = 2 · seed 3 · ddim, 8 steps)"


# stepper


def test_a_label_as_the_model_takes_it():
    """Large letters do not matter, and a number will do: `find_label`."""
    by_name = denoising_stepper(MODEL, "rose", seed=3, steps=2)
    for label in ("Rose", MODEL.label("rose")):
        stepper = denoising_stepper(MODEL, label, seed=3, steps=2)
        assert stepper.flower.value == "rose" and repr(stepper) == repr(by_name)


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver_pp])
def test_the_first_walk_is_the_samplers(sampler):
    stepper = denoising_stepper(MODEL, "rose", seed=3, sampler=sampler.__name__, steps=8)
    assert_same_walk(stepper.walk, sampled(sampler, steps=8))
    shown = decoded(stepper.player.frames[5]["images"][0][0])
    assert torch.equal(shown, to_uint8(stepper.walk[5].x_t[0]))


def test_every_control_has_its_say(stepper):
    stepper.player.index = 8  # as after the film; the next one is shorter
    stepper.flower.value, stepper.seed.value, stepper.w.value = "daisy", 4, -1.0
    stepper.sampler.value, stepper.steps.value = "ddpm", 5
    assert stepper.grow_button.button_style == "primary"  # a click would change the picture
    stepper.grow_button.click()
    assert stepper.message.value == ""
    assert stepper.grow_button.button_style == ""
    assert_same_walk(stepper.walk, sampled(ddpm, "daisy", 4, -1.0, steps=5))
    assert stepper.player.index == 5
    assert stepper.player.rows == ["daisy · w = -1 · seed 4 · ddpm, 5 steps"]


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver_pp])
def test_going_on_branches_the_walk(sampler):
    stepper = denoising_stepper(MODEL, "rose", seed=3, sampler=sampler.__name__, steps=8)
    before = list(stepper.walk)
    stepper.player.index = 3
    assert stepper.go_on_button.description == "Go on from here"
    stepper.other_flower.value, stepper.other_w.value = "tulip", 1.0
    stepper.go_on_button.click()

    assert_same_walk(stepper.walk, before)
    assert_same_walk(stepper.branch[:3], before[:3])
    times = [step.t for step in before[4:]]
    alone = sampled(sampler, "tulip", 3, 1.0, start=before[3], steps=times)
    assert_same_walk(stepper.branch[3:], alone)
    assert torch.equal(stepper.branch[3].x_t, before[3].x_t)
    assert not torch.equal(stepper.branch[3].x0_hat, before[3].x0_hat)

    assert stepper.player.rows[1] == "from t = 500: tulip · w = 1"
    for row, walk in enumerate((stepper.walk, stepper.branch)):
        shown = decoded(stepper.player.frames[6]["images"][row][1])
        assert torch.equal(shown, to_uint8(walk[6].x0_hat[0]))


def test_the_last_step_has_nothing_left_to_go_on_with(stepper):
    stepper.player.index = 8
    assert stepper.go_on_button.disabled
    with pytest.raises(ValueError, match="move the slider back"):
        stepper.go_on()
    stepper.player.index = 7
    assert not stepper.go_on_button.disabled


def test_growing_again_drops_the_branch(stepper):
    stepper.player.index = 3
    stepper.go_on_button.click()
    stepper.grow_button.click()
    assert stepper.branch is None and len(stepper.player.rows) == 1


def test_each_step_is_shown_as_soon_as_it_is_there(stepper, monkeypatch):
    sent = []
    monkeypatch.setattr(stepper.player, "send", sent.append)
    stepper.player.index = 3
    sent.clear()
    stepper.go_on_button.click()
    live = [message for message in sent if message["frame"]]
    assert [message["index"] for message in live] == list(range(3, 9))
    assert {message["total"] for message in live} == {8}
    x_t = decoded(live[2]["frame"]["images"][1][0])
    assert torch.equal(x_t, to_uint8(stepper.branch[5].x_t[0]))
    assert sent[-1]["frame"] is None  # and then back to the film


class Breaks(FakeFlowers):
    healthy = True

    def __call__(self, x_t, t, y):
        assert not torch.is_grad_enabled()  # less memory, less time
        assert torch.get_num_threads() == 1
        if not self.healthy:
            raise RuntimeError("no <more> memory")
        return super().__call__(x_t, t, y)


def test_two_threads_that_draw_leave_the_threads_as_they_were():
    """A click may be answered while a cell draws, and outlast it."""
    before, drawing, clicked = torch.get_num_threads(), threading.Event(), threading.Event()
    after = []

    def click():
        with light(), light():
            drawing.set()
            clicked.wait()
        after.append(torch.get_num_threads())

    torch.set_num_threads(3)
    try:
        thread = threading.Thread(target=click)
        with light():
            thread.start()
            drawing.wait()
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        clicked.set()
        thread.join()
        assert after == [3] and torch.get_num_threads() == 3
    finally:
        clicked.set()
        torch.set_num_threads(before)


def test_an_error_in_a_callback_is_seen():
    model = Breaks(image_size=16)
    threads = torch.get_num_threads()
    stepper = denoising_stepper(model, steps=3)
    walk = stepper.walk
    assert stepper.message.layout.display == "none"
    model.healthy = False
    stepper.grow_button.click()
    assert "<b>RuntimeError</b>: no &lt;more&gt; memory" in stepper.message.value
    assert 'role="alert"' in stepper.message.value
    assert "Traceback" in html.unescape(stepper.message.value)
    assert stepper.message.layout.display is None
    assert stepper.walk is walk  # what was there stays there
    assert not stepper.grow_button.disabled
    assert torch.get_num_threads() == threads

    model.healthy = True
    stepper.grow_button.click()
    assert stepper.message.value == "" and stepper.message.layout.display == "none"


def test_an_interrupted_walk_says_so(stepper, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(stepper, "_watch", interrupted)
    stepper.grow_button.click()
    assert "<b>KeyboardInterrupt</b>: stopped" in stepper.message.value


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"sampler": "euler"}, "ddim, ddpm, dpm_solver_pp"),
        ({"steps": 0}, "steps from 1 to 100, not 0"),
        ({"steps": 800}, "steps from 1 to 100, not 800"),
        ({"w": -2.0}, "w from -1 to 10"),
    ],
)
def test_a_wrong_argument_is_refused_at_once(wrong, hint):
    with pytest.raises(ValueError, match=hint):
        denoising_stepper(MODEL, "rose", **wrong)


def test_an_unknown_flower_is_refused_at_once():
    with pytest.raises(ValueError):
        denoising_stepper(MODEL, "triffid")


def test_without_a_label_the_first_class_is_grown():
    assert denoising_stepper(MODEL, steps=2).recipe.label == "daisy"
