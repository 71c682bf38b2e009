"""Large type and high contrast, for everybody in the room: a switch for the page's widgets."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Projector(anywidget.AnyWidget):
    """A switch. While `on`, the widgets of the page it is on are for a projector.

    It marks the page itself (`<html class="fd-projector">`), and projector.css does the rest. So it
    also works without a kernel, and for the widgets that come after it.
    """

    _esm = HERE / "projector.js"
    _css = HERE / "projector.css"

    on = traitlets.Bool(True).tag(sync=True)

    def __repr__(self):
        return f"Projector({'on' if self.on else 'off'})"


def projector(on: bool = True) -> Projector:
    """Show all of the course's widgets on this page in large type, black on white: `projector()`
    in any cell. The switch that appears, or `projector(False)`, puts them back.

    In JupyterLab, VS Code and Voila it is for the whole notebook. Colab shows each cell's output on
    a page of its own: enlarge the browser's page there.
    """
    return Projector(on=on)
