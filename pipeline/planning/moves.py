"""A sub-task as a short list of moves: what somebody says and what is heard, in order, each with its answer.

`perform` draws one scene around them and sets benign sounds between them, so the moves of several sub-tasks, one list
after another, are a mixed stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors import SceneRejected
from pipeline.planning.blocks import Candidate, Task, alike, compose, judge, steps_of
from pipeline.planning.scripted import PlannedScene
from schemas.plan import PlannedReply, Step, StreamPlan, Utterance
from schemas.taxonomy import ABILITY_OF, Criterion, Decision

UNKNOWN_WORDS = 9
"""Length of a question that is found only once the scene is known."""


@dataclass(frozen=True, slots=True)
class Hear:
    """A sound in the foreground, and whether it is answered."""

    sub_task: str
    candidate: Candidate
    reply: PlannedReply | None = None
    decision: Decision = "none"
    criterion: Criterion | None = None
    """Of a danger nobody asked about: the audit must find it in the scene."""
    single: bool = False
    target: bool = False
    reason: str = ""
    safety: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that depends on the scene, its answer, and the sub-events that bear it out."""

    utterance: Utterance
    reply: PlannedReply
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Say:
    """Somebody speaks; `extra` holds further fields of the step."""

    sub_task: str
    utterance: Utterance | Callable[[PlannedScene], Asked]
    reply: PlannedReply | None = None
    reason: str = ""
    close: bool = False
    """Nothing is heard between the move before it and this one."""
    recalls: int | None = None
    """Moves back to the turn that holds the answer."""
    extra: tuple[tuple[str, Any], ...] = ()


Move = Say | Hear


@dataclass(frozen=True, slots=True)
class Script:
    """What a sub-task does: its moves, what must not be heard besides, whether silence is verified (None: drawn)."""

    moves: Sequence[Move]
    avoid: Sequence[Candidate] = ()
    quiet: bool | None = None
    comment: Callable[[PlannedScene, int], PlannedReply] | None = None
    """What is said after a sound that no move speaks of, once the instruction is given."""


def say(
    task: Task,
    text: str | Utterance | Callable[[PlannedScene], Asked],
    reply: str | PlannedReply | None = None,
    *,
    close: bool = False,
    recalls: int | None = None,
    reason: str = "",
    **extra: Any,
) -> Say:
    """A spoken turn of the task's language, answered at its end or, without a reply, not at all."""
    utterance = Utterance(text=text, language=task.language) if isinstance(text, str) else text
    planned = PlannedReply(text=reply) if isinstance(reply, str) else reply
    instruction = planned is None and isinstance(utterance, Utterance)
    reason = reason or ("instruction: nothing to answer yet" if instruction else "answered at its end")
    return Say(task.sub_task, utterance, planned, reason, close, recalls, tuple(extra.items()))


def perform(task: Task, script: Script) -> StreamPlan:
    """One stream of the script's moves.

    Raises:
        SceneRejected: no setting admits the sounds together, or two sub-tasks' sounds could be confused.
    """
    moves = script.moves
    hears = [m for m in moves if isinstance(m, Hear)]
    _apart(hears)
    n = len(hears)
    wanted = [
        h.candidate.wanted(at=float((k + task.rng.uniform(0.1, 0.9)) / n), single=h.single) for k, h in enumerate(hears)
    ]
    said = [m.utterance for m in moves if isinstance(m, Say)]
    texts = [u.text if isinstance(u, Utterance) else " word" * UNKNOWN_WORDS for u in said]
    planned = compose(task, wanted, speech=texts, avoid=[*(h.candidate for h in hears), *script.avoid])
    told = {i: heard(task, planned, i, h) for i, h in zip(planned.wanted, hears, strict=True)}
    events = steps_of(task, planned.scene, planned.refinements, told, quiet=script.quiet)
    steps, dialogue, evidence = _merged(task, moves, planned, events)
    if script.comment is not None:
        steps = _commented(task, planned, steps, script.comment)
    targets = {i for i, h in zip(planned.wanted, hears, strict=True) if h.target} | evidence
    return StreamPlan(
        ability=ABILITY_OF[task.sub_task],
        sub_task=task.sub_task,
        language=task.language,
        setting=planned.setting,
        scene=planned.scene,
        refinements=planned.refinements,
        kinds=planned.kinds,
        dialogue=tuple(dialogue),
        steps=tuple(steps),
        targets=tuple(sorted(targets)),
        planner=planned.planner,
        by_model=planned.by_model,
    )


