"""Which clips each split may use, and what for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.annotation.audit import Audit, audit
from pipeline.errors import BadInput
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.library.licences import clashes
from pipeline.planning.annotations import Annotation, Recording, Voices, voices_of
from pipeline.planning.settings import CJK
from pipeline.synthesis.align import words_of
from pipeline.timing import to_seconds
from schemas.recipe import Recipe
from schemas.taxonomy import CRITERION_OF_TASK

MAX_TAKES = 8
NAMED = 5
"""So many clips are named in a message."""
RECORDING_S = (0.1, 20.0)
"""Length of a speech clip that is transcribed: less is no word, more cannot be broken off."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The clips of one split that the recipe and the audit admit."""

    annotations: tuple[Annotation, ...]
    silent: frozenset[str]
    respond: Mapping[str, frozenset[str]]
    """By criterion."""
    noise: Mapping[str, tuple[Clip, ...]]
    """By track: "event" and "ambient"; only clips that the audit calls silent."""
    voices: Voices
    """Speech that can be written down."""


def split_pools(recipe: Recipe, library: Library, dealt: Mapping[str, str] | None = None) -> dict[str, Pool]:
    """Partition the library: every clip belongs to one split, and each class to as many of them as its size allows.

    `dealt` are clips, with their splits, that earlier versions of the corpus used; they and their other takes stay.

    Raises:
        BadInput: no clip has a licence that the recipe admits, or their licences clash.
    """
    admitted = [c for c in library.clips.values() if recipe.licences is None or c.licence in recipe.licences]
    if not admitted:
        raise BadInput(
            f"no clip of the library has a licence in {list(recipe.licences or ())!r}; "
            "`streamaudio library info` lists what it has"
        )
    _check_licences(recipe, admitted)
    held = dealt or {}
    clips = _deal(_recordings([c for c in admitted if not c.speaker]), recipe.splits, held)
    voices = _voices([c for c in admitted if c.speaker])
    for split, members in _deal(voices, recipe.splits, held, one_each=len(voices) >= len(recipe.splits)).items():
        clips[split] += members
    audits = {c.clip_id: audit(c.caption, c.tags, policy=recipe.policy) for c in admitted}
    return {split: _pool(members, audits) for split, members in clips.items()}


def _deal(
    groups: Sequence[Sequence[Clip]],
    shares: Mapping[str, float],
    held: Mapping[str, str],
    *,
    one_each: bool = False,
) -> dict[str, list[Clip]]:
    """Groups to splits, by the splits' shares of all clips; with `one_each` the smallest splits choose first."""
    clips: dict[str, list[Clip]] = {split: [] for split in shares}
    choosing = sorted(shares, key=lambda split: shares[split])[:-1] if one_each else []
    done = 0
    for group in groups:
        done += len(group)
        # Dealing to whoever lacks most spreads neighbours, which are of one class, over the splits.
        lacking = choosing.pop(0) if choosing else max(shares, key=lambda name: shares[name] * done - len(clips[name]))
        together = next((held[c.clip_id] for c in group if c.clip_id in held), lacking)
        for clip in group:
            if (split := held.get(clip.clip_id, together)) in clips:
                clips[split].append(clip)
    return clips


def _check_licences(recipe: Recipe, clips: Sequence[Clip]) -> None:
    licences = {clip.licence for clip in clips}
    for why, names in clashes(licences, recipe.use):
        causes = [clip for clip in clips if clip.licence in names]
        named = ", ".join(f"{clip.clip_id} ({clip.caption!r}, {clip.licence})" for clip in causes[:NAMED])
        more = f" and {len(causes) - NAMED} more" if len(causes) > NAMED else ""
        raise BadInput(
            f"use = {recipe.use!r}: clips under {', '.join(sorted(names))} {why}: {named}{more}; name what may enter, "
            f"such as licences: [{', '.join(sorted(licences - names))}], or declare another use"
        )


def _recordings(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Takes of one recording stay together, or one sound would sit in two splits; ordered by class, then by hash."""
    grouped: dict[str, list[Clip]] = defaultdict(list)
    authors = Counter(c.attribution for c in clips)
    for clip in clips:
        # An attribution shared by many clips names an author or a collection, not a recording.
        alone = not clip.attribution or authors[clip.attribution] > MAX_TAKES
        grouped[clip.clip_id if alone else clip.attribution].append(clip)
    return sorted(grouped.values(), key=lambda takes: (takes[0].tags[:1], min(c.sha256 for c in takes)))


def _voices(clips: Sequence[Clip]) -> list[list[Clip]]:
    """All of a speaker stays together, or a model would be tested on voices it knows; who says least comes first."""
    grouped: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        grouped[clip.speaker].append(clip)
    return sorted(grouped.values(), key=lambda said: (len(said), min(c.sha256 for c in said)))


def _pool(clips: Sequence[Clip], audits: Mapping[str, Audit]) -> Pool:
    sounds = [c for c in clips if c.kind != "speech" and audits[c.clip_id].label != "borderline"]
    silent = [c for c in sounds if audits[c.clip_id].label == "silent"]
    return Pool(
        annotations=tuple(_annotation(c, audits[c.clip_id]) for c in sounds),
        silent=frozenset(c.clip_id for c in silent),
        respond={
            criterion: frozenset(
                c.clip_id
                for c in sounds
                if audits[c.clip_id].label == "respond" and audits[c.clip_id].criterion == criterion
            )
            for criterion in CRITERION_OF_TASK.values()
        },
        noise={
            track: tuple(c for c in silent if c.track_class == track and c.kind == "sfx")
            for track in ("event", "ambient")
        },
        voices=voices_of(_recording(c) for c in clips if c.kind == "speech" and _can_be_written_down(c)),
    )


def _can_be_written_down(clip: Clip) -> bool:
    low, high = RECORDING_S
    return bool(words_of(clip.transcript)) and low <= to_seconds(clip.active_end - clip.active_start) <= high


def _recording(clip: Clip) -> Recording:
    text = " ".join(clip.transcript.split())
    language = "zh" if CJK.search(text) else clip.language or "en"
    return Recording(clip.clip_id, text, language, clip.speaker, to_seconds(clip.active_end - clip.active_start))


def _annotation(clip: Clip, judged: Audit) -> Annotation:
    lengths = [end - start for start, end in clip.occurrences]
    return Annotation(
        clip_id=clip.clip_id,
        caption=clip.caption,
        tags=clip.tags,
        kind=clip.kind,
        duration_s=to_seconds(clip.active_end - clip.active_start),
        single_s=to_seconds(int(np.median(lengths))) if lengths and clip.track_class == "event" else None,
        label=judged.label,
        criterion=judged.criterion,
        sustained=clip.track_class == "ambient",
    )
