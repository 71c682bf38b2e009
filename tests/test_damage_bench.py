"""Damages and scores by value; the bench that shows both; FID of a few images."""

import importlib
import io
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")
pytest.importorskip("sklearn", reason="scores come with flowerdiff[metrics]")

from test_widgets import decoded, find

from flowerdiff.colour import saturation
from flowerdiff.garden import garden
from flowerdiff.metrics import (
    Extractor,
    Features,
    Measured,
    MissingExtra,
    MissingWeights,
    RunningFID,
    Score,
    diversity,
    fid,
    inception_score,
    kid,
    recognition,
)
from flowerdiff.pixels import grid
from flowerdiff.widgets import SWEEP, Damage, damage_bench, damaged
from flowerdiff.widgets.damage_bench import FIRST, LONGEST
from flowerdiff.widgets.scoreboard import Panel, brief, no_reference_judges, scoreboard, verdict

MODULE = importlib.import_module("flowerdiff.widgets.damage_bench")  # not its function
IMAGES, LABELS, _ = garden(2, 16, seed=1)
REAL, REAL_LABELS, _ = garden(3, 16)
TINY = Extractor("tiny", lambda x: F.adaptive_avg_pool2d(x, 4).flatten(1))
KNOWN = Measured(REAL, REAL_LABELS, TINY(REAL))
CLASSIFIER = torch.nn.Linear(48, 7).requires_grad_(False)


@pytest.fixture(scope="module")
def panel():
    return Panel(KNOWN, LABELS, TINY, CLASSIFIER)


# damages


def test_no_damage_changes_nothing():
    assert torch.equal(damaged(IMAGES, Damage()), IMAGES)
    assert str(Damage()) == "no damage"
    assert str(Damage(jpeg=40, blur=1.5)) == "blur 1.5 · jpeg 40"


def test_each_damage_does_what_its_name_says():
    x = IMAGES.float()
    contrast = damaged(IMAGES, Damage(contrast=0.5)).float()
    ratio = contrast.std((1, 2, 3)) / x.std((1, 2, 3))
    assert (ratio < 0.65).all()
    assert damaged(IMAGES, Damage(contrast=0.0))[0].unique().numel() == 1
    assert saturation(damaged(IMAGES, Damage(colour=0.0))).max() < 0.02
    assert (saturation(damaged(IMAGES, Damage(colour=1.5))) > saturation(IMAGES)).all()
    noisy = damaged(torch.full((4, 3, 64, 64), 128, dtype=torch.uint8), Damage(noise=10.0))
    assert noisy.float().std((1, 2, 3)).tolist() == pytest.approx([10] * 4, rel=0.03)
    assert not torch.equal(noisy[0], noisy[1])
    assert torch.equal(noisy[:2], damaged(noisy.new_full((2, 3, 64, 64), 128), Damage(noise=10.0)))


def test_blur_is_a_gaussian():
    point = torch.zeros(1, 3, 31, 31, dtype=torch.uint8)
    point[..., 15, 15] = 255
    spread = damaged(point, Damage(blur=1.0))[0, 0].double()
    at = torch.arange(31) - 15
    bell = torch.exp(-at.square() / 2) / math.sqrt(2 * math.pi)
    expected = 255 * bell[:, None] * bell
    torch.testing.assert_close(spread, expected.double(), atol=0.6, rtol=0)
    flat = torch.full((1, 3, 16, 16), 77, dtype=torch.uint8)
    assert torch.equal(damaged(flat, Damage(blur=3.0)), flat)  # edges, too


def test_jpeg_is_that_of_a_file():
    Image.fromarray(IMAGES[0].permute(1, 2, 0).numpy()).save(
        file := io.BytesIO(), "JPEG", quality=30
    )
    there = torch.tensor(list(Image.open(file).tobytes()), dtype=torch.uint8)
    ours = damaged(IMAGES[:1], Damage(jpeg=30))[0].permute(1, 2, 0).flatten()
    assert torch.equal(ours, there)


def test_a_sweep_begins_with_no_damage():
    for name, levels in SWEEP.items():
        assert Damage(**{name: levels[0]}) == Damage()
        assert len({Damage(**{name: level}) for level in levels}) == 5


