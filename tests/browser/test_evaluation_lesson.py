"""The damage bench and the blind test under a hand: every control moved, pictures and scores
compared with what the library computes in this process; both without a kernel, too.
"""

import pytest
import torch
import torch.nn.functional as F
from jupyter_pages import (
    PHONE,
    SCREEN,
    contrast,
    labs,
    saved_widgets,
    show_saved,
    shown_pixels,
    start_lab,
    write_notebook,
)
from playwright.sync_api import expect
from test_stepper import Stepper

from flowerdiff.garden import garden
from flowerdiff.metrics import Extractor, Measured
from flowerdiff.pixels import grid
from flowerdiff.widgets import Damage, blind_test, damaged
from flowerdiff.widgets.blind import luck
from flowerdiff.widgets.damage_bench import FIRST, LABEL
from flowerdiff.widgets.scoreboard import Panel, scoreboard

MAKE = """
import torch
import torch.nn.functional as F
from flowerdiff.garden import garden
from flowerdiff.metrics import Extractor, Measured
from flowerdiff.widgets import blind_test, damage_bench
from flowerdiff.widgets.scoreboard import Panel

def spots(x):
    if x.std((1, 2, 3)).max() < 0.02:
        raise RuntimeError("there is <nothing> to see")
    return F.adaptive_avg_pool2d(x, 4).flatten(1)

torch.manual_seed(0)
tiny, last = Extractor("tiny", spots), torch.nn.Linear(48, 7).requires_grad_(False)
images, labels, _ = garden(2, 32, seed=1)
real, real_labels, _ = garden(3, 32)
panel = Panel(Measured(real, real_labels, tiny(real)), labels, tiny, last)
""".strip()
SHOW_BENCH = "damage_bench(images, labels, panel.known, panel)"
SHOW_BLIND = """
blind_test({"other flowers": (images, real), "themselves": (real, images)}, rounds=4)
""".strip()


