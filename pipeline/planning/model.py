"""The language model as planner, refiner and rewriter, within what the task has fixed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.errors import ReplyRejected
from pipeline.language.crew import SceneCrew
from pipeline.planning.annotations import Annotation
from pipeline.planning.scripted import PlannedScene, SceneRequest, identify, plan_scene, refine
from pipeline.planning.settings import Sound, grammar
from pipeline.planning.validator import TIME, problems
from pipeline.planning.wording import also, in_language
from pipeline.synthesis.kinds import words
from pipeline.synthesis.spoken import spoken_form
from schemas.plan import MAX_SUB_EVENTS, MIN_SUB_EVENTS, Refinement, ScenePlan, StreamPlan, SubEvent
from schemas.roles import Refinements, Rewrite
from schemas.taxonomy import EventKind

MAX_SCENES = 6
"""Scenes that the model may write for one stream before the stream is given up."""


_CLEAN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:[,;:.!?…]? [^\W\d_]+(?:['’-][^\W\d_]+)*)*[.!?…]?")
_CLEAN_ZH = re.compile(r"[\u3400-\u9fff，。！？、；：]+")


@dataclass(slots=True)
class ModelScenes:
    """A `ScenePlanner`: the model plans and refines; the scripted planner does what the recipe leaves to it."""

    crew: SceneCrew
    unlike: tuple[str, ...] = ()
    """Scenarios that the scene must differ from."""
    _written: int = field(default=0, init=False)

    def __call__(self, bag: Sequence[Annotation], request: SceneRequest, *, rng: np.random.Generator) -> PlannedScene:
        """Plan one scene and refine its sub-events.

        Raises:
            SceneRejected: the request cannot be met by the scripted planner, where that plans.
            ReplyRejected: the model's replies stayed invalid.
        """
        names = _names(request)
        scene = self._scene(bag, request, names) if self.crew.crew.takes("planner") else None
        if scene is None:
            planned = plan_scene(bag, request, rng=rng)
        else:
            agent = self.crew.crew.agent("planner")
            planned = _planned(scene, request, names, f"{agent.name}/{agent.version}")
        return self._refined(planned, request)

    def _scene(self, bag: Sequence[Annotation], request: SceneRequest, names: Sequence[str]) -> ScenePlan | None:
        if self._written >= MAX_SCENES:
            why = f"planner: {MAX_SCENES} scenes were written for one stream and none fits its task"
            return self.crew.give_up("planner", ReplyRejected(why, role="planner"))
        self._written += 1
        pinned = sorted(range(len(names)), key=lambda i: (request.wanted[i].at is None, request.wanted[i].at or 0.0))
        most = min(MAX_SUB_EVENTS, len(names) + request.foreground + request.background + 1)

        def valid(plan: ScenePlan) -> None:
            timed = _timed(plan, request, names)
            in_order = [names[i] for i in pinned if request.wanted[i].at is not None]
            found = (
                *_misplaced(timed, names, in_order),
                *_unwelcome(timed, request, names),
                *problems(timed, None, duration_s=request.duration_s),
            )
            if found:
                raise ValueError("; ".join(found))

        scene = self.crew.ask(
            "planner",
            ScenePlan,
            validate=valid,
            more=100 * self._written,
            captions=[
                f"{a.caption} ({a.duration_s:.1f} s)" for a in bag if not _avoided(identify(a.caption, a.tags), request)
            ],
            duration_s=round(request.duration_s, 1),
            min_events=max(MIN_SUB_EVENTS, len(names) + 1),
            max_events=max(MIN_SUB_EVENTS, most),
            must_include=[
                {
                    "name": names[i],
                    "sound": request.wanted[i].caption,
                    "duration_s": round(request.wanted[i].duration_s, 2),
                    "at": None if (at := request.wanted[i].at) is None else round(at, 2),
                }
                for i in pinned
            ],
            must_avoid=sorted(request.avoid_tags),
            unlike=list(self.unlike),
            language=request.language,
        )
        return None if scene is None else _timed(scene, request, names)

    def _refined(self, planned: PlannedScene, request: SceneRequest) -> PlannedScene:
        count = len(planned.scene.sub_events)

        def valid(reply: Refinements) -> None:
            if found := problems(planned.scene, reply.refinements, duration_s=request.duration_s):
                raise ValueError("; ".join(found))

        reply = self.crew.ask(
            "refiner",
            Refinements,
            validate=valid,
            more=100 * self._written,
            plan=planned.scene.model_dump(mode="json"),
            count=count,
        )
        if reply is None:
            return planned
        # What the task or the grammar knows of a sound is evidence of it too.
        refinements = tuple(
            _with_tags(mine, known.accept_tags)
            for mine, known in zip(reply.refinements, planned.refinements, strict=True)
        )
        return replace(planned, refinements=refinements, by_model=(*planned.by_model, "refiner"))


def _names(request: SceneRequest) -> list[str]:
    """A unique name for each wanted sub-event."""
    names: list[str] = []
    for wanted in request.wanted:
        base = (wanted.name or " ".join(wanted.caption.split()[:5]))[:60].strip() or "sound"
        count = sum(name == base or name.rpartition(" ")[0] == base for name in names)
        names.append(base if not count else f"{base} {count + 1}")
    return names


def _timed(plan: ScenePlan, request: SceneRequest, names: Sequence[str]) -> ScenePlan:
    """The plan with the lengths that the task fixed."""
    lengths = {name: w.duration_s for name, w in zip(names, request.wanted, strict=True)}
    events = tuple(
        e.model_copy(update={"rough_duration_s": lengths.get(e.name, e.rough_duration_s)}) for e in plan.sub_events
    )
    return plan.model_copy(update={"sub_events": events})


def _misplaced(plan: ScenePlan, names: Sequence[str], in_order: Sequence[str]) -> list[str]:
    heard = [e.name for e in plan.sub_events if e.role == "foreground"]
    missing = [
        f"no foreground sub-event is named {n!r}: add it under exactly this name" for n in names if n not in heard
    ]
    found = [name for name in heard if name in in_order]
    if not missing and found != list(in_order):
        return [f"the sub-events {found} must stand in the order {list(in_order)}: move them"]
    return missing


def _unwelcome(plan: ScenePlan, request: SceneRequest, names: Sequence[str]) -> list[str]:
    return [
        f"{event.role} {event.name!r} is like a sound that must not occur: replace it"
        for event in plan.sub_events
        if event.name not in names and _avoided(identify(event.brief_description, (), event.name), request)
    ]


def _avoided(sound: Sound | None, request: SceneRequest) -> bool:
    return sound is not None and not request.avoid_tags.isdisjoint(sound.tags)


def _planned(scene: ScenePlan, request: SceneRequest, names: Sequence[str], planner: str) -> PlannedScene:
    """The model's scene with everything that follows from it; refinements by rule until the refiner has spoken."""
    index = {event.name: i for i, event in enumerate(scene.sub_events)}
    wanted = {index[name]: w for name, w in zip(names, request.wanted, strict=True)}
    refinements = tuple(refine(e, wanted[i].tags if i in wanted else ()) for i, e in enumerate(scene.sub_events))
    return PlannedScene(
        scene=scene,
        refinements=refinements,
        kinds=tuple(wanted[i].kind if i in wanted else _kind(e) for i, e in enumerate(scene.sub_events)),
        wanted=tuple(index[name] for name in names),
        setting=setting_of(scene.scenario),
        planner=planner,
        by_model=("planner",),
    )


