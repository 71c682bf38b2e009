"""The command line, run as a person runs it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flowerdiff import cli
from flowerdiff.checkpoint import load_model, load_pretrained
from flowerdiff.cli import main
from flowerdiff.config import Run, read_run
from flowerdiff.data import Flowers
from flowerdiff.garden import garden
from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.run import train_flowers, train_run
from flowerdiff.sampling import SAMPLERS, noise
from flowerdiff.training import TrainConfig

RUN = """
out = "{out}"
source = "garden"
size = 16
save_every = 3
sample_every = 4
[net]
kind = "CompactUNet"
channels = [16, 32]
blocks = [1, 1]
[schedule]
kind = "cosine"
T = 50
[train]
steps = {steps}
batch_size = 4
prediction = "v"
ema_decay = [0.9, 0.99]
"""


def picture(path):
    """A PNG's pixels, (H, W, 3)."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("steps = 5", "steps = 5.5"), "steps is 5.5: it is a whole number"),
        (("steps = 5", "steps = 0"), "steps is 0: it is at least 1"),
        (("sample_every = 4", "sample_every = 0"), "sample_every is 0: it is at least 1"),
        (("steps = 5", 'steps = 5\nlr = "1e-4"'), "lr is '1e-4': it is a number"),
        (("steps = 5", "steps = 5\nlr = true"), "lr is True: it is a number"),
        (("steps = 5", "steps = 5\ngrad_clip = 0"), "grad_clip is 0: .* inf for no limit"),
        (("steps = 5", "steps = 5\nmin_snr_gamma = 0.0"), "min_snr_gamma is 0.0: .* leave it out"),
        (('source = "garden"', r'source = "D:\flowers"'), "in double quotes .* single quotes"),
        (('source = "garden"', r'source = "C:\Users\ana"'), "in double quotes .* single quotes"),
        (("steps = 5", 'steps = 5\nmin_snr_gamma = "5"'), "min_snr_gamma is '5': it is a number"),
        (
            ("steps = 5", "steps = 5\nt_logit_normal = 3"),
            "t_logit_normal is 3: it is a list",
        ),
        (("steps = 5", "steps = 5\nt_logit_normal = [1.0]"), "it is a list of numbers"),
        (("[0.9, 0.99]", '["0.9"]'), "ema_decay is .'0.9',.: it is a list of numbers"),
        (("[0.9, 0.99]", "[]"), "ema_decay is a list, such as"),
        (('source = "garden"', "source = 5"), "source is 5: it is a text"),
        (("size = 16", "size = 16\nstart_from = 3"), "start_from is 3: it is a text"),
        (("size = 16", "size = 16\naugment = ['flip']"), "augment is .'flip'.: it is a text"),
        (("[schedule]", "[[schedule]]"), "schedule is .*: it is a table, as in"),
        (("[train]", "[[train]]"), "it is a table, as in"),
        (
            ('kind = "cosine"', 'kind = ["cosine"]'),
            "no schedule .'cosine'.: choose from linear",
        ),
    ],
)
def test_slips_in_a_config_are_named_before_anything_is_loaded(tmp_path, change, said):
    config = tmp_path / "run.toml"
    text = RUN.format(out=tmp_path, steps=5)
    assert change[0] in text
    config.write_text(text.replace(*change))
    with pytest.raises(ValueError, match=said):
        read_run(config)
    config.write_text(text.replace("steps = 5", "steps = 1e4"), encoding="utf-8-sig")
    assert read_run(config).train.steps == 10_000  # with Windows' mark at its beginning, too


def test_changes_from_python_are_checked_and_kept(tmp_path):
    config, out = tmp_path / "run.toml", tmp_path / "run"
    config.write_text(RUN.format(out="elsewhere", steps=1))
    with pytest.raises(ValueError, match="sample_every is 0"):
        train_run(config, out=out, sample_every=0)
    assert train_run(config, out=out, size=32, split=None) == out
    again = read_run(out / "run.toml")
    assert (again.out, again.size, again.split) == (str(out), 32, None)


