"""Scores of any number of images, Inception Score, and the Inception net."""

import gc
import hashlib
import importlib.util
import io
import math
import pickle
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from flowerdiff.garden import garden
from flowerdiff.metrics import (
    Extractor,
    Features,
    Quality,
    RunningFID,
    RunningIS,
    RunningKID,
    RunningQuality,
    efficientnet_lite0,
    efficientnet_lite0_logits,
    fid,
    inception,
    inception_logits,
    inception_score,
    kid,
    nets,
    weights,
)


def gaussian(n, dim, seed, shift=0.0):
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    return Features(x + shift, "toy")


def logits_of(probabilities, name="classes"):
    return Features(torch.as_tensor(probabilities).log(), name, logits=True)


# --- Inception Score ---


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # p(class | image) of each image; exp of the mean of KL(p(class | image) || p(class))
        ([[1, 0], [0, 1]], 2.0),  # each sure, both classes: as many as there are
        ([[1, 0], [1, 0]], 1.0),  # always the same
        ([[0.5, 0.5], [0.5, 0.5]], 1.0),  # never sure
        # mean (1/2, 1/2): KL = 0.9 log 1.8 + 0.1 log 0.2 = 0.528998 - 0.160944, for both
        ([[0.9, 0.1], [0.1, 0.9]], math.exp(0.368064)),
        # mean (2/3, 1/3, 0): KLs log 3/2, log 3/2, log 3; their mean is log(27/4) / 3
        ([[1, 0, 0], [1, 0, 0], [0, 1, 0]], (27 / 4) ** (1 / 3)),
        # mean (.5, .25, .25): 0.8 log 1.6 + 0.2 log 0.4 (x 2), and the image of two halves
        (
            [[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]],
            math.exp(
                (0.8 * math.log(1.6) + 0.2 * math.log(0.4)) / 2
                + (0.2 * math.log(0.4) + 0.8 * math.log(1.6)) / 2
            ),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:IS over 3 classes from 2 images")
def test_inception_score_is_the_one_of_a_table_by_hand(table, expected):
    nearly = (torch.tensor(table, dtype=torch.float64) + 1e-12).float()
    score = inception_score(logits_of(nearly))
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert (score.n, score.n_real, score.biased) == (len(table), None, True)
    assert score.interval[0] <= score.value <= score.interval[1]


def dirichlet(n, classes, seed):
    return np.random.default_rng(seed).dirichlet([0.3] * classes, n)


def test_inception_score_agrees_with_torchmetrics():
    from torchmetrics.image.inception import InceptionScore

    logits = logits_of(dirichlet(90, 20, 0))
    with pytest.warns(UserWarning, match="buffer"):
        theirs = InceptionScore(nn.Identity(), splits=1)
    theirs.update(logits.values)
    with pytest.warns(UserWarning, match="degrees of freedom"):  # of the deviation of one split
        expected = theirs.compute()[0].item()
    assert inception_score(logits).value == pytest.approx(expected)


def test_the_interval_of_an_inception_score_holds_the_truth():
    truth = inception_score(logits_of(dirichlet(200_000, 4, 1))).value
    intervals = [inception_score(logits_of(dirichlet(400, 4, s))).interval for s in range(200)]
    assert 0.9 < np.mean([low < truth < high for low, high in intervals]) < 0.99


def test_inception_score_says_what_it_needs():
    with pytest.raises(TypeError, match="toy gives features: use inception_logits"):
        inception_score(gaussian(50, 4, 0))
    with pytest.raises(ValueError, match="two images"):
        inception_score(logits_of([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="got 0"):
        RunningIS().compute()
    with pytest.warns(UserWarning, match="20 classes from 10 images is too low"):
        few = inception_score(logits_of(dirichlet(10, 20, 0)))
    many = inception_score(logits_of(dirichlet(1000, 20, 0)))
    assert few.value < many.value
    with pytest.raises(TypeError, match="n = 10 does not compare with n = 1,000"):
        _ = few < many
    with pytest.raises(TypeError, match="nothing in common"):
        running = RunningIS()
        running.update(logits_of(dirichlet(9, 4, 0)))
        running.update(logits_of(dirichlet(9, 4, 0), "other classes"))


# --- batch by batch ---


def brightness(x):
    return x.mean()


def running_metrics():
    looks = Quality("brightness", "by hand", brightness, 8)
    return {
        "fid": (RunningFID(), lambda i: gaussian(20, 6, i)),
        "kid": (RunningKID(keep=30), lambda i: gaussian(20, 6, i)),
        "is": (RunningIS(), lambda i: logits_of(dirichlet(20, 6, i))),
        "quality": (RunningQuality(looks), lambda i: torch.full((20, 3, 8, 8), i + 2).byte()),
    }


@pytest.mark.parametrize("name", running_metrics())
def test_memory_does_not_grow_with_the_images(name):
    running, batch = running_metrics()[name]
    size, alive = {}, []
    for i in range(60):
        images = batch(i)
        alive.append(weakref.ref(images.values if isinstance(images, Features) else images))
        running.update(images)
        if name in ("fid", "kid"):
            running.update(batch(1000 + i), real=True)
        del images
        size[i] = len(pickle.dumps(running))  # all that it holds on to
    gc.collect()
    assert not any(reference() is not None for reference in alive)
    assert abs(size[59] - size[4]) < 100  # the digits of its counts
    score = running.compute()
    assert score.n == (30 if name == "kid" else 60 * 20)


def test_running_fid_is_fid_and_keeps_the_real_images():
    real, one, two = gaussian(90, 5, 0), gaussian(70, 5, 1, 0.3), gaussian(50, 5, 2, 0.6)
    running = RunningFID()
    with pytest.raises(ValueError, match="got 0 and 0"):
        running.compute()
    for part in (real[:40], real[40:]):
        running.update(part, real=True)
    with pytest.raises(ValueError, match="got 0 and 90"):
        running.compute()
    for drawn in (one, two):
        running.update(drawn[:11])
        running.update(drawn[11:])
        score, whole = running.compute(), fid(drawn, real)
        assert score.value == pytest.approx(whole.value)
        assert (score.n, score.n_real) == (whole.n, whole.n_real) == (len(drawn), 90)
        running.reset()
    with pytest.raises(TypeError, match="nothing in common"):
        running.update(Features(torch.ones(3, 5), "another"))


def test_fid_agrees_with_torchmetrics_over_its_own_net():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Small(nn.Module):
        num_features = 12

        def forward(self, pixels):  # torchmetrics gives it uint8
            return F.adaptive_avg_pool2d(pixels / 127.5 - 1, 2).flatten(1)

    one, two = garden(2, 16, 0)[0], garden(3, 16, 1)[0]
    theirs = FrechetInceptionDistance(Small())
    theirs.update(one, real=False)
    theirs.update(two, real=True)
    ours = Extractor("small", lambda x: F.adaptive_avg_pool2d(x, 2).flatten(1))
    assert fid(ours(one), ours(two)).value == pytest.approx(theirs.compute().item(), rel=1e-4)


def test_running_kid_with_room_for_all_is_kid():
    drawn, real = gaussian(70, 5, 1, 0.3), gaussian(90, 5, 0)
    running = RunningKID(keep=90)
    for i in range(0, 90, 20):
        if i < 70:
            running.update(drawn[i : min(i + 20, 70)])
        running.update(real[i : i + 20], real=True)
    assert running.compute() == kid(drawn, real)
    with pytest.raises(TypeError, match="nothing in common"):
        running.update(Features(torch.ones(3, 5), "another"))
    with pytest.raises(ValueError, match="one side has none"):
        RunningKID().compute()


def test_running_kid_of_a_part_is_unbiased_and_says_so():
    real = gaussian(400, 4, 0)
    drawn = gaussian(400, 4, 1, 0.4)
    whole, scores = kid(drawn, real), []
    for seed in range(60):
        running = RunningKID(keep=80, seed=seed)
        running.update(drawn)
        running.update(real, real=True)
        scores.append(running.compute())
    values = np.array([score.value for score in scores])
    assert abs(values.mean() - whole.value) < 3 * values.std() / math.sqrt(len(values))
    assert len(set(values)) == 60
    assert (scores[0].n, scores[0].n_real) == (80, 80)
    assert "n = 80 against 80, toy; chosen at random among 400 and 400" in repr(scores[0])
    assert isinstance(scores[0] < whole, bool)  # unbiased, so any n will do


def test_every_image_has_the_same_chance_in_any_batches():
    times = torch.zeros(30)
    for seed in range(600):
        kept = []
        for size in (30, 7, 1):
            running = RunningKID(keep=10, seed=seed)
            for part in torch.arange(30.0)[:, None].split(size):
                running.update(Features(part, "toy"))
            kept.append(running._sides[False].kept.values[:, 0].long())
            if seed:
                break
        assert all(torch.equal(kept[0], other) for other in kept)
        times[kept[0]] += 1
    assert times.sum() == 6000
    assert ((times - 200).abs() < 4 * math.sqrt(200 * 2 / 3)).all()


# --- nets ---


def test_efficientnet_logits_come_of_its_features():
    images = garden(1, 32)[0][:3]
    logits = efficientnet_lite0_logits()(images)
    assert logits.values.shape == (3, 1000) and logits.logits
    last = nets._efficientnet_lite0().classifier
    torch.testing.assert_close(
        logits.values, last(efficientnet_lite0()(images).values), rtol=1e-4, atol=1e-4
    )


@pytest.fixture
def made_inception(tmp_path, monkeypatch):
    """Made weights of Inception-v3 where its own would be, under a name with their hash."""
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("needs torch-fidelity")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Net

    torch.manual_seed(0)
    with monkeypatch.context() as patch:  # as it is born, before it loads anything
        patch.setattr(Net, "load_state_dict", lambda self, state: None)
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        net = Net("made", ["2048", "logits_unbiased"], feature_extractor_weights_path=empty)
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    torch.save(net.state_dict(), folder / "new")
    digest = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    name = f"weights-inception-2015-12-05-{digest[:8]}.pth"
    (folder / "new").rename(folder / name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(nets, "INCEPTION", replace(weights.INCEPTION, file=name))
    return net


def test_inception_is_the_published_net(made_inception, monkeypatch):
    images = garden(1, 64)[0][:3]
    with torch.inference_mode():
        pooled, logits = made_inception(images)
    monkeypatch.setattr(nets, "CHUNK", 2)
    features = inception()(images)
    torch.testing.assert_close(features.values, pooled, rtol=1e-4, atol=1e-5)
    assert features.extractor == "Inception-v3 of 2015-12-05" and not features.logits
    classes = inception_logits()(images)
    torch.testing.assert_close(classes.values, logits, rtol=1e-4, atol=1e-5)
    with pytest.warns(UserWarning, match="1,008 classes from 3 images"):
        assert 1 - 1e-9 <= inception_score(classes).value <= 3  # rounded in another way on each CPU
    with pytest.raises(TypeError, match="to_uint8"):
        inception()(images / 127.5 - 1)
