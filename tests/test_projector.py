"""The projector switch without a page; on one: tests/browser/test_in_the_room.py."""

import re

from flowerdiff.widgets import Projector, projector
from flowerdiff.widgets.projector import HERE


def test_it_is_on_unless_told_otherwise():
    assert projector().on and not projector(False).on
    assert isinstance(projector(), Projector)
    assert repr(projector()) == "Projector(on)" and repr(projector(False)) == "Projector(off)"


def test_its_state_carries_all_that_a_page_needs():
    state = projector().get_state()
    assert state["on"] and "fd-projector" in state["_esm"] and "fd-projector" in state["_css"]


def test_its_style_names_only_what_the_widgets_have():
    """A class that is renamed in a widget would silently lose its large type."""
    style = (HERE / "projector.css").read_text()
    widgets = "".join(
        path.read_text() for path in HERE.glob("*.*s") if path.name != "projector.css"
    )
    ours = set(re.findall(r"\.(fd-[a-z-]+)", style))
    assert len(ours) > 10
    assert not [name for name in ours if not re.search(rf"{name}(?![a-z-])", widgets)]


def test_no_type_is_smaller_than_20_pixels():
    style = (HERE / "projector.css").read_text()
    rules = re.findall(r"(html\.fd-projector[^{]*)\{([^}]*)\}", style)
    sizes = {
        int(size)
        for selector, rule in rules
        if ".fd-net-map" not in selector  # an SVG's own scale
        for size in re.findall(r"font-size: (\d+)px", rule)
    }
    assert min(sizes) >= 20