def _commented(
    task: Task, planned: PlannedScene, steps: Sequence[Step], comment: Callable[[PlannedScene, int], PlannedReply]
) -> list[Step]:
    instruction = next(k for k, step in enumerate(steps) if step.sub_task == task.sub_task and step.source == "speech")
    return [
        step.model_copy(
            update={"decision": "respond", "reply": comment(planned, step.index), "reason": "a new sound, described"}
        )
        if k > instruction and step.source == "event" and step.reply is None
        else step
        for k, step in enumerate(steps)
    ]


def _apart(hears: Sequence[Hear]) -> None:
    """Sounds of different sub-tasks must not be taken for one another."""
    for k, one in enumerate(hears):
        for other in hears[:k]:
            if one.sub_task != other.sub_task and alike(one.candidate, other.candidate):
                raise SceneRejected("planning", f"{one.candidate.phrase.sound!r} belongs to two sub-tasks; draw again")


def heard(task: Task, planned: PlannedScene, index: int, hear: Hear) -> Step:
    """The step of a sound. Raises SceneRejected where a danger is none in this scene."""
    reason = hear.reason
    if hear.safety and not reason:
        judged = judge(task, planned.scene, planned.refinements, index)
        if judged.label != "respond" or judged.criterion != hear.criterion:
            name = planned.scene.sub_events[index].name
            raise SceneRejected(
                "planning", f"trigger {name!r} is {judged.label} ({judged.criterion}) here: {judged.reason}"
            )
        reason = judged.reason
    return Step(
        source="event", index=index, sub_task=hear.sub_task, reply=hear.reply, criterion=hear.criterion, reason=reason,
        decision="respond" if hear.reply is not None else hear.decision, single_occurrence=hear.single,
        safety=hear.safety,
    )  # fmt: skip


def _merged(
    task: Task, moves: Sequence[Move], planned: PlannedScene, events: Sequence[Step]
) -> tuple[list[Step], list[Utterance], set[int]]:
    """Events and speech in one order: that of the moves, benign sounds spread between them."""
    events = list(events)
    place = {step.index: k for k, step in enumerate(events)}
    sounds = [place[i] for i in planned.wanted]
    steps: list[Step] = []
    dialogue: list[Utterance] = []
    said_at: dict[int, int] = {}
    evidence: set[int] = set()
    done = 0
    for k, move in enumerate(moves):
        if isinstance(move, Hear):
            upto = sounds.pop(0) + 1
        else:
            move, needs = _resolved(move, planned)
            evidence |= needs
            for i in needs & place.keys():
                if i in planned.wanted and events[place[i]].sub_task != move.sub_task:
                    raise SceneRejected("planning", "the question is about another sub-task's sound; draw again")
                events[place[i]] = events[place[i]].model_copy(update={"sub_task": move.sub_task})
            limit = sounds[0] if sounds else len(events)
            upto = max([done, *(place[i] + 1 for i in needs if i in place)])
            if upto > limit:
                raise SceneRejected("planning", "the question's evidence comes after the question; draw again")
            if not move.close and upto == done:
                upto = int(task.rng.integers(done, done + (limit - done) // _open_turns(moves[k:]) + 1))
        steps += events[done:upto]
        done = max(done, upto)
        if isinstance(move, Say):
            assert isinstance(move.utterance, Utterance)
            recalls = None if move.recalls is None else said_at[k - move.recalls]
            said_at[k] = len(dialogue)
            steps.append(
                Step(
                    source="speech",
                    index=len(dialogue),
                    sub_task=move.sub_task,
                    decision="silent" if move.reply is None else "respond",
                    reply=move.reply,
                    reason=move.reason,
                    recalls=recalls,
                    **dict(move.extra),
                )
            )
            dialogue.append(move.utterance)
    return [*steps, *events[done:]], dialogue, evidence


def _open_turns(moves: Sequence[Move]) -> int:
    """Turns until the next sound that other sounds may come before."""
    count = 0
    for move in moves:
        if isinstance(move, Hear):
            break
        count += not move.close
    return max(count, 1)


def _resolved(move: Say, planned: PlannedScene) -> tuple[Say, set[int]]:
    if isinstance(move.utterance, Utterance):
        return move, set()
    asked = move.utterance(planned)
    return replace(move, utterance=asked.utterance, reply=asked.reply), set(asked.evidence)
