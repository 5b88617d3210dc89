"""One scene from plan to row. Read top to bottom: it is the table of contents of the pipeline.

    plan -> spoken turns and grounded clips -> conditioned sounds -> timeline -> last check -> labels -> mix -> row

A unit is one stream or the two sides of a counterfactual pair. Both sides use the same generators, so all that differs
is the cue; both are lowered by the same amount where one of them would pass the ceiling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.annotation.incremental import Partial, by_segments, by_words
from pipeline.annotation.responses import Judged, label
from pipeline.composition.mix import NoiseTrack, compose
from pipeline.composition.timeline import Element, Timeline, lay_out, lengthened
from pipeline.conditioning.tfjp import Profile
from pipeline.draft import Draft, Part, Tools, audit, expected_label
from pipeline.errors import ReplyRejected, SceneRejected
from pipeline.grounding.cascade import Grounded, Material, Reprocessed, ground
from pipeline.grounding.model import ModelVerifier, check_scene
from pipeline.grounding.verify import Evidence, RuleVerifier, Target, Verdict, Verifier
from pipeline.language.crew import SceneCrew, rejection
from pipeline.library.library import Library
from pipeline.rooms import Room
from pipeline.rows import make_row
from pipeline.seeds import rng
from pipeline.sounds import profile_of
from pipeline.speaking import (
    TELEVISION_GAIN_DB,
    Spoken,
    cuts_of,
    paused,
    reply_s,
    speak_dialogue,
    words_in_stream,
)
from pipeline.synthesis.kinds import render
from pipeline.timing import to_samples, to_seconds
from schemas.plan import StreamPlan
from schemas.protocol import CHUNK_SAMPLES
from schemas.recipe import Recipe
from schemas.row import Row
from schemas.unit import NoisePick, PlannedStream, Unit

BED_NOISE_S = 20.0
"""Length of a generated noise clip before it is tiled."""


@dataclass(frozen=True, slots=True)
class SentBack:
    """Why the last check turned a scene down, and the clips it had."""

    objection: str
    used: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Arranged:
    """A stream whose sounds are found and placed."""

    planned: PlannedStream
    parts: tuple[Part, ...]
    """Events of the row in order: the steps of the plan, then what lies under them."""
    timeline: Timeline
    sent_back: str | None = None
    """Why it was grounded once more."""


def build_unit(unit: Unit, tools: Tools) -> tuple[Row, ...]:
    """Build the row or the two rows of a unit.

    Raises:
        SceneRejected: an event could not be grounded, the scene did not pass its last check, or a language model's
            reply stayed invalid; the whole unit goes to quarantine.
        EndpointDown, BudgetReached, ReplyMissing: the model cannot be asked; the run is to stop.
    """
    crew = tools.crew.scene(unit.streams[0].id)
    try:
        drafts = [_draft(arranged, unit, tools) for arranged in _checked(unit, tools, crew)]
        lowest_db = min(draft.mix.stream_gain_db for draft in drafts)
        with tools.watch("encoding"):
            return tuple(make_row(draft, draft.mix.lowered(lowest_db), unit, tools, crew) for draft in drafts)
    except ReplyRejected as rejected:
        raise rejection(rejected) from None


def generate_unit(unit: Unit, tools: Tools) -> None:
    """Ask for every sound, utterance and caption of a unit, so that `build_unit` finds them all in their cache.

    Raises:
        SceneRejected, EndpointDown, BudgetReached, ReplyMissing: as `build_unit`.
    """
    crew = tools.crew.scene(unit.streams[0].id)
    try:
        if tools.crew.takes("scene_check"):
            # Which may send the scene back, and another try needs other sounds.
            _checked(unit, tools, crew)
            return
        _grounded(unit, tools, crew)
        for stream in unit.streams:
            _spoken(stream, unit, tools)
    except ReplyRejected as rejected:
        raise rejection(rejected) from None


def _checked(unit: Unit, tools: Tools, crew: SceneCrew) -> list[Arranged]:
    """The unit's streams, grounded and placed; a scene that the last check turns down is grounded once more."""
    streams = _arrange(unit, _grounded(unit, tools, crew), tools)
    objection = _objection(streams, crew)
    if objection is not None:
        clips = [part.made_of.material.clip for stream in streams for part in stream.parts]
        sent_back = SentBack(objection, frozenset(clip.clip_id for clip in clips if clip is not None))
        try:
            streams = _arrange(unit, _grounded(unit, tools, crew, sent_back), tools)
            still = _objection(streams, crew)
        except SceneRejected as rejected:
            still = str(rejected)
        if still is not None:
            raise SceneRejected("scene_check", f"{still}; it was sent back once because: {objection}")
    return [replace(stream, sent_back=objection) for stream in streams]


