"""The training monitor under a hand, in JupyterLab: a real training, paused, stopped, sent on and
kept, and the samples on the screen compared with those of the same training in this process.
"""

import contextlib
import re

import pytest
import torch
from jupyter_pages import (
    contrast,
    labs,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    write_notebook,
)
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from flowerdiff.pixels import grid

STEPS, EVERY = 40, 10
SETUP = """
import time
import torch
from flowerdiff.garden import draw_flower
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule, eps_model
from flowerdiff.training import TrainConfig, train
from flowerdiff.unet import CompactConfig, CompactUNet
from flowerdiff.widgets import training_monitor

images = torch.stack([draw_flower(kind, 0, 16) for kind in range(4)])
labels, schedule = torch.arange(4), cosine_schedule()
config = TrainConfig(steps=10_000, batch_size=4, lr=1e-2, warmup=1, prediction="x0",
                     ema_decay=(0.5,))

def training(pause=0.0):
    torch.manual_seed(0)
    net = CompactUNet(CompactConfig(num_classes=4, channels=(16, 32), blocks=(1, 1), embedding=32))
    for progress in train(net, images, labels, schedule, config):
        yield progress
        time.sleep(pause)

def draw(net):
    model = eps_model(net, schedule, "x0")
    x_T = noise(range(4), 800, (3, 16, 16))
    *_, last = ddim(model, schedule, x_T, labels, steps=3, clip_x0=1.0)
    return to_uint8(last.x_t)

def keep(net):
    return f"kept {sum(p.numel() for p in net.parameters())} weights"
""".strip()
MONITOR = """
monitor = training_monitor(training({pause}), draw, {steps}, draw_every={every}, keep=keep)
monitor
""".strip()
BROKEN = """
def breaks(net):
    raise RuntimeError("nothing to draw with")

monitor = training_monitor(training(), breaks, 20)
monitor
""".strip()


@pytest.fixture(scope="module")
def samples():
    """The samples of each step that is drawn, computed here."""
    here = {}
    exec(SETUP, here)
    drawn = {}
    for progress in here["training"]():
        if progress.step == 1 or progress.step % EVERY == 0:
            with torch.inference_mode():
                drawn[progress.step] = grid(here["draw"](progress.ema))
        if progress.step == STEPS + STEPS // 2:
            return drawn


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    folder = tmp_path_factory.mktemp("lab")
    cells = [
        SETUP,
        MONITOR.format(pause=0.0, steps=STEPS, every=EVERY),
        MONITOR.format(pause=0.1, steps=10_000, every=EVERY),
        "print(monitor.wait().step)",
        BROKEN,
    ]
    write_notebook(folder / "monitor.ipynb", *cells)
    with start_lab(folder) as server, labs(server, browser) as open_lab:
        lab = open_lab("monitor.ipynb")
        lab.run(0)
        yield lab


class Monitor:
    """The monitor of a cell, in the words of a person."""

    def __init__(self, lab, cell):
        self.lab, self.cell = lab, lab.run(cell)
        self.box = self.cell.locator(".widget-vbox:has(.fd-player)").first
        self.player = self.box.locator(".fd-player")
        self.caption = self.player.locator(".fd-caption")
        self.slider = self.player.get_by_role("slider", name="step")
        self.images = self.player.locator("img")
        self.images.first.wait_for()

    def click(self, name):
        self.box.get_by_role("button", name=name).click()

    def step(self):
        return int(re.search(r"step (\d+) of", self.caption.text_content())[1])

    def rests(self):
        """The film is there, and can be moved through."""
        expect(self.player).to_have_attribute("aria-busy", "false")
        expect(self.slider).to_be_enabled()


@pytest.fixture
def training(lab):
    """A long training that has begun, and is ended afterwards."""
    monitor = Monitor(lab, 2)
    expect(monitor.caption).to_contain_text("step")
    yield monitor
    stop = monitor.box.get_by_role("button", name="Stop")
    with contextlib.suppress(PlaywrightTimeout):  # it cannot be clicked: the test has stopped it
        stop.click(timeout=3000)
    expect(stop).to_be_disabled()


