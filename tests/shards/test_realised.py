import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from pipeline.shards.realised import Histogram, Realised, _edges, broken_gates, drift
from schemas.distributions import Choice, Const, Normal, Uniform
from schemas.recipe import Recipe
from schemas.row import Event, NoiseTrack, Quality, Row

DISTRIBUTIONS = [
    Const(value=1.5),
    Uniform(low=0.4, high=2.4),
    Uniform(low=2, high=2),
    Normal(mean=10, std=3, low=5, high=20),
    Normal(mean=1, std=0, low=0, high=2),
    Choice(values=(0, 0, 1, 2)),
]


def filled(distribution, values):
    histogram = Histogram.between(_edges(distribution))
    for value in values:
        histogram.add(float(value))
    return histogram


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=repr)
def test_draws_of_a_distribution_stay_within_chance_of_it_and_others_do_not(distribution):
    rng = np.random.default_rng(1)
    drawn = [distribution.sample(rng) for _ in range(2000)]
    assert drift(filled(distribution, drawn), distribution) < 1.63 / 2000**0.5
    assert drift(filled(distribution, [value + 5 for value in drawn]), distribution) > 0.4
    assert drift(filled(distribution, [value - 5 for value in drawn]), distribution) > 0.4


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=repr)
@given(value=st.floats(-1, 25))
@settings(max_examples=50, deadline=None)
def test_the_distribution_function_is_that_of_the_draws(distribution, value):
    rng = np.random.default_rng(2)
    share = np.mean([distribution.sample(rng) <= value for _ in range(400)])
    assert abs(distribution.cdf(value) - share) < 0.12


def test_the_distance_is_that_of_kolmogorov_and_smirnov():
    asked = Uniform(low=0, high=1)
    values = np.random.default_rng(3).beta(2, 3, 500)
    assert drift(filled(asked, values), asked) == pytest.approx(stats.kstest(values, "uniform").statistic, abs=0.02)


@given(values=st.lists(st.floats(0, 3), min_size=2, max_size=200), cut=st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_a_summary_does_not_depend_on_how_the_values_were_shared_out(values, cut):
    asked = Uniform(low=0.4, high=2.4)
    whole, parts = filled(asked, values), filled(asked, values[:cut])
    parts.merge(filled(asked, values[cut:]))
    assert parts.summary()["histogram"] == whole.summary()["histogram"]
    figures, others = whole.summary(), parts.summary()
    assert {k: v for k, v in others.items() if k != "histogram"} == pytest.approx(
        {k: v for k, v in figures.items() if k != "histogram"}, abs=2e-3
    )
    assert figures["mean"] == pytest.approx(np.mean(values), abs=1e-3)
    assert figures["std"] == pytest.approx(np.std(values), abs=2e-3)
    assert figures["min"] - 1e-3 <= figures["p5"] <= figures["p50"] <= figures["p95"] <= figures["max"] + 1e-3


def row(starts_ends, *, pair_id=None, clips=(), steps=None, snr=12.0, seam=2.0, cue=None) -> Row:
    steps = steps or [{"source": "event", "safety": False} for _ in starts_ends]
    events = [
        Event(
            name=f"e{i}", role="foreground", kind="sfx", source="retrieved", start_sample=start, end_sample=end,
            gain_db=0, clip_id=clips[i] if i < len(clips) else None, decision="none", licence="CC0-1.0", attribution="",
        )
        for i, (start, end) in enumerate(starts_ends)
    ]  # fmt: skip
    return Row(
        id="r", split="train", ability="audio_understanding", sub_task="sound_event_qa", language="en", scenario="A.",
        audio=b"", sampling_rate=16_000, num_samples=16_000 * 30, chunk_samples=6_400, num_chunks=75, turns=(),
        responses=(), events=tuple(events),
        noise=(NoiseTrack(track="event", snr_db=snr, clip_ids=(), licences=()),), pair_id=pair_id,
        plan_json=json.dumps({"steps": steps, "pair": None if cue is None else {"step": cue}}), provenance_json="{}",
        seed=0, recipe_sha256="",
        quality=Quality(
            peak_dbfs=-1, lufs=-23, realised_snr_db=10, silence_ratio=0.5, max_seam_jump=seam, clipped_samples=0
        ),
    )  # fmt: skip


def test_gaps_are_those_that_the_recipe_decides():
    realised = Realised(Recipe())
    second = 16_000
    realised.add(row([(second, 2 * second), (3 * second, 4 * second), (6 * second, 7 * second)], cue=1))
    found = realised.report()["distributions"]["gap_s"]
    assert (found["n"], found["mean"]) == (1, 1.0), "what follows the cue's slot does not count"
    quiet = [{"source": "event", "safety": False, "idle_s": 9.0}, {"source": "event", "safety": False}]
    realised.add(row([(0, second), (20 * second, 21 * second)], steps=quiet))
    assert realised.report()["distributions"]["gap_s"]["n"] == 1


def test_an_overlap_is_counted_as_one_where_the_recipe_wants_them():
    lively = Recipe.model_validate({"timing": {"overlap": {"share": 0.5}}})
    realised = Realised(lively)
    realised.add(row([(0, 32_000), (24_000, 48_000), (64_000, 80_000)]))
    found = realised.report()["distributions"]
    assert (found["overlap_s"]["n"], found["overlap_s"]["mean"]) == (1, 0.5)
    assert (found["gap_s"]["n"], found["gap_s"]["mean"]) == (1, 1.0)


def test_the_sides_of_a_pair_count_once():
    realised = Realised(Recipe())
    for clips in (("a", "b"), ("a", "c")):
        realised.add(row([(0, 1_000), (20_000, 30_000)], pair_id="p", clips=clips))
    report = realised.report()
    assert report["reuse"] == {"clips": 3, "uses": 3, "max": 1, "mean": 1.0, "cap": None}
    assert report["distributions"]["gap_s"]["n"] == 1
    assert report["distributions"]["duration_s"]["n"] == 2


def test_shards_merge_to_the_same_report():
    recipe = Recipe()
    rows = [row([(0, 1_000), (10_000 + 900 * i, 40_000)], clips=("a", str(i % 3)), snr=5 + i) for i in range(12)]
    whole, merged = Realised(recipe), Realised(recipe)
    for shard in (rows[:5], rows[5:]):
        part = Realised(recipe)
        for one in shard:
            whole.add(one)
            part.add(one)
        merged.merge(json.loads(json.dumps(part.state())))
    assert merged.report() == whole.report()


def test_a_gate_names_what_drifted_and_chance_is_forgiven():
    recipe = Recipe.model_validate({"gates": {"max_drift": {"event_snr_db": 0.05}}})
    steady, few = Realised(recipe), Realised(recipe)
    for _ in range(200):
        steady.add(row([(0, 1_000)], snr=6.0))
    few.add(row([(0, 1_000)], snr=6.0))
    assert [name for name, _ in broken_gates(recipe, steady.report())] == ["event_snr_db"]
    assert not list(broken_gates(recipe, few.report()))
    assert not list(broken_gates(Recipe(), steady.report()))


def test_an_unknown_gate_is_refused():
    with pytest.raises(ValidationError, match="'loudness' is not measured"):
        Recipe.model_validate({"gates": {"max_drift": {"loudness": 0.1}}})


def test_seam_jumps_are_spread_out_in_the_report():
    realised = Realised(Recipe())
    for jump in (1.0, 2.0, 9.0):
        realised.add(row([(0, 1_000)], seam=jump))
    found = realised.report()["seams"]["max_seam_jump"]
    assert (found["n"], found["max"], sum(found["histogram"]["counts"])) == (3, 9.0, 3)
