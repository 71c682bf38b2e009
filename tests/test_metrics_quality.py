"""NIQE, BRISQUE and CNN-IQA: known scores, what they need, and what they never do."""

import hashlib
import importlib.util
import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from flowerdiff.metrics import (
    BadWeights,
    Quality,
    RunningQuality,
    brisque,
    cnn_iqa,
    niqe,
    quality,
    weights,
)

with_pyiqa = pytest.mark.skipif(
    importlib.util.find_spec("pyiqa") is None, reason="needs the extra quality"
)


@pytest.fixture
def torch_home(monkeypatch):
    """The weights of NIQE and BRISQUE, which are not part of the project; and no network."""
    around = Path(__file__).resolve().parents[2]
    home = Path(os.environ.get("FLOWERDIFF_TORCH_HOME", around / "shared/torch-home"))
    if not (home / "hub/pyiqa").is_dir():
        pytest.skip(f"no weights of NIQE and BRISQUE at {home}: set FLOWERDIFF_TORCH_HOME")
    monkeypatch.setenv("TORCH_HOME", str(home))
    without_a_network(monkeypatch)
    return home


def without_a_network(monkeypatch):
    def asked(*_, **__):
        pytest.fail("something tried to use the network")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)


def picture(size=192, n=1, seed=0):
    """Smooth noise that no score is ashamed of, uint8 (n, 3, size, size)."""
    rng = torch.Generator().manual_seed(seed)
    x = sum(
        F.interpolate(torch.randn(n, 3, k, k, generator=rng), (size, size), mode="bicubic") / k**0.5
        for k in (4, 8, 16, 32, 64, 128)
    )
    return ((x - x.amin()) / (x.amax() - x.amin()) * 255).round().to(torch.uint8)


# --- what is done around any of them ---


def test_flat_images_are_left_out_where_a_score_cannot_take_them():
    by_hand = Quality("brightness", "by hand", lambda x: x.mean(), 8, takes_flat=False)
    images = picture(32, n=4)
    images[1] = 7
    with pytest.warns(UserWarning, match="1 of 4 images are flat"):
        score = by_hand(images)
    mean = images[[0, 2, 3]].double().mean().item() / 255
    assert score.n == 3 and score.value == pytest.approx(mean)


def test_small_images_are_enlarged_where_a_score_needs_it():
    width = Quality("width", "by hand", lambda x: torch.tensor(float(x.shape[-1])), 64, size=64)
    with pytest.warns(UserWarning, match="needs 64 pixels, and these images have 32"):
        assert width.each(picture(32)).tolist() == [64]


# --- what pyiqa says ---

# The five images of TID2013 that pyiqa calibrates itself on, distorted, and what the authors'
# programs in MATLAB made of them, by pyiqa's own table. BRISQUE's hundredths may be cut off:
# summed in float64 the third is 1.0772; in float32, by processor, 1.0769 to 1.0793 were seen.
CALIBRATION = {
    "niqe": (niqe, [15.654, 3.655, 3.234, 3.192, 9.072], 0.003),
    "brisque": (brisque, [94.64, -0.11, 1.07, 5.14, 66.84], 0.01),
}


@with_pyiqa
@pytest.mark.parametrize("name", CALIBRATION)
def test_scores_of_images_that_everybody_knows(name, torch_home):
    folder = Path(importlib.util.find_spec("pyiqa").origin).parents[1] / "ResultsCalibra/dist_dir"
    if not folder.is_dir():
        pytest.skip("this pyiqa comes without its five images")
    images = []
    for path in sorted(folder.glob("*.bmp")):
        with Image.open(path) as image:
            images.append(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    make, published, near = CALIBRATION[name]
    metric = make()
    assert metric.each(torch.stack(images)).tolist() == pytest.approx(published, abs=near)
    score = metric(torch.stack(images))
    mean, half = np.mean(published), 1.96 * np.std(published, ddof=1) / 5**0.5
    assert score.value == pytest.approx(mean, abs=near)
    assert score.interval == pytest.approx((mean - half, mean + half), abs=3 * near)
    assert (score.n, score.n_real, score.biased) == (5, None, False)
    assert repr(score).endswith("(n = 5, pyiqa, 384 x 512 px)")


@with_pyiqa
def test_worse_pictures_have_worse_scores(torch_home):
    good = picture(256)
    rng = torch.Generator().manual_seed(1)
    noisy = (good + 50 * torch.randn(good.shape, generator=rng)).clamp(0, 255).to(torch.uint8)
    for metric in (niqe(), brisque()):
        assert metric(good) < metric(noisy)


@with_pyiqa
def test_small_images_are_enlarged_for_niqe_and_the_score_says_so(torch_home):
    metric, small, large = niqe(), picture(64, n=2), picture(192, n=2)
    with pytest.warns(UserWarning, match="NIQE needs 192 pixels, and these images have 64"):
        score = metric(small)
    assert score.features == "pyiqa, 64 x 64 px enlarged to 192"
    by_hand = F.interpolate(small.double(), (192, 192), mode="bicubic").clamp(0, 255)
    by_hand = by_hand.round().to(torch.uint8)
    assert score.value == pytest.approx(metric(by_hand).value, rel=0.02)  # grey levels are rounded
    with pytest.raises(TypeError, match="different scales"):
        _ = score < metric(large)
    with pytest.warns(UserWarning, match="have 100"):
        assert torch.isfinite(metric.each(picture(256)[:, :, :100, :150])).all()


@with_pyiqa
def test_niqe_says_when_one_block_is_too_few(torch_home):
    with pytest.warns(UserWarning, match="128 x 128 hold 1"):
        score = niqe(size=96)(picture(128))
    assert score.features == "pyiqa, 128 x 128 px" and score.interval is None


@with_pyiqa
def test_a_score_does_not_depend_on_the_batch(torch_home):
    images = picture(64, n=3)
    metric = brisque()
    together = metric.each(images)
    assert together.tolist() == [metric.each(image[None]).item() for image in images]
    assert metric(images.split(2)) == metric(images)


@with_pyiqa
def test_flat_images_have_no_score_and_are_counted(torch_home):
    images = picture(192, n=4)
    # Grey, and red: rounding errors would make BRISQUE 92 of either.
    images[1], images[2] = 77, torch.tensor([200, 30, 30])[:, None, None]
    for metric in (niqe(), brisque()):
        each = metric.each(images)
        assert each.isfinite().tolist() == [True, False, False, True]
        assert metric.each(torch.zeros_like(images[:1])).isnan().all()  # black
        with pytest.warns(UserWarning, match="2 of 4 images are flat"):
            score = metric(images)
        assert score.n == 2 and score.value == pytest.approx(each[[0, 3]].mean().item())
        assert "2 of 4 images are flat and have no score" in repr(score)
        with pytest.raises(ValueError, match="no image that"):
            metric(images[1:3])


# --- CNN-IQA, with made weights ---

SHAPES = {"conv1": (50, 3, 7, 7), "fc1": (800, 100), "fc2": (800, 800), "fc3": (1, 800)}


def made_state(seed=0):
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in SHAPES.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=rng) / torch.tensor(shape[1]).sqrt()
        state[f"{name}.bias"] = torch.randn(shape[0], generator=rng)
    return state


