"""The language model as planner, refiner, responder and rewriter, each within what the task has fixed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.errors import ReplyRejected
from pipeline.language.crew import SceneCrew
from pipeline.language.replies import opening
from pipeline.planning.annotations import Annotation
from pipeline.planning.scripted import PlannedScene, SceneRequest, identify, plan_scene, refine
from pipeline.planning.settings import CJK, Sound, grammar
from pipeline.planning.validator import TIME, problems
from pipeline.synthesis.kinds import words
from schemas.language import LanguageRole
from schemas.plan import MAX_SUB_EVENTS, MIN_SUB_EVENTS, PlannedReply, Refinement, ScenePlan, Step, StreamPlan, SubEvent
from schemas.protocol import SILENCE_MARKER
from schemas.roles import Refinements, Reply, Rewrite
from schemas.taxonomy import EventKind

MAX_SCENES = 6
"""Scenes that the model may write for one stream before the stream is given up."""
FREE_REPLIES = frozenset(
    {
        "physiological_distress", "natural_hazard", "equipment_fault", "safety_signal", "alert_on_event",
        "stay_silent_unless", "scene_description", "single_turn_qa", "multi_turn_dialogue", "hesitation_pause",
        "barge_in", "environment_aware_reply", "emotion_aware_reply", "idle_check_in",
    }
)  # fmt: skip
"""Sub-tasks whose replies the responder may word. Everywhere else the task's rule fixes the words: a running count, the
chosen option, an acknowledged action, what was said, its translation."""
MIN_REPLY, MAX_REPLY = {"en": 20, "zh": 8}, {"en": 400, "zh": 160}
"""Characters of a reply that can help and still be spoken."""
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


def write_replies(plans: Sequence[StreamPlan], crew: SceneCrew) -> tuple[StreamPlan, ...]:
    """The plans with every free reply worded by the responder; the sides of a pair share the words they share."""
    first, *others = plans
    worded = _worded(first, crew)
    return (worded, *(_worded(plan, crew, like=(first, worded)) for plan in others))


def _worded(plan: StreamPlan, crew: SceneCrew, like: tuple[StreamPlan, StreamPlan] | None = None) -> StreamPlan:
    steps: list[Step] = []
    heard: list[str] = []
    openings: list[str] = []
    wrote = False
    for i, step in enumerate(plan.steps):
        if like is not None and i < len(like[0].steps) and step == like[0].steps[i]:
            step = like[1].steps[i]
        elif step.reply is not None and step.reply.action is None and step.sub_task in FREE_REPLIES:
            reply = _reply(plan, step, step.reply, heard, openings, crew)
            wrote = wrote or reply is not step.reply
            step = step.model_copy(update={"reply": reply})
        steps.append(step)
        heard.append(
            f"sound: {plan.scene.sub_events[step.index].name}"
            if step.source == "event"
            else f"user: {plan.dialogue[step.index].text}"
        )
        if step.reply is not None:
            heard.append(f"assistant: {step.reply.text}")
            openings.append(opening(step.reply.text))
    wrote = wrote or (like is not None and "responder" in like[1].by_model)
    return plan.model_copy(update={"steps": tuple(steps), "by_model": _also(plan, "responder" if wrote else None)})


def _also(plan: StreamPlan, role: LanguageRole | None) -> tuple[LanguageRole, ...]:
    return plan.by_model if role is None or role in plan.by_model else (*plan.by_model, role)


def _reply(
    plan: StreamPlan, step: Step, banked: PlannedReply, heard: list[str], openings: list[str], crew: SceneCrew
) -> PlannedReply:
    event = (
        plan.scene.sub_events[step.index].brief_description
        if step.source == "event"
        else plan.dialogue[step.index].text
    )

    def valid(reply: Reply) -> None:
        text = reply.text.strip()
        if bool(CJK.search(text)) != (plan.language == "zh"):
            raise ValueError(f"the text is not in the language {plan.language!r}: write it in that language")
        low, high = MIN_REPLY[plan.language], MAX_REPLY[plan.language]
        if not low <= len(text) <= high or SILENCE_MARKER in text:
            raise ValueError(f"the text has {len(text)} characters, it takes {low}-{high}: say one useful thing")

    reply = crew.ask(
        "responder",
        Reply,
        validate=valid,
        language=plan.language,
        scenario=plan.scene.scenario,
        event=event,
        history=heard[-12:],
        wanted={"sub_task": step.sub_task, "criterion": step.criterion, "facts": banked.text},
        openings=openings,
    )
    return banked if reply is None else PlannedReply(text=reply.text.strip(), emotion=reply.emotion)


def speakable(plan: StreamPlan, crew: SceneCrew) -> StreamPlan:
    """The plan with every utterance fit to be spoken; what can be spoken as it stands is not touched, nor sent."""
    dialogue = []
    for utterance in plan.dialogue:
        text = utterance.text
        if not (_CLEAN.fullmatch(text) or _CLEAN_ZH.fullmatch(text)):

            def valid(reply: Rewrite, language: str = utterance.language) -> None:
                if bool(CJK.search(reply.text)) != (language == "zh"):
                    raise ValueError(f"the text is not in the language {language!r}: keep its language")

            reply = crew.ask("rewriter", Rewrite, validate=valid, text=text, language=utterance.language)
            text = text if reply is None else reply.text
        dialogue.append(utterance.model_copy(update={"text": text}))
    changed = tuple(dialogue) != plan.dialogue
    return plan.model_copy(
        update={"dialogue": tuple(dialogue), "by_model": _also(plan, "rewriter" if changed else None)}
    )
