"""The rule verifier: the paper's four criteria judged on measurements and tags, without a language model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from schemas.plan import Refinement, SubEvent
from schemas.recipe import GroundingParams
from schemas.taxonomy import EventKind

VERIFIER = ("rules", "1")
CONFLICTING_TAGS = frozenset(
    {"speech", "music", "alarm", "siren", "smoke detector, smoke alarm", "singing", "conversation"}
)
"""Sounds that must not overlap a clip of something else (criterion: cleanliness)."""
KINDS_OF = {
    "alarm": {
        "alarm clock", "buzzer", "car alarm", "civil defense siren", "fire alarm", "foghorn", "siren",
        "smoke detector, smoke alarm", "steam whistle", "telephone", "whistle",
    },
    "siren": {
        "ambulance (siren)", "civil defense siren", "fire engine, fire truck (siren)", "police car (siren)",
    },
}  # fmt: skip
"""Below them in the AudioSet ontology (Gemmeke et al. 2017): a parent's tag beside its child's is no other sound."""
MIN_SNR_DB = 6.0
"""Below this the event hardly stands above its own recording's noise."""

VerdictName = Literal["accept", "reprocess", "reject"]


@dataclass(frozen=True, slots=True)
class Target:
    """One sub-event to ground, with what surrounds it."""

    sub_event: SubEvent
    refinement: Refinement
    kind: EventKind
    scenario: str
    previous: str | None = None
    next: str | None = None
    single: bool = False
    """Exactly one audible occurrence is wanted."""
    max_duration_s: float | None = None
    """A hard limit, such as the slot of a counterfactual cue."""

    @property
    def sustained(self) -> bool:
        """Beds are tiled or cut to the scene, so their length and edges do not matter."""
        return self.sub_event.role == "ambient"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a candidate without its prompt: caption and tags of the clip itself, and measurements."""

    caption: str
    tags: tuple[str, ...]
    source: Literal["retrieved", "synthesized"]
    score: float | None
    duration_s: float
    occurrences: int
    onset_cut: bool
    offset_cut: bool
    snr_db: float | None
    samples: np.ndarray | None = field(default=None, compare=False, repr=False)
    """float32, 16 kHz mono, for verifiers that listen."""
    captioner: str | None = None
    """Who listened to a generated sound and wrote its caption and tags."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement with its reason and the neighbours the clip conflicts with."""

    verdict: VerdictName
    reason: str
    conflicts_with: tuple[str, ...] = ()


class Verifier(Protocol):
    """Judges a candidate, retrieved and synthesized alike."""

    def __call__(self, target: Target, evidence: Evidence) -> Verdict:
        """Return the verdict; when unsure prefer reprocess over accept and reject over reprocess."""
        ...


@dataclass(frozen=True, slots=True)
class RuleVerifier:
    """Identity by tags and score, cleanliness by tags and SNR, duration by ratio, continuity by measured edges."""

    params: GroundingParams

    def __call__(self, target: Target, evidence: Evidence) -> Verdict:
        """Apply the criteria in the paper's order; the first broken one decides."""
        accepted = _normalised(target.refinement.accept_tags)
        tags = _normalised(evidence.tags)
        if not accepted & tags:
            return Verdict("reject", f"identity: tags {sorted(tags)} share none of {sorted(accepted)}")
        if (broken := measured(target, evidence, self.params)) is not None:
            return broken
        foreign = (tags & CONFLICTING_TAGS) - accepted - {str(target.kind)}
        foreign = {tag for tag in foreign if not KINDS_OF.get(tag, set()) & accepted & tags}
        if foreign:
            around = tuple(n for n in (target.previous, target.next) if n)
            return Verdict("reject", f"cleanliness: also holds {sorted(foreign)}", around)
        if evidence.snr_db is not None and evidence.snr_db < MIN_SNR_DB and not target.sustained:
            return Verdict("reject", f"cleanliness: {evidence.snr_db:.1f} dB above its own noise, below {MIN_SNR_DB:g}")
        if target.sustained:
            return Verdict("accept", "identity and cleanliness hold; a bed is tiled or cut to the scene")
        return self._length_and_edges(target, evidence)

    def _length_and_edges(self, target: Target, evidence: Evidence) -> Verdict:
        ratio = evidence.duration_s / target.sub_event.rough_duration_s
        if ratio < self.params.min_duration_ratio:
            return Verdict(
                "reject", f"duration: {ratio:.2f} of the planned length, below {self.params.min_duration_ratio:g}"
            )
        if ratio > self.params.max_duration_ratio:
            return Verdict(
                "reprocess", f"duration: {ratio:.2f} of the planned length, above {self.params.max_duration_ratio:g}"
            )
        if target.max_duration_s is not None and evidence.duration_s > target.max_duration_s:
            return Verdict(
                "reprocess",
                f"duration: {evidence.duration_s:.2f} s does not fit a slot of {target.max_duration_s:.2f} s",
            )
        if evidence.onset_cut or evidence.offset_cut:
            edges = " and ".join(
                name for name, cut in (("onset", evidence.onset_cut), ("offset", evidence.offset_cut)) if cut
            )
            return Verdict("reprocess", f"continuity: {edges} cut mid-event")
        return Verdict("accept", "identity, cleanliness, duration and continuity hold")


def measured(target: Target, evidence: Evidence, params: GroundingParams) -> Verdict | None:
    """The rules that no verifier may waive, because labels stand on them; None where they hold."""
    if evidence.score is not None:
        assert params.min_score is not None, "search.with_threshold fills in what the library learnt"
        if evidence.score < params.min_score:
            return Verdict("reject", f"identity: score {evidence.score:.3f} is below {params.min_score:.3f}")
    if target.single and evidence.occurrences != 1:
        return Verdict("reject", f"identity: {evidence.occurrences} occurrences where one is counted")
    return None


def _normalised(tags: Collection[str]) -> set[str]:
    return {tag.strip().lower() for tag in tags}
