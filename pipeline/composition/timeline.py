"""Where each sound of a stream lies, decided in integer samples before anything is rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.errors import BadInput
from pipeline.loudness import Level, hull
from pipeline.timing import to_samples, whole_chunks
from schemas.composition import CompositionParams
from schemas.taxonomy import Role


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One sound of a scene, conditioned, with its place in the order of the scene."""

    key: str
    """Unique in the scene."""
    samples: np.ndarray
    """float32, 1-D, 16 kHz; may be a memory map. Digital silence around the sound is not placed."""
    role: Role = "foreground"
    gap_samples: int | None = None
    """Foreground: exact silence between the latest end so far and this one; negative overlaps (barge-in). None joins
    it to the one before by a crossfade. The first element never overlaps the lead."""
    whole_stream: bool = False
    """Tile or cut to the length of the stream; never foreground."""
    gain_db: float | None = None
    """Relative to the common loudness, in place of the role's gain."""
    slot_samples: int | None = None
    """Foreground: the place it takes in the order, at least its own length, so that the cues of a counterfactual
    pair leave everything after them where it is. A slot is never joined by a crossfade."""
    taper_samples: int = 0
    """Length of the Hann taper both ends already have; they are not faded again."""
    level: Level | None = None
    """`loudness.measure` of exactly these samples, where it is cached."""
    exempt: bool = False
    """Left out of the SNR's reference: the cue of a pair, so that both rows get the same noise."""
    dry: bool = False
    """Kept out of the room (a telephone, a voice at the microphone)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an element lies. Both intervals are half-open: of the stream, and of the element's samples in it.

    Of a tiled element `clip_*` is what is repeated, from a phase of `tile_phase_samples`.
    """

    key: str
    role: Role
    start_sample: int
    end_sample: int
    clip_start_sample: int
    clip_end_sample: int
    join_samples: int = 0
    """Overlap of the crossfade with the foreground before it."""
    tile_phase_samples: int | None = None

    @property
    def origin_sample(self) -> int:
        """Stream sample of the clip's sample 0, to map word times; meaningless for tiled elements."""
        return self.start_sample - self.clip_start_sample


@dataclass(frozen=True, slots=True)
class Timeline:
    """Placements in the order of the elements."""

    elements: tuple[Element, ...]
    placements: tuple[Placement, ...]
    total_samples: int
    """Whole chunks."""

    def __getitem__(self, key: str) -> Placement:
        return {p.key: p for p in self.placements}[key]

    @property
    def silence_ratio(self) -> float:
        """Share of the stream outside every foreground event."""
        covered = end = 0
        for p in sorted(
            (p for p in self.placements if p.role == "foreground"), key=lambda p: (p.start_sample, p.end_sample)
        ):
            covered += max(0, p.end_sample - max(p.start_sample, end))
            end = max(end, p.end_sample)
        return 1 - covered / self.total_samples


def lay_out(
    elements: Sequence[Element], *, params: CompositionParams, rng: np.random.Generator, min_total_samples: int = 0
) -> Timeline:
    """Place foreground elements one after another, the others at random offsets or over the whole stream.

    `rng` draws the lead, the tail, then one offset per element that is not foreground, in order. The stream ends with
    the chunk that holds the last foreground event's slot and the tail, or `min_total_samples` where that is later.

    Raises:
        BadInput: repeated keys, samples that are not audible float32 mono, a gap, slot or flag that cannot be kept,
            or neither a foreground element nor a minimum length.
    """
    spans = [_check(element) for element in elements]
    keys = [element.key for element in elements]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise BadInput(f"two elements have the key {repeated!r}; each needs its own")
    lead, tail = to_samples(params.lead_s.sample(rng)), to_samples(params.tail_s.sample(rng))

    placements: dict[str, Placement] = {}
    previous: Element | None = None
    end = start = lead
    for element, (clip_start, clip_end) in zip(elements, spans, strict=True):
        if element.role != "foreground":
            continue
        size = clip_end - clip_start
        join = 0
        if element.gap_samples is not None:
            begin = end + (element.gap_samples if previous else max(element.gap_samples, 0))
            if begin < start:
                raise BadInput(
                    f"{element.key!r} has a gap of {element.gap_samples!r} samples and would begin at {begin}, "
                    f"before what precedes it (at {start}); raise gap_samples"
                )
        else:
            if previous is not None:
                join = _join_samples(previous, placements[previous.key], element, size, end, params)
            begin = end - join
        placements[element.key] = Placement(
            element.key, "foreground", begin, begin + size, clip_start, clip_end, join_samples=join
        )
        previous, start = element, begin
        end = max(end, begin + max(size, element.slot_samples or 0))
    if previous is None and min_total_samples <= 0:
        raise BadInput("a stream without foreground elements has no length; give min_total_samples")

    total = whole_chunks(max(end + tail if previous else 1, min_total_samples))
    for element, (clip_start, clip_end) in zip(elements, spans, strict=True):
        if element.role != "foreground":
            placements[element.key] = _place_bed(element, clip_start, clip_end, total, rng)
    return Timeline(tuple(elements), tuple(placements[e.key] for e in elements), total)


