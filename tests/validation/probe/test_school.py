"""Teaching, examining and auditing with a corpus of two sounds: a whistle is answered, a rattle is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.streaming.probe import CRITERIA, Probe
from pipeline.synthesis.kinds import KINDS
from pipeline.timing import last_chunk
from pipeline.validation.probe.audit import audit_examples
from pipeline.validation.probe.examples import RESPOND, Example, Label, Occasion, example
from pipeline.validation.probe.scenes import HELD_OUT_KINDS, Palette, answer_of, scenes
from pipeline.validation.probe.scores import always_silent, by_chance, examine, score
from pipeline.validation.probe.training import train
from schemas.probe import ProbeScenes, ProbeTraining
from schemas.protocol import CHUNK_SAMPLES

CHUNKS = 16


def stream(number: int) -> Example:
    """One whistle and one rattle of 0.6 to 1.2 s over noise, in either order."""
    draw = np.random.default_rng(number)
    samples = (0.003 * draw.standard_normal(CHUNKS * CHUNK_SAMPLES)).astype(np.float32)
    labels, occasions = list[Label](), list[Occasion]()
    for place, answered in zip((0.8, 3.6), draw.permutation([True, False]), strict=True):
        start, length = round((place + draw.uniform(0, 1)) * 16_000), round(draw.uniform(0.6, 1.2) * 16_000)
        time = np.arange(length) / 16_000
        whistle = np.sin(2 * np.pi * draw.uniform(900, 1600) * time)
        rattle = draw.standard_normal(length) * (np.sin(2 * np.pi * 12 * time) > 0)
        samples[start : start + length] += (0.2 * (whistle if answered else rattle)).astype(np.float32)
        end = last_chunk(start + length)
        occasions.append(
            Occasion(start // CHUNK_SAMPLES, end, "respond" if answered else None, "whistle" if answered else "rattle")
        )
        if answered:
            labels.append(Label(end, "respond", "safety_signal"))
    return example(f"stream-{number}", "safety_signal", samples, labels, occasions)


@pytest.fixture(scope="module")
def streams() -> list[Example]:
    return [stream(number) for number in range(30)]


@pytest.fixture(scope="module")
def taught(streams: list[Example]) -> Probe:
    params = ProbeTraining(epochs=12, rate=3e-3)
    return train(streams[:20], answers=RESPOND, params=params, seed=0, tune=streams[:20])


def test_it_learns_what_is_answered(taught: Probe, streams: list[Example]) -> None:
    scores = examine(taught, streams[20:])
    assert scores.f1 > 0.8
    assert scores.f1 > by_chance(streams[20:]).f1 + 0.4
    assert always_silent(streams[20:]).f1 == 0
    assert always_silent(streams[20:]).accuracy == 0.5


def test_the_same_seed_gives_the_same_weights(streams: list[Example]) -> None:
    params = ProbeTraining(epochs=1)
    one, same, other = (
        train(streams[:4], answers=RESPOND, params=params, seed=seed).network.answer.weight for seed in (0, 0, 1)
    )
    assert one.equal(same)
    assert not one.equal(other)


def test_odds_make_an_answer_likelier_by_just_as_much(streams: list[Example]) -> None:
    plain, likelier = (
        train(streams[:4], answers=RESPOND, params=ProbeTraining(epochs=1), seed=0, odds=odds)
        for odds in (None, {"respond": 4.0})
    )
    before, after = (probe.listen(streams[5].features).respond.astype(float) for probe in (plain, likelier))
    assert after / (1 - after) == pytest.approx(4 * before / (1 - before), rel=1e-3)


def test_nothing_is_learnt_from_silence(streams: list[Example]) -> None:
    silent = [replace(streams[0], labels=())]
    with pytest.raises(BadInput, match="without a reply"):
        train(silent, answers=RESPOND, params=ProbeTraining(), seed=0)


def test_scores_by_hand() -> None:
    silence = np.zeros(10 * CHUNK_SAMPLES, np.float32)
    labels = [Label(3, "respond", "x"), Label(8, "respond", "x")]
    occasions = [Occasion(1, 3, "respond", "a"), Occasion(4, 5, None, "b"), Occasion(7, 8, "respond", "a")]
    there = example("x", "x", silence, labels, occasions)
    found = score([(4, 6)], [there])
    # Chunk 4 answers label 3 a chunk late; 6 answers label 8 two chunks early, while b still sounds.
    assert (found.precision, found.recall, found.f1, found.f1_at_1, found.f1_at_0) == (1, 1, 1, 0.5, 0)
    assert found.false_per_hour == 0
    assert found.accuracy == pytest.approx(2 / 3)  # 6 lies before the sound that label 8 is for
    wrong = score([(0, 5)], [there])
    assert wrong.false_per_hour == pytest.approx(1 / (4 / 3600))


def test_planted_errors_come_first(taught: Probe, streams: list[Example]) -> None:
    wrong = list(streams)
    taken, added, moved = streams[2], streams[9], streams[17]
    wrong[2] = replace(taken, labels=(), occasions=tuple(replace(o, answer=None) for o in taken.occasions))
    rattle = next(o for o in added.occasions if o.answer is None)
    wrong[9] = replace(
        added,
        labels=(*added.labels, Label(rattle.last_chunk, "respond", "safety_signal")),
        occasions=tuple(replace(o, answer="respond") for o in added.occasions),
    )
    away = 14 if moved.labels[0].chunk < 8 else 1
    wrong[17] = replace(moved, labels=(replace(moved.labels[0], chunk=away),))
    doubted = audit_examples(wrong, begin=taught, params=ProbeTraining(epochs=1, rate=5e-4))
    assert len(doubted) == len(streams)
    first = {d.row: d for d in doubted[:6]}
    assert {"stream-2", "stream-9", "stream-17"} <= set(first)
    assert first["stream-2"].doubt == "missing"
    assert first["stream-9"].doubt == "unexpected"
    assert abs(first["stream-2"].chunk - taken.labels[0].chunk) <= 2


def test_too_few_rows(taught: Probe, streams: list[Example]) -> None:
    with pytest.raises(BadInput, match="too few"):
        audit_examples(streams[:3], begin=taught)


def test_scenes_come_again_and_keep_their_secrets() -> None:
    params = ProbeScenes(trigger_variants=1, benign_variants=1, lines=1)
    (one,), (same,) = (list(scenes("train", 1, params, seed=5)) for _ in range(2))
    assert one.features.equal(same.features)
    assert (one.labels, one.occasions) == (same.labels, same.occasions)
    assert {label.answer for label in one.labels} <= set(CRITERIA)
    for held_out in (frozenset(sorted(KINDS)[::4]), HELD_OUT_KINDS):
        known, unknown = (Palette(params, part, 5, held_out) for part in ("train", "kinds"))
        for kinds in ("triggers", "benign", "beds"):
            assert not set(getattr(known, kinds)) & held_out
            assert set(getattr(unknown, kinds)) <= held_out
    known, unknown = Palette(params, "train", 5), Palette(params, "kinds", 5)
    assert not {v.name for v in known.voices} & {v.name for v in unknown.voices}
    assert set(KINDS) >= HELD_OUT_KINDS
    # Of every criterion there is one kind that nobody was taught.
    assert {answer_of(kind) for kind in unknown.triggers} == {"distress", "hazard", "equipment", "signal"}