# scores


def test_a_panel_measures_what_the_metrics_measure(panel):
    seen = TINY(IMAGES)
    logits = Features(CLASSIFIER(seen.values), "logits after tiny", logits=True)
    with warnings.catch_warnings(action="ignore"):
        expected = [
            kid(seen, KNOWN.features),
            fid(seen, KNOWN.features),
            inception_score(logits),
            recognition(panel.recogniser, seen, LABELS),
            diversity(seen, LABELS, KNOWN.features, REAL_LABELS),
        ]
        assert panel(IMAGES) == expected


def test_fid_of_a_few_images_is_that_of_the_sums():
    rng = torch.Generator().manual_seed(0)
    for n, m in ((5, 9), (20, 4), (30, 300)):
        one, two = (Features(torch.randn(k, 40, generator=rng), "toy") for k in (n, m))
        running = RunningFID()
        running.update(one)
        running.update(two, real=True)
        with pytest.warns(UserWarning, match=f"from {min(n, m)} images"):
            few = fid(one, two)
        with pytest.warns(UserWarning, match="40 features"):
            sums = running.compute()
        assert few.value == pytest.approx(sums.value, rel=1e-4)
        assert (few.n, few.n_real, few.biased) == (n, m, True)


def score(name, value, interval=None):
    return Score(name, value, interval, 9, 9, "toy")


def test_the_scoreboard_says_which_way_is_good():
    assert verdict(score("FID", 100), score("FID", 150)) == "worse"
    assert verdict(score("FID", 100), score("FID", 101)) == "the same"
    assert verdict(score("IS", 4.0), score("IS", 5.0)) == "better"
    assert verdict(score("NIQE", 4.0), score("NIQE", 3.0)) == "better"
    assert verdict(score("KID", 0.001), score("KID", -0.003)) == "the same"  # of so little nothing
    assert verdict(score("KID", 0.001), score("KID", 0.1)) == "worse"
    assert verdict(score("diversity", 1.0), score("diversity", 1.5)) == ""
    lines = scoreboard(
        [score("KID", 0.01, (0.0, 0.02)), score("FID", 54.3)],
        [score("KID", -0.0312, (-0.04, -0.02)), score("FID", 181.2)],
    ).splitlines()
    assert lines == [
        "         as they were → now",
        "KID         ↓   0.010 → −0.031 ± 0.010  better",
        "FID         ↓      54 → 181             worse",
    ]
    assert brief(score("IS", 4.444, (4.0, 5.0))) == "4.44 ± 0.50"


@pytest.mark.parametrize(
    "missing, text",
    [
        (MissingExtra("this needs pyiqa: and how"), "needs pyiqa: and how"),
        (MissingWeights("no file"), "needs a file of 11 kB: flowerdiff weights get niqe"),
    ],
)
def test_what_a_score_needs_is_said_in_its_place(monkeypatch, missing, text):
    def not_there():
        raise missing

    judges = dict.fromkeys(("niqe", "brisque", "cnn-iqa"), not_there)
    monkeypatch.setattr("flowerdiff.widgets.scoreboard.QUALITIES", judges)
    found = no_reference_judges()
    assert list(found) == ["NIQE", "BRISQUE", "CNN-IQA"]
    assert found["NIQE"].startswith(text)


# the bench


@pytest.fixture
def bench(panel):
    return damage_bench(IMAGES, LABELS, KNOWN, panel)


def shown(bench, index=None):
    """What the page gets: the picture after the damage, and the words."""
    frame = bench.player.frames[bench.player.index if index is None else index]
    return decoded(frame["images"][0][1]), frame["caption"]


def test_it_begins_with_a_film_that_needs_no_kernel(bench):
    assert len(bench.player.frames) == len(FIRST)
    was = bench.panel(IMAGES)
    for i, damage in enumerate(FIRST):
        image, caption = shown(bench, i)
        after = damaged(IMAGES, damage)
        assert torch.equal(image, grid(after[:4], 2, pad=0))
        assert caption == f"{damage}\n\n{scoreboard(was, bench.panel(after))}"


