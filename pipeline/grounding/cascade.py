"""Finding or making the clip of a sub-event: accept, reprocess once, next candidate, and at last synthesis.

offer -> verify on the clip's measurements -> accept
                                           -> reprocess: shorten, condition, verify once more
                                           -> reject: next offer
none left -> generate from the fallback caption; what comes is captioned anew and verified by the same rule
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from pipeline.errors import SceneRejected
from pipeline.grounding.captions import Captioner, no_captioner
from pipeline.grounding.verify import Evidence, Target, Verdict, Verifier
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.library.segment import Measures, measure
from pipeline.synthesis.generators import Generated, ProceduralGenerator, Rendering, SoundGenerator, Wish
from pipeline.timing import to_samples, to_seconds
from schemas.protocol import SAMPLE_RATE
from schemas.provenance import CandidateRecord
from schemas.recipe import GroundingParams
from schemas.taxonomy import EventSource
from schemas.unit import Offer

BED_S = 20.0
"""Length of a generated bed before it is tiled."""
LENGTH_STEP_S = 0.25


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
    wish: Wish | None = None
    """What a generator that does not know its sounds was asked for."""
    captioner: str | None = None
    """Who listened to it; None where its annotations or its synthesizer speak for it."""
    measures: Measures | None = None
    """Of a sound that nobody rendered by kind."""

    @property
    def measured(self) -> Clip | Measures | None:
        """What is measured of it, whether it is a clip or was generated; None for a rendered or spoken one."""
        return self.clip if self.clip is not None else self.measures

    @property
    def occurrences(self) -> list[tuple[int, int]]:
        """Audible spans that lie whole in it, in samples of the store; none where nothing was measured."""
        first, last = self.clip_start_sample, self.clip_end_sample
        measured = self.measured
        return [] if measured is None else [o for o in measured.occurrences if first <= o[0] and o[1] <= last]


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
    generators: Sequence[SoundGenerator] = (ProceduralGenerator(),),
    captioner: Captioner = no_captioner,
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
        generators: what makes the sound where no offer passes, in order of preference.
        captioner: says what is heard in sounds whose generator does not know.

    Raises:
        SceneRejected: no offer passed, and no generator could make the sound.
    """
    records: list[CandidateRecord] = []
    made = _made(target, generators, captioner, params, rng)
    for material in chain((_cut(library, offer, target, rng) for offer in offers), made):
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
    fitting = _whole_occurrences(material.occurrences, longest, wanted * params.min_duration_ratio)
    if fitting:
        start, end = fitting[int(rng.integers(len(fitting)))]
    else:
        start = _audible_start(material, wanted, rng)
        end = start + wanted
    offset = start - material.clip_start_sample
    return replace(
        material,
        samples=material.samples[offset : offset + end - start],
        clip_start_sample=start,
        clip_end_sample=end,
    )


def _audible_start(material: Material, wanted: int, rng: np.random.Generator) -> int:
    """Where a window of `wanted` samples begins: inside an occurrence or with it, never in the pause between two."""
    first, last = material.clip_start_sample, material.clip_end_sample - wanted
    spans = material.occurrences
    start, end = spans[int(rng.integers(len(spans)))] if spans else (first, material.clip_end_sample)
    return int(np.clip(start + rng.integers(max(0, end - wanted - start) + 1), first, last))


def _whole_occurrences(occurrences: Sequence[tuple[int, int]], longest: int, shortest: float) -> list[tuple[int, int]]:
    """Spans from one occurrence's start to the same or a later one's end, not longer than `longest` samples."""
    spans: list[tuple[int, int]] = []
    for i, (start, _) in enumerate(occurrences):
        ends = [end for _, end in occurrences[i:] if shortest <= end - start <= longest]
        if ends:
            spans.append((start, ends[-1]))
    return spans


