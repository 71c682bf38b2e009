"""Slides in a browser, from a disk, with the network off: keys, type, players, notes."""

import sys

import pytest
from jupyter_pages import ROOT, SCREEN, contrast
from playwright.sync_api import expect

sys.path.insert(0, str(ROOT / "tools"))

import make_slides

XGA = {"width": 1024, "height": 768}
# What is on a slide, and how small its smallest type is; the player's has a size of its own.
LOOK = """() => {
    const slide = document.querySelector(".slide.current");
    const all = (what) => [...slide.querySelectorAll(what)];
    const box = (e) => e.getBoundingClientRect();
    const own = all(".body, .body *").filter((e) => !e.closest(".live, mjx-container"));
    const out = own.filter((e) => box(e).width).filter(
        (e) => box(e).bottom > box(slide).bottom + 2 || box(e).right > box(slide).right + 2);
    const words = own.filter((e) =>
        [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    const [live, text] = [...all(".wide figure .live"), ...all(".wide .words")];
    return {
        out: out.map((e) => e.outerHTML.slice(0, 60)),
        smallest: Math.min(...words.map((e) => parseFloat(getComputedStyle(e).fontSize))),
        raw: slide.textContent.includes("\\\\("),
        hidden: all("img").filter((e) => box(e).height < 60).length,
        wide: all("mjx-container svg").filter((e) => box(e).right > box(slide).right + 2).length,
        above: own.filter((e) => box(e).top < box(all(".body")[0]).top - 2).length,
        covered: Boolean(live && text && box(live).bottom > box(text).top + 2),
    };
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    names = ("00_first_flower", "01_forward_diffusion")
    make_slides.build([ROOT / "notebooks" / f"{name}.ipynb" for name in names], folder)
    return folder


@pytest.fixture
def deck(folder, open_page):
    def open_deck(name, screen=SCREEN, slide=1):
        page = open_page(viewport=screen, offline=True)
        page.goto(f"{(folder / name).as_uri()}.html#{slide}")
        page.locator(".slide.current[data-ready]").wait_for()
        return page

    return open_deck


@pytest.mark.parametrize(
    "name, screen",
    [("00_first_flower", XGA), ("01_forward_diffusion", SCREEN)],
    ids=["xga", "720p"],
)
def test_every_slide_can_be_read_from_the_last_row(name, screen, deck, screenshots):
    page = deck(name, screen)
    total = page.locator(".slide").count()
    least = 24 * min(screen["height"], screen["width"] * 9 / 16) / 720
    for number in range(1, total + 1):
        expect(page.locator("#where")).to_have_text(f"{number} / {total}")
        page.locator(".slide.current[data-ready]").wait_for()
        for live in page.locator(".slide.current .live").all():
            live.locator(".fd-player, .fd-net").first.wait_for()
        look = page.evaluate(LOOK)
        assert not look["out"], f"slide {number}: {look['out']}"
        assert look["smallest"] >= least - 0.1, f"slide {number}: type of {look['smallest']} px"
        assert not look["raw"], f"slide {number}: an equation was not set"
        for fault in ("hidden", "covered", "wide", "above"):
            assert not look[fault], f"slide {number}: {look}"
        page.screenshot(path=screenshots / f"slide-{name[:2]}-{number:02}.png")
        page.keyboard.press("PageDown")
    expect(page.locator("#where")).to_have_text(f"{total} / {total}")


def test_keys_and_buttons(deck):
    page = deck("00_first_flower", slide=3)
    at = page.locator("#where")

    def is_at(number):
        expect(at).to_have_text(f"{number} / {page.locator('.slide').count()}")
        expect(page.locator(".slide.current")).to_have_attribute("id", f"s{number}")
        assert page.evaluate("location.hash") == f"#{number}"
        focused = page.evaluate("document.activeElement.parentElement.id")
        return focused == f"s{number}"  # so that the heading is read out

    assert is_at(3)
    for key, number in [("ArrowRight", 4), (" ", 5), ("ArrowLeft", 4), ("Home", 1), ("PageUp", 1)]:
        page.keyboard.press(key)
        assert is_at(number)
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    assert is_at(12)
    on = page.get_by_role("button", name="On")
    on.click()
    for key, number in [("Enter", 14), ("Space", 15)]:  # the button keeps the focus
        expect(on).to_be_focused()
        page.keyboard.press(key)
        assert not is_at(number)
    page.reload()
    assert is_at(15)
    page.evaluate("location.hash = 's5'")  # no number: the first one
    assert is_at(1)
    page.keyboard.type("15")
    page.keyboard.press("Enter")
    assert contrast(page.locator(".slide.current h2")) >= 7


def test_a_player_is_alive_and_keeps_its_keys(deck):
    page = deck("00_first_flower")
    number = page.evaluate("document.querySelector('.live').closest('.slide').id.slice(1)")
    page.keyboard.type(number)
    page.keyboard.press("Enter")
    player = page.locator(".slide.current .fd-player")
    player.wait_for()
    slider = player.get_by_role("slider", name="step")
    slider.focus()
    expect(player.locator(".fd-caption")).to_contain_text("step 0 of 25")  # it has waited
    page.keyboard.press("ArrowRight")
    expect(player.locator(".fd-caption")).to_contain_text("step 1 of 25")
    expect(page.locator("#where")).to_contain_text(f"{number} /")
    size = player.locator(".fd-caption").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 20 and contrast(player.locator(".fd-caption")) >= 15
    page.keyboard.press("PageDown")
    expect(page.locator("#where")).to_contain_text(f"{int(number) + 1} /")


def test_notes_have_a_window_of_their_own(deck):
    page = deck("01_forward_diffusion", slide=5)
    with page.expect_popup() as opened:
        page.keyboard.press("n")
    notes = opened.value
    expect(notes.locator("h1")).to_contain_text("5 of")
    assert "paths(" in notes.locator("pre").first.text_content()  # the code
    assert notes.locator("mjx-container").count() > 0  # and equations, set, to be seen once
    for twin in notes.locator("mjx-assistive-mml").all():
        assert twin.evaluate("e => getComputedStyle(e).width") == "1px"
    assert notes.locator("mjx-assistive-mml").count() > 0
    page.keyboard.press("PageDown")
    expect(notes.locator("h1")).to_contain_text("6 of")
    assert "paths(" not in page.locator(".slide.current").text_content()


def test_the_list_of_decks(folder, open_page):
    page = open_page((folder / "index.html").as_uri(), offline=True)
    page.get_by_role("link", name="01 · Forward diffusion").click()
    expect(page.locator("h1")).to_have_text("01 · Forward diffusion")
