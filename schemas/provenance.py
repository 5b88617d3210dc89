"""Who did what to a row, in enough detail to prove every rule of its sub-task again (`provenance_json`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.language import LanguageRole
from schemas.plan import Speaker
from schemas.protocol import Emotion
from schemas.taxonomy import AuditLabel, Policy


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Agent(_Frozen):
    """A planner, refiner, verifier, writer or voice."""

    name: str
    version: str
    prompt_sha256: str | None = None


class FallbackRecord(_Frozen):
    """One time an embedded default stood in for the language model, and why."""

    role: LanguageRole
    reason: str


class SceneCheckRecord(_Frozen):
    """The last look at the whole grounded scene, which passed; `sent_back` is why it was grounded once more before."""

    agent: Agent
    sent_back: str | None = None


class AuditRecord(_Frozen):
    """The trigger policy's judgement of one event's sound."""

    event: int
    label: AuditLabel
    criterion: str | None
    reason: str
    confidence: float


class CandidateRecord(_Frozen):
    """One clip that was considered for an event, and what became of it."""

    clip_id: str | None
    generator: str | None
    score: float | None
    verdict: Literal["accept", "reprocess", "reject"]
    reason: str
    captioner: str | None = None
    """Who said what is heard in it; None: its annotators, or the synthesizer that knows what it rendered."""


class GroundingRecord(_Frozen):
    """The cascade of one event: candidates in the order in which they were judged."""

    event: int
    threshold: float | None
    candidates: tuple[CandidateRecord, ...]


class ConditioningRecord(_Frozen):
    """What TFJP kept of one event's material: (start, end, start within the result), in 16 kHz samples."""

    event: int
    profile: str
    material: tuple[int, int]
    """What was conditioned: samples [start, end) of the clip in the library's store, or of the generated sound."""
    spans: tuple[tuple[int, int, int], ...]
    """Counted from the material's first sample."""
    iterations: int
    hit_cap: bool = False
    """The sound had not settled when the cap on iterations was reached."""
    reason: str | None


class RenderingRecord(_Frozen):
    """One procedural sound: what renders it again, sample by sample."""

    event: int
    kind: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    duration_s: Annotated[float, Field(gt=0, le=3600)]


class GenerationRecord(_Frozen):
    """One sound that a service, a model or a program made: what it was asked for, and which bytes came of it."""

    event: int
    generator: str
    caption: str
    duration_s: float
    seed: int
    samples_sha256: str
    """Of the float32 samples at 16 kHz, before conditioning."""


class AsrRecord(_Frozen):
    """What a transcriber heard in the take that passed; `error` is WER, in Mandarin CER."""

    by: str
    error: float
    max_error: float
    longest_run: int
    heard: str


class SpeechRecord(_Frozen):
    """One spoken event: its voice and its words as (word, start, end) in stream samples."""

    event: int
    voice: str
    rate_wpm: int
    pitch: int
    words: tuple[tuple[str, int, int], ...]
    words_estimated: bool
    asr_check: Literal["not_run"] | AsrRecord = "not_run"
    take: int = 0
    """Tries before this one that were not heard right."""
    follows: tuple[str, ...] = ("pitch", "rate")
    """Which of rate, pitch and emotion the engine has; the others stand here but did nothing."""
    consent: str = ""
    """Where a cloned speaker's consent is on record."""
    speaker: Speaker = "user"
    emotion: Emotion = "normal"
    prosody: str | None = None
    """What gave the voice its emotion; `espeak-prosody` sets rate and pitch, an approximation."""
    pauses: tuple[tuple[int, int], ...] = ()
    """Silence composed into the turn, as half-open intervals of the stream."""


class AnswerRecord(_Frozen):
    """What proves the answer to a spoken question right."""

    event: int
    options: tuple[str, ...] = ()
    right_option: int | None = None
    """Index into `options`."""
    answer_turn: int | None = None
    """Index into the row's `turns`: the turn that supplies a history question's answer."""


class ReplyRecord(_Frozen):
    """A reply as if it were spoken, in samples of the stream. It occupies no audio."""

    event: int
    words_per_minute: Annotated[float, Field(gt=0)]
    """The recipe's `reply_wpm` as drawn for the stream."""
    nominal_start_sample: int
    nominal_end_sample: int
    cut_sample: int | None
    """Where the user takes the turn; None: the reply is heard out."""


class RoomRecord(_Frozen):
    """The impulse response that the stream's events sound in."""

    name: str
    sha256: str


class PairRecord(_Frozen):
    """The slot in which the two rows of a pair may differ."""

    event: int
    side: Literal["respond", "silent"]
    slot_start_sample: int
    slot_end_sample: int


class Provenance(_Frozen):
    """Version 1 of `provenance_json`."""

    version: Literal[1] = 1
    policy: Policy
    planner: Agent
    refiner: Agent
    verifier: Agent
    responder: Agent
    auditor: Agent
    rewriter: Agent | None = None
    """Who made the spoken texts fit to be spoken; None: they were written so."""
    history_review: Agent | None = None
    """The model that asked about an earlier turn; None: nobody did, or the bank."""
    scene_check: SceneCheckRecord | None = None
    fallbacks: tuple[FallbackRecord, ...] = ()
    audits: tuple[AuditRecord, ...]
    grounding: tuple[GroundingRecord, ...]
    conditioning: tuple[ConditioningRecord, ...]
    renderings: tuple[RenderingRecord, ...]
    generations: tuple[GenerationRecord, ...] = ()
    speech: tuple[SpeechRecord, ...]
    targets: tuple[int, ...]
    """Events (indices into the row's `events`) that the instruction or question is about."""
    step_events: tuple[int, ...]
    """The event of each step of the stream plan, in order."""
    pair: PairRecord | None = None
    room: RoomRecord | None = None
    answers: tuple[AnswerRecord, ...] = ()
    replies: tuple[ReplyRecord, ...] = ()
    """Replies somebody speaks into, and whether that cut them."""
    bed_seams: tuple[int, ...] = ()
    """Samples where a bed or a noise track joins itself or its next clip, each as it is first heard."""
