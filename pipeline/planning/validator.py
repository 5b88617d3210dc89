"""Rules of a scene plan, for the scripted planner and language models alike; each message says how to repair it."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.plan import Refinement, ScenePlan


def problems(plan: ScenePlan, refinements: Sequence[Refinement], *, duration_s: float) -> tuple[str, ...]:
    """Every broken rule of a plan for a scene of `duration_s` seconds: value, rule, fix; empty where it is sound."""
    raise NotImplementedError


def validate_scene(plan: ScenePlan, refinements: Sequence[Refinement], *, duration_s: float) -> None:
    """Raise SceneRejected("planning", all problems joined by "; ") unless the plan is sound."""
    raise NotImplementedError
