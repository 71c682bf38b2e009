"""The training monitor: a run that can be paused, stopped and sent on, and what it shows."""

import base64
import io
import threading
import time
from dataclasses import dataclass

import pytest
import torch
from PIL import Image
from test_plots import near
from torch import nn

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from flowerdiff import plots
from flowerdiff.pixels import grid
from flowerdiff.widgets import training_monitor
from flowerdiff.widgets.monitor_frames import caption, loss_plot, smoothed, training_frame
from flowerdiff.widgets.monitor_run import BackgroundRun


@dataclass
class FakeProgress:
    """As much of `flowerdiff.training.Progress` as is looked at."""

    step: int
    steps: int
    loss: float
    ema: nn.Module
    t: torch.Tensor
    losses: torch.Tensor

    @property
    def images(self):
        return 16 * self.step


class Training:
    """A generator of progress that a test can hold up: it takes a step for each `allow`."""

    def __init__(self, steps=10**6, free=True, losses=lambda step: 1 / step):
        self.steps, self.losses, self.net = steps, losses, nn.Linear(1, 1)
        self.allowed = threading.Semaphore(0)
        self.free = free
        self.ended = False  # past its last step, where `train` writes the last checkpoint
        self.waiting = 0  # the step that is to be allowed next

    def allow(self, steps):
        for _ in range(steps):
            self.allowed.release()

    def __iter__(self):
        for step in range(1, self.steps + 1):
            if not self.free:
                self.waiting = step
                assert self.allowed.acquire(timeout=20)
            else:
                time.sleep(0.001)
            with torch.no_grad():
                self.net.weight.fill_(step)
            loss, t = self.losses(step), torch.arange(16)
            yield FakeProgress(step, self.steps, loss, self.net, t, torch.full((16,), loss))
        self.ended = True


def draw(net):
    """Four pictures whose grey is the number of steps that the net has learned."""
    assert not torch.is_grad_enabled()
    return torch.full((4, 3, 8, 8), int(net.weight.item()), dtype=torch.uint8)


def monitor(steps=20, training=None, **arguments):
    return training_monitor(
        iter(training or Training()), draw, steps, **{"draw_every": 5} | arguments
    )


