"""The built site, opened from the disk (file://) without a network: every page, every player under
a hand, every link; and what axe-core, which tests for people who do not see or point, has to say.
"""

import json
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch
from axe_playwright_python.base import AXE_SCRIPT
from jupyter_pages import PHONE, ROOT, SCREEN, contrast, shown_pixels
from playwright.sync_api import expect

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS, noise

sys.path.insert(0, str(ROOT / "tools"))
from record_explorer import Plan, record

# A recording as the site's own, but short: what the page does with it is the same.
SHORT = Plan(
    flowers=("sunflower", "water lily"),
    seeds=(1, 2),
    weights=(-1, 0, 2),
    samplers=("ddim", "ddpm"),
    steps=4,
)
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
PLAYERS = ".fd-player"
REFERENCE = ("api/index.html", "api/sampling.html", "api/widgets.html")
WHOLE = ("/notation.html", "/api/sampling.html")


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` builds it, but for the explorer's short recording."""
    folder = tmp_path_factory.mktemp("site")
    record(load_pretrained(), folder / "walks", SHORT)
    script = (
        "import sys; sys.path.insert(0, 'tools'); from pathlib import Path; "
        "from build_docs import build; build(*map(Path, sys.argv[1:]))"
    )
    folders = [folder / "pages", folder / "walks", folder / "source"]
    built = subprocess.run(
        [sys.executable, "-c", script, *map(str, folders)], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "pages"


@pytest.fixture(scope="session")
def pages(site) -> list[str]:
    return sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))


@contextmanager
def reading(browser, viewport=SCREEN, **options):
    """A tab without a network. In the end its console has shown no error, and it asked for nothing
    that is not on the disk.
    """
    context = browser.new_context(viewport=viewport, offline=True, **options)
    page = context.new_page()
    page.set_default_timeout(120_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type == "error" and wrong.append(f"{m.text} {m.location}"))
    page.on(
        "request",
        lambda r: r.url.startswith(("file:", "data:", "blob:")) or wrong.append(r.url),
    )
    yield page
    context.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def visit(browser, site):
    """`visit("notation.html")`: a tab with a page of the site."""
    with ExitStack() as tabs:

        def visit(name, **options):
            page = tabs.enter_context(reading(browser, **options))
            page.goto(f"{site.as_uri()}/{name}")
            return page

        yield visit


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, browser, site):
    """A tab with a lesson, on a phone to begin with. These pages are large: each is opened once."""
    with reading(browser, PHONE) as page:
        page.goto(f"{site.as_uri()}/lessons/{request.param}.html")
        settled(page)
        page.name = request.param
        yield page


def settled(page) -> None:
    """The equations are set, the widgets drawn and at rest."""
    page.evaluate("window.MathJax?.startup?.promise")
    # site.js sees what scrolls when it is first laid out: on a busy machine, later than `load`.
    page.evaluate("new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    for view in page.locator(".fd-live").all():
        expect(view.locator("> img")).to_have_count(0)  # the still picture has made room
    for player in page.locator(PLAYERS).all():
        expect(player.get_by_role("button", name="play")).to_be_attached()


# --- every page ---


def test_every_page_opens_and_is_fit_for_everybody(visit, site, pages, screenshots):
    """See `unfit`. The pages of the reference are of one make: axe-core reads three of them."""
    assert len(pages) > 30
    found = []
    page = visit("index.html", viewport=PHONE)
    for name in pages:
        if name.startswith("lessons/"):
            continue
        page.goto(f"{site.as_uri()}/{name}")
        settled(page)
        alike = name.startswith("api/") and name not in REFERENCE
        found += [f"{name}: {words}" for words in unfit(page, read=not alike)]
        if name in ("index.html", "explorer.html", "notation.html", "results.html"):
            page.screenshot(path=screenshots / f"site-phone-{Path(name).stem}.png")
    assert not found, "\n".join(found)


def test_every_lesson_opens_and_is_fit_for_everybody(lesson, screenshots):
    found = unfit(lesson)
    lesson.screenshot(path=screenshots / f"site-phone-{lesson.name}.png")
    assert not found, "\n".join(found)


def unfit(page, read: bool = True) -> list[str]:
    """What is wrong with a page on a phone: it must be scrolled sideways, a picture has no words,
    code is out of the keyboard's reach; and what axe-core finds that is serious or worse, in bright
    and in dark.
    """
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    found = [f"{wide} px wide on a phone"] if wide > page.viewport_size["width"] else []
    found += page.evaluate(
        """() => [...document.images]
            .filter((img) => !(img.alt || img.parentElement.innerText).trim())
            .map((img) => `a picture without words: ${img.src.slice(0, 60)}`)"""
    )
    found += out_of_reach(page)
    if read:
        page.evaluate(AXE_SCRIPT)
        found += findings(page, "{ preload: false, resultTypes: ['violations'] }")
        page.emulate_media(color_scheme="dark")
        found += findings(page, "{ preload: false, runOnly: ['color-contrast'] }")
        page.emulate_media(color_scheme="light")
    return found


def out_of_reach(page) -> list[str]:
    """Code that scrolls sideways, but not with the keyboard."""
    return page.evaluate(
        """() => [...document.querySelectorAll("pre")]
            .filter((pre) => pre.checkVisibility() && pre.scrollWidth > pre.clientWidth)
            .filter((pre) => pre.tabIndex !== 0)
            .map((pre) => `keys do not reach this: ${pre.innerText.slice(0, 60)}`)"""
    )


def findings(page, options: str) -> list[str]:
    """What axe-core finds in the whole page; but equations and code, of which there are thousands
    of pieces, all made alike, are read on one page.
    """
    where = "document" if page.url.endswith(WHOLE) else "{ exclude: ['mjx-container', 'pre'] }"
    found = page.evaluate(f"axe.run({where}, {options})")["violations"]
    return [
        f"{violation['id']} ({violation['help']}): {node['html'][:200]} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_no_dead_link(site, pages):
    targets, links = {}, []
    for name in pages:
        text = (site / name).read_text()
        without_scripts = re.sub(r"<script\b.*?</script>", "", text, flags=re.S)
        targets[site / name] = set(re.findall(r'\bid="([^"]+)"', without_scripts))
        for url in re.findall(r'\b(?:href|src)="([^"]+)"', without_scripts):
            links.append((name, url))
    dead = []
    for name, url in links:
        parts = urlsplit(url)
        if parts.scheme:  # the world's, a data URL, or a mistake
            dead += [] if parts.scheme in ("https", "data") else [(name, url)]
            continue
        path = (site / name).parent / unquote(parts.path) if parts.path else site / name
        there = path.resolve().is_file()
        if there and parts.fragment and path.suffix == ".html":
            there = unquote(parts.fragment) in targets[path.resolve()]
        dead += [] if there else [(name, url)]
    assert len(links) > 1000 and not dead


def test_no_markdown_is_left_as_it_was(site, pages):
    """Tables, above all: there are dialects of Markdown without them."""
    texts = {name: (site / name).read_text() for name in pages}
    assert sum(text.count("<table") for text in texts.values()) > 20
    left = re.compile(r"<p>\s*(\||#{1,6} |```)|\$\$")
    assert [name for name, text in texts.items() if left.search(_prose(text))] == []


