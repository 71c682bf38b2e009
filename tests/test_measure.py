"""What the measuring tools walk, and when they begin anew."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import measure_guidance
import measure_steps

from flowerdiff.sampling import SAMPLERS
from flowerdiff.schedule import cosine_schedule

SCHEDULE = cosine_schedule(800)


@pytest.mark.parametrize("steps", measure_steps.SAMPLES)
def test_every_sampler_is_walked_with_every_number_of_steps(steps):
    walks = measure_steps.walks(SCHEDULE, steps)
    assert {name: walk for name, walk in walks.items() if name in SAMPLERS} == {
        sampler: (sampler, steps) for sampler in SAMPLERS
    }
    others = [walk for name, walk in walks.items() if name not in SAMPLERS]
    assert bool(others) == (steps is not None and steps <= measure_steps.FEW)
    for sampler, times in others:
        assert sampler == "dpm_solver_pp" and (times[0], times[-1]) == (800, 0)
        assert times == sorted(set(times), reverse=True) and len(times) <= steps + 1


def test_small_steps_come_first():
    times = measure_steps.small_first(SCHEDULE, 10)
    lengths = [a - b for a, b in zip(times, times[1:], strict=False)]
    assert lengths == sorted(lengths) and lengths[0] < 800 / 10 < lengths[-1]


def test_settings_are_kept_for_the_same_weights_measured_in_the_same_way(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    asked = argparse.Namespace(model="m", source="flowers.parquet")
    monkeypatch.setattr(measure_guidance, "weights_hash", lambda model: model)
    of = SimpleNamespace(labels=[0] * 9)
    extractor = SimpleNamespace(name="some")
    by = SimpleNamespace(extractor=extractor, real=of, scores=lambda measured: {"kid": 0})

    def so_far(weights, how):
        return measure_guidance.so_far(path, asked, weights, by, how)["settings"]

    assert so_far("a", {"n": 4}) == []
    results = measure_guidance.so_far(path, asked, "a", by, {"n": 4})
    path.write_text(json.dumps(results | {"settings": [1]}))
    assert so_far("a", {"n": 4}) == [1]
    assert so_far("b", {"n": 4}) == so_far("a", {"n": 5}) == []
