"""Audio understanding: a spoken question about sounds that were heard before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import SceneRejected
from pipeline.planning.banks import bank
from pipeline.planning.blocks import Candidate, Task, benign, compose, foreground, spoken, steps_of, stream
from pipeline.planning.scripted import PlannedScene, identify
from pipeline.planning.settings import grammar
from pipeline.planning.tasks.instructions import MAX_COUNT, MIN_COUNT, alike, countable, spread
from schemas.plan import Step, StreamPlan

MAX_PLACES = 5
"""A sound at home in more settings than these says nothing about where one is."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its answer; the question comes right after sub-event `after`, `evidence` lies before it."""

    planned: PlannedScene
    question: str
    answer: str
    evidence: tuple[int, ...]
    single: bool = False


def sound_event_qa(task: Task) -> tuple[StreamPlan, ...]:
    """Sounds, then a spoken open question about them, answered from the plan at the question's end."""
    ask: Callable[[Task], _Asked] = task.pick((_what, _what, _group, _order, _number, _place))
    asked = ask(task)
    planned = asked.planned
    events = steps_of(
        task, planned.scene, planned.refinements,
        {i: _heard(task, i) for i in asked.evidence} if asked.single else {},
    )  # fmt: skip
    last = max(place for place, step in enumerate(events) if step.index in asked.evidence)
    steps = [*events[: last + 1], spoken(task, 0, asked.answer), *events[last + 1 :]]
    return (stream(task, planned, steps, dialogue=[asked.question], targets=asked.evidence),)


def _heard(task: Task, index: int) -> Step:
    return Step(
        source="event",
        index=index,
        sub_task=task.sub_task,
        decision="none",
        single_occurrence=True,
        reason="asked about",
    )


def _what(task: Task) -> _Asked:
    target = _one(task, lambda c: True)
    question = task.say("ask_what")
    planned = compose(task, [target.wanted(at=_late(task))], speech=[question])
    return _Asked(planned, question, task.say("say_what", hear=target.phrase.heard(task.language)), planned.wanted)


def _group(task: Task) -> _Asked:
    groups = bank("instructions")["ask_group"]
    target = _one(task, lambda c: c.phrase.group in groups)
    question: str = task.pick(groups[target.phrase.group][task.language])
    planned = compose(task, [target.wanted(at=_late(task))], speech=[question])
    thing = target.phrase.thing or target.phrase.hear
    answer = task.say("say_group", thing=thing, hear=target.phrase.heard(task.language))
    return _Asked(planned, question, answer, planned.wanted)


def _order(task: Task) -> _Asked:
    one = _one(task, lambda c: not c.annotation.sustained)
    two = _one(task, lambda c: not c.annotation.sustained and not alike(c, one))
    early, late = (c.phrase.heard(task.language) for c in (one, two))
    first, second = (early, late) if task.chance(0.5) else (late, early)
    question = task.say("ask_order", first=first, second=second)
    sounds = [one.wanted(at=float(task.rng.uniform(0.0, 0.4))), two.wanted(at=float(task.rng.uniform(0.6, 1.0)))]
    planned = compose(task, sounds, speech=[question], avoid=[one, two])
    return _Asked(planned, question, task.say("say_order", early=early, late=late), planned.wanted)


def _number(task: Task) -> _Asked:
    target = task.pick(countable(task))
    n = int(task.rng.integers(MIN_COUNT, MAX_COUNT))
    words = {
        "one": target.phrase.one or "",
        "many": target.phrase.many or "",
        "hear": target.phrase.heard(task.language),
    }
    question = task.say("ask_number", **words)
    sounds = [target.wanted(at=0.9 * at, single=True) for at in spread(task, n)]
    planned = compose(task, sounds, speech=[question], avoid=[target])
    answer = task.say("say_number", n=task.number(n))
    return _Asked(planned, question, answer, tuple(sorted(planned.wanted)), single=True)


def _place(task: Task) -> _Asked:
    """Where this is: asked after a sound that belongs to few places."""
    question = task.say("ask_place")
    planned = compose(task, [], speech=[question])
    setting = next(s for s in grammar().settings if planned.setting.startswith(f"{s.name} "))
    for i in reversed(foreground(planned.scene)[1:]):
        event = planned.scene.sub_events[i]
        sound = identify(event.brief_description.split(",")[0], planned.refinements[i].accept_tags, event.name)
        entry = bank("phrases").get(sound.name) if sound else None
        if sound is None or entry is None or sound.name not in setting.typical:
            continue
        if sum(sound.name in s.typical for s in grammar().settings) <= MAX_PLACES:
            parts = [part.strip() for part in entry.split(";")]
            hear = parts[5] if task.language == "zh" else parts[0]
            place = setting.zh[0] if task.language == "zh" else setting.name
            answer = task.say("say_place", place=place, hear=hear)
            return _Asked(planned, question, answer, (i,))
    raise SceneRejected("planning", f"no sound of this {setting.name!r} tells where it is; draw another scene")


def _one(task: Task, accept: Callable[[Candidate], bool]) -> Candidate:
    found = benign(task, lambda c: c.annotation.kind == "sfx" and accept(c))
    if not found:
        raise SceneRejected("planning", "no sound of the bag can be asked about: give clips plain captions")
    return task.pick(found)


def _late(task: Task) -> float:
    return float(task.rng.uniform(0.4, 1.0))
