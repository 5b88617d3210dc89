"""Columns, plan and provenance say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from pipeline.timing import last_chunk, to_samples
from pipeline.validation.findings import Finding
from pipeline.validation.stream import Stream
from schemas.plan import Step
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF

EDGE_SAMPLES = 640
"""Digital silence at the edges of a conditioned sound is not placed: at most two tapers."""


def check_agreement(stream: Stream, recipe: Recipe) -> Iterator[Finding]:
    """Every fact that is stored twice agrees with itself."""
    yield from _columns(stream, recipe)
    if list(stream.provenance.step_events) != list(range(len(stream.plan.steps))) or not _in_range(stream):
        yield stream.finding("plan-steps", f"{stream.provenance.step_events} for {len(stream.plan.steps)} steps")
        return
    if beside := [r.event for r in stream.row.responses if r.event not in stream.provenance.step_events]:
        yield stream.finding("plan-steps", f"responses to events {beside}, which no step of the plan caused")
        return
    for event, step in stream.steps():
        yield from _step(stream, event, step)
    yield from _beneath(stream)
    yield from _order(stream)
    yield from _targets(stream)
    yield from _audits(stream)
    yield from _grounding(stream, recipe)
    yield from _conditioning(stream)
    yield from _speech(stream)
    yield from _delays(stream, recipe)


def _columns(stream: Stream, recipe: Recipe) -> Iterator[Finding]:
    row, plan = stream.row, stream.plan
    noisy = any(step.sub_task == "noisy_speech" for step in plan.steps)
    for name, stored, planned in (
        ("ability", row.ability, plan.ability),
        ("sub_task", row.sub_task, plan.sub_task),
        ("language", row.language, plan.language),
        ("scenario", row.scenario, plan.scene.scenario),
        ("planner", f"{stream.provenance.planner.name}/{stream.provenance.planner.version}", plan.planner),
        ("policy", stream.provenance.policy, recipe.policy),
        ("pair", row.pair_id is not None, plan.pair is not None),
        ("pair", stream.provenance.pair is not None, plan.pair is not None),
        ("noise", len(row.noise), 2 if recipe.noise.enabled or noisy else 0),
    ):
        if stored != planned:
            yield stream.finding("plan-columns", f"{name} {stored!r}, planned {planned!r}")
    for i, turn in enumerate(row.turns):
        if turn.scene_type != plan.setting:
            yield stream.finding("plan-columns", f"turn {i} is set in {turn.scene_type!r}, planned {plan.setting!r}")
    if recipe.licences is not None:
        for i, event in enumerate(row.events):
            if event.source == "retrieved" and event.licence not in recipe.licences:
                yield stream.finding("event-licence", f"{event.licence!r} is none of {recipe.licences}", event=i)


def _in_range(stream: Stream) -> bool:
    events, provenance, plan = len(stream.row.events), stream.provenance, stream.plan
    named = [
        *provenance.step_events,
        *provenance.targets,
        *(r.event for r in provenance.audits),
        *(r.event for r in provenance.grounding),
        *(r.event for r in provenance.conditioning),
        *(r.event for r in provenance.renderings),
        *(r.event for r in provenance.speech),
        *([] if provenance.pair is None else [provenance.pair.event]),
    ]
    sizes = {"event": len(plan.scene.sub_events), "speech": len(plan.dialogue)}
    return (
        all(0 <= event < events for event in named)
        and all(step.index < sizes[step.source] for step in plan.steps)
        and (plan.pair is None or plan.pair.step in [i for i, s in enumerate(plan.steps) if s.source == "event"])
        and len(plan.refinements) == len(plan.kinds) == len(plan.scene.sub_events)
    )


def _step(stream: Stream, index: int, step: Step) -> Iterator[Finding]:
    """One step of the plan against its event, its words and its reply."""
    plan, event = stream.plan, stream.row.events[index]
    if step.source == "speech":
        said = plan.dialogue[step.index]
        expected = ("retrieved" if said.clip_id else "spoken", said.clip_id, said.text)
        if (event.source, event.clip_id, event.transcript) != expected:
            yield stream.finding("plan-dialogue", f"{event.source} {event.transcript!r}, planned {said!r}", event=index)
    else:
        planned = plan.scene.sub_events[step.index]
        stored = (event.name, event.role, event.kind)
        if stored != (planned.name, planned.role, plan.kinds[step.index]) or event.source == "spoken":
            yield stream.finding(
                "plan-events", f"{stored}, planned {(planned.name, planned.role, plan.kinds[step.index])}", event=index
            )
    if step.sub_task not in ABILITY_OF:
        yield stream.finding("sub-task-known", f"step of sub-task {step.sub_task!r}", event=index)
    if event.role != "foreground":
        yield stream.finding("plan-events", f"a step of the plan is foreground, not {event.role}", event=index)
    if event.decision != step.decision:
        yield stream.finding("plan-decision", f"{event.decision!r}, planned {step.decision!r}", event=index)
    if (step.reply is not None) != (step.decision == "respond"):
        yield stream.finding("plan-decision", f"planned {step.decision!r} with the reply {step.reply!r}", event=index)
    answers = [r for r in stream.row.responses if r.event == index]
    if step.reply is not None and step.incremental:
        joined = "".join(r.text for r in answers)
        if joined != step.reply.text or any(r.sub_task != step.sub_task for r in answers):
            yield stream.finding("plan-replies", f"{joined!r}, planned {step.reply.text!r}", event=index)
    elif step.reply is not None:
        planned_action = step.reply.action
        action = None if planned_action is None else json.dumps(planned_action, sort_keys=True, ensure_ascii=False)
        expected = (step.reply.text, step.reply.emotion, step.sub_task, action)
        for r in answers:
            stored = (r.text, r.emotion, r.sub_task, r.action)
            if stored != expected:
                yield stream.finding("plan-replies", f"{stored}, planned {expected}", event=index)


def _beneath(stream: Stream) -> Iterator[Finding]:
    """What is no step lies under the stream: each background and ambient sub-event once."""
    steps = set(stream.provenance.step_events)
    planned = sorted(
        (e.name, e.role, stream.plan.kinds[i])
        for i, e in enumerate(stream.plan.scene.sub_events)
        if e.role != "foreground"
    )
    stored = sorted((e.name, e.role, e.kind) for i, e in enumerate(stream.row.events) if i not in steps)
    if planned != stored:
        yield stream.finding("plan-events", f"under the stream lie {stored}, planned {planned}")
    for i, event in stream.sounds():
        refinement = stream.refinement(i)
        if refinement is not None and event.query != refinement.query:
            yield stream.finding("plan-events", f"query {event.query!r}, planned {refinement.query!r}", event=i)
    used = [step.index for step in stream.plan.steps if step.source == "event"]
    foreground = [i for i, e in enumerate(stream.plan.scene.sub_events) if e.role == "foreground"]
    if sorted(used) != foreground:
        yield stream.finding("plan-steps", f"foreground sub-events {sorted(used)}, planned {foreground}")


def _order(stream: Stream) -> Iterator[Finding]:
    """Steps begin in the plan's order, and the scene's constraints hold in the stored intervals."""
    starts = [stream.row.events[event].start_sample for event in stream.provenance.step_events]
    if starts != sorted(starts):
        yield stream.finding("plan-order", f"the steps begin at {starts}")
    at = {event.name: event for event in stream.row.events if event.source != "spoken"}
    for rule in stream.plan.scene.constraints:
        first, second = at.get(rule.first), at.get(rule.second)
        if first is None or second is None:
            yield stream.finding("plan-constraints", f"{rule.first!r} {rule.kind} {rule.second!r}: one is not there")
            continue
        # A crossfade lets neighbours share its few milliseconds.
        apart = first.end_sample - EDGE_SAMPLES <= second.start_sample
        if rule.kind == "exclusive":
            apart = apart or second.end_sample - EDGE_SAMPLES <= first.start_sample
        if not apart:
            yield stream.finding("plan-constraints", f"{rule.first!r} {rule.kind} {rule.second!r} does not hold")


def _targets(stream: Stream) -> Iterator[Finding]:
    planned = {e for e, _ in stream.sounds() if stream.sub_event(e) in stream.plan.targets}
    if planned != set(stream.provenance.targets):
        yield stream.finding("plan-targets", f"{stream.provenance.targets}, planned {sorted(planned)}")


def _audits(stream: Stream) -> Iterator[Finding]:
    """Every sound was judged; triggers are answered or asked for, and nothing doubtful is in a stream."""
    judged = [record.event for record in stream.provenance.audits]
    sounds = [i for i, _ in stream.sounds()]
    if sorted(judged) != sounds:
        yield stream.finding("audit-complete", f"events {sorted(judged)} were judged, expected {sounds}")
    for record in stream.provenance.audits:
        event = stream.row.events[record.event]
        criterion_fits = (record.criterion is None) == (record.label == "silent")
        if not (record.reason and criterion_fits and 0 <= record.confidence <= 1):
            yield stream.finding(
                "audit-complete", f"{record.label} by {record.criterion!r} for {record.reason!r}", event=record.event
            )
        if record.label == "borderline":
            yield stream.finding("no-borderline", f"judged borderline: {record.reason}", event=record.event)
        asked = record.event in stream.provenance.targets
        if record.label == "respond" and not asked and event.decision != "respond":
            yield stream.finding("trigger-stays-out", f"{record.reason}, but {event.decision!r}", event=record.event)


def _grounding(stream: Stream, recipe: Recipe) -> Iterator[Finding]:
    records = {record.event: record for record in stream.provenance.grounding}
    for i, event in stream.sounds():
        record = records.get(i)
        if record is None or not record.candidates:
            yield stream.finding("grounding-accepted", "no candidate is recorded", event=i)
            continue
        last = record.candidates[-1]
        stored = (event.clip_id, event.generator, event.verdict, _stored(event.score))
        if last.verdict != "accept" or (last.clip_id, last.generator, last.verdict, _stored(last.score)) != stored:
            yield stream.finding("grounding-accepted", f"{stored}, the last candidate was {last}", event=i)
        if event.source != "retrieved":
            continue
        given = recipe.grounding.min_score
        fits = record.threshold is not None and given in (None, record.threshold)
        if not fits or event.encoder != recipe.grounding.scorer:
            yield stream.finding("grounding-accepted", f"threshold {record.threshold}, {event.encoder!r}", event=i)
        if event.score is not None and record.threshold is not None and event.score < record.threshold - 1e-6:
            yield stream.finding("grounding-accepted", f"score {event.score} is below {record.threshold}", event=i)


def _stored(score: float | None) -> float | None:
    """As a float32 column holds it."""
    return None if score is None else float(np.float32(score))


def _conditioning(stream: Stream) -> Iterator[Finding]:
    """Kept spans follow one another, lie in the material, and are as long as what was placed."""
    records = {record.event: record for record in stream.provenance.conditioning}
    for i, event in enumerate(stream.row.events):
        record = records.get(i)
        if record is None or not record.spans:
            yield stream.finding("conditioning-spans", "no kept span is recorded", event=i)
            continue
        length = 0
        for start, end, at in record.spans:
            if at != length or not 0 <= start < end <= record.material[1] - record.material[0]:
                yield stream.finding(
                    "conditioning-spans", f"{record.spans} do not follow in {record.material}", event=i
                )
                break
            length += end - start
        hull = (record.material[0] + record.spans[0][0], record.material[0] + record.spans[-1][1])
        if event.source == "retrieved" and hull != (event.clip_start_sample, event.clip_end_sample):
            yield stream.finding(
                "conditioning-spans",
                f"[{event.clip_start_sample}, {event.clip_end_sample}) of the clip, its spans cover {hull}",
                event=i,
            )
        speech = stream.speech(i)
        pauses = sum(end - start for start, end in speech.pauses) if speech is not None else 0
        placed = event.end_sample - event.start_sample - pauses
        if event.role == "foreground" and not length - EDGE_SAMPLES <= placed <= length:
            yield stream.finding("event-length", f"{placed} samples, conditioning left {length}", event=i)


def _speech(stream: Stream) -> Iterator[Finding]:
    records = {record.event: record for record in stream.provenance.speech}
    for i, step in stream.steps():
        if step.source != "speech":
            continue
        event, record = stream.row.events[i], records.get(i)
        if record is None:
            yield stream.finding("speech-words", "no voice is recorded", event=i)
            continue
        said = "".join(word for word, _, _ in record.words)
        missing = [c for c in said if c.isalnum()] != [c for c in event.transcript or "" if c.isalnum()]
        if missing:
            yield stream.finding("speech-words", f"the words {said!r} are not {event.transcript!r}", event=i)
        before = event.start_sample
        for word, start, end in record.words:
            if not before <= start <= end <= event.end_sample:
                yield stream.finding(
                    "speech-words", f"{word!r} at [{start}, {end}) leaves its place or its order", event=i
                )
                break
            before = start


def _delays(stream: Stream, recipe: Recipe) -> Iterator[Finding]:
    """Spoken turns and safety events are answered at once, others within the recipe's delay."""
    low, high = recipe.timing.onset_delay_chunks.bounds
    steps = dict(stream.steps())
    for response in stream.row.responses:
        step, event = steps.get(response.event), stream.row.events[response.event]
        if step is not None and (step.incremental or step.idle_s is not None):
            continue  # their own rules say when
        drawn = response.chunk - last_chunk(event.end_sample) - response.moved_chunks
        immediate = step is not None and (step.source == "speech" or step.safety)
        least, most = (0, 0) if immediate else (round(low), round(high))
        if not least <= drawn <= most and response.sub_task in ABILITY_OF:
            yield stream.finding(
                "response-delay", f"{drawn} chunks after its end, expected {least}..{most}", event=response.event
            )
    if stream.plan.pair is not None and stream.provenance.pair is not None:
        record, cue = stream.provenance.pair, stream.row.events[stream.provenance.step_events[stream.plan.pair.step]]
        slot = (record.slot_start_sample, record.slot_end_sample)
        expected = (cue.start_sample, cue.start_sample + to_samples(stream.plan.pair.slot_s))
        inside = cue.end_sample <= record.slot_end_sample
        if slot != expected or not inside or record.side != stream.plan.pair.side:
            yield stream.finding("pair-slot", f"slot {slot}, expected {expected}; the cue ends at {cue.end_sample}")
