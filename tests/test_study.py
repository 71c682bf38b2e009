"""The paper's study: its grid, the mistakes it makes on purpose, and going on after a stop."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from flowerdiff import cli, study
from flowerdiff.checkpoint import make_net
from flowerdiff.data import load_flowers
from flowerdiff.metrics import Features, Quality, inception_score
from flowerdiff.study import audit, paper, worker
from flowerdiff.study.cost import Trial, _cost, estimate
from flowerdiff.study.figures import _guidance
from flowerdiff.study.grid import read_study
from flowerdiff.study.tables import differences, tables

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "study.toml"
TINY = """
[schedule]
kind = "linear"
T = 30
[train]
batch_size = 8
lr = 1e-3
warmup = 0
grad_clip = inf
ema_decay = [0.0, 0.9]
[scales.tiny]
source = "garden"
split = "train"
classes = 6
images = 45
size = 32
epochs = {epochs}
[scales.tiny.nets]
two-layer = {{ kind = "TwoLayerUNet", width = 8 }}
three-layer = {{ kind = "ThreeLayerUNet", width = 8 }}
[scales.tiny.measure]
published_steps = "all"
published_images = 8
more_images = 12
more_steps = 2
features = "efficientnet-lite0"
[[rows]]
name = "two-layer"
title = "2-layer U-Net"
net = "two-layer"
seeds = [0, 1]
models = ["unconditional"]
[[rows]]
name = "augmented-as-published"
title = "black"
net = "two-layer"
base = "two-layer"
models = ["unconditional"]
train = {{ lr = {lr} }}
augment = "as_published"
[[rows]]
name = "three-layer"
title = "3-layer U-Net"
net = "three-layer"
base = "two-layer"
models = ["conditional"]
guidance = [0.0, 2.0]
"""


@pytest.fixture
def tiny(tmp_path):
    """(config, out) of a study of four runs, of a step or two each."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY.format(epochs=0.004, lr=1e-3))
    return config, tmp_path / "out"


@pytest.fixture
def no_quality(monkeypatch):
    """NIQE and BRISQUE take seconds on a few images, and are tested where they are made."""
    brightness = Quality("NIQE", "mean", lambda x: x.mean(), smallest=1)
    monkeypatch.setattr("flowerdiff.study.measure.QUALITIES", {"niqe": lambda: brightness})
    monkeypatch.setattr(audit, "quality_of_floats", lambda quality, x: x.mean().item())


# The grid


def test_the_papers_rows_at_the_papers_scale():
    grid = read_study(CONFIG, "paper", "out")
    runs = {(run.row, run.conditional): run for run in grid.runs if run.seed == 0}
    assert (grid.source, grid.size, grid.images) == ("hub", 128, None)
    assert runs.keys() >= paper.TABLE_1.keys() | {("augmented-as-intended", False)}
    for (row, conditional), study_run in runs.items():
        run, train = study_run.run, study_run.run.train
        epochs = 160 if row == "batch-32-longer" else 80
        assert round(train.steps * train.batch_size / 2346) == epochs
        assert train.decay == train.steps
        assert train.steps / train.stair == pytest.approx(epochs, rel=0.01)
        assert (train.lr, train.warmup, train.grad_clip) == (1e-4, 0, float("inf"))
        assert (train.prediction, train.precision, train.label_dropout) == ("eps", "no", 0.1)
        assert train.ema_decay[0] == 0 and train.min_snr_gamma is None
        expected = {"batch-64": 64, "two-layer": 16, "three-layer": 16, "cosine": 16}.get(row, 32)
        assert train.batch_size == expected
        assert run.schedule == {"kind": "cosine" if row == "cosine" else "linear", "T": 800}
        assert study_run.guidance == (
            tuple(paper.TABLE_3) if row == "three-layer" and conditional else ()
        )
    assert grid.measures.published_steps is None and grid.measures.published_images == 106
    counts = {
        (False, 0): 7_486_723,
        (True, 0): 7_589_763,
        (False, 1): 228_024_439,
        (True, 1): 233_151_307,
    }
    for (conditional, deep), count in counts.items():
        fields = {"num_classes": 53} | runs[
            "three-layer" if deep else "two-layer", conditional
        ].run.net
        with torch.device("meta"):
            net = make_net(fields.pop("kind"), fields)
        assert sum(p.numel() for p in net.parameters()) == count