def _objection(streams: Sequence[Arranged], crew: SceneCrew) -> str | None:
    """What the last check finds wrong with the streams of a unit; None where it finds nothing, or nobody looks."""
    for stream in streams:
        placed = sorted((stream.timeline[part.key].start_sample, i) for i, part in enumerate(stream.parts))
        events = [_heard(stream.parts[i], stream.timeline) for _, i in placed]
        check = check_scene(stream.planned.plan.scene, events, crew)
        if check is not None and not check.ok:
            return check.reason
    return None


def _heard(part: Part, timeline: Timeline) -> dict[str, Any]:
    made_of, place = part.made_of, timeline[part.key]
    return {
        "name": made_of.target.sub_event.name if isinstance(made_of, Grounded) else "speech",
        "role": place.role,
        "caption": made_of.material.caption if isinstance(made_of, Grounded) else made_of.utterance.text,
        "source": made_of.material.source,
        "start_s": round(to_seconds(place.start_sample), 2),
        "end_s": round(to_seconds(place.end_sample), 2),
    }


def _arrange(unit: Unit, grounded: Sequence[Sequence[Grounded]], tools: Tools) -> list[Arranged]:
    arranged: list[Arranged] = []
    for stream, found in zip(unit.streams, grounded, strict=True):
        with tools.watch("speaking"):
            spoken = _spoken(stream, unit, tools)
        with tools.watch("conditioning"):
            parts = _parts(stream.plan, found, spoken, tools)
        with tools.watch("composition"):
            elements = _elements(stream.plan, parts, unit, tools.recipe)
            layout = lay_out(elements, params=tools.recipe.composition, rng=rng(unit.seed, 0, "layout"))
        arranged.append(Arranged(stream, parts, layout))
    return arranged


def _spoken(stream: PlannedStream, unit: Unit, tools: Tools) -> list[Spoken]:
    draw = rng(unit.seed, 0, "speech")
    return speak_dialogue(stream.plan, tools.speech, tools.check_speech, tools.recipe.speech, draw, tools.library)


def _draft(arranged: Arranged, unit: Unit, tools: Tools) -> Draft:
    recipe, plan, timeline = tools.recipe, arranged.planned.plan, arranged.timeline
    labels = label(
        _judged(plan, arranged.parts, timeline),
        num_chunks=timeline.total_samples // CHUNK_SAMPLES,
        onset_delay_chunks=recipe.timing.onset_delay_chunks,
        translation_delay_chunks=recipe.timing.translation_delay_chunks,
        scene_type=plan.setting,
        rng=rng(unit.seed, 0, "labels"),
    )
    timeline = lengthened(timeline, labels.num_chunks * CHUNK_SAMPLES)
    with tools.watch("composition"):
        noise = [_noise(pick, unit, tools) for pick in unit.noise]
        room = _room(unit, tools)
        room_ir = None if room is None else room.samples
        mix = compose(timeline, noise, params=recipe.composition, rng=rng(unit.seed, 0, "mix"), room_ir=room_ir)
    rate = _reply_rate(unit, recipe)
    return Draft(arranged.planned, arranged.parts, timeline, labels, mix, room, rate, arranged.sent_back)


def _room(unit: Unit, tools: Tools) -> Room | None:
    """The room that both streams of a unit are in."""
    draw = rng(unit.seed, 0, "room")
    if not tools.rooms or draw.random() >= tools.recipe.composition.room_share:
        return None
    return tools.rooms[int(draw.integers(len(tools.rooms)))]


def _grounded(
    unit: Unit, tools: Tools, crew: SceneCrew, sent_back: SentBack | None = None
) -> list[tuple[Grounded, ...]]:
    """What every sub-event of every stream is made of. The sides of a pair share all but their cue."""
    first, *others = unit.streams
    with tools.watch("grounding"):
        shared = tuple(_ground(i, first, unit, tools, crew, sent_back) for i in range(len(first.plan.scene.sub_events)))
        found = [shared]
        for stream in others:
            assert stream.plan.pair is not None
            cue = stream.plan.steps[stream.plan.pair.step].index
            found.append((*shared[:cue], _ground(cue, stream, unit, tools, crew, sent_back), *shared[cue + 1 :]))
    return found


