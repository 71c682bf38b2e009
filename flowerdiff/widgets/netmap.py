"""A map of a net: choose a block, and see what comes out of it for a picture and a time."""

from collections.abc import Mapping, Sequence

import anywidget
import torch
import traitlets
from torch import Tensor, nn

from flowerdiff.netinfo import activations, measure
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import Schedule
from flowerdiff.widgets import netmap_draw
from flowerdiff.widgets.controls import Bench, light
from flowerdiff.widgets.netmap_draw import data_url
from flowerdiff.widgets.player import HERE

TIMES = (10, 200, 400, 600)
NO_KERNEL = (
    "Blocks, pictures and the marked times work without Python; the times between need it. "
    "If nothing is running, run this cell: click into it and press Shift + Enter."
)


class NetMapView(anywidget.AnyWidget):
    """The part that the page draws. It carries the activations of every picture at `times`; for
    another time it asks Python.
    """

    _esm = HERE / "netmap.js"
    _css = HERE / "netmap.css"

    label = traitlets.Unicode("Map of a net").tag(sync=True)
    blocks = traitlets.List(traitlets.Dict()).tag(sync=True)
    skips = traitlets.List().tag(sync=True)
    frame = traitlets.List().tag(sync=True)  # the map's width and height
    pictures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    times = traitlets.List(traitlets.Int()).tag(sync=True)
    T = traitlets.Int().tag(sync=True)
    shots = traitlets.Dict().tag(sync=True)  # "picture|t": see `NetMap.look`
    block = traitlets.Unicode().tag(sync=True)  # what is chosen
    picture = traitlets.Unicode().tag(sync=True)
    t = traitlets.Int().tag(sync=True)
    note = traitlets.Unicode(NO_KERNEL).tag(sync=True)

    @traitlets.validate("block", "picture")
    def _known(self, proposal):
        name = proposal["trait"].name
        known = self.pictures if name == "picture" else [block["name"] for block in self.blocks]
        if proposal["value"] not in known:
            raise traitlets.TraitError(f"no {name} {proposal['value']!r}: {', '.join(known)}")
        return proposal["value"]


def net_map(
    net: nn.Module,
    schedule: Schedule,
    pictures: Mapping[str, Tensor],
    labels: Mapping[str, int] | None = None,
    times: Sequence[int] = TIMES,
    seed: int = 0,
    label: str = "Map of a net",
) -> "NetMap":
    """The widget: a drawing of the net in which every block can be chosen, by a click or by keys.

    net: one that `flowerdiff.netinfo.parts` knows, called with noisy pictures of `schedule`.
    pictures: float (3, S, S) in [-1, 1], by name. labels: the class told with a picture; the null
    label unless given. times: those whose activations the page has with it. seed: of the noise.
    """
    return NetMap(net, schedule, pictures, labels or {}, times, seed, label)


class NetMap(Bench):
    """See `net_map`. From Python: `view.block`, `view.picture` and `view.t` say and set what is
    chosen, `blocks` holds the measurements.
    """

    def __init__(self, net, schedule, pictures, labels, times, seed, label):
        super().__init__()
        (size,) = {x0.shape[-1] for x0 in pictures.values()}
        self.net, self.schedule, self.seed = net, schedule, seed
        self.pictures, self.labels = dict(pictures), dict(labels)
        self.blocks = measure(net, size)
        boxes = netmap_draw.places(self.blocks)
        total = sum(block.flops for block in self.blocks)
        infos = [netmap_draw.described(block, size, total) for block in self.blocks]
        self._still = boxes, netmap_draw.skip_lines(self.blocks, boxes), infos
        drawn = [
            {**info, **vars(boxes[info["name"]]), "colours": netmap_draw.COLOURS[kind]}
            for info in infos
            for kind in [netmap_draw.kind(info["name"])]
        ]
        with light():
            shots = {f"{name}|{t}": self.look(name, t) for name in pictures for t in times}
        self.view = NetMapView(
            label=label,
            blocks=drawn,
            skips=self._still[1],
            frame=[netmap_draw.WIDTH, netmap_draw.HEIGHT],
            pictures=list(pictures),
            times=list(times),
            T=schedule.T,
            shots=shots,
            block=infos[0]["name"],
            picture=next(iter(pictures)),
            t=times[len(times) // 2],
        )
        self.view.on_msg(self._answer)
        self.children = [self.message, self.view]

    def noisy(self, picture: str, t: int) -> Tensor:
        """x_t of a picture, (1, 3, S, S): the same noise at every t."""
        x0 = self.pictures[picture]
        return self.schedule.add_noise(x0, t, noise([self.seed], self.schedule.T, x0.shape)[0])[
            None
        ]

    def look(self, picture: str, t: int) -> dict:
        """What the page shows of a picture at a time: x_t, and of each block a picture and words.
        Raises ValueError for a time outside 1..T.
        """
        if not 1 <= t <= self.schedule.T:
            raise ValueError(f"t is 1 to {self.schedule.T}, not {t}")
        x_t = self.noisy(picture, t)
        classes = self.net.config.num_classes
        y = torch.tensor([self.labels.get(picture, classes)])
        found = activations(self.net, x_t, torch.tensor([t]), y)
        blocks = {}
        for name, activation in found.items():
            image, words = netmap_draw.sheet(activation)
            blocks[name] = {"image": data_url(image), "words": words}
        return {"x_t": data_url(to_uint8(x_t[0])), "blocks": blocks}

    def still(self) -> tuple[Tensor, str]:
        return netmap_draw.still(*self._still), f"{self.view.label}: {self._in_words()}"

    def __repr__(self):
        return f"NetMap({type(self.net).__name__}, {len(self.blocks)} blocks)"

    def _in_words(self) -> str:
        return "; ".join(
            f"{i['name']}: {i['shape']}, {i['parameters']} parameters, sees {i['field']}"
            for i in self._still[2]
        )

    def _answer(self, view, content, buffers) -> None:
        if content.get("kind") == "ping":
            view.send({"kind": "pong"})
        elif content.get("kind") == "look":
            picture, t = content["picture"], content["t"]
            key = {"key": f"{picture}|{t}"}
            self.act(lambda: self._reply(picture, t, key))
            self.view.send({"kind": "settled"} | key)

    def _reply(self, picture: str, t: int, key: dict) -> None:
        with light():
            shot = self.look(picture, t)
        self.view.send({"kind": "shot", "shot": shot} | key)
