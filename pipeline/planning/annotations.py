"""What the planner knows of a clip: its words, its length and the silence audit's verdict, never its samples."""

from dataclasses import dataclass

from schemas.taxonomy import AuditLabel, Criterion, EventKind


@dataclass(frozen=True, slots=True)
class Annotation:
    """One clip of the bag; an empty `clip_id` means a sound that the procedural synthesizer can render."""

    clip_id: str
    caption: str
    tags: tuple[str, ...]
    kind: EventKind
    duration_s: float
    """The active part, without a digital-silence tail."""
    single_s: float | None
    """Median length of one audible occurrence, where the clip holds countable occurrences."""
    label: AuditLabel
    criterion: Criterion | None
    sustained: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip of somebody speaking, by what is said in it."""

    clip_id: str
    text: str
    language: str
    speaker: str
    duration_s: float
