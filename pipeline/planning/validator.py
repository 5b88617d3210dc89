"""Rules of a scene plan, for the scripted planner and language models alike; each message says how to repair it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from pipeline.errors import SceneRejected
from pipeline.planning.settings import CJK, grammar, indoors, recognise
from schemas.plan import MAX_SUB_EVENTS, MIN_SUB_EVENTS, Constraint, Refinement, ScenePlan, SubEvent

SLACK_S = 0.5
QUERY_WORDS, QUERY_CHARACTERS = (4, 12), (4, 40)
TIME = re.compile(
    r"\b(dawn|daybreak|sunrise|sunset|mornings?|noon|midday|mid-day|lunch(time)?|afternoons?|evenings?|dusk|twilight|"
    r"nights?|nightfall|midnight|tonight|daytime|rush hour|breakfast|dinner(time)?|bedtime|first light|"
    r"\d{1,2}([:.]\d\d)? ?(a\.?m|p\.?m|o'?clock)|\d{1,2}[:.]\d\d)\b"
    r"|[清凌]晨|早[上晨间饭]|拂晓|黎明|日出|上午|中午|正午|午[后间夜休饭]|下午|傍晚|黄昏|日落|晚[上间饭]|夜[里晚间]?|白天|[\d一二三四五六七八九十两]点",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(in|at|on|inside|along|under|near|beside|by|among|amid|past|down|up|from|outside|aboard|across|through|around|behind|within|between|beneath|"
    r"above|below|over)\s+\w+|\bindoors\b|\boutdoors\b|[在里内外旁边上下中间前后处]|"
    r"[室厅房院街路店馆园场站]",
    re.IGNORECASE,
)
TIME_PHRASE = re.compile(
    r"\b((in|at|on|by|during|around|near|past|from|through)\s+)?((the|a|an|one)\s+)?"
    r"((early|late|very|bright|quiet|calm|busy|cold|warm|hot|cool|dark|clear|rainy|stormy|sunny|foggy|snowy|windy|"
    r"spring|summer|autumn|winter|weekday|weekend|middle of the|(mon|tues|wednes|thurs|fri|satur|sun)day)\s+){0,3}"
    rf"({TIME.pattern})",
    re.IGNORECASE,
)
"""A time with the preposition that belongs to it, which names no place."""
ADMITTED = re.compile(
    r"\b(through|outside|outdoors|muffled|distant|far|beyond|against|window|open|opened|opening|door|heard from|"
    r"from inside|from a house|indoors)\b|窗|门|外|远",
    re.IGNORECASE,
)
"""Words with which a sub-event itself says how a cue from the other side of a wall can be heard."""


def problems(plan: ScenePlan, refinements: Sequence[Refinement] | None, *, duration_s: float) -> tuple[str, ...]:
    """Every broken rule of a plan for a scene of `duration_s` seconds: value, rule, fix; empty where it is sound.

    `refinements` is None while there are none yet.
    """
    return (
        *_shape(plan, refinements),
        *_times(plan, duration_s),
        *_constraints(plan, duration_s),
        *_walls(plan),
        *_scenario(plan.scenario),
        *(_refinements(plan, refinements) if refinements is not None else ()),
    )


def validate_scene(plan: ScenePlan, refinements: Sequence[Refinement], *, duration_s: float) -> None:
    """Raise SceneRejected("planning", all problems joined by "; ") unless the plan is sound."""
    if found := problems(plan, refinements, duration_s=duration_s):
        raise SceneRejected("planning", "; ".join(found))


def count_words(text: str) -> tuple[int, bool]:
    """Number of words, each Chinese character one, and whether there are Chinese characters."""
    characters = len(CJK.findall(text))
    return characters + len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", CJK.sub(" ", text))), characters > 0


def _shape(plan: ScenePlan, refinements: Sequence[Refinement] | None) -> list[str]:
    found = []
    count = len(plan.sub_events)
    if not MIN_SUB_EVENTS <= count <= MAX_SUB_EVENTS:
        found.append(f"{count} sub-events, a scene has {MIN_SUB_EVENTS}-{MAX_SUB_EVENTS}: add or drop some")
    if refinements is not None and len(refinements) != count:
        found.append(f"{len(refinements)} refinements for {count} sub-events: write one for each, in the same order")
    names = Counter(e.name for e in plan.sub_events)
    found += [f"the name {name!r} occurs {n} times: make names unique" for name, n in names.items() if n > 1]
    return found


def _times(plan: ScenePlan, duration_s: float) -> list[str]:
    found = []
    limit_s = duration_s + SLACK_S
    if not any(_covers(e, duration_s) for e in plan.sub_events if e.role == "ambient"):
        found.append(
            f"no ambient sub-event lasts the whole scene: give one ambient slot a rough_duration_s of {duration_s:g}"
        )
    for event in plan.sub_events:
        if event.role == "ambient" and not _covers(event, duration_s):
            found.append(
                f"ambient {event.name!r} lasts {event.rough_duration_s:g} s of {duration_s:g} s, ambient goes on: "
                f"give it {duration_s:g} s or make it background"
            )
        elif event.role != "ambient" and event.rough_duration_s > limit_s:
            found.append(
                f"{event.role} {event.name!r} lasts {event.rough_duration_s:g} s, the scene {duration_s:g} s: "
                "shorten it to fit"
            )
    total_s = sum(e.rough_duration_s for e in plan.sub_events if e.role == "foreground")
    if total_s > limit_s:
        found.append(
            f"foreground sub-events last {total_s:g} s together, one after another, "
            f"the scene {duration_s:g} s: shorten or drop some"
        )
    return found


def _constraints(plan: ScenePlan, duration_s: float) -> list[str]:
    found = []
    events = {e.name: e for e in plan.sub_events}
    order = {e.name: i for i, e in enumerate(e for e in plan.sub_events if e.role == "foreground")}
    after: dict[str, set[str]] = {}
    for rule in plan.constraints:
        label = f"constraint {rule.first!r} {rule.kind} {rule.second!r}"
        unknown = [name for name in (rule.first, rule.second) if name not in events]
        if unknown:
            found += [f"{label} names {name!r}, which is no sub-event: use one of {sorted(events)}" for name in unknown]
        elif rule.first == rule.second:
            found.append(f"{label} relates a sub-event to itself: drop it")
        elif rule.kind == "before":
            after.setdefault(rule.second, set()).add(rule.first)
            found += _before(label, rule, events, order, duration_s)
        elif all(_covers(events[name], duration_s) for name in (rule.first, rule.second)):
            found.append(f"{label}, but both last the whole scene: shorten or drop one")
    try:
        TopologicalSorter(after).prepare()
    except CycleError as cycle:
        names = cycle.args[1]
        found.append(f"`before` runs in a circle, {' -> '.join(map(repr, names))}: drop one of these constraints")
    return found


def _before(
    label: str, rule: Constraint, events: dict[str, SubEvent], order: dict[str, int], duration_s: float
) -> list[str]:
    endless = [
        name
        for name in (rule.first, rule.second)
        if events[name].role != "foreground" and _covers(events[name], duration_s)
    ]
    if endless:
        return [f"{label}, but {name!r} lasts the whole scene: shorten it or drop the constraint" for name in endless]
    if rule.first in order and rule.second in order and order[rule.first] > order[rule.second]:
        return [f"{label}, but {rule.second!r} is listed first: list foreground sub-events in temporal order"]
    return []


def _walls(plan: ScenePlan) -> list[str]:
    """Cues from the other side of a wall that nothing lets in; none where the scenario leaves the side open."""
    inside = indoors(plan.scenario)
    if inside is None:
        return []
    found = []
    opened = False
    for event in plan.sub_events:
        sound = recognise(event.name) or recognise(re.split(r"[,.;，。；]", event.brief_description)[0])
        opened = opened or (event.role == "foreground" and _opens(event))
        if sound is None or sound.where != ("outdoor" if inside else "indoor"):
            continue
        let_in = opened if event.role == "foreground" else any(_opens(e) for e in plan.sub_events)
        if not let_in and not ADMITTED.search(f"{event.name} {event.brief_description}"):
            here, there = ("indoors", "outdoor") if inside else ("outdoors", "indoor")
            found.append(
                f"{event.role} {event.name!r} is an {there} sound in a scene set {here}: put a transition before it "
                "(a door or window opens), say how it is heard (muffled, through the window), or replace it"
            )
    return found


def _opens(event: SubEvent) -> bool:
    sound = recognise(event.name) or recognise(event.brief_description)
    return sound is not None and sound.name in grammar().openings


def _scenario(scenario: str) -> list[str]:
    found = []
    if not TIME.search(scenario):
        found.append(f"scenario {scenario!r} has no time of day: add one, such as at dusk, at 7 pm, 傍晚")
    if not PLACE.search(TIME.sub(" ", TIME_PHRASE.sub(" ", scenario))):
        found.append(f"scenario {scenario!r} has no place: add one, such as in a kitchen, on a beach, 厨房里")
    return found


def _refinements(plan: ScenePlan, refinements: Sequence[Refinement]) -> list[str]:
    found = []
    for event, refinement in zip(plan.sub_events, refinements, strict=False):
        count, chinese = count_words(refinement.query)
        (low, high), unit = (QUERY_CHARACTERS, "characters") if chinese else (QUERY_WORDS, "words")
        if not low <= count <= high:
            found.append(
                f"query {refinement.query!r} of {event.name!r} has {count} {unit}, it takes {low}-{high}: "
                "name source, material, surface, intensity, distance"
            )
        if not any(tag.strip() for tag in refinement.accept_tags):
            found.append(f"accept_tags of {event.name!r} is empty: give at least one AudioSet tag")
        if not refinement.fallback_caption.strip():
            found.append(f"fallback_caption of {event.name!r} is empty: describe the sound in 1-2 sentences")
    return found


def _covers(event: SubEvent, duration_s: float) -> bool:
    return event.rough_duration_s >= duration_s - SLACK_S
