"""A training run in a thread of its own: it can be paused, stopped, and sent on again.

No widget in here, and no drawing: `monitor` shows what happens, and is told when to look.
"""

import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import torch

_runs: weakref.WeakSet["BackgroundRun"] = weakref.WeakSet()  # all that are still in use


class BackgroundRun:
    """Takes steps of `training`, a generator of `Progress`, until `goal` steps are done.

    look(run): called in the thread after every step, and once more when the thread comes to rest.
    Everything public may be called from any thread. A run at rest (paused, stopped, at its goal,
    broken) takes no step, so its nets can be used; `go_on` and `more` wake it.
    """

    def __init__(self, training: Iterator, goal: int, look: Callable[["BackgroundRun"], None]):
        self.training, self.goal, self.look = training, goal, look
        self.progress = None  # of the last step; None before the first
        self.losses: list[float] = []  # of every step
        self.times: list[torch.Tensor] = []  # of every step: the t of its images ...
        self.of_images: list[torch.Tensor] = []  # ... and their losses
        self.seconds = 0.0  # at work: pauses don't count
        self.error: BaseException | None = None
        self._rest = threading.Event()  # set: take no further step
        self._rest.set()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # for the decision to rest, and that to begin
        _runs.add(self)

    @property
    def step(self) -> int:
        return len(self.losses)

    @property
    def done(self) -> bool:
        """Nothing is left to do: the goal is reached, or an error has ended it."""
        return self.error is not None or self.step >= self.goal

    @property
    def working(self) -> bool:
        return not self._rest.is_set()

    @property
    def images_per_second(self) -> float:
        if not self.progress:
            return 0.0
        batch = self.progress.images / self.progress.step  # a run that goes on has more behind it
        return self.step * batch / self.seconds

    @property
    def seconds_left(self) -> float:
        return (self.goal - self.step) * self.seconds / max(self.step, 1)

    def go_on(self) -> None:
        """Begin, or go on after a pause. Does nothing if it is at work or done.

        Another run that is at work is stopped: a cell that is run again would otherwise train its
        net twice at a time, and spoil it.
        """
        while not self.working and not self.done:
            for other in list(_runs):
                if other is not self and other.working:
                    other.stop()
            self.join()  # a thread that was just told to rest finishes its step first
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._rest.clear()
                    self._thread = threading.Thread(target=self._work, name="training", daemon=True)
                    self._thread.start()

    def pause(self) -> None:
        """Rest after the step that is being taken."""
        self._rest.set()

    def stop(self) -> None:
        """Rest for good: the steps that are done were the goal. `more` still goes on from here."""
        self._stopping = True
        self._rest.set()
        self.join()
        self.goal, self._stopping = self.step, False

    def more(self, steps: int) -> None:
        """Move the goal, and go on."""
        with self._lock:
            self.goal += steps
        self.go_on()

    def join(self) -> None:
        """Wait until it rests."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._has_more():
                self._timed(self._take_a_step)
                self._timed(lambda: self.look(self))
            if self.progress and self.progress.step == self.progress.steps:
                # Past its last yield: only there does `train` write the last checkpoint.
                next(self.training, None)
        except BaseException as error:  # whoever waits for the run raises it again
            self.error = error
        if self._stopping:  # the order is carried out: nobody may find it here again
            self.goal, self._stopping = self.step, False
        self._rest.set()
        self.look(self)

    def _has_more(self) -> bool:
        with self._lock:  # or `more` could move the goal just after we saw it
            if self.done:
                self._rest.set()
            return self.working

    def _timed(self, action: Callable[[], None]) -> None:
        begun = time.perf_counter()
        action()
        self.seconds += time.perf_counter() - begun

    def _take_a_step(self) -> None:
        progress = next(self.training, None)
        if progress is None:  # the generator has no more steps than these
            self.goal = self.step
            return
        if math.isnan(progress.loss):
            raise FloatingPointError(f"the loss is NaN at step {progress.step}: lower the lr?")
        self.progress = progress
        self.times.append(progress.t)
        self.of_images.append(progress.losses)
        self.losses.append(progress.loss)  # last: `step` counts these