def test_a_run_with_nothing_left_to_do_says_so(tmp_path, capsys):
    config, out = tmp_path / "run.toml", tmp_path / "run"
    config.write_text(RUN.format(out=out, steps=3))
    assert main(["train", "--config", str(config)]) == 0
    for model in out.glob("model*.safetensors"):
        model.unlink()  # as if it had been stopped after a checkpoint, before a model
    assert main(["train", "--config", str(config)]) == 1
    assert "no step was left to do" in capsys.readouterr().err


def test_train_then_go_on_then_sample(tmp_path, capsys):
    out = tmp_path / "run"
    config = tmp_path / "run.toml"
    config.write_text(RUN.format(out=out, steps=5))
    assert main(["train", "--config", str(config)]) == 0
    # A run that took long, and one line more than its checkpoint: that step will be done again. In
    # the middle of the next line the battery was empty.
    log = out / "log.jsonl"
    row = json.loads(log.read_text()) | {"seconds": 100.0, "cpu_seconds": 200.0}
    log.write_text("".join(json.dumps(r) + "\n" for r in (row, row | {"step": 7})) + '{"st')
    config.write_text(RUN.format(out=out, steps=8))
    assert main(["train", "--config", str(config)]) == 0

    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [5, 8]
    assert rows[1]["seconds"] >= 100 and rows[1]["cpu_seconds"] >= 200
    assert (out / "samples" / "0000008.png").exists()
    model = load_model(out / "model.safetensors")
    assert model.card["images_seen"] == 32
    assert load_model(out / "model-0.99.safetensors").image_size == 16

    samples = tmp_path / "samples"
    arguments = ["--label", "3", "--w", "2", "--steps", "4", "--n", "3", "--out", str(samples)]
    assert main(["sample", "--model", str(out / "model.safetensors"), *arguments]) == 0
    assert picture(samples / "00002.png").shape == (16, 16, 3)
    assert "3 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("size = 16", "size = 17"), "size is 17; CompactUNet takes multiples of 4"),
        (("[net]", "[net]\nnum_classes = 5"), "num_classes is 5, but garden has 18"),
        (("[net]", "[net]\npatch = 0"), "patch is 0: it is at least 1"),
        (('"CompactUNet"', "[1]"), "no net [1]: choose from CompactUNet"),
    ],
)
def test_a_net_that_does_not_suit_the_flowers_is_refused(tmp_path, change, message, capsys):
    config = tmp_path / "run.toml"
    config.write_text(RUN.format(out=tmp_path / "run", steps=1).replace(*change))
    assert main(["train", "--config", str(config)]) == 1
    assert message in capsys.readouterr().err


def test_the_papers_nets_are_told_the_schedules_T(tmp_path):
    net = {"kind": "TwoLayerUNet", "width": 8}
    run = Run(str(tmp_path), "garden", 32, TrainConfig(steps=1), net=net, schedule={"T": 50})
    flowers = Flowers(*garden(1, 32, 0)[:2], ["a"] * 18, "garden")
    assert load_model(train_flowers(run, flowers) / "model.safetensors").net.config.T == 50


def test_a_run_goes_on_from_its_own_copy_of_the_file(tmp_path):
    out, config = tmp_path / "run", tmp_path / "run.toml"
    config.write_text(RUN.format(out=out, steps=1))
    assert main(["train", "--config", str(config)]) == 0
    copy = out / "run.toml"
    copy.write_text(RUN.format(out=out, steps=2))
    assert main(["train", "--config", str(copy)]) == 0
    assert load_model(out / "model.safetensors").card["steps"] == 2


def test_the_copy_says_what_was_asked_and_only_of_a_run_that_began(tmp_path, capsys):
    config, out = tmp_path / "run.toml", tmp_path / "there"
    config.write_text(RUN.format(out=tmp_path / "not here", steps=1))
    assert main(["train", "--config", str(config), "--out", str(out)]) == 0
    assert read_run(out / "run.toml").out == str(out)
    assert main(["train", "--config", str(out / "run.toml")]) == 0  # goes on there
    assert not (tmp_path / "not here").exists()
    before = (out / "run.toml").read_text()
    config.write_text(before.replace("[train]", "[train]\nlr = 1.0") + "\n")
    assert main(["train", "--config", str(config)]) == 1
    assert "other settings (lr)" in capsys.readouterr().err
    assert (out / "run.toml").read_text() == before  # what to set it back to


