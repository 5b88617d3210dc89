"""What holds between rows: identity, splits, counterfactual pairs. Memory grows by a few bytes a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.validation.findings import Finding
from pipeline.validation.stream import Stream
from schemas.plan import StreamPlan
from schemas.row import Row


class Across:
    """Rows in any order; ask `finish` at the end."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._audio: dict[int, str] = {}
        self._clips: dict[str, str] = {}
        self._leaks: set[str] = set()
        self._pairs: dict[str, int] = {}
        self._waiting: dict[str, tuple[Stream, np.ndarray]] = {}

    def add(self, row: Row, pcm: np.ndarray | None, where: str) -> Iterator[Finding]:
        """Identity of a row and its audio, splits of its clips."""
        key = _digest(row.id.encode())
        if key in self._ids:
            yield Finding("unique-ids", where, f"id {row.id!r} occurs before")
        self._ids.add(key)
        sound = _digest(row.audio if pcm is None else pcm.tobytes())
        if sound in self._audio:
            yield Finding("unique-audio", where, f"the same audio as {self._audio[sound]!r}")
        self._audio[sound] = row.id
        clips = [e.clip_id for e in row.events if e.clip_id]
        clips += [clip for track in row.noise for clip in track.clip_ids]
        for clip in dict.fromkeys(clips):
            split = self._clips.setdefault(clip, row.split)
            if split != row.split and clip not in self._leaks:
                self._leaks.add(clip)
                yield Finding("clip-in-one-split", where, f"clip {clip!r} is in {split!r} and in {row.split!r}")
        if row.pair_id is not None:
            self._pairs[row.pair_id] = self._pairs.get(row.pair_id, 0) + 1

    def add_stream(self, stream: Stream, pcm: np.ndarray) -> Iterator[Finding]:
        """Compare a pair's second row with its first; pairs are neighbours, so one waits at a time."""
        pair = stream.row.pair_id
        if pair is None:
            return
        if pair in self._waiting:
            yield from _compare(*self._waiting.pop(pair), stream, pcm)
        else:
            self._waiting[pair] = stream, pcm

    def finish(self) -> Iterator[Finding]:
        """Pairs that never were two."""
        for pair, rows in self._pairs.items():
            if rows != 2:
                yield Finding("pair-two-rows", pair, f"{rows} rows, expected 2")


def _digest(data: bytes) -> int:
    # 64 bits: a million rows collide by chance once in ten million corpora.
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _compare(first: Stream, first_pcm: np.ndarray, second: Stream, second_pcm: np.ndarray) -> Iterator[Finding]:
    a, b = first.row, second.row
    if a.split != b.split:
        yield second.finding("pair-split", f"{b.split!r}, its other side is in {a.split!r}")
    if a.seed != b.seed or a.noise != b.noise:
        yield second.finding("pair-noise", f"seed {b.seed} and noise {b.noise}, its other side {a.seed}, {a.noise}")
    cues = first.plan.pair, second.plan.pair
    records = first.provenance.pair, second.provenance.pair
    if cues[0] is None or cues[1] is None or records[0] is None or records[1] is None:
        yield second.finding("pair-sides", "a side has no cue")
        return
    sides = {cues[0].side, cues[1].side}
    decisions = [s.row.events[r.event].decision for s, r in ((first, records[0]), (second, records[1]))]
    if sides != {"respond", "silent"} or decisions != [cues[0].side, cues[1].side]:
        yield second.finding("pair-sides", f"sides {sorted(sides)}, decisions {decisions}")
    if _without_cue(first.plan) != _without_cue(second.plan):
        yield second.finding("pair-plan", "the plans differ outside the cue")
    if _labels(first, records[0].event) != _labels(second, records[1].event):
        yield second.finding("pair-labels", "the responses differ outside the cue")
    slots = [(r.slot_start_sample, r.slot_end_sample) for r in (records[0], records[1])]
    if slots[0] != slots[1]:
        yield second.finding("pair-slot", f"slot {slots[1]}, its other side has {slots[0]}")
        return
    if len(first_pcm) != len(second_pcm):
        yield second.finding("pair-audio", f"{len(second_pcm)} samples, its other side has {len(first_pcm)}")
        return
    apart = np.abs(first_pcm.astype(np.int32) - second_pcm)
    apart[slots[0][0] : slots[0][1]] = 0
    if apart.max() > 1:
        at = int(np.argmax(apart > 1))
        yield second.finding("pair-audio", f"differs by up to {apart.max()} outside {slots[0]}, first at {at}")


def _without_cue(plan: StreamPlan) -> Any:
    """The plan as JSON without what the two sides may differ in; the cue goes by a common name."""
    assert plan.pair is not None
    index = plan.steps[plan.pair.step].index
    name = plan.scene.sub_events[index].name
    data = plan.model_dump(mode="json")
    data["pair"]["side"] = None
    for group in (data["scene"]["sub_events"], data["refinements"], data["kinds"]):
        group[index] = None
    data["steps"][plan.pair.step] = None
    # Which constraints bind the cue depends on what it is.
    data["scene"]["constraints"] = [c for c in data["scene"]["constraints"] if name not in (c["first"], c["second"])]
    data["targets"] = None
    return data


def _labels(stream: Stream, cue: int) -> list[tuple[int, str]]:
    return [(r.event, r.text) for r in stream.row.responses if r.event != cue]
