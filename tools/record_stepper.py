"""Record the moving picture of the README: the stepper in JupyterLab, moved by a real browser.

    python tools/record_stepper.py               writes docs/_static/stepper.webp
    python tools/record_stepper.py --frames DIR  and each frame as a PNG, to look at

A sunflower grows out of noise; then back to an early step, and on from there as a gazania. Needs
what the tests need (`make browser`).
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/browser"))
from jupyter_pages import SCREEN, Lab, start_lab, write_notebook  # noqa: E402

OUT = ROOT / "docs/_static/stepper.webp"
MAX_BYTES = 2_000_000
FIRST, SECOND = "sunflower", "gazania"
STEPS, BACK_TO = 25, 5
SHOWN = [*range(0, 12), *range(12, STEPS + 1, 2), STEPS]  # the petals come early: slower there
QUICK, LONG = 220, 1800  # milliseconds of a frame
NOTEBOOK = f"""
from flowerdiff.checkpoint import load_pretrained
from flowerdiff.widgets import denoising_stepper
denoising_stepper(load_pretrained("flowers64"), "{FIRST}", seed=10, steps={STEPS})
"""


class Film:
    """Pictures of the widget, and how long each is shown."""

    def __init__(self, box):
        self.box, self.pictures, self.times = box, [], []

    def take(self, milliseconds: int = QUICK) -> None:
        picture = Image.open(io.BytesIO(self.box.screenshot(animations="disabled")))
        self.pictures.append(picture.convert("RGB"))
        self.times.append(milliseconds)

    def save(self, file: Path) -> None:
        """All on a canvas of the largest: with a second walk the widget has a second row."""
        width, height = (max(picture.size[i] for picture in self.pictures) for i in (0, 1))
        sheets = [Image.new("RGB", (width, height), "white") for _ in self.pictures]
        for sheet, picture in zip(sheets, self.pictures, strict=True):
            sheet.paste(picture)
        how = {"save_all": True, "duration": self.times, "loop": 3, "quality": 70, "method": 6}
        sheets[0].save(file, append_images=sheets[1:], **how)


def go_to(player, steps: int, index: int) -> None:
    """Press keys until the player shows a step."""
    slider = player.get_by_role("slider", name="step")
    slider.focus()
    at = int(slider.input_value())
    for _ in range(abs(index - at)):
        slider.press("ArrowRight" if index > at else "ArrowLeft")
    expect(player.locator(".fd-caption")).to_contain_text(f"step {index} of {steps} ")


def record(page) -> Film:
    box = page.locator(".widget-vbox:has(.fd-player)").first
    player = box.locator(".fd-player")
    film = Film(box)
    expect(player.get_by_role("button", name="play")).to_be_visible()  # its own film has run
    expect(player.get_by_role("slider", name="step")).to_be_enabled()

    def show(steps: list[int], last: int = LONG) -> None:
        for index in steps:
            go_to(player, STEPS, index)
            film.take(last if index == steps[-1] else QUICK)

    go_to(player, STEPS, 0)
    film.take(900)
    show(SHOWN)
    go_to(player, STEPS, BACK_TO)
    film.take(1200)
    box.get_by_label("with flower", exact=True).select_option(SECOND)
    film.take(1200)
    box.get_by_role("button", name="Go on from here").click()
    expect(player.locator(".fd-row")).to_have_count(2)
    expect(player).to_have_attribute("aria-busy", "false")
    show([index for index in SHOWN if index >= BACK_TO], last=3 * LONG // 2)
    return film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=Path, help="a folder for the single frames")
    arguments = parser.parse_args()
    find = [ROOT / "tools/install_browser.sh", "--find", sys.executable]
    chromium = subprocess.run(find, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_notebook(Path(folder) / "stepper.ipynb", NOTEBOOK.strip())
        with start_lab(Path(folder)) as server:
            browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
            page = browser.new_page(viewport=SCREEN)
            page.set_default_timeout(120_000)
            Lab(page, server, "stepper.ipynb").run(0)
            film = record(page)
            browser.close()
    film.save(OUT)
    if arguments.frames:
        arguments.frames.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(film.pictures):
            picture.save(arguments.frames / f"{i:02d}.png")
    size = OUT.stat().st_size
    print(f"{OUT.relative_to(ROOT)}: {len(film.pictures)} frames, {size / 1e6:.2f} MB")
    if size > MAX_BYTES:
        sys.exit("that is over 2 MB")


if __name__ == "__main__":
    main()