def test_a_run_of_few_times_draws_its_samples_in_as_many_steps(tmp_path):
    config, out = tmp_path / "run.toml", tmp_path / "run"
    config.write_text(RUN.format(out=out, steps=1).replace("T = 50", "T = 10"))
    assert main(["train", "--config", str(config)]) == 0
    assert list((out / "samples").glob("*.png"))


def test_a_run_that_has_diverged_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    config = tmp_path / "run.toml"
    config.write_text(RUN.format(out=tmp_path / "run", steps=1))
    monkeypatch.setattr("flowerdiff.run.math.isnan", lambda loss: True)
    assert main(["train", "--config", str(config)]) == 1
    assert "the loss is NaN at step 1" in capsys.readouterr().err


def test_a_run_is_a_function_of_its_config(tmp_path):
    config = tmp_path / "run.toml"
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        torch.rand(1)  # whatever was drawn before
        config.write_text(RUN.format(out=tmp_path / name, steps=2) + f"seed = {seed}\n")
        assert main(["train", "--config", str(config)]) == 0
    one, again, other = (
        load_model(tmp_path / name / "model.safetensors").net.state_dict()
        for name in ("one", "again", "other")
    )
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert any((one[key] - other[key]).abs().max() > 0.01 for key in one)


@pytest.mark.parametrize(("sampler", "w"), [("ddim", 0.0), ("ddpm", 2.0)])
def test_sample_writes_what_the_library_draws(tmp_path, sampler, w):
    arguments = ["--label", "sunflower", "--w", str(w), "--sampler", sampler, "--steps", "2"]
    arguments += ["--seed", "7", "--n", "2"]
    assert main(["sample", *arguments, "--out", str(tmp_path)]) == 0
    model = load_pretrained()
    x_T = noise([7, 8], model.schedule.T)
    y = torch.full((2,), model.label("sunflower"))
    own = {"seeds": [7, 8], "clip_x0": 1.0}
    with torch.inference_mode():
        *_, last = SAMPLERS[sampler](
            guided(model, w, model.null_label), model.schedule, x_T, y, steps=2, **own
        )
    expected = to_uint8(last.x_t)[1].permute(1, 2, 0)
    assert (picture(tmp_path / "00008.png").int() - expected.int()).abs().max() <= 1
    again = json.loads((tmp_path / "samples.json").read_text())
    assert again["seeds"] == [7, 8]
    assert (again["label"], again["sampler"], again["steps"]) == ("sunflower", sampler, 2)
    assert picture(tmp_path / "grid.png").shape == (64 + 4, 2 * 64 + 6, 3)


