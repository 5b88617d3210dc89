"""A draft as a row: columns, audio, and where everything in it comes from."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import soundfile as sf

from pipeline.annotation.audit import AUDITOR_NAME, AUDITOR_VERSION
from pipeline.composition.mix import Composition
from pipeline.draft import Draft, Part, Tools, audit, expected_label
from pipeline.errors import SceneRejected
from pipeline.grounding.cascade import Grounded
from pipeline.grounding.verify import VERIFIER
from pipeline.language.crew import SceneCrew
from pipeline.speaking import (
    Spoken,
    reply_s,
    speech_record,
)
from pipeline.synthesis.spoken import REWRITER
from pipeline.timing import to_samples
from schemas import row as columns
from schemas.language import LanguageRole
from schemas.plan import StreamPlan
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.provenance import (
    Agent,
    AnswerRecord,
    AuditRecord,
    ConditioningRecord,
    GenerationRecord,
    GroundingRecord,
    PairRecord,
    Provenance,
    RenderingRecord,
    ReplyRecord,
    RoomRecord,
    SceneCheckRecord,
)
from schemas.row import Event, Row
from schemas.unit import Unit

TRANSCRIPT = "transcript"
"""In place of an encoder: a recording is chosen by its words."""


def make_row(draft: Draft, mix: Composition, unit: Unit, tools: Tools, crew: SceneCrew) -> Row:
    """A finished stream as a row; `mix` is the draft's, lowered where its unit needs that.

    Raises:
        SceneRejected: the auditor hears a sound otherwise than its step needs.
    """
    plan = draft.stream.plan
    return Row(
        id=draft.stream.id,
        split=unit.split,
        ability=plan.ability,
        sub_task=plan.sub_task,
        language=plan.language,
        scenario=plan.scene.scenario,
        audio=_flac(mix),
        sampling_rate=SAMPLE_RATE,
        num_samples=draft.timeline.total_samples,
        chunk_samples=CHUNK_SAMPLES,
        num_chunks=draft.timeline.total_samples // CHUNK_SAMPLES,
        turns=draft.labels.turns,
        responses=draft.labels.responses,
        events=tuple(_event(i, part, draft, mix, tools) for i, part in enumerate(draft.parts)),
        noise=tuple(
            columns.NoiseTrack(
                track=done.track,
                snr_db=done.snr_db,
                clip_ids=pick.clip_ids,
                licences=tuple(tools.library.clips[c].licence for c in pick.clip_ids) or ("CC0-1.0",),
            )
            for pick, done in zip(unit.noise, mix.noise, strict=True)
        ),
        pair_id=unit.pair_id,
        plan_json=plan.model_dump_json(),
        provenance_json=_provenance(draft, unit, tools, crew).model_dump_json(),
        seed=unit.seed,
        recipe_sha256=tools.recipe_sha256,
        quality=mix.quality,
    )


def _flac(mix: Composition) -> bytes:
    """FLAC, 16 kHz mono 16 bit."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", samplerate=SAMPLE_RATE, channels=1, format="FLAC", subtype="PCM_16") as flac:
        for block in mix.blocks():
            # The ceiling lies below full scale, so nothing is left to clip.
            scaled = block * np.float32(32768)
            flac.write(np.rint(scaled, out=scaled).astype(np.int16))
    return file.getvalue()


