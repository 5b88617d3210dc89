"""Figures against hand-computed cases, brute force, and what must hold of any listener."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.validation.metrics import (
    TOLERANCES,
    Counts,
    Judged,
    agree,
    emotion_figures,
    false_replies,
    latency_figures,
    match,
    misses,
    onset_errors,
    onset_figures,
    parts,
    ratio,
    trigger_counts,
    triggers,
)
from pipeline.validation.replay.listener import Reply
from pipeline.validation.scores import scores
from tests.validation.replays import judged

CHUNKS = st.lists(st.integers(0, 49), max_size=6, unique=True).map(sorted)


def figures(*streams: Judged) -> dict[str, Any]:
    return triggers(Counts(0, [trigger_counts(stream) for stream in streams]))


def best_by_brute_force(labels: list[int], replies: list[int], tolerance: int) -> tuple[int, int]:
    """(pairs, distance) of the best of all assignments."""
    short, long = sorted((labels, replies), key=len)
    best = (0, 0)
    for chosen in itertools.permutations(range(len(long)), len(short)):
        distances = [abs(short[i] - long[j]) for i, j in enumerate(chosen)]
        near = [d for d in distances if d <= tolerance]
        best = max(best, (len(near), -sum(near)))
    return best[0], -best[1]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 12), max_size=5, unique=True),
    st.lists(st.integers(0, 12), max_size=5, unique=True),
    st.sampled_from([0, 1, 2, 10]),
)
def test_pairs_are_as_many_and_as_near_as_any_assignment(labels: list[int], replies: list[int], tolerance: int) -> None:
    pairs = match(labels, replies, tolerance)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    distances = [abs(labels[i] - replies[j]) for i, j in pairs]
    assert all(distance <= tolerance for distance in distances)
    assert (len(pairs), sum(distances)) == best_by_brute_force(labels, replies, tolerance)


@settings(max_examples=40)
@given(st.lists(CHUNKS.filter(bool), min_size=1, max_size=4))
def test_who_answers_every_label_in_its_chunk_is_perfect(streams: list[list[int]]) -> None:
    found = figures(*(judged(chunks, chunks) for chunks in streams))
    for tolerance in TOLERANCES:
        at = found["tolerance"][str(tolerance)]
        assert at["f1"].value == at["precision"].value == at["recall"].value == 1
        if len(streams) > 1:
            assert (at["f1"].low, at["f1"].high) == (1, 1)


@settings(max_examples=40)
@given(CHUNKS.filter(bool), CHUNKS)
def test_who_never_speaks_misses_all_and_breaks_no_silence(chunks: list[int], silent: list[int]) -> None:
    found = figures(judged(chunks, [], silent=silent))
    for at in found["tolerance"].values():
        assert at["recall"].value == at["f1"].value == 0
        assert at["precision"].value is None
    assert found["false_per_hour"].value == (0 if silent else None)


@settings(max_examples=60)
@given(CHUNKS, CHUNKS)
def test_more_tolerance_never_finds_fewer(labels: list[int], replies: list[int]) -> None:
    hits = [len(agree(judged(labels, replies), tolerance).pairs) for tolerance in (0, 1, 2, 10)]
    assert hits == sorted(hits)


@settings(max_examples=60)
@given(CHUNKS, CHUNKS, CHUNKS)
def test_every_label_and_reply_is_counted_once(labels: list[int], replies: list[int], drained: list[int]) -> None:
    replies = [r for r in replies if r not in drained]
    found = agree(judged(labels, replies, drained=drained), 1)
    counted = [*(i for i, _ in (*found.pairs, *found.drained_pairs)), *found.missed, *found.drained_missed]
    assert sorted(counted) == list(range(len(labels)))
    spoken = [*(j for _, j in (*found.pairs, *found.drained_pairs)), *found.extra]
    assert sorted(spoken) == list(range(len(replies)))


def test_by_hand() -> None:
    # 10 hit, 20 one late, 30 missed by three; 40 nobody asked for.
    found = figures(judged([10, 20, 30], [10, 21, 33, 40]))
    at = {t: {k: f.value for k, f in found["tolerance"][str(t)].items()} for t in TOLERANCES}
    assert at[0] == pytest.approx({"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7})
    assert at[1] == at[2] == pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7})


def test_false_replies_are_those_in_verified_silence_that_answer_nothing() -> None:
    # Silent from 20 to 29: 21 is a late answer to 19, 25 answers nothing; 40 is outside of it.
    stream = judged([19], [21, 25, 40], silent=range(20, 30))
    assert false_replies(stream) == (1,)
    assert figures(stream)["false_per_hour"].value == pytest.approx(1 / (10 * 0.4 / 3600))


def test_drained_chunks_are_scored_apart() -> None:
    # 11 to 13 were drained after the reply to 10; the label in 12 can be answered in 14 at the earliest.
    stream = judged([10, 12, 30], [10, 14], drained=[11, 12, 13], silent=[11, 12, 20, 21])
    found = agree(stream, 0)
    assert (found.pairs, found.missed) == (((0, 0),), (2,))
    assert (found.drained_pairs, found.extra) == (((1, 1),), ())
    figure = figures(stream)
    assert figure["tolerance"]["0"]["recall"].value == 1 / 2
    assert figure["tolerance"]["0"]["precision"].value == 1
    assert figure["drained"]["recall"]["0"].value == 1
    assert figure["drained"]["chunks"] == 3
    assert figure["verified_hours"] == pytest.approx(2 * 0.4 / 3600)
    assert misses([stream]) == {
        "natural_hazard": {"labels": 2, "drained": 1, "missed_0": 1, "missed_1": 1, "missed_2": 1}
    }


def test_a_label_that_can_be_answered_is_matched_before_a_drained_one() -> None:
    stream = judged([9, 11], [11], drained=[9, 10])
    found = agree(stream, 2)
    assert found.pairs == ((1, 0),)
    assert found.drained_missed == (0,)


def test_what_was_not_heard_is_missed() -> None:
    figure = figures(judged([5, 45], [5], heard=30, silent=[40]))
    assert figure["tolerance"]["0"]["recall"].value == 1 / 2
    assert figure["unheard_chunks"] == 20
    assert figure["false_per_hour"].value is None


def test_onset_errors() -> None:
    stream = judged([10, 30, 60], [8, 33], chunks=100)
    assert onset_errors(stream) == [-2, 3]
    found = onset_figures([stream], 0)
    assert found["histogram"]["-2"] == found["histogram"]["3"] == 1
    assert sum(found["histogram"].values()) == 2
    assert found["mean_chunks"].value == 0.5
    assert found["mean_absolute_chunks"].value == 2.5
    assert found["early_share"].value == 0.5


def test_emotions_that_are_named() -> None:
    stream = judged([10, 20, 30], [Reply(10, "", "urgent"), Reply(20, "", "happy"), Reply(30, "")])
    found = emotion_figures([stream], 0)
    assert (found["agreement"].value, found["agreement"].n) == (0.5, 2)
    assert found["replies_by_label"] == {"urgent": {"urgent": 1, "happy": 1}}


def test_latencies_leave_drained_chunks_out() -> None:
    found = latency_figures([judged([], [3], chunks=5, drained=[4])])
    assert found["decision"] == {"n": 4, "p50_ms": 11.5, "p95_ms": pytest.approx(12.85)}
    assert found["response"] == {"n": 1, "p50_ms": 13.0, "p95_ms": 13.0}


def test_a_joined_session_falls_into_its_streams() -> None:
    whole = judged([5, 25], [5, 27], chunks=40)
    first, second = parts(Judged(_joined(whole), whole.outcome))
    assert [e.chunk for e in second.labels.expected] == [5]
    assert [r.chunk for r in second.outcome.replies] == [7]
    assert len(agree(first, 0).pairs) == 1
    assert len(agree(second, 0).pairs) == 0


def _joined(whole: Judged) -> Any:
    from dataclasses import replace

    return replace(whole.labels, starts=(0, 20), group="2 streams")


def test_intervals_hold_what_they_should() -> None:
    """Of many corpora of streams that are right with probability 0.7, about 95 % of the intervals hold 0.7."""
    draw, held = np.random.default_rng(1), 0
    for seed in range(40):
        right = draw.random(80) < 0.7
        counts = Counts(seed, [{"right": float(r), "all": 1.0} for r in right])
        figure = counts.figure(["right", "all"], ratio)
        assert figure.low is not None and figure.high is not None  # noqa: PT018
        assert figure.value == pytest.approx(right.mean())
        # The textbook's interval of a proportion.
        spread = 1.96 * math.sqrt(right.mean() * (1 - right.mean()) / 80)
        assert figure.low == pytest.approx(right.mean() - spread, abs=0.03)
        assert figure.high == pytest.approx(right.mean() + spread, abs=0.03)
        held += bool(figure.low <= 0.7 <= figure.high)
    assert held >= 33


def test_scores_are_the_same_again_and_plain_json() -> None:
    import json

    streams = [judged([10, 20], [10], id="a"), judged([5], [6, 30], silent=range(25, 35), id="b")]
    first, second = (scores(streams, chosen=["natural_hazard"]) for _ in range(2))
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
    assert first["gated"]["triggers"] == first["triggers"] == first["by_ability"]["proactive_response"]
    assert first["triggers"]["tolerance"]["1"]["f1"]["value"] == pytest.approx(4 / 6, abs=1e-6)
    assert scores(streams, chosen=["music_qa"])["gated"]["triggers"] is None
    assert scores([])["triggers"] is None
