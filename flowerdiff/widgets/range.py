"""A slider with a name that screen readers read; it tells Python where it came to rest."""

import anywidget
import traitlets

from flowerdiff.widgets.player import HERE


class Range(anywidget.AnyWidget):
    """`Range(label="blur", value=0.0, min=0.0, max=3.0, step=0.1)`"""

    _esm = HERE / "range.js"
    _css = HERE / "range.css"

    label = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(0.1).tag(sync=True)

    def __repr__(self):
        return f"Range({self.label}, {self.value:g})"
