"""The scripted planner: a bag of annotations and a scene grammar make a scene plan, without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.planning.annotations import Annotation
from schemas.plan import Refinement, ScenePlan
from schemas.taxonomy import EventKind


@dataclass(frozen=True, slots=True)
class Wanted:
    """A foreground sub-event that the task needs: a trigger, a counted target, music to be asked about."""

    caption: str
    tags: tuple[str, ...]
    kind: EventKind
    duration_s: float
    at: float | None = None
    """Relative place among the foreground sub-events, 0 first, 1 last; None where it does not matter."""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What a stream asks of its scene; the wanted sub-events come on top of `foreground` benign ones."""

    foreground: int
    background: int
    duration_s: float
    wanted: tuple[Wanted, ...] = ()
    avoid_tags: frozenset[str] = frozenset()
    """Neither these tags nor sounds that share them enter, except as wanted."""
    language: Literal["en", "zh"] = "en"


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene plan with one refinement and one kind per sub-event."""

    scene: ScenePlan
    refinements: tuple[Refinement, ...]
    kinds: tuple[EventKind, ...]
    wanted: tuple[int, ...]
    """Index in `scene.sub_events` of each wanted sub-event, in the request's order."""
    setting: str


def plan_scene(bag: Sequence[Annotation], request: SceneRequest, *, rng: np.random.Generator) -> PlannedScene:
    """Plan one scene of about `request.duration_s` seconds around the wanted sub-events.

    Raises SceneRejected("planning", reason) where no setting admits all wanted sub-events, or they do not fit.
    """
    raise NotImplementedError
