"""What the tests share: threads, hypothesis settings, the real flowers, a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A property fails for what it says, not for how busy the machine is; a CI run repeats exactly.
settings.register_profile("flowerdiff", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("flowerdiff")

# Workers that each take every core only wait for one another; and a kernel has the last digits of
# the test only with as many threads. The variable is for the processes that a test starts.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def data_path() -> Path:
    """The parquet file of real 64-px flowers, which is not part of the project."""
    path = Path(
        os.environ.get("FLOWERDIFF_DATA", ROOT.parent / "shared/data/oxford102-64px.parquet")
    )
    if not path.is_file():
        pytest.skip(f"no real flowers at {path}: set FLOWERDIFF_DATA to an Oxford-102 parquet file")
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, as `make test` found or installed it."""
    found = subprocess.run(
        [ROOT / "tools/install_browser.sh", "--find", sys.executable],
        capture_output=True,
        text=True,
    )
    if found.returncode:
        pytest.fail(
            f"no Chromium: run tools/install_browser.sh {found.stderr}".strip(), pytrace=False
        )
    return found.stdout.strip()


@pytest.fixture(scope="session")
def browser(chromium):
    """A headless Chromium that asks nothing of the network; `browser.new_page()` opens a tab."""
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not start as root, which is what CI machines run as.
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[*quiet, "--disable-sync", "--no-first-run"],
            chromium_sandbox=os.geteuid() != 0 and "CI" not in os.environ,
        )
        yield browser
        browser.close()
