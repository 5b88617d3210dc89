"""What a corpus came to: histograms tallied row by row, and a picture of them for the dataset card."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.timing import to_seconds
from schemas.row import Row


@dataclass(frozen=True, slots=True)
class Measure:
    """Something each stream has one value of; `bin` is a bar's width."""

    title: str
    bin: float
    unit: str = ""


MEASURES: Final = {
    "duration_s": Measure("Duration", 5.0, "s"),
    "responses_per_minute": Measure("Responses per minute", 0.5),
    "silence_ratio": Measure("Share without a foreground sound", 0.05),
    "snr_db": Measure("Foreground over noise", 1.0, "dB"),
}

Histograms = Mapping[str, Mapping[str, int]]
"""Measure -> left edge of a bar, as a whole number of bins -> streams."""


class Histogrammer:
    """Counts the streams in every bar; its size depends on the spread of values, not on the number of rows."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[int]] = {name: Counter() for name in MEASURES}

    def add(self, row: Row) -> None:
        """Count one stream; a value that is not known is not counted."""
        for name, value in _values(row):
            if value is not None and math.isfinite(value):
                self._counts[name][math.floor(value / MEASURES[name].bin + 1e-9)] += 1

    def histograms(self) -> dict[str, dict[str, int]]:
        """What was counted, in ascending order."""
        return {name: {str(bar): n for bar, n in sorted(bars.items())} for name, bars in self._counts.items()}


def _values(row: Row) -> Iterator[tuple[str, float | None]]:
    duration_s = to_seconds(row.num_samples)
    yield "duration_s", duration_s
    yield "responses_per_minute", len(row.responses) * 60 / duration_s
    yield "silence_ratio", row.quality.silence_ratio
    yield "snr_db", row.quality.realised_snr_db


def summary(histograms: Histograms) -> dict[str, dict[str, float]]:
    """Tenth, fifth and ninth decile of every measure, the middle of its bar; none of what was not measured."""
    result = {}
    for name, bars in histograms.items():
        counts = Counter({int(bar): n for bar, n in bars.items()})
        if counts:
            deciles = {
                f"p{share}": (_quantile(counts, share / 100) + 0.5) * MEASURES[name].bin for share in (10, 50, 90)
            }
            result[name] = {share: round(value, 4) for share, value in deciles.items()}
    return result


def _quantile(counts: Counter[int], share: float) -> int:
    below, total = 0, counts.total()
    for bar in sorted(counts):
        below += counts[bar]
        if below >= share * total:
            return bar
    raise AssertionError("a share is at most 1")


def picture(histograms: Histograms, manifest: Mapping[str, Any]) -> bytes:
    """A PNG with one panel for each measure, one for the abilities and one for the licences."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3).ravel()
    for panel, (name, measure) in zip(panels, MEASURES.items(), strict=False):
        bars = {int(bar) * measure.bin: n for bar, n in histograms[name].items()}
        panel.bar(bars.keys(), bars.values(), width=measure.bin, align="edge", edgecolor="white", linewidth=0.5)
        panel.set(title=measure.title, xlabel=measure.unit, ylabel="streams")
        if not bars:
            panel.text(0.5, 0.5, "not measured", ha="center", transform=panel.transAxes)
    for panel, title, key, unit in (
        (panels[4], "Abilities", "abilities", "streams"),
        (panels[5], "Licences", "licences", "sounds"),
    ):
        shares = sorted(manifest[key].items(), key=lambda item: item[1])[-12:]
        panel.barh([name.replace("_", " ") for name, _ in shares], [n for _, n in shares])
        panel.set(title=title, xlabel=unit)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
