"""The map of a net, by value: places, words, pixels. How it feels is tested in browser/."""

import base64
import io
import json

import pytest
import torch
from PIL import Image

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

import traitlets

from flowerdiff.netinfo import activations, measure
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import noise
from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import CompactConfig, CompactUNet, TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import net_map, netmap_draw

SCHEDULE = linear_schedule()
X0 = {"ramp": torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32), "grey": torch.zeros(3, 32, 32)}
NET = TwoLayerUNet(TwoLayerConfig(num_classes=4, width=16)).eval()
BLOCKS = measure(NET, size=32)
PLACES = netmap_draw.places(BLOCKS)


def decoded(url: str) -> torch.Tensor:
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    image = Image.open(io.BytesIO(data)).convert("RGB")
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.reshape(image.height, image.width, 3).permute(2, 0, 1)


@pytest.fixture
def widget():
    return net_map(NET, SCHEDULE, X0, {"ramp": 2}, times=(10, 400))


def heard(widget, monkeypatch, **content):
    """What the page gets when it says something."""
    sent = []
    monkeypatch.setattr(widget.view, "send", sent.append)
    widget._answer(widget.view, content, [])
    return sent


# Places and words


def test_blocks_stand_in_order_and_none_on_another():
    boxes = [PLACES[b.part.name] for b in BLOCKS if len(b.shape) == 3]
    for left, right in zip(boxes, boxes[1:], strict=False):
        assert left.x + left.width < right.x
    below = [PLACES[b.part.name] for b in BLOCKS if len(b.shape) == 1]
    for left, right in zip(below, below[1:], strict=False):
        assert left.x + left.width < right.x
    for box in PLACES.values():
        assert box.x >= 0 and box.x + box.width <= netmap_draw.WIDTH
        assert box.y >= 0 and box.y + box.height <= netmap_draw.HEIGHT
    assert max(b.y + b.height for b in boxes) + 15 < below[0].y  # room for the names


def test_size_on_the_map_is_size_in_the_net():
    assert PLACES["stem"].height == PLACES["out"].height > PLACES["down 1"].height
    assert PLACES["down 1"].height > PLACES["down 2"].height == PLACES["bottleneck"].height
    assert PLACES["bottleneck"].width > PLACES["stem"].width > PLACES["out"].width  # 32, 16, 3
    assert abs(PLACES["time 1"].middle - PLACES["up 1"].x) < 40


def test_a_line_for_every_skip_above_all_that_lies_between():
    net = CompactUNet(CompactConfig(4, channels=(16, 32, 48)))
    blocks = measure(net, size=32)
    places = netmap_draw.places(blocks)
    lines = netmap_draw.skip_lines(blocks, places)
    assert len(lines) == sum(len(b.part.skips) for b in blocks) == 6
    assert len({y for _, y, _, _ in lines}) == len(lines)
    size = {b.part.name: b.shape[1] for b in blocks if len(b.shape) == 3}
    for x1, y, x2, _ in lines:
        ends = [n for n, b in places.items() if x1 in (b.x + b.width,) or x2 == b.x]
        assert len(ends) == 2
        for name in size:
            box = places[name]
            inside = x1 < box.x and box.x + box.width < x2 and box.y < y < box.y + box.height
            assert not (inside and size[name] < min(size[n] for n in ends)), name


def test_what_is_said_of_a_block():
    total = sum(b.flops for b in BLOCKS)
    stem, *_, label = (netmap_draw.described(b, 32, total) for b in BLOCKS)
    assert stem["shape"] == "16 × 32 × 32" and stem["field"] == "5 × 5 pixels"
    assert stem["parameters"] == f"{BLOCKS[0].parameters:,}"
    assert stem["flops"].startswith("5.6 MFLOP (") and stem["flops"].endswith("% of the net's)")
    assert stem["sees"] == [14 / 32, 14 / 32, 19 / 32, 19 / 32]
    assert label["shape"] == "16 numbers" and label["field"] == "no pixels" and not label["sees"]
    by_name = {b.part.name: netmap_draw.described(b, 32, total) for b in BLOCKS}
    assert by_name["out"]["field"] == "the whole picture"


@pytest.mark.parametrize("colours", netmap_draw.COLOURS.values(), ids=netmap_draw.COLOURS)
def test_names_can_be_read_on_the_blocks_colours(colours):
    luminances = []
    for colour in colours:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    assert (max(luminances) + 0.05) / (min(luminances) + 0.05) > 3


# Pixels


def test_a_sheet_shows_eight_channels_on_one_scale():
    maps = torch.arange(16.0)[:, None, None].expand(16, 4, 6)
    image, words = netmap_draw.sheet(maps)
    assert image.shape == (3, 8, 24) and image.dtype == torch.uint8
    cells = image[0].unfold(0, 4, 4).unfold(1, 6, 6)[..., 0, 0].flatten()
    assert words == "channels 0, 2, 4, 6, 8, 10, 12, 14; black 0, white 15"
    assert cells.tolist() == [17 * round(c * 15 / 15) for c in range(0, 16, 2)]


