"""The stepper under a hand: every control moved, and the pixels on the screen compared with what
the samplers compute in this process.
"""

import re
import shutil
from dataclasses import replace

import pytest
import torch
from fake_flowers import FragileFlowers
from jupyter_pages import (
    PHONE,
    ROOT,
    SCREEN,
    Lab,
    contrast,
    labs,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    start_voila,
    write_notebook,
)
from playwright.sync_api import expect

from flowerdiff.pixels import to_uint8
from flowerdiff.widgets.stepper import Recipe, walk

FIRST = Recipe("sunflower", seed=7, w=2.0, sampler="ddim", steps=10)
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_flowers import FragileFlowers
from flowerdiff.widgets import denoising_stepper

model = FragileFlowers(trace=0)
""".strip()
STEPPER = f'stepper = denoising_stepper(model, "sunflower", seed=7, steps={FIRST.steps})\nstepper'
NOTEBOOK = "00_first_flower.ipynb"


def sampled(recipe, here=None, model=None):
    """The steps that the library computes, here and now."""
    with torch.inference_mode():
        return list(walk(model or FragileFlowers(trace=0), recipe, here))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A notebook with nothing but the stepper, and a copy of lesson 00."""
    folder = tmp_path_factory.mktemp("lab")
    python = "stepper.player.index"
    write_notebook(folder / "stepper.ipynb", SETUP, STEPPER, python, f"{python} = 4")
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, folder)
    return folder


@pytest.fixture(scope="module")
def jupyter(folder):
    with start_lab(folder) as server:
        yield server


class Stepper:
    """The stepper on a page, in the words of a person."""

    def __init__(self, page):
        self.page = page
        self.box = page.locator(".widget-vbox:has(.fd-player)").first
        self.player = self.box.locator(".fd-player")
        self.caption = self.player.locator(".fd-caption")
        self.slider = self.player.get_by_role("slider", name="step")
        self.images = self.player.locator("img")
        self.images.first.wait_for()

    def rest(self):
        """Let the film run out."""
        expect(self.player.get_by_role("button", name="play")).to_be_visible(timeout=60_000)
        expect(self.slider).to_be_enabled()

    def control(self, name):
        return self.box.get_by_label(name, exact=True)

    def click(self, name):
        self.box.get_by_role("button", name=name).click()

    def grow(self, recipe):
        """Grow what the controls describe, `recipe`, and wait for it: the player is idle until the
        kernel has heard the click, so that its idleness alone says nothing.
        """
        self.click("Grow")
        expect(self.player.locator(".fd-row")).to_have_text([str(recipe)])
        expect(self.player).to_have_attribute("aria-busy", "false")

    def at(self, index, steps=FIRST.steps):
        expect(self.caption).to_contain_text(f"step {index} of {steps} ")
        expect(self.slider).to_have_js_property("value", str(index))

    def shows(self, *steps, within=0):
        """Each row of pictures is that of its Step, to the pixel; `within` so many grey levels."""
        for row, step in enumerate(steps):
            for panel, x in enumerate((step.x_t, step.x0_hat, step.eps_hat / 3)):
                shown = shown_pixels(self.images.nth(3 * row + panel))
                off = (shown.int() - to_uint8(x[0]).int()).abs().max()
                assert off <= within, f"row {row}, panel {panel}, t = {step.t}: off by {off}"

    def fits(self, width, height):
        """All of it is to be seen at once, and nothing is cut off."""
        box = self.box.bounding_box()
        assert box["width"] <= width and box["height"] <= height, box
        cut = self.box.evaluate(
            """box => [...box.querySelectorAll("*")]
            .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
            .filter(e => getComputedStyle(e).overflowX !== "visible" || e.closest(".fd-player"))
            .map(e => e.className || e.tagName)"""
        )
        assert not cut, f"cut off on the right: {cut}"


@pytest.fixture(scope="module")
def lab(jupyter, browser):
    """JupyterLab with the stepper's notebook, opened once; its kernel has the model."""
    with labs(jupyter, browser) as open_lab:
        lab = open_lab("stepper.ipynb")
        lab.run(0)
        yield lab


@pytest.fixture
def stepper(lab):
    """A fresh stepper, whose first film has run."""
    lab.run(1)
    stepper = Stepper(lab.page)
    stepper.rest()
    return stepper