def cnn_iqa_by_hand(x, state):
    """Kang et al. 2014: one convolution, its largest and smallest answers, three layers."""
    h = F.conv2d(x, state["conv1.weight"], state["conv1.bias"]).flatten(2)
    h = torch.cat([h.amax(2), h.amin(2)], dim=1)
    for name in ("fc1", "fc2"):
        h = F.linear(h, state[f"{name}.weight"], state[f"{name}.bias"]).relu()
    return F.linear(h, state["fc3.weight"], state["fc3.bias"])[:, 0]


@pytest.fixture
def made_weights(tmp_path, monkeypatch):
    """Put made weights where CNN-IQA's would be, under a name with their hash."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    without_a_network(monkeypatch)

    def put(held):
        folder = tmp_path / "hub/pyiqa"
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(held, folder / "new.pth")
        digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()
        name = f"CNNIQA_koniq10k-{digest[:8]}.pth"
        (folder / "new.pth").rename(folder / name)
        monkeypatch.setattr(quality, "CNN_IQA", replace(weights.CNN_IQA, file=name))
        return name

    return put


@with_pyiqa
def test_cnn_iqa_is_its_formula(made_weights):
    state = made_state()
    name = made_weights({"params": {f"module.{key}": value for key, value in state.items()}})
    metric, images = cnn_iqa(), picture(64, n=3)
    expected = cnn_iqa_by_hand(images / 255, state)
    torch.testing.assert_close(metric.each(images), expected.double(), atol=1e-4, rtol=1e-4)
    score = metric(images)
    assert score.features == f"pyiqa, {name.removesuffix('.pth')}, 64 x 64 px"
    assert metric(torch.zeros_like(images)).n == 3  # a net has a score for black, too


@with_pyiqa
def test_weights_of_another_net_are_refused(made_weights):
    made_weights({"params": made_state() | {"fc3.weight": torch.ones(2, 800)}})
    with pytest.raises(BadWeights, match="fc3.weight"):
        cnn_iqa()


# --- any quality ---


def brightness(**options):
    """A score that needs no pyiqa."""
    return Quality("brightness", "by hand", lambda x: x.mean(), 32, **options)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (picture(64) / 127.5 - 1, TypeError, "to_uint8"),
        (picture(64) / 255, TypeError, "to_uint8"),
        (picture(64)[0], ValueError, "N, 3, H, W"),
        (picture(64)[:, :1], ValueError, "N, 3, H, W"),
        (picture(64)[:, :, :31], ValueError, "32 pixels or more; got 31 x 64"),
    ],
)
def test_what_is_no_image_is_refused(images, error, message):
    with pytest.raises(error, match=message):
        brightness()(images)


def test_a_running_mean_is_the_mean():
    images = picture(32, n=40)
    expected = images.double().mean((1, 2, 3)) / 255
    score = brightness()(images.split(7))
    half = 1.96 * expected.std().item() / 40**0.5
    mean = expected.mean().item()
    assert score.value == pytest.approx(mean)
    assert score.interval == pytest.approx((mean - half, mean + half))
    running = RunningQuality(brightness())
    torch.testing.assert_close(running.update(images[:5]), expected[:5], atol=1e-6, rtol=1e-6)
    assert running.compute() == brightness()(images[:5])
    with pytest.raises(ValueError, match="one size; got by hand, 32 x 32 px, then by hand, 64"):
        running.update(picture(64))
    with pytest.raises(ValueError, match="no image"):
        brightness()([])


def test_an_interval_holds_the_truth():
    rng = torch.Generator().manual_seed(0)
    held = []
    for _ in range(200):
        grey = torch.randint(0, 256, (30, 1, 1, 1), generator=rng).to(torch.uint8)
        low, high = brightness()(grey.expand(30, 3, 32, 32)).interval
        held.append(low < 0.5 < high)
    assert 0.9 < np.mean(held) < 0.99
