"""Every check: the right answer passes, every known mistake is told apart, nothing is raised."""

import _thread
import importlib.util
import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import mahalanobis
from scipy.stats import binomtest, kendalltau
from scipy.stats import t as student
from torch.utils.flop_counter import FlopCounterMode

from flowerdiff import guidance as library
from flowerdiff import metrics
from flowerdiff import sampling as library_sampling
from flowerdiff import training as library_training
from flowerdiff.checks import (
    Exercise,
    Mistake,
    design,
    evaluation,
    exercise,
    forward,
    guidance,
    paper,
    sampling,
    summary,
    training,
)
from flowerdiff.mixture import Mixture
from flowerdiff.netinfo import chain_field
from flowerdiff.pictures import square
from flowerdiff.pixels import from_uint8, to_uint8
from flowerdiff.schedule import Schedule, linear_schedule, zero_terminal_snr
from flowerdiff.study.tables import differences
from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet
from flowerdiff.unet.layers import sinusoid
from flowerdiff.unet.two_layer import ConvBlock

ROOT = Path(__file__).resolve().parent.parent
LESSONS = [forward, guidance, training, sampling, design, evaluation, paper]
EXERCISES = {
    name: check
    for lesson in LESSONS
    for name, check in vars(lesson).items()
    if isinstance(check, Exercise)
}
IN_ORDER = list(exercise._verdicts)  # as the summaries name them
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


def test_the_right_answers_of_guidance_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    eps_y, eps_null = torch.randn(2, 4, 3, 8, 8, generator=rng)
    y, null, t = torch.tensor([0, 3, 9, 3]), 10, torch.tensor([800, 500, 400, 100])
    asked = []

    def model(x_t, t, labels):
        asked.append(labels)
        return torch.where((labels == null)[:, None, None, None], eps_null, eps_y)

    def both(x_t, t, labels):
        return torch.cat([model(x_t, t, half) for half in labels.chunk(2)])

    oracle = {name: check.oracle for name, check in vars(guidance).items() if "check" in name}
    guided = library.guided(both, 2.5, null)(eps_y, t, y)
    close(oracle["check_combine"](eps_y, eps_null, 2.5), guided)
    close(oracle["check_one_pass"](torch.cat([eps_y, eps_null]), torch.full((4,), 2.5)), guided)
    assert oracle["check_which_w"](guided, eps_y, eps_null) == pytest.approx(
        library.w_of(guided, eps_y, eps_null)
    )
    for seed in range(20):  # as right, and rounded in another way
        verdict = guidance.check_which_w.verdict(lambda e, y, n: ((e - y) / (y - n)).mean(), seed)
        assert verdict.mark == "✓"
    assert torch.equal(oracle["check_both_labels"](y, -torch.ones_like(y), null), torch.cat(asked))
    dropped = torch.tensor([True, False, True, False])
    close(
        oracle["check_drop_labels"](y, 1.0 - dropped.float(), 0.5, null),
        library.drop_labels(y, dropped, null),
    )
    for low, high in ((1, 800), (500, 800), (300, 450)):
        inside = (low <= t) & (t <= high)
        expected = torch.where(inside[:, None, None, None], guided, eps_y)
        close(oracle["check_guide_between"](eps_y, eps_null, 2.5, t, low, high), expected)
    flowers = Mixture(torch.tensor([[1.0, 0.0], [-1.0, 0.5]]), torch.full((2,), 0.7), torch.ones(2))
    almost_clean = Schedule(torch.tensor([1.0, 1 - 1e-6, 0.0]))  # eps_hat = -sqrt(1e-6) * score
    x, first = torch.randn(5, 2, generator=rng), torch.ones(5, dtype=torch.long)
    eps = library.guided(flowers.eps_model(almost_clean), 1.5, 2)(x, first, first)
    score = oracle["check_sharpened_score"](x, flowers.means, 0.7, 1, 1.5)
    close(-eps / (1 - almost_clean.alpha_bar[1]).sqrt(), score, atol=1e-3, rtol=1e-3)


