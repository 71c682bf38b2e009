"""Every check: the right answer passes, every known mistake is told apart, nothing is raised."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch

from flowerdiff.checks import Exercise, Mistake, exercise, forward, summary
from flowerdiff.schedule import Schedule, linear_schedule, zero_terminal_snr

ROOT = Path(__file__).resolve().parent.parent
LESSONS = [forward]
EXERCISES = {
    name: check
    for lesson in LESSONS
    for name, check in vars(lesson).items()
    if isinstance(check, Exercise)
}
MISTAKES = [
    pytest.param(check, mistake, id=f"{name}-{i}")
    for name, check in EXERCISES.items()
    for i, mistake in enumerate(check.mistakes)
]
every_exercise = pytest.mark.parametrize("check", EXERCISES.values(), ids=EXERCISES)


@pytest.fixture(autouse=True)
def nothing_solved_before(monkeypatch):
    fresh = {check: exercise.Verdict("○", "not attempted") for check in EXERCISES.values()}
    monkeypatch.setattr(exercise, "_verdicts", fresh)


# The exercises


@every_exercise
def test_the_right_answer_passes_on_a_hundred_seeds(check):
    for seed in range(100):
        verdict = check.verdict(check.oracle, seed)
        assert verdict.mark == "✓", f"seed {seed}: {verdict.text}"


@pytest.mark.parametrize("check, mistake", MISTAKES)
def test_every_known_mistake_gets_its_own_hint(check, mistake):
    for seed in range(20):
        verdict = check.verdict(mistake.wrong, seed)
        assert (verdict.mark, verdict.hint) == ("✗", mistake.hint), f"seed {seed}: {verdict.text}"


@every_exercise
def test_no_two_mistakes_share_a_hint_and_there_are_at_least_four(check):
    hints = [mistake.hint for mistake in check.mistakes]
    assert len(set(hints)) == len(hints) >= 4


@every_exercise
def test_a_stub_is_not_attempted(check, capsys):
    check(lambda *arguments: ...)
    assert capsys.readouterr().out == f"○ {check.title}: not attempted yet\n"


@every_exercise
@pytest.mark.parametrize(
    "answer", [None, "x", 1j, [1.0], torch.tensor([]), torch.tensor([1 + 1j]), float("nan")]
)
def test_any_other_answer_is_wrong_and_nothing_is_raised(check, answer, capsys):
    check(lambda *arguments: answer)
    assert capsys.readouterr().out.startswith("✗")


def test_the_right_answers_are_the_librarys():
    linear, rng = linear_schedule(), torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 4, 3, 8, 8, generator=rng)
    t, close = torch.tensor([0, 1, 400, 800]), torch.testing.assert_close
    alpha_bar, oracle = linear.alpha_bar, {name: c.oracle for name, c in EXERCISES.items()}
    beta = torch.linspace(1e-4, 2e-2, 800, dtype=torch.float64)
    close(oracle["check_alpha_bars"](beta).float(), alpha_bar)
    close(oracle["check_add_noise"](x0, t, alpha_bar, eps), linear.add_noise(x0, t, eps))
    first = oracle["check_time_of"](alpha_bar, 0.5)
    assert linear.snr(first) < 0.5 <= linear.snr(first - 1)
    betas = linear.beta(torch.tensor([1, 2])).tolist()
    close(torch.tensor(oracle["check_std_after_two"](*betas)), (1 - alpha_bar[2]).sqrt())
    close(oracle["check_noise_step"](x0, betas[0], eps), linear.add_noise(x0, 1, eps))
    bent = oracle["check_zero_terminal"](alpha_bar)
    close(bent, zero_terminal_snr(linear, terminal=0.0).alpha_bar, atol=1e-4, rtol=1e-3)
    shifted = Schedule(oracle["check_for_size"](alpha_bar, 128))
    close(shifted.snr(t[1:]), linear.snr(t[1:]) / 4, atol=0, rtol=1e-2)


# How an answer is graded


def test_an_error_is_shown_with_its_line(capsys):
    def learner(x, beta, eps):
        root = beta**0.5
        return x.no_such_method() + root

    forward.check_noise_step(learner)
    shown = capsys.readouterr().out
    assert "AttributeError: 'Tensor' object has no attribute 'no_such_method'" in shown
    line = learner.__code__.co_firstlineno + 2
    assert f"in line {line} of the cell: return x.no_such_method() + root" in shown


@pytest.mark.parametrize("error", [ValueError(), SystemExit(1), RecursionError("deep")])
def test_no_error_of_the_learners_gets_out(error, capsys):
    def learner(*arguments):
        raise error

    forward.check_noise_step(learner)
    assert type(error).__name__ in capsys.readouterr().out


def test_too_many_parameters_are_an_error_like_others(capsys):
    forward.check_noise_step(lambda x: x)
    assert "takes 1 positional argument but 3 were given" in capsys.readouterr().out


def test_the_function_itself_is_wanted(capsys):
    forward.check_noise_step(torch.zeros(3))
    assert "the function itself, without (): got a Tensor" in capsys.readouterr().out


def test_a_missing_return(capsys):
    forward.check_noise_step(lambda x, beta, eps: None)
    assert "is the `return` missing?" in capsys.readouterr().out


def test_changed_inputs_are_noticed():
    def learner(x, beta, eps):
        x *= (1 - beta) ** 0.5
        return x + beta**0.5 * eps

    assert "changes the tensor it is given" in forward.check_noise_step.verdict(learner).text


def test_the_first_difference_says_shape_type_or_value():
    oracle = forward.check_noise_step.oracle
    verdict = forward.check_noise_step.verdict
    wrong = {
        "of shape (3, 8, 8), got a float32 tensor of shape (3, 1, 8, 8)": lambda x, b, e: oracle(
            x, b, e
        )[:, None],
        "expected a float32 tensor of shape (3, 8, 8), got a float64": lambda x, b, e: oracle(
            x.double(), b, e
        ),
        "got a ndarray": lambda x, b, e: oracle(x, b, e).numpy(),
    }
    for text, learner in wrong.items():
        assert text in verdict(learner).text
    value = verdict(lambda x, b, e: oracle(x, b, e) + 1, seed=0).text
    generator = torch.Generator().manual_seed(0)
    inputs = [forward.check_noise_step.draw(generator, i) for i in range(exercise.TRIALS)]
    first = oracle(*inputs[-1])[0, 0, 0]
    assert value.startswith(f"expected {first:.5g}, got {first + 1:.5g} at [0, 0, 0]\n")
    assert "\n  with x a float32 tensor of shape (3, 8, 8), beta = 0." in value


def test_a_number_may_come_as_a_tensor():
    check = forward.check_std_after_two
    assert check.verdict(lambda a, b: torch.tensor(check.oracle(a, b)).double()).mark == "✓"


def test_inputs_are_fresh_at_every_check():
    seen = []
    for _ in range(2):
        forward.check_std_after_two.verdict(lambda *betas: seen.append(betas))
    assert len(set(seen)) == 2 * exercise.TRIALS


def test_a_mistake_is_known_by_values_not_by_errors_alone():
    def fails(x):
        raise ValueError("as always")

    check = Exercise(
        "99",
        "add",
        lambda x: x + 1,
        lambda g, i: (torch.rand(2, generator=g),),
        [Mistake("h", fails)],
    )
    assert check.verdict(fails).hint == ""


# The summary


def test_the_summary_follows_the_checks():
    checks = list(EXERCISES.values())
    checks[0](checks[0].oracle)
    checks[1](lambda *arguments: 0.0)
    text, table = repr(summary("01")), summary("01")._repr_html_()
    assert text.splitlines()[:4] == [
        f"1 of {len(checks)} exercises solved",
        f"✓ 01 {checks[0].title}: solved",
        f"✗ 01 {checks[1].title}: not yet right",
        f"○ 01 {checks[2].title}: not attempted",
    ]
    assert table.count("<tr>") == len(checks) + 1
    assert "✓ solved" in table and "✗ not yet right" in table and "○ not attempted" in table
    checks[0](lambda *arguments: 0.0)
    assert repr(summary()).startswith("0 of")
    assert repr(summary("02")) == "0 of 0 exercises solved"


# The lessons' two editions


@pytest.fixture(scope="module")
def builder():
    pytest.importorskip("jupytext")
    spec = importlib.util.spec_from_file_location("builder", ROOT / "tools/build_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LESSON = """\