def test_the_film_of_a_run_is_the_trainings(lab, samples, screenshots):
    monitor = Monitor(lab, 1)
    expect(monitor.caption).to_contain_text(f"step {STEPS} of {STEPS}")
    expect(monitor.caption).to_contain_text("done")
    monitor.rests()
    monitor.cell.locator(".jp-Cell-outputArea").scroll_into_view_if_needed()
    lab.page.screenshot(path=screenshots / "monitor-done.png")
    monitor.slider.focus()
    lab.page.keyboard.press("Home")
    for step in (1, 10, 20, 30, 40):
        expect(monitor.caption).to_contain_text(f"step {step} of {STEPS} · {4 * step:,} images")
        shown = shown_pixels(monitor.images.nth(1)).int()
        assert (shown - samples[step].int()).abs().max() <= 1, f"step {step}"
        assert f"samples of step {step}," in monitor.images.nth(1).get_attribute("alt")
        lab.page.keyboard.press("ArrowRight")
    monitor.click("Train on")
    expect(monitor.caption).to_contain_text(f"step {STEPS * 3 // 2} of {STEPS * 3 // 2}")
    monitor.rests()
    shown = shown_pixels(monitor.images.nth(1)).int()
    assert (shown - samples[STEPS * 3 // 2].int()).abs().max() <= 1


def test_it_can_be_watched_paused_and_sent_on(training, screenshots):
    begun = training.step()
    expect(training.player).to_have_attribute("aria-busy", "true")
    expect(training.slider).to_be_disabled()
    curve = training.images.first.get_attribute("src")
    expect(training.images.first).not_to_have_attribute("src", curve)  # it grows
    training.box.get_by_role("button", name="Stop").scroll_into_view_if_needed()
    training.lab.page.screenshot(path=screenshots / "monitor-live.png")
    training.click("Pause")
    training.rests()
    expect(training.box.get_by_role("button", name="Go on")).to_be_enabled()
    paused = training.step()
    assert paused > begun
    training.lab.page.wait_for_timeout(700)  # seven steps' time
    assert training.step() == paused
    training.slider.focus()
    training.lab.page.keyboard.press("Home")
    expect(training.caption).to_contain_text("step 1 of")
    training.click("Go on")
    expect(training.player).to_have_attribute("aria-busy", "true")
    expect(training.caption).not_to_contain_text("step 1 of")
    assert training.step() > paused


def test_weights_are_kept_while_it_goes_on(training):
    training.click("Keep the weights")
    expect(training.box.get_by_role("status").filter(has_text="kept")).to_have_text(
        re.compile(r"kept \d+ weights")
    )
    expect(training.box.get_by_role("button", name="Pause")).to_be_enabled()


def test_the_buttons_answer_while_a_cell_waits(training):
    """JupyterLab sends clicks past the cell that is running."""
    page = training.lab.page
    page.evaluate(
        """() => {
            const { content } = jupyterapp.shell.currentWidget;
            content.activeCellIndex = 3;
            jupyterapp.commands.execute("notebook:run-cell");
        }"""
    )
    waiting = page.locator(".jp-Notebook .jp-CodeCell").nth(3)
    expect(waiting.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\*\]"))
    training.click("Stop")
    expect(waiting.locator(".jp-OutputArea-output")).to_have_text(re.compile(r"^\d+\s*$"))
    training.rests()
    stopped = int(waiting.locator(".jp-OutputArea-output").text_content())
    expect(training.caption).to_contain_text(f"step {stopped} of {stopped} ")


def test_an_error_is_shown(lab):
    monitor = Monitor(lab, 4)
    alert = monitor.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: nothing to draw with")
    expect(monitor.box.get_by_role("button", name="Train on")).to_be_disabled()


def test_it_fits_the_screen_and_has_names(training):
    training.click("Pause")
    training.rests()
    panel = training.lab.page.locator(".jp-WindowedPanel-outer").bounding_box()
    box = training.box.bounding_box()
    assert box["width"] <= panel["width"] and box["height"] <= panel["height"], (box, panel)
    for role, name in [
        ("group", "Training, live"),
        ("slider", "step"),
        ("button", "Go on"),
        ("button", "Stop"),
        ("button", "Train on: 5000 steps"),
        ("button", "Keep the weights"),
    ]:
        expect(training.box.get_by_role(role, name=name, exact=True)).to_have_count(1)
    assert all(len(img.get_attribute("alt")) > 30 for img in training.images.all())
    assert contrast(training.caption) >= 7
    smooth = [
        img.evaluate("i => getComputedStyle(i).imageRendering") for img in training.images.all()
    ]
    assert smooth == ["auto", "pixelated"]


def test_the_lessons_run_lives_on_without_a_kernel(open_page, screenshots):
    states = saved_widgets("03_training.ipynb")
    (state,) = (state for state in states if state.get("label") == "Training, live")
    page = open_page()
    show_saved(page, state)
    page.locator(".fd-player img").first.wait_for()
    slider = page.get_by_role("slider", name="step")
    slider.press("Home")
    expect(page.locator(".fd-caption")).to_contain_text("step 1 of")
    slider.press("End")
    expect(page.locator(".fd-caption")).to_contain_text("done")
    page.screenshot(path=screenshots / "monitor-lesson.png")
