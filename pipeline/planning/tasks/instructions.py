"""Instruction following: count, alert, stay silent unless."""

from __future__ import annotations

from typing import cast

from pipeline.errors import SceneRejected
from pipeline.planning.blocks import Candidate, Task, alike, benign, trigger
from pipeline.planning.moves import Hear, Move, Script, say
from pipeline.planning.tasks.proactive import warning
from schemas.plan import PlannedReply
from schemas.taxonomy import CRITERION_OF_TASK, Criterion

MIN_COUNT, MAX_COUNT = 2, 5
LONGEST_COUNTED_S = 3.0
P_CONDITION = 0.4
"""Share of conditional instructions whose condition comes true."""
P_IGNORE = 0.4
"""Share of conditional instructions that name a sound to be ignored."""
P_DANGER = 0.3
"""Share of alerts and conditions about a danger; else about an everyday sound."""


def count_events(task: Task) -> Script:
    """An instruction, then 2-5 single occurrences of one sound; after each the running count."""
    target = task.pick(countable(task))
    one, many = target.phrase.one or "", target.phrase.many or ""
    instruction = task.say("count", hear=target.phrase.heard(task.language), one=one, many=many)
    n = int(task.rng.integers(MIN_COUNT, MAX_COUNT + 1))
    counted = [
        Hear(
            task.sub_task, target, PlannedReply(text=task.say("count_reply", n=task.number(k))),
            single=True, target=True, reason=f"target {k} of {n}",
        )
        for k in range(1, n + 1)
    ]  # fmt: skip
    return Script([say(task, instruction), *counted])


def alert_on_event(task: Task) -> Script:
    """An instruction, then the one sound it is about; answered once, when that ends."""
    target, criterion = _target(task)
    instruction = task.say("alert", hear=target.phrase.heard(task.language))
    return Script([say(task, instruction), _report(task, target, criterion)])


def stay_silent_unless(task: Task) -> Script:
    """A conditional instruction; answered where the condition holds, which is in two of five streams."""
    target, criterion = _target(task)
    hear = target.phrase.heard(task.language)
    others = [c for c in benign(task, lambda c: c.annotation.kind == "sfx") if not alike(c, target)]
    ignored = task.pick(others) if others and task.chance(P_IGNORE) else None
    if ignored is None:
        moves: list[Move] = [say(task, task.say("unless", hear=hear))]
    else:
        instruction = task.say("ignore", hear=hear, other=ignored.phrase.heard(task.language))
        told = Hear(task.sub_task, ignored, decision="silent", reason="the sound to be ignored")
        moves = [say(task, instruction), told]
    if task.chance(P_CONDITION):
        moves.append(_report(task, target, criterion))
    return Script(moves, avoid=[target], quiet=True)


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


def _target(task: Task) -> tuple[Candidate, Criterion | None]:
    if task.language == "en" and task.chance(P_DANGER):
        criterion = cast(Criterion, task.pick(sorted(CRITERION_OF_TASK.values())))
        return trigger(task, criterion, named=True), criterion
    found = benign(task, lambda c: not c.annotation.sustained) or benign(task, lambda c: True)
    if not found:
        raise SceneRejected("planning", "no sound of the bag can be named in an instruction: give clips plain captions")
    return task.pick(found), None


def _report(task: Task, target: Candidate, criterion: Criterion | None) -> Hear:
    """The answer to the instructed sound; a danger is reported with what to do about it."""
    text = task.say("alert_reply", hear=target.phrase.heard(task.language))
    reply = PlannedReply(text=text) if criterion is None else warning(task, criterion, target, report=text)
    return Hear(
        task.sub_task, target, reply, criterion=criterion, target=True, reason="the instructed sound",
        safety=criterion is not None,
    )  # fmt: skip
