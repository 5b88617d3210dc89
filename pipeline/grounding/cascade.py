"""Finding or making the clip of a sub-event: accept, reprocess once, next candidate, and at last synthesis.

offer -> verify on the clip's measurements -> accept
                                           -> reprocess: shorten, condition, verify once more
                                           -> reject: next offer
none left -> render the fallback caption, verified by the same rule
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline import seeds
from pipeline.errors import SceneRejected
from pipeline.grounding.verify import Evidence, Target, Verdict, Verifier
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.synthesis import kinds
from pipeline.timing import to_samples, to_seconds
from schemas.provenance import CandidateRecord
from schemas.recipe import GroundingParams
from schemas.taxonomy import EventSource
from schemas.unit import Offer

SYNTHESIS_DRAWS = 4
"""Variants of a generated sound that are tried; they differ in length."""
BED_S = 20.0
"""Length of a generated bed before it is tiled."""
LENGTH_STEP_S = 0.25
GENERATOR = f"{kinds.name}/{kinds.version}"


@dataclass(frozen=True, slots=True)
class Rendering:
    """A procedural sound by what determines it, so that a validator can make it again."""

    kind: str
    seed: int
    duration_s: float

    @property
    def content(self) -> str:
        """Hex digest of all that determines the samples."""
        return hashlib.sha256(f"{GENERATOR}\x1f{self.kind}\x1f{self.seed}\x1f{self.duration_s!r}".encode()).hexdigest()

    def samples(self) -> np.ndarray:
        """float32, 16 kHz mono; always the same."""
        return kinds.render(self.kind, seeds.rng(self.seed, self.kind, "rendering"), duration_s=self.duration_s)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A stretch of sound before conditioning: float32, 16 kHz mono, and where it comes from.

    `clip_start_sample`, `clip_end_sample` are in the 16 kHz store; `clip` is None for generated sound.
    """

    samples: np.ndarray
    source: EventSource
    clip: Clip | None
    clip_start_sample: int
    clip_end_sample: int
    caption: str
    tags: tuple[str, ...]
    generator: str | None
    licence: str
    attribution: str
    score: float | None = None
    rendering: Rendering | None = None
    content: str | None = None
    """Hex digest of what determines a generated sound that may come again."""


@dataclass(frozen=True, slots=True)
class Reprocessed:
    """What conditioning made of a material: its new length, which the second verification judges."""

    num_samples: int


Reprocess = Callable[[Material], Reprocessed]
"""Conditioning, passed in: grounding does not know that stage."""


@dataclass(frozen=True, slots=True, eq=False)
class Grounded:
    """A committed material, its verdict, and every candidate that was judged on the way."""

    target: Target
    material: Material
    verdict: Verdict
    candidates: tuple[CandidateRecord, ...]


def ground(
    target: Target,
    offers: Sequence[Offer],
    *,
    library: Library,
    verify: Verifier,
    reprocess: Reprocess,
    params: GroundingParams,
    rng: np.random.Generator,
) -> Grounded:
    """Commit one clip to a sub-event.

    Args:
        target: the sub-event and its neighbours.
        offers: clips of the scene's split, best first, from the planning pass.
        library: where the clips are.
        verify: the verifier; rules by default.
        reprocess: conditions a material and measures the result.
        params: duration bounds.
        rng: which occurrence or window of a clip is taken, and the generator's variant.

    Raises:
        SceneRejected: no offer passed, and no generator could make the sound.
    """
    records: list[CandidateRecord] = []
    for material in _candidates(target, offers, library, params, rng):
        verdict = verify(target, _evidence(material))
        records.append(_record(material, verdict))
        if verdict.verdict == "reprocess":
            material = _shorten(material, target, params, rng)
            verdict = verify(target, _evidence(material, reprocess(material)))
            records.append(_record(material, verdict))
        if verdict.verdict == "accept":
            return Grounded(target, material, verdict, tuple(records))
    reasons = "; ".join(record.reason for record in records) or "nothing was offered"
    raise SceneRejected("grounding", f"{target.sub_event.name!r}: {reasons}; and no generator could make it")


def _candidates(
    target: Target, offers: Sequence[Offer], library: Library, params: GroundingParams, rng: np.random.Generator
) -> Iterator[Material]:
    """Offered clips, best first, and when they are exhausted variants of a synthesized sound."""
    for offer in offers:
        yield _cut(library, offer, target, rng)
    for _ in range(SYNTHESIS_DRAWS):
        generated = _synthesize(target, library, params, rng)
        if generated is not None:
            yield generated


def _cut(library: Library, offer: Offer, target: Target, rng: np.random.Generator) -> Material:
    """The audible part of an offered clip, or one occurrence of it where a single one is wanted."""
    clip = library.clips[offer.clip_id]
    start, end = clip.active_start, clip.active_end
    if target.single and clip.occurrences:
        start, end = clip.occurrences[int(rng.integers(len(clip.occurrences)))]
    return Material(
        samples=library.read(clip.clip_id, start, end),
        source="retrieved",
        clip=clip,
        clip_start_sample=start,
        clip_end_sample=end,
        caption=clip.caption,
        tags=clip.tags,
        generator=None,
        licence=clip.licence,
        attribution=clip.attribution,
        score=offer.score,
    )


