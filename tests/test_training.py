"""Training: it learns, it can be killed, it can be shared, and what it averages and weighs."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from flowerdiff import precision, store
from flowerdiff.augment import AUGMENTATIONS
from flowerdiff.processes import processes
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule, eps_model, linear_schedule
from flowerdiff.store import CheckpointError
from flowerdiff.stream import draw_batch, draw_time, random_flip
from flowerdiff.training import TrainConfig, loss_weight, lr_at, train, update_ema
from flowerdiff.unet import CompactConfig, CompactUNet

CPU = torch.device("cpu")
SMALL = CompactConfig(num_classes=4, channels=(32, 64), blocks=(1, 1), embedding=32)


def small_net():
    torch.manual_seed(0)
    return CompactUNet(SMALL)


def images(n=4, size=16):
    """n pictures that are easy to tell apart: a bright disc in one corner each."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pictures = torch.full((n, 3, size, size), 30, dtype=torch.uint8)
    for i in range(n):
        disc = (x - size * (0.3 + 0.4 * (i % 2))) ** 2 + (y - size * (0.3 + 0.4 * (i // 2))) ** 2
        pictures[i, i % 3][disc < 12] = 250
    return pictures, torch.arange(n) % 4


def keep(image, rng):
    """No augmentation."""
    return image


def run(config, checkpoint=None, **options):
    net = small_net()
    progress = [
        *train(net, *images(), cosine_schedule(100), config, checkpoint=checkpoint, **options)
    ]
    return net, progress


@pytest.mark.parametrize("training", [True, False])
def test_the_net_is_handed_back_in_the_mode_in_which_it_came(training):
    net = small_net().train(training)
    for progress in train(net, *images(), cosine_schedule(100), TrainConfig(steps=2)):
        assert progress.net.training and not progress.ema.training
    assert net.training is training


def test_another_prediction_is_refused_by_name():
    for begin in (
        lambda: next(train(small_net(), *images(), linear_schedule(), TrainConfig(prediction="x"))),
        lambda: eps_model(small_net(), linear_schedule(), "x"),
    ):
        with pytest.raises(ValueError, match="no prediction 'x': choose from eps, v, x0"):
            begin()


def test_four_images_are_learned_by_heart():
    """The debugging habit: a net that can't overfit four images has a bug."""
    config = TrainConfig(steps=150, batch_size=16, lr=2e-3, warmup=10, decay=75, prediction="x0")
    config = replace(config, label_dropout=0.0, ema_decay=(0.95,))
    schedule, net = cosine_schedule(100), small_net()
    *_, last = train(net, *images(), schedule, config, augment=keep)
    model = eps_model(last.ema, schedule, "x0")
    pictures, labels = images()
    x_T = noise(range(4), 100, (3, 16, 16))
    with torch.inference_mode():
        *_, step = ddim(model, schedule, x_T, labels, steps=25, clip_x0=1.0)
    error = (step.x_t - (pictures.float() / 127.5 - 1)).square().flatten(1).mean(1)
    assert error.max() < 0.02  # pixels off by 7 % of the range; another image would score 0.3


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_every_prediction_trains(prediction):
    config = TrainConfig(steps=60, lr=3e-3, warmup=5, prediction=prediction, min_snr_gamma=5.0)
    _, progress = run(config)
    losses = [p.loss for p in progress]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_the_loss_is_that_of_the_prediction(prediction):
    schedule = cosine_schedule(100)
    config = TrainConfig(steps=1, batch_size=8, prediction=prediction)
    x0, y, t, eps = draw_batch(*images(), 100, 4, config, range(8), random_flip)
    target = {"eps": eps, "v": schedule.v_from(x0, t, eps), "x0": x0}[prediction]
    with torch.no_grad():
        out = small_net().train()(schedule.add_noise(x0, t, eps), t, y)
    _, (progress,) = run(config)
    expected = (out - target).square().flatten(1).mean(1)
    torch.testing.assert_close(progress.losses, expected)


def test_weight_clip_and_decay_reach_the_step(monkeypatch):
    before, one = small_net().state_dict(), {"steps": 1, "warmup": 0}
    exactly = {"rtol": 0, "atol": 0}
    net, _ = run(TrainConfig(**one, grad_clip=0.0))
    torch.testing.assert_close(net.state_dict(), before, **exactly)
    net, _ = run(TrainConfig(**one, grad_clip=0.0, weight_decay=0.5, lr=0.1))
    torch.testing.assert_close(net.state_dict(), {k: 0.95 * v for k, v in before.items()})
    monkeypatch.setattr("flowerdiff.training.loss_weight", lambda s, t, *_: torch.zeros(len(t)))
    net, _ = run(TrainConfig(**one))
    torch.testing.assert_close(net.state_dict(), before, **exactly)


def test_progress_says_where_the_run_is():
    _, progress = run(TrainConfig(steps=6, batch_size=8, warmup=3, lr=1e-3))
    assert [p.step for p in progress] == [1, 2, 3, 4, 5, 6]
    assert [p.images for p in progress] == [8, 16, 24, 32, 40, 48]
    assert progress[-1].eta_seconds == 0
    assert progress[0].lr == pytest.approx(1e-3 / 3)
    assert progress[-1].t.shape == progress[-1].losses.shape == (8,)
    assert progress[2].losses.mean().item() == pytest.approx(progress[2].loss, rel=1e-5)
    assert "step 6/6" in str(progress[-1])


def test_net_comes_back_unwrapped():
    with warnings.catch_warnings(action="ignore"):  # of bf16 where the processor has none
        net, _ = run(TrainConfig(steps=1, precision="bf16"))
    assert type(net) is CompactUNet
    assert net.forward.__func__ is CompactUNet.forward  # and not accelerate's autocast wrapper


@pytest.mark.parametrize("fast", [True, False])
def test_precision_auto_is_bf16_where_that_is_fast(fast, monkeypatch):
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: fast)
    assert precision.mixed_precision("auto", CPU) == ("bf16" if fast else "no")
    assert precision.mixed_precision("no", CPU) == "no"
    with nullcontext() if fast else pytest.warns(UserWarning, match='say "auto"'):
        assert precision.mixed_precision("bf16", CPU) == "bf16"


def test_what_is_fast_here_is_what_the_processor_says(monkeypatch):
    for name in precision.FAST_ON:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not precision.bf16_is_fast(CPU)
    monkeypatch.setattr(torch.cpu, precision.FAST_ON[1], lambda: True)
    assert precision.bf16_is_fast(CPU)
    for name in precision.FAST_ON:  # an old release of torch
        monkeypatch.delattr(torch.cpu, name)
    assert not precision.bf16_is_fast(CPU)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert precision.bf16_is_fast(torch.device("cuda"))


def test_a_second_training_of_a_net_has_its_own_precision():
    """accelerate marks a net that it has seen, and would leave it alone the second time."""
    net, seen = small_net(), []
    net.stem.register_forward_hook(lambda layer, inputs, out: seen.append(out.dtype))
    with warnings.catch_warnings(action="ignore"):  # of bf16 where the processor has none
        for precision_ in ("no", "bf16"):
            config = TrainConfig(steps=1, batch_size=2, precision=precision_)
            list(train(net, *images(), cosine_schedule(100), config))
    assert seen == [torch.float32, torch.bfloat16]


def test_what_cannot_be_trained_is_refused_at_once():
    with pytest.raises(ValueError, match="fp16 is for GPUs"):
        run(TrainConfig(precision="fp16"))
    pictures, labels = images()
    with pytest.raises(ValueError, match="knows 4 classes, but there is a label 4"):
        next(train(small_net(), pictures, labels + 1, cosine_schedule(100), TrainConfig()))
    with pytest.raises(ValueError, match="knows 4 classes, but there is a label -1"):
        next(train(small_net(), pictures, labels - 1, cosine_schedule(100), TrainConfig()))
    for n in (0, 3):
        with pytest.raises(ValueError, match=f"one label per image: {n} images, 4 labels"):
            next(train(small_net(), pictures[:n], labels, cosine_schedule(100), TrainConfig()))


def test_numpys_numbers_are_settings_too(tmp_path):
    config = TrainConfig(steps=2, batch_size=4, seed=np.int64(3), lr=np.float32(1e-3))
    _, progress = run(config, tmp_path / "checkpoint.safetensors", save_every=1)
    assert [p.step for p in progress] == [1, 2]
    assert run(config, tmp_path / "checkpoint.safetensors")[1] == []  # it is of the same run


def test_a_net_is_trained_where_it_lies(monkeypatch):
    """The lessons draw from the net that they train, with noise on the CPU: on a laptop with a GPU
    (here one without memory, so that to use it is an error) the net must stay where it was.
    """
    gpu = torch.device("meta")
    monkeypatch.setattr(processes(), "device", gpu)
    net, progress = run(TrainConfig(steps=2, batch_size=4))
    assert {p.device for p in [*net.parameters(), *progress[-1].ema.parameters()]} == {CPU}
    assert progress[-1].loss < 3
    assert processes().device == gpu  # what is asked for the best device still hears of it


def test_an_unknown_precision_is_named_before_anything_is_trained():
    with pytest.raises(ValueError, match="no precision 'bf8': choose from no, bf16, fp16, auto"):
        run(TrainConfig(steps=1, precision="bf8"))


def test_accumulation_is_the_same_run():
    """Two passes of 8 are one of 16, up to rounding."""
    settings = {"steps": 5, "batch_size": 16, "lr": 1e-3, "warmup": 0}
    whole, parts = (run(TrainConfig(**settings, accumulate=n))[1] for n in (1, 2))
    assert [p.loss for p in parts] == pytest.approx([p.loss for p in whole], rel=1e-5)


def test_each_part_of_a_batch_has_times_from_all_of_them():
    """Or BatchNorm would be shown little noise in one pass, much in the next."""
    _, steps = run(TrainConfig(steps=3, batch_size=16, accumulate=4))
    for progress in steps:
        for part in progress.t.chunk(4):
            quarters = (part - 1) * 4 // 100
            assert sorted(quarters.tolist()) == [0, 1, 2, 3]


def test_two_trainings_taken_in_turns_do_not_disturb_each_other():
    alone = [p.loss for p in run(TrainConfig(steps=4, accumulate=2))[1]]
    one, other = (
        train(net, *images(), cosine_schedule(100), TrainConfig(steps=4, accumulate=n))
        for net, n in ((small_net(), 2), (small_net(), 1))
    )
    assert [p.loss for p, _ in zip(one, other, strict=True)] == alone


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="a batch of 16 can't be shared"):
        run(TrainConfig(steps=1, batch_size=16, accumulate=3))


# ------------------------------------------------------------------ pieces


def test_ema_averages_parameters_and_copies_buffers():
    net, ema = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        net.weight.fill_(3)
        ema.weight.fill_(1)
    net.running_mean.fill_(7)
    update_ema(ema, net, decay=0.75, step=10**6)
    assert ema.weight.tolist() == [1.5, 1.5]
    assert ema.running_mean.tolist() == [7, 7]
    update_ema(ema, net, decay=0.999, step=0)  # early on: 0.1 of the old
    assert ema.weight.tolist() == pytest.approx([2.85, 2.85])


def test_learning_rate_rises_holds_and_falls():
    config = TrainConfig(steps=100, lr=1.0, warmup=10, decay=20)
    rates = [lr_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:81] == [1.0] * 72
    assert rates[90] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.05)
    stairs = replace(config, warmup=0, decay=100, stair=10)  # as the paper's, once an epoch
    rates = [lr_at(step, stairs) for step in range(100)]
    assert rates == pytest.approx([1 - step // 10 / 10 for step in range(100)])


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_min_snr_weighs_the_same_error_in_x0_the_same(prediction):
    """Whatever the net predicts, an error in x0 must count min(SNR, gamma) times."""
    schedule, t = linear_schedule(), torch.tensor([1, 100, 400, 800])
    x0, eps = torch.randn(2, 4, 3, 4, 4)
    x_t = schedule.add_noise(x0, t, eps)
    wrong_x0 = x0 + 0.1
    wrong_eps = schedule.eps_from_x0(x_t, t, wrong_x0)
    pair = {"eps": (eps, wrong_eps), "x0": (x0, wrong_x0)} | {
        "v": (schedule.v_from(x0, t, eps), schedule.v_from(wrong_x0, t, wrong_eps))
    }
    right, wrong = pair[prediction]
    error = (right - wrong).square().flatten(1).mean(1)
    weighted = loss_weight(schedule, t, prediction, 5.0) * error
    expected = schedule.snr(t).clamp(max=5.0) * 0.01
    torch.testing.assert_close(weighted, expected, rtol=2e-2, atol=1e-6)


def test_without_gamma_the_loss_is_plain():
    assert loss_weight(linear_schedule(), torch.tensor([1, 800]), "eps", None).tolist() == [1, 1]


def draw(places, **changes):
    config = replace(TrainConfig(batch_size=8, label_dropout=0.5), **changes)
    return draw_batch(*images(), 800, 4, config, places, random_flip)


def test_a_training_image_depends_on_its_place_alone():
    together, alone = draw(range(16, 24)), draw([21])
    for a, b in zip(together, alone, strict=True):
        assert torch.equal(a[5:6], b)
    assert not torch.equal(draw([21], seed=1)[3], alone[3])


def test_an_epoch_shows_every_image_once():
    firsts = [draw(range(4 * epoch, 4 * epoch + 4), label_dropout=0.0)[1] for epoch in range(20)]
    assert all(y.sort().values.tolist() == [0, 1, 2, 3] for y in firsts)
    assert len({tuple(y.tolist()) for y in firsts}) > 5  # in another order each time


def test_labels_are_dropped_per_image_and_times_cover_the_range():
    _, y, t, _ = draw(range(4000))
    dropped = (y == 4).reshape(-1, 8).sum(1)
    assert (y == 4).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert ((dropped > 0) & (dropped < 8)).float().mean() > 0.9  # not whole batches
    assert t.min() < 5
    assert 795 < t.max() <= 800
    # Stratified: each hundred of 1..800 is drawn once in every batch of 8.
    assert torch.equal((t.reshape(-1, 8) - 1) // 100, torch.arange(8).expand(500, 8))


@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (1.0, 1.0), (-1.0, 0.5)])
def test_times_can_be_drawn_more_often_where_wanted(mean, std):
    """The draws have the quantiles of a logit-normal, and stay in 1..T at both ends."""
    T, shares = 1000, torch.tensor([0.02, 0.1587, 0.5, 0.8413, 0.98], dtype=torch.float64)
    t = torch.tensor([draw_time(u, T, (mean, std)) for u in shares.tolist()])
    expected = torch.sigmoid(mean + std * torch.special.ndtri(shares)) * T
    assert (t - expected - 0.5).abs().max() <= 0.501
    assert draw_time(0.0, T, (mean, std)) >= 1
    assert draw_time(1 - 1e-16, T, (mean, std)) <= T
    assert draw_time(1.0, T, (mean, 50.0)) <= T and draw_time(1.0, T, None) == T
    _, _, drawn, _ = draw(range(800), t_logit_normal=(mean, std))
    assert drawn.double().mean() / 800 == pytest.approx(
        torch.sigmoid(mean + std * torch.randn(10**6)).mean().item(), abs=0.01
    )


def test_random_flip_mirrors_half():
    image = torch.arange(3 * 2 * 2, dtype=torch.uint8).reshape(3, 2, 2)
    rng = np.random.default_rng(0)
    flipped = [torch.equal(random_flip(image, rng), image.flip(-1)) for _ in range(400)]
    assert 150 < sum(flipped) < 250


# ------------------------------------------------------------------ killed, resumed, shared

PROGRAM = """
import sys
import torch
sys.path.insert(0, {tests!r})
from test_training import images, small_net
from flowerdiff.processes import processes
from flowerdiff.schedule import cosine_schedule
from flowerdiff.training import TrainConfig, train
config = TrainConfig(steps={steps}, batch_size=8, lr=1e-3, warmup=5, ema_decay=(0.9, 0.99))
data = images()
net = small_net().to(processes().device)
for p in train(net, *data, cosine_schedule(100), config, checkpoint={path!r}, save_every=5):
    if processes().is_main_process:
        print(processes().num_processes, repr(p.loss), flush=True)
"""


def program(tmp_path, name, steps=40):
    path = tmp_path / f"{name}.safetensors"
    script = tmp_path / f"{name}.py"
    code = PROGRAM.format(tests=os.path.dirname(__file__), steps=steps, path=str(path))
    script.write_text(textwrap.dedent(code))
    return path, script


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def losses_of(*command, processes=1):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=200)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {int(count) for count, _ in lines} == {processes}
    return [float(loss) for _, loss in lines]


