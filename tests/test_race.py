"""The sampler race by value: who runs, what is shown of it, and what the numbers say."""

import pytest
import torch
from fake_flowers import Remembering

pytest.importorskip("anywidget", reason="the widgets come with flowerdiff[notebooks]")

from test_widgets import Breaks, decoded, find

from flowerdiff.checks.sampling import check_log_snr_times
from flowerdiff.guidance import guided
from flowerdiff.mixture import Mixture
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, ddpm, dpm_solver_pp, noise
from flowerdiff.schedule import cosine_schedule, linear_schedule
from flowerdiff.widgets import RACERS, log_snr_times, points_race, race, sampler_race
from flowerdiff.widgets.racers import LONGEST, Race

MODEL = Remembering(image_size=16)
T = MODEL.schedule.T


def last(sampler, label="rose", seed=3, w=0.0, model=MODEL, **arguments):
    """The picture (3, 16, 16) that a sampler ends in, written out with the library."""
    x_T, y = noise([seed], T, (3, 16, 16)), torch.tensor([model.label(label)])
    eps = guided(model, w, model.null_label)
    *_, step = sampler(eps, model.schedule, x_T, y, clip_x0=1.0, **arguments)
    return step.x_t[0]


@pytest.fixture
def small():
    return sampler_race(MODEL, "rose", seed=3, budgets=(4, 6), exact_steps=20)


# Times


@pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule()])
@pytest.mark.parametrize("steps", [3, 10, 50])
def test_times_are_even_in_log_snr(schedule, steps):
    times = log_snr_times(schedule, steps)
    assert times[0] == schedule.T and times[-1] == 0 and len(times) == steps + 1
    assert all(t > s for t, s in zip(times[:-1], times[1:], strict=True))
    log_snr = schedule.snr(torch.tensor(times[1:-1])).log() / 2
    wanted = torch.linspace(-4, 4, steps - 1)
    between = schedule.snr(torch.arange(1, schedule.T)).log().diff().abs() / 2
    nearest = [between[max(t - 2, 0) : t + 1].max().item() for t in times[1:-1]]
    assert ((log_snr - wanted).abs() <= torch.tensor(nearest) / 2 + 1e-3).all()


def test_times_that_fall_together_count_once():
    times = log_snr_times(linear_schedule(T=40, beta_T=0.4), 100)
    assert len(times) == len(set(times)) < 42 and times == sorted(times, reverse=True)


def test_the_exercises_times_are_these():
    linear = linear_schedule()
    mine = check_log_snr_times.oracle(linear.alpha_bar, 9).tolist()
    assert [T, *mine, 0] == log_snr_times(linear, 10, reach=2.0)


# Racers


def test_the_racers_are_the_librarys_samplers():
    walks = {
        "DDPM": (ddpm, {"steps": 5, "seeds": [3]}),
        "DDIM": (ddim, {"steps": 5}),
        "DPM-Solver++": (dpm_solver_pp, {"steps": 5}),
        "DPM-Solver++ (log-SNR)": (dpm_solver_pp, {"steps": log_snr_times(MODEL.schedule, 5)}),
    }
    assert list(walks) == list(RACERS)
    for name, (sampler, arguments) in walks.items():
        expected = last(sampler, **arguments)
        assert torch.equal(last(RACERS[name], steps=5, seeds=[3]), expected)


def test_even_log_snr_needs_fewer_steps_in_the_plane():
    """What the lesson says: it takes both, the second-order solver and its times."""
    angle = torch.arange(5) * 2 * torch.pi / 5
    means, fifths = torch.stack([angle.sin(), angle.cos()], 1), torch.full((5,), 0.2)
    petals, schedule = Mixture(means, torch.full((5,), 0.15), fifths), cosine_schedule()
    x_T, eps = noise(range(100), 800, (2,)), petals.eps_model(schedule)

    def end(sampler, steps):
        *_, step = sampler(eps, schedule, x_T, steps=steps)
        return step.x_t

    truth, even = end(dpm_solver_pp, None), log_snr_times(schedule, 25)
    off = {
        (sampler, str(steps)): (end(sampler, steps) - truth).norm(dim=1).mean()
        for sampler in (ddim, dpm_solver_pp)
        for steps in (25, even)
    }
    best = off.pop((dpm_solver_pp, str(even)))
    assert all(best < other / 3 for other in off.values())


# What is shown


def test_a_weight_that_the_control_cannot_show_is_refused_at_once():
    with pytest.raises(ValueError, match="choose w from -1 to 10, not 12"):
        sampler_race(MODEL, w=12)


def test_a_finish_shows_the_ends_and_how_far_they_are(small):
    exact = last(ddim, steps=20)
    frames = small.result.finish()
    assert [len(film) for film in frames.values()] == [2, 2]
    for i, steps in enumerate((4, 6)):
        captions = frames["picture"][i].caption
        assert captions.startswith(f"{steps} steps · distance from exact: DDPM ")
        for place, (name, racer) in enumerate(RACERS.items()):
            x = last(racer, steps=steps, seeds=[3])
            assert torch.equal(frames["picture"][i].images[place], to_uint8(x))
            away = (3 * (x - exact).abs().mean(0)).clamp(max=2) * 127.5
            shown = frames["difference × 3"][i].images[place]
            torch.testing.assert_close(shown[1].float(), away.round(), atol=1, rtol=0)
            distance = (x - exact).square().mean().sqrt()
            assert f"{name} {distance:.3f}" in captions
        assert torch.equal(frames["picture"][i].images[-1], to_uint8(exact))
        assert frames["difference × 3"][i].images[-1].eq(0).all()


