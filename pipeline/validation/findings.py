"""What a check yields, and what a whole validation comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.timing import to_seconds

KEPT_PER_RULE = 1000
"""Findings kept of one rule; a corpus broken throughout would not fit in memory."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: its stable name, the place (shard#row, event), and the value beside what was expected."""

    rule: str
    where: str
    detail: str


@dataclass(slots=True)
class Extent:
    """What was looked at."""

    rows: int = 0
    samples: int = 0
    responses: int = 0
    chunks: int = 0
    sub_tasks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class StemCounts:
    """How events were checked against the audio."""

    located: int = 0
    """Rendered again and found in their place."""
    energy: int = 0
    """Not rendered again: only their energy was checked."""
    faint: int = 0
    """Rendered again, but too faint under the rest to tell."""
    library: bool = False

    def __str__(self) -> str:
        against = "the library and the generators" if self.library else "the generators, without the library"
        rest = [
            f"{count} {what}"
            for count, what in ((self.energy, "by energy only"), (self.faint, "too faint to tell"))
            if count
        ]
        return "; ".join([f"{self.located} events located against {against}", *rest])


@dataclass(frozen=True, slots=True)
class Findings:
    """The outcome of a validation."""

    extent: Extent
    stems: StemCounts
    _kept: dict[str, list[Finding]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, found: Iterable[Finding]) -> None:
        """Count findings and keep the first of each rule."""
        for finding in found:
            self._counts[finding.rule] += 1
            kept = self._kept.setdefault(finding.rule, [])
            if len(kept) < KEPT_PER_RULE:
                kept.append(finding)

    def by_rule(self) -> dict[str, list[Finding]]:
        """Findings per broken rule, at most KEPT_PER_RULE of each; empty for a good corpus."""
        return {rule: list(kept) for rule, kept in sorted(self._kept.items())}

    def count(self, rule: str) -> int:
        """How often a rule was broken."""
        return self._counts[rule]

    def summary(self) -> str:
        """One line: extent, how the stems were checked, number of broken rules."""
        seen = self.extent
        share = 100 * seen.responses / max(1, seen.chunks)
        return (
            f"{seen.rows} rows, {to_seconds(seen.samples) / 3600:.3f} h, {seen.responses} responses in {seen.chunks} "
            f"chunks ({share:.1f} %), {len(seen.sub_tasks)} sub-tasks; stems: {self.stems}; "
            f"{len(self._kept)} rules broken"
        )

    def dump(self) -> dict[str, Any]:
        """JSON values that `load` reads."""
        return {
            "extent": {**asdict(self.extent), "sub_tasks": sorted(self.extent.sub_tasks)},
            "stems": asdict(self.stems),
            "counts": dict(self._counts),
            "kept": {rule: [[f.where, f.detail] for f in kept] for rule, kept in self.by_rule().items()},
        }

    @staticmethod
    def load(values: dict[str, Any]) -> Findings:
        """The findings that `dump` gave."""
        extent = Extent(**{**values["extent"], "sub_tasks": set(values["extent"]["sub_tasks"])})
        kept = {rule: [Finding(rule, *of_rule) for of_rule in found] for rule, found in values["kept"].items()}
        return Findings(extent, StemCounts(**values["stems"]), kept, Counter(values["counts"]))