def lengthened(timeline: Timeline, min_total_samples: int) -> Timeline:
    """The same placements in a stream of at least `min_total_samples`; what spans the whole stream goes on, tiled."""
    total = whole_chunks(max(timeline.total_samples, min_total_samples))
    placements = tuple(_stretch(p, timeline.total_samples, total) for p in timeline.placements)
    return replace(timeline, placements=placements, total_samples=total)


def _stretch(p: Placement, old_total: int, total: int) -> Placement:
    if p.role == "foreground" or (p.start_sample, p.end_sample) != (0, old_total) or total == old_total:
        return p
    return replace(p, end_sample=total, tile_phase_samples=p.tile_phase_samples or 0)


def crossfade_samples(params: CompositionParams) -> int:
    """Length of a fade; 0 where seams are hard cuts."""
    return to_samples(params.crossfade_ms / 1000) if params.seams == "crossfade" else 0


def _join_samples(
    previous: Element, placed: Placement, element: Element, size: int, end: int, params: CompositionParams
) -> int:
    """Overlap of a crossfade: as long as the longest fade in it, and never more than half of either clip."""
    crossfade = crossfade_samples(params)
    if not crossfade or previous.slot_samples or element.slot_samples or placed.end_sample != end:
        return 0
    longest = max(previous.taper_samples or crossfade, element.taper_samples or crossfade)
    return min(longest, (placed.end_sample - placed.start_sample) // 2, size // 2)


def _place_bed(element: Element, clip_start: int, clip_end: int, total: int, rng: np.random.Generator) -> Placement:
    size = clip_end - clip_start
    if element.whole_stream and size < total:
        phase = int(rng.integers(size))
        return Placement(element.key, element.role, 0, total, clip_start, clip_end, tile_phase_samples=phase)
    if size >= total:
        cut = clip_start + int(rng.integers(size - total + 1))
        return Placement(element.key, element.role, 0, total, cut, cut + total)
    begin = int(rng.integers(total - size + 1))
    return Placement(element.key, element.role, begin, begin + size, clip_start, clip_end)


def _check(element: Element) -> tuple[int, int]:
    """Hull of the element's sound, once everything about it is legal."""
    x, key = element.samples, element.key
    if x.dtype != np.float32 or x.ndim != 1:
        raise BadInput(f"{key!r} is {x.dtype} of shape {x.shape}; samples must be float32 and mono, of shape (n,)")
    start, stop = hull(x)
    if stop - start < 2:
        raise BadInput(f"{key!r} has {stop - start} sounding samples of {x.size}; a sound needs at least 2")
    if element.role != "foreground":
        if element.gap_samples is not None or element.slot_samples is not None:
            raise BadInput(f"{key!r} is {element.role}; only foreground elements have a gap or a slot")
    elif element.whole_stream:
        raise BadInput(f"{key!r} is foreground and cannot span the whole stream; make it background or ambient")
    if element.slot_samples is not None and element.slot_samples < stop - start:
        raise BadInput(f"{key!r} has {stop - start} samples and a slot of {element.slot_samples!r}; widen the slot")
    if element.taper_samples < 0 or 2 * element.taper_samples > stop - start:
        raise BadInput(
            f"{key!r} has a taper of {element.taper_samples!r} samples; need 0..{(stop - start) // 2}, half its length"
        )
    return start, stop
