"""A kernel that was restarted, or killed for its memory, while a widget waited for it: the widget
says so and goes on with what it has. Played in a page of our own, whose clock we turn.
"""

import json
import re

import pytest
import torch
from playwright.sync_api import expect

from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import Frame, Player, net_map
from flowerdiff.widgets.player import StaticFallback

# What anywidget gives to a script: the state, and messages to and from Python, which here is us.
PAGE = """
<body><script type="module">
const state = STATE, heard = {};
const model = {
  get: (name) => state[name],
  set: (name, value) => {
    if (state[name] === value) return;
    state[name] = value;
    (heard[`change:${name}`] ?? []).forEach((f) => f());
  },
  on: (event, f) => (heard[event] ??= []).push(f),
  off() {},
  save_changes() {},
  send: (message) => sent.push(message),
};
window.sent = [];
window.say = (message) => heard["msg:custom"].forEach((f) => f(message));
const script = new Blob([SCRIPT], { type: "text/javascript" });
const { default: widget } = await import(URL.createObjectURL(script));
widget.initialize({ model });
widget.render({ model, el: document.body });
document.body.dataset.ready = "yes";
</script></body>
"""


@pytest.fixture
def shown(open_page):
    """`shown(widget)`: its script at work in a page, whose time stands still."""

    def shown(widget: StaticFallback):
        synced = [name for name in widget.traits(sync=True) if name[0] != "_"]
        state = {name: value for name in synced if is_plain(value := getattr(widget, name))}
        page = open_page()
        page.clock.install()
        parts = {"STATE": as_script(state), "SCRIPT": as_script(str(widget._esm))}
        page.set_content(re.sub("STATE|SCRIPT", lambda found: parts[found[0]], PAGE))
        page.wait_for_selector("body[data-ready]")
        return page

    return shown


def is_plain(value) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def as_script(value) -> str:
    return json.dumps(value).replace("</", "<\\/")


def test_a_walk_that_stops_growing_can_be_stepped_through(shown):
    levels = [torch.full((3, 8, 8), level, dtype=torch.uint8) for level in (0, 120, 240)]
    frames = [Frame((grey,), f"frame {i}", "grey") for i, grey in enumerate(levels)]
    page = shown(Player(["x"], {"": frames}, label="a walk", note="Python is gone."))
    slider, note = page.get_by_role("slider"), page.get_by_role("status")
    page.evaluate("say({ kind: 'pong' })")
    page.clock.run_for(5000)
    expect(slider).to_be_enabled()
    expect(note).to_be_hidden()

    frame = {"images": [["data:,"]], "caption": "growing", "alts": ["grey"]}
    live = {"kind": "live", "frame": frame, "rows": [""], "index": 1, "total": 9}
    page.evaluate("say", live)
    page.clock.run_for(29_000)
    page.evaluate("say", live | {"index": 2})  # slow, but alive
    page.clock.run_for(29_000)
    expect(slider).to_be_disabled()
    expect(page.get_by_text("growing")).to_be_visible()
    page.clock.run_for(2000)
    expect(slider).to_be_enabled()
    expect(note).to_have_text("Python is gone.")
    expect(page.get_by_text("frame 0")).to_be_visible()
    slider.press("End")
    expect(page.get_by_text("frame 2")).to_be_visible()


def test_a_map_goes_back_to_the_times_that_it_has(shown):
    torch.manual_seed(0)
    net = TwoLayerUNet(TwoLayerConfig(num_classes=3, width=8)).eval()
    ramp = {"ramp": torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)}
    view = net_map(net, linear_schedule(), ramp, times=(10, 200, 400)).view
    page = shown(view)
    slider, note = page.get_by_role("slider"), page.get_by_text(view.note)
    at_work = page.get_by_text("Python is at work")
    page.evaluate("say({ kind: 'pong' })")
    slider.fill("320")
    expect(at_work).to_be_visible()
    assert page.evaluate("sent.at(-1)") == {"kind": "look", "picture": "ramp", "t": 320}
    page.evaluate("say({ kind: 'settled', key: 'ramp|10' })")  # of an earlier question
    expect(at_work).to_be_visible()

    page.clock.run_for(31_000)
    expect(at_work).to_be_hidden()
    expect(note).to_be_visible()
    expect(slider).to_have_value("400")
    slider.fill("240")  # it goes to the nearest one that is there
    expect(slider).to_have_value("200")

    shot = {"kind": "shot", "key": "ramp|320", "shot": view.shots["ramp|200"]}
    page.evaluate("say", shot)  # Python was only slow
    expect(note).to_be_hidden()
    slider.fill("320")
    expect(slider).to_have_value("320")
    expect(at_work).to_be_hidden()
