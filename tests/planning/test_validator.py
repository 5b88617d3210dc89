"""Each broken rule of a plan is named, with the value and the fix; sound plans, a language model's too, pass."""

from collections.abc import Callable

import pytest

from pipeline.errors import SceneRejected
from pipeline.planning.validator import problems, validate_scene
from schemas.plan import Constraint, Refinement, ScenePlan, SubEvent

DURATION_S = 30.0
EVENTS = (
    SubEvent(name="kettle", role="foreground", rough_duration_s=6, brief_description="An electric kettle boils."),
    SubEvent(name="pouring", role="foreground", rough_duration_s=3, brief_description="Water into a ceramic mug."),
    SubEvent(name="radio", role="background", rough_duration_s=20, brief_description="A radio in the next room."),
    SubEvent(name="fridge", role="ambient", rough_duration_s=30, brief_description="A refrigerator hums."),
)
PLAN = ScenePlan(
    scenario="A man makes tea in a small kitchen early in the morning.",
    sub_events=EVENTS,
    constraints=(Constraint(kind="before", first="kettle", second="pouring"),),
)
REFINED = tuple(
    Refinement(query=f"{e.name} heard close by", fallback_caption=e.brief_description, accept_tags=("Tag",))
    for e in EVENTS
)


def event(index: int, **changes: object) -> ScenePlan:
    events = list(EVENTS)
    events[index] = events[index].model_copy(update=changes)
    return PLAN.model_copy(update={"sub_events": tuple(events)})


def rules(*constraints: tuple[str, str, str]) -> ScenePlan:
    made = tuple(Constraint(kind=k, first=a, second=b) for k, a, b in constraints)  # type: ignore[arg-type]
    return PLAN.model_copy(update={"constraints": made})


def added(name: str, brief: str, *, at: int = 0, scenario: str = PLAN.scenario, role: str = "foreground") -> ScenePlan:
    new = SubEvent(name=name, role=role, rough_duration_s=2, brief_description=brief)  # type: ignore[arg-type]
    return PLAN.model_copy(update={"scenario": scenario, "sub_events": (*EVENTS[:at], new, *EVENTS[at:])})


def found(plan: ScenePlan, refinements: tuple[Refinement, ...] | None = None) -> tuple[str, ...]:
    if refinements is None:
        refinements = (*REFINED, *REFINED)[: len(plan.sub_events)]
    return problems(plan, refinements, duration_s=DURATION_S)


def test_a_sound_plan_passes() -> None:
    assert found(PLAN) == ()
    validate_scene(PLAN, REFINED, duration_s=DURATION_S)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda: PLAN.model_copy(update={"sub_events": EVENTS[-2:], "constraints": ()}), "2 sub-events"),
        (lambda: PLAN.model_copy(update={"sub_events": EVENTS * 4, "constraints": ()}), "16 sub-events"),
        (lambda: event(3, rough_duration_s=12), "no ambient sub-event lasts the whole scene"),
        (lambda: event(3, role="background", rough_duration_s=12), "no ambient sub-event lasts the whole scene"),
        (lambda: event(2, role="ambient"), "ambient 'radio' lasts 20 s of 30 s"),
        (lambda: event(2, rough_duration_s=45), "background 'radio' lasts 45 s"),
        (lambda: event(0, rough_duration_s=29), "foreground sub-events last 32 s together"),
        (lambda: event(1, name="kettle"), "'kettle' occurs 2 times"),
        (lambda: rules(("before", "cat", "pouring")), "names 'cat', which is no sub-event"),
        (lambda: rules(("before", "kettle", "kettle")), "relates a sub-event to itself"),
        (lambda: rules(("before", "pouring", "kettle")), "'kettle' is listed first"),
        (lambda: rules(("before", "kettle", "fridge")), "'fridge' lasts the whole scene"),
        (lambda: rules(("before", "kettle", "radio"), ("before", "radio", "kettle")), "runs in a circle"),
        (lambda: added("helicopter", "A helicopter circles."), "'helicopter' is an outdoor sound in a scene"),
        (lambda: added("toilet flush", "A toilet is flushed.", scenario="A family on a beach at noon."),
         "'toilet flush' is an indoor sound in a scene set outdoors"),
        (lambda: PLAN.model_copy(update={"scenario": "A man makes tea in a small kitchen."}), "no time of day"),
        (lambda: PLAN.model_copy(update={"scenario": "A man makes tea early in the morning."}), "no place"),
        (lambda: PLAN.model_copy(update={"scenario": "早上有人喝茶。"}), "no place"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(plan: Callable[[], ScenePlan], message: str) -> None:
    assert any(message in problem for problem in found(plan())), found(plan())


def test_two_endless_sounds_cannot_exclude_each_other() -> None:
    plan = event(2, role="ambient", rough_duration_s=30).model_copy(
        update={"constraints": (Constraint(kind="exclusive", first="radio", second="fridge"),)}
    )
    assert ["both last the whole scene" in p for p in found(plan)] == [True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": "kettle"}, "has 1 words, it takes 4-12"),
        ({"query": " ".join(["word"] * 13)}, "has 13 words"),
        ({"query": "水壶"}, "has 2 characters, it takes 4-40"),
        ({"accept_tags": (" ",)}, "accept_tags of 'kettle' is empty"),
        ({"fallback_caption": "  "}, "fallback_caption of 'kettle' is empty"),
    ],
)
def test_a_broken_refinement_is_named(change: dict[str, object], message: str) -> None:
    refinements = (REFINED[0].model_copy(update=change), *REFINED[1:])
    assert [message in problem for problem in found(PLAN, refinements)] == [True]


