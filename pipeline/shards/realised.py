"""What the recipe asked of its distributions against what the streams have: counts that merge, in bounded memory."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.timing import to_seconds
from schemas.distributions import Choice, Const, Distribution
from schemas.recipe import Recipe
from schemas.row import Row

BINS = 64
SLACK = 2e-3
"""Draws reach a stream rounded: gaps to a sample, levels to 0.001 dB."""
CHANCE = 1.63
"""Over sqrt(n), what the Kolmogorov-Smirnov distance exceeds by chance once in a hundred."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SEAM_EDGES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)
SEAM = "max_seam_jump"


@dataclass(slots=True)
class Histogram:
    """Values in the bins between `edges`; `counts[i]` are those above edge i - 1 and not above edge i."""

    edges: tuple[float, ...]
    counts: list[int]
    total: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @staticmethod
    def between(edges: Sequence[float]) -> Histogram:
        """An empty one."""
        return Histogram(tuple(edges), [0] * (len(edges) + 1))

    @property
    def n(self) -> int:
        """How many values."""
        return sum(self.counts)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[int(np.searchsorted(self.edges, value - SLACK, side="left"))] += 1
        self.total += value
        self.squares += value * value
        self.low, self.high = min(self.low, value), max(self.high, value)

    def merge(self, other: Histogram) -> None:
        """Count the values of another with the same edges."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.squares += other.squares
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def summary(self) -> dict[str, Any]:
        """JSON values; quantiles are read off the bins."""
        n = self.n
        mean = self.total / n if n else 0.0
        figures = {
            "mean": mean,
            "std": math.sqrt(max(0.0, self.squares / n - mean * mean)) if n else 0.0,
            "min": self.low,
            "max": self.high,
            **{f"p{round(100 * q)}": self._quantile(q) for q in QUANTILES},
        }
        return {
            "n": n,
            **{name: round(value, 4) if n else None for name, value in figures.items()},
            "histogram": {"edges": [round(edge, 6) for edge in self.edges], "counts": list(self.counts)},
        }

    def _quantile(self, q: float) -> float:
        """Linear within its bin, whose ends are edges or the extremes."""
        bounds = [min(self.low, self.edges[0]), *self.edges, max(self.high, self.edges[-1])]
        below = np.concatenate([[0], np.cumsum(self.counts)]) / max(1, self.n)
        at = min(int(np.searchsorted(below, q, side="left")), len(bounds) - 1)
        if at == 0 or below[at] == below[at - 1]:
            return float(np.clip(bounds[at], self.low, self.high))
        within = (q - below[at - 1]) / (below[at] - below[at - 1])
        return float(np.clip(bounds[at - 1] + within * (bounds[at] - bounds[at - 1]), self.low, self.high))


def drift(histogram: Histogram, requested: Distribution) -> float:
    """Kolmogorov-Smirnov distance to the requested distribution, at the edges; 0 without a value."""
    if not histogram.n:
        return 0.0
    realised = np.cumsum(histogram.counts)[:-1] / histogram.n
    return max(abs(float(r) - requested.cdf(edge)) for r, edge in zip(realised, histogram.edges, strict=True))


def requested(recipe: Recipe) -> dict[str, Distribution]:
    """The recipe's distributions that are compared with what came of them."""
    return {
        "duration_s": recipe.scene.duration_s,
        "gap_s": recipe.timing.gap_s,
        "overlap_s": recipe.timing.overlap.seconds,
        "onset_delay_chunks": recipe.timing.onset_delay_chunks,
        "event_snr_db": recipe.noise.event_snr_db,
        "ambient_snr_db": recipe.noise.ambient_snr_db,
    }


def _edges(distribution: Distribution) -> Sequence[float]:
    low, high = distribution.bounds
    if isinstance(distribution, Const | Choice) or low == high:
        values = sorted(set(distribution.values)) if isinstance(distribution, Choice) else [low]
        return sorted({edge for value in values for edge in (value - 5 * SLACK, value)})
    return [low + (high - low) * i / BINS for i in range(BINS + 1)]