def _ground(
    index: int, stream: PlannedStream, unit: Unit, tools: Tools, crew: SceneCrew, sent_back: SentBack | None
) -> Grounded:
    plan = stream.plan
    event = plan.scene.sub_events[index]
    names = [e.name for e in plan.scene.sub_events if e.role == "foreground"]
    place = names.index(event.name) if event.role == "foreground" else None
    step = next((s for s in plan.steps if s.source == "event" and s.index == index), None)
    is_cue = plan.pair is not None and step is plan.steps[plan.pair.step]
    target = Target(
        sub_event=event,
        refinement=plan.refinements[index],
        kind=plan.kinds[index],
        scenario=plan.scene.scenario,
        previous=names[place - 1] if place else None,
        next=names[place + 1] if place is not None and place + 1 < len(names) else None,
        single=step is not None and step.single_occurrence,
        max_duration_s=plan.pair.slot_s if plan.pair is not None and is_cue else None,
    )
    verifier: Verifier = RuleVerifier(tools.grounding)
    if tools.crew.takes("verifier"):
        verifier = ModelVerifier(crew, tools.grounding, sent_back.objection if sent_back else None)

    def verify(target: Target, evidence: Evidence) -> Verdict:
        verdict = verifier(target, evidence)
        # What was generated and captioned anew may be heard as something that the plan did not ask for.
        heard_anew = evidence.captioner is not None
        if verdict.verdict == "accept" and (heard_anew or tools.crew.takes("auditor")):
            judged = audit(evidence.caption, evidence.tags, plan, index, tools, crew)
            if judged.label != expected_label(step):
                return Verdict("reject", f"audit: {judged.label}, {expected_label(step)} is wanted: {judged.reason}")
        return verdict

    def reprocess(material: Material) -> Reprocessed:
        return Reprocessed(len(tools.condition(material, profile_of(target.kind, event.role, material.clip)).samples))

    offers = stream.offers[index]
    if sent_back is not None:
        offers = tuple(sorted(offers, key=lambda offer: offer.clip_id in sent_back.used))
    return ground(
        target,
        offers,
        library=tools.library,
        verify=verify,
        reprocess=reprocess,
        params=tools.grounding,
        rng=rng(unit.seed, index, "grounding again" if sent_back else "grounding"),
        generators=tools.generators,
        captioner=tools.captioner,
    )


def _parts(plan: StreamPlan, grounded: Sequence[Grounded], spoken: Sequence[Spoken], tools: Tools) -> tuple[Part, ...]:
    in_steps: list[Grounded | Spoken] = [
        grounded[step.index] if step.source == "event" else spoken[step.index] for step in plan.steps
    ]
    beneath = [g for g in grounded if g.target.sub_event.role != "foreground"]
    parts: list[Part] = []
    for i, made_of in enumerate([*in_steps, *beneath]):
        sound = tools.condition(made_of.material, _profile(made_of))
        cuts = cuts_of(made_of, sound) if isinstance(made_of, Spoken) else ()
        parts.append(Part(f"event-{i}", made_of, paused(sound, cuts), cuts))
    return tuple(parts)


def _profile(made_of: Grounded | Spoken) -> Profile:
    if isinstance(made_of, Spoken):
        return profile_of("speech", "foreground", None)
    return profile_of(made_of.target.kind, made_of.target.sub_event.role, made_of.material.clip)


