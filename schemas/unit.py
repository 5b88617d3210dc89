"""The planning pass written down: a unit is all that a worker needs to build one stream, or the two of a pair."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.plan import StreamPlan
from schemas.provenance import FallbackRecord


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Offer(_Frozen):
    """A clip proposed for a sub-event, with its cosine similarity in [-1, 1]."""

    clip_id: str
    score: float


class NoisePick(_Frozen):
    """One noise bed: library clips, or a procedural kind where the library has none that fits."""

    track: Literal["event", "ambient"]
    clip_ids: tuple[str, ...]
    generated_kind: str | None = None
    snr_db: float


class PlannedStream(_Frozen):
    """One row to be: its id, its plan, and per sub-event the clips it may use, best first."""

    id: str
    plan: StreamPlan
    offers: tuple[tuple[Offer, ...], ...]


class Unit(_Frozen):
    """One stream, or the respond and the silent side of a counterfactual pair, which share noise and seed."""

    split: str
    seed: int
    pair_id: str | None
    streams: Annotated[tuple[PlannedStream, ...], Field(min_length=1, max_length=2)]
    noise: tuple[NoisePick, ...]
    fallbacks: tuple[FallbackRecord, ...] = ()
    """Where an embedded default planned in the model's stead."""
