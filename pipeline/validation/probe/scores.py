"""How well a probe knows when to reply, beside doing nothing and beside chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from pipeline.seeds import rng
from pipeline.streaming.probe import Heard, Probe
from pipeline.validation.metrics import CHUNKS_PER_HOUR, match
from pipeline.validation.probe.examples import Example

TOLERANCE_CHUNKS = 2
CHANCES = 100
"""One draw says little: over a hundred streams its F1 lies anywhere from 0.09 to 0.18."""
THRESHOLDS = np.round(np.arange(0.1, 0.91, 0.05), 2)


@dataclass(frozen=True, slots=True)
class Scores:
    """Of all streams together.

    A reply is right where it lies within two chunks of a label, one reply per label (F1 also within one, and none).
    `accuracy` is over sounds that were judged: a danger is met by a reply from its start to two chunks after its label,
    a benign sound by none there (one that a danger's label explains does not count against it). `false_per_hour` counts
    replies that no label explains.
    """

    precision: float
    recall: float
    f1: float
    f1_at_1: float
    f1_at_0: float
    accuracy: float
    balanced_accuracy: float
    false_per_hour: float
    labels: int
    replies: int
    occasions: int


def score(replies: Sequence[Sequence[int]], examples: Sequence[Example]) -> Scores:
    """Score the reply chunks of each example's stream."""
    given, total = sum(map(len, replies)), sum(len(example.labels) for example in examples)
    right: dict[bool, list[bool]] = {True: [], False: []}
    matched = [0] * (TOLERANCE_CHUNKS + 1)
    for chunks, example in zip(replies, examples, strict=True):
        explained = set[int]()
        for tolerance in range(TOLERANCE_CHUNKS + 1):
            explained = _explained(chunks, example, tolerance)
            matched[tolerance] += len(explained)
        for due, met in occasions_met(chunks, example, explained):
            right[due].append(met)
    hits = matched[-1]
    at_0, at_1, f1 = (2 * m / max(1, given + total) for m in matched)
    hours = sum(example.chunks for example in examples) / CHUNKS_PER_HOUR
    both = [*right[True], *right[False]]
    return Scores(
        precision=hits / max(1, given),
        recall=hits / max(1, total),
        f1=f1,
        f1_at_1=at_1,
        f1_at_0=at_0,
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


def examine(probe: Probe, examples: Sequence[Example]) -> Scores:
    """What the probe makes of the examples."""
    return score([probe.listen(e.features).replies for e in examples], examples)


def by_chance(examples: Sequence[Example]) -> Scores:
    """Replies at random, as often as they are due: the mean of a hundred draws."""
    return Scores(*(type(values[0])(np.mean(values)) for values in zip(*map(astuple, chances(examples)), strict=True)))


def chances(examples: Sequence[Example]) -> Iterator[Scores]:
    """Those draws, one by one."""
    draw = rng(0, 0, "probe chance")
    rate = sum(len(e.labels) for e in examples) / max(1, sum(e.chunks for e in examples))
    for _ in range(CHANCES):
        yield score([np.flatnonzero(draw.random(e.chunks) < rate).tolist() for e in examples], examples)


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
        explained = _explained(chunks, example, TOLERANCE_CHUNKS)
        for occasion, (_, met) in zip(example.occasions, occasions_met(chunks, example, explained), strict=True):
            counts[occasion.name][0] += met
            counts[occasion.name][1] += 1
    return {name: (met, total) for name, (met, total) in sorted(counts.items())}


def _explained(chunks: Sequence[int], example: Example, tolerance_chunks: int) -> set[int]:
    """Replies that a label explains."""
    return {chunks[j] for _, j in match([label.chunk for label in example.labels], chunks, tolerance_chunks)}