def test_the_future_work_is_there_and_two_layer_rows_have_three_seeds():
    runs = read_study(CONFIG, "laptop", "out").runs
    rows = {run.row for run in runs}
    assert rows >= {"cosine", "batch-64", "rotation", "shift", "hue", "sharpness", "brightness"}
    seeds = {(r.row, r.conditional): 0 for r in runs}
    for run in runs:
        seeds[run.row, run.conditional] += 1
    assert {seeds[key] for key in paper.TABLE_1 if key[0] != "three-layer"} == {3}
    assert len({run.name for run in runs}) == len({run.run.out for run in runs}) == len(runs)
    assert {run.base for run in runs} - {None} <= rows


def test_the_scales_differ_in_size_alone():
    """The same rows, and in them the same settings but for what a laptop can't."""
    both = [read_study(CONFIG, scale, "out").runs for scale in ("paper", "laptop")]
    for one, other in zip(*both, strict=True):
        assert one.name == other.name
        assert one.run.augment == other.run.augment and one.run.schedule == other.run.schedule
        assert one.run.train.batch_size == other.run.train.batch_size
        assert one.run.net["kind"] == other.run.net["kind"]


def test_its_flowers_are_the_largest_classes_evenly(tiny):
    grid = read_study(tiny[0], "tiny", tiny[1])
    chosen, held_out = grid.flowers()
    assert len(chosen) == 45 and len(chosen.class_names) == 6
    assert sorted(chosen.labels.bincount().tolist()) == [7, 7, 7, 8, 8, 8]
    assert held_out.class_names == chosen.class_names and len(held_out) == 60
    garden = load_flowers("garden", size=32, split="train")
    label = garden.label(chosen.class_names[2])
    ours = chosen.images[chosen.labels == 2]
    assert torch.equal(ours, garden.images[garden.labels == label][: len(ours)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scale", "scale"), "no scale 'small': choose from paper, laptop"),
        (('name = "cosine"', 'called = "cosine"'), "'name' is missing"),
        (('augment = "hue"', 'augment = "hues"'), "no augment 'hues'"),
        (("lr = 1e-4", "rate = 1e-4"), "unexpected keyword argument 'rate'"),
        (("[schedule]", "[schedule"), "study.toml"),
        (("seeds = [0, 1, 2]", "seed = [0, 1, 2]"), "no 'seed' here"),
        (('prediction = "eps"', 'prediction = "epsilon"'), "no prediction 'epsilon'"),
        (('base = "two-layer"', 'base = "two-layers"'), "no 'two-layers' here"),
        (("ema_decay = [0.0, 0.999]", "ema_decay = [0.999]"), "0, the net itself, and an average"),
        (('name = "hue"', 'name = "shift"'), "two rows are called 'shift'"),
        (("more_steps = 25", "more_steps = 2500"), "more_steps is 2500: there are 1 to 800"),
        (("published_steps = 100", 'published_steps = "every"'), "it is a whole number"),
        (("published_steps = 100", "published_steps = 0"), "published_steps is 0: there are 1 to"),
        (("more_steps = 25", "more_steps = 25\npublished_images = 2"), "published_images is 2"),
        (("batch_size = 16", "batch_size = 0"), "batch_size is 0"),
        (('features = "efficientnet-lite0"', 'features = "lite0"'), "no features 'lite0'"),
        (('kind = "TwoLayerUNet", width = 32', 'kind = "TwoLayer", width = 32'), "no net 'TwoLay"),
        (("epochs = 20", "epochs = 0"), "epochs is 0"),
    ],
)
def test_a_wrong_config_is_said_to_be(tmp_path, change, said):
    config = tmp_path / "study.toml"
    config.write_text(CONFIG.read_text().replace(*change))
    with pytest.raises(ValueError, match=said):
        read_study(config, "small" if change[0] == "scale" else "laptop", "out")


@pytest.mark.parametrize("w, curves", [(2.0, [3, 3, 1, 2]), (3.0, [2, 2, 1, 2])])
def test_a_guidance_figure_needs_no_w_of_the_papers(w, curves):
    assert (w in paper.TABLE_3) == (curves[0] == 3)
    score = {"value": 0.5, "n": 8}
    more = {"KID": score, "recognition top-5": score, "diversity": score}
    row = {"w": w, "published": {"FID": 3.0, "IS": 2.0}, "more": more}
    figure = _guidance({"guidance": [row | {"corrected": {"FID": score, "IS": score}}]})
    assert [len(axes.lines) for axes in figure.axes] == curves