def test_the_right_answers_of_design_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    oracle = {name: check.oracle for name, check in vars(design).items() if "check" in name}
    for c_in, c_out, kernel, stride in ((3, 8, 3, 1), (16, 8, 5, 2)):
        block, conv = ConvBlock(c_in, c_out), torch.nn.Conv2d(c_in, c_out, kernel, stride, 2)
        assert oracle["check_parameters"](c_in, c_out) == sum(p.numel() for p in block.parameters())
        with FlopCounterMode(display=False) as counter:
            size = conv(torch.zeros(1, c_in, 32, 32)).shape[-1] * stride
        flops = oracle["check_flops"](c_in, c_out, kernel, size, stride)
        assert flops == counter.get_total_flops()
    layers = torch.tensor([3, 5, 2, 3]), torch.tensor([1, 2, 2, 1])
    assert oracle["check_field"](*layers) == chain_field(list(zip(*layers, strict=True)))
    net, seen = TwoLayerUNet(TwoLayerConfig(num_classes=5, width=8)).eval(), {}
    for name in ("bottleneck", "down2", "time1", "label1"):
        stage = net.get_submodule(name)
        stage.register_forward_hook(lambda m, i, out, name=name: seen.__setitem__(name, out))
    net.up1.register_forward_pre_hook(lambda m, given: seen.__setitem__("up1", given[0]))
    with torch.no_grad():
        net(torch.randn(2, 3, 32, 32, generator=rng), torch.tensor([1, 700]), torch.tensor([4, 2]))
    met = oracle["check_meet"](*map(seen.get, ("bottleneck", "down2", "time1", "label1")))
    close(met, seen["up1"])
    t = torch.tensor([1, 17, 400, 800])
    close(oracle["check_sinusoid"](t, 32), sinusoid(t, 32))
    q, k, v = torch.randn(3, 2, 5, 8, generator=rng)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    close(oracle["check_attend"](q, k, v), expected)
    h = torch.randn(2, 16, 8, 8, generator=rng)
    close(oracle["check_group_norm"](h, 4), torch.nn.GroupNorm(4, 16)(h))


def test_the_right_answers_of_training_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    oracle = {name: check.oracle for name, check in vars(training).items() if "check" in name}
    linear, t = linear_schedule(), torch.tensor([1, 100, 400, 800])
    x0, eps = torch.randn(2, 4, 3, 8, 8, generator=rng)
    loss = (0.5 * linear.add_noise(x0, t, eps) - eps).square().mean()
    close(oracle["check_training_loss"](0.5, x0, t, linear.alpha_bar, eps), loss)
    weight = library_training.loss_weight(linear, t, "eps", 5.0)
    close(oracle["check_weight"](linear.snr(t), 5.0), weight)
    config = library_training.TrainConfig(steps=100, warmup=7, decay=30)
    for step in range(100):
        rate = oracle["check_lr_at"](step, 100, config.lr, 7, 30)
        assert rate == pytest.approx(library_training.lr_at(step, config))
    net, ema = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    for module in (net, ema):
        for tensor in module.state_dict().values():
            tensor.copy_(torch.randint(5, tensor.shape, generator=rng))
    old, new = (torch.cat([x.weight, x.bias, x.running_mean]).detach() for x in (ema, net))
    expected = oracle["check_ema_update"](old, new, 0.9, torch.arange(9) >= 6)
    library_training.update_ema(ema, net, 0.9, step=1000)
    close(torch.cat([ema.weight, ema.bias, ema.running_mean]), expected)
    a, b = torch.randn(4, 3, generator=rng), torch.randn(5, generator=rng)
    parameters = [torch.nn.Parameter(torch.zeros_like(x)) for x in (a, b)]
    for max_norm in (1.0, 100.0):
        for parameter, gradient in zip(parameters, (a, b), strict=True):
            parameter.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        close(parameters[0].grad, oracle["check_clip_factor"](a, b, max_norm) * a)


