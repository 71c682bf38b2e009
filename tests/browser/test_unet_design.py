"""The map of a net under a hand: blocks, pictures and times chosen, and the pixels compared with
what the net computes in this process; then the built lesson's maps, without a kernel.
"""

import pytest
import torch
from jupyter_pages import (
    SCREEN,
    Lab,
    contrast,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    write_notebook,
)
from playwright.sync_api import expect

from flowerdiff.netinfo import activations, measure
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import netmap_draw

MAKE = """
import torch
from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import net_map

class Net(TwoLayerUNet):
    def forward(self, x_t, t, y=None):
        if t[0] == 500:
            raise RuntimeError("no <such> time")
        return super().forward(x_t, t, y)

torch.manual_seed(0)
net = Net(TwoLayerConfig(num_classes=3, width=8)).eval()
schedule = linear_schedule()
ramp = torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)
pictures = {"ramp": ramp, "mirrored": ramp.flip(-1)}
"""
SHOW = """
from flowerdiff.netinfo import parts
parts.register(Net)(parts.dispatch(TwoLayerUNet))
widget = net_map(net, schedule, pictures, times=(10, 200, 400))
widget
"""
TIMES = (10, 200, 400)


@pytest.fixture(scope="module")
def expected():
    """A function: the block's picture and words, and x_t, for a picture and a time."""
    torch.manual_seed(0)
    net = TwoLayerUNet(TwoLayerConfig(num_classes=3, width=8)).eval()
    ramp = torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)
    pictures, eps = {"ramp": ramp, "mirrored": ramp.flip(-1)}, noise([0], 800, (3, 32, 32))[0]

    def expected(block, picture, t):
        x_t = linear_schedule().add_noise(pictures[picture], t, eps)
        found = activations(net, x_t[None], torch.tensor([t]), torch.tensor([3]))
        return *netmap_draw.sheet(found[block]), to_uint8(x_t)

    expected.blocks = {b.part.name: b for b in measure(net, 32)}
    return expected


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("netmap")
    write_notebook(folder / "map.ipynb", MAKE, SHOW, 'widget.view.block = "up 1"')
    server = start_lab(folder)
    yield server
    server.stop()


class Map:
    """The map on a page, in the words of a person."""

    def __init__(self, page):
        self.page = page
        self.box = page.locator(".fd-net").first
        self.words = self.box.locator(".fd-net-words")
        self.slider = self.box.get_by_role("slider", name="time t")
        self.picture = self.box.get_by_label("picture", exact=True)
        self.out = self.box.locator(".fd-net-out")
        self.x_t = self.box.locator(".fd-net-xt")
        self.out.wait_for()

    def block(self, name):
        return self.box.locator(f'g[data-name="{name}"]')

    def shows(self, expected, block, picture, t):
        image, words, x_t = expected(block, picture, t)
        expect(self.words.locator("dt").first).to_have_text(block)
        expect(self.out).to_have_attribute("alt", f"what comes out of {block} at t = {t}: {words}")
        expect(self.x_t).to_have_attribute("alt", sees(expected.blocks[block], picture, t))
        assert torch.equal(shown_pixels(self.out), image)
        assert torch.equal(shown_pixels(self.x_t), x_t)


def sees(block, picture, t):
    field = netmap_draw.described(block, 32, 1)["field"]
    return f"{picture} with the noise of t = {t}; {block.part.name} sees {field}"


