"""Token layout of a stream: what the language model reads, and what it must predict (arXiv 2606.05121, section on
streaming training; ids of the released model).

    prefix, then per chunk:  AUDIO_BEGIN PAD x 10 ASSISTANT  KEEP_SILENCE
                         or  AUDIO_BEGIN PAD x 10 ASSISTANT  TEXT_BEGIN emotion text... TEXT_END

The stream target is the control token, the LM target the rest of a reply; nothing else is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import BadInput
from pipeline.timing import last_chunk
from schemas.plan import StreamPlan
from schemas.protocol import (
    CHUNK_SAMPLES,
    CHUNK_TOKENS,
    EMOTION_IDS,
    FRAMES_PER_CHUNK,
    IGNORED_LABEL,
    KEEP_SILENCE,
    MAX_POSITIONS,
    SILENCE_MARKER,
    TEXT_BEGIN,
    TEXT_END,
    Emotion,
)
from schemas.provenance import Provenance
from schemas.row import Row
from schemas.taxonomy import ABILITY_OF
from schemas.tokens import TokenRow

FRAME_SAMPLES = CHUNK_SAMPLES // FRAMES_PER_CHUNK
_FIRST_RESERVED, _LAST_RESERVED = 151_601, 151_648
"""Ids with a meaning in the protocol, and what lies between them."""

Encode = Callable[[str], Sequence[int]]
"""Text to ids, without special ones around it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reply as it is laid out."""

    text: str
    emotion: Emotion


def lay_out(
    replies: Mapping[int, Spoken],
    chunks: range,
    *,
    prefix: Sequence[int],
    encode: Encode,
) -> TokenRow:
    """Ids, targets and audio positions of some chunks of a stream.

    Args:
        replies: chunk (counted from the stream's beginning) -> what is said in it.
        chunks: which chunks; step 1.
        prefix: what the session begins with, system prompt included.
        encode: the tokenizer.
    """
    ids, kinds = list(prefix), [0] * len(prefix)  # per position: 0 untrained, 1 stream target, 2 LM target
    audio_pos: list[tuple[int, int]] = []
    for chunk in chunks:
        audio_pos.append((len(ids) + 1, len(ids) + 1 + FRAMES_PER_CHUNK))
        decision = _decision(replies.get(chunk), encode)
        ids += [*CHUNK_TOKENS, *decision]
        kinds += [0] * len(CHUNK_TOKENS) + [1] + [2] * (len(decision) - 1)
    return TokenRow(
        first_chunk=chunks.start,
        input_ids=tuple(ids),
        labels=tuple(token if kind else IGNORED_LABEL for token, kind in zip(ids, kinds, strict=True)),
        stream_mask=tuple(kind == 1 for kind in kinds),
        lm_mask=tuple(kind == 2 for kind in kinds),
        audio_pos=tuple(audio_pos),
    )


def _decision(reply: Spoken | None, encode: Encode) -> list[int]:
    if reply is None:
        return [KEEP_SILENCE]
    return [TEXT_BEGIN, EMOTION_IDS[reply.emotion], *encode(reply.text), TEXT_END]


def tokenize(row: Row, *, prefix: Sequence[int], encode: Encode, limit: int = MAX_POSITIONS) -> list[TokenRow]:
    """A row's layout; one that needs more than `limit` positions comes in several parts, each with the prefix.

    A part ends only where no turn is open and nothing after it needs what was heard before: the turns of a sub-task
    stay together (those of proactive_response stand alone), a question stays with the sounds it is about, and one
    about the conversation with the turn that answers it.

    Raises:
        BadInput: a text holds control tokens, or no such place leaves parts short enough.
    """
    replies = {r.chunk: Spoken(r.text, r.emotion) for r in row.responses}
    for text in (reply.text for reply in replies.values()):
        if any(_FIRST_RESERVED <= token <= _LAST_RESERVED for token in encode(text)):
            raise BadInput(f"row {row.id!r}: the reply {text!r} holds control tokens; take them out of the text")
    cost = [len(CHUNK_TOKENS) + len(_decision(replies.get(chunk), encode)) for chunk in range(row.num_chunks)]
    parts, start = list[range](), 0
    joined = _joined(row) if len(prefix) + sum(cost) > limit else []
    while start < row.num_chunks:
        used, chunk, end = len(prefix), start, None
        while chunk < row.num_chunks and used + cost[chunk] <= limit:
            used, chunk = used + cost[chunk], chunk + 1
            if chunk == row.num_chunks or not any(first < chunk <= last for first, last in joined):
                end = chunk
        if end is None:
            raise BadInput(
                f"row {row.id!r} cannot be split at a turn into parts of {limit} positions: what hangs together "
                f"from chunk {start} on is longer; build shorter streams or leave this one out"
            )
        parts.append(range(start, end))
        start = end
    return [lay_out(replies, part, prefix=prefix, encode=encode) for part in parts]


def _joined(row: Row) -> list[tuple[int, int]]:
    """Pairs (first, last) of chunks between which a stream may not be split."""
    provenance = Provenance.model_validate_json(row.provenance_json)
    plan = StreamPlan.model_validate_json(row.plan_json)
    turns = [
        (
            turn.start_sample // CHUNK_SAMPLES,
            max(last_chunk(turn.end_sample), row.responses[turn.response].chunk if turn.response >= 0 else 0),
        )
        for turn in row.turns
    ]
    joined = list(turns)
    for task in {turn.sub_task for turn in row.turns}:
        if ABILITY_OF[task] != "proactive_response":
            of_task = [span for span, turn in zip(turns, row.turns, strict=True) if turn.sub_task == task]
            joined.append((min(first for first, _ in of_task), max(last for _, last in of_task)))
    for target in provenance.targets:
        # The first reply after a target is where it is asked for, or what it triggers.
        heard = row.events[target].start_sample // CHUNK_SAMPLES
        joined += [(heard, min((r.chunk for r in row.responses if r.chunk >= heard), default=heard))]
    for answer in provenance.answers:
        if answer.answer_turn is not None:
            asked = max((r.chunk for r in row.responses if r.event == answer.event), default=0)
            joined.append((turns[answer.answer_turn][0], asked))
    for step, event in zip(plan.steps, provenance.step_events, strict=True):
        if step.cuts is not None:  # somebody speaks into the reply before
            begun = row.events[event].start_sample // CHUNK_SAMPLES
            joined.append((max((r.chunk for r in row.responses if r.chunk <= begun), default=begun), begun))
    return joined


@dataclass(frozen=True, slots=True)
class ReferenceTurn:
    """A turn as the released annotation script knows it; lengths in encoder frames of 40 ms."""

    leading_frames: int
    audio_frames: int
    assistant: str
    emotion: str | None


def reference_placement(turns: Sequence[ReferenceTurn], tail_frames: int) -> tuple[dict[int, Spoken], int]:
    """Replies by chunk and the number of chunks, by the released script's rules.

    The first turn gets one chunk more than its frames fill; a later turn that completes no chunk loses its reply; the
    tail gives one chunk less than its frames complete. Ours differ: no reply is lost, and one whose turn ends on a
    chunk's boundary comes in that chunk, not the next.
    """
    replies: dict[int, Spoken] = {}
    total = chunks = 0
    for i, turn in enumerate(turns):
        before, total = total, total + turn.leading_frames + turn.audio_frames
        new = total // FRAMES_PER_CHUNK - before // FRAMES_PER_CHUNK + (i == 0)
        chunks += new
        if new and not _means_silence(turn.assistant):
            emotion = (turn.emotion or "").lower()
            replies[chunks - 1] = Spoken(turn.assistant, emotion if emotion in EMOTION_IDS else "normal")
    tail = (total + tail_frames) // FRAMES_PER_CHUNK - total // FRAMES_PER_CHUNK - 1
    return replies, chunks + max(0, tail)


def _means_silence(text: str) -> bool:
    bare = SILENCE_MARKER.strip("<>")
    return text.strip().lower() in (bare, f"<{bare}>")


def reference_tokenize(
    row: Row, *, prefix: Sequence[int], encode: Encode, limit: int = MAX_POSITIONS
) -> list[TokenRow]:
    """A row as the released script would lay it out, its faults included: comparison only, not training.

    Raises:
        BadInput: it needs more than `limit` positions; the script knows no parts.
    """
    turns, heard = list[ReferenceTurn](), 0
    for turn in sorted(row.turns, key=lambda t: t.end_sample):
        start, end = (max(heard, round(at / FRAME_SAMPLES)) for at in (turn.start_sample, turn.end_sample))
        turns.append(ReferenceTurn(start - heard, end - start, turn.assistant, turn.emotion))
        heard = end
    replies, chunks = reference_placement(turns, row.num_samples // FRAME_SAMPLES - heard)
    laid = lay_out(replies, range(chunks), prefix=prefix, encode=encode)
    if len(laid.input_ids) > limit:
        raise BadInput(f"row {row.id!r} needs {len(laid.input_ids)} positions, the limit is {limit}; leave it out")
    return [laid]
