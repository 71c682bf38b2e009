"""One player for every film of the course: frames, a slider, play, arrow keys.

The frames travel to the page once, as lossless WebP inside the widget's state. From then on the
page needs no kernel: the slider answers at once, also in a saved notebook, in Voila and in the
built docs.
"""

import base64
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import anywidget
import traitlets
from IPython.display import display
from torch import Tensor

from flowerdiff.pixels import png_bytes, webp_bytes
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.stills import film

HERE = Path(__file__).parent


class StaticFallback:
    """Mixed into a widget: its cell's output also holds a picture with alt text, and plain text.

    A page that runs widgets shows the widget; GitHub, a PDF or an untrusted notebook the picture.
    The widget says what the picture is, in `still() -> (uint8 (3, H, W), alt text)`.
    """

    @property
    def _ipython_display_(self):
        """None, or on Colab, how to be shown there: only with what is shown by `display` does Colab
        say where the scripts of a widget are that is not one of ipywidgets' own.
        """
        return self._show_alone if "google.colab.output" in sys.modules else None

    def _show_alone(self) -> None:
        data, _ = self._repr_mimebundle_()
        del data["image/png"]  # which of the two Colab would choose is not written anywhere
        display(data, raw=True)

    def _repr_mimebundle_(self, **kwargs):
        image, alt = self.still()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = {
            "application/vnd.jupyter.widget-view+json": view,
            "image/png": base64.b64encode(png_bytes(image)).decode(),
            "text/plain": repr(self),
        }
        return data, {"image/png": {"alt": alt, "width": image.shape[2]}}


class Player(StaticFallback, anywidget.AnyWidget):
    """`Player(titles, rows)`: one row of panels for each entry of `rows`, {label: frames}.

    All rows have the same number of frames, and each frame one uint8 image for each title. The
    caption under the panels is that of the last row's frame.

    index: the frame shown; follows the slider, and may be set. playing: whether the film runs.
    fps: frames per second. width: a panel's width on the screen, in CSS pixels, if there is room;
    three quarters of it where there are many rows.
    note: shown when no kernel answers, for widgets that have more controls than the player.
    """

    _esm = HERE / "player.js"
    _css = HERE / "player.css"

    label = traitlets.Unicode("player").tag(sync=True)
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    frames = traitlets.List(traitlets.Dict()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    fps = traitlets.Float(8.0).tag(sync=True)
    width = traitlets.Int(256).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self, titles: Sequence[str], rows: Mapping[str, Sequence[Frame]], **traits):
        super().__init__(titles=list(titles), **traits)
        self.on_msg(self._answer)
        self.show(rows, index=traits.get("index", 0))

    def show(self, rows: Mapping[str, Sequence[Frame]], index: int = 0) -> None:
        """Put another film in, and go to its frame `index` (-1: the last)."""
        lengths = {len(frames) for frames in rows.values()}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError(f"a player needs frames, and rows of the same length; got {lengths}")
        panels = {len(frame.images) for frames in rows.values() for frame in frames}
        if panels != {len(self.titles)}:
            raise ValueError(f"{len(self.titles)} titles, but frames of {panels} images")
        together = list(zip(*rows.values(), strict=True))
        self._rows = {name: list(frames) for name, frames in rows.items()}
        # Neither the page nor an observer must ever see new frames with an old index.
        with self.hold_sync(), self.hold_trait_notifications():
            self.rows = list(rows)
            self.frames = [packed(frames) for frames in together]
            self.index = index % len(together)
            self.playing = False
        self.preview(None)

    def preview(self, rows: Mapping[str, Frame] | None, index: int = 0, total: int = 0) -> None:
        """Show frame `index` of `total` of a film in the making, without keeping it.

        `preview(None)` goes back to the film that the player holds; so does `show`.
        """
        frame = packed(rows.values()) if rows else None
        names = list(rows or ())
        message = {"kind": "live", "frame": frame, "rows": names, "index": index, "total": total}
        self.send(message)

    def still(self) -> tuple[Tensor, str]:
        """The film as one picture, and words for it."""
        first, last = (next(iter(self._rows.values()))[i].caption for i in (0, -1))
        alt = f"{self.label}. A strip of {', '.join(self.titles)}, from {first} to {last}."
        return film(self._rows, self.titles), alt

    def _answer(self, widget, content, buffers) -> None:
        if content.get("kind") == "ping":
            self.send({"kind": "pong"})

    @traitlets.validate("index")
    def _in_range(self, proposal):
        return max(0, min(proposal["value"], len(self.frames) - 1))

    def __repr__(self):
        return f"Player({len(self.frames)} frames, {len(self.rows)} x {len(self.titles)} panels)"


def packed(frames: Sequence[Frame]) -> dict:
    """The frames that are shown together, one per row, as the page wants them."""
    frames = list(frames)
    images = [[data_url(image) for image in frame.images] for frame in frames]
    return {
        "images": images,
        "caption": frames[-1].caption,
        "alts": [frame.alt for frame in frames],
    }


def data_url(image: Tensor) -> str:
    # Text, not bytes: nested binary state is where the notebook front ends differ.
    return "data:image/webp;base64," + base64.b64encode(webp_bytes(image)).decode()
