"""The sampler race and the doodle canvas under a hand: every control moved, a doodle drawn with the
mouse and with the keyboard, and the pixels compared with what the library computes here.
"""

from dataclasses import replace

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
from PIL import ImageColor
from playwright.sync_api import expect
from test_stepper import Stepper

from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.widgets import PRESETS, RACERS, sdedit
from flowerdiff.widgets.doodle import Edit
from flowerdiff.widgets.race import Start
from flowerdiff.widgets.sketches import PALETTE

RACE, EDIT = Start("sunflower", seed=7, w=0.0), Edit("rose", t=550, w=2.0, seed=1, steps=4)
BUDGETS, EXACT = (4, 6), 20
SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from fake_flowers import FragileFlowers
from flowerdiff.widgets import doodle_canvas, sampler_race

model = FragileFlowers()
""".strip()
SHOW_RACE = f'sampler_race(model, "sunflower", budgets={BUDGETS}, exact_steps={EXACT})'
SHOW_DOODLE = f'doodle_canvas(model, "sun", "rose", steps={EDIT.steps})'


MODEL = FragileFlowers()


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """A function that opens a notebook with one widget in JupyterLab; the kernel has the model."""
    folder = tmp_path_factory.mktemp("sampling")
    write_notebook(folder / "race.ipynb", SETUP, SHOW_RACE)
    write_notebook(folder / "doodle.ipynb", SETUP, SHOW_DOODLE)
    with start_lab(folder) as server, labs(server, browser) as open_lab:

        def lab(notebook):
            opened = open_lab(notebook)
            opened.run(0)
            return opened

        yield lab


@pytest.fixture(scope="module")
def race_lab(lab):
    return lab("race.ipynb")


@pytest.fixture(scope="module")
def doodle_lab(lab):
    return lab("doodle.ipynb")


class Bench(Stepper):
    """A box of controls on a page, in the words of a person."""

    def set(self, name, value):
        control = self.control(name)
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
            control.press("Enter")

    def press(self, name):
        """Click the button that a changed control has coloured, and wait for what it does: it
        keeps its colour until the new pictures have been sent.
        """
        expect(self.box.locator("button.mod-primary")).to_have_text(name)
        self.click(name)
        expect(self.box.locator("button.mod-primary")).to_have_count(0)
        expect(self.player).to_have_attribute("aria-busy", "false")
        expect(self.box.get_by_role("button", name=name)).to_be_enabled()

    def key(self, *keys):
        self.slider.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def row_shows(self, first, expected, within=1):
        """The images from the `first` on are these (3, S, S) floats."""
        for i, x in enumerate(expected):
            shown = shown_pixels(self.images.nth(first + i)).int()
            off = (shown - to_uint8(x).int()).abs().max()
            assert off <= within, f"picture {first + i}: off by {off}"

    def has(self, *roles_and_names):
        for role, name in roles_and_names:
            expect(self.box.get_by_role(role, name=name, exact=True)).to_have_count(1)


# the race


def walks(start, steps, model=MODEL):
    """x0_hat (3, S, S) of each step, {racer: [...]}, by the library."""
    size, y = model.image_size, torch.tensor([model.label(start.label)])
    x_T = noise([start.seed], 800, (3, size, size))
    eps, own = guided(model, start.w, model.null_label), {"seeds": [start.seed], "clip_x0": 1.0}
    with torch.inference_mode():
        return {
            name: [s.x0_hat[0] for s in racer(eps, model.schedule, x_T, y, steps=steps, **own)]
            for name, racer in RACERS.items()
        }


def exact(start, model=MODEL, steps=EXACT):
    size, y = model.image_size, torch.tensor([model.label(start.label)])
    x_T = noise([start.seed], 800, (3, size, size))
    eps = guided(model, start.w, model.null_label)
    with torch.inference_mode():
        *_, last = ddim(eps, model.schedule, x_T, y, steps=steps, clip_x0=1.0)
    return last.x_t[0]


def ends(start, steps):
    """The five pictures of the upper row, and the five differences below them."""
    goal = exact(start)
    pictures = [x[-1] for x in walks(start, steps).values()] + [goal]
    away = [3 * (x - goal).abs().mean(0, keepdim=True).expand_as(x) - 1 for x in pictures]
    return pictures + away


@pytest.fixture
def race(race_lab):
    """A fresh race."""
    race_lab.run(1)
    return Bench(race_lab.page)


def test_every_sampler_ends_where_the_library_ends(race, screenshots):
    for key, steps in (("Home", 4), ("End", 6)):
        race.key(key)
        expect(race.caption).to_contain_text(f"{steps} steps · distance from exact: DDPM ")
        race.row_shows(0, ends(RACE, steps))
    distance = (walks(RACE, 6)["DDIM"][-1] - exact(RACE)).square().mean().sqrt()
    expect(race.caption).to_contain_text(f" · DDIM {distance:.3f} · ")
    race.page.screenshot(path=screenshots / "race.png")


def test_each_control_changes_the_race(race, screenshots):
    start = RACE
    for name, value, change in [
        ("flower", "tulip", {"label": "tulip"}),
        ("seed", "8", {"seed": 8}),
        ("w", "1.5", {"w": 1.5}),
    ]:
        start = replace(start, **change)
        race.set(name, value)
        race.press("Race")
        race.row_shows(0, ends(start, 4))
    race.set("show", "the walk with 6 steps")
    expect(race.caption).to_contain_text("step 0 of 6 · distance")
    race.key("ArrowRight", "ArrowRight", "ArrowRight")
    expect(race.caption).to_contain_text("step 3 of 6 ")
    race.row_shows(0, [x[3] for x in walks(start, 6).values()])
    race.page.screenshot(path=screenshots / "race-walk.png")
    race.set("show", "how they finish")
    expect(race.caption).to_contain_text("4 steps · distance")
    race.row_shows(0, ends(start, 4))


def test_an_error_in_a_race_is_shown_and_the_last_race_stays(race):
    race.set("flower", "broken")
    race.click("Race")
    alert = race.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: this flower is broken")
    expect(race.slider).to_be_enabled()
    race.row_shows(0, ends(RACE, 4))
    race.set("flower", "daisy")
    race.press("Race")
    expect(alert).to_have_count(0)
    race.row_shows(0, ends(replace(RACE, label="daisy"), 4))


def test_the_race_fits_one_screen_and_says_what_it_is(race):
    panel = race.page.locator(".jp-WindowedPanel-outer").bounding_box()
    race.fits(panel["width"], panel["height"])
    race.has(
        ("combobox", "flower"),
        ("spinbutton", "seed"),
        ("spinbutton", "w"),
        ("button", "Race"),
        ("combobox", "show"),
        ("group", "Sampler race"),
        ("slider", "step"),
    )
    assert race.images.nth(1).get_attribute("alt").startswith("picture; DDIM; 4 steps · distance")


# the doodle


def rgb(name):
    return torch.tensor(ImageColor.getrgb(PALETTE[name]), dtype=torch.uint8)[:, None, None]


def painted(image, points, diameter, colour):
    """The image (3, S, S) with a disc at each (column, row)."""
    y, x = torch.meshgrid(*[torch.arange(image.shape[1])] * 2, indexing="ij")
    for column, row in points:
        inside = (x - column) ** 2 + (y - row) ** 2 <= (diameter / 2) ** 2
        image = torch.where(inside, rgb(colour), image)
    return image


def across(a, b):
    """The pixels between two (column, row), as the brush goes."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]))
    return [
        tuple(round(p + (q - p) * i / steps) for p, q in zip(a, b, strict=True))
        for i in range(steps + 1)
    ]