def _made(
    target: Target,
    generators: Sequence[SoundGenerator],
    captioner: Captioner,
    params: GroundingParams,
    rng: np.random.Generator,
) -> Iterator[Material]:
    """Variants of a generated sound from each generator in turn, until one cannot make it."""
    for generator in generators:
        for _ in range(generator.takes):
            wish = _wish(target, params, rng)
            generated = generator.generate(wish)
            if generated is None:
                break
            material = _material(generated, wish, target, captioner, rng)
            if material is not None:
                yield material


def _wish(target: Target, params: GroundingParams, rng: np.random.Generator) -> Wish:
    event = target.sub_event
    planned = event.rough_duration_s
    # A bed is tiled anyway; lengths in steps and few seeds let one sound serve many events.
    wanted_s = BED_S if target.sustained else max(LENGTH_STEP_S, round(planned / LENGTH_STEP_S) * LENGTH_STEP_S)
    return Wish(
        caption=target.refinement.fallback_caption,
        tags=target.refinement.accept_tags,
        duration_s=min(wanted_s, target.max_duration_s or wanted_s),
        seed=int(rng.integers(params.variants)),
        kind=target.kind,
        sustained=target.sustained,
        # A long caption may say more than the synthesizer's few words explain; the plan's own words are plainer.
        plainer=(event.brief_description.partition(",")[0], event.name),
    )


def _material(
    generated: Generated, wish: Wish, target: Target, captioner: Captioner, rng: np.random.Generator
) -> Material | None:
    """A generated sound as a candidate. One that its generator does not know is measured, cut and captioned like a clip
    of a library; None where nothing is heard in it, or nobody can say what."""
    start, end, measures = 0, len(generated.samples), None
    caption, tags, by = generated.caption, generated.tags, None
    if caption is None or tags is None:
        try:
            measures = measure(generated.samples, rate=SAMPLE_RATE)
        except ValueError:
            return None
        described = captioner(generated.samples)
        if described is None:
            return None
        caption, tags, by = described.caption, described.tags, described.by
        start, end = measures.occurrences[0][0], measures.occurrences[-1][1]
        if target.single:
            start, end = measures.occurrences[int(rng.integers(len(measures.occurrences)))]
    return Material(
        samples=generated.samples[start:end],
        source="synthesized",
        clip=None,
        clip_start_sample=start,
        clip_end_sample=end,
        caption=caption,
        tags=tags,
        generator=generated.generator,
        licence=generated.licence,
        attribution=generated.attribution,
        rendering=generated.rendering,
        content=generated.content,
        wish=None if by is None else wish,
        captioner=by,
        measures=measures,
    )


def _evidence(material: Material, reprocessed: Reprocessed | None = None) -> Evidence:
    measured = material.measured
    starts = measured is not None and material.clip_start_sample == measured.occurrences[0][0]
    ends = measured is not None and material.clip_end_sample == measured.occurrences[-1][1]
    return Evidence(
        caption=material.caption,
        tags=material.tags,
        source="retrieved" if material.source == "retrieved" else "synthesized",
        score=material.score,
        duration_s=to_seconds(reprocessed.num_samples if reprocessed else len(material.samples)),
        occurrences=1 if measured is None else len(material.occurrences),
        # Conditioning tapers both ends, so what it returns no longer starts or stops abruptly.
        onset_cut=reprocessed is None and starts and measured is not None and measured.onset_cut,
        offset_cut=reprocessed is None and ends and measured is not None and measured.offset_cut,
        # A continuous sound is its own floor.
        snr_db=measured.snr_db if measured is not None and measured.track_class == "event" else None,
        samples=material.samples,
        captioner=material.captioner,
    )


def _record(material: Material, verdict: Verdict) -> CandidateRecord:
    return CandidateRecord(
        clip_id=None if material.clip is None else material.clip.clip_id,
        generator=material.generator,
        score=material.score,
        verdict=verdict.verdict,
        reason=verdict.reason,
        captioner=material.captioner,
    )
