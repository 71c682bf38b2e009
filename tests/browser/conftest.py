"""What the browser tests share: tabs that listen to the console, and where screenshots go."""

import os
import re
from pathlib import Path

import pytest
from jupyter_pages import SCREEN

# What JupyterLab, Voila and their other extensions say on the console by themselves, offline.
NOT_OURS = re.compile(r"fontawesome|jupytext|module-federation|ERR_NAME_NOT_RESOLVED|favicon")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))  # other work may keep the machine busy


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where screenshots go: FLOWERDIFF_SCREENSHOTS, or a folder of this run."""
    folder = os.environ.get("FLOWERDIFF_SCREENSHOTS")
    folder = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser):
    """`open_page(url, **options)`: a tab that fails the test if its console shows an error."""
    contexts, errors = [], []

    def keep(text):
        if not NOT_OURS.search(text):
            errors.append(text)

    def open_page(url=None, viewport=SCREEN, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: keep(str(error)))
        page.on(
            "console",
            lambda m: m.type == "error" and keep(f"{m.text} {m.location.get('url', '')}"),
        )
        if url:
            page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, "errors on the browser's console:\n" + "\n".join(errors)