class Doodle(Bench):
    def __init__(self, page):
        super().__init__(page)
        self.canvas = self.box.locator("canvas")
        self.status = self.box.locator(".fd-status")

    def drawn(self):
        """The canvas's pixels (3, 64, 64)."""
        flat = self.canvas.evaluate(
            "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        )
        return torch.tensor(flat, dtype=torch.uint8).reshape(64, 64, 4)[..., :3].permute(2, 0, 1)

    def holds(self, expected):
        """Waits until these are the pixels on the canvas."""
        self.page.wait_for_function(
            "([c, p]) => c.getContext('2d').getImageData(0, 0, 64, 64).data.every("
            "(v, i) => i % 4 == 3 || v == p[i % 4][(i - i % 4) / 4])",
            arg=[self.canvas.element_handle(), expected.flatten(1).tolist()],
        )

    def place(self, column, row):
        """The middle of a pixel of the canvas, on the screen."""
        box = self.canvas.bounding_box()
        return (
            box["x"] + (column + 0.5) * box["width"] / 64,
            box["y"] + (row + 0.5) * box["height"] / 64,
        )

    def drag(self, *places):
        self.canvas.scroll_into_view_if_needed()
        self.page.mouse.move(*self.place(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.place(*place))
        self.page.mouse.up()

    def colour(self, name):
        self.box.get_by_role("radio", name=name, exact=True).check()

    def has_grown(self, doodle, edit, within=1):
        """First and last frame are those of the library's walk from the doodle."""
        with torch.inference_mode():
            steps = list(sdedit(MODEL, doodle, edit.t, edit.label, edit.w, edit.seed, edit.steps))
        expect(self.player.locator(".fd-row")).to_have_text([str(edit)])
        for key, i in (("Home", 0), ("End", len(steps) - 1)):
            self.key(key)
            self.at(i, len(steps) - 1)
            assert torch.equal(shown_pixels(self.images.first), doodle)
            self.row_shows(1, [steps[i].x_t[0], steps[i].x0_hat[0]], within)


@pytest.fixture
def doodle(doodle_lab):
    """A fresh canvas."""
    doodle_lab.run(1)
    return Doodle(doodle_lab.page)


SUN = PRESETS["sun"].draw(64)


def test_a_doodle_drawn_with_the_mouse_becomes_a_flower(doodle, screenshots):
    doodle.holds(SUN)
    doodle.has_grown(SUN, EDIT)
    doodle.colour("red")
    doodle.control("brush size").select_option("5 px")
    doodle.drag((10, 50), (30, 50), (30, 56))
    strokes = across((10, 50), (30, 50)) + across((30, 50), (30, 56))
    red = painted(SUN, strokes, 5, "red")
    doodle.holds(red)
    expect(doodle.status).to_have_text("painted red")
    doodle.colour("white")
    doodle.control("brush size").select_option("15 px")
    doodle.drag((50, 12))
    expected = painted(red, [(50, 12)], 15, "white")
    doodle.holds(expected)
    doodle.press("Grow")
    doodle.has_grown(expected, EDIT)
    doodle.page.screenshot(path=screenshots / "doodle.png")


def test_a_doodle_drawn_with_the_keyboard(doodle):
    doodle.colour("sky")
    doodle.box.get_by_role("button", name="Fill").click()
    sky = rgb("sky").expand(3, 64, 64)
    doodle.holds(sky)
    doodle.colour("purple")
    doodle.control("brush size").select_option("3 px")
    doodle.canvas.focus()
    keys = doodle.page.keyboard
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "Space"):
        keys.press(key)
    expect(doodle.status).to_have_text("painted purple at column 31, row 30")
    dot = painted(sky, [(31, 30)], 3, "purple")
    doodle.holds(dot)
    for _ in range(4):
        keys.press("Shift+ArrowRight")
    expect(doodle.status).to_have_text("painted purple, column 35, row 30")
    line = painted(dot, across((31, 30), (35, 30)), 3, "purple")
    doodle.holds(line)
    keys.press("Control+z")
    doodle.holds(painted(dot, across((31, 30), (34, 30)), 3, "purple"))
    for _ in range(3):
        doodle.box.get_by_role("button", name="Undo").click()
    doodle.holds(dot)
    doodle.press("Grow")
    doodle.has_grown(dot, EDIT)


def test_each_control_changes_the_flower(doodle, screenshots):
    doodle.set("draw for me", "five petals")
    petals, edit = PRESETS["five petals"].draw(64), EDIT
    doodle.holds(petals)
    for name, value, change in [
        ("noise it to t =", "300", {"t": 300}),
        ("flower", "tulip", {"label": "tulip"}),
        ("w", "0.5", {"w": 0.5}),
        ("seed", "9", {"seed": 9}),
        ("steps", "3", {"steps": 3}),
    ]:
        edit = replace(edit, **change)
        doodle.set(name, value)
        doodle.press("Grow")
        doodle.has_grown(petals, edit)
    doodle.page.screenshot(path=screenshots / "doodle-controls.png")


def test_an_error_in_growing_is_shown_and_the_flower_stays(doodle, screenshots):
    doodle.set("flower", "broken")
    doodle.click("Grow")
    alert = doodle.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: this flower is broken")
    doodle.page.screenshot(path=screenshots / "doodle-error.png")
    expect(doodle.slider).to_be_enabled()
    doodle.has_grown(SUN, EDIT)
    doodle.set("flower", "daisy")
    doodle.press("Grow")
    expect(alert).to_have_count(0)
    doodle.has_grown(SUN, replace(EDIT, label="daisy"))


def test_the_doodle_fits_one_screen_and_says_what_it_is(doodle):
    panel = doodle.page.locator(".jp-WindowedPanel-outer").bounding_box()
    doodle.fits(panel["width"], panel["height"])
    doodle.has(
        ("combobox", "draw for me"),
        ("spinbutton", "noise it to t ="),
        ("combobox", "flower"),
        ("spinbutton", "w"),
        ("spinbutton", "seed"),
        ("spinbutton", "steps"),
        ("button", "Grow"),
        ("group", "Doodle"),
        ("radiogroup", "colour"),
        ("combobox", "brush size"),
        ("button", "Fill"),
        ("button", "Undo"),
        ("slider", "step"),
    )
    assert "Space paints a dot" in doodle.canvas.get_attribute("aria-label")
    expect(doodle.box.get_by_role("radio")).to_have_count(len(PALETTE))


# the built lesson


@pytest.fixture
def saved(open_page):
    """A function that shows one widget of the built lesson on an empty page, without a kernel."""

    def saved(holds):
        (state,) = filter(holds, saved_widgets("04_sampling.ipynb"))
        page = open_page()
        show_saved(page, state)
        return page

    return saved


def test_the_saved_race_needs_no_kernel(saved, screenshots):
    from flowerdiff.checkpoint import load_pretrained

    page = saved(lambda state: state.get("label") == "Sampler race")
    model, start = load_pretrained("flowers64"), Start("water lily", seed=7, w=0.0)
    page.get_by_role("slider", name="step").focus()
    for key, steps in (("Home", 5), ("ArrowRight", 10)):
        page.keyboard.press(key)
        expect(page.locator(".fd-caption")).to_contain_text(f"{steps} steps · distance from exact")
        for i, x in enumerate(walks(start, steps, model).values()):
            shown = shown_pixels(page.locator(".fd-player img").nth(i)).int()
            assert (shown - to_uint8(x[-1]).int()).abs().max() <= 12  # built on another machine
    expect(page.locator(".fd-note")).to_contain_text("Shift + Enter")
    page.screenshot(path=screenshots / "race-saved.png")


def test_the_saved_canvas_can_be_drawn_on(saved, screenshots):
    page = saved(lambda state: "palette" in state)
    canvas = page.locator("canvas")
    page.get_by_role("radio", name="black", exact=True).check()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    middle = canvas.evaluate("c => Array.from(c.getContext('2d').getImageData(32, 32, 1, 1).data)")
    assert middle == [*ImageColor.getrgb(PALETTE["black"]), 255]
    page.screenshot(path=screenshots / "doodle-saved.png")
