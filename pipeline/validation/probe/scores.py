"""How well a probe knows when to reply, beside doing nothing and beside chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.seeds import rng
from pipeline.streaming.probe import Heard, Probe
from pipeline.validation.probe.examples import Example
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

TOLERANCE_CHUNKS = 2
CHUNKS_PER_HOUR = 3600 * SAMPLE_RATE / CHUNK_SAMPLES
THRESHOLDS = np.round(np.arange(0.1, 0.91, 0.05), 2)


@dataclass(frozen=True, slots=True)
class Scores:
    """Of all streams together.

    A reply is right where it lies within the tolerance of a label, one reply per label. `accuracy` is over sounds that
    were judged: a danger is met by a reply from its start to two chunks after its label, a benign sound by none there
    (one that a danger's label explains does not count against it). `false_per_hour` counts replies that no label
    explains.
    """

    precision: float
    recall: float
    f1: float
    accuracy: float
    balanced_accuracy: float
    false_per_hour: float
    labels: int
    replies: int
    occasions: int


def score(
    replies: Sequence[Sequence[int]], examples: Sequence[Example], *, tolerance_chunks: int = TOLERANCE_CHUNKS
) -> Scores:
    """Score the reply chunks of each example's stream."""
    hits = total = given = 0
    right: dict[bool, list[bool]] = {True: [], False: []}
    for chunks, example in zip(replies, examples, strict=True):
        explained = _matched(chunks, [label.chunk for label in example.labels], tolerance_chunks)
        hits += len(explained)
        total += len(example.labels)
        given += len(chunks)
        for due, met in occasions_met(chunks, example, explained):
            right[due].append(met)
    precision, recall = hits / max(1, given), hits / max(1, total)
    hours = sum(example.chunks for example in examples) / CHUNKS_PER_HOUR
    both = [*right[True], *right[False]]
    return Scores(
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / max(1e-9, precision + recall),
        accuracy=float(np.mean(both)) if both else 0.0,
        balanced_accuracy=float(np.mean([np.mean(side) for side in right.values() if side])) if both else 0.0,
        false_per_hour=(given - hits) / max(1e-9, hours),
        labels=total,
        replies=given,
        occasions=len(both),
    )


def occasions_met(chunks: Sequence[int], example: Example, explained: set[int]) -> list[tuple[bool, bool]]:
    """Per sound that was judged: whether it deserves a reply, and whether what happened is right."""
    met = list[tuple[bool, bool]]()
    for occasion in example.occasions:
        window = range(occasion.first_chunk, occasion.last_chunk + TOLERANCE_CHUNKS + 1)
        if occasion.answer is not None:
            met.append((True, any(chunk in window for chunk in chunks)))
        else:
            met.append((False, not any(chunk in window and chunk not in explained for chunk in chunks)))
    return met


def examine(probe: Probe, examples: Sequence[Example], *, tolerance_chunks: int = TOLERANCE_CHUNKS) -> Scores:
    """What the probe makes of the examples."""
    return score([probe.listen(e.features).replies for e in examples], examples, tolerance_chunks=tolerance_chunks)


def by_chance(examples: Sequence[Example], seed: int = 0) -> Scores:
    """Replies at random, as often as they are due."""
    draw = rng(seed, 0, "probe chance")
    rate = sum(len(e.labels) for e in examples) / max(1, sum(e.chunks for e in examples))
    return score([np.flatnonzero(draw.random(e.chunks) < rate).tolist() for e in examples], examples)


def always_silent(examples: Sequence[Example]) -> Scores:
    """No reply ever."""
    return score([()] * len(examples), examples)


def best_threshold(probe: Probe, examples: Sequence[Example]) -> float:
    """The threshold with the best F1."""
    heard = [probe.listen(e.features) for e in examples]
    scores = {float(t): score([with_threshold(probe, h, float(t)) for h in heard], examples).f1 for t in THRESHOLDS}
    return max(scores, key=lambda t: (scores[t], t))


def with_threshold(probe: Probe, heard: Heard, threshold: float) -> tuple[int, ...]:
    """Chunks in which the probe would reply with another threshold."""
    card = probe.card.model_copy(update={"threshold": threshold})
    return Probe(probe.network, card, policy=probe.policy).replies(heard.respond)


def by_name(probe: Probe, examples: Iterable[Example]) -> dict[str, tuple[int, int]]:
    """Per kind of sound: how often it was met rightly, and how often it occurred."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for example in examples:
        chunks = probe.listen(example.features).replies
        explained = _matched(chunks, [label.chunk for label in example.labels], TOLERANCE_CHUNKS)
        for occasion, (_, met) in zip(example.occasions, occasions_met(chunks, example, explained), strict=True):
            counts[occasion.name][0] += met
            counts[occasion.name][1] += 1
    return {name: (met, total) for name, (met, total) in sorted(counts.items())}


def _matched(chunks: Sequence[int], labels: Sequence[int], tolerance_chunks: int) -> set[int]:
    """Replies that a label explains; each label explains at most one, the nearest that is left."""
    free, explained = sorted(labels), set[int]()
    for chunk in sorted(chunks):
        near = [label for label in free if abs(label - chunk) <= tolerance_chunks]
        if near:
            free.remove(min(near, key=lambda label: abs(label - chunk)))
            explained.add(chunk)
    return explained