def _prose(page: str) -> str:
    """The page without its code, its equations and its scripts."""
    plain = re.sub(r"<(script|style|pre|code)\b.*?</\1>", "", page, flags=re.S)
    return re.sub(r'<(div|span) class="math.*?</\1>', "", plain, flags=re.S)


def test_each_page_has_a_next_and_a_previous(site):
    """From the first page on and on: all lessons in their order, then the rest, and back again."""
    seen = [site / "index.html"]
    while onward := neighbour(seen[-1], "next"):
        assert neighbour(onward, "prev") == seen[-1]
        seen.append(onward)
    assert [page.stem for page in seen[1 : len(LESSONS) + 1]] == LESSONS
    assert {"explorer", "notation", "model", "schedule"} <= {page.stem for page in seen}


def neighbour(page: Path, which: str) -> Path | None:
    link = re.search(rf'<a class="{which}-page" href="([^"#]+)"', page.read_text())
    return (page.parent / link[1]).resolve() if link else None


def test_search_finds(visit):
    page = visit("search.html?q=posterior")
    results = page.locator("#search-results li a")
    expect(page.locator("#search-results li a[href*='notation.html']").first).to_be_visible()
    results.first.click()
    expect(page.locator("article")).to_contain_text(re.compile("posterior", re.I))


