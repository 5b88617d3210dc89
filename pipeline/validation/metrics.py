"""How well a listener agrees with the labels: when it speaks, what it says, how late it is.

Every figure is a `Figure`: a value, what it counts, and a percentile bootstrap interval over streams (Efron 1979),
which are what was drawn independently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.seeds import rng
from pipeline.timing import to_seconds
from pipeline.validation.replay.listener import CHUNK_S, Outcome
from pipeline.validation.replay.streams import Labels
from schemas.protocol import CHUNK_SAMPLES

TOLERANCES: Final = (0, 1, 2)
"""Chunks by which a reply may be early or late."""
WIDEST: Final = max(TOLERANCES)
ONSET_WINDOW_CHUNKS: Final = 10
"""Replies so far from a label still tell how early or late the listener is: 4 s."""
RESAMPLES: Final = 1_000
LEVEL: Final = 0.95
MAX_DRAWN: Final = 1 << 22
"""Numbers drawn at once, to bound memory."""
CHUNKS_PER_HOUR: Final = 3600 / CHUNK_S

Pair = tuple[int, int]
"""Numbers of a label and of the reply it was paired with."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, how many cases it is over, and its interval; None where there is nothing to measure, or one stream."""

    value: float | None
    n: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One stream's labels beside what a listener made of it."""

    labels: Labels
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Agreement:
    """One stream at one tolerance. `pairs` are those of labels that the listener was asked about; `drained_pairs` of
    labels in drained chunks, whose replies can only come when the listener is asked again; `missed` and `extra` number
    the labels and replies that are left, drained labels apart."""

    pairs: tuple[Pair, ...]
    missed: tuple[int, ...]
    extra: tuple[int, ...]
    drained_pairs: tuple[Pair, ...]
    drained_missed: tuple[int, ...]


def match(labels: Sequence[int], replies: Sequence[int], tolerance: int) -> list[Pair]:
    """Pair chunks of labels with chunks of replies at most `tolerance` apart: as many as possible, then as near as
    possible; nothing is paired twice. Returns numbers into both, by label.
    """
    if not labels or not replies:
        return []
    distance = np.abs(np.subtract.outer(np.asarray(labels), np.asarray(replies)))
    # One more pair outweighs every sum of distances.
    cost = np.where(distance <= tolerance, distance - (tolerance + 1) * (min(distance.shape) + 1), 0)
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if distance[i, j] <= tolerance]


def agree(judged: Judged, tolerance: int) -> Agreement:
    """Labels against replies; labels in drained chunks are matched after all others."""
    expected, outcome = judged.labels.expected, judged.outcome
    replies = [reply.chunk for reply in outcome.replies]
    due = [_asked(outcome, e.chunk) for e in expected]
    asked = [i for i, e in enumerate(expected) if due[i] == e.chunk]
    pairs = [(asked[i], j) for i, j in match([expected[i].chunk for i in asked], replies, tolerance)]
    used = {j for _, j in pairs}
    free = [j for j in range(len(replies)) if j not in used]
    late = [i for i, e in enumerate(expected) if due[i] != e.chunk]
    drained = [(late[i], free[j]) for i, j in match([due[i] for i in late], [replies[j] for j in free], tolerance)]
    hit, answered = {i for i, _ in pairs}, {i for i, _ in drained}
    return Agreement(
        pairs=tuple(pairs),
        missed=tuple(i for i in asked if i not in hit),
        extra=tuple(j for j in free if j not in {j for _, j in drained}),
        drained_pairs=tuple(drained),
        drained_missed=tuple(i for i in late if i not in answered),
    )


def _asked(outcome: Outcome, chunk: int) -> int:
    """The first chunk from `chunk` on that the listener was asked about; `chunk` itself where it heard no further."""
    for later in range(chunk, len(outcome.chunks)):
        if not outcome.chunks[later].drained:
            return later
    return chunk


def false_replies(judged: Judged) -> tuple[int, ...]:
    """Numbers of the replies that break a verified silence: in one of its chunks, and no late or early reply to a label
    within the widest tolerance."""
    extra, verified = agree(judged, WIDEST).extra, judged.labels.verified
    return tuple(j for j in extra if verified[judged.outcome.replies[j].chunk])


def verified_chunks(judged: Judged) -> int:
    """Chunks of verified silence that the listener was asked about."""
    asked = [not chunk.drained for chunk in judged.outcome.chunks]
    return int(np.count_nonzero(judged.labels.verified[: len(asked)] & np.asarray(asked, bool)))


# -- counts per stream, figures over all ------------------------------------------------------------