def test_missing_refinements_are_named() -> None:
    assert any("3 refinements for 4 sub-events" in p for p in found(PLAN, REFINED[:3]))


@pytest.mark.parametrize(
    "plan",
    [
        added("window opens", "A sash window slides up.").model_copy(
            update={"sub_events": (
                SubEvent(name="window opens", role="foreground", rough_duration_s=1, brief_description="A sash."),
                SubEvent(name="helicopter", role="foreground", rough_duration_s=4, brief_description="A helicopter."),
                *EVENTS)}
        ),
        added("helicopter", "A helicopter, muffled through the closed window."),
        added("rain", "Rain outside against the glass.", role="background", at=2),
        added("helicopter", "A helicopter.", scenario="From a kitchen onto the garden, at noon."),
    ],
)  # fmt: skip
def test_a_cue_that_is_let_in_or_muffled_may_be_heard_indoors(plan: ScenePlan) -> None:
    assert found(plan) == ()


def test_an_opening_after_the_cue_does_not_let_it_in() -> None:
    plan = added("helicopter", "A helicopter circles.")
    late = SubEvent(name="window opens", role="foreground", rough_duration_s=1, brief_description="A sash window.")
    plan = plan.model_copy(update={"sub_events": (plan.sub_events[0], late, *plan.sub_events[1:])})
    assert any("'helicopter' is an outdoor sound" in p for p in found(plan))


@pytest.mark.parametrize(
    "scenario",
    [
        "It is just past 7 pm in a crowded ramen shop.",
        "Late at night, a nurse walks through a hospital ward.",
        "Rush hour at a subway entrance; commuters hurry past.",
        "傍晚，公园里，老人在下棋。",
        "夜里，安静的医院病房。",
        "An old lighthouse by the sea before dawn",
        "Morning. Inside a bakery, trays slide into the oven.",
    ],
)
def test_scenarios_of_language_models_pass(scenario: str) -> None:
    assert [p for p in found(PLAN.model_copy(update={"scenario": scenario})) if p.startswith("scenario")] == []


def test_all_problems_are_raised_at_once() -> None:
    plan = event(3, rough_duration_s=12).model_copy(update={"scenario": "Tea."})
    with pytest.raises(SceneRejected) as rejected:
        validate_scene(plan, REFINED, duration_s=DURATION_S)
    assert rejected.value.stage == "planning"
    assert all(part in rejected.value.reason for part in ("no ambient", "no time of day", "no place"))
