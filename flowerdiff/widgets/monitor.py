"""Watch a training run: the loss, samples as they get better, and how long it will take."""

import html
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from flowerdiff.pixels import grid
from flowerdiff.widgets.controls import Bench, line
from flowerdiff.widgets.frames import Frame
from flowerdiff.widgets.monitor_frames import training_frame
from flowerdiff.widgets.monitor_run import BackgroundRun
from flowerdiff.widgets.schedules import PlotPlayer
from flowerdiff.widgets.stills import picture

TITLES = ("loss, over steps (curves)", "samples")
WIDEST = 360  # pixels of a panel on the screen: more would not fit a projector's height
LOOK = 1.0  # seconds between two new loss curves
BEGUN = "The training has just begun: nothing has been drawn yet."
NO_KERNEL = "The slider moves through the run that was saved here. To train, run this cell."


def training_monitor(
    training: Iterator,
    draw: Callable[[nn.Module], Tensor],
    steps: int,
    draw_every: int = 60,
    keep: Callable[[nn.Module], str] | None = None,
) -> "TrainingMonitor":
    """The widget: it begins to train at once, in the background, and shows how it goes.

    training: `flowerdiff.training.train(...)`, with at least as many steps; the monitor takes
    `steps` of them, and the button *Train on* takes half as many again.
    draw(net): uint8 samples (N, 3, H, W) of the averaged net; called every `draw_every` steps.
    keep(net): saves the averaged net, and returns a sentence that says where. None: no such button.
    """
    return TrainingMonitor(training, draw, steps, draw_every, keep)


class TrainingMonitor(Bench):
    """See `training_monitor`. From Python: `wait()`, `pause()`, `go_on()`, `stop()`, `more(steps)`
    do what the buttons do; `run` knows all losses; `samples` holds what was drawn, by step.
    """

    def __init__(self, training, draw, steps, draw_every, keep):
        super().__init__()
        self.draw, self.draw_every, self.keep = draw, draw_every, keep
        self.steps = steps
        self.samples: dict[int, Tensor] = {}  # step -> uint8 (N, 3, H, W)
        self._frames: list[Frame] = []
        self._looked = 0.0
        self.run = BackgroundRun(training, steps, self._look)
        white, words = torch.full((3, 64, 64), 255, dtype=torch.uint8), "getting ready"
        empty = Frame((white, white), words, words)
        self.player = PlotPlayer(
            TITLES, {"": [empty]}, label="Training, live", note=NO_KERNEL, fps=3.0
        )
        self.pause_button = self.button("Pause", 110, self.pause_or_go_on)
        self.stop_button = self.button("Stop", 90, self.stop)
        self.more_button = self.button(f"Train on: {steps // 2} steps", 180, self.more)
        self.keep_button = self.button("Keep the weights", 150, self.keep_weights)
        buttons = [self.pause_button, self.stop_button, self.more_button]
        self.children = [
            self.player,
            line(*buttons, *([self.keep_button] if keep else [])),
            self.message,
        ]
        self.run.go_on()
        self.settle()

    def pause(self) -> None:
        """Rest after the step that is being taken; meanwhile the film so far can be watched."""
        self.run.pause()
        self.settle()

    def go_on(self) -> None:
        self.run.go_on()
        self.settle()

    def pause_or_go_on(self) -> None:
        if self.run.working:
            self.pause()
        else:
            self.go_on()

    def stop(self) -> None:
        """End here. The nets stay as they are, and `more` still goes on from them."""
        self.run.stop()
        self._come_to_rest()

    def more(self, steps: int | None = None) -> None:
        """Train on, for half as many steps as the run had, unless a number is given."""
        self.run.more(self.steps // 2 if steps is None else steps)
        self.settle()

    def keep_weights(self) -> None:
        """Save the averaged net as it is at this moment."""
        if self.run.progress is None:
            raise ValueError("there are no weights yet: wait for the first step")
        was_working = self.run.working
        self.run.pause()  # a net that is being trained is half of one step, half of the next
        self.run.join()
        try:
            kept = self.keep(self.run.progress.ema)
        finally:
            if was_working:
                self.run.go_on()
        self._say(f'<div role="status">{html.escape(kept)}</div>')

    def wait(self):
        """Wait for the end of the run, and return its last `Progress`; a pause ends, too.

        The notebook's stop button (an interrupt) ends the training, not the notebook: `wait` then
        returns what there is. Raises the error that ended the run, if one did.
        """
        self.run.go_on()
        try:
            while not self.run.done:
                self._let_clicks_through()
                time.sleep(0.1)  # not join(): an interrupt must get through
        except KeyboardInterrupt:
            self.run.stop()
        self.run.join()
        # Once more from here: what a thread sends belongs to no cell, so a notebook that is run
        # without a person would be saved without it.
        for widget in (self.player, self.message, *self.buttons):
            widget.send_state()
        self.player.preview(None)
        if self.run.error is not None:
            raise self.run.error
        return self.run.progress

    def _let_clicks_through(self) -> None:
        """JupyterLab sends clicks to a thread of their own, past the cell that is running. But
        ipykernel 7.4 sends them back to where the button was last changed, and there they would
        wait for the end of the cell. So it must not remember where that was.
        """
        for button in self.buttons:
            getattr(button.comm, "__dict__", {}).pop("_reply_subshell_id", None)

    def settle(self) -> None:
        run = self.run
        self.pause_button.description = "Pause" if run.working else "Go on"
        self.pause_button.disabled = run.done
        self.stop_button.disabled = run.done
        # Not beyond the steps that the training itself has (`TrainConfig.steps`).
        at_the_end = run.progress is not None and run.progress.step == run.progress.steps
        self.more_button.disabled = run.error is not None or at_the_end
        self.keep_button.disabled = run.progress is None

    def still(self) -> tuple[Tensor, str]:
        if not self._frames:
            line_of_text = torch.full((3, 4, 400), 255, dtype=torch.uint8)
            image = picture([line_of_text], "", [BEGUN], zoom=1).pixels
            return image, f"{self.player.label}. {BEGUN}"
        return self.player.still()

    def __repr__(self):
        return f"TrainingMonitor({self.steps} steps)"

    # In the training's thread

    def _look(self, run: BackgroundRun) -> None:
        """After every step, and when the run comes to rest."""
        due = run.step in (1, run.goal) or run.step % self.draw_every == 0 or not run.working
        if due and run.step > 0 and run.step not in self.samples and run.error is None:
            with torch.inference_mode():
                self.samples[run.step] = self.draw(run.progress.ema)
            self._frames.append(self._frame())
            width = self._frames[-1].images[1].shape[2]
            self.player.width = width * max(WIDEST // width, 1)  # a pixel stays a square
            self._looked = 0.0
        if run.step == 1:
            self.settle()  # there are weights to keep now
        if not run.working:
            self._come_to_rest()
        elif self.samples and time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self.player.preview({"": self._frame()}, run.step, run.goal)

    def _come_to_rest(self) -> None:
        """Show the film so far, and why it went no further."""
        if self._frames:
            self._frames[-1] = self._frame()  # it may be done now: no time left
            self.player.show({"": self._frames}, index=-1)
        if self.run.error is not None:
            self.act(self._raise)
        elif self.run.done and not self._frames:
            why = "No step was taken: the training had none left, or was stopped."
            self._say(f'<div role="status">{why}</div>')
        self.settle()

    def _raise(self) -> None:
        raise self.run.error

    def _frame(self) -> Frame:
        at = max(self.samples)
        return training_frame(self.run, grid(self.samples[at]), at)