def _event(index: int, part: Part, draft: Draft, mix: Composition, tools: Tools) -> Event:
    plan, place = draft.stream.plan, draft.timeline[part.key]
    material = part.made_of.material
    clip = material.clip
    kept = (part.sound.spans[0].clip_start_sample, part.sound.spans[-1].clip_end_sample)
    grounded = part.made_of if isinstance(part.made_of, Grounded) else None
    spoken = part.made_of if isinstance(part.made_of, Spoken) else None
    return Event(
        name=grounded.target.sub_event.name if grounded else "speech",
        role=place.role,
        kind=grounded.target.kind if grounded else "speech",
        source=material.source,
        start_sample=place.start_sample,
        end_sample=place.end_sample,
        gain_db=mix.gains_db[part.key],
        clip_id=clip.clip_id if clip else None,
        clip_sha256=clip.sha256 if clip else None,
        clip_start_sample=material.clip_start_sample + kept[0] if clip else None,
        clip_end_sample=material.clip_start_sample + kept[1] if clip else None,
        query=grounded.target.refinement.query if grounded else None,
        caption=material.caption,
        encoder=None if clip is None else tools.grounding.scorer if grounded else TRANSCRIPT,
        score=material.score,
        verdict=grounded.verdict.verdict if grounded else "accept" if clip else None,
        decision=plan.steps[index].decision if index < len(plan.steps) else "none",
        transcript=spoken.utterance.text if spoken else clip.transcript if clip else None,
        generator=material.generator,
        licence=material.licence,
        attribution=material.attribution,
    )


def _provenance(draft: Draft, unit: Unit, tools: Tools, crew: SceneCrew) -> Provenance:
    plan, recipe = draft.stream.plan, tools.recipe
    scripted = Agent(name="scripted", version="1")

    def wrote(role: LanguageRole) -> Agent:
        return tools.crew.agent(role) if role in plan.by_model else scripted

    def judges(role: LanguageRole, name: str, version: str) -> Agent:
        return tools.crew.agent(role) if tools.crew.takes(role) else Agent(name=name, version=version)

    audits = tuple(_audits(draft, tools, crew))
    checker = tools.crew.agent("scene_check") if tools.crew.takes("scene_check") else None
    return Provenance(
        policy=recipe.policy,
        planner=wrote("planner"),
        refiner=wrote("refiner"),
        responder=wrote("responder"),
        rewriter=_rewriter(plan, tools),
        history_review=tools.crew.agent("history_review") if "history_review" in plan.by_model else None,
        verifier=judges("verifier", *VERIFIER),
        auditor=judges("auditor", AUDITOR_NAME, AUDITOR_VERSION),
        scene_check=None if checker is None else SceneCheckRecord(agent=checker, sent_back=draft.sent_back),
        fallbacks=(*unit.fallbacks, *crew.stood_in()),
        audits=audits,
        grounding=tuple(
            GroundingRecord(
                event=i,
                threshold=tools.grounding.min_score if part.made_of.material.clip else None,
                candidates=part.made_of.candidates,
            )
            for i, part in enumerate(draft.parts)
            if isinstance(part.made_of, Grounded)
        ),
        conditioning=tuple(_conditioning(i, part) for i, part in enumerate(draft.parts)),
        renderings=tuple(
            RenderingRecord(event=i, kind=made.kind, seed=made.seed, duration_s=made.duration_s)
            for i, part in enumerate(draft.parts)
            if (made := part.made_of.material.rendering) is not None
        ),
        generations=tuple(_generations(draft)),
        speech=tuple(
            speech_record(i, part.made_of, part.sound, part.cuts, draft.timeline[part.key])
            for i, part in enumerate(draft.parts)
            if isinstance(part.made_of, Spoken)
        ),
        targets=tuple(i for i, sub_event in enumerate(_sub_events(plan)) if sub_event in plan.targets),
        step_events=tuple(range(len(plan.steps))),
        pair=_pair(draft),
        room=None if (room := draft.room) is None else RoomRecord(name=room.name, sha256=room.sha256),
        answers=tuple(_answers(draft)),
        replies=tuple(_replies(draft)),
        bed_seams=tuple(seam.sample for seam in draft.mix.seams if seam.kind == "tile"),
    )


def _rewriter(plan: StreamPlan, tools: Tools) -> Agent | None:
    if "rewriter" in plan.by_model:
        return tools.crew.agent("rewriter")
    return Agent(name=REWRITER[0], version=REWRITER[1]) if plan.rewritten else None


