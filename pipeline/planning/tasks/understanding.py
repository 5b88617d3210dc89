"""Audio understanding: questions about sounds that were heard, and descriptions of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from pipeline.errors import SceneRejected
from pipeline.planning.annotations import Annotation
from pipeline.planning.banks import bank, in_language, spoken_in
from pipeline.planning.blocks import Candidate, Task, alike, benign, fill, foreground, rendered
from pipeline.planning.moves import Asked, Hear, Script, say
from pipeline.planning.phrases import phrase_of
from pipeline.planning.scripted import PlannedScene, identify
from pipeline.planning.settings import grammar
from pipeline.planning.tasks.instructions import MAX_COUNT, MIN_COUNT, countable
from pipeline.synthesis.kinds import KINDS
from schemas.plan import PlannedReply, Utterance

MAX_PLACES = 5
"""A sound at home in more settings than these says nothing about where one is."""
DESCRIBED = (3, 6)
"""Sounds that are named for the description; benign ones between them are described too."""
OPTIONS = 3


def sound_event_qa(task: Task) -> Script:
    """Sounds, then a spoken open question about them, answered from the plan at the question's end."""
    ask: Callable[[Task], Script] = task.pick((_what, _what, _group, _order, _number, _place))
    return ask(task)


def _evidence(task: Task, candidate: Candidate, *, single: bool = False) -> Hear:
    return Hear(task.sub_task, candidate, single=single, target=True, reason="asked about")


def _what(task: Task) -> Script:
    target = _one(task, lambda c: True)
    answer = task.say("say_what", hear=target.phrase.heard(task.language))
    return Script([_evidence(task, target), say(task, task.say("ask_what"), answer, close=True)])


def _group(task: Task) -> Script:
    groups = bank("instructions")["ask_group"]
    target = _one(task, lambda c: c.phrase.group in groups)
    question: str = task.pick(groups[target.phrase.group][task.language])
    thing = target.phrase.thing or target.phrase.hear
    answer = task.say("say_group", thing=thing, hear=target.phrase.heard(task.language))
    return Script([_evidence(task, target), say(task, question, answer, close=True)])


def _order(task: Task) -> Script:
    one = _one(task, lambda c: not c.annotation.sustained)
    two = _one(task, lambda c: not c.annotation.sustained and not alike(c, one))
    early, late = (c.phrase.heard(task.language) for c in (one, two))
    first, second = (early, late) if task.chance(0.5) else (late, early)
    question = task.say("ask_order", first=first, second=second)
    answer = task.say("say_order", early=early, late=late)
    return Script([_evidence(task, one), _evidence(task, two), say(task, question, answer, close=True)])


def _number(task: Task) -> Script:
    target = task.pick(countable(task))
    n = int(task.rng.integers(MIN_COUNT, MAX_COUNT))
    words = {
        "one": target.phrase.one or "",
        "many": target.phrase.many or "",
        "hear": target.phrase.heard(task.language),
    }
    asked = say(task, task.say("ask_number", **words), task.say("say_number", n=task.number(n)), close=True)
    return Script([*(_evidence(task, target, single=True) for _ in range(n)), asked])


def _place(task: Task) -> Script:
    """Where this is: asked after a sound that belongs to few places."""

    def ask(planned: PlannedScene) -> Asked:
        setting = next((s for s in grammar().settings if planned.setting.startswith(f"{s.name} ")), None)
        for i in reversed(foreground(planned.scene)[1:] if setting else []):
            assert setting is not None
            event = planned.scene.sub_events[i]
            sound = identify(event.brief_description.split(",")[0], planned.refinements[i].accept_tags, event.name)
            entry = bank("phrases").get(sound.name) if sound else None
            if sound is None or entry is None or sound.name not in setting.typical:
                continue
            if sum(sound.name in s.typical for s in grammar().settings) <= MAX_PLACES:
                parts = [part.strip() for part in entry.split(";")]
                hear = parts[5] if task.language == "zh" else parts[0]
                place = setting.zh[0] if task.language == "zh" else setting.name
                answer = PlannedReply(text=task.say("say_place", place=place, hear=hear))
                return Asked(Utterance(text=task.say("ask_place"), language=task.language), answer, (i,))
        raise SceneRejected("planning", f"no sound of {planned.setting!r} tells where it is; draw another scene")

    return Script([say(task, ask)])


