"""Model files: what comes out is what went in, or one clear error and nothing at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from flowerdiff import checkpoint, store
from flowerdiff.checkpoint import (
    FlowerModel,
    load_model,
    load_pretrained,
    save_model,
    weights_hash,
)
from flowerdiff.draw import draw
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule
from flowerdiff.store import CheckpointError
from flowerdiff.unet import CompactConfig, CompactUNet, TwoLayerConfig, TwoLayerUNet

SMALL = CompactConfig(num_classes=2, channels=(16, 32), blocks=(1, 1))


def model(net=None):
    net = net or CompactUNet(SMALL)
    torch.manual_seed(0)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.05)
    return FlowerModel(
        net.eval(), cosine_schedule(50), "v", ["rose", "tulip"], 16, {"data": "none"}
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model())
    return path


@pytest.mark.parametrize(
    "net", [CompactUNet(SMALL), TwoLayerUNet(TwoLayerConfig(num_classes=2, width=8))]
)
def test_a_model_comes_back_as_it_was(tmp_path, net):
    saved = model(net)
    digest = save_model(tmp_path / "m.safetensors", saved)
    loaded = load_model(tmp_path / "m.safetensors", digest)
    assert repr(loaded) == repr(saved)
    assert loaded.card == {"data": "none"}
    assert torch.equal(loaded.schedule.alpha_bar, saved.schedule.alpha_bar)
    x_t, t, y = torch.randn(2, 3, 32, 32), torch.tensor([1, 50]), torch.tensor([1, 2])
    with torch.no_grad():
        torch.testing.assert_close(loaded(x_t, t, y), saved(x_t, t, y), atol=2e-2, rtol=2e-2)
    assert all(not p.requires_grad for p in loaded.net.parameters())


def test_the_hash_of_the_weights_is_of_them_alone(path, tmp_path):
    loaded = load_model(path)
    save_model(tmp_path / "renamed.safetensors", replace(loaded, card={"data": "something"}))
    again = load_model(tmp_path / "renamed.safetensors")
    assert weights_hash(again) == weights_hash(loaded)
    next(again.net.parameters()).flatten()[0] += 1e-3
    assert weights_hash(again) != weights_hash(loaded)


def test_weights_are_stored_in_half_precision_without_pickle(path):
    with safe_open(path, "pt") as file:
        floats = {str(file.get_tensor(name).dtype) for name in file.keys() if "net." in name}  # noqa: SIM118
    assert floats == {"torch.float16"}


def test_labels_by_name(path):
    loaded = load_model(path)
    assert loaded.label("Tulip") == 1
    assert loaded.null_label == 2
    with pytest.raises(ValueError, match="tulip"):
        loaded.label("tulp")


def test_without_labels_it_draws_any_flower(path):
    loaded = load_model(path)
    x_T = noise([0], 50, (3, 16, 16))
    *_, a = ddim(loaded, loaded.schedule, x_T, steps=3)
    *_, b = ddim(loaded, loaded.schedule, x_T, torch.tensor([2]), steps=3)
    assert torch.equal(a.x_t, b.x_t)


def test_drawing_takes_lists_and_asks_once_where_both_answers_are_one(path):
    flowers, asked = load_model(path), []
    flowers.net.register_forward_pre_hook(lambda net, inputs: asked.append(len(inputs[0])))
    drawn = draw(flowers, [4, 5], [0, 1], steps=2)
    assert set(asked) == {4}  # both predictions for two images
    assert torch.equal(draw(flowers, torch.tensor([4, 5]), torch.tensor([0, 1]), steps=2), drawn)
    asked.clear()
    null = torch.full((2,), flowers.null_label)
    assert torch.equal(
        draw(flowers, [4, 5], null, 1.0, steps=2), draw(flowers, [4, 5], null, -1.0, steps=2)
    )
    assert set(asked) == {2}


@pytest.mark.parametrize(
    ("seeds", "labels", "sampler", "message"),
    [
        ([4, 5], [0, 1, 1], "ddim", "3 labels, 2 seeds"),
        ([], [], "ddim", "0 labels, 0 seeds"),
        ([4, 5], [0, 3], "ddim", "no class 3: they go from 0 to 1"),
        ([4, 5], [-1, 0], "ddim", "no class -1"),
        ([4], [0], "DDIM", "no sampler 'DDIM': choose from ddim, ddpm"),
    ],
)
def test_what_cannot_be_drawn_is_said(path, seeds, labels, sampler, message):
    with pytest.raises(ValueError, match=message):
        draw(load_model(path), seeds, labels, sampler=sampler, steps=2)


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_model(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("size", [0, 5, 1000, -1])
def test_truncated(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="cut short"):
        load_model(path)


def test_one_altered_byte(path):
    whole = bytearray(path.read_bytes())
    whole[-100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="another hash"):
        load_model(path)


def test_another_file_than_asked_for(path):
    with pytest.raises(CheckpointError, match="another hash"):
        load_model(path, sha256="0" * 64)


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save({"a": 1}, path)
    with pytest.raises(CheckpointError, match="not safetensors"):
        load_model(path)


def test_somebody_elses_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="not written by flowerdiff"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "BiggerUNet"}, "no net 'BiggerUNet'"),
        ({"config": {"layers": 3}}, "layers"),
        ({"config": {"channels": [32, 32], "blocks": [1, 1], "num_classes": 2}}, "Error"),
        ({"class_names": None}, "class_names"),
    ],
)
def test_another_config(path, change, reason):
    """A file that is whole, but describes another net than its weights are for."""
    tensors, note = store.read(path)
    note = {key: value for key, value in (note | change).items() if value is not None}
    store.write(path, tensors, note)
    with pytest.raises(CheckpointError, match=reason) as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_writing_is_atomic(path, monkeypatch):
    """Whatever fails on the way, the old file stays."""
    before = path.read_bytes()

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_model(path, replace(model(), card={"data": "other"}))
    assert path.read_bytes() == before
    assert len(load_model(path).class_names) == 2
    assert list(path.parent.iterdir()) == [path]  # nor does half a file stay, and fill the disk


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    save_model("~/kept/m.safetensors", model())
    assert (tmp_path / "kept/m.safetensors").exists()
    assert load_model("~/kept/m.safetensors").image_size == 16


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells")
def test_a_file_that_was_read_is_let_go(path):
    """Or Windows would not let a training write its checkpoint over the one that it began with."""
    model = load_model(path)
    assert path.name not in Path("/proc/self/maps").read_text()
    assert model.net is not None  # its tensors are still here


def test_bundled_model(monkeypatch, tmp_path):
    bundled = load_pretrained("flowers64")
    assert (bundled.image_size, len(bundled.class_names)) == (64, 102)
    size = (checkpoint.WEIGHTS / "flowers64.safetensors").stat().st_size
    assert size < 20e6  # it is in every download
    assert {"data", "steps", "images_seen", "cpu_hours", "limits"} <= bundled.card.keys()
    json.dumps(bundled.card)

    with pytest.raises(CheckpointError, match="it has flowers64"):
        load_pretrained("flowers128")
    monkeypatch.setattr(checkpoint, "WEIGHTS", tmp_path)
    with pytest.raises(CheckpointError, match="git checkout"):
        load_pretrained()


def test_bundled_model_sees_the_flower_in_the_noise(data_path):
    """On real validation photographs it predicts the noise better than knowing only the mean."""
    from flowerdiff.data import load_flowers
    from flowerdiff.pixels import from_uint8

    bundled, flowers = load_pretrained(), load_flowers(data_path, size=64, split="validation")
    chosen = torch.arange(0, len(flowers), 51)[:16]
    x0, y = from_uint8(flowers.images[chosen]), flowers.labels[chosen]
    eps = noise(range(16), 0)
    for t, bound in [(100, 0.45), (400, 0.15), (700, 0.05)]:
        times = torch.full((16,), t)
        with torch.inference_mode():
            eps_hat = bundled(bundled.schedule.add_noise(x0, t, eps), times, y)
        assert (eps_hat - eps).square().mean() < bound