def test_every_control_in_jupyterlab(jupyter, open_page, expected, screenshots):
    lab = Lab(open_page(), jupyter, "map.ipynb")
    lab.run(0)
    cell = lab.run(1)
    net = Map(lab.page)

    # every block, by a click
    for name, block in expected.blocks.items():
        net.block(name).click()
        net.shows(expected, name, "ramp", 200)
        numbers = netmap_draw.described(block, 32, sum(b.flops for b in expected.blocks.values()))
        for key in ("what", "shape", "parameters", "flops", "field"):
            expect(net.words).to_contain_text(numbers[key])
        expect(net.block(name)).to_have_attribute("aria-checked", "true")
        expect(net.box.locator('[aria-checked="true"]')).to_have_count(1)

    # by keys: one stop for Tab, arrows from block to block
    net.block("stem").click()
    lab.page.keyboard.press("ArrowRight")
    net.shows(expected, "down 1", "ramp", 200)
    lab.page.keyboard.press("End")
    net.shows(expected, "label 2", "ramp", 200)
    lab.page.keyboard.press("ArrowRight")
    net.shows(expected, "stem", "ramp", 200)
    expect(net.box.locator('g[tabindex="0"]')).to_have_count(1)
    assert lab.page.evaluate("document.activeElement.dataset.name") == "stem"

    # the other picture, a marked time, and times that only Python knows
    net.picture.select_option("mirrored")
    net.shows(expected, "stem", "mirrored", 200)
    net.slider.focus()
    lab.page.keyboard.press("ArrowRight")
    net.shows(expected, "stem", "mirrored", 210)
    net.slider.fill("400")
    net.shows(expected, "stem", "mirrored", 400)
    lab.page.screenshot(path=screenshots / "netmap-lab.png")
    terms, values = (net.words.locator(tag).all() for tag in ("dt", "dd"))
    for term, value in list(zip(terms, values, strict=True))[1:]:  # side by side, nothing on top
        left, right = term.bounding_box(), value.bounding_box()
        assert left["x"] + left["width"] < right["x"] and left["y"] == right["y"]

    # an error is seen, and the next time works
    net.slider.fill("500")
    alert = cell.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: no <such> time")
    expect(net.box.locator("figcaption").last).to_have_text("no picture: see above")
    expect(net.box.locator('[aria-busy="true"]')).to_have_count(0)
    net.slider.fill("510")
    net.shows(expected, "stem", "mirrored", 510)
    expect(alert).to_have_count(0)

    # from Python; all of it on one screen
    lab.run(2)
    net.shows(expected, "up 1", "mirrored", 510)
    box = net.box.bounding_box()
    assert box["height"] <= 480 and box["width"] <= SCREEN["width"] - 300, box
    assert contrast(net.words) > 4.5


@pytest.fixture
def built(open_page):
    """A function that shows one map of the built lesson on an empty page."""
    states = saved_widgets("02_unet_design.ipynb")

    def built(label):
        (state,) = (state for state in states if state.get("label") == label)
        page = open_page()
        show_saved(page, state)
        return Map(page), state

    return built


@pytest.mark.parametrize("label", ["Map of the 2-layer net", "Map of the compact net"])
def test_the_saved_lesson_needs_no_kernel(label, built, screenshots):
    net, state = built(label)
    net.page.keyboard.press("Tab")
    for block in state["blocks"]:
        net.block(block["name"]).click()
        expect(net.words).to_contain_text(block["shape"])
        shot = state["shots"][f"{state['pictures'][0]}|{state['t']}"]["blocks"][block["name"]]
        assert net.out.get_attribute("src") == shot["image"]
    net.picture.select_option(state["pictures"][1])
    net.slider.focus()
    for _ in state["times"]:
        net.page.keyboard.press("ArrowLeft")
    seen = []
    for _ in state["times"]:  # an arrow goes to the next time that is there
        seen.append(int(net.slider.input_value()))
        shot = state["shots"][f"{state['pictures'][1]}|{seen[-1]}"]
        assert net.x_t.get_attribute("src") == shot["x_t"]
        net.page.keyboard.press("ArrowRight")
    assert seen == sorted(state["times"])
    expect(net.box.locator(".fd-net-note")).to_contain_text("Shift + Enter")
    box = net.box.bounding_box()
    assert box["y"] + box["height"] <= SCREEN["height"] - 120, "no room for a notebook's toolbars"
    assert net.page.evaluate("document.scrollingElement.scrollWidth") <= SCREEN["width"]
    net.block(state["blocks"][3]["name"]).click()
    net.page.screenshot(path=screenshots / f"netmap-{len(state['blocks'])}.png")
