"""What is decided before any sound is touched: scene plan (the paper's), refinement, and the stream plan that wraps them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.language import LanguageRole
from schemas.protocol import Emotion
from schemas.taxonomy import Ability, Criterion, Decision, EventKind, Role

MIN_SUB_EVENTS, MAX_SUB_EVENTS = 3, 15


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubEvent(_Frozen):
    """One planned sound of a scene."""

    name: Annotated[str, Field(min_length=1, max_length=80, description="short and unique within the scene")]
    role: Role
    rough_duration_s: Annotated[float, Field(gt=0, le=3600)]
    brief_description: Annotated[str, Field(min_length=1, max_length=400)]


class Constraint(_Frozen):
    """A rule between two sub-events, by name: `before` (first ends before second starts) or `exclusive` (never at once)."""

    kind: Literal["before", "exclusive"]
    first: str
    second: str


class ScenePlan(_Frozen):
    """Role 1, the scenario planner (spec: 3-15 sub-events, one ambient slot over the whole scene)."""

    scenario: Annotated[str, Field(min_length=1, max_length=400, description="one sentence with place and time of day")]
    sub_events: Annotated[tuple[SubEvent, ...], Field(min_length=MIN_SUB_EVENTS, max_length=MAX_SUB_EVENTS)]
    constraints: tuple[Constraint, ...] = ()


class Refinement(_Frozen):
    """Role 2, the event refiner: how one sub-event is searched for, recognised and, if need be, generated."""

    query: Annotated[str, Field(min_length=1, max_length=200, description="4-12 words that separate near-confusables")]
    fallback_caption: Annotated[str, Field(min_length=1, max_length=600)]
    accept_tags: Annotated[tuple[str, ...], Field(min_length=1, description="AudioSet tags sufficient as evidence")]


class PlannedReply(_Frozen):
    """What the assistant says, known before the sound is made; the chunk it falls on is decided by the timeline."""

    text: Annotated[str, Field(min_length=1)]
    emotion: Emotion = "normal"
    action: dict[str, str] | None = None


class Utterance(_Frozen):
    """Something spoken in the stream."""

    text: Annotated[str, Field(min_length=1)]
    speaker: Literal["user", "other"] = "user"
    emotion: Emotion = "normal"
    language: Literal["en", "zh"] = "en"


class Step(_Frozen):
    """One foreground position of the stream: a sub-event or an utterance, and whether it is answered.

    `source` "event" indexes `scene.sub_events`, "speech" indexes `dialogue`.
    """

    source: Literal["event", "speech"]
    index: Annotated[int, Field(ge=0)]
    sub_task: str
    decision: Decision
    reply: PlannedReply | None = None
    criterion: Criterion | None = None
    reason: str = ""
    single_occurrence: bool = False
    """The grounded clip must hold exactly one audible occurrence (targets that are counted)."""
    safety: bool = False
    """Answered without onset delay, like a spoken turn."""


class PairCue(_Frozen):
    """The one sound in which the two rows of a counterfactual pair differ; both fit one slot of equal length."""

    step: Annotated[int, Field(ge=0)]
    side: Literal["respond", "silent"]
    slot_s: Annotated[float, Field(gt=0)]


class StreamPlan(_Frozen):
    """Everything about one stream that needs no audio. `plan_json` of a row is this model."""

    ability: Ability
    sub_task: str
    language: Literal["en", "zh"]
    setting: str
    """The kind of place, such as "kitchen morning"; stored with every turn as its scene type."""
    scene: ScenePlan
    refinements: tuple[Refinement, ...]
    """One per sub-event of `scene`, in its order."""
    kinds: tuple[EventKind, ...]
    """One per sub-event: what it is, which decides how it is conditioned."""
    dialogue: tuple[Utterance, ...] = ()
    steps: tuple[Step, ...]
    targets: tuple[int, ...] = ()
    """Sub-events that the instruction is about."""
    pair: PairCue | None = None
    planner: str = "scripted/1"
    """Who wrote the scene: the scripted planner, or a model by name."""
    by_model: tuple[LanguageRole, ...] = ()
    """What else of this plan a language model wrote."""
