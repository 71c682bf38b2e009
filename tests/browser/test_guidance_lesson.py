"""The guidance explorer under a hand: every control moved, and the pixels on the screen compared
with what the samplers compute in this process.
"""

from dataclasses import astuple, replace

import pytest
import torch
from fake_flowers import FragileFlowers
from jupyter_pages import (
    ROOT,
    labs,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    write_notebook,
)
from playwright.sync_api import expect
from test_stepper import Stepper

from flowerdiff.pixels import to_uint8
from flowerdiff.widgets.guidance_explorer import WEIGHTS, Settings, grow

FIRST = Settings("sunflower", "rose", seed=0, sampler="dpm_solver_pp", steps=4, start=800, stop=0)
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_flowers import FragileFlowers
from flowerdiff.widgets import guidance_explorer

model = FragileFlowers()
explorer = guidance_explorer(model, steps={FIRST.steps})
""".strip()


class Explorer(Stepper):
    """The explorer on a page, in the words of a person."""

    def at(self, w):
        expect(self.caption).to_contain_text(f"w = {w:g} · guidance_scale = {w + 1:g} ·")
        expect(self.slider).to_have_js_property("value", str(WEIGHTS.index(w)))

    def shows(self, chosen, w, model=None, within=1):
        """Each picture is the one that the library draws; `within` so many grey levels."""
        with torch.inference_mode():
            *_, last = grow(model or FragileFlowers(), chosen, w)
        for i, expected in enumerate(to_uint8(last.x_t)):
            off = (shown_pixels(self.images.nth(i)).int() - expected.int()).abs().max()
            assert off <= within, f"w = {w}, picture {i}: off by {off}"

    def draw(self, chosen):
        """Draw what the controls describe, `chosen`, and wait for it."""
        self.click("Draw")
        rows = [chosen.row(label, 800) for label in chosen.labels]
        expect(self.player.locator(".fd-row")).to_have_text(rows)
        expect(self.player).to_have_attribute("aria-busy", "false")
        expect(self.box.get_by_role("button", name="Draw")).to_be_enabled()


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """JupyterLab with a notebook of the explorer alone; the kernel has the model."""
    folder = tmp_path_factory.mktemp("guidance")
    write_notebook(folder / "guidance.ipynb", SETUP, "explorer")
    with start_lab(folder) as server, labs(server, browser) as open_lab:
        yield open_lab("guidance.ipynb")


@pytest.fixture
def explorer(lab):
    """A fresh explorer."""
    lab.run(0)
    lab.run(1)
    return Explorer(lab.page)


def test_the_slider_is_w(explorer, screenshots):
    explorer.at(0)
    explorer.slider.focus()
    explorer.page.keyboard.press("Home")
    for w in WEIGHTS:
        explorer.at(w)
        if w in (-1, 2, 8):
            explorer.shows(FIRST, w)
        explorer.page.keyboard.press("ArrowRight")
    explorer.at(8)  # one more at the end changes nothing
    explorer.page.screenshot(path=screenshots / "guidance.png")


def test_each_control_changes_the_pictures(explorer, screenshots):
    explorer.slider.focus()
    explorer.page.keyboard.press("End")
    explorer.at(8)
    chosen = FIRST
    for name, value, change in [
        ("flower", "daisy", {"first": "daisy"}),
        ("and", "tulip", {"second": "tulip"}),
        ("seed", "8", {"seed": 8}),
        ("sampler", "ddpm", {"sampler": "ddpm"}),
        ("steps", "3", {"steps": 3}),
        ("guided from t =", "600", {"start": 600}),
        ("down to t =", "300", {"stop": 300}),
    ]:
        chosen = replace(chosen, **change)
        control = explorer.control(name)
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
            control.press("Enter")
        expect(explorer.box.locator("button.mod-primary")).to_have_text("Draw")
        explorer.draw(chosen)
        expect(explorer.box.locator("button.mod-primary")).to_have_count(0)
        explorer.at(8)  # the w stays, to compare
        explorer.shows(chosen, 8)
    explorer.page.screenshot(path=screenshots / "guidance-interval.png")


def test_an_error_is_shown_and_the_pictures_stay(explorer, screenshots):
    explorer.control("and").select_option("broken")
    explorer.click("Draw")
    alert = explorer.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: this flower is broken")
    explorer.page.screenshot(path=screenshots / "guidance-error.png")
    expect(explorer.slider).to_be_enabled()
    explorer.shows(FIRST, 0)
    explorer.control("and").select_option("daisy")
    explorer.draw(replace(FIRST, second="daisy"))
    expect(alert).to_have_count(0)
    explorer.shows(replace(FIRST, second="daisy"), 0)


def test_it_fits_one_screen_and_says_what_it_is(explorer):
    panel = explorer.page.locator(".jp-WindowedPanel-outer").bounding_box()
    explorer.fits(panel["width"], panel["height"])
    for role, name in [
        ("combobox", "flower"),
        ("combobox", "and"),
        ("spinbutton", "seed"),
        ("combobox", "sampler"),
        ("spinbutton", "steps"),
        ("spinbutton", "guided from t ="),
        ("spinbutton", "down to t ="),
        ("button", "Draw"),
        ("group", "Guidance, w on a slider"),
        ("slider", "step"),
    ]:
        expect(explorer.box.get_by_role(role, name=name, exact=True)).to_have_count(1)
    for image in explorer.images.all():
        assert "w 0; saturation 0." in image.get_attribute("alt")


def test_the_saved_lesson_needs_no_kernel(open_page, screenshots):
    from flowerdiff.checkpoint import load_pretrained

    model = load_pretrained("flowers64")
    chosen = replace(FIRST, steps=12)
    assert astuple(chosen) == ("sunflower", "rose", 0, "dpm_solver_pp", 12, 800, 0)
    (state,) = saved_widgets("05_guidance.ipynb")
    page = open_page()
    show_saved(page, state)
    page.locator(".fd-player img").first.wait_for()
    page.get_by_role("slider", name="step").focus()
    page.keyboard.press("Home")
    saved = Explorer.__new__(Explorer)  # without the box of controls, which need Python
    saved.images, saved.caption = page.locator(".fd-player img"), page.locator(".fd-caption")
    saved.slider = page.get_by_role("slider", name="step")
    for w in WEIGHTS:
        saved.at(w)
        if w in (-1, 4):
            saved.shows(chosen, w, model, within=12)  # built on another machine
        page.keyboard.press("ArrowRight")
    expect(page.locator(".fd-note")).to_contain_text("Shift + Enter")
    page.screenshot(path=screenshots / "guidance-saved.png")
