"""From the timeline to labels: which chunk each reply starts in, and the turns that a reader of the row sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.annotation.incremental import Partial
from pipeline.timing import last_chunk
from schemas.distributions import Distribution
from schemas.plan import PlannedReply
from schemas.protocol import CHUNK_SAMPLES, SILENCE_MARKER
from schemas.row import Response, Turn
from schemas.taxonomy import Decision


@dataclass(frozen=True, slots=True)
class Judged:
    """One foreground event on the timeline, with what the stream plan decided about it.

    `start_sample`, `end_sample` are the half-open interval in the stream; `event` indexes the row's events.
    """

    event: int
    start_sample: int
    end_sample: int
    sub_task: str
    decision: Decision
    reply: PlannedReply | None
    safety: bool
    spoken: str | None = None
    """The words, where somebody speaks."""
    partials: tuple[Partial, ...] = ()
    """Where the reply comes while the speech goes on: its pieces."""
    idle_chunks: int | None = None
    """Quiet after the event before the reply comes."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A reply, or a piece of one, and what it rests on."""

    event: Judged
    start_sample: int
    end_sample: int
    heard: str
    text: str


@dataclass(frozen=True, slots=True)
class Labels:
    """Sparse labels of a stream; `num_chunks` may exceed what was asked when a late reply lengthened the stream."""

    responses: tuple[Response, ...]
    turns: tuple[Turn, ...]
    num_chunks: int


def label(
    events: Sequence[Judged],
    *,
    num_chunks: int,
    onset_delay_chunks: Distribution,
    translation_delay_chunks: Distribution,
    scene_type: str,
    rng: np.random.Generator,
) -> Labels:
    """Place every reply and write the turns.

    A reply starts in the chunk that contains its event's end, plus a delay drawn for sound events (0 for spoken turns
    and safety events). A transcript's pieces start in the chunk in which their last word ends, a translation's at most
    three chunks later; a check-in after its quiet. Of two replies on one chunk the later one moves to the next free
    chunk and the move is recorded; a stream that ends before a reply is lengthened, never the reply dropped (DESIGN
    4.3).

    Args:
        events: in any order; ends are in samples.
        num_chunks: length of the stream without late replies.
        onset_delay_chunks: drawn once per delayed reply, in the order of the evidence's ends.
        translation_delay_chunks: drawn once per piece of a simultaneous translation.
        scene_type: the setting, stored with each turn.
        rng: generator of the stage "labels".
    """
    dues = sorted((d for e in events for d in _dues(e)), key=lambda d: (d.end_sample, d.event.event))
    placed: list[tuple[Response, _Due]] = []
    for due in dues:
        event, reply = due.event, due.event.reply
        assert reply is not None
        if event.idle_chunks is not None:
            drawn = event.idle_chunks
        elif reply.segments:
            drawn = round(translation_delay_chunks.sample(rng))
        else:
            drawn = 0 if event.safety or event.spoken is not None else round(onset_delay_chunks.sample(rng))
        natural = last_chunk(due.end_sample) + drawn
        taken = {r.chunk for r, _ in placed}
        # A running count must not overtake itself when an earlier reply drew the longer delay.
        chunk = max([natural, *(r.chunk + 1 for r, _ in placed if r.sub_task == event.sub_task)])
        while chunk in taken:
            chunk += 1
        response = Response(
            chunk=chunk,
            text=due.text,
            emotion=reply.emotion,
            event=event.event,
            delay_chunks=chunk - last_chunk(due.end_sample),
            moved_chunks=chunk - natural,
            sub_task=event.sub_task,
            action=None if reply.action is None else json.dumps(reply.action, sort_keys=True, ensure_ascii=False),
        )
        placed.append((response, due))
    placed.sort(key=lambda p: p[0].chunk)
    responses = tuple(response for response, _ in placed)
    turns = [_turn(due, i, response, scene_type) for i, (response, due) in enumerate(placed)]
    turns += [
        _turn(_Due(e, e.start_sample, e.end_sample, e.spoken or "", SILENCE_MARKER), -1, None, scene_type)
        for e in events
        if e.reply is None and (e.spoken is not None or e.decision != "none")
    ]
    # Stable: pieces keep their order, and of events that begin together the earlier in the plan comes first.
    turns.sort(key=lambda t: t.start_sample)
    return Labels(responses, tuple(turns), max([num_chunks, *(r.chunk + 1 for r in responses)]))


def _dues(event: Judged) -> list[_Due]:
    if event.reply is None:
        return []
    if not event.partials:
        return [_Due(event, event.start_sample, event.end_sample, event.spoken or "", event.reply.text)]
    return [_Due(event, p.start_sample, p.end_sample, p.source, p.text) for p in event.partials]


def _turn(due: _Due, index: int, response: Response | None, scene_type: str) -> Turn:
    return Turn(
        user=due.heard,
        assistant=due.text,
        emotion="normal" if response is None else response.emotion,
        scene_type=scene_type,
        sub_task=due.event.sub_task,
        start_sample=due.start_sample,
        end_sample=due.end_sample,
        response=index,
    )


def dense(responses: Sequence[Response], num_chunks: int) -> np.ndarray:
    """The per-chunk view of the sparse labels: bool of shape (num_chunks,), True where a reply starts."""
    view = np.zeros(num_chunks, dtype=bool)
    view[[r.chunk for r in responses]] = True
    return view


def silent_stretches(
    intervals: Sequence[tuple[int, int, Decision]], responses: Sequence[Response], num_chunks: int
) -> np.ndarray:
    """Chunks in which silence is verified: bool of shape (num_chunks,).

    The chunks of every `silent` event, less the windows from any other event's start to its response.

    Args:
        intervals: (start_sample, end_sample, decision) per event of the row.
        responses: the row's responses.
        num_chunks: length of the stream.
    """
    verified = np.zeros(num_chunks, dtype=bool)
    for start, end, decision in intervals:
        if decision == "silent":
            verified[start // CHUNK_SAMPLES : last_chunk(end) + 1] = True
    for response in responses:
        start, _, _ = intervals[response.event]
        verified[start // CHUNK_SAMPLES : response.chunk + 1] = False
    return verified
