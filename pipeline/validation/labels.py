"""Labels proved again from the columns alone: intervals, the chunk of every response, turns, verified silence."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from pipeline.annotation.responses import silent_stretches
from pipeline.timing import last_chunk
from pipeline.validation.findings import Finding
from schemas.protocol import CHUNK_SAMPLES, SILENCE_MARKER
from schemas.row import Event, Response, Row
from schemas.taxonomy import ABILITY_OF, INCREMENTAL, MANY_RESPONSES, Decision

MAX_DRAWN_DELAY_CHUNKS = 2
MAX_GAIN_DB = 120.0
MAX_BEHIND_CHUNKS = 3
"""An incremental response follows its words within this."""
_HEX64 = re.compile(r"[0-9a-f]{64}")


def check_indices(row: Row, where: str) -> Iterator[Finding]:
    """Intervals and indices that all else relies on; a row with one out of range is not looked at further."""
    if not row.events:
        yield Finding("event-interval", where, "a row has at least one event")
    for i, event in enumerate(row.events):
        if not 0 <= event.start_sample < event.end_sample <= row.num_samples:
            yield Finding(
                "event-interval",
                f"{where} event {i} ({event.name})",
                f"[{event.start_sample}, {event.end_sample}) is no interval of {row.num_samples} samples",
            )
        if not -MAX_GAIN_DB <= event.gain_db <= MAX_GAIN_DB:
            yield Finding("event-gain", f"{where} event {i} ({event.name})", f"{event.gain_db} dB")
    for i, response in enumerate(row.responses):
        if not 0 <= response.event < len(row.events):
            yield Finding("response-event", f"{where} response {i}", f"event {response.event} of {len(row.events)}")
        if not 0 <= response.chunk < row.num_chunks:
            yield Finding("response-in-stream", f"{where} response {i}", f"chunk {response.chunk} of {row.num_chunks}")
    for i, turn in enumerate(row.turns):
        if not -1 <= turn.response < len(row.responses):
            yield Finding("turn-response", f"{where} turn {i}", f"response {turn.response} of {len(row.responses)}")
        if not 0 <= turn.start_sample < turn.end_sample <= row.num_samples:
            yield Finding("turn-interval", f"{where} turn {i}", f"[{turn.start_sample}, {turn.end_sample})")


def check_labels(row: Row, where: str) -> Iterator[Finding]:
    """Every rule that needs no plan; indices must be in range."""
    yield from _taxonomy(row, where)
    for i, event in enumerate(row.events):
        yield from _event(row, event, f"{where} event {i} ({event.name})")
    yield from _noise(row, where)
    yield from _responses(row, where)
    yield from _moves(row, where)
    yield from _both_ways(row, where)
    yield from _turns(row, where)
    yield from _silence(row, where)


def _taxonomy(row: Row, where: str) -> Iterator[Finding]:
    if ABILITY_OF.get(row.sub_task) != row.ability:
        yield Finding("sub-task-known", where, f"sub_task {row.sub_task!r} is none of ability {row.ability!r}")
    for i, response in enumerate(row.responses):
        if response.sub_task not in ABILITY_OF:
            yield Finding("sub-task-known", f"{where} response {i}", f"{response.sub_task!r} is no sub-task")
    for i, turn in enumerate(row.turns):
        if turn.sub_task not in ABILITY_OF:
            yield Finding("sub-task-known", f"{where} turn {i}", f"{turn.sub_task!r} is no sub-task")


def _event(row: Row, event: Event, where: str) -> Iterator[Finding]:
    if not event.licence:
        yield Finding("event-licence", where, "every event has a licence, `unknown` where it is not known")
    if event.source == "retrieved":
        named = bool(event.clip_id) and bool(_HEX64.fullmatch(event.clip_sha256 or ""))
        if not named or not (event.clip_sha256 or "").startswith(event.clip_id or " "):
            yield Finding("event-source", where, f"clip {event.clip_id!r} of sha256 {event.clip_sha256!r}")
        start, end = event.clip_start_sample, event.clip_end_sample
        if start is None or end is None or not 0 <= start < end:
            yield Finding("event-source", where, f"span [{start}, {end}) of the clip is empty")
        if event.score is None or not event.encoder or event.verdict != "accept":
            yield Finding("event-source", where, f"{event.encoder!r} {event.score!r} {event.verdict!r}, not accepted")
    else:
        of_clips = (event.clip_id, event.clip_sha256, event.clip_start_sample, event.clip_end_sample, event.score)
        if not event.generator or any(value is not None for value in of_clips):
            yield Finding("event-source", where, f"generator {event.generator!r}, of a clip {of_clips}")
    if event.source == "spoken" and not (event.kind == "speech" and event.transcript):
        yield Finding("event-source", where, f"a spoken {event.kind!r} with the words {event.transcript!r}")
    whole = (event.start_sample, event.end_sample) == (0, row.num_samples)
    if event.role == "ambient" and not (whole and event.decision == "none"):
        yield Finding("ambient-event", where, f"{event.decision!r} over [{event.start_sample}, {event.end_sample})")


def _noise(row: Row, where: str) -> Iterator[Finding]:
    tracks = [track.track for track in row.noise]
    if tracks and sorted(tracks) != ["ambient", "event"]:
        yield Finding("noise-tracks", where, f"tracks {tracks}, expected event and ambient or none")
    for track in row.noise:
        expected = max(1, len(track.clip_ids))
        if len(track.licences) != expected or not all(track.licences):
            yield Finding("noise-tracks", where, f"{track.track!r} has licences {track.licences} for {expected} clips")
        if len(set(track.clip_ids)) != len(track.clip_ids):
            yield Finding("noise-tracks", where, f"{track.track!r} repeats a clip: {track.clip_ids}")


def _responses(row: Row, where: str) -> Iterator[Finding]:
    chunks = [response.chunk for response in row.responses]
    if chunks != sorted(chunks):
        yield Finding("response-order", where, f"chunks {chunks} are not sorted")
    for chunk, count in Counter(chunks).items():
        if count > 1:
            yield Finding("one-response-per-chunk", where, f"{count} responses in chunk {chunk}")
    ends = {turn.response: turn.end_sample for turn in row.turns}
    for i, response in enumerate(row.responses):
        at = f"{where} response {i}"
        if not response.text.strip() or response.text == SILENCE_MARKER:
            yield Finding("response-text", at, f"{response.text!r} is no reply")
        if response.action is not None and not _is_object(response.action):
            yield Finding("response-action", at, f"{response.action!r} is no JSON object")
        incremental = response.sub_task in INCREMENTAL
        end = ends.get(i, 0) if incremental else row.events[response.event].end_sample
        natural = last_chunk(end)
        if response.chunk < natural:
            yield Finding(
                "response-before-evidence", at, f"chunk {response.chunk}, its evidence ends in chunk {natural}"
            )
        if response.chunk != natural + response.delay_chunks:
            yield Finding(
                "response-chunk",
                at,
                f"chunk {response.chunk}, expected {natural} + {response.delay_chunks} from the end at {end}",
            )
        drawn = response.delay_chunks - response.moved_chunks
        most = MAX_BEHIND_CHUNKS if incremental else MAX_DRAWN_DELAY_CHUNKS
        if response.sub_task != "idle_check_in" and not 0 <= drawn <= most:
            yield Finding("response-delay", at, f"{drawn} chunks beside the move, expected 0..{most}")


def _moves(row: Row, where: str) -> Iterator[Finding]:
    """A move is the shortest that a collision explains: no chunk it passes over was free."""
    taken = {response.chunk for response in row.responses}
    latest: dict[str, int] = {}
    ends = {turn.response: turn.end_sample for turn in row.turns}

    def evidence(k: int) -> tuple[int, int]:
        response = row.responses[k]
        own = ends.get(k) if response.sub_task in INCREMENTAL else None
        return (row.events[response.event].end_sample if own is None else own, response.event)

    for response in (row.responses[k] for k in sorted(range(len(row.responses)), key=evidence)):
        natural = response.chunk - response.moved_chunks
        # A later answer of the same sub-task does not overtake an earlier one.
        floor = latest.get(response.sub_task, -1)
        free = [c for c in range(natural, response.chunk) if c not in taken and c > floor]
        if response.moved_chunks < 0 or free:
            yield Finding(
                "response-moved",
                f"{where} response to event {response.event}",
                f"moved by {response.moved_chunks} to chunk {response.chunk} although {free} were free",
            )
        latest[response.sub_task] = max(floor, response.chunk)


def _both_ways(row: Row, where: str) -> Iterator[Finding]:
    """`respond` has its response, a response has its `respond`, and one event has one."""
    answers: dict[int, list[Response]] = defaultdict(list)
    for response in row.responses:
        answers[response.event].append(response)
    for i, event in enumerate(row.events):
        at = f"{where} event {i} ({event.name})"
        if event.decision == "respond" and i not in answers:
            yield Finding("respond-answered", at, "its decision is respond, but no response names it")
        if event.decision != "respond" and i in answers:
            yield Finding("response-decision", at, f"is answered, but its decision is {event.decision!r}")
        single = [r for r in answers.get(i, ()) if r.sub_task not in MANY_RESPONSES | {"idle_check_in"}]
        if len(single) > 1:
            yield Finding("one-response-per-event", at, f"responses in chunks {[r.chunk for r in single]}")


def _turns(row: Row, where: str) -> Iterator[Finding]:
    starts = [turn.start_sample for turn in row.turns]
    if starts != sorted(starts):
        yield Finding("turn-order", where, f"turns start at {starts}")
    for i, turn in enumerate(row.turns):
        at = f"{where} turn {i}"
        expected = SILENCE_MARKER if turn.response < 0 else row.responses[turn.response].text
        if turn.assistant != expected:
            yield Finding("turn-text", at, f"{turn.assistant!r}, expected {expected!r}")
        if turn.response >= 0:
            response = row.responses[turn.response]
            if (turn.emotion, turn.sub_task) != (response.emotion, response.sub_task):
                yield Finding("turn-text", at, f"{turn.emotion}, {turn.sub_task}; the response has {response.emotion}")
    used = Counter(turn.response for turn in row.turns if turn.response >= 0)
    for i in range(len(row.responses)):
        if used[i] != 1:
            yield Finding("turn-response", f"{where} response {i}", f"{used[i]} turns carry it, expected 1")
    yield from _turn_per_event(row, where)


def _turn_per_event(row: Row, where: str) -> Iterator[Finding]:
    partial = {k for k, response in enumerate(row.responses) if response.sub_task in INCREMENTAL}
    pieces = {row.responses[k].event for k in partial}
    turns = Counter((t.start_sample, t.end_sample, t.user, t.response) for t in row.turns if t.response not in partial)
    for turn in (t for t in row.turns if t.response in partial):
        event = row.events[row.responses[turn.response].event]
        if not event.start_sample <= turn.start_sample < turn.end_sample <= event.end_sample:
            yield Finding("turn-per-event", where, f"a piece over [{turn.start_sample}, {turn.end_sample})")
    answer = {response.event: i for i, response in enumerate(row.responses)}
    for i, event in enumerate(row.events):
        spoken = event.source == "spoken"
        if i in pieces or (not spoken and event.decision == "none"):
            continue
        user = (event.transcript or "") if spoken else ""
        key = (event.start_sample, event.end_sample, user, answer.get(i, -1))
        if turns[key] < 1:
            yield Finding(
                "turn-per-event",
                f"{where} event {i} ({event.name})",
                f"no turn over [{key[0]}, {key[1]}) says {user!r} with response {key[3]}",
            )
        turns[key] -= 1
    for key in (+turns).elements():
        yield Finding("turn-per-event", where, f"a turn over [{key[0]}, {key[1]}) with {key[2]!r} has no event")


def _silence(row: Row, where: str) -> Iterator[Finding]:
    # As the builder derives it, and by the letter of the rule: a response inside a silent event's chunks belongs to
    # another event that began at or before it.
    intervals: list[tuple[int, int, Decision]] = [(e.start_sample, e.end_sample, e.decision) for e in row.events]
    verified = silent_stretches(intervals, row.responses, row.num_chunks)
    for i, response in enumerate(row.responses):
        inside = [
            k
            for k, event in enumerate(row.events)
            if event.decision == "silent"
            and event.start_sample // CHUNK_SAMPLES <= response.chunk <= last_chunk(event.end_sample)
        ]
        cause = row.events[response.event]
        explained = cause.decision == "respond" and cause.start_sample // CHUNK_SAMPLES <= response.chunk
        if verified[response.chunk] or (inside and not explained):
            yield Finding(
                "silence-holds", f"{where} response {i}", f"chunk {response.chunk} lies in silent events {inside}"
            )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