# %% [markdown]
# # 99 · A lesson
#
# With an exercise.

# %%
def double(x):
    \"\"\"Twice x.\"\"\"
    # solution
    y = x + x
    return y
    # end of solution


print(double(2))
"""


def test_one_source_makes_a_stub_and_a_solution(builder, tmp_path):
    source = tmp_path / "99_lesson.py"
    source.write_text(LESSON)
    student, solved = builder.editions(source)
    assert (student.name, solved.parent.name) == ("99_lesson.ipynb", "solutions")
    cells = {s: builder.from_source(source, s).cells for s in (False, True)}
    answer = "    y = x + x\n    return y\n\n\nprint"
    assert "    return ...  # your code\n\n\nprint" in cells[False][1].source
    assert answer in cells[True][1].source
    assert "solution" not in cells[False][1].source + cells[True][1].source
    assert "exercise" in cells[False][1].metadata.tags
    title, note = cells[True][0].source.split("\n\n")[:2]
    assert title == "# 99 · A lesson" and "Solved edition" in note


def test_a_lesson_without_exercises_has_one_edition(builder, tmp_path):
    source = tmp_path / "99_lesson.py"
    source.write_text("# %%\n1 + 1\n")
    assert list(builder.editions(source)) == [source.with_suffix(".ipynb")]


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/[0-9]*.py")), ids=lambda p: p.stem)
def test_exercises_of_a_lesson(path, builder):
    """What every lesson's source must be: each check used once, with minutes; no wall of code."""
    exercises = 0
    for cell in builder.from_source(path).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 30, cell.source
            code = [line for line in cell.source.splitlines() if line.strip()]
            assert len(code) <= 25, f"{len(code)} lines in a cell:\n{cell.source}"
            exercises += "exercise" in cell.metadata.get("tags", [])
    text = path.read_text()
    assert len(re.findall(r"^# ### Exercise \d", text, re.M)) == exercises
    assert len(re.findall(r"^# \*(easy|medium|harder) · \d+ minutes\.\*", text, re.M)) == exercises
    assert len(set(re.findall(r"^(check_\w+)\(", text, re.M))) == exercises
