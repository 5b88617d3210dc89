"""What every sub-task builds its stream from: a bag, a scene around wanted sounds, steps, and texts from the banks."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

import numpy as np

from pipeline import seeds
from pipeline.errors import SceneRejected
from pipeline.planning.annotations import Annotation, Voices
from pipeline.planning.banks import bank
from pipeline.planning.instructions import Instruction
from pipeline.planning.phrases import Phrase, phrase_of
from pipeline.planning.scripted import PlannedScene, ScenePlanner, SceneRequest, Wanted, identify, plan_scene
from pipeline.planning.validator import problems
from pipeline.synthesis.kinds import KINDS, match_kind
from schemas.plan import (
    MAX_SUB_EVENTS,
    MIN_SUB_EVENTS,
    PairCue,
    Refinement,
    ScenePlan,
    Step,
    StreamPlan,
)
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF, AuditLabel, Criterion, EventKind

Language = Literal["en", "zh"]
T = TypeVar("T")

_WORD_IN = re.compile(r"(?:(?![\u3400-\u9fff])[^\W_])+")
_PAIR = re.compile(r"(?=([\u3400-\u9fff]{2}))")
_AN = re.compile(r"\b([Aa])(?= (?!one\b|uni|use)[aeiou])")

LONGEST_S = 8.0
"""Longest foreground sound that a task asks for; longer clips are cut."""
P_OWN = 0.6
"""Share of triggers that are clips of the bag, where it has any of the kind."""
REDRAWS = 4
"""Scenes drawn for one request; each leaves out what spoilt the one before."""
WORD_S, CHARACTER_S = 0.4, 0.25
"""Spoken length of an English word and a Chinese character, for the budget of a stream."""


class AuditLike(Protocol):
    """What the silence auditor says of a sound."""

    @property
    def label(self) -> AuditLabel: ...

    @property
    def criterion(self) -> Criterion | None: ...

    @property
    def reason(self) -> str: ...


Auditor = Callable[..., AuditLike]
"""`audit(caption, tags, *, scenario, neighbours, policy)`."""


Ahead = Callable[[Sequence[Callable[[], object]]], None]
"""Called with what is about to be asked one after another, so that a slow judge may be asked at once."""


def no_haste(calls: Sequence[Callable[[], object]]) -> None:
    """Rules judge at once."""


@dataclass(frozen=True, slots=True)
class Task:
    """One stream to be planned: what was asked for and what there is to plan with."""

    sub_task: str
    bag: tuple[Annotation, ...]
    recipe: Recipe
    rng: np.random.Generator
    audit: Auditor
    language: Language
    duration_s: float
    background: int
    plan_scene: ScenePlanner = plan_scene
    ahead: Ahead = no_haste
    turn: int | None = None
    """How many streams of this sub-task came before."""
    voices: Voices = field(default_factory=dict)
    """Speech of the library that may be written down."""
    instructions: tuple[Instruction, ...] = ()
    """Of the recipe's instruction corpus."""

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`, evenly."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return bool(self.rng.random() < probability)

    def say(self, kind: str, **words: str) -> str:
        """One wording of the bank `instructions` in the stream's language, its gaps filled."""
        text: str = self.pick(bank("instructions")[kind][self.language])
        return fill(text, **words)

    def number(self, n: int) -> str:
        """A small number in words."""
        return bank("instructions")["numbers"][self.language][n]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sound a task may ask for, with the words for it."""

    annotation: Annotation
    phrase: Phrase

    def wanted(self, *, at: float | None = None, single: bool = False) -> Wanted:
        """The sound as a foreground sub-event; `single` asks for one occurrence of it."""
        a = self.annotation
        length = a.single_s if single and a.single_s else a.duration_s
        return Wanted(
            a.caption,
            a.tags,
            a.kind,
            float(np.clip(length, 0.2, LONGEST_S)),
            at,
            self.phrase.sound.replace("_", " ")[:60],
        )


def rendered(kind: str, rng: np.random.Generator) -> Annotation:
    """A procedural kind as if it were a clip of the bag."""
    spec = KINDS[kind]
    low, high = spec.duration_s
    length = float(rng.uniform(low, max(low, min(high, LONGEST_S))))
    return Annotation(
        clip_id="",
        caption=spec.captions[int(rng.integers(len(spec.captions)))],
        tags=spec.tags,
        kind=spec.kind,
        duration_s=length,
        single_s=None if spec.sustained else length,
        label="respond" if spec.criterion else "silent",
        criterion=spec.criterion,
        sustained=spec.sustained,
    )


def benign(task: Task, accept: Callable[[Candidate], bool]) -> list[Candidate]:
    """Nameable benign sounds of the bag that `accept` admits, one clip per sound; rendered ones if there are none."""

    def named(annotations: Iterable[Annotation]) -> list[Candidate]:
        found: dict[str, Candidate] = {}
        for a in annotations:
            if a.label != "silent" or a.kind == "speech":
                continue
            phrase = phrase_of(a.caption, a.tags, language=task.language)
            if phrase is None or phrase.group == "danger" or (task.language == "zh" and phrase.zh is None):
                continue
            candidate = Candidate(a, phrase)
            if accept(candidate):
                found.setdefault(phrase.sound, candidate)
        return list(found.values())

    return named(task.bag) or named(rendered(kind, task.rng) for kind in KINDS if KINDS[kind].criterion is None)


def alike(one: Candidate, other: Candidate) -> bool:
    """Whether two sounds could be taken for one another."""
    tags = {t.lower() for t in one.annotation.tags} & {t.lower() for t in other.annotation.tags}
    return one.phrase.sound == other.phrase.sound or bool(tags)


def trigger(task: Task, criterion: Criterion, *, named: bool = False, even: bool = True) -> Candidate:
    """A sound of the criterion: a clip of the bag or one that can be rendered; the audit agrees.

    Kinds take turns over a corpus, in an order that the recipe's seed draws, so that rare ones are heard as often as
    common ones; `even=False` draws one, for a further sound of the same stream.
    """
    own = [a for a in task.bag if a.label == "respond" and a.criterion == criterion and a.kind == "sfx"]
    kinds = [name for name, kind in KINDS.items() if kind.criterion == criterion]
    # The last node of the ontology is all that the synthesizer does not know.
    nodes = [*kinds, None]
    order = seeds.rng(task.recipe.seed, criterion, "triggers").permutation(len(nodes))
    turn = task.turn if even and task.turn is not None else int(task.rng.integers(len(nodes)))
    for k in range(2 * len(nodes)):
        spoken = nodes[order[(turn + k) % len(nodes)]]
        clips = [a for a in own if _kind_among(a, kinds) == spoken]
        if clips and (spoken is None or task.chance(P_OWN)):
            annotation, spoken = task.pick(clips), ""
        elif spoken is None:
            continue
        else:
            annotation = rendered(spoken, task.rng)
        judged = task.audit(annotation.caption, annotation.tags, policy=task.recipe.policy)
        if judged.label != "respond" or judged.criterion != criterion:
            continue
        phrase = phrase_of(annotation.caption, annotation.tags, language=task.language)
        if named and (phrase is None or phrase.group != "danger"):
            continue
        sound = identify(annotation.caption, annotation.tags, spoken.replace("_", " "))
        name = spoken or (sound.name if sound else annotation.caption[:40])
        return Candidate(annotation, replace(phrase, sound=name) if phrase and not named else phrase or _unnamed(name))
    raise SceneRejected(
        "planning", f"no sound of the criterion {criterion!r} passes the audit: add clips or allow more"
    )


def _kind_among(annotation: Annotation, kinds: Sequence[str]) -> str | None:
    kind = match_kind(annotation.caption, annotation.tags)
    return kind if kind in kinds else None


def _unnamed(name: str) -> Phrase:
    return Phrase(name, name.replace("_", " "), None, None, None, None, None)


def compose(
    task: Task, wanted: Sequence[Wanted], *, speech: Sequence[str] = (), avoid: Sequence[Candidate] = ()
) -> PlannedScene:
    """A scene around `wanted` that fills what the stream's duration leaves, without sounds like `avoid`.

    Raises SceneRejected where no setting admits it, or what nobody wanted keeps being a danger or like `avoid`.
    """
    gap_s = sum(task.recipe.timing.gap_s.bounds) / 2
    own_s = sum(w.duration_s + gap_s for w in wanted) + sum(spoken_s(text) + gap_s for text in speech)
    lengths = [min(a.duration_s, 6.0) for a in task.bag if a.label == "silent"]
    each_s = (float(np.mean(lengths)) if lengths else 3.0) * 0.8 + gap_s
    room = MAX_SUB_EVENTS - 1 - task.background - len(wanted)
    count = int(np.clip(round((task.duration_s - own_s) / each_s), min(2, room), room))
    tags = frozenset(t for c in avoid for t in c.annotation.tags) | frozenset(
        t for c in avoid if (s := identify(c.annotation.caption, c.annotation.tags)) for t in s.tags
    )
    known = (identify(c.annotation.caption, c.annotation.tags, c.phrase.sound.replace("_", " ")) for c in avoid)
    sounds = {sound.name for sound in known if sound is not None}
    duration_s, fault = max(task.duration_s, own_s + 2 * each_s), ""
    for _ in range(REDRAWS):
        planned = task.plan_scene(
            [a for a in task.bag if a.label == "silent"],
            SceneRequest(
                foreground=count,
                background=task.background,
                duration_s=duration_s,
                wanted=tuple(wanted),
                avoid_tags=tags,
                language=task.language,
            ),
            rng=task.rng,
        )
        while (unfit := _unfit(task, planned, sounds)) is not None:
            index, fault = unfit
            # The grammar draws anew at no price; of a model's scene the rest is kept.
            fewer = _without(planned, index, duration_s) if "planner" in planned.by_model else None
            if fewer is None:
                break
            planned = fewer
        else:
            return planned
        tags |= set(planned.refinements[index].accept_tags)
    raise SceneRejected("planning", fault)


def _without(planned: PlannedScene, index: int, duration_s: float) -> PlannedScene | None:
    """The scene less one sub-event and the rules that name it; None where it needs that sub-event."""
    kept = [i for i in range(len(planned.scene.sub_events)) if i != index]
    name = planned.scene.sub_events[index].name
    if len(kept) < MIN_SUB_EVENTS:
        return None
    scene = planned.scene.model_copy(
        update={
            "sub_events": tuple(planned.scene.sub_events[i] for i in kept),
            "constraints": tuple(c for c in planned.scene.constraints if name not in (c.first, c.second)),
        }
    )
    refinements = tuple(planned.refinements[i] for i in kept)
    if problems(scene, refinements, duration_s=duration_s):
        return None
    return replace(
        planned,
        scene=scene,
        refinements=refinements,
        kinds=tuple(planned.kinds[i] for i in kept),
        wanted=tuple(kept.index(i) for i in planned.wanted),
    )


def _unfit(task: Task, planned: PlannedScene, sounds: set[str]) -> tuple[int, str] | None:
    """The first sub-event nobody wanted that could pass for a target or is not benign here, and why."""
    others = [i for i in range(len(planned.scene.sub_events)) if i not in planned.wanted]
    task.ahead([functools.partial(judge, task, planned.scene, planned.refinements, i) for i in others])
    for i, event in enumerate(planned.scene.sub_events):
        if i in planned.wanted:
            continue
        heard = identify(event.brief_description.split(",")[0], planned.refinements[i].accept_tags, event.name)
        if heard is not None and heard.name in sounds:
            return i, f"sub-event {event.name!r} could be taken for a target"
        judged = judge(task, planned.scene, planned.refinements, i)
        if judged.label != "silent":
            return i, f"sub-event {event.name!r} is {judged.label}: {judged.reason}"
    return None


def judge(task: Task, scene: ScenePlan, refinements: Sequence[Refinement], index: int) -> AuditLike:
    """The audit of one sub-event in its scene."""
    return task.audit(
        _itself(scene.sub_events[index].brief_description),
        refinements[index].accept_tags,
        scenario=scene.scenario,
        neighbours=beside(scene, index),
        policy=task.recipe.policy,
    )


def beside(scene: ScenePlan, index: int) -> list[str]:
    """What is heard right before and after a foreground sub-event, as the audit takes it; nothing for one beneath."""
    order = foreground(scene)
    if index not in order:
        return []
    place = order.index(index)
    near = order[max(0, place - 1) : place + 2]
    return [_itself(scene.sub_events[i].brief_description) for i in near if i != index]


def _itself(description: str) -> str:
    # The room's words ("above the water") are no part of the sound.
    return description.partition(", heard in ")[0]


def foreground(scene: ScenePlan) -> list[int]:
    """Indices of the foreground sub-events, in temporal order."""
    return [i for i, event in enumerate(scene.sub_events) if event.role == "foreground"]


def steps_of(
    task: Task,
    scene: ScenePlan,
    refinements: Sequence[Refinement],
    answered: Mapping[int, Step],
    *,
    quiet: bool | None = None,
) -> list[Step]:
    """A step per foreground sub-event: the `answered` ones as given, the others silent or none.

    `quiet` says whether the stream carries verified silence; drawn with the recipe's `p_silent` where None.
    """
    verified = task.chance(task.recipe.p_silent) if quiet is None else quiet
    return [
        answered.get(i)
        or Step(
            source="event",
            index=i,
            sub_task=task.sub_task,
            decision="silent" if verified else "none",
            reason=judge(task, scene, refinements, i).reason if verified else "",
        )
        for i in foreground(scene)
    ]


def stream(
    task: Task,
    planned: PlannedScene,
    steps: Sequence[Step],
    *,
    targets: Sequence[int] = (),
    pair: PairCue | None = None,
) -> StreamPlan:
    """The finished plan of a stream in which nobody speaks."""
    kinds: tuple[EventKind, ...] = planned.kinds
    return StreamPlan(
        ability=ABILITY_OF[task.sub_task],
        sub_task=task.sub_task,
        language=task.language,
        setting=planned.setting,
        scene=planned.scene,
        refinements=planned.refinements,
        kinds=kinds,
        steps=tuple(steps),
        targets=tuple(targets),
        pair=pair,
        planner=planned.planner,
        by_model=planned.by_model,
    )


def fill(text: str, **words: str) -> str:
    """A wording with its gaps filled; {Name} is {name} with a capital, "a" becomes "an" where it must."""
    filled = text.format(**words, **{k.capitalize(): capital(v) for k, v in words.items()})
    return _AN.sub(r"\1n", filled)


def words_in(text: str) -> set[str]:
    """The words of a text in lower case; of Chinese, which does not part them, every two characters that follow."""
    return set(_WORD_IN.findall(text.lower())) | set(_PAIR.findall(text))


def spoken_s(text: str) -> float:
    """Rough spoken length of a text."""
    chinese = sum("\u3400" <= c <= "\u9fff" for c in text)
    return chinese * CHARACTER_S + len(text.split()) * WORD_S * (chinese == 0)


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