def test_the_right_answers_of_evaluation_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    oracle = {name: check.oracle for name, check in vars(evaluation).items() if "check" in name}
    x = torch.randn(2, 3, 8, 8, generator=rng)
    assert torch.equal(oracle["check_to_pixels"](x), to_uint8(x))
    n, dim = 60, 5
    drawn, real, new = torch.randn(3, n, dim, generator=rng)
    real, labels = real + 0.3, torch.arange(n) % 4
    ours, theirs = metrics.Features(drawn, "toy"), metrics.Features(real, "toy")
    moments = [m for f in (drawn, real) for m in (f.double().mean(0), f.double().T.cov())]
    assert oracle["check_frechet"](*moments) == pytest.approx(metrics.fid(ours, theirs).value)
    found = oracle["check_kid"](drawn.double(), real.double())
    assert found == pytest.approx(metrics.kid(ours, theirs).value)
    logits = metrics.Features(3 * drawn, "toy", logits=True)
    found = oracle["check_inception_score"](logits.values.double().softmax(1))
    assert found == pytest.approx(metrics.inception_score(logits).value)
    found = oracle["check_diversity"](drawn, labels, real, labels)
    assert found == pytest.approx(metrics.diversity(ours, labels, theirs, labels).value)
    drawn[:3] = real[[5, 17, 40]] + 0.001
    samples, train, validation = (
        metrics.Measured(torch.zeros(n, 3, 8, 8, dtype=torch.uint8), labels, f)
        for f in (metrics.Features(drawn, "toy"), theirs, metrics.Features(new, "toy"))
    )
    # Features alone: all images are black, so none may count as the same picture.
    train.images.copy_(torch.full_like(train.images, 255))
    suspects = metrics.memorisation(samples, train, theirs, validation).suspects
    close(oracle["check_suspects"](drawn, real, new).nonzero()[:, 0], suspects.sort().values)
    assert len(suspects) >= 3
    for right, rounds in ((7, 10), (10, 10), (6, 12)):
        expected = binomtest(right, rounds, alternative="greater").pvalue
        assert oracle["check_chance"](right, rounds) == pytest.approx(expected)


def test_the_right_answers_of_the_paper_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    oracle = {name: check.oracle for name, check in vars(paper).items() if "check" in name}
    eps, linear = torch.randn(3, 8, 8, generator=rng), linear_schedule()
    x_t = linear.add_noise(torch.full_like(eps, -1), 300, eps)
    close(oracle["check_eps_of_black"](x_t, linear.alpha_bar[300]), eps)
    means, roots = torch.randn(2, 4, generator=rng), torch.randn(2, 4, 9, generator=rng)
    (m, n), (s, r) = means.double(), (roots @ roots.mT).double()
    expected = mahalanobis(m, n, torch.linalg.inv((s + r) / 2))
    assert oracle["check_niqe"](m, s, n, r) == pytest.approx(expected)
    for n in (3, 5, 6):
        scores = torch.randperm(9, generator=rng)[:n].double()
        expected = kendalltau(range(n), scores, alternative="greater", method="exact").pvalue
        assert oracle["check_chance_of_a_trend"](scores) == pytest.approx(expected)
    for shape in ((3, 10, 16), (3, 20, 12)):
        image = torch.randint(256, shape, generator=rng).to(torch.uint8)
        cut = square(Image.fromarray(image.permute(1, 2, 0).numpy()), min(shape[1:]))
        cut = torch.tensor(np.array(cut)).permute(2, 0, 1)
        assert torch.equal(oracle["check_centre_square"](image), cut)
    for asked in (1, 2):  # so often in each step, at 7 ms
        training, sampling = 3 * 80 * 2346 * 0.007, asked * 106 * 800 * 0.007
        assert oracle["check_evaluations"](training, sampling) == pytest.approx(asked)
    scores = torch.randn(3, 4, generator=rng).double()
    groups = dict(zip(("base", "a", "b"), scores.tolist(), strict=True))
    runs = [
        {"row": row, "title": row, "conditional": False, "seed": seed, "base": "base"}
        | {"published": {}, "more": {"KID": 100 * value}}
        for row, values in groups.items()
        for seed, value in enumerate(values)
    ]
    t95 = student.ppf(0.975, 9)
    low, high = (100 * oracle["check_gap_interval"](scores, 1, 0, t95)).tolist()
    (line,) = (row for row in differences(runs).splitlines() if row.startswith("| a,"))
    found = re.search(r"(-?[\d.]+) to (-?[\d.]+)", line)
    assert [float(x) for x in found.groups()] == pytest.approx([low, high], rel=0.01)


