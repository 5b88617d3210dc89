"""The structured replies of the language roles. The scenario planner replies with `schemas.plan.ScenePlan`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.plan import MAX_SUB_EVENTS, MIN_SUB_EVENTS, Refinement
from schemas.protocol import Emotion
from schemas.taxonomy import AuditLabel, Criterion

Unit = Annotated[float, Field(ge=0, le=1)]
Reason = Annotated[str, Field(min_length=1, max_length=600)]


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refinements(_Reply):
    """Event refiner: one refinement per sub-event of the plan, in the plan's order."""

    refinements: Annotated[tuple[Refinement, ...], Field(min_length=MIN_SUB_EVENTS, max_length=MAX_SUB_EVENTS)]


class CriteriaScores(_Reply):
    """How well a clip meets each of the verifier's four criteria, 0 to 1."""

    identity: Unit
    cleanliness: Unit
    duration_fit: Unit
    continuity: Unit


class Verdict(_Reply):
    """Clip verifier."""

    scores: CriteriaScores
    conflicts_with: Annotated[
        tuple[str, ...], Field(description="names of the neighbours that the clip conflicts with")
    ]
    reason: Reason
    verdict: Literal["accept", "reprocess", "reject"]


class SceneCheck(_Reply):
    """Last check of a whole grounded scene; `ok` exactly when the five judgements are all true."""

    coherent: bool
    plausible: bool
    grounded: bool
    temporally_right: bool
    diverse: bool
    reason: Reason
    ok: bool

    @model_validator(mode="after")
    def _ok_is_the_conjunction(self) -> SceneCheck:
        judgements = (self.coherent, self.plausible, self.grounded, self.temporally_right, self.diverse)
        if self.ok != all(judgements):
            raise ValueError(f"ok is {self.ok!r}, but must be true exactly when the five judgements are all true")
        return self


class HistoryReview(_Reply):
    """A later question about an early turn, its reference answer, and the index of the turn that supplies it."""

    question: Annotated[str, Field(min_length=1, max_length=400)]
    answer: Annotated[str, Field(min_length=1, max_length=600)]
    turn_index: Annotated[int, Field(ge=0)]


class AuditReply(_Reply):
    """Silence auditor; `criterion` is given exactly when the label is `respond`."""

    reason: Reason
    criterion: Criterion | None
    label: AuditLabel
    confidence: Unit

    @model_validator(mode="after")
    def _criterion_goes_with_respond(self) -> AuditReply:
        if (self.criterion is not None) != (self.label == "respond"):
            raise ValueError(
                f"criterion is {self.criterion!r} with label {self.label!r}; give it for respond, null otherwise"
            )
        return self


class ClipCaption(_Reply):
    """Captioner: what is heard in a clip."""

    caption: Annotated[str, Field(min_length=1, max_length=400)]
    tags: Annotated[tuple[str, ...], Field(min_length=1, max_length=6)]


class Rewrite(_Reply):
    """Spoken-style rewriter."""

    text: Annotated[str, Field(min_length=1, max_length=8000)]


class Reply(_Reply):
    """Responder: what the assistant says, and in which emotion."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    emotion: Emotion