def _elements(plan: StreamPlan, parts: Sequence[Part], unit: Unit, recipe: Recipe) -> list[Element]:
    draw, lively = rng(unit.seed, 0, "gaps"), rng(unit.seed, 0, "overlaps")
    words_per_minute = _reply_rate(unit, recipe)
    elements: list[Element] = []
    for i, part in enumerate(parts):
        in_steps = i < len(plan.steps)
        is_cue = plan.pair is not None and plan.pair.step == i
        role = "foreground" if isinstance(part.made_of, Spoken) else part.made_of.target.sub_event.role
        gap = _gap(plan, i, to_samples(recipe.timing.gap_s.sample(draw)), words_per_minute) if in_steps else None
        if in_steps and _may_overlap(plan, i) and lively.random() < recipe.timing.overlap.share:
            shorter = min(len(part.sound.samples), len(parts[i - 1].sound.samples))
            gap = -min(to_samples(recipe.timing.overlap.seconds.sample(lively)), shorter // 2)
        television = isinstance(part.made_of, Spoken) and part.made_of.utterance.speaker == "television"
        elements.append(
            Element(
                key=part.key,
                samples=part.sound.samples,
                role=role,
                # Without a gap the event is crossfaded into the one before; the first has only the lead before it.
                gap_samples=gap if i and gap else None,
                whole_stream=role == "ambient",
                slot_samples=to_samples(plan.pair.slot_s) if plan.pair is not None and is_cue else None,
                taper_samples=part.sound.taper_samples,
                level=part.sound.level,
                exempt=is_cue,
                gain_db=TELEVISION_GAIN_DB if television else None,
            )
        )
    return elements


def _may_overlap(plan: StreamPlan, index: int) -> bool:
    """Whether a step may begin during the one before: no words are lost, no label moves, no rule breaks."""
    if not index:
        return False
    before, step = plan.steps[index - 1], plan.steps[index]
    cue = plan.pair.step if plan.pair is not None else None
    if cue in (index - 1, index) or any(
        s.source != "event" or s.decision == "respond" or s.single_occurrence or s.index in plan.targets
        for s in (before, step)
    ):
        return False
    names = {plan.scene.sub_events[s.index].name for s in (before, step)}
    return not any({c.first, c.second} <= names for c in plan.scene.constraints)


def _gap(plan: StreamPlan, index: int, drawn_samples: int, words_per_minute: float) -> int:
    """Samples before a step: as drawn, unless it interrupts a reply or follows a quiet that nothing may disturb."""
    before, step = plan.steps[index - 1] if index else None, plan.steps[index]
    if before is not None and step.cuts is not None and before.reply is not None:
        # The reply begins within a chunk of the turn's end, so this lies within it, whatever the grid.
        rest = to_samples(reply_s(before.reply.text, words_per_minute)) - CHUNK_SAMPLES
        return CHUNK_SAMPLES + max(0, round(step.cuts * rest))
    if before is not None and before.idle_s is not None:
        return (_idle_chunks(before.idle_s) + 1) * CHUNK_SAMPLES + max(0, drawn_samples)
    return drawn_samples


def _reply_rate(unit: Unit, recipe: Recipe) -> float:
    return recipe.timing.reply_wpm.sample(rng(unit.seed, 0, "replies"))


def _idle_chunks(idle_s: float) -> int:
    return math.ceil(to_samples(idle_s) / CHUNK_SAMPLES)


def _judged(plan: StreamPlan, parts: Sequence[Part], timeline: Timeline) -> list[Judged]:
    judged: list[Judged] = []
    for i, (step, part) in enumerate(zip(plan.steps, parts, strict=False)):
        place = timeline[part.key]
        partials: tuple[Partial, ...] = ()
        if step.incremental and step.reply is not None and isinstance(part.made_of, Spoken):
            words = words_in_stream(part.made_of, part.sound, part.cuts, place)
            segments = step.reply.segments
            partials = by_segments(segments, words) if segments else by_words(step.reply.text, words)
        judged.append(
            Judged(
                event=i,
                start_sample=place.start_sample,
                end_sample=place.end_sample,
                sub_task=step.sub_task,
                decision=step.decision,
                reply=step.reply,
                safety=step.safety,
                spoken=part.made_of.utterance.text if isinstance(part.made_of, Spoken) else None,
                partials=partials,
                idle_chunks=None if step.idle_s is None else _idle_chunks(step.idle_s),
            )
        )
    return judged


def _noise(pick: NoisePick, unit: Unit, tools: Tools) -> NoiseTrack:
    if pick.generated_kind is not None:
        draw = rng(unit.seed, pick.track, "noise")
        clips = [render(pick.generated_kind, draw, duration_s=BED_NOISE_S)]
    else:
        clips = [_audible(tools.library, clip_id) for clip_id in pick.clip_ids]
    return NoiseTrack(pick.track, clips, pick.snr_db)


def _audible(library: Library, clip_id: str) -> np.ndarray:
    clip = library.clips[clip_id]
    return library.read(clip_id, clip.active_start, clip.active_end)
