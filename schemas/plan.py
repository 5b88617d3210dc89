"""What is decided before any sound is touched: the paper's scene plan, and the stream plan that wraps it."""

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
    """A rule between two sub-events: `before` (first ends before second starts) or `exclusive` (never at once)."""

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


class Segment(_Frozen):
    """A translatable stretch of an utterance and what it becomes."""

    source: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]


class PlannedReply(_Frozen):
    """What the assistant says, known before the sound is made; the chunk it falls on is decided by the timeline."""

    text: Annotated[str, Field(min_length=1)]
    emotion: Emotion = "normal"
    action: dict[str, str] | None = None
    segments: tuple[Segment, ...] = ()
    """Of a simultaneous translation: sources join to the utterance, targets to `text`, both exactly."""


Speaker = Literal["user", "other", "television", "machine"]


class Utterance(_Frozen):
    """Something spoken in the stream."""

    text: Annotated[str, Field(min_length=1)]
    speaker: Speaker = "user"
    emotion: Emotion = "normal"
    """How it is said; the voice's prosody follows."""
    language: Literal["en", "zh"] = "en"
    pauses: tuple[tuple[int, float], ...] = ()
    """(words before it, seconds): silence composed into the turn after conditioning."""
    haste: Annotated[float, Field(gt=0, le=3)] = 1.0
    """Speaking rate, relative to the voice's own."""
    clip_id: str | None = None
    """A speech clip of the library whose transcript is `text`; None: a voice says it."""


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
    incremental: bool = False
    """Answered while it is spoken: word by word, or by the segments of the reply."""
    cuts: Annotated[float | None, Field(gt=0, lt=1)] = None
    """Begins while the reply before it is still being spoken, after this share of its nominal length."""
    idle_s: Annotated[float | None, Field(gt=8)] = None
    """Nobody says or does anything for so long after it; then the reply comes."""
    options: tuple[str, ...] = ()
    """What a multiple-choice question offers."""
    right_option: int | None = None
    """Index into `options`."""
    recalls: int | None = None
    """The utterance whose turn holds the answer."""


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
    rewritten: bool = False
    """The embedded rewriter made a text fit to be spoken."""