def test_rows_can_be_chosen():
    grid = read_study(CONFIG, "laptop", "out")
    assert {run.row for run in grid.only(["hue", "shift"]).runs} == {"hue", "shift"}
    assert grid.only([]) == grid
    with pytest.raises(ValueError, match="no row hues: choose from two-layer"):
        grid.only(["hues"])


# The paper's mistakes, on purpose


def test_floats_wrap_around_as_they_did():
    x = torch.tensor([-1.0, -0.5, -0.25, 0.0, 0.5, 1.0, 1.5])
    assert audit.wrapped(x).tolist() == [1, 129, 193, 0, 127, 255, 126]
    inside = torch.rand(1000)
    assert torch.equal(audit.wrapped(inside), (inside * 255).byte())


def test_nine_inception_scores_of_a_few_images_each():
    """53 images that are surely of 53 classes: the score is 53, and the published one 5.9."""
    logits = Features(100 * torch.eye(53, 60), "sure", logits=True)
    parts = [6] * 8 + [5]  # torchmetrics cuts with Tensor.chunk: ten are asked for, nine come
    assert audit.is_as_published(logits) == pytest.approx(sum(parts) / 9, abs=0.01)
    with pytest.warns(UserWarning, match="60 classes from 53"):
        assert inception_score(logits).value == pytest.approx(53, rel=1e-3)


def test_a_score_of_floats_is_the_mean_over_those_that_have_one():
    class Net(torch.nn.Module):
        def forward(self, image):
            assert image.amax() > image.amin(), "flat"
            return image.mean()

    wrapper = torch.nn.Module()
    wrapper.net = Net()
    quality = Quality("mean", "test", wrapper, smallest=1)
    x = torch.randn(3, 3, audit.SHOWN, audit.SHOWN)
    x[1] = 0.5
    assert audit.quality_of_floats(quality, x) == pytest.approx(x[[0, 2]].mean().item(), abs=1e-6)
    assert audit.quality_of_floats(quality, x[1:2]) is None


# The work


