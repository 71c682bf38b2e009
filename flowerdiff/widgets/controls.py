"""What the widgets with Python behind them share: controls with names, and errors that are seen."""

import html
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager

import ipywidgets as ipw
import torch

from flowerdiff.widgets.player import StaticFallback

_here = threading.local()
_lights: list[int] = []  # for each thread inside `light`: torch's threads before the first came in
_lights_lock = threading.Lock()


class Bench(StaticFallback, ipw.VBox):
    """A box of controls. What a control sets going runs in `act`: ipywidgets would put an error
    into a log that nobody reads, so it is put into `message`, where the learner looks.

    A widget adds its parts by `self.children = [...]`, `message` among them, and says in `settle`
    what must be put in order after each action, failed ones too.
    """

    def __init__(self):
        self.buttons: list[ipw.Button] = []  # none can be clicked while an action runs
        self.message = ipw.HTML(layout={"display": "none"})
        super().__init__()

    def settle(self) -> None:
        """Called after every action."""

    def button(self, text: str, width: int, action: Callable[[], None]) -> ipw.Button:
        button = ipw.Button(description=text, layout={"width": f"{width}px"})
        button.on_click(lambda _: self.act(action))
        self.buttons.append(button)
        return button

    def act(self, action: Callable[[], None]) -> None:
        self._say("")
        for button in self.buttons:
            button.disabled = True
        try:
            action()
        except (Exception, KeyboardInterrupt) as error:
            self._say(_as_html(error))
        finally:
            for button in self.buttons:
                button.disabled = False
            self.settle()

    def _say(self, text: str) -> None:
        self.message.value = text
        self.message.layout.display = None if text else "none"


def control(kind, name: str, value, width: int, **traits) -> ipw.DOMWidget:
    """A control of ipywidgets with its name beside it. width: of both, in CSS pixels."""
    layout, style = {"width": f"{width}px"}, {"description_width": "initial"}
    return kind(value=value, description=name, layout=layout, style=style, **traits)


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Raise ValueError for what a control can't show: ipywidgets would quietly take the nearest."""
    if not least <= value <= most:
        raise ValueError(f"choose {name} from {least} to {most}, not {value}")


def line(*children) -> ipw.HBox:
    """Side by side, in as many lines as a narrow page needs."""
    return ipw.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


@contextmanager
def light():
    """No gradients, and one thread: a single image is too little work to share out. It gains little
    from a second core that is idle, and waits for one that is busy: up to fifty times longer.
    """
    if getattr(_here, "light", False):  # one inside another
        yield
        return
    # JupyterLab may answer a click in one thread while a cell draws in another: who comes second
    # finds a single thread, and must not take that for what there was before.
    with _lights_lock:
        _lights.append(_lights[0] if _lights else torch.get_num_threads())
        torch.set_num_threads(1)
    _here.light = True
    try:
        with torch.no_grad():  # not inference_mode: what it makes, a learner may change
            yield
    finally:
        _here.light = False
        with _lights_lock:
            torch.set_num_threads(_lights.pop())


def _as_html(error: BaseException) -> str:
    name, text = type(error).__name__, html.escape(str(error) or "stopped")
    trace = html.escape("".join(traceback.format_exception(error)))
    details = f"<details><summary>Where it happened</summary><pre>{trace}</pre></details>"
    return f'<div role="alert"><b>{name}</b>: {text}{details}</div>'