def test_every_slider_spoils_and_measures(bench):
    chosen = {"blur": 0.5, "noise": 6.0, "jpeg": 60, "contrast": 0.7, "colour": 1.4}
    so_far = {}
    for name, value in chosen.items():
        so_far[name] = value
        bench.sliders[name].value = value
        image, caption = shown(bench)
        after = damaged(IMAGES, Damage(**so_far))
        assert torch.equal(image, grid(after[:4], 2, pad=0)) and bench.message.value == ""
        assert caption.startswith(f"{Damage(**so_far)}\n")
        assert brief(bench.panel(after)[1]) in caption
    bench.undo.click()
    assert bench.chosen() == Damage() and bench.player.index == 0


def test_the_sliders_follow_the_film_and_nothing_is_measured_twice(bench, monkeypatch):
    bench.sliders["blur"].value = 2.0
    monkeypatch.setattr(MODULE, "damaged", None)
    bench.player.index = 2
    assert bench.chosen() == FIRST[2]
    bench.player.index = len(FIRST)
    assert bench.chosen() == Damage(blur=2.0)
    bench.sliders["blur"].value = 1.0
    assert bench.player.index == 1 and bench.message.value == ""
    assert len(bench.seen) == len(FIRST) + 1


def test_a_long_film_forgets_the_oldest_of_the_learners_own(bench):
    for level in range(1, 15):
        bench.measure(Damage(noise=2.0 * level + 1))
    assert [seen.damage for seen in bench.seen[: len(FIRST)]] == list(FIRST)
    assert len(bench.seen) == len(bench.player.frames) == LONGEST
    assert bench.seen[-1].damage == Damage(noise=29.0) and bench.player.index == LONGEST - 1


def test_scores_of_single_pictures_come_on_request(bench, monkeypatch):
    def judge(images):
        return Score("NIQE", images.float().mean().item(), None, len(images), None, "toy")

    found = {"NIQE": judge, "CNN-IQA": "needs a file of 3 MB: flowerdiff weights get cnn-iqa"}
    monkeypatch.setattr(MODULE, "no_reference_judges", lambda: found)
    bench.sliders["contrast"].value = 0.3
    assert "NIQE" not in shown(bench)[1]
    bench.alone.value = True
    assert "flowerdiff weights get cnn-iqa" in bench.missing.value
    for damage in (Damage(contrast=0.3), Damage(blur=0.2)):
        bench.measure(damage)
        was, now = (brief(judge(x[:4])) for x in (IMAGES, damaged(IMAGES, damage)))
        line = shown(bench)[1].splitlines()[-1]
        assert line.split()[:5] == ["NIQE", "↓", was, "→", now]
    bench.alone.value = False
    assert bench.missing.layout.display == "none" and "NIQE" not in shown(bench, -1)[1]

    # Another one is ready by now, and comes first: each value stands beside its own name.
    def other(images):
        return Score("BRISQUE", -1.0, None, len(images), None, "toy")

    monkeypatch.setattr(MODULE, "no_reference_judges", lambda: {"BRISQUE": other, "NIQE": judge})
    bench.alone.value = True
    lines = [line.split() for line in shown(bench)[1].splitlines()[-2:]]
    assert [line[:5] for line in lines] == [
        ["BRISQUE", "↓", "−1.0", "→", "−1.0"],
        ["NIQE", "↓", was, "→", now],
    ]


def test_an_error_is_seen_and_the_film_stays(bench, monkeypatch):
    def fails(images, damage):
        raise RuntimeError("no <more> memory")

    before = len(bench.seen)
    monkeypatch.setattr(MODULE, "damaged", fails)
    bench.sliders["blur"].value = 2.5
    assert "<b>RuntimeError</b>: no &lt;more&gt; memory" in bench.message.value
    assert len(bench.seen) == before
    assert bench.chosen() == bench.seen[bench.player.index].damage  # the sliders go back


def test_where_no_widget_runs_there_is_a_picture(bench):
    data, metadata = bench._repr_mimebundle_()
    sheet = decoded(data["image/png"])
    for damage in FIRST:
        assert find(sheet, grid(damaged(IMAGES[:4], damage), 2, pad=0), 1)
    assert "noise 8: KID" in metadata["image/png"]["alt"]
    assert data["text/plain"] == "DamageBench(36 flowers)"
