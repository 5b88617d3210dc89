"""Instruction following: count, alert, stay silent unless."""

from __future__ import annotations

from typing import cast

from pipeline.errors import SceneRejected
from pipeline.planning.blocks import Candidate, Task, benign, compose, spoken, steps_of, stream, trigger
from pipeline.planning.tasks.proactive import warning
from schemas.plan import PlannedReply, Step, StreamPlan
from schemas.taxonomy import CRITERION_OF_TASK, Criterion

MIN_COUNT, MAX_COUNT = 2, 5
LONGEST_COUNTED_S = 3.0
P_CONDITION = 0.4
"""Share of conditional instructions whose condition comes true."""
P_IGNORE = 0.4
"""Share of conditional instructions that name a sound to be ignored."""
P_DANGER = 0.3
"""Share of alerts and conditions about a danger; else about an everyday sound."""


def count_events(task: Task) -> tuple[StreamPlan, ...]:
    """An instruction, then 2-5 single occurrences of one sound; after each the running count."""
    target = task.pick(countable(task))
    one, many = target.phrase.one or "", target.phrase.many or ""
    instruction = task.say("count", hear=target.phrase.heard(task.language), one=one, many=many)
    n = int(task.rng.integers(MIN_COUNT, MAX_COUNT + 1))
    places = spread(task, n)
    planned = compose(task, [target.wanted(at=at, single=True) for at in places], speech=[instruction], avoid=[target])
    order = sorted(planned.wanted)
    counted = {
        i: Step(
            source="event", index=i, sub_task=task.sub_task, decision="respond", single_occurrence=True,
            reply=PlannedReply(text=task.say("count_reply", n=task.number(k))), reason=f"target {k} of {n}",
        )
        for k, i in enumerate(order, start=1)
    }  # fmt: skip
    steps = [spoken(task, 0), *steps_of(task, planned.scene, planned.refinements, counted)]
    return (stream(task, planned, steps, dialogue=[instruction], targets=order),)


def alert_on_event(task: Task) -> tuple[StreamPlan, ...]:
    """An instruction, then the one sound it is about; answered once, when that ends."""
    target, criterion = _target(task)
    hear = target.phrase.heard(task.language)
    instruction = task.say("alert", hear=hear)
    planned = compose(
        task, [target.wanted(at=float(task.rng.uniform(0.25, 1.0)))], speech=[instruction], avoid=[target]
    )
    told = {planned.wanted[0]: _report(task, planned.wanted[0], target, criterion)}
    steps = [spoken(task, 0), *steps_of(task, planned.scene, planned.refinements, told)]
    return (stream(task, planned, steps, dialogue=[instruction], targets=planned.wanted),)


def stay_silent_unless(task: Task) -> tuple[StreamPlan, ...]:
    """A conditional instruction; answered where the condition holds, which is in two of five streams."""
    target, criterion = _target(task)
    hear = target.phrase.heard(task.language)
    others = [c for c in benign(task, lambda c: c.annotation.kind == "sfx") if not alike(c, target)]
    ignored = task.pick(others) if others and task.chance(P_IGNORE) else None
    if ignored is None:
        instruction = task.say("unless", hear=hear)
    else:
        instruction = task.say("ignore", hear=hear, other=ignored.phrase.heard(task.language))
    holds = task.chance(P_CONDITION)
    wanted = [ignored.wanted(at=float(task.rng.uniform(0.0, 0.5)))] if ignored else []
    if holds:
        wanted.append(target.wanted(at=float(task.rng.uniform(0.5, 1.0))))
    planned = compose(task, wanted, speech=[instruction], avoid=[target, *([ignored] if ignored else [])])
    told = {}
    if holds:
        told = {planned.wanted[-1]: _report(task, planned.wanted[-1], target, criterion)}
    steps = [spoken(task, 0), *steps_of(task, planned.scene, planned.refinements, told, quiet=True)]
    return (stream(task, planned, steps, dialogue=[instruction], targets=tuple(told)),)


def countable(task: Task) -> list[Candidate]:
    """Sounds with short single occurrences that a person would count."""
    found = benign(
        task,
        lambda c: (
            c.phrase.one is not None
            and not c.annotation.sustained
            and c.annotation.kind == "sfx"
            and c.annotation.single_s is not None
            and c.annotation.single_s <= LONGEST_COUNTED_S
        ),
    )
    if not found:
        raise SceneRejected("planning", "no sound of the bag can be counted: add clips with separate occurrences")
    return found


def spread(task: Task, n: int) -> list[float]:
    """`n` places over the stream, in order, with room for others between them."""
    return [float((k + task.rng.uniform(0.2, 0.8)) / n) for k in range(n)]


def alike(one: Candidate, other: Candidate) -> bool:
    """Whether two sounds could be taken for one another."""
    tags = {t.lower() for t in one.annotation.tags} & {t.lower() for t in other.annotation.tags}
    return one.phrase.sound == other.phrase.sound or bool(tags)


def _target(task: Task) -> tuple[Candidate, Criterion | None]:
    if task.language == "en" and task.chance(P_DANGER):
        criterion = cast(Criterion, task.pick(sorted(CRITERION_OF_TASK.values())))
        return trigger(task, criterion, named=True), criterion
    found = benign(task, lambda c: not c.annotation.sustained) or benign(task, lambda c: True)
    if not found:
        raise SceneRejected("planning", "no sound of the bag can be named in an instruction: give clips plain captions")
    return task.pick(found), None


def _report(task: Task, index: int, target: Candidate, criterion: Criterion | None) -> Step:
    """The answer to the instructed sound; a danger is reported with what to do about it."""
    text = task.say("alert_reply", hear=target.phrase.heard(task.language))
    reply = PlannedReply(text=text) if criterion is None else warning(task, criterion, target, heard=text)
    return Step(
        source="event", index=index, sub_task=task.sub_task, decision="respond", criterion=criterion,
        reply=reply, reason="the instructed sound", safety=criterion is not None,
    )  # fmt: skip
