"""The projector switch under a hand: how large and how black the widgets are, on small screens."""

import re

import pytest
from jupyter_pages import ROOT, SCREEN, Lab, contrast, contrasts, start_lab, write_notebook
from playwright.sync_api import expect

XGA = {"width": 1024, "height": 768}  # the projector of an old seminar room
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_flowers import FakeFlowers
from flowerdiff.widgets import denoising_stepper, doodle_canvas, projector

model = FakeFlowers(("bird of paradise", "daisy", "rose", "sunflower", "tulip"))
""".strip()
STEPPER = 'denoising_stepper(model, "sunflower", seed=7, steps=4)'
DOODLE = 'doodle_canvas(model, "sun", "sunflower", t=600, steps=4)'
NET = """
from flowerdiff.garden import draw_flower
from flowerdiff.pixels import from_uint8
from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import net_map

net = TwoLayerUNet(TwoLayerConfig(num_classes=18, width=8)).eval()
x = {"sunwheel": from_uint8(draw_flower("sunwheel", seed=3, size=32))}
net_map(net, linear_schedule(), x, {"sunwheel": 1}, label="Map")
""".strip()
TEXT = (  # all that a person reads in the stepper
    ".fd-title, .fd-row, .fd-caption, .fd-bar select, "
    ".widget-label, .widget-dropdown select, .widget-text input, .jupyter-button"
)


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    server = start_lab(folder)
    yield server
    server.stop()


def open_lab(jupyter, page, name):
    """A notebook of its own, with a kernel of its own: a switch outlives the page it is on."""
    cells = [STEPPER, "projector()", "switch = projector(False)", DOODLE, NET]
    write_notebook(jupyter.root / name, SETUP, *cells)
    lab = Lab(page, jupyter, name)
    lab.page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
    lab.run(0)
    return lab


def sizes(box, what=TEXT):
    """Font sizes in CSS pixels of all that is shown, in order: [class or tag, size]."""
    return box.evaluate(
        """(box, what) =>
            [...box.querySelectorAll(what)].filter((e) => e.clientWidth).map((e) =>
                [e.className || e.tagName, parseFloat(getComputedStyle(e).fontSize)])""",
        what,
    )


def cut_off(box):
    """What is wider than the place it has."""
    return box.evaluate(
        """box => [...box.querySelectorAll("*")]
            .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
            .filter((e) => !["visible", "clip"].includes(getComputedStyle(e).overflowX))
            .map((e) => e.className || e.tagName)"""
    )


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("screen", [SCREEN, XGA], ids=["720p", "xga"])
def test_it_is_read_from_the_last_row(screen, theme, jupyter, open_page, screenshots):
    jupyter.theme(f"JupyterLab {theme}")
    lab = open_lab(jupyter, open_page(viewport=screen), f"{theme}-{screen['height']}.ipynb")
    lab.run(1)
    box = lab.page.locator(".widget-vbox:has(.fd-player)").first
    expect(box.locator(".fd-caption")).to_contain_text("step 4 of 4")
    before = sizes(box)
    assert max(px for _, px in before) < 18

    lab.run(2)
    switch = lab.page.locator(".fd-projector-switch")
    expect(switch).to_have_attribute("aria-pressed", "true")
    box.scroll_into_view_if_needed()
    room = sizes(box)
    assert [name for name, _ in room] == [name for name, _ in before]
    assert min(px for _, px in room) >= 20
    for element in box.locator(TEXT).all():
        if element.is_visible() and element.is_enabled():
            assert contrast(element) >= 15, element.evaluate("e => e.className")
    for control in box.locator("button:visible, select:visible, input:visible").all():
        assert control.bounding_box()["height"] >= 38
    assert not cut_off(box)
    panel = lab.page.locator(".jp-WindowedPanel-outer").bounding_box()
    name = f"projector-{screen['height']}-{theme.lower()}.png"
    box.evaluate("box => box.scrollIntoView({ block: 'start' })")
    lab.page.screenshot(path=screenshots / name)
    assert box.bounding_box()["height"] <= panel["height"], "it does not fit the screen"

    slider = box.get_by_role("slider", name="step")
    slider.focus()
    lab.page.keyboard.press("ArrowLeft")
    expect(box.locator(".fd-caption")).to_contain_text("step 3 of 4")
    ring = slider.evaluate("node => getComputedStyle(node).outline")
    assert re.search(r"solid 4px|4px solid", ring), f"no focus ring: {ring}"

    box.get_by_role("button", name="Go on from here").click()  # two rows are the most it has
    expect(box.locator("img")).to_have_count(6)
    expect(box.locator(".fd-player")).to_have_attribute("aria-busy", "false")
    assert box.bounding_box()["height"] <= panel["height"], "two rows do not fit the screen"
    assert not cut_off(box)
    box.evaluate("box => box.scrollIntoView({ block: 'start' })")
    lab.page.screenshot(path=screenshots / f"two-{name}")
    assert min(px for _, px in sizes(box)) >= 20

    switch.focus()
    lab.page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert max(px for _, px in sizes(box)) < 18
    switch.click()
    assert min(px for _, px in sizes(box)) >= 20
    lab.run(3)  # without a switch to be seen
    expect(switch).to_have_text("Projector: off")
    assert max(px for _, px in sizes(box)) < 18
    jupyter.theme("JupyterLab Light")


def test_the_other_widgets_too(jupyter, open_page, screenshots):
    lab = open_lab(jupyter, open_page(), "others.ipynb")
    lab.run(2)
    lab.run(4)
    doodle = lab.page.locator(".widget-vbox:has(.fd-doodle)").first
    doodle.locator("canvas").wait_for()
    text = f"{TEXT}, .fd-status, .fd-tools button, .fd-tools select"
    assert min(px for _, px in sizes(doodle, text)) >= 20
    assert not cut_off(doodle)
    doodle.evaluate("box => box.scrollIntoView({ block: 'start' })")
    lab.page.screenshot(path=screenshots / "projector-doodle.png")
    lab.run(5)
    net = lab.page.locator(".fd-net").first
    expect(net).to_have_attribute("aria-busy", "false")
    text = ".fd-net-words dt, .fd-net-words dd, figcaption, select, output"
    assert min(px for _, px in sizes(net, text)) >= 20
    assert min(contrasts(net, text)) >= 15
    net.evaluate("box => box.scrollIntoView({ block: 'start' })")
    lab.page.screenshot(path=screenshots / "projector-net.png")