def test_numbers_are_squares_row_by_row():
    image, words = netmap_draw.sheet(torch.linspace(-1, 1, 16))
    assert image.shape == (3, 4, 4) and words.startswith("all 16 numbers; black -0.9")
    assert image[0].flatten().diff().ge(0).all() and image[0, 0, 0] == 0 and image[0, 3, 3] == 255


def test_a_prediction_is_shown_in_colours():
    eps = torch.randn(3, 8, 8)
    image, words = netmap_draw.sheet(eps)
    assert torch.equal(image, to_uint8(eps / 3)) and "colours" in words


def test_a_dead_block_is_black_and_no_error():
    image, _ = netmap_draw.sheet(torch.zeros(16, 4, 4))
    assert not image.any()


@pytest.mark.parametrize("image", [torch.randint(0, 256, (3, 5, 7)), torch.full((3, 5, 7), 3)])
def test_any_picture_gets_to_the_page_unchanged(image):
    image = image.to(torch.uint8)
    assert torch.equal(decoded(netmap_draw.data_url(image)), image)


def test_a_sheet_of_greys_gets_there_smaller():
    image, _ = netmap_draw.sheet(torch.randn(8, 16, 16))
    url = netmap_draw.data_url(image)
    assert torch.equal(decoded(url), image)
    assert len(url) < 0.6 * len(netmap_draw.data_url(image + 1))


# The widget


def test_every_block_has_its_activations_for_each_picture_and_time(widget):
    assert sorted(widget.view.shots) == ["grey|10", "grey|400", "ramp|10", "ramp|400"]
    for name, y in (("ramp", 2), ("grey", 4)):  # 4: no class told
        for t in (10, 400):
            shot = widget.view.shots[f"{name}|{t}"]
            x_t = SCHEDULE.add_noise(X0[name], t, noise([0], 800, (3, 32, 32))[0])
            assert torch.equal(decoded(shot["x_t"]), to_uint8(x_t))
            found = activations(NET, x_t[None], torch.tensor([t]), torch.tensor([y]))
            assert list(shot["blocks"]) == list(found)
            for block, activation in found.items():
                image, words = netmap_draw.sheet(activation)
                assert torch.equal(decoded(shot["blocks"][block]["image"]), image)
                assert shot["blocks"][block]["words"] == words
    json.dumps(widget.view.get_state(), default=repr)  # no bytes: the same in every front end


def test_the_page_knows_each_blocks_place_and_words(widget):
    assert [b["name"] for b in widget.view.blocks] == [b.part.name for b in BLOCKS]
    for block in widget.view.blocks:
        assert block["x"] == PLACES[block["name"]].x
        assert block["colours"] == netmap_draw.COLOURS[netmap_draw.kind(block["name"])]


def test_a_net_in_training_is_looked_at_in_use_and_stays_in_training(widget):
    NET.train()
    try:
        before = NET.stem.first[1].running_mean.clone()
        assert widget.look("ramp", 10) == widget.view.shots["ramp|10"]
        assert NET.training and torch.equal(NET.stem.first[1].running_mean, before)
    finally:
        NET.eval()


def test_another_time_is_worked_out_when_the_page_asks(widget, monkeypatch):
    assert heard(widget, monkeypatch, kind="ping") == [{"kind": "pong"}]
    shot, settled = heard(widget, monkeypatch, kind="look", picture="grey", t=130)
    assert shot == {"kind": "shot", "key": "grey|130", "shot": widget.look("grey", 130)}
    assert settled == {"kind": "settled", "key": "grey|130"}


def test_an_error_is_seen_and_the_page_waits_no_longer(widget, monkeypatch):
    sent = heard(widget, monkeypatch, kind="look", picture="grey", t=801)
    assert sent == [{"kind": "settled", "key": "grey|801"}]
    assert "<b>ValueError</b>: t is 1 to 800, not 801" in widget.message.value
    heard(widget, monkeypatch, kind="look", picture="grey", t=800)
    assert widget.message.value == ""


def test_only_what_is_there_can_be_chosen(widget):
    widget.view.block, widget.view.picture = "up 2", "grey"
    for trait, value in (("block", "up 3"), ("picture", "rose")):
        with pytest.raises(traitlets.TraitError, match=f"no {trait} {value!r}: "):
            setattr(widget.view, trait, value)


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError):
        net_map(NET, SCHEDULE, {**X0, "small": torch.zeros(3, 64, 64)})


def test_without_a_browser_the_map_is_a_picture_with_words(widget):
    data, metadata = widget._repr_mimebundle_()
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.width == netmap_draw.WIDTH == metadata["image/png"]["width"]
    alt = metadata["image/png"]["alt"]
    assert alt.startswith("Map of a net: stem: 16 × 32 × 32, ") and "out: 3 × 32 × 32" in alt
    box = PLACES["bottleneck"]
    shown = widget.still()[0][:, int(box.y + box.height / 2), int(box.middle)]
    assert shown.tolist() == [0xE6, 0x9F, 0x00]
    assert data["text/plain"] == repr(widget) == "NetMap(TwoLayerUNet, 11 blocks)"
