"""One stream as a shard stores it (DESIGN 4.3): the columns as frozen models, in column order."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.protocol import Emotion
from schemas.taxonomy import Ability, Decision, EventKind, EventSource, Role


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Frozen):
    """One spoken event, or one sound event that was judged; `user` is "" when nobody speaks."""

    user: str
    assistant: str
    emotion: Emotion
    scene_type: str
    sub_task: str
    start_sample: int
    end_sample: int
    response: int
    """Index into `responses`, -1 where the model must stay silent."""


class Response(_Frozen):
    """A labelled reply; `chunk = last_chunk(event end) + delay_chunks`."""

    chunk: int
    text: str
    emotion: Emotion
    event: int
    delay_chunks: int
    moved_chunks: int
    sub_task: str
    action: str | None = None


class Event(_Frozen):
    """One sound of the stream over the half-open interval [start_sample, end_sample), and where it came from."""

    name: str
    role: Role
    kind: EventKind
    source: EventSource
    start_sample: int
    end_sample: int
    gain_db: float
    clip_id: str | None = None
    clip_sha256: str | None = None
    clip_start_sample: int | None = None
    clip_end_sample: int | None = None
    query: str | None = None
    caption: str | None = None
    encoder: str | None = None
    score: float | None = None
    verdict: str | None = None
    decision: Decision
    transcript: str | None = None
    generator: str | None = None
    licence: str
    attribution: str


class NoiseTrack(_Frozen):
    """One noise bed under the whole stream; `snr_db` is the realised value."""

    track: str
    snr_db: float
    clip_ids: tuple[str, ...]
    licences: tuple[str, ...]


class Quality(_Frozen):
    """Measurements of the finished stream; None where a value does not exist."""

    peak_dbfs: float | None
    lufs: float | None
    realised_snr_db: float | None
    silence_ratio: float
    max_seam_jump: float | None
    clipped_samples: int


class Row(_Frozen):
    """One stream; `audio` is FLAC, 16 kHz mono 16 bit."""

    id: str
    split: str
    ability: Ability
    sub_task: str
    language: str
    scenario: str
    audio: bytes
    sampling_rate: int
    num_samples: int
    chunk_samples: int
    num_chunks: int
    turns: tuple[Turn, ...]
    responses: tuple[Response, ...]
    events: tuple[Event, ...]
    noise: tuple[NoiseTrack, ...]
    pair_id: str | None
    plan_json: str
    provenance_json: str
    seed: int
    recipe_sha256: str
    quality: Quality