def test_dark_is_dark_and_stays(visit, screenshots):
    page = visit("notation.html", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    bright = page.evaluate(background)
    theme = page.evaluate("document.body.dataset.theme")
    page.locator(".theme-toggle:visible").first.click()  # auto, then light or dark
    page.locator(".theme-toggle:visible").first.click()
    chosen = page.evaluate("document.body.dataset.theme")
    assert chosen in ("light", "dark") and chosen != theme
    page.reload()
    assert page.evaluate("document.body.dataset.theme") == chosen
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.body.dataset.theme = 'dark'")
    assert page.evaluate(background) != bright
    assert contrast(page.locator("article p").first) > 7
    page.screenshot(path=screenshots / "site-notation-dark.png")


# --- the lessons ---


def test_every_widget_moves_by_slider_and_keys(lesson, screenshots):
    lesson.set_viewport_size(SCREEN)
    notebook = json.loads((ROOT / "notebooks" / f"{lesson.name}.ipynb").read_text())
    views = [
        output
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert lesson.locator(".fd-live").count() == len(views)
    for i, view in enumerate(lesson.locator(".fd-live").all()):
        if view.locator(".fd-blind").count():  # is answered, not moved
            answered_by_key(view)
            continue
        # Each live slider moves its picture: what asks Python is a line of words here.
        slider = view.locator("input[type=range]")
        assert slider.count() == 1
        last = int(slider.get_attribute("max"))
        seen = []
        for move in ("Home", "ArrowRight", "ArrowLeft", "End"):
            slider.press(move)
            seen.append(state(view))
        assert seen[0] == seen[2]
        assert not last or len(set(seen)) == 3 or (last == 1 and seen[1] == seen[3] != seen[0])
        slider.fill(slider.get_attribute("min"))  # as a pointer does: the value, and its event
        assert state(view) == seen[0]
        view.scroll_into_view_if_needed()
        lesson.screenshot(path=screenshots / f"site-{lesson.name}-{i}.png")


def answered_by_key(view) -> None:
    before = state(view)
    view.locator(".fd-pair button").first.press("Enter")
    assert state(view) != before


def state(view) -> tuple:
    """What a widget shows: its words, and its pictures."""
    pictures = view.locator("img").evaluate_all("(all) => all.map((img) => img.src)")
    return view.inner_text(), *pictures


def test_solutions_are_folded(lesson):
    notebook = ROOT / "notebooks/solutions" / f"{lesson.name}.ipynb"
    cells = json.loads(notebook.read_text())["cells"] if notebook.exists() else []
    exercises = [c for c in cells if "exercise" in c["metadata"].get("tags", [])]
    solutions = lesson.locator("details:has(summary:has-text('Show the solution'))")
    assert solutions.count() == len(exercises)
    assert "# solution" not in lesson.locator("article").inner_text()
    if not exercises:
        return
    code = solutions.first.locator(".cell_input").first
    expect(code).to_be_hidden()
    lesson.set_viewport_size(PHONE)
    solutions.first.locator("summary").click()
    expect(code).to_be_visible()
    lesson.wait_for_function("() => new Promise(requestAnimationFrame)")  # they are measured then
    assert not out_of_reach(lesson)
    expect(solutions.first).to_contain_text("✓")


def test_a_widget_that_needs_python_says_what_was_recorded(visit):
    page = visit("lessons/00_first_flower.html")
    note = page.locator(".fd-recorded").first
    expect(note).to_contain_text("flower: sunflower · seed: 10 · w: 2 · sampler: ddim · steps: 25")
    note.get_by_role("link", name="explorer").click()
    expect(page.get_by_role("heading", name="Explorer")).to_be_visible()


# --- the explorer ---


def walked(flower, seed, w, sampler):
    """The steps of one recorded walk, by the library, here and now."""
    model = load_pretrained()
    with torch.inference_mode():
        return list(
            SAMPLERS[sampler](
                guided(model, w, model.null_label),
                model.schedule,
                noise([seed], model.schedule.T),
                torch.tensor([model.label(flower)]),
                steps=SHORT.steps,
                seeds=[seed],
                clip_x0=1.0,
            )
        )


class Explorer:
    def __init__(self, page):
        self.page = page
        self.slider = page.get_by_role("slider", name="step")
        self.row = page.locator(".fd-row")

    def radio(self, group, value):
        return self.page.get_by_role("group", name=group, exact=True).get_by_role(
            "radio", name=value, exact=True
        )

    def shows(self, step):
        """All three panels are that step's, but for what compression loses."""
        for i, x in enumerate((step.x_t, step.x0_hat, step.eps_hat / 3)):
            panel = self.page.locator(f"{PLAYERS} img").nth(i)
            off = (shown_pixels(panel).float() - to_uint8(x[0]).float()).abs().mean()
            assert off < 15, f"t = {step.t}, panel {i}: off by {off:.0f} of 255"


def test_the_explorer_shows_what_the_model_drew(visit):
    page = visit("explorer.html")
    explorer = Explorer(page)
    expect(explorer.row).to_have_text("sunflower · w = 0 · seed 1 · ddim")
    for name, value in {"flower": "water lily", "seed": "2", "w": "2", "sampler": "ddpm"}.items():
        explorer.radio(name, value).check()
    expect(explorer.row).to_have_text("water lily · w = 2 · seed 2 · ddpm")
    steps = walked("water lily", 2, 2, "ddpm")
    explorer.slider.press("Home")
    for step in steps:
        expect(page.locator(".fd-caption")).to_contain_text(f"t = {step.t} ·")
        explorer.shows(step)
        explorer.slider.press("ArrowRight")


def test_the_explorer_is_in_its_address(visit):
    page = visit("explorer.html#flower=water+lily&seed=2&w=-1&sampler=ddim&step=1")
    explorer = Explorer(page)
    expect(explorer.row).to_have_text("any flower · w = -1 · seed 2 · ddim")
    expect(page.locator(".fd-caption")).to_contain_text("step 1 of 4")
    explorer.slider.press("ArrowRight")
    explorer.radio("w", "−1: label ignored").press("ArrowLeft")  # round to the last one
    expect(explorer.row).to_have_text("water lily · w = 2 · seed 2 · ddim")
    page.wait_for_url("**step=2")  # it is written once nobody moves
    address = page.url
    assert address.endswith("#flower=water+lily&seed=2&w=2&sampler=ddim&step=2")
    again = visit("explorer.html" + address.partition("explorer.html")[2])
    expect(Explorer(again).row).to_have_text("water lily · w = 2 · seed 2 · ddim")
    expect(again.locator(".fd-caption")).to_contain_text("step 2 of 4")
    again.evaluate("location.hash = 'flower=nonsense&seed=99&step=1000'")  # stays where it was
    expect(again.locator(".fd-caption")).to_contain_text("step 2 of 4")


def test_a_finger_moves_the_explorer(visit, screenshots):
    page = visit("explorer.html", viewport=PHONE, has_touch=True, is_mobile=True)
    explorer = Explorer(page)
    expect(explorer.row).to_have_text("sunflower · w = 0 · seed 1 · ddim")
    box = explorer.slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".fd-caption")).to_contain_text("step 2 of 4")
    explorer.radio("flower", "water lily").tap()
    expect(explorer.row).to_have_text("water lily · w = 0 · seed 1 · ddim")
    page.screenshot(path=screenshots / "site-explorer-phone.png")


def test_w_is_converted_both_ways(visit):
    page = visit("notation.html")
    w, scale = page.get_by_label("w", exact=True), page.get_by_label("guidance_scale")
    w.fill("6.5")
    expect(scale).to_have_value("7.5")
    scale.fill("0")
    expect(w).to_have_value("-1")