def test_a_walk_shows_x0_hat_and_who_is_done_waits():
    exact = torch.zeros(3, 4, 4)
    slow = [torch.full((3, 4, 4), v) for v in (0.8, 0.6, 0.4, 0.2)]
    film = Race(exact, {3: {"slow": slow, "fast": slow[::3]}}).walk(3)["picture"]
    assert [frame.caption.split(" · ")[0] for frame in film] == [f"step {i} of 3" for i in range(4)]
    for i, frame in enumerate(film):
        assert torch.equal(frame.images[0], to_uint8(slow[i]))
        assert torch.equal(frame.images[1], to_uint8(slow[0 if i == 0 else 3]))
    assert "slow 0.400 · fast 0.200" in film[2].caption


def test_a_long_walk_is_thinned_out_from_its_start_to_its_end():
    x = torch.zeros(3, 4, 4)
    film = Race(x, {100: {"only": [x] * 101}}).walk(100)["picture"]
    assert len(film) == LONGEST
    assert film[0].caption.startswith("step 0 of 100")
    assert film[-1].caption.startswith("step 100 of 100")


def test_points_are_where_they_are():
    right, up = torch.full((40, 2), 1.0), torch.tensor([[0.0, 1.5]]).expand(40, 2)
    film = points_race({"a": [right, up]}, ["first", "second"], truth=-right)
    first, second = (decoded(frame["images"][0][0]).int() for frame in film.frames)
    colour = torch.tensor([0, 119, 187])[:, None, None]  # what 16 shades leave of #0072b2
    blue = [(image - colour).abs().amax(0) < 20 for image in (first, second)]
    for found, (x, y) in zip(blue, ((1, 1), (0, 1.5)), strict=True):
        rows, columns = found.nonzero().float().mean(0)
        assert columns.item() == pytest.approx((x + 1.8) / 3.6 * 200, abs=2)
        assert rows.item() == pytest.approx((1.8 - y) / 3.6 * 200, abs=2)
    grey = (first - 204).abs().amax(0) < 10
    assert grey.nonzero().float().mean(0)[0] > 120  # the truth, below
    assert film.frames[0]["caption"] == "first" and film.titles == ["a"]
    assert film._repr_mimebundle_()[1]["image/png"]["alt"].endswith("from first to second.")


# The widget


def test_the_first_race_is_there_at_once(small):
    shown = decoded(small.player.frames[1]["images"][0][1])
    assert torch.equal(shown, to_uint8(last(ddim, steps=6)))
    assert small.player.titles == [*RACERS, "exact: DDIM, 20 steps"]
    assert small.player.index == 0
    assert repr(small) == "SamplerRace(rose · w = 0 · seed 3; 4, 6 steps)"
    assert sampler_race(MODEL, budgets=(3,)).exact_steps == T


def test_every_control_has_its_say(small):
    small.flower.value, small.seed.value, small.w.value = "tulip", 5, 1.0
    assert small.race_button.button_style == "primary"  # a click would change the picture
    small.race_button.click()
    assert small.message.value == "" and small.race_button.button_style == ""
    x = last(ddpm, "tulip", 5, 1.0, steps=4, seeds=[5])
    assert torch.equal(decoded(small.player.frames[0]["images"][0][0]), to_uint8(x))
    small.steps.value = 6
    assert len(small.player.frames) == 7 and small.player.index == 0
    end = last(ddim, "tulip", 5, 1.0, steps=6)
    assert torch.equal(decoded(small.player.frames[6]["images"][0][1]), to_uint8(end))
    small.steps.value = 0
    assert len(small.player.frames) == 2


def test_progress_is_shown_while_it_runs(small, monkeypatch):
    sent = []
    monkeypatch.setattr(small.player, "send", sent.append)
    monkeypatch.setattr(race, "PAUSE", -1.0)
    small.race_button.click()
    live = [message for message in sent if message["frame"]]
    assert len(live) == 21 + 4 * (5 + 7)
    captions = [message["frame"]["caption"] for message in live]
    assert captions[0] == "exact: step 0 of 20" and "DDPM: step 4 of 4" in captions
    first = live[0]["frame"]["images"][0]
    assert decoded(first[0]).eq(128).all()  # not there yet
    x0_hat = 0.6 * MODEL.x0[1] + 0.4 * noise([3], T, (3, 16, 16))[0].clamp(-1, 1)
    assert (decoded(first[4]).int() - to_uint8(x0_hat).int()).abs().max() <= 1
    assert sent[-1]["frame"] is None


def test_an_error_is_seen_and_the_last_race_stays():
    model = Breaks(image_size=16)
    small = sampler_race(model, "rose", budgets=(3,), exact_steps=4)
    before = small.result
    model.healthy = False
    small.race_button.click()
    assert "<b>RuntimeError</b>: no &lt;more&gt; memory" in small.message.value
    assert small.result is before and not small.race_button.disabled


def test_where_no_widget_runs_there_is_a_picture(small):
    data, metadata = small._repr_mimebundle_()
    sheet = decoded(data["image/png"])
    assert find(sheet, to_uint8(last(ddim, steps=4)), 2)
    assert find(sheet, to_uint8(last(ddim, steps=20)), 2)
    assert "4 steps · distance from exact" in metadata["image/png"]["alt"]
    assert data["text/plain"] == repr(small)