def until(condition):
    """Wait for what another thread does."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


# The run


def started(goal, training=None, look=lambda run: None):
    run = BackgroundRun(iter(training or Training()), goal, look)
    run.go_on()
    return run


def test_a_run_goes_to_its_goal_and_keeps_every_loss():
    run = started(30)
    run.join()
    assert run.done and not run.working
    assert run.losses == [1 / step for step in range(1, 31)]
    assert len(run.times) == len(run.of_images) == 30
    assert run.progress.step == 30 and run.seconds_left == 0
    assert run.images_per_second == pytest.approx(30 * 16 / run.seconds)


def test_pauses_take_no_step_and_do_not_count():
    training = Training(free=False)
    run = started(10, training)
    training.allow(4)
    until(lambda: training.waiting == 5)
    run.pause()
    training.allow(1)  # the step that was being taken is finished
    run.join()
    assert (run.step, run.working, run.done) == (5, False, False)
    seconds = run.seconds
    time.sleep(1)
    training.allow(5)
    run.go_on()
    run.join()
    assert run.step == 10 and run.done
    assert run.seconds - seconds < 0.9


def test_stop_makes_the_steps_so_far_the_goal_and_more_goes_on():
    run = started(10**6)
    until(lambda: run.step >= 3)
    run.stop()
    stopped = run.step
    assert run.done and run.goal == stopped
    run.go_on()
    assert run.step == stopped  # it was for good
    run.more(7)
    run.join()
    assert run.step == run.goal == stopped + 7


def test_after_an_interrupted_stop_a_pause_is_a_pause(monkeypatch):
    run = started(10**6)
    until(lambda: run.step >= 3)

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "join", interrupted)  # a second press of the notebook's stop button
        run.stop()
    run.join()
    stopped = run.step
    assert run.goal == stopped
    run.more(10**6)
    until(lambda: run.step > stopped)
    run.pause()
    run.join()
    assert run.goal == stopped + 10**6 and not run.done
    run.stop()


def test_more_while_at_work_only_moves_the_goal():
    for _ in range(20):  # in the last step, too
        run = started(3)
        run.more(2)
        until(lambda run=run: run.done)
        run.join()
        assert run.step == run.goal == 5


def test_a_training_that_has_taken_its_last_step_is_brought_to_its_end():
    for goal, ended in ((4, False), (5, True)):
        training = Training(steps=5)
        run = started(goal, training)
        run.join()
        assert run.done and run.step == goal and training.ended is ended


def test_a_training_that_ends_early_is_done():
    run = started(50, Training(steps=8))
    run.join()
    assert run.done and run.step == run.goal == 8


def test_a_loss_that_is_nan_ends_the_run_with_a_hint():
    run = started(50, Training(losses=lambda step: float("nan") if step == 4 else 1.0))
    run.join()
    assert run.done and run.step == 3
    with pytest.raises(FloatingPointError, match="NaN at step 4: lower the lr"):
        raise run.error


def test_steps_are_looked_at_in_order_and_the_rest_once_more():
    seen = []
    run = started(5, look=lambda run: seen.append((run.step, run.working)))
    run.join()
    assert seen == [(1, True), (2, True), (3, True), (4, True), (5, True), (5, False)]


# Frames


def test_the_running_mean_is_that_of_the_last_steps():
    losses = [float(i % 7) for i in range(40)]
    mean = smoothed(losses, window=10)
    assert mean[:7].tolist() == losses[:7]
    assert mean[15] == pytest.approx(sum(losses[12:16]) / 4)  # the last quarter
    assert mean[39] == pytest.approx(sum(losses[30:]) / 10)


def test_the_curve_goes_down_with_the_loss_and_as_far_as_the_run():
    image = loss_plot([0.8 * 0.97**i for i in range(100)], goal=200)
    rows, columns = near(image, plots.COLOURS[0]).nonzero().T
    order = columns.argsort()
    third = len(order) // 3
    assert rows[order[:third]].float().mean() + 30 < rows[order[-third:]].float().mean()
    axis = 300 * 0.2, 300 * 0.96  # where the axes begin and end
    assert columns.max() < sum(axis) / 2 + 5  # half of the steps, half of the way


def test_without_a_step_there_is_a_plot_without_a_curve():
    assert not near(loss_plot([], goal=200), plots.COLOURS[0]).any()


def test_the_caption_says_where_the_run_is():
    words = caption(240, 900, 3840, 0.1934, 210.4, 65.2)
    assert words == "step 240 of 900 · 3,840 images · loss 0.193 · 210 images/s · 1:05 left"
    assert caption(2, 900, 32, 1.0, 1.0, 999.0).endswith("measuring the time")
    assert caption(900, 900, 14400, 0.1, 200.0, 0.0).endswith("done")


def test_a_frame_has_the_curve_the_samples_and_words_for_both():
    run = started(20)
    run.join()
    samples = torch.full((3, 8, 8), 77, dtype=torch.uint8)
    frame = training_frame(run, samples, at=15)
    assert torch.equal(frame.images[0], loss_plot(run.losses, 20))
    assert torch.equal(frame.images[1], samples)
    assert f"loss {sum(run.losses[15:]) / 5:.3f}" in frame.caption
    assert "samples of step 15, mean colour red 77, green 77, blue 77" in frame.alt


# The widget


def shown(watch, index):
    """The picture of samples in a frame of the player, as a browser gets it."""
    url = watch.player.frames[index]["images"][0][1]
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(
        image.height, image.width, 3
    )


def test_a_film_of_the_samples_is_left_behind():
    watch = monitor(steps=20)
    progress = watch.wait()
    assert progress.step == 20
    assert list(watch.samples) == [1, 5, 10, 15, 20]
    assert len(watch.player.frames) == 5 and watch.player.index == 4
    for i, step in enumerate(watch.samples):
        expected = grid(draw_of(step))
        assert torch.equal(shown(watch, i), expected.permute(1, 2, 0))
        assert watch.player.frames[i]["caption"].startswith(f"step {step} of 20")
    assert watch.player.width % 22 == 0 and 300 < watch.player.width <= 360  # pixels stay square


def draw_of(step):
    return torch.full((4, 3, 8, 8), step, dtype=torch.uint8)


def test_while_it_trains_the_page_gets_a_frame_now_and_then(monkeypatch):
    sent = []
    training = Training(free=False)
    watch = monitor(training=training)
    monkeypatch.setattr(watch.player, "send", sent.append)
    training.allow(1)
    until(lambda: any(message["frame"] for message in sent))
    live = next(message for message in sent if message["frame"])
    assert (live["index"], live["total"]) == (1, 20)
    training.allow(19)
    watch.wait()
    assert sent[-1]["frame"] is None  # and in the end the film


def test_the_buttons_follow_the_run():
    training = Training(free=False)
    watch = monitor(training=training, keep=lambda net: "kept")
    pause, stop, more, keep = watch.buttons
    assert (pause.description, pause.disabled, keep.disabled) == ("Pause", False, True)
    training.allow(3)
    until(lambda: training.waiting == 4)
    assert not keep.disabled
    pause.click()
    training.allow(1)
    watch.run.join()
    assert (pause.description, stop.disabled, keep.disabled) == ("Go on", False, False)
    assert list(watch.samples) == [1, 4]  # those of this moment, too
    pause.click()
    assert pause.description == "Pause" and watch.run.working
    training.allow(1)
    until(lambda: watch.run.step == 5)
    training.free = True
    training.allow(1)
    stop.click()
    assert watch.run.done and pause.disabled and stop.disabled and not more.disabled
    assert f"step {watch.run.step} of {watch.run.step} " in watch.player.frames[-1]["caption"]
    before = watch.run.step
    more.click()
    assert not pause.disabled
    assert watch.wait().step == before + 10
    assert list(watch.samples)[-1] == before + 10


def test_there_is_no_more_than_the_training_has():
    watch = monitor(4, Training(steps=4))
    watch.wait()
    assert watch.more_button.disabled


def test_the_averaged_net_is_kept_while_nobody_trains_it():
    kept = []

    def keep(net):
        first = net.weight.item()
        time.sleep(0.05)
        kept.append((first, net.weight.item()))
        return "kept in <here>"

    watch = monitor(steps=10**5, keep=keep)
    until(lambda: watch.run.step > 2)
    watch.keep_button.click()
    assert kept[0][0] == kept[0][1] >= 3
    assert "kept in &lt;here&gt;" in watch.message.value
    assert watch.run.working  # and it went on
    watch.stop()


def test_without_keep_there_is_no_such_button():
    watch = monitor(steps=2)
    watch.wait()
    assert watch.keep_button not in watch.children[1].children


def test_an_error_of_the_training_is_shown_and_raised_where_one_waits():
    def breaks(net):
        raise RuntimeError("no <more> memory")

    watch = training_monitor(iter(Training()), breaks, 20)
    with pytest.raises(RuntimeError, match="no <more> memory"):
        watch.wait()
    assert "<b>RuntimeError</b>: no &lt;more&gt; memory" in watch.message.value
    assert watch.pause_button.disabled and watch.more_button.disabled


def test_an_interrupt_ends_the_training_and_not_the_notebook(monkeypatch):
    watch = monitor(steps=10**6)
    until(lambda: watch.run.step > 2)

    sleep = time.sleep

    def interrupted(seconds):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        sleep(seconds)

    monkeypatch.setattr("flowerdiff.widgets.monitor.time.sleep", interrupted)
    progress = watch.wait()
    assert watch.run.done and progress.step == watch.run.step < 10**6


def test_a_new_run_stops_the_one_that_is_at_work():
    first = monitor(steps=10**6)
    until(lambda: first.run.step > 2)
    second = monitor(steps=20)  # as when the cell is run again
    assert first.run.done and not first.run.working
    stood_at = first.run.step
    assert second.wait().step == 20
    assert first.run.step == stood_at and list(first.samples)[-1] == stood_at
    assert first.stop_button.disabled and not first.more_button.disabled


def test_a_training_without_steps_left_says_so():
    watch = monitor(training=Training(steps=0))
    assert watch.wait() is None
    assert "No step was taken" in watch.message.value


def test_waiting_ends_a_pause():
    watch = monitor(steps=30)
    watch.pause()
    assert watch.wait().step == 30


def test_where_no_widget_runs_there_is_a_strip_of_samples():
    watch = monitor(steps=20)
    watch.wait()
    strip, alt = watch.still()
    assert strip.shape[2] > 4 * 2 * 18 and "samples" in alt and "step 20 of 20" in alt
    data, _ = watch._repr_mimebundle_()
    assert data["text/plain"] == repr(watch) == "TrainingMonitor(20 steps)"


def test_while_a_cell_waits_clicks_go_where_the_page_sends_them():
    watch = monitor(steps=5)
    for button in watch.buttons:
        button.comm._reply_subshell_id = None  # as ipykernel 7.4 does: back to the busy cell
    watch.wait()
    assert watch.buttons
    assert not any(hasattr(button.comm, "_reply_subshell_id") for button in watch.buttons)


def test_a_run_that_has_not_begun_says_so_where_no_widget_runs():
    training = Training(free=False)
    watch = monitor(training=training)
    image, alt = watch.still()
    assert alt == "Training, live. The training has just begun: nothing has been drawn yet."
    assert image.shape[0] == 3 and 0.9 < image.float().mean() / 255 < 1  # a line of text on white
    training.allow(20)
    watch.wait()
