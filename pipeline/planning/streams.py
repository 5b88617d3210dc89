"""Stream plans per sub-task: which sounds, which words, and what is answered where (spec/labels.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from pipeline.errors import BadInput, SceneRejected
from pipeline.planning.annotations import Annotation
from pipeline.planning.blocks import Auditor, Task
from pipeline.planning.scripted import ScenePlanner, plan_scene
from pipeline.planning.tasks.instructions import alert_on_event, count_events, stay_silent_unless
from pipeline.planning.tasks.proactive import proactive
from pipeline.planning.tasks.understanding import sound_event_qa
from schemas.plan import StreamPlan
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF

TaskBuilder = Callable[[Task], tuple[StreamPlan, ...]]

TASKS: Mapping[str, TaskBuilder] = MappingProxyType(
    {
        "physiological_distress": proactive,
        "natural_hazard": proactive,
        "equipment_fault": proactive,
        "safety_signal": proactive,
        "count_events": count_events,
        "alert_on_event": alert_on_event,
        "stay_silent_unless": stay_silent_unless,
        "sound_event_qa": sound_event_qa,
    }
)

DRAWS = 6
"""Scenes drawn from one bag before it is given up."""


def plan_stream(
    sub_task: str,
    bag: Sequence[Annotation],
    *,
    recipe: Recipe,
    rng: np.random.Generator,
    audit: Auditor,
    plan_scene: ScenePlanner = plan_scene,
    pair: bool = False,
) -> tuple[StreamPlan, ...]:
    """Plan one stream, or the two of a counterfactual pair (respond, then silent).

    Args:
        sub_task: a key of `TASKS`.
        bag: annotations to plan with; borderline ones are ignored, those worth a reply serve only as triggers.
        recipe: durations, gaps, background, languages, policy, p_silent.
        rng: generator of the stage "planning".
        audit: the silence auditor.
        plan_scene: who writes the scene around what the task wants.
        pair: two plans that differ in one cue; only for the sub-tasks of `proactive_response`.

    Raises:
        SceneRejected: the bag cannot support the task.
        BadInput: the sub-task has no builder, or cannot come as a pair.
    """
    if sub_task not in TASKS:
        raise BadInput(f"sub-task {sub_task!r} cannot be planned yet; choose from {', '.join(sorted(TASKS))}")
    if pair and ABILITY_OF[sub_task] != "proactive_response":
        raise BadInput(f"sub-task {sub_task!r} has no pairs; only the sub-tasks of proactive_response do")
    rejected = SceneRejected("planning", "no scene was drawn")
    for _ in range(DRAWS):
        task = Task(
            sub_task=sub_task,
            bag=tuple(bag),
            recipe=recipe,
            rng=rng,
            audit=audit,
            pair=pair,
            language=recipe.languages[int(rng.integers(len(recipe.languages)))],
            duration_s=recipe.scene.duration_s.sample(rng),
            background=round(recipe.scene.background_events.sample(rng)),
            plan_scene=plan_scene,
        )
        try:
            return TASKS[sub_task](task)
        except SceneRejected as rejection:
            rejected = rejection
    raise rejected