def _kind(event: SubEvent) -> EventKind:
    sound = identify(event.brief_description, (), event.name)
    if sound is not None:
        return sound.kind
    return "music" if "music" in event.name.lower() else "sfx"


def _with_tags(refinement: Refinement, tags: Sequence[str]) -> Refinement:
    return refinement.model_copy(update={"accept_tags": tuple(dict.fromkeys((*refinement.accept_tags, *tags)))})


def setting_of(scenario: str) -> str:
    """Place and part of the day of a free sentence, in the grammar's words: "kitchen morning", "elsewhere night"."""
    said = set(words(scenario))
    places = [
        s.name for s in grammar().settings if set(words(s.name)) <= said or s.zh[0].removesuffix("里") in scenario
    ]
    place = max(places, key=len, default="elsewhere")
    lower = scenario.lower()
    ways = (
        (time, way) for time, spoken in grammar().times.items() for said in spoken.values() for way in (time, *said)
    )
    known = [(len(way), time) for time, way in ways if way in lower]
    found = TIME.search(scenario)
    time = max(known)[1] if known else found[0].lower() if found else "anytime"
    return f"{place} {time}"


def speakable(plan: StreamPlan, crew: SceneCrew) -> StreamPlan:
    """The plan with every utterance fit to be spoken; what can be spoken as it stands is not touched, nor sent.

    Where pauses, options, partial texts or a recording hang on the words, the words stay.
    """
    bound = {s.index for s in plan.steps if s.source == "speech" and (s.incremental or s.options)}
    dialogue, by_model, by_rules = [], False, False
    for i, utterance in enumerate(plan.dialogue):
        text = utterance.text
        fixed = i in bound or utterance.pauses or utterance.clip_id is not None
        if not (fixed or _CLEAN.fullmatch(text) or _CLEAN_ZH.fullmatch(text)):

            def valid(reply: Rewrite, language: str = utterance.language) -> None:
                in_language(reply.text, language)

            reply = crew.ask("rewriter", Rewrite, validate=valid, text=text, language=utterance.language)
            text = spoken_form(text, utterance.language) if reply is None else reply.text
            by_model |= reply is not None and text != utterance.text
            by_rules |= reply is None and text != utterance.text
        dialogue.append(utterance.model_copy(update={"text": text}))
    return plan.model_copy(
        update={
            "dialogue": tuple(dialogue),
            "by_model": also(plan, "rewriter" if by_model else None),
            "rewritten": by_rules,
        }
    )