class Realised:
    """Realised values of one shard or of many; `state` and `merge` carry them from one to the other."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._requested = requested(recipe)
        self._histograms = {name: Histogram.between(_edges(d)) for name, d in self._requested.items()}
        self._histograms[SEAM] = Histogram.between(SEAM_EDGES)
        self.rows = 0
        self._clips: Counter[str] = Counter()
        self._pair: tuple[str, Counter[str]] | None = None
        """The pair whose first row was the last one added."""

    def add(self, row: Row) -> None:
        """Count one row. The sides of a pair, which follow one another, share their draws: these count once."""
        self.rows += 1
        clips = Counter(event.clip_id for event in row.events if event.clip_id is not None)
        second = row.pair_id is not None and self._pair is not None and self._pair[0] == row.pair_id
        self._clips.update(clips - self._pair[1] if second and self._pair else clips)
        self._pair = None if second or row.pair_id is None else (row.pair_id, clips)
        values = [(name, value) for name, value in self._values(row) if not (second and name in _SHARED)]
        for name, value in values:
            self._histograms[name].add(value)

    def _values(self, row: Row) -> Iterable[tuple[str, float]]:
        yield "duration_s", to_seconds(row.num_samples)
        if row.quality.max_seam_jump is not None:
            yield SEAM, row.quality.max_seam_jump
        if row.sub_task != "noisy_speech":  # it has a distribution of its own
            for track in row.noise:
                yield f"{track.track}_snr_db", track.snr_db
        plan = json.loads(row.plan_json)
        steps = plan["steps"]
        for response in row.responses:
            step = steps[response.event]
            if step["source"] == "event" and not step["safety"] and step.get("idle_s") is None:
                yield "onset_delay_chunks", response.delay_chunks - response.moved_chunks
        yield from self._gaps(row, steps, None if plan["pair"] is None else plan["pair"]["step"])

    def _gaps(self, row: Row, steps: Sequence[Mapping[str, Any]], cue: int | None) -> Iterable[tuple[str, float]]:
        end = 0
        for i, step in enumerate(steps):
            gap = to_seconds(row.events[i].start_sample - end)
            end = max(end, row.events[i].end_sample)
            # After a cue comes the rest of its slot, after a quiet or into a reply what the plan says.
            if i == 0 or cue == i - 1 or step.get("cuts") is not None or steps[i - 1].get("idle_s") is not None:
                continue
            if gap < 0 and self._recipe.timing.overlap.share:
                yield "overlap_s", -gap
            else:
                yield "gap_s", gap

    def state(self) -> dict[str, Any]:
        """JSON values for a shard's marker."""
        return {
            "histograms": {
                name: [h.counts, h.total, h.squares, h.low, h.high] for name, h in self._histograms.items() if h.n
            },
            "clips": dict(sorted(self._clips.items())),
        }

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another shard's `state` says."""
        for name, (counts, total, squares, low, high) in state["histograms"].items():
            mine = self._histograms[name]
            mine.merge(Histogram(mine.edges, counts, total, squares, low, high))
        self._clips.update(state["clips"])

    def report(self) -> dict[str, Any]:
        """What the manifest says: per distribution what was asked and what came of it; seams; reuse of clips."""
        distributions = {}
        for name, asked in self._requested.items():
            histogram = self._histograms[name]
            if histogram.n:
                distributions[name] = {
                    "requested": asked.model_dump(mode="json"),
                    **histogram.summary(),
                    "drift": round(drift(histogram, asked), 4),
                    "chance": round(CHANCE / math.sqrt(histogram.n), 4),
                }
        uses = self._clips.total()
        return {
            "distributions": distributions,
            "seams": {SEAM: self._histograms[SEAM].summary()},
            "reuse": {
                "clips": len(self._clips),
                "uses": uses,
                "max": max(self._clips.values(), default=0),
                "mean": round(uses / len(self._clips), 4) if self._clips else None,
                "cap": self._recipe.scene.max_reuse,
            },
        }


_SHARED = frozenset({"gap_s", "overlap_s", "event_snr_db", "ambient_snr_db"})


def broken_gates(recipe: Recipe, report: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(distribution, why) for each that drifted further than the recipe's gate and chance allow."""
    for name, allowed in recipe.gates.max_drift.items():
        came = report["distributions"].get(name)
        if came is not None and came["drift"] > allowed + came["chance"]:
            yield (
                name,
                f"realised {came['mean']:g} +- {came['std']:g} over {came['n']}: its distance to the requested "
                f"distribution is {came['drift']:g}, allowed is {allowed:g} and {came['chance']:g} for chance",
            )