def test_net_c_sends_the_mirror_images_of_training_images():
    train = torch.randint(40, 200, (240, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    train = train.to(torch.uint8)
    sent = evaluation.what_c_sends(train).float()
    away = (sent[:, None] - train.flip(-1)[None].float()).abs().mean((2, 3, 4))
    assert (away.amin(1) < 10).all()
    assert (away.argmin(1) % 4).tolist() == [0, 1, 2, 3] * 16
    assert len(set(away.argmin(1).tolist())) == 64


def test_every_wrong_diagnosis_is_told_how_that_disease_would_look():
    patients = [check for name, check in vars(training).items() if "check_patient" in name]
    assert len(patients) == len({check.oracle() for check in patients}) == 6
    for check in patients:
        answers = {disease: check.verdict(lambda d=disease: d) for disease in training.Disease}
        assert [d for d, v in answers.items() if v.mark == "✓"] == [check.oracle()]
        assert len({v.hint for v in answers.values()}) == len(training.Disease)


def test_the_right_answers_of_sampling_are_the_librarys():
    rng, close = torch.Generator().manual_seed(0), torch.testing.assert_close
    oracle = {name: check.oracle for name, check in vars(sampling).items() if "check" in name}
    linear, ab = linear_schedule(), linear_schedule().alpha_bar
    x_t, eps_hat = torch.randn(2, 2, 3, 8, 8, generator=rng)

    def model(x_t, t, y):
        return eps_hat

    z = library_sampling.noise([5, 6], 300, (3, 8, 8))
    for s in (300, 0):
        walk = {"start": 500, "steps": [s, 0] if s else [0], "seeds": [5, 6]}
        _, after, *_ = library_sampling.ddpm(model, linear, x_t, **walk)
        close(oracle["check_ancestral_step"](x_t, eps_hat, z, ab, 500, s), after.x_t)
        for eta in (0.0, 0.7, 1.0):
            _, after, *_ = library_sampling.ddim(model, linear, x_t, **walk, eta=eta)
            close(oracle["check_ddim_step"](x_t, eps_hat, z, ab, 500, s, eta), after.x_t)
    variance = oracle["check_posterior_variance"](ab[500].item(), ab[300].item())
    assert variance == pytest.approx(linear.posterior(x_t, 500, x_t, 300)[1].item(), rel=1e-4)
    score = -eps_hat / (1 - ab[500]).sqrt()
    x0_hat = oracle["check_x0_from_score"](x_t, score, ab[500])
    close(x0_hat, linear.x0_from_eps(x_t, 500, eps_hat), atol=1e-4, rtol=1e-4)
    x0, eps = to_uint8(x_t[0]), z[0]
    noised = oracle["check_start_from"](x0, eps, ab[600])
    close(noised, linear.add_noise(from_uint8(x0), 600, eps))
    arc = oracle["check_slerp"](x_t[0], x_t[1], 0.5)  # half-way: the middle, brought to length
    middle = x_t.sum(0) / x_t.sum(0).norm()
    close(arc / arc.norm(), middle)


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


@pytest.fixture
def interrupts():
    """Python's own answer to an interrupt: a process in the background may have begun without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_endless_loop_ends_with_an_interrupt(interrupts, capsys):
    calls = []

    def learner(*arguments):
        calls.append(arguments)
        while True:
            _thread.interrupt_main()  # what the notebook's stop button does

    forward.check_noise_step(learner)
    shown = capsys.readouterr().out
    assert shown.startswith("✗") and "a loop in it that never ends" in shown
    assert "of the cell: " in shown
    assert len(calls) == 1  # the other trials would need an interrupt each
    assert "✗ 01 one step of noise: not yet right" in repr(summary("01"))


def test_whole_numbers_are_shown_to_their_last_digit():
    text = training.check_steps_needed.verdict(lambda *arguments: 0, seed=0).text
    generator = torch.Generator().manual_seed(0)
    inputs = [training.check_steps_needed.draw(generator, i) for i in range(exercise.TRIALS)]
    assert f"with images = {inputs[-1][0]}, per_pass = 16" in text


def test_where_nothing_is_given_nothing_is_said_of_it():
    text = training.check_patient_a.verdict(lambda: "EMA_TOO_SLOW").text
    assert text.startswith("expected one number, got a str: are there quotation marks")


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


@pytest.mark.parametrize("number", [np.int64, np.float32, np.array, torch.tensor])
def test_a_number_may_come_from_numpy(number):
    check = forward.check_time_of
    assert check.verdict(lambda ab, snr: number(check.oracle(ab, snr))).mark == "✓"


def test_work_in_float32_is_right_or_told():
    check = forward.check_noise_step
    in_32 = check.verdict(  # as who knows torch better than ** writes it
        lambda x, b, e: torch.sqrt(torch.tensor(1 - b)) * x + torch.sqrt(torch.tensor(b)) * e
    )
    assert in_32.mark == "✓"
    few = Exercise("99", "a number", lambda x: x / 3, lambda g, i: (10.0 + i,), [])
    assert few.verdict(lambda x: torch.tensor(x / 3).item()).mark == "✓"
    told = few.verdict(lambda x: x / 3 + 1e-5).text
    assert "is it worked out in float32?" in told and "4.66666667, got 4.66667667" in told
    assert "make it float32" in check.verdict(lambda x, b, e: check.oracle(x, b, e).double()).text


@pytest.mark.parametrize(
    "strange",
    [lambda x: x.to_sparse(), lambda x: x.to("meta"), lambda x: 10**400],
    ids=["sparse", "elsewhere", "huge"],
)
def test_what_cannot_be_compared_is_wrong(strange):
    check = Exercise("99", "x", lambda x: x, lambda g, i: (torch.rand((), generator=g),), [])
    verdict = check.verdict(strange)
    assert verdict.mark == "✗" and "expected a float32 tensor" in verdict.text


def test_a_check_does_not_mind_where_the_notebook_makes_its_tensors():
    try:
        torch.set_default_device("meta")  # as "cuda" on Colab
        verdict = forward.check_noise_step.verdict(forward.check_noise_step.oracle)
    finally:
        torch.set_default_device("cpu")
    assert verdict.mark == "✓"


def test_the_nearest_in_alpha_bar_or_snr_is_not_the_nearest_in_log_snr():
    def nearest(values, wanted):
        return 1 + (values[1:, None] - wanted).abs().argmin(0)

    def lambdas(steps):
        return torch.linspace(-2, 2, steps, dtype=torch.float64)

    def in_alpha_bar(alpha_bar, steps):
        return nearest(alpha_bar, torch.sigmoid(2 * lambdas(steps)))

    def in_snr(alpha_bar, steps):
        return nearest(alpha_bar / (1 - alpha_bar), (2 * lambdas(steps)).exp())

    for wrong in (in_alpha_bar, in_snr):
        passed = [
            sampling.check_log_snr_times.verdict(wrong, seed).mark == "✓" for seed in range(30)
        ]
        assert sum(passed) < 6


def test_the_line_is_found_below_a_decorator():
    @torch.no_grad()
    def learner(x, beta, eps):
        return x.no_such_method()

    text = forward.check_noise_step.verdict(learner).text
    assert "of the cell: return x.no_such_method()" in text


def test_yes_and_no_are_not_shown_as_numbers():
    check = Exercise("99", "which", lambda x: x > 0, lambda g, i: (torch.arange(3.0),), [])
    told = check.verdict(lambda x: x >= 0).text
    assert told.startswith("expected False, got True at [0]")


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


def test_a_number_may_be_a_float_or_a_tensor_of_one_in_its_own_precision():
    def of(oracle):
        return Exercise("99", "sum", oracle, lambda g, i: (torch.rand(1000, generator=g),), [])

    number, tensor = of(lambda x: x.double().mean().item()), of(lambda x: x.sum())
    assert number.verdict(lambda x: x.mean()).mark == "✓"  # float32 has other last digits
    assert number.verdict(lambda x: x.double().sum().item() / 1000).mark == "✓"
    assert number.verdict(lambda x: x.double().mean() + 1e-6).mark == "✗"
    assert tensor.verdict(lambda x: x.sum().item()).mark == "✓"
    assert tensor.verdict(lambda x: x.sum().item() + 1).mark == "✗"


# The summary


def test_the_summary_follows_the_checks():
    checks = [check for check in EXERCISES.values() if check.lesson == "01"]
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
    assert repr(summary("99")) == "0 of 0 exercises solved"


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(ROOT.glob("notebooks/[0-9]*.py")) if "# ### Exercise" in p.read_text()],
    ids=lambda p: p.stem,
)
def test_a_summary_has_the_lessons_order(path):
    titles = re.findall(r"^# ### Exercise \d+ · (.*)$", path.read_text(), re.M)
    ours = [check.title for check in IN_ORDER if check.lesson == path.stem[:2]]
    assert [title.lower() for title in ours] == [title.lower() for title in titles]


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
    assert "    return ...  # your code\n\n\nprint" in cells[False][-1].source
    assert answer in cells[True][-1].source
    assert "solution" not in cells[False][-1].source + cells[True][-1].source
    assert "exercise" in cells[False][-1].metadata.tags
    title, note = cells[True][0].source.split("\n\n")[:2]
    assert title == "# 99 · A lesson" and "Solved edition" in note


def test_other_words_leave_the_outputs_as_they_are(builder, tmp_path):
    source = tmp_path / "99_lesson.py"
    source.write_text(LESSON)
    built = tmp_path / "99_lesson.ipynb"
    notebook = builder.from_source(source)
    notebook.cells[-1].execution_count = 3
    notebook.cells[-1].outputs = [builder.nbformat.v4.new_output("stream", text="4")]
    built.write_text(builder.as_text(notebook))
    before = built.read_text()

    source.write_text(LESSON.replace("With an exercise.", "With one exercise."))
    builder.reword(source, built, solved=False)
    assert built.read_text() == before.replace("With an exercise.", "With one exercise.")

    after = built.read_text()
    for changed in (LESSON.replace("double(2)", "double(3)"), LESSON + "\n# %%\n1 + 1\n"):
        source.write_text(changed)
        with pytest.raises(SystemExit, match="not only words"):
            builder.reword(source, built, solved=False)
        assert built.read_text() == after


def test_a_widget_is_stored_as_it_was_at_the_end(builder, tmp_path):
    source = tmp_path / "99_lesson.py"
    source.write_text(
        "# %%\n"
        "from flowerdiff.schedule import linear_schedule\n"
        "from flowerdiff.widgets import noise_stepper\n"
        "import torch\n\n"
        "film = noise_stepper(torch.zeros(3, 8, 8), linear_schedule(2), seed=0)\n"
        "film\n\n"
        "# %%\nfilm.label = 'Another name'\nprint('ok')\n"
    )
    notebook, before = builder.from_source(source), dict(os.environ)
    builder.execute(notebook)
    assert dict(os.environ) == before, "a test that comes after would find our paths"
    film, _, name = notebook.cells  # between them is the cell that fetches the course
    assert film.outputs[0].metadata["image/png"].alt.startswith("Another name")
    assert [output.text for output in name.outputs] == ["ok\n"]


def test_a_widgets_old_script_is_seen_and_put_right(builder, tmp_path):
    source = ROOT / "notebooks/00_first_flower.py"
    ((built, solved),) = builder.editions(source).items()
    script = json.dumps((ROOT / "flowerdiff/widgets/player.js").read_text())[1:-1]
    copy = tmp_path / built.name
    text = built.read_text()
    assert script[:50] in text
    copy.write_text(text.replace(script[:50], "// an old script"))
    assert "scripts have changed" in builder.stale(source, copy, solved)
    builder.reword(source, copy, solved)
    assert builder.stale(source, copy, solved) == ""
    assert copy.read_text() == text


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
    lost = re.findall(r"^# %% \[markdown\] \S.*", text, re.M)  # what follows on the line is a title
    assert not lost, f"this is not in the built lesson: {lost}"
    assert len(re.findall(r"^# ### Exercise \d", text, re.M)) == exercises
    assert len(re.findall(r"^# \*(easy|medium|harder) · \d+ minutes\.\*", text, re.M)) == exercises
    assert len(set(re.findall(r"^(check_\w+)\(", text, re.M))) == exercises
