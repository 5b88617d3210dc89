"""Proactive response: a danger nobody asked about, among benign sounds; alone or with its benign counterpart."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

from pipeline.errors import SceneRejected
from pipeline.planning.banks import bank
from pipeline.planning.blocks import Candidate, Task, compose, judge, rendered, steps_of, stream, trigger
from pipeline.planning.moves import Hear, Script, heard
from pipeline.planning.phrases import Phrase
from pipeline.planning.scripted import PlannedScene
from pipeline.planning.validator import validate_scene
from pipeline.synthesis.kinds import COUNTERPARTS, KINDS, match_kind
from schemas.plan import PairCue, PlannedReply, Step, StreamPlan
from schemas.taxonomy import CRITERION_OF_TASK, Criterion

P_SECOND = 0.25
"""Share of long streams with a second danger."""
LONG_S = 45.0
P_CLOSING = 0.4
"""Share of replies that end with an offer or a reminder."""
SLOT = 2.0
"""A pair's slot, in lengths of the longer cue: a grounded clip may be twice as long as planned."""


def proactive(task: Task) -> Script:
    """One danger, in long streams sometimes two, each answered at its end and nothing else."""
    criterion = cast(Criterion, CRITERION_OF_TASK[task.sub_task])
    cues = [trigger(task, criterion)]
    if task.duration_s >= LONG_S and task.chance(P_SECOND):
        second = trigger(task, criterion, even=False)
        if second.phrase.sound != cues[0].phrase.sound:
            cues.append(second)
    return Script([danger(task, criterion, cue) for cue in cues])


def danger(task: Task, criterion: Criterion, cue: Candidate) -> Hear:
    """A trigger that nobody asked about, answered with what to do."""
    reply = warning(task, criterion, cue)
    return Hear(task.sub_task, cue, reply, criterion=criterion, target=True, safety=True)


def warning(task: Task, criterion: Criterion, cue: Candidate, *, report: str | None = None) -> PlannedReply:
    """A reply to the danger: what was heard (drawn where `report` is None) and what to do about it."""
    families = bank("replies")[criterion]
    sources = (cue.phrase.sound.replace("_", " "), cue.annotation.caption, " ".join(cue.annotation.tags))
    found = (family for text in sources for family in families.values() if _names(family["words"], text))
    family = next(found, families["any"])
    space = "" if task.language == "zh" else " "
    parts = [report or task.pick(family["heard"][task.language]), task.pick(family["do"][task.language])]
    if task.chance(P_CLOSING):
        parts.append(task.say("closing"))
    return PlannedReply(text=space.join(parts), emotion="urgent")


def _names(listed: str, text: str) -> bool:
    """Whether the text has a word that starts like one of a family's, or all words of one of its phrases."""
    said = re.findall(r"[a-z]+", text.lower())
    starts = [part.split() for part in listed.split(";") if part.strip()]
    return any(all(any(word.startswith(start) for word in said) for start in phrase) for phrase in starts)


def counterfactual_pair(task: Task) -> tuple[StreamPlan, StreamPlan]:
    """A stream with a danger and the same one with a benign sound in its place.

    Both cues are planned into one scene, so that its place admits either; each side keeps one of them.
    """
    criterion = cast(Criterion, CRITERION_OF_TASK[task.sub_task])
    cue_of_danger = trigger(task, criterion)
    harmless = _counterpart(task, cue_of_danger)
    at = float(task.rng.uniform(0.2, 1.0))
    both = compose(task, [cue_of_danger.wanted(at=at), harmless.wanted(at=at)], avoid=[cue_of_danger])
    respond, cue = _keep(both, 0)
    silent, _ = _keep(both, 1)
    for side in (respond, silent):
        validate_scene(side.scene, side.refinements, duration_s=max(e.rough_duration_s for e in side.scene.sub_events))
    judged = judge(task, silent.scene, silent.refinements, cue)
    if judged.label != "silent":
        raise SceneRejected(
            "planning", f"counterpart {harmless.annotation.caption!r} is {judged.label}: {judged.reason}"
        )
    answered = heard(task, respond, cue, danger(task, criterion, cue_of_danger))
    unanswered = Step(source="event", index=cue, sub_task=task.sub_task, decision="silent", reason=judged.reason)
    steps = steps_of(task, respond.scene, respond.refinements, {cue: answered})
    place = next(i for i, step in enumerate(steps) if step.index == cue)
    slot_s = round(SLOT * max(side.scene.sub_events[cue].rough_duration_s for side in (respond, silent)), 2)
    others = [*steps[:place], unanswered, *steps[place + 1 :]]
    return (
        stream(task, respond, steps, targets=(cue,), pair=PairCue(step=place, side="respond", slot_s=slot_s)),
        stream(task, silent, others, targets=(cue,), pair=PairCue(step=place, side="silent", slot_s=slot_s)),
    )


def _keep(planned: PlannedScene, wanted: int) -> tuple[PlannedScene, int]:
    """The scene with one of its two cues, at the place of the first, without the constraints that bind either."""
    place, other = planned.wanted
    kept = planned.wanted[wanted]
    names = {planned.scene.sub_events[i].name for i in planned.wanted}
    order = [kept if i == place else i for i in range(len(planned.scene.sub_events)) if i != other]
    scene = planned.scene.model_copy(
        update={
            "sub_events": tuple(planned.scene.sub_events[i] for i in order),
            "constraints": tuple(c for c in planned.scene.constraints if not {c.first, c.second} & names),
        }
    )
    cue = order.index(kept)
    one_side = replace(
        planned,
        scene=scene,
        refinements=tuple(planned.refinements[i] for i in order),
        kinds=tuple(planned.kinds[i] for i in order),
        wanted=(cue,),
    )
    return one_side, cue


def _counterpart(task: Task, danger: Candidate) -> Candidate:
    """A benign sound in the danger's stead: its counterpart, or any short everyday sound that fits anywhere."""
    kind = match_kind(danger.annotation.caption, danger.annotation.tags)
    usual = COUNTERPARTS.get(danger.phrase.sound) or COUNTERPARTS.get(kind or "")
    free = ("throat_clear", "glass_set_down", "keys_jangle", "laughter", "page_turn", "can_opening", "zipper", "yawn")
    chosen = usual if usual and task.chance(0.75) else task.pick(free)
    annotation = rendered(chosen, task.rng)
    name = KINDS[chosen].name
    return Candidate(annotation, Phrase(name, annotation.caption, None, None, None, None, None))