def _shorten(material: Material, target: Target, params: GroundingParams, rng: np.random.Generator) -> Material:
    """A material that is too long becomes whole occurrences that fit, or else a window of the planned length."""
    planned = target.sub_event.rough_duration_s
    limit_s = min(planned * params.max_duration_ratio, target.max_duration_s or np.inf)
    if to_seconds(len(material.samples)) <= limit_s or target.sustained:
        return material
    longest, wanted = to_samples(limit_s), to_samples(min(planned, limit_s))
    clip = material.clip
    fitting = [] if clip is None else _whole_occurrences(clip, longest, wanted * params.min_duration_ratio)
    if fitting:
        start, end = fitting[int(rng.integers(len(fitting)))]
    else:
        start = material.clip_start_sample + int(rng.integers(len(material.samples) - wanted + 1))
        end = start + wanted
    offset = start - material.clip_start_sample
    return replace(
        material,
        samples=material.samples[offset : offset + end - start],
        clip_start_sample=start,
        clip_end_sample=end,
    )


def _whole_occurrences(clip: Clip, longest: int, shortest: float) -> list[tuple[int, int]]:
    """Spans from one occurrence's start to the same or a later one's end, not longer than `longest` samples."""
    spans: list[tuple[int, int]] = []
    for i, (start, _) in enumerate(clip.occurrences):
        ends = [end for _, end in clip.occurrences[i:] if shortest <= end - start <= longest]
        if ends:
            spans.append((start, ends[-1]))
    return spans


def _synthesize(
    target: Target, library: Library, params: GroundingParams, rng: np.random.Generator
) -> Material | None:
    """Render the fallback caption, None where nothing resembles it; what comes out is described by what was rendered, not by the caption."""
    planned = target.sub_event.rough_duration_s
    sustained = True if target.sustained else None
    # A long caption may say more than the synthesizer's few words explain; the plan's own words are plainer.
    event, tags = target.sub_event, target.refinement.accept_tags
    texts = (target.refinement.fallback_caption, event.brief_description.partition(",")[0], event.name)
    matched = (kinds.match_kind(text, tags, sustained=sustained) for text in texts)
    name = next((kind for kind in matched if kind is not None), None)
    if name is None:
        return None
    kind = kinds.KINDS[name]
    # A bed is tiled anyway; lengths in steps let one rendering serve many events.
    wanted_s = BED_S if target.sustained else max(LENGTH_STEP_S, round(planned / LENGTH_STEP_S) * LENGTH_STEP_S)
    rendering = Rendering(name, int(rng.integers(params.variants)), min(wanted_s, target.max_duration_s or wanted_s))
    samples = _rendered(rendering, library)
    return Material(
        samples=samples,
        source="synthesized",
        clip=None,
        clip_start_sample=0,
        clip_end_sample=len(samples),
        caption=kind.captions[0],
        tags=kind.tags,
        generator=f"{GENERATOR}:{name}",
        licence="CC0-1.0",
        attribution=GENERATOR,
        rendering=rendering,
        content=rendering.content,
    )


def _rendered(rendering: Rendering, library: Library) -> np.ndarray:
    found = library.conditioned.get(rendering.content)
    if found is None:
        library.conditioned.put(rendering.content, samples := rendering.samples(), {})
        return samples
    return found[0]


def _evidence(material: Material, reprocessed: Reprocessed | None = None) -> Evidence:
    clip = material.clip
    starts_with_clip = clip is not None and material.clip_start_sample == clip.active_start
    ends_with_clip = clip is not None and material.clip_end_sample == clip.active_end
    inside = (
        []
        if clip is None
        else [o for o in clip.occurrences if o[0] >= material.clip_start_sample and o[1] <= material.clip_end_sample]
    )
    return Evidence(
        caption=material.caption,
        tags=material.tags,
        source="retrieved" if material.source == "retrieved" else "synthesized",
        score=material.score,
        duration_s=to_seconds(reprocessed.num_samples if reprocessed else len(material.samples)),
        occurrences=1 if clip is None else len(inside),
        # Conditioning tapers both ends, so what it returns no longer starts or stops abruptly.
        onset_cut=reprocessed is None and starts_with_clip and clip is not None and clip.onset_cut,
        offset_cut=reprocessed is None and ends_with_clip and clip is not None and clip.offset_cut,
        # A continuous sound is its own floor.
        snr_db=clip.snr_db if clip is not None and clip.track_class == "event" else None,
        samples=material.samples,
    )


def _record(material: Material, verdict: Verdict) -> CandidateRecord:
    return CandidateRecord(
        clip_id=None if material.clip is None else material.clip.clip_id,
        generator=material.generator,
        score=material.score,
        verdict=verdict.verdict,
        reason=verdict.reason,
    )
