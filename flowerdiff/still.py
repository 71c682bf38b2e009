"""A still picture in a notebook, with its words."""

import io
from dataclasses import dataclass, field

from IPython.display import Image, Markdown, display
from PIL import Image as PIL
from torch import Tensor

from flowerdiff.pixels import png_bytes

FINE = 2  # pixels of a plot for one on the screen: people and phones magnify


@dataclass(frozen=True)
class Picture:
    """Shown with its caption. That is its alt text too, but JupyterLab gives the pictures in
    outputs none: so it stands below, for eyes and for screen readers.
    """

    pixels: Tensor = field(repr=False)  # uint8 (3, H, W)
    caption: str

    def _ipython_display_(self):
        file, width = self.png()
        # Words as metadata: Image(alt=...) came with IPython 8, and Colab has 7.
        display(Image(file, width=width, metadata={"alt": self.caption}))
        display(Markdown(f"*{self.caption}*"))

    def png(self) -> tuple[bytes, int]:
        """The file, and how wide it is on a screen, in pixels."""
        return png_bytes(self.pixels), self.pixels.shape[2]


class Plot(Picture):
    """A picture of FINE pixels and few colours."""

    palette = {"colors": 64}

    def png(self) -> tuple[bytes, int]:
        few_colours = PIL.fromarray(self.pixels.permute(1, 2, 0).numpy()).quantize(**self.palette)
        few_colours.save(file := io.BytesIO(), "PNG", optimize=True)  # a third of the size
        return file.getvalue(), self.pixels.shape[2] // FINE


class FlowerPlot(Plot):
    """A plot with flowers in it. Its palette is refined by k-means, for two seconds: else a colour
    of a few flowers only, violet or blue, would become the nearest common one.
    """

    palette = {"colors": 256, "kmeans": 1}
