"""The films of lesson 01 under a hand: in the built notebook, without a kernel, every frame of the
slider is the picture that the library computes; and in JupyterLab every control does its work.
"""

import numpy as np
import pytest
import torch
from jupyter_pages import (
    SCREEN,
    labs,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    write_notebook,
)
from PIL import Image
from playwright.sync_api import expect
from sklearn.datasets import load_sample_image

from flowerdiff.garden import draw_flower
from flowerdiff.pictures import square
from flowerdiff.pixels import from_uint8, to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import cosine_schedule, linear_schedule, zero_terminal_snr

LINEAR = linear_schedule()
SCHEDULES = (LINEAR, cosine_schedule(), zero_terminal_snr(LINEAR))
TIMES = (0, 50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800)

# In JupyterLab: the same code runs in the kernel and here.
SETUP = """
import torch
from flowerdiff.garden import draw_flower
from flowerdiff.pixels import from_uint8
from flowerdiff.schedule import cosine_schedule, linear_schedule
from flowerdiff.widgets import histogram_player, noise_stepper, schedule_explorer

x0, times = from_uint8(draw_flower("skyfive", 3, 48)), (0, 100, 400, 800)
schedules = {"linear": linear_schedule(), "cosine": cosine_schedule()}
captions = [f"t = {t}" for t in times]
values = torch.randn(4, 99, generator=torch.Generator().manual_seed(0))
""".strip()
FILMS = {
    "Adding noise, step by step": "noise_stepper(x0, schedules['linear'], times)",
    "Schedules, side by side": "schedule_explorer({'one': x0, 'other': -x0}, schedules, times)",
    "Histograms, step by step": "histogram_player({'x_t': {'': values}}, captions)",
}


def photograph(size):
    image = square(Image.fromarray(load_sample_image("flower.jpg")), size)
    return from_uint8(torch.from_numpy(np.array(image)).permute(2, 0, 1))


def stepped(t):
    """x_t of the noise stepper, walked."""
    x = photograph(64)
    for s in range(1, t + 1):
        beta = LINEAR.beta(s)
        x = (1 - beta).sqrt() * x + beta.sqrt() * noise([0], s, x.shape)[0]
    return [x]


def explored(t):
    """The explorer's pictures, row by row; None where it shows curves."""
    rows = [photograph(48), from_uint8(draw_flower("skyfive", 3, 48))]
    eps = noise([0], 800, (3, 48, 48))[0]
    return [x for x0 in rows for x in [*(s.add_noise(x0, t, eps) for s in SCHEDULES), None]]


@pytest.fixture
def opened(open_page):
    """A function that shows one widget of the built lesson, by its label, on an empty page."""
    states = saved_widgets("01_forward_diffusion.ipynb")

    def opened(label):
        (state,) = (state for state in states if state.get("label") == label)
        page = open_page()
        show_saved(page, state)
        page.locator(".fd-player img").first.wait_for()
        return page

    return opened


@pytest.mark.parametrize(
    "label, expected",
    [("Adding noise, step by step", stepped), ("Schedules, side by side", explored)],
    ids=["stepper", "explorer"],
)
def test_the_slider_moves_to_the_right_pixels(label, expected, opened, screenshots):
    page = opened(label)
    page.get_by_role("slider", name="step").focus()
    page.keyboard.press("Home")
    for t in TIMES:
        caption = page.locator(".fd-caption")
        expect(caption).to_contain_text(f"t = {t} ·")
        for panel, x in enumerate(expected(t)):
            if x is not None:
                shown = shown_pixels(page.locator(".fd-player img").nth(panel)).int()
                off = (shown - to_uint8(x).int()).abs().max()
                assert off <= 2, f"t = {t}, panel {panel}: off by {off}"  # another machine's sums
        if t == 250:
            page.screenshot(
                path=screenshots / f"forward-{label.partition(',')[0].split()[0].lower()}.png"
            )
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize(
    "label",
    ["Adding noise, step by step", "Schedules, side by side", "Histograms, step by step"],
)
def test_a_film_fits_the_screen_and_says_what_it_shows(label, opened, screenshots):
    page = opened(label)
    player = page.get_by_role("group", name=label)
    box = player.bounding_box()
    assert box["y"] + box["height"] <= SCREEN["height"] - 120, "no room for a notebook's toolbars"
    assert page.evaluate("document.scrollingElement.scrollWidth") <= SCREEN["width"]
    for image in player.locator("img").all():
        assert len(image.get_attribute("alt")) > 20
        smooth = "(curves)" in image.get_attribute("alt") or "(hist" in image.get_attribute("alt")
        rendering = image.evaluate("img => getComputedStyle(img).imageRendering")
        assert rendering == ("auto" if smooth else "pixelated")
    page.keyboard.press("Tab")
    player.get_by_role("slider", name="step").press("End")
    page.screenshot(
        path=screenshots / f"forward-{label.partition(',')[0].split()[0].lower()}-end.png"
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """JupyterLab with a notebook of the three films."""
    folder = tmp_path_factory.mktemp("forward")
    write_notebook(folder / "films.ipynb", SETUP, *FILMS.values())
    with start_lab(folder) as server, labs(server, browser) as open_lab:
        opened = open_lab("films.ipynb")
        opened.run(0)
        yield opened


@pytest.mark.parametrize("label", FILMS)
def test_every_control_of_a_film_moves_it_in_jupyterlab(label, lab, screenshots):
    exec(SETUP, here := {})
    frames = eval(FILMS[label], here)._rows.values()
    player = lab.run(1 + list(FILMS).index(label)).locator(".fd-player")
    slider = player.get_by_role("slider", name="step")

    def shows(index):
        expect(slider).to_have_js_property("value", str(index))
        images = [x for row in frames for x in row[index].images]
        expect(player.locator("img")).to_have_count(len(images))
        for img, expected in zip(player.locator("img").all(), images, strict=True):
            assert torch.equal(shown_pixels(img), expected)

    shows(0)
    player.get_by_role("button", name="one step on").click()
    shows(1)
    slider.press("End")
    shows(3)
    player.get_by_role("button", name="one step back").click()
    shows(2)
    slider.fill("0")  # dragged
    shows(0)
    player.get_by_label("speed").select_option("fast")
    player.get_by_role("button", name="play").click()
    expect(player.get_by_role("button", name="play")).to_be_visible()  # it has come to the end
    shows(3)
    box = player.bounding_box()
    assert box["height"] <= SCREEN["height"] - 120 and box["width"] <= SCREEN["width"]
    lab.page.screenshot(path=screenshots / f"forward-lab-{label.partition(',')[0].split()[0]}.png")
