"""The widgets' scripts in a page of our own, whose clock we turn: keys, fingers, the wish for no
motion, and a kernel that was restarted, or killed for its memory, while a widget waited for it.
"""

import json
import re

import pytest
import torch
from playwright.sync_api import expect

from flowerdiff.schedule import linear_schedule
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.widgets import Frame, Player, blind_test, net_map
from flowerdiff.widgets.doodle import Canvas
from flowerdiff.widgets.range import Range

# What anywidget gives to a script: the state, and messages to and from Python, which here is us.
PAGE = """
<style>STYLE</style><body><script type="module">
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
window.model = model;
const { default: widget } = await import(URL.createObjectURL(script));
widget.initialize?.({ model });
widget.render({ model, el: document.body });
document.body.dataset.ready = "yes";
</script></body>
"""


@pytest.fixture
def shown(open_page):
    """`shown(widget)`: its script at work in a page, whose time stands still."""

    def shown(widget, **options):
        synced = [name for name in widget.traits(sync=True) if name[0] != "_"]
        state = {name: value for name in synced if is_plain(value := getattr(widget, name))}
        page = open_page(**options)
        page.clock.install(time=0)
        page.clock.pause_at(1)
        parts = {"STATE": as_script(state), "SCRIPT": as_script(str(widget._esm))}
        parts["STYLE"] = str(widget._css)
        page.set_content(re.sub("|".join(parts), lambda found: parts[found[0]], PAGE))
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


def a_film(**traits) -> Player:
    levels = [torch.full((3, 8, 8), level, dtype=torch.uint8) for level in (0, 120, 240)]
    frames = [Frame((grey,), f"frame {i}", "grey") for i, grey in enumerate(levels)]
    return Player(["x"], {"": frames}, label="a walk", note="Python is gone.", **traits)


def a_map():
    torch.manual_seed(0)
    net = TwoLayerUNet(TwoLayerConfig(num_classes=3, width=8)).eval()
    ramp = {"ramp": torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)}
    return net_map(net, linear_schedule(), ramp, times=(10, 200, 400)).view


def a_test():
    """A blind test of four rounds."""
    real, drawn = (torch.full((8, 3, 8, 8), level, dtype=torch.uint8) for level in (0, 200))
    return blind_test({"drawn": (real, drawn)}, rounds=4, per_side=2)


def a_canvas():
    return Canvas(torch.full((3, 64, 64), 255, dtype=torch.uint8))


@pytest.mark.parametrize(
    "widget",
    [a_film, a_map, a_test, a_canvas, lambda: Range(label="blur", value=0.0)],
    ids=["player", "map", "blind test", "doodle", "slider"],
)
def test_jupyterlab_leaves_the_keys_to_whatever_has_the_focus(shown, widget):
    """It looks for the attribute at the very element; without it D twice deletes the cell."""
    page = shown(widget())
    open_to_it = "button, select, input, canvas, [tabindex]"
    assert page.locator(open_to_it).count() > 0
    without = page.locator(f":is({open_to_it}):not([data-lm-suppress-shortcuts])")
    assert without.count() == 0


def test_the_browsers_own_keys_go_past(shown):
    page = shown(a_film(index=1))
    slider, button = page.get_by_role("slider"), page.get_by_role("button", name="one step on")
    button.press("Alt+ArrowLeft")
    button.press("Control+Home")
    expect(slider).to_have_value("1")
    button.press("Home")
    expect(slider).to_have_value("0")


def test_a_film_that_runs_can_be_paused_with_a_mouse(shown):
    """While the button is held down, the film goes on and draws it anew."""
    page = shown(a_film(fps=20.0))
    page.get_by_role("button", name="play").hover()
    page.mouse.down()
    page.mouse.up()
    pause = page.get_by_role("button", name="pause")
    expect(pause).to_be_visible()
    page.mouse.down()
    page.clock.run_for(60)  # one frame on
    page.mouse.up()
    expect(pause).to_be_hidden()
    expect(page.get_by_role("slider")).to_have_value("1")


def live(frame, index=1, total=5):
    return {"kind": "live", "frame": frame, "rows": [""], "index": index, "total": total}


def test_a_film_that_runs_stops_where_a_walk_begins_to_grow(shown):
    """It would run on below the walk, and then pull the slider off its end."""
    page = shown(a_film())
    page.get_by_role("button", name="play").click()
    page.evaluate("say", live(page.evaluate("model.get('frames')[0]")))
    page.clock.run_for(1000)
    page.evaluate("say", live(None))
    assert page.evaluate("[model.get('playing'), model.get('index')]") == [False, 0]


def test_a_film_that_runs_stops_when_a_button_of_its_box_is_pressed(shown):
    page = shown(a_film())
    page.evaluate(
        """() => {
            document.body.classList.add("widget-vbox");
            document.body.insertAdjacentHTML("beforeend", '<button class="jupyter-button">Grow');
            document.querySelector(".jupyter-button").onclick =
                () => (window.played = model.get("playing"));
        }"""
    )
    page.get_by_role("button", name="play").click()
    page.get_by_role("button", name="Grow").click()
    assert page.evaluate("played") is False, "the button's own answer comes after"


def test_who_wants_no_motion_sees_the_end_of_a_film_that_python_starts(shown):
    page = shown(a_film(), reduced_motion="reduce")
    page.evaluate("model.set('playing', true)")
    slider = page.get_by_role("slider")
    expect(slider).to_have_value("2")
    expect(page.get_by_role("button", name="play")).to_be_visible()
    page.get_by_role("button", name="play").click()  # asked for with one's own hand
    page.get_by_label("speed").select_option("fast")
    expect(page.get_by_role("button", name="pause")).to_be_visible()
    page.clock.run_for(60)
    expect(slider).to_have_value("1")


def test_a_slider_says_what_python_set_between_its_steps(shown):
    page = shown(Range(label="noise", value=5.0, max=64.0, step=2.0))
    expect(page.locator("output")).to_have_text("5")
    page.get_by_role("slider").press("ArrowRight")
    expect(page.locator("output")).to_have_text("8")  # the browser had it at 6


def test_nobody_answers_a_round_that_was_not_seen(shown):
    page = shown(a_test())
    left = page.get_by_role("button", name="left", exact=True)
    left.dblclick()
    expect(page.get_by_text("Round 2 of 4")).to_be_visible()
    left.press("Alt+ArrowLeft")  # the browser's way back
    left.focus()
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # held
    page.keyboard.up("Enter")
    expect(page.get_by_text("Round 3 of 4")).to_be_visible()
    left.press("Enter")
    left.press("Enter")
    expect(page.get_by_role("button", name="Start again")).to_be_focused()


def test_a_second_finger_paints_nothing(shown):
    page = shown(a_canvas())
    painted = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect();
          canvas.setPointerCapture = () => {};
          const say = (type, pointerId, x) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId, button: 0, clientX: box.left + x, clientY: box.top + 20, bubbles: true,
          }));
          const pixel = (x) => [...canvas.getContext("2d").getImageData(x, 5, 1, 1).data].join();
          const before = [pixel(5), pixel(30), pixel(60)];
          say("pointerdown", 1, 20);
          say("pointerdown", 2, 240);
          say("pointermove", 2, 236);
          say("pointerup", 2, 236);
          say("pointermove", 1, 28);
          say("pointerup", 1, 28);
          return [pixel(5), pixel(30), pixel(60)].map((now, i) => now !== before[i]);
        }"""
    )
    assert painted == [True, False, False]


def test_a_walk_that_stops_growing_can_be_stepped_through(shown):
    page = shown(a_film())
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
    view = a_map()
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