def test_killed_and_resumed_ends_with_the_same_weights_bit_for_bit(tmp_path):
    whole, script = program(tmp_path, "whole")
    losses_of(sys.executable, script)

    broken, script = program(tmp_path, "broken")
    for wait in (1, 12):  # killed at once after its first step, then somewhere in the middle
        victim = subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        for _ in range(wait):
            victim.stdout.readline()
        time.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        assert victim.returncode == -signal.SIGKILL
    assert broken.exists()
    resumed = losses_of(sys.executable, script)
    assert 0 < len(resumed) < 40  # it went on: it did not begin again
    a, b = load_file(whole), load_file(broken)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert a["step"] == 40


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run(TrainConfig(steps=2), path)
    with pytest.raises(CheckpointError, match="other settings"):
        run(TrainConfig(steps=2, lr=1.0), path)
    with pytest.raises(CheckpointError, match="other settings .alpha_bar."):
        other = linear_schedule(T=100)
        list(train(small_net(), *images(), other, TrainConfig(steps=4), checkpoint=path))
    for name in ("hue", "as_intended"):
        with pytest.raises(CheckpointError, match="other settings .augment."):
            run(TrainConfig(steps=2), path, augment=AUGMENTATIONS[name])
    net = small_net().eval()
    with pytest.raises(CheckpointError):
        list(train(net, *images(), other, TrainConfig(steps=4), checkpoint=path))
    assert not net.training, "a net that nobody trained comes back as it was"
    # But to train for longer is allowed, and to do it in more pieces.
    _, longer = run(TrainConfig(steps=4, accumulate=2), path)
    assert [p.step for p in longer] == [3, 4]


def test_a_checkpoint_from_before_a_setting_was_there_goes_on(tmp_path):
    path = tmp_path / "c.safetensors"
    run(TrainConfig(steps=2), path)
    tensors, note = store.read(path)
    del note["train"]["t_logit_normal"], note["train"]["augment"]
    store.write(path, tensors, note)
    _, longer = run(TrainConfig(steps=3), path)
    assert [p.step for p in longer] == [3]
    store.write(path, tensors, note)
    with pytest.raises(CheckpointError, match="other settings"):
        run(TrainConfig(steps=3, t_logit_normal=(0.0, 1.0)), path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run(TrainConfig(steps=2), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        run(TrainConfig(steps=4), path)


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    """Over gloo, each with half of every batch."""
    _, script = program(tmp_path, "one", steps=12)
    alone = losses_of(sys.executable, script)
    _, script = program(tmp_path, "two", steps=12)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    shared = losses_of(sys.executable, *launch, script, processes=2)
    assert shared == pytest.approx(alone, rel=1e-3)
    assert len(set(alone)) == 12
