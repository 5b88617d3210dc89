"""From the timeline to labels: which chunk each reply starts in, and the turns that a reader of the row sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    scene_type: str,
    rng: np.random.Generator,
) -> Labels:
    """Place every reply and write the turns.

    A reply starts in the chunk that contains its event's end, plus a delay drawn for sound events (0 for spoken turns
    and safety events). Of two replies on one chunk the later one moves to the next free chunk and the move is
    recorded; a stream that ends before a reply is lengthened, never the reply dropped (DESIGN 4.3).

    Args:
        events: in any order; ends are in samples.
        num_chunks: length of the stream without late replies.
        onset_delay_chunks: drawn once per delayed reply, in the order of the events' ends.
        scene_type: the setting, stored with each turn.
        rng: generator of the stage "labels".
    """
    answered = sorted((e for e in events if e.reply is not None), key=lambda e: (e.end_sample, e.event))
    placed: list[Response] = []
    for event in answered:
        reply = event.reply
        assert reply is not None
        immediate = event.safety or event.spoken is not None
        drawn = 0 if immediate else round(onset_delay_chunks.sample(rng))
        natural = last_chunk(event.end_sample) + drawn
        taken = {r.chunk for r in placed}
        # A running count must not overtake itself when an earlier reply drew the longer delay.
        chunk = max([natural, *(r.chunk + 1 for r in placed if r.sub_task == event.sub_task)])
        while chunk in taken:
            chunk += 1
        placed.append(
            Response(
                chunk=chunk,
                text=reply.text,
                emotion=reply.emotion,
                event=event.event,
                delay_chunks=chunk - last_chunk(event.end_sample),
                moved_chunks=chunk - natural,
                sub_task=event.sub_task,
                action=None if reply.action is None else json.dumps(reply.action, sort_keys=True, ensure_ascii=False),
            )
        )
    responses = tuple(sorted(placed, key=lambda r: r.chunk))
    index_of = {response.event: i for i, response in enumerate(responses)}
    turns = tuple(
        _turn(event, index_of.get(event.event, -1), responses, scene_type)
        for event in sorted(events, key=lambda e: (e.start_sample, e.event))
        if event.spoken is not None or event.decision != "none"
    )
    return Labels(responses, turns, max([num_chunks, *(r.chunk + 1 for r in responses)]))


def _turn(event: Judged, response: int, responses: Sequence[Response], scene_type: str) -> Turn:
    answered = response >= 0
    return Turn(
        user=event.spoken or "",
        assistant=responses[response].text if answered else SILENCE_MARKER,
        emotion=responses[response].emotion if answered else "normal",
        scene_type=scene_type,
        sub_task=event.sub_task,
        start_sample=event.start_sample,
        end_sample=event.end_sample,
        response=response,
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