def test_any_flower_by_a_capital_and_a_folder_that_is_none(tmp_path, monkeypatch, capsys):
    arguments = ["sample", "--steps", "1", "--n", "1", "--label", "Any", "--out"]
    assert main([*arguments, str(tmp_path / "any")]) == 0
    assert json.loads((tmp_path / "any/samples.json").read_text())["label_number"] == 102
    monkeypatch.setattr("flowerdiff.draw.draw", None)  # it is said before anything is drawn
    (tmp_path / "file").write_text("")
    assert main([*arguments, str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


def test_an_image_is_the_same_in_whichever_batch_it_is_drawn(tmp_path):
    arguments = ["sample", "--label", "rose", "--w", "0", "--steps", "1"]
    assert main([*arguments, "--n", "31", "--out", str(tmp_path / "many")]) == 0
    assert main([*arguments, "--n", "1", "--seed", "30", "--out", str(tmp_path / "one")]) == 0
    many, one = (picture(tmp_path / name / "00030.png").int() for name in ("many", "one"))
    assert (many - one).abs().max() <= 1
    assert picture(tmp_path / "many" / "grid.png").shape[0] > 6 * 64


def test_no_image_is_too_few(capsys):
    with pytest.raises(SystemExit):
        main(["sample", "--n", "0"])
    assert "argument --n: a whole number, at least 1, not '0'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "--label", "sunflowr"], "sunflower"),
        (["sample", "--model", "nowhere.safetensors"], "no such file"),
        (["train", "--config", "nowhere.toml"], "nowhere.toml"),
        (["weights", "flowers128"], "it has flowers64"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("colour = 3", "colour"),
        ("steps = 'many", "run.toml"),
        ("[train]\nrate = 1", "rate"),
        ('[train]\nprediction = "epsilon"', "no prediction 'epsilon': choose from eps, v, x0"),
        ("[train]\nema_decay = 0.999", "ema_decay is 0.999: it is a list"),
        ('[schedule]\nkind = "Cosine"', "no schedule 'Cosine': choose from linear, cosine"),
        ("[schedule]\nbeta = 1", "beta"),
    ],
)
def test_a_mistake_in_the_config_is_named(tmp_path, change, message):
    path = tmp_path / "run.toml"
    path.write_text('out = "x"\nsource = "garden"\nsize = 16\n' + change)
    with pytest.raises(ValueError, match=message):
        read_run(path)


def test_a_trained_model_says_what_it_saw_and_not_in_which_folder_it_lay(tmp_path):
    file = tmp_path / "flowers.parquet"
    file.touch()
    flowers = Flowers(*garden(1, 16, 0)[:2], ["a"] * 18, str(file))
    net = {"channels": [16, 16], "blocks": [1, 1], "embedding": 16}
    run = Run(str(tmp_path / "run"), str(file), 16, TrainConfig(steps=1), net=net)
    model = load_model(train_flowers(run, flowers) / "model.safetensors")
    assert model.card["data"] == f"flowers.parquet: {len(flowers)} images at 16 px"
    assert str(tmp_path) not in repr(model.card)


def test_weights_lists_and_prints_the_card(capsys):
    assert main(["weights"]) == 0
    assert "hash right" in capsys.readouterr().out
    assert main(["weights", "flowers64"]) == 0
    assert '"limits"' in capsys.readouterr().out


def test_weights_of_a_net_of_another_shape_are_refused(tmp_path):
    config = tmp_path / "run.toml"
    text = RUN.format(out=tmp_path / "a", steps=1)
    config.write_text(text)
    assert main(["train", "--config", str(config)]) == 0
    start = f'start_from = "{tmp_path}/a/model.safetensors"\n'
    config.write_text(start + text.replace("/a", "/b").replace("[16, 32]", "[32, 32]"))
    assert main(["train", "--config", str(config)]) == 1
    # More blocks than there are weights for: these begin as identities.
    for folder in "cd":
        deeper = text.replace("/a", f"/{folder}").replace("[1, 1]", "[1, 2]")
        config.write_text(start + deeper + "lr = 0.0\n")
        assert main(["train", "--config", str(config)]) == 0
    deep, again = (load_model(tmp_path / f"{folder}/model.safetensors").net for folder in "cd")
    assert deep.config.blocks == (1, 2)
    torch.testing.assert_close(deep.state_dict(), again.state_dict())  # new weights of one seed
    began = load_model(tmp_path / "a/model.safetensors").net
    torch.testing.assert_close(deep.stem.state_dict(), began.stem.state_dict())


@pytest.mark.parametrize("user, refused", [(0, True), (1000, False)])
def test_lab_opens_the_first_lesson_and_leaves_ctrl_c_to_jupyter(user, refused, monkeypatch):
    started, waits = [], iter([KeyboardInterrupt(), 7])

    class Jupyter:
        def __init__(self, command):
            started.append(command)

        def wait(self):
            outcome = next(waits)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    monkeypatch.setattr(cli.subprocess, "Popen", Jupyter)
    monkeypatch.setattr(cli.os, "geteuid", lambda: user, raising=False)
    assert main(["lab", "--", "--no-browser"]) == 7
    (command,) = started
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[3].endswith("00_first_flower.ipynb")
    assert Path(command[3]).exists()
    assert "--no-browser" in command
    assert ("--allow-root" in command) == refused