@pytest.mark.slow
def test_a_study_is_done_once_goes_on_and_is_reported(tiny, no_quality, monkeypatch):
    config, out = tiny
    grid = read_study(config, "tiny", out)
    real_train, trained = worker.train_flowers, []

    def stops(run, flowers):
        trained.append(Path(run.out).name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real_train(run, flowers)

    monkeypatch.setattr(worker, "train_flowers", stops)
    with pytest.raises(KeyboardInterrupt):
        study.work(grid, out)
    first = out / "two-layer-unconditional-0" / "result.json"
    before = first.stat().st_mtime_ns
    assert study.work(grid, out)
    names = [run.name for run in grid.runs]
    assert trained == [names[0], names[1], *names[1:]]  # what was stopped again, what was done not
    assert first.stat().st_mtime_ns == before
    assert study.work(grid, out) and len(trained) == 5

    results = {name: json.loads((out / name / "result.json").read_text()) for name in names}
    deep = results["three-layer-conditional-0"]
    assert [column["w"] for column in deep["guidance"]] == [0, 2]
    assert deep["guidance"][0]["corrected"]["FID"]["n"] == 6  # one of each class
    assert deep["more"]["KID"]["n"] == 12 and "recognition top-1" in deep["more"]
    assert "recognition top-1" not in results[names[0]]["more"]
    assert deep["settings"]["train"]["grad_clip"] == "inf" and deep["seed"] == 0
    assert results[names[0]]["published"] != results[names[1]]["published"]  # two seeds
    assert str(out) not in json.dumps(results)
    assert not (out / names[0] / "checkpoint.safetensors").exists()

    other = replace(grid, measures=replace(grid.measures, more_images=13))
    with pytest.raises(ValueError, match="other measures: name another --out"):
        study.work(other, out)
    with pytest.raises(ValueError, match="other measures"):
        study.report(other, out, out / "report")

    page = study.report(grid, out, out / "report").read_text()
    assert "4 of 4 runs are done" in page and "4.50" in page and "317 / 1.87" in page
    pictures = {path.name for path in (out / "report").glob("*.png")}
    assert pictures >= {"figure-1.png", "figure-2.png", "figure-4.png", "kid.png", "guidance.png"}
    assert all(f"({name})" in page for name in pictures)


def test_what_others_work_on_is_left_to_them(tiny, no_quality, monkeypatch):
    config, out = tiny
    grid = read_study(config, "tiny", out).only(["two-layer"])
    done = []
    monkeypatch.setattr(worker, "make_instruments", lambda *arguments: Instruments())
    monkeypatch.setattr(worker, "real_scores", lambda by: None)

    def do(run, study, flowers, by, folder):
        done.append(run.name)
        worker.write(folder / "result.json", worker._asked(run, study))

    monkeypatch.setattr(worker, "do", do)
    theirs = out / grid.runs[0].name
    theirs.mkdir(parents=True)
    with FileLock(theirs / "lock"):
        assert not study.work(grid, out)
    assert done == [grid.runs[1].name]
    assert study.work(grid, out)  # they died; their lock with them
    assert done == [grid.runs[1].name, grid.runs[0].name]


class Instruments:
    missing: dict = {}


def test_options_of_a_cluster_are_numbers_or_named(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit.AutoExecutor, "submit", lambda self, *job: "job")
    for option, said in (({"timeout_min": "soon"}, "timeout_min"), ({"gpu": "1"}, "gpu")):
        with pytest.raises(ValueError, match=said):
            worker.spread([], tmp_path, 1, "local", option)
    options = {"timeout_min": "5", "gpus_per_node": "1"}
    assert worker.spread([], tmp_path, 1, "local", options) == ["job"]


def test_a_run_that_diverges_is_a_result_and_the_others_go_on(tiny, monkeypatch):
    config, out = tiny
    grid = read_study(config, "tiny", out).only(["two-layer"])
    monkeypatch.setattr(worker, "make_instruments", lambda *arguments: Instruments())
    monkeypatch.setattr(worker, "real_scores", lambda by: None)

    def diverges(run, flowers):
        raise FloatingPointError("the loss is NaN at step 1")

    monkeypatch.setattr(worker, "train_flowers", diverges)
    assert study.work(grid, out)
    page = study.report(grid, out, out / "report").read_text()
    assert "Diverged: two-layer-unconditional-0" in page


@pytest.mark.slow
def test_two_workers_share_the_runs(tiny):
    """Started by submitit, as they would be on a cluster."""
    config, out = tiny
    command = ["study", "--scale", "tiny", "--config", str(config), "--out", str(out)]
    assert cli.main([*command, "--rows", "two-layer", "--workers", "2"]) == 0
    assert "2 of 2 runs are done" in (out / "report" / "tables.md").read_text()
    said = [path.read_text() for path in (out / "jobs").glob("*_log.out")]
    assert len(said) == 2
    assert sum(text.count("two-layer-unconditional-0:") for text in said) == 1
    assert sum(text.count("two-layer-unconditional-1:") for text in said) == 1


@pytest.mark.slow
def test_two_processes_of_one_worker_draw_the_same_images(tiny, tmp_path):
    """They share the training batch and the samples; the pictures are the same."""
    config, out = tiny
    command = ["-m", "flowerdiff", "study", "--scale", "tiny", "--config", str(config)]
    command += ["--rows", "three-layer", "--out"]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for where, how in ((out / "one", []), (out / "two", launch)):
        run = [sys.executable, *how, *command, str(where)]
        ran = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
        assert ran.returncode == 0, ran.stderr
    one, two = (
        json.loads((out / name / "three-layer-conditional-0" / "result.json").read_text())
        for name in ("one", "two")
    )
    assert "2 x" in two["machine"] and "2 x" not in one["machine"]
    assert two["training"]["loss"] == pytest.approx(one["training"]["loss"], rel=1e-3)
    assert two["more"]["KID"]["value"] == pytest.approx(one["more"]["KID"]["value"], rel=1e-2)
    sheets = [
        torch.from_numpy(np.array(Image.open(out / name / "three-layer-conditional-0/samples.png")))
        for name in ("one", "two")
    ]
    assert (sheets[0].float() - sheets[1].float()).abs().mean() < 1  # each with its own label


# What it costs


def test_the_cost_of_a_run_is_its_images_times_its_trial():
    grid = read_study(CONFIG, "laptop", "out")
    deep = next(run for run in grid.runs if run.guidance)
    trial = Trial(0.01, 0.001, base=0.5, per_image=0.1, parameters=10**6, reckoned=False)
    cost = _cost(deep, trial, grid.measures, classes=53)
    images = deep.run.train.steps * 16
    assert cost.training == pytest.approx(images * 0.01 / 3600)
    steps = grid.measures.published_steps
    one, more = 53 * steps, 530 * 25  # of Table 3, and of the larger set
    answers = 106 * steps + 2 * more + 10 * (one + more)  # w > 0 takes two answers, and w = 0 one
    answers += one  # ... and its larger set is that of the row
    assert cost.drawing == pytest.approx(answers * 0.001 / 3600)
    assert cost.memory == pytest.approx(0.5 + 1.6)
    assert cost.disk == pytest.approx(5 * 4e-3)


def test_what_a_run_costs_with_the_schedules_own_number_of_times():
    grid = read_study(CONFIG, "laptop", "out")
    trial = Trial(0.01, 0.001, base=0.5, per_image=0.1, parameters=10**6, reckoned=False)
    spoken, silent = (
        replace(grid.runs[0], run=replace(grid.runs[0].run, schedule=schedule))
        for schedule in ({"kind": "linear", "T": 800}, {})
    )
    costs = [_cost(run, trial, grid.measures, classes=53) for run in (spoken, silent)]
    assert costs[0] == costs[1]


@pytest.mark.slow
def test_a_dry_run_measures_and_writes_nothing(tiny, capsys):
    config, out = tiny
    costs = estimate(read_study(config, "tiny", out).only(["three-layer"]))
    assert len(costs) == 1 and 0.1 < costs[0].memory < 5 and costs[0].training > 0
    assert not out.exists()


# The tables


def result(row, seed, kid, conditional=False, base="two-layer"):
    return {
        "name": f"{row}-{seed}", "row": row, "title": row, "conditional": conditional, "seed": seed,
        "base": base, "published": {"NIQE": 10 * kid}, "corrected": {"NIQE": {"value": 20 * kid}},
        "more": {"KID": {"value": kid}}, "ema": {"KID": {"value": kid / 2}},
        "training": {"seconds": 99, "cpu_seconds": 61.4, "images": 16}, "on_gpu": False,
        "drawing": {"seconds": 9999, "cpu_seconds": 3600},
        "measures": {"published_steps": None, "more_images": 8, "more_steps": 2, "features": "f"},
        "settings": {"source": "garden", "train": {"lr": 1e-4}}, "scale": "s", "data": "d",
        "machine": "m", "made": "2026-01-01",
    }  # fmt: skip


RESULTS = [
    *(result("two-layer", seed, kid, base=None) for seed, kid in enumerate((0.50, 0.52, 0.54))),
    *(result("batch-32", seed, kid) for seed, kid in enumerate((0.40, 0.42, 0.44))),
    result("three-layer", 0, 0.50),
]


def test_a_cell_is_the_mean_and_the_range_of_the_seeds():
    page = tables(RESULTS, {"KID": {"value": 0.01}}, {"cnn-iqa": "CNN-IQA: a file"})
    assert "| two-layer | 0.520 (0.500 to 0.540) |" in page
    assert "| two-layer, EMA | 0.260 (0.250 to 0.270) |" in page
    assert "| real flowers, held out | 0.010 |" in page
    assert "0.490 / 4.50 / 11.81 | — / 5.20 (5.00 to 5.40) / — |" in page
    assert "| two-layer, unconditional | 0:32:46 | 0:05:06 | 0:01:01 | 1:00:00 |" in page
    assert "Not measured: CNN-IQA: a file" in page


def test_a_difference_is_told_from_luck_by_the_spread_of_all_rows():
    """Standard deviation 0.02 in both rows of three, so 4 degrees of freedom: t = 2.776."""
    lines = [line for line in differences(RESULTS).splitlines() if "KID" in line]
    half = 2.776 * 0.02 * (2 / 3) ** 0.5
    assert lines[0].endswith(f"| -0.100 | {-0.1 - half:.3f} to {-0.1 + half:.3f} | lower |")
    assert lines[1].endswith("| can't be told |") and "-0.020" in lines[1]
    assert "some 0 of 4." in tables(RESULTS, None, {})  # by luck
    assert differences(RESULTS[:1]) == ""  # one seed of one row: nothing to compare
