"""Clips of a library that are one recording: by the landmarks of their sound, and by encoders that listen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.library.fingerprint import Match, duplicates, landmarks
from pipeline.library.ingest import remove_clips, surplus

if TYPE_CHECKING:
    from pipeline.library.library import Library

NEAR_COSINE = 0.98
"""From which two clips are near-identical to an encoder that listens; it may err where landmarks do not."""
_BATCH = 1_024


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two clips that are near-identical, by clip id; None where a method does not find it."""

    one: str
    other: str
    landmarks: float | None
    """Share of the shorter one's landmarks that agree."""
    cosine: float | None


def find_duplicates(
    library: "Library", *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Duplicate]:
    """Every pair of near-identical clips, in order of clip id; `clap` is asked too where the library has its index."""
    marks = {}
    for done, clip_id in enumerate(library.clips, 1):
        marks[clip_id] = landmarks(library.read(clip_id))
        on_progress(done, len(library.clips))
    by_sound = {(m.one, m.other): m.share for m in duplicates(marks)}
    by_encoder = _near(library) if (library.path / "index" / "clap.json").is_file() else {}
    return [
        Duplicate(*pair, by_sound.get(pair), by_encoder.get(pair))
        for pair in sorted(by_sound.keys() | by_encoder.keys())
    ]


def _near(library: "Library") -> dict[tuple[str, str], float]:
    index = library.index("clap")
    names = list(library.clips)
    found: dict[tuple[str, str], float] = {}
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        for name, hits in zip(batch, index.nearest(index.vectors(batch), 6), strict=True):
            for hit in hits:
                if hit.clip_id != name and hit.score >= NEAR_COSINE:
                    found[min(name, hit.clip_id), max(name, hit.clip_id)] = hit.score
    return found


def drop_duplicates(library: "Library", found: Iterable[Duplicate]) -> int:
    """Take the shorter clip of every pair that landmarks found out of the library; how many these were.

    What only an encoder finds alike is reported, not dropped: two takes of one sound may be that near.
    """
    same = [Match(pair.one, pair.other, pair.landmarks) for pair in found if pair.landmarks is not None]
    reasons = surplus(same, library.clips)
    if reasons:
        remove_clips(library.path, reasons)
    return len(reasons)