def _generations(draft: Draft) -> Iterator[GenerationRecord]:
    """What was asked for where a service, a model or a program made the sound."""
    for i, part in enumerate(draft.parts):
        material = part.made_of.material
        if material.wish is not None and material.generator is not None and material.content is not None:
            yield GenerationRecord(
                event=i,
                generator=material.generator,
                caption=material.wish.caption,
                duration_s=material.wish.duration_s,
                seed=material.wish.seed,
                samples_sha256=material.content,
            )


def _sub_events(plan: StreamPlan) -> list[int | None]:
    """The sub-event of each event of the row; None where somebody speaks."""
    beneath = [i for i, e in enumerate(plan.scene.sub_events) if e.role != "foreground"]
    return [*(step.index if step.source == "event" else None for step in plan.steps), *beneath]


def _answers(draft: Draft) -> Iterator[AnswerRecord]:
    """Options and their right one; the turn that a question looks back to."""
    plan = draft.stream.plan
    said = {step.index: i for i, step in enumerate(plan.steps) if step.source == "speech"}
    for i, step in enumerate(plan.steps):
        turn = None
        if step.recalls is not None:
            start = draft.timeline[draft.parts[said[step.recalls]].key].start_sample
            turn = next(k for k, t in enumerate(draft.labels.turns) if t.start_sample == start)
        if turn is not None or step.options:
            yield AnswerRecord(event=i, options=step.options, right_option=step.right_option, answer_turn=turn)


def _replies(draft: Draft) -> Iterator[ReplyRecord]:
    """Every reply that somebody speaks into."""
    steps = draft.stream.plan.steps
    for i, (step, then) in enumerate(pairwise(steps)):
        if then.cuts is None or step.reply is None:
            continue
        chunk = next(r.chunk for r in draft.labels.responses if r.event == i)
        start = (chunk + 1) * CHUNK_SAMPLES
        interrupted = then.decision == "respond"
        yield ReplyRecord(
            event=i,
            words_per_minute=draft.words_per_minute,
            nominal_start_sample=start,
            nominal_end_sample=start + to_samples(reply_s(step.reply.text, draft.words_per_minute)),
            cut_sample=draft.timeline[draft.parts[i + 1].key].start_sample if interrupted else None,
        )


def _audits(draft: Draft, tools: Tools, crew: SceneCrew) -> list[AuditRecord]:
    plan = draft.stream.plan
    names = [event.name for event in plan.scene.sub_events]
    records: list[AuditRecord] = []
    for i, part in enumerate(draft.parts):
        if isinstance(part.made_of, Spoken):
            continue
        index = names.index(part.made_of.target.sub_event.name)
        judged = audit(part.made_of.material.caption, part.made_of.material.tags, plan, index, tools, crew)
        expected = expected_label(plan.steps[i] if i < len(plan.steps) else None)
        # What was grounded may be heard otherwise: beside the other side's cue of a pair, or, a trigger's clip, here.
        if judged.label != expected and (expected == "respond" or tools.crew.takes("auditor")):
            name = part.made_of.target.sub_event.name
            raise SceneRejected("auditor", f"{name!r} is {judged.label}, {expected} is wanted: {judged.reason}")
        records.append(
            AuditRecord(
                event=i,
                label=judged.label,
                criterion=judged.criterion,
                reason=judged.reason,
                confidence=judged.confidence,
            )
        )
    return records


def _conditioning(index: int, part: Part) -> ConditioningRecord:
    material = part.made_of.material
    return ConditioningRecord(
        event=index,
        profile=part.sound.profile,
        material=(material.clip_start_sample, material.clip_end_sample),
        spans=tuple((s.clip_start_sample, s.clip_end_sample, s.start_sample) for s in part.sound.spans),
        iterations=part.sound.iterations,
        hit_cap=part.sound.hit_cap,
        reason=part.sound.reason,
    )


def _pair(draft: Draft) -> PairRecord | None:
    pair = draft.stream.plan.pair
    if pair is None:
        return None
    start = draft.timeline[draft.parts[pair.step].key].start_sample
    return PairRecord(
        event=pair.step,
        side=pair.side,
        slot_start_sample=start,
        slot_end_sample=start + to_samples(pair.slot_s),
    )
