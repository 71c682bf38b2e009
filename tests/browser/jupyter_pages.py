"""Jupyter programs of the tests' own, and what a person would do and see on their pages."""

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
import torch
from playwright.sync_api import expect

expect.set_options(timeout=60_000)  # milliseconds: other work may keep the machine busy
ROOT = Path(__file__).resolve().parents[2]
SCREEN = {"width": 1280, "height": 720}  # the smallest projector we promise to fit
PHONE = {"width": 390, "height": 844}


class Server:
    """A Jupyter program in the folder `root`, with none of the settings of who runs the tests."""

    def __init__(self, root: Path, *command: str):
        self.root, self.token = root, secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        home = root / ".home"
        overrides = {  # nothing asked of a network
            "@jupyterlab/apputils-extension:notification": {
                "fetchNews": "false",
                "checkForUpdates": False,
            },
        }
        settings = home / "settings"
        settings.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(overrides))
        folders = {
            "JUPYTER_CONFIG_DIR": home / "config",
            "JUPYTER_DATA_DIR": home / "data",
            "JUPYTER_RUNTIME_DIR": home / "runtime",
            "IPYTHONDIR": home / "ipython",
        }
        env = {**os.environ, **{name: str(folder) for name, folder in folders.items()}}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        env["JUPYTER_PLATFORM_DIRS"] = "1"
        arguments = [argument.format(**vars(self), settings=settings) for argument in command]
        self.log = (root / "server.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=root, env=env, stdout=self.log, stderr=self.log
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def wait(self, path: str = "/", seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}{path}", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        pytest.fail(f"the server did not start:\n{(self.root / 'server.log').read_text()[-3000:]}")

    def theme(self, name: str) -> None:
        """The theme of pages that JupyterLab opens from now on."""
        folder = self.root / ".home/user-settings/@jupyterlab/apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "themes.jupyterlab-settings").write_text(json.dumps({"theme": name}))

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start_lab(root: Path) -> Server:
    server = Server(
        root,
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token={token}",
        "--ServerApp.root_dir={root}",
        "--LabApp.app_settings_dir={settings}",
        "--LabApp.user_settings_dir={root}/.home/user-settings",
        "--LabApp.workspaces_dir={root}/.home/workspaces",
        "--LabApp.expose_app_in_browser=True",
    )
    server.wait(f"/lab?token={server.token}")
    return server


def start_voila(root: Path, notebook: str) -> Server:
    arguments = ["--no-browser", "--Voila.ip=127.0.0.1", "--port={port}", "--Voila.token={token}"]
    server = Server(root, "voila", notebook, *arguments)
    server.wait(f"/?token={server.token}")
    return server


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


class Lab:
    """One notebook, open in JupyterLab."""

    def __init__(self, page, server: Server, notebook: str):
        self.page = page
        page.goto(f"{server.url}/lab/tree/{notebook}?token={server.token}&reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.ready")  # the kernel is there

    def run(self, cell: int):
        """Run one code cell, wait until it is done, and return its locator."""
        done = self.page.evaluate(
            """async (n) => {
                const { content, sessionContext } = jupyterapp.shell.currentWidget;
                const code = content.widgets.filter((cell) => cell.model.type === "code");
                content.activeCellIndex = content.widgets.indexOf(code[n]);
                await content.scrollToItem(content.activeCellIndex);
                await jupyterapp.commands.execute("notebook:run-cell");
                return code[n].model.executionCount;
            }""",
            cell,
        )
        assert done, "the cell did not run"
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)


STUB = """
// What a notebook front end gives a widget, with no kernel behind it.
window.show = async (code, css, state) => {
  const listeners = [];
  const model = {
    get: (name) => state[name],
    set: (name, value) => {
      state[name] = value;
      listeners.filter(([event]) => event === `change:${name}`).forEach(([, call]) => call());
    },
    save_changes() {},
    send() {},
    on: (event, call) => listeners.push([event, call]),
  };
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  widget.initialize?.({ model });
  widget.render({ model, el: document.body });
};
"""


def saved_widgets(notebook: str) -> list[dict]:
    """The states of the widgets with code of their own that a built notebook carries."""
    metadata = json.loads((ROOT / "notebooks" / notebook).read_text())["metadata"]
    states = metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return [s["state"] for s in states.values() if s["state"].get("_anywidget_id")]


def show_saved(page, state: dict) -> None:
    """Show a widget on an empty page, without a kernel."""
    page.set_content(f"<!doctype html><html lang=en><title>saved</title><script>{STUB}</script>")
    page.evaluate("([code, css, s]) => show(code, css, s)", [state["_esm"], state["_css"], state])


@contextlib.contextmanager
def labs(server: Server, browser):
    """A function that opens a notebook of the server's folder in JupyterLab. In the end no tab may
    have shown an error.
    """
    pages, errors = [], []

    def open_lab(notebook: str) -> Lab:
        pages.append(page := browser.new_page(viewport=SCREEN))
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        return Lab(page, server, notebook)

    yield open_lab
    for page in pages:
        page.close()
    assert not errors


def shown_pixels(image) -> torch.Tensor:
    """The pixels (3, H, W) of the picture that an <img> shows, as the browser decoded them."""
    box = image.bounding_box()
    assert box["width"] > 20 and box["height"] > 20, "the picture is not to be seen"
    width, height, rgba = image.evaluate(
        """async (img) => {
            await img.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(img, 0, 0);
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, Array.from(data)];
        }"""
    )
    rgba = torch.tensor(rgba, dtype=torch.uint8).reshape(height, width, 4)
    return rgba[..., :3].permute(2, 0, 1)


COLOURS = """(node) => {
    let behind = node;
    const transparent = (n) => getComputedStyle(n).backgroundColor.endsWith(", 0)");
    while (transparent(behind) && behind.parentElement) behind = behind.parentElement;
    return [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor];
}"""  # of an element's text, and of the background behind it


def contrast(element) -> float:
    """The contrast ratio of an element's text to the background behind it, 1 to 21 (WCAG 2)."""
    return _ratio(element.evaluate(COLOURS))


def contrasts(box, what: str) -> list[float]:
    """The same of all elements in a box, in one look: it may draw itself anew at any time, and an
    element that was taken away has no colours.
    """
    found = box.evaluate(
        f"(box, what) => [...box.querySelectorAll(what)].map({COLOURS})",
        what,
    )
    return [_ratio(colours) for colours in found]


def _ratio(colours: list[str]) -> float:
    luminances = []
    for colour in colours:
        channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)
