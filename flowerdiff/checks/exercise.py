"""Grade a learner's function by what it returns, and say what to look at.

An exercise knows the right answer (the oracle) and the wrong ones that people give, each with the
hint that helps. A learner's function is run on random inputs. If it returns what a known mistake
returns, the learner reads that mistake's hint; if it is wrong in a new way, the first difference.
A check prints, and never raises: an unsolved exercise does not stop the lesson.
"""

import copy
import html
import inspect
import linecache
import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TRIALS = 5  # inputs that an answer is tried on; `draw` gives each another shape
STOPPED = "it was stopped before it was done; is there a loop in it that never ends?"
CHANGED = "your function changes the tensor it is given (by *= or the like); make a new one"
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32)  # as good as int64
OPEN, WRONG, SOLVED = "○", "✗", "✓"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give. The hint says what to look at, not what to write."""

    hint: str
    wrong: Callable  # takes what the learner's function takes


@dataclass(frozen=True)
class Verdict:
    mark: str  # OPEN, WRONG or SOLVED
    text: str
    hint: str = ""  # the known mistake's, if it is one


@dataclass(frozen=True)
class Failed:
    """What stands in the place of a value when the function raised an error instead."""

    kind: type
    text: str


@dataclass(frozen=True, eq=False)
class Exercise:
    """`check_something = Exercise(...)`; then `check_something(my_function)` prints the verdict.

    draw(generator, i): the arguments of trial i, a tuple. Same shapes for the same i. Tensors and
    numbers. The last trial is the typical one: it is what a first difference is shown for.
    oracle: the right answer, a function of those arguments; returns a tensor or a number.
    """

    lesson: str
    title: str
    oracle: Callable
    draw: Callable[[torch.Generator, int], tuple]
    mistakes: Sequence[Mistake]

    def __call__(self, function: Callable) -> None:
        """Print ○ not attempted, ✗ and a hint, or ✓."""
        verdict = self.verdict(function)
        _verdicts[self] = verdict
        print(f"{verdict.mark} {self.title}: {verdict.text}")

    def __post_init__(self):
        _verdicts[self] = Verdict(OPEN, "not attempted")

    def verdict(self, function: Callable, seed: int | None = None) -> Verdict:
        """Grade without printing. Fresh inputs at every call, unless a seed is given."""
        if not callable(function):
            got = type(function).__name__
            return Verdict(WRONG, f"give the check the function itself, without (): got a {got}")
        with torch.device("cpu"):  # whatever is set for the notebook
            rng = torch.Generator().manual_seed(secrets.randbits(32) if seed is None else seed)
            inputs = [self.draw(rng, i) for i in range(TRIALS)]
            expected = [self.oracle(*arguments) for arguments in inputs]
            try:
                got = [_run(function, arguments) for arguments in inputs]
            except KeyboardInterrupt as error:  # the notebook's stop button
                return Verdict(WRONG, STOPPED + _line(error, function))
            if all(value is ... for value in got):
                return Verdict(OPEN, "not attempted yet")
            problems = [_difference(*pair) for pair in zip(got, expected, strict=True)]
            if not any(problems):
                return Verdict(SOLVED, "right")
            for mistake in self.mistakes:
                if _same(got, [_run(mistake.wrong, arguments) for arguments in inputs]):
                    return Verdict(WRONG, mistake.hint, mistake.hint)
            last = max(i for i, problem in enumerate(problems) if problem)
            given = _described(inputs[last], self.oracle)
            return Verdict(WRONG, f"{problems[last]}\n  with {given}" if given else problems[last])


_verdicts: dict[Exercise, Verdict] = {}  # of the last try at each exercise, in the lessons' order


def in_order(*exercises: Exercise) -> None:
    """The order in which a summary names a lesson's exercises, if it is not that of the imports."""
    for exercise in exercises:
        _verdicts[exercise] = _verdicts.pop(exercise)


class Summary:
    """What is solved so far: a table on the screen, lines in a text."""

    def __init__(self, verdicts: dict[Exercise, Verdict]):
        self.rows = [(e.lesson, e.title, v.mark, _WORDS[v.mark]) for e, v in verdicts.items()]
        self.solved = sum(mark == SOLVED for _, _, mark, _ in self.rows)

    def __repr__(self):
        lines = [f"{mark} {lesson} {title}: {word}" for lesson, title, mark, word in self.rows]
        return "\n".join([f"{self.solved} of {len(self.rows)} exercises solved", *lines])

    def _repr_html_(self):
        def row(tag: str, *cells: str) -> str:
            left = (f"<{tag} style='text-align:left'>{html.escape(c)}</{tag}>" for c in cells)
            return f"<tr>{''.join(left)}</tr>"

        caption = f"<caption><b>{self.solved} of {len(self.rows)} exercises solved</b></caption>"
        body = [
            row("td", lesson, title, f"{mark} {word}") for lesson, title, mark, word in self.rows
        ]
        return f"<table>{caption}{row('th', 'lesson', 'exercise', 'state')}{''.join(body)}</table>"


