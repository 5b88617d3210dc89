"""Sessions of several sub-tasks, from the plan alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotation.audit import audit
from pipeline.errors import SceneRejected
from pipeline.planning import mixed, streams
from pipeline.planning.mixed import STANDING
from pipeline.planning.streams import TASKS, plan_stream
from pipeline.planning.tasks import understanding
from pipeline.seeds import rng
from schemas.plan import StreamPlan
from schemas.recipe import Recipe
from schemas.taxonomy import CRITERION_OF_TASK
from tests.planning.test_streams import BAG

SEEDS = st.integers(0, 25)


def planned(sub_task: str, seed: int, **keys: float) -> StreamPlan:
    recipe = Recipe.model_validate({"mixed": 0, "p_history": 0, "p_proactive": 0, **keys})
    (plan,) = plan_stream(sub_task, BAG, recipe=recipe, rng=rng(seed, sub_task, "planning"), audit=audit)
    return plan


def own_of(plan: StreamPlan) -> list[int]:
    """Steps of the row's sub-task that speak or are answered."""
    steps = enumerate(plan.steps)
    return [i for i, s in steps if s.sub_task == plan.sub_task and (s.source == "speech" or s.reply)]


@pytest.mark.parametrize("sub_task", sorted(TASKS))
@settings(max_examples=8)
@given(seed=SEEDS)
def test_guests_bring_their_own_sub_task(sub_task: str, seed: int) -> None:
    plan = planned(sub_task, seed, mixed=1.0)
    assert plan.sub_task == sub_task
    guests = {s.sub_task for s in plan.steps} - {sub_task}
    assert 1 <= len(guests) <= 2
    assert all(any(s.sub_task == g and s.reply for s in plan.steps) for g in guests)


@pytest.mark.parametrize("sub_task", sorted(STANDING))
@settings(max_examples=8)
@given(seed=SEEDS)
def test_nothing_else_is_asked_once_an_instruction_stands(sub_task: str, seed: int) -> None:
    plan = planned(sub_task, seed, mixed=1.0, p_proactive=1.0, p_history=1.0)
    first = own_of(plan)[0]
    assert all(s.sub_task == sub_task for s in plan.steps[first:])


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_danger_joins_where_the_recipe_says(seed: int) -> None:
    plan = planned("single_turn_qa", seed, p_proactive=1.0)
    dangers = [s for s in plan.steps if s.sub_task in CRITERION_OF_TASK]
    assert 1 <= len(dangers) <= 2
    assert all(s.safety and s.criterion == CRITERION_OF_TASK[s.sub_task] for s in dangers)
    assert not any(s.sub_task in CRITERION_OF_TASK for s in planned("single_turn_qa", seed).steps)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_long_conversation_is_asked_about_its_beginning(seed: int) -> None:
    plan = planned("multi_turn_dialogue", seed, p_history=1.0)
    (place,) = [i for i, s in enumerate(plan.steps) if s.recalls is not None]
    question = plan.steps[place]
    assert question.sub_task == "history_review"
    spoken = [s for s in plan.steps[:place] if s.source == "speech"]
    assert spoken[0].index == question.recalls
    assert sum(s.reply is not None for s in spoken[1:]) >= 3


def test_shares_are_kept_over_many_streams() -> None:
    mixed = sum(
        len({s.sub_task for s in planned("smart_home_control", seed, mixed=0.3).steps}) > 1 for seed in range(200)
    )
    assert 40 <= mixed <= 80


def test_a_guest_that_asks_where_this_is_takes_its_sound_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "GUESTS", ("sound_event_qa",))
    monkeypatch.setattr(streams, "TASKS", {**TASKS, "sound_event_qa": understanding._place})
    asked = 0
    for seed in range(30):
        try:
            plan = planned("emotion_aware_reply", seed, mixed=1.0)
        except SceneRejected:
            continue
        heard = {s.index for s in plan.steps if s.source == "event" and s.sub_task == "sound_event_qa"}
        assert heard == set(plan.targets)
        asked += len(heard)
    assert asked > 5
