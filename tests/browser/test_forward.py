"""The films of lesson 01 under a hand, in the built notebook, without a kernel: every frame of the
slider is the picture that the library computes.
"""

import numpy as np
import pytest
import torch
from jupyter_pages import SCREEN, saved_widgets, show_saved, shown_pixels
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