_WORDS = {OPEN: "not attempted", WRONG: "not yet right", SOLVED: "solved"}


def summary(lesson: str = "") -> Summary:
    """The exercises of a lesson ("01"), or of all lessons in this notebook, and their states."""
    return Summary({e: v for e, v in _verdicts.items() if lesson in ("", e.lesson)})


def _run(function: Callable, arguments: tuple):
    """The function's value; a Failed if it raised, or changed what it was given."""
    given = copy.deepcopy(arguments)  # so that nobody writes into the inputs of the next one
    try:
        value = function(*given)
    except (Exception, SystemExit) as error:
        return Failed(type(error), _where(error, function))
    if not all(_equal(a, b) for a, b in zip(given, arguments, strict=True)):
        return Failed(ValueError, CHANGED)
    return value


def _where(error: BaseException, function: Callable) -> str:
    """The error in one line, and the learner's line that it happened in."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0] + _line(error, function)


def _line(error: BaseException, function: Callable) -> str:
    """The learner's line that it happened in, on a line of its own; "" if it was in none."""
    code = getattr(inspect.unwrap(function), "__code__", None)  # below @torch.no_grad()
    file = getattr(code, "co_filename", None)
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    if not own:
        return ""
    line = linecache.getline(own[-1].filename, own[-1].lineno).strip()
    return f"\n  in line {own[-1].lineno} of the cell: {line}"


def _equal(a, b) -> bool:
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


def _same(got: list, wrong: list) -> bool:
    """Whether two functions went wrong alike: the same values, and errors where the other has one;
    an error alone, without a value anywhere, is not enough to know a mistake by.
    """
    pairs = list(zip(got, wrong, strict=True))
    failed = [
        isinstance(a, Failed) and isinstance(b, Failed) and a.kind is b.kind for a, b in pairs
    ]
    alike = [f or not _difference(a, b) for f, (a, b) in zip(failed, pairs, strict=True)]
    return all(alike) and not all(failed)


def _difference(got, expected) -> str:
    """The first thing in which `got` is not `expected`; "" if there is none."""
    if isinstance(got, Failed):
        return got.text
    if isinstance(expected, Failed):
        return "an error was expected"
    if got is None:
        return "your function returns None: is the `return` missing?"
    try:
        return _compared(got, expected)
    except (OverflowError, RuntimeError, NotImplementedError, TypeError) as error:  # on a GPU ...
        return f"expected {_kind(expected)}, got {_kind(got)}: {error}".splitlines()[0]


def _compared(got, expected) -> str:
    if getattr(got, "shape", None) == () and not isinstance(got, Tensor):
        got = got.item()  # a number of NumPy's
    tensor = isinstance(got, Tensor)
    number = (got.numel() == 1 and not got.is_complex()) if tensor else isinstance(got, int | float)
    exact = not tensor or got.dtype == torch.float64
    if not isinstance(expected, Tensor):
        if not number:
            quotes = ": are there quotation marks too many?" if isinstance(got, str) else ""
            return f"expected one number, got {_kind(got)}{quotes}"
        expected = torch.tensor(expected, dtype=torch.float64)
    if number and not expected.ndim:
        got = torch.as_tensor(got, dtype=expected.dtype).reshape(())
    elif tensor and expected.dtype == torch.int64 and got.dtype in WHOLE:
        got = got.long()
    alike = isinstance(got, Tensor) and got.shape == expected.shape
    if not alike or got.dtype != expected.dtype:
        dtype = str(expected.dtype).removeprefix("torch.")
        return f"expected {_kind(expected)}, got {_kind(got)}" + (f": make it {dtype}" * alike)
    # Who sums float32 in another order gets other last digits; who does it in between, too.
    one = exact and expected.dtype == torch.float64 and not expected.ndim
    atol, rtol = (1e-9, 1e-6) if one else (1e-5, 1e-3)
    close = torch.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return ""
    where = tuple((~close).nonzero()[0].tolist())
    at = f" at [{', '.join(map(str, where))}]" if where else ""
    wanted, given = (x[where].item() for x in (expected, got))
    if isinstance(wanted, bool):
        return f"expected {wanted}, got {given}{at}"
    if f"{wanted:.5g}" == f"{given:.5g}":
        return f"expected {wanted:.9g}, got {given:.9g}{at}: nearly; is it worked out in float32?"
    return f"expected {wanted:.5g}, got {given:.5g}{at}"


def _kind(value) -> str:
    name = type(value).__name__
    if isinstance(value, Tensor):
        name = f"{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return f"{'an' if name[0] in 'aeiou' and name[:4] != 'uint' else 'a'} {name}"


def _described(arguments: tuple, function: Callable) -> str:
    """The inputs of a trial in one line, by the names that the oracle has for them."""
    names = inspect.signature(function).parameters
    return ", ".join(
        f"{name} {_kind(a)}"
        if isinstance(a, Tensor) and a.ndim
        else f"{name} = {a if isinstance(a, int) else f'{float(a):.4g}'}"
        for name, a in zip(names, arguments, strict=True)
    )