def test_every_frame_is_the_samplers_state(stepper, screenshots):
    steps = sampled(FIRST)
    stepper.slider.focus()
    stepper.page.keyboard.press("Home")
    for i, step in enumerate(steps):
        stepper.at(i)
        stepper.shows(step)
        caption = stepper.caption.text_content()
        assert f"t = {step.t} ·" in caption
        assert stepper.slider.get_attribute("aria-valuetext") == caption
        assert f"t {step.t}," in stepper.images.first.get_attribute("alt")
        if i == 6:
            stepper.page.screenshot(path=screenshots / "lab.png")
        stepper.page.keyboard.press("ArrowRight")
    stepper.at(FIRST.steps)  # one more at the end changes nothing


def test_the_film_plays_when_it_first_appears(lab):
    lab.run(1)
    stepper = Stepper(lab.page)
    expect(stepper.player.get_by_role("button", name="pause")).to_be_visible()
    stepper.rest()
    stepper.at(FIRST.steps)


def test_keys(stepper):
    press = stepper.page.keyboard.press
    selected = stepper.page.locator(".jp-Notebook .jp-Cell.jp-mod-active .jp-InputPrompt")
    before = selected.first.text_content()
    stepper.images.first.click()  # a click on a picture is enough for the keys to work
    for key, index in [
        ("Home", 0),
        ("ArrowLeft", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("End", 10),
        ("ArrowLeft", 9),
    ]:
        press(key)
        stepper.at(index)
    press("Space")
    stepper.at(10)  # played to its end
    stepper.rest()
    stepper.player.get_by_label("speed").select_option("slow")
    stepper.slider.focus()
    press("Space")  # and again, from the start
    expect(stepper.caption).not_to_contain_text("step 10")
    press("Space")
    stepper.rest()
    stopped = stepper.caption.text_content()
    assert "step 10" not in stopped
    stepper.page.wait_for_timeout(1000)
    assert stepper.caption.text_content() == stopped
    assert selected.first.text_content() == before  # JupyterLab did not take the keys


def test_mouse(stepper, lab):
    steps = sampled(FIRST)
    stepper.slider.click()  # in its middle
    stepper.at(5)
    stepper.shows(steps[5])
    stepper.click("one step back")
    stepper.at(4)
    stepper.click("one step on")
    stepper.click("one step on")
    stepper.at(6)
    stepper.player.get_by_label("speed").select_option("fast")
    stepper.click("play")
    stepper.at(10)
    stepper.shows(steps[10])


def test_python_sees_and_sets_the_frame(stepper, lab):
    stepper.slider.focus()
    stepper.page.keyboard.press("Home")
    stepper.page.keyboard.press("ArrowRight")
    stepper.at(1)
    seen = lab.run(2).locator(".jp-OutputArea-output")
    for _ in range(10):  # ipykernel 7 hears of a frame on another thread than of a cell to run
        if seen.text_content().strip() == "1":
            break
        stepper.page.wait_for_timeout(300)
        lab.run(2)
    expect(seen).to_have_text("1")
    lab.run(3)
    stepper.at(4)
    stepper.shows(sampled(FIRST)[4])


def test_each_control_changes_the_flower(stepper):
    recipe = FIRST
    for name, value, change in [
        ("flower", "rose", {"label": "rose"}),
        ("seed", "8", {"seed": 8}),
        ("w", "0.5", {"w": 0.5}),
        ("sampler", "ddpm", {"sampler": "ddpm"}),
        ("steps", "4", {"steps": 4}),
        ("sampler", "dpm_solver_pp", {"sampler": "dpm_solver_pp"}),
    ]:
        recipe = replace(recipe, **change)
        control = stepper.control(name)
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
            control.press("Enter")
        expect(stepper.box.locator("button.mod-primary")).to_have_text("Grow")
        stepper.grow(recipe)
        expect(stepper.box.locator("button.mod-primary")).to_have_count(0)
        steps = sampled(recipe)
        stepper.at(recipe.steps, recipe.steps)
        stepper.shows(steps[-1])
        stepper.slider.focus()
        stepper.page.keyboard.press("ArrowLeft")
        stepper.at(recipe.steps - 1, recipe.steps)
        stepper.shows(steps[-2])


def test_a_button_pressed_with_a_key_keeps_the_focus(stepper):
    """While Python works it is disabled, and so loses it."""
    stepper.control("seed").fill("8")
    stepper.control("seed").press("Enter")
    grow = stepper.box.get_by_role("button", name="Grow")
    grow.press("Enter")
    expect(stepper.box.locator("button.mod-primary")).to_have_count(0)
    expect(stepper.player).to_have_attribute("aria-busy", "false")
    expect(grow).to_be_focused()


def test_go_on_from_here_shows_both_walks(stepper, screenshots):
    old = sampled(FIRST)
    stepper.slider.focus()
    for _ in range(6):
        stepper.page.keyboard.press("ArrowLeft")
    stepper.at(4)
    stepper.control("with flower").select_option("daisy")
    stepper.control("and w").fill("1")
    stepper.control("and w").press("Enter")
    stepper.click("Go on from here")
    expect(stepper.images).to_have_count(6)
    expect(stepper.player).to_have_attribute("aria-busy", "false")
    stepper.at(10)
    new = old[:4] + sampled(replace(FIRST, label="daisy", w=1.0), old[4])
    stepper.shows(old[-1], new[-1])
    stepper.slider.focus()
    for index in (9, 8, 7, 6, 5, 4, 3):
        stepper.page.keyboard.press("ArrowLeft")
        stepper.at(index)
        stepper.shows(old[index], new[index])
        if index == 6:
            stepper.page.screenshot(path=screenshots / "lab-branch.png")
    rows = stepper.player.locator(".fd-row")
    expect(rows.nth(1)).to_have_text(f"from t = {old[4].t}: daisy · w = 1")
    panel = stepper.page.locator(".jp-WindowedPanel-outer").bounding_box()
    stepper.fits(panel["width"], panel["height"])

    stepper.page.keyboard.press("End")
    back_first = stepper.box.get_by_role("button", name="Go on: move back first")
    expect(back_first).to_be_disabled()
    stepper.grow(FIRST)
    expect(stepper.images).to_have_count(3)


def test_it_fits_one_screen(stepper):
    panel = stepper.page.locator(".jp-WindowedPanel-outer").bounding_box()
    stepper.fits(panel["width"], panel["height"])
    for i in range(3):
        box = stepper.images.nth(i).bounding_box()
        assert box["width"] == box["height"] == 256  # four times 64, so that pixels are squares


def test_an_error_is_shown_and_the_flower_stays(stepper, screenshots):
    stepper.control("flower").select_option("broken")
    stepper.click("Grow")
    alert = stepper.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: this flower is broken")
    stepper.page.screenshot(path=screenshots / "lab-error.png")
    expect(stepper.slider).to_be_enabled()
    stepper.shows(sampled(FIRST)[-1])
    recipe = replace(FIRST, label="rose")
    stepper.control("flower").select_option("rose")
    stepper.grow(recipe)
    expect(alert).to_have_count(0)
    stepper.shows(sampled(recipe)[-1])


def test_what_a_screen_reader_is_told(stepper):
    for role, name in [
        ("combobox", "flower"),
        ("spinbutton", "seed"),
        ("spinbutton", "w"),
        ("combobox", "sampler"),
        ("spinbutton", "steps"),
        ("combobox", "with flower"),
        ("spinbutton", "and w"),
        ("group", "Denoising, step by step"),
        ("slider", "step"),
        ("combobox", "speed"),
    ]:
        expect(stepper.box.get_by_role(role, name=name, exact=True)).to_have_count(1)
    for image in stepper.images.all():
        assert "step 10 of 10, t 0" in image.get_attribute("alt")
    live = stepper.caption
    stepper.click("one step back")
    stepper.at(9)
    expect(live).to_have_attribute("aria-live", "polite")
    stepper.slider.focus()
    stepper.page.keyboard.press("ArrowLeft")  # the slider speaks for itself
    expect(live).to_have_attribute("aria-live", "off")


@pytest.mark.parametrize("theme", ["Light", "Dark", "Dark High Contrast"])
def test_it_can_be_read_in_every_theme(theme, jupyter, open_page, screenshots):
    jupyter.theme(f"JupyterLab {theme}")
    write_notebook(jupyter.root / f"{theme}.ipynb", SETUP, STEPPER)
    lab = Lab(open_page(), jupyter, f"{theme}.ipynb")
    lab.run(0)
    lab.run(1)
    stepper = Stepper(lab.page)
    stepper.rest()
    stepper.images.first.click()
    lab.page.keyboard.press("ArrowLeft")
    stepper.at(9)
    lab.page.screenshot(path=screenshots / f"lab-{theme.lower().replace(' ', '-')}.png")
    jupyter.theme("JupyterLab Light")
    for part in (stepper.caption, stepper.player.locator(".fd-title").first):
        assert contrast(part) >= 7
    ring = stepper.slider.evaluate("node => getComputedStyle(node).outline")
    assert re.search(r"solid 3px|3px solid", ring), f"no focus ring: {ring}"


# Voila


@pytest.mark.parametrize("screen", [SCREEN, PHONE], ids=["screen", "phone"])
def test_voila(screen, tmp_path, open_page, screenshots, request):
    write_notebook(tmp_path / "stepper.ipynb", SETUP, STEPPER)
    server = start_voila(tmp_path, "stepper.ipynb")
    try:
        page = open_page(f"{server.url}/?token={server.token}", screen, has_touch=screen == PHONE)
        stepper = Stepper(page)
        stepper.rest()
        old = sampled(FIRST)
        stepper.slider.tap() if screen == PHONE else stepper.slider.click()
        stepper.at(5)
        stepper.shows(old[5])
        stepper.control("with flower").select_option("tulip")
        stepper.click("Go on from here")
        expect(stepper.images).to_have_count(6)
        expect(stepper.player).to_have_attribute("aria-busy", "false")
        stepper.click("one step back")
        stepper.at(9)
        new = old[:5] + sampled(replace(FIRST, label="tulip"), old[5])
        stepper.shows(old[9], new[9])
        page.screenshot(path=screenshots / f"voila-{request.node.callspec.id}.png")
        stepper.fits(screen["width"], screen["height"])
        width = page.evaluate("document.scrollingElement.scrollWidth")
        assert width <= screen["width"], "the page scrolls sideways"
        page.close()  # before its server goes, about which it would complain
    finally:
        server.stop()


# The built lesson


def model_of_the_lesson():
    from flowerdiff.checkpoint import load_pretrained

    return load_pretrained("flowers64")


def recipe_of_the_lesson():
    return Recipe("sunflower", seed=10, w=2.0, sampler="ddim", steps=25)


def test_lesson_00_in_jupyterlab(jupyter, open_page, screenshots):
    lab = Lab(open_page(), jupyter, NOTEBOOK)
    # JupyterLab trusts no file that it has not run: it shows the picture in the widget's place.
    fallback = lab.page.locator(".jp-RenderedImage img").first
    fallback.scroll_into_view_if_needed()
    assert fallback.bounding_box()["width"] > 700
    lab.page.screenshot(path=screenshots / "lesson-00-opened.png")
    for cell in range(3):  # the one that would install flowerdiff; the model; the stepper
        lab.run(cell)
    stepper = Stepper(lab.page)
    stepper.rest()
    steps = sampled(recipe_of_the_lesson(), model=model_of_the_lesson())
    stepper.slider.focus()
    for index in range(25, -1, -5):
        stepper.at(index, 25)
        stepper.shows(steps[index], within=2)  # a net's sums depend on the number of threads
        if index == 10:
            lab.page.screenshot(path=screenshots / "lesson-00.png")
        for _ in range(5):
            lab.page.keyboard.press("ArrowLeft")


@pytest.mark.parametrize("reduced_motion", ["no-preference", "reduce"])
def test_the_saved_lesson_needs_no_kernel(reduced_motion, open_page, screenshots):
    (state,) = saved_widgets(NOTEBOOK)
    page = open_page(reduced_motion=reduced_motion)
    show_saved(page, state)
    caption, slider = page.locator(".fd-caption"), page.get_by_role("slider", name="step")
    if reduced_motion == "reduce":
        expect(caption).to_contain_text("step 25 of 25")  # no film, its end
    page.get_by_role("button", name="play").wait_for()
    expect(caption).to_contain_text("step 25 of 25")
    steps = sampled(recipe_of_the_lesson(), model=model_of_the_lesson())
    slider.focus()
    page.keyboard.press("Home")
    for i, step in enumerate(steps):
        expect(caption).to_contain_text(f"step {i} of 25 ")
        shown = shown_pixels(page.locator("img").first).int()
        off = (shown - to_uint8(step.x_t[0]).int()).abs().max()
        assert off <= 8, f"t = {step.t}: off by {off}"  # built on another machine
        page.keyboard.press("ArrowRight")
    expect(page.locator(".fd-note")).to_contain_text("Shift + Enter")
    page.screenshot(path=screenshots / "saved.png")
