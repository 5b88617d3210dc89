"""What the planner knows of a clip: its words, its length and the silence audit's verdict, never its samples."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.taxonomy import AuditLabel, Criterion, EventKind

FILLER = re.compile(r"\b(um|uh|er|well|you know|i mean)\b", re.IGNORECASE)
WORD_S = 1.0
"""Recordings shorter than this are single words, such as digits."""


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


@dataclass(frozen=True, slots=True)
class Voice:
    """What one speaker says in one language."""

    speaker: str
    said: tuple[Recording, ...]
    words: tuple[Recording, ...]
    """The single words of it."""


Voices = Mapping[tuple[str, bool], tuple[Voice, ...]]
"""Speakers in order, by language and whether only what has fillers is meant: sorted once, not for every scene."""


def voices_of(recordings: Iterable[Recording]) -> Voices:
    """Sort recordings by who says what."""
    sorted_out: dict[tuple[str, bool], dict[str, list[Recording]]] = defaultdict(lambda: defaultdict(list))
    for r in recordings:
        language = r.language.partition("-")[0]
        for hesitant in (False, True) if FILLER.search(r.text) else (False,):
            sorted_out[language, hesitant][r.speaker].append(r)
    return {
        key: tuple(
            Voice(speaker, tuple(said), tuple(r for r in said if r.duration_s < WORD_S))
            for speaker, said in sorted(speakers.items())
        )
        for key, speakers in sorted_out.items()
    }