@pytest.fixture(scope="module")
def here():
    """Of this process: the panel, the flowers, and other ones."""
    torch.manual_seed(0)
    tiny = Extractor("tiny", lambda x: F.adaptive_avg_pool2d(x, 4).flatten(1))
    last = torch.nn.Linear(48, 7).requires_grad_(False)
    images, labels, _ = garden(2, 32, seed=1)
    real, real_labels, _ = garden(3, 32)
    return Panel(Measured(real, real_labels, tiny(real)), labels, tiny, last), images, real


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """A function that opens a notebook with one widget in JupyterLab."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_notebook(folder / "bench.ipynb", MAKE, SHOW_BENCH)
    write_notebook(folder / "blind.ipynb", MAKE, f"test = {SHOW_BLIND}\ntest", "test.right()")
    with start_lab(folder) as server, labs(server, browser) as open_lab:

        def lab(notebook):
            opened = open_lab(notebook)
            opened.run(0)
            opened.run(1)
            return opened

        yield lab


class Bench(Stepper):
    """The damage bench on a page, in the words of a person."""

    def set(self, name, value):
        self.control(name).fill(str(value))

    def shows(self, damage, here):
        panel, images, _ = here
        after = damaged(images, damage)
        expect(self.caption).to_have_text(
            f"{damage}\n\n{scoreboard(panel(images), panel(after))}", use_inner_text=True
        )
        for place, pictures in enumerate((images, after)):
            shown = shown_pixels(self.images.nth(place))
            assert torch.equal(shown, grid(pictures[:4], 2, pad=0))


@pytest.fixture(scope="module")
def bench_lab(lab):
    return lab("bench.ipynb")


@pytest.fixture
def bench(bench_lab):
    """A fresh bench."""
    bench_lab.run(1)
    return Bench(bench_lab.page)


def test_every_slider_spoils_and_is_measured(bench, here, screenshots):
    bench.shows(Damage(), here)
    so_far = {}
    for name, value in {"noise": 6, "jpeg": 60, "contrast": 0.7, "colour": 1.4}.items():
        so_far[name] = value
        bench.set(name, value)
        bench.shows(Damage(**so_far), here)
    bench.control("blur").focus()
    for _ in range(2):  # one measurement, after both
        bench.page.keyboard.press("ArrowRight")
    bench.shows(Damage(**so_far, blur=0.2), here)
    assert bench.slider.get_attribute("max") == str(len(FIRST) + len(so_far))
    bench.page.screenshot(path=screenshots / "damage-bench.png")
    for key, value in (("Home", 0), ("End", 3)):
        bench.page.keyboard.press(key)
        bench.shows(Damage(**so_far, blur=float(value)), here)
    bench.click("No damage")
    bench.shows(Damage(), here)
    expect(bench.control("blur")).to_have_js_property("value", "0")
    expect(bench.box.locator(".fd-range output").first).to_have_text("0")


def test_the_film_goes_through_what_was_measured_and_the_sliders_follow(bench, here):
    bench.slider.focus()
    for damage in FIRST[1:]:
        bench.page.keyboard.press("ArrowRight")
        bench.shows(damage, here)
    expect(bench.control("colour")).to_have_js_property("value", "0")
    expect(bench.control("contrast")).to_have_js_property("value", "1")


def test_what_is_missing_is_said(bench, screenshots):
    bench.control("NIQE, BRISQUE and CNN-IQA, too").check()
    said = bench.box.get_by_role("status").filter(has_text="CNN-IQA")
    expect(said).to_contain_text("CNN-IQA needs")
    bench.page.screenshot(path=screenshots / "damage-bench-missing.png")
    bench.control("NIQE, BRISQUE and CNN-IQA, too").uncheck()
    expect(said).to_have_count(0)


def test_an_error_is_shown_and_the_scores_stay(bench, here, screenshots):
    bench.set("contrast", 0)
    alert = bench.box.get_by_role("alert")
    expect(alert).to_contain_text("RuntimeError: there is <nothing> to see")
    bench.page.screenshot(path=screenshots / "damage-bench-error.png")
    bench.set("contrast", 0.5)
    bench.shows(Damage(contrast=0.5), here)
    expect(alert).to_have_count(0)


def test_the_bench_fits_one_screen_and_says_what_it_is(bench):
    panel = bench.page.locator(".jp-WindowedPanel-outer").bounding_box()
    bench.fits(panel["width"], panel["height"])
    for name in ("blur", "noise", "jpeg", "contrast", "colour"):
        expect(bench.box.get_by_role("slider", name=name, exact=True)).to_have_count(1)
    expect(bench.box.get_by_role("group", name=LABEL)).to_have_count(1)
    assert "no damage: KID" in bench.images.nth(1).get_attribute("alt")


class Blind:
    """The blind test on a page, in the words of a person."""

    def __init__(self, page):
        self.page = page
        self.box = page.get_by_role("group", name="Blind test")
        self.sides = [self.box.get_by_role("button", name=n, exact=True) for n in ("left", "right")]
        self.verdict = self.box.locator(".fd-verdict")
        self.sides[0].wait_for()

    def in_round(self, i, turn):
        expect(self.box.locator(".fd-where")).to_have_text(f"Round {i + 1} of 4")
        for side, url in zip(self.sides, turn["images"], strict=True):
            expect(side.locator("img")).to_have_attribute("src", url)
            assert shown_pixels(side.locator("img")).shape == (3, 70, 70)

    def ends(self, rounds, answers):
        right = sum(turn["real"] == a for turn, a in zip(rounds, answers, strict=True))
        expect(self.verdict).to_have_text(luck(right, 4))
        said = self.box.locator("figcaption")
        names = ("left", "right")
        expect(said).to_have_text(
            [
                f"{'✓' if turn['real'] == a else '✗'} real: {names[turn['real']]}"
                for turn, a in zip(rounds, answers, strict=True)
            ]
        )
        return right


@pytest.fixture(scope="module")
def expected(here):
    """The same test in this process."""
    _, images, real = here
    contests = {"other flowers": (images, real), "themselves": (real, images)}
    return blind_test(contests, rounds=4)


def test_round_by_round_then_the_verdict(lab, expected, screenshots):
    opened = lab("blind.ipynb")
    blind = Blind(opened.page)
    for contest, answers in enumerate(([0, 1, 0, 1], [1, 1, 0, 0])):
        rounds = expected.rounds[contest]
        for i, answer in enumerate(answers):
            blind.in_round(i, rounds[i])
            if contest == 0:
                blind.sides[answer].click()
            else:
                blind.page.keyboard.press("ArrowRight" if answer else "ArrowLeft")
        right = blind.ends(rounds, answers)
        result = opened.run(2).locator(".jp-OutputArea-executeResult")  # Python knows, too
        expect(result).to_contain_text(str(right))
        opened.page.screenshot(path=screenshots / f"blind-{contest}.png")
        blind.box.get_by_role("combobox").select_option("themselves")
        if contest == 0:
            blind.sides[0].focus()
    blind.box.get_by_role("button", name="Start again").click()
    blind.in_round(0, expected.rounds[1][0])
    expect(blind.sides[0]).to_be_focused()
    for element in (blind.box.locator(".fd-question"), blind.sides[0]):
        assert contrast(element) >= 4.5


@pytest.fixture(scope="module")
def saved_states():
    return saved_widgets("06_evaluation.ipynb")


def test_the_saved_bench_needs_no_kernel(open_page, saved_states, screenshots):
    (state,) = (s for s in saved_states if s.get("label") == LABEL)
    page = open_page()
    show_saved(page, state)
    caption = page.locator(".fd-caption")
    page.get_by_role("slider", name="step").focus()
    for damage in FIRST:
        expect(caption).to_contain_text(f"{damage}\n")
        expect(caption).to_contain_text("recognition")
        page.keyboard.press("ArrowRight")
    expect(page.locator(".fd-note")).to_contain_text("run this cell")
    page.screenshot(path=screenshots / "damage-bench-saved.png")


@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
def test_the_saved_blind_test_needs_no_kernel(viewport, open_page, saved_states, screenshots):
    (state,) = (s for s in saved_states if "verdicts" in s)
    page = open_page(viewport=viewport)
    show_saved(page, state)
    blind = Blind(page)
    for i, turn in enumerate(state["rounds"][0]):
        expect(blind.box.locator(".fd-where")).to_have_text(f"Round {i + 1} of 10")
        boxes = [side.bounding_box() for side in blind.sides]
        assert all(b["x"] + b["width"] <= viewport["width"] for b in boxes)
        if i == 0:
            page.screenshot(path=screenshots / f"blind-saved-{viewport['width']}.png")
        blind.sides[turn["real"]].click()
    expect(blind.verdict).to_have_text(luck(10, 10))
    page.screenshot(path=screenshots / f"blind-saved-end-{viewport['width']}.png")