def scene_description(task: Task) -> Script:
    """An instruction, then a short description after each sound."""

    def describe(planned: PlannedScene, index: int) -> PlannedReply:
        event = planned.scene.sub_events[index]
        return _described(
            task, _name(task, event.brief_description, planned.refinements[index].accept_tags, event.name)
        )

    named = benign(task, lambda c: c.annotation.kind == "sfx")
    first = [named[i] for i in task.rng.permutation(len(named))[: int(task.rng.integers(*DESCRIBED))]]
    sounds = [
        Hear(
            task.sub_task,
            c,
            _described(task, c.phrase.heard(task.language)),
            target=True,
            reason="a new sound, described",
        )
        for c in first
    ]
    return Script([say(task, worded(task, "describe")), *sounds], quiet=False, comment=describe)


def _name(task: Task, description: str, tags: Sequence[str], name: str) -> str:
    """What a description calls a sound nobody asked for."""
    caption = description.split(",")[0]
    phrase = phrase_of(caption, tags)
    if task.language == "en":
        return phrase.hear if phrase else caption[:1].lower() + caption[1:]
    sound = identify(caption, tags, name)
    named = phrase.zh if phrase else bank("names_zh").get(sound.name) if sound else None
    if named is None:
        raise SceneRejected("planning", f"{caption!r} has no name in {task.language!r}; draw another scene")
    return named


def _described(task: Task, hear: str) -> PlannedReply:
    return PlannedReply(text=worded(task, "described", hear=hear))


def worded(task: Task, kind: str, **words: str) -> str:
    """One wording of the bank `describing` in the stream's language."""
    text: str = task.pick(bank("describing")[kind][task.language])
    return fill(text, **words)


def music_qa(task: Task) -> Script:
    """Music, then an open question about it."""
    facts = bank(in_language(task.language, "music"))
    found = benign(task, lambda c: c.annotation.kind == "music" and c.phrase.sound in facts)
    made = [
        Candidate(annotation, phrase)
        for kind in sorted(KINDS)
        if KINDS[kind].kind == "music" and KINDS[kind].criterion is None
        for annotation in [rendered(kind, task.rng)]
        if (phrase := phrase_of(annotation.caption, annotation.tags)) is not None and phrase.sound in facts
    ]
    own = [c for c in found if c.annotation.clip_id]
    if not (own or made):
        raise SceneRejected("planning", "no music whose instrument is known: add music clips with plain captions")
    music = task.pick(own or made)
    thing = music.phrase.thing or music.phrase.hear
    about = ("any", music.phrase.sound)
    question, answer = task.pick([item for part in about for item in spoken_in(task.language, "music", part)])
    answer = fill(answer, thing=thing, hear=music.phrase.heard(task.language))
    return Script([_evidence(task, music), say(task, question, answer, close=True)])


def multiple_choice_qa(task: Task) -> Script:
    """A sound, then a question with three options, one of which is it."""
    target = _one(task, lambda c: not c.phrase.sound.startswith(("a ", "an ", "the ")))
    right = target.phrase.heard(task.language)
    others = [c for c in _sayable() if not alike(c, target)]
    wrong: list[Candidate] = []
    for i in task.rng.permutation(len(others)):
        named = [right, *(c.phrase.heard(task.language) for c in wrong)]
        name = others[i].phrase.heard(task.language)
        # Of two options neither may be said by saying the other.
        if len(wrong) < OPTIONS - 1 and not any(name in other or other in name for other in named):
            wrong.append(others[i])
    place = int(task.rng.integers(OPTIONS))
    options = [c.phrase.heard(task.language) for c in wrong]
    options.insert(place, right)
    question = worded(task, "choose", a=options[0], b=options[1], c=options[2])
    answer = worded(task, "chosen", n=bank("describing")["ordinals"][task.language][place], hear=right)
    asked = say(task, question, answer, close=True, options=tuple(options), right_option=place)
    return Script([_evidence(task, target), asked], avoid=wrong)


@cache
def _sayable() -> tuple[Candidate, ...]:
    """Every benign sound that has a name in speech."""
    sounds = grammar().sounds
    found: list[Candidate] = []
    for name in bank("phrases"):
        phrase = phrase_of(sounds[name].say, sounds[name].tags) if name in sounds else None
        if phrase is not None and phrase.sound == name and phrase.group != "danger":
            sound = sounds[name]
            annotation = Annotation("", sound.say, sound.tags, sound.kind, 1.0, None, "silent", None, sound.bed)
            found.append(Candidate(annotation, phrase))
    return tuple(found)


def _one(task: Task, accept: Callable[[Candidate], bool]) -> Candidate:
    found = benign(task, lambda c: c.annotation.kind == "sfx" and accept(c))
    if not found:
        raise SceneRejected("planning", "no sound of the bag can be asked about: give clips plain captions")
    return task.pick(found)