@dataclass(slots=True)
class Counts:
    """Named counts, one row per stream: what every figure is made of. `seed` is that of the bootstrap."""

    seed: int
    rows: list[dict[str, float]] = field(default_factory=list)
    _resampled: dict[str, NDArray[np.float64]] | None = None

    def total(self, name: str) -> float:
        """A count over all streams; 0 where none has it."""
        return float(sum(row.get(name, 0.0) for row in self.rows))

    def figure(self, names: Sequence[str], value: Callable[..., NDArray[np.float64]], n: str | None = None) -> Figure:
        """`value` of the sums of counts over streams, with the interval of its bootstrap.

        Args:
            names: counts that `value` takes, in order, as arrays; what it gives is NaN where it does not exist.
            n: the count that says how many cases there are; the last of `names` where not given.
        """
        cases = self.total(n or names[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = float(value(*(np.array([self.total(name)]) for name in names))[0])
            if not np.isfinite(whole):
                return Figure(None, cases)
            if len(self.rows) < 2:
                return Figure(whole, cases)
            nothing = np.zeros(RESAMPLES)
            samples = value(*(self._sums().get(name, nothing) for name in names))
        low, high = _interval(samples)
        return Figure(whole, cases, low, high)

    def _sums(self) -> dict[str, NDArray[np.float64]]:
        """Of every count, the sums over as many streams drawn with replacement: [RESAMPLES]."""
        if self._resampled is None:
            names = sorted({name for row in self.rows for name in row})
            table = np.array([[row.get(name, 0.0) for name in names] for row in self.rows])
            draw, n = rng(self.seed, "metrics", "bootstrap"), len(table)
            at_once = max(1, MAX_DRAWN // n)
            sums = [
                draw.multinomial(n, np.full(n, 1 / n), size=min(at_once, RESAMPLES - done)) @ table
                for done in range(0, RESAMPLES, at_once)
            ]
            self._resampled = dict(zip(names, np.concatenate(sums).T, strict=True))
        return self._resampled


def _interval(samples: NDArray[np.float64]) -> tuple[float | None, float | None]:
    known = samples[np.isfinite(samples)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is no whole."""
    return part / np.where(whole > 0, whole, np.nan)


def _f1(hits: NDArray[np.float64], labels: NDArray[np.float64], replies: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(2 * hits, labels + replies)


def trigger_counts(judged: Judged) -> dict[str, float]:
    """Of one stream: hits, labels and replies per tolerance, and what else `triggers` needs."""
    counts: dict[str, float] = {"streams": 1, "chunks": len(judged.outcome.chunks)}
    for tolerance in TOLERANCES:
        found = agree(judged, tolerance)
        counts[f"hits{tolerance}"] = len(found.pairs)
        counts["labels"] = len(found.pairs) + len(found.missed)
        counts[f"replies{tolerance}"] = len(found.pairs) + len(found.extra)
        counts[f"drained_hits{tolerance}"] = len(found.drained_pairs)
        counts["drained_labels"] = len(found.drained_pairs) + len(found.drained_missed)
    counts["false"] = len(false_replies(judged))
    counts["verified"] = verified_chunks(judged)
    counts["drained"] = sum(chunk.drained for chunk in judged.outcome.chunks)
    counts["unheard"] = judged.labels.num_chunks - len(judged.outcome.chunks)
    counts["stalls"] = judged.outcome.stalls
    counts["invalid"] = judged.outcome.invalid
    return counts


def triggers(counts: Counts) -> dict[str, Any]:
    """Precision, recall and F1 per tolerance, false replies per hour of verified silence, drained labels apart."""

    def at(tolerance: int) -> dict[str, Figure]:
        hits, replies = f"hits{tolerance}", f"replies{tolerance}"
        return {
            "precision": counts.figure([hits, replies], ratio),
            "recall": counts.figure([hits, "labels"], ratio),
            "f1": counts.figure([hits, "labels", replies], _f1, n="labels"),
        }

    return {
        "tolerance": {str(t): at(t) for t in TOLERANCES},
        "false_per_hour": counts.figure(
            ["false", "verified"], lambda false, verified: ratio(false, verified) * CHUNKS_PER_HOUR
        ),
        "verified_hours": to_seconds(int(counts.total("verified")) * CHUNK_SAMPLES) / 3600,
        "drained": {
            "chunks": int(counts.total("drained")),
            "recall": {str(t): counts.figure([f"drained_hits{t}", "drained_labels"], ratio) for t in TOLERANCES},
        },
        "unheard_chunks": int(counts.total("unheard")),
        "invalid": int(counts.total("invalid")),
        "stalls": counts.figure(["stalls", "chunks"], ratio),
    }


def misses(streams: Iterable[Judged]) -> dict[str, dict[str, int]]:
    """Per sub-task of the labels: how many there are and how many were missed at each tolerance; drained apart."""
    found: dict[str, dict[str, int]] = {}
    for judged in streams:
        for tolerance in TOLERANCES:
            agreement = agree(judged, tolerance)
            missed, drained = (
                set(agreement.missed),
                {*agreement.drained_missed, *(i for i, _ in agreement.drained_pairs)},
            )
            for i, expected in enumerate(judged.labels.expected):
                entry = found.setdefault(
                    expected.sub_task, {"labels": 0, "drained": 0, **{f"missed_{t}": 0 for t in TOLERANCES}}
                )
                entry[f"missed_{tolerance}"] += i in missed
                if tolerance == WIDEST:
                    entry["labels"] += i not in drained
                    entry["drained"] += i in drained
    return dict(sorted(found.items()))


def onset_errors(judged: Judged) -> list[int]:
    """Reply less label, in chunks, of every label that has a reply within ONSET_WINDOW_CHUNKS; drained labels apart."""
    pairs = agree(judged, ONSET_WINDOW_CHUNKS).pairs
    return [judged.outcome.replies[j].chunk - judged.labels.expected[i].chunk for i, j in pairs]


def onset_figures(streams: Sequence[Judged], seed: int) -> dict[str, Any]:
    """The distribution of onset errors in chunks: how many at each, the mean and the mean absolute one."""
    counts, errors = Counts(seed), list[int]()
    for judged in streams:
        of_stream = onset_errors(judged)
        errors += of_stream
        counts.rows.append(
            {"error": sum(of_stream), "absolute": sum(map(abs, of_stream)), "early": sum(e < 0 for e in of_stream),
             "pairs": len(of_stream)}
        )  # fmt: skip
    window = range(-ONSET_WINDOW_CHUNKS, ONSET_WINDOW_CHUNKS + 1)
    return {
        "histogram": {str(error): errors.count(error) for error in window},
        "mean_chunks": counts.figure(["error", "pairs"], ratio),
        "mean_absolute_chunks": counts.figure(["absolute", "pairs"], ratio),
        "early_share": counts.figure(["early", "pairs"], ratio),
    }


def emotion_figures(streams: Sequence[Judged], seed: int) -> dict[str, Any]:
    """How often a reply that answers a label, and names an emotion, names the label's; and which for which."""
    counts, named = Counts(seed), dict[str, dict[str, int]]()
    for judged in streams:
        right = known = 0
        for i, j in answered(judged):
            label, reply = judged.labels.expected[i], judged.outcome.replies[j]
            if not label.emotion or reply.emotion is None:
                continue
            known += 1
            right += label.emotion == reply.emotion
            row = named.setdefault(label.emotion, {})
            row[reply.emotion] = row.get(reply.emotion, 0) + 1
        counts.rows.append({"right": right, "known": known})
    return {"agreement": counts.figure(["right", "known"], ratio), "replies_by_label": dict(sorted(named.items()))}


def answered(judged: Judged) -> tuple[Pair, ...]:
    """Labels and the replies to them, at the widest tolerance, drained ones included."""
    found = agree(judged, WIDEST)
    return tuple(sorted((*found.pairs, *found.drained_pairs)))


def latency_figures(streams: Iterable[Judged]) -> dict[str, Any]:
    """Milliseconds from a chunk's arrival: p50 and p95 of all decisions that were asked for, and of responses alone."""
    chunks = [c for judged in streams for c in judged.outcome.chunks if c.latency_ms is not None and not c.drained]
    named = {"decision": chunks, "response": [c for c in chunks if c.decision == "response"]}
    figures: dict[str, Any] = {}
    for name, known in named.items():
        values = [c.latency_ms for c in known if c.latency_ms is not None]
        p50, p95 = np.percentile(values, [50, 95]).tolist() if values else (None, None)
        figures[name] = {"n": len(values), "p50_ms": p50, "p95_ms": p95}
    return figures


def parts(judged: Judged) -> list[Judged]:
    """The streams that a session was joined of, each with what was heard and said in its time."""
    labels, outcome = judged.labels, judged.outcome
    ends = [*labels.starts[1:], labels.num_chunks]
    found = []
    for start, end in zip(labels.starts, ends, strict=True):
        expected = tuple(_moved(e, start) for e in labels.expected if start <= e.chunk < end)
        replies = tuple(_moved(r, start) for r in outcome.replies if start <= r.chunk < end)
        part = Labels(
            labels.id, labels.split, labels.sub_task, labels.language, end - start, expected, labels.verified[start:end]
        )
        found.append(Judged(part, Outcome(outcome.chunks[start:end], replies)))
    return found


def _moved(item: Any, by: int) -> Any:
    return replace(item, chunk=item.chunk - by)


def by_group(streams: Sequence[Judged], group: Callable[[Judged], str], seed: int) -> Mapping[str, Any]:
    """`triggers` of the streams of each group."""
    groups: dict[str, Counts] = {}
    for judged in streams:
        groups.setdefault(group(judged), Counts(seed)).rows.append(trigger_counts(judged))
    return {name: triggers(counts) for name, counts in sorted(groups.items())}
