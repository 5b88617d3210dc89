"""What every listener is to a replay: chunks in, decisions and replies out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from schemas.protocol import CHUNK_SAMPLES, EMOTIONS, SAMPLE_RATE, Emotion

Chunk = NDArray[np.float32]
"""400 ms: float32 [6400] in [-1, 1], 16 kHz mono."""
CHUNK_S = CHUNK_SAMPLES / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Heard:
    """What was decided about one chunk.

    `drained`: the chunk was fed, but nobody was asked about it. `score`: probability of a response, where the listener
    has one. `latency_ms`: from the chunk's last sample to the decision, of a response to its first sign; None where it
    cannot be told.
    """

    decision: Literal["silent", "response"] = "silent"
    drained: bool = False
    score: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What was said after `chunk`; `cut`: it was ended by somebody else than the listener."""

    chunk: int
    text: str
    emotion: Emotion | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """One stream as it was heard.

    `chunks` has one entry per chunk that was listened to, at most as many as the stream has; `replies` one per chunk
    decided "response", in order. `stalls` counts chunks that were not dealt with when the next one was there,
    `invalid` answers that could not be read (taken for silence). `ended`: why it stopped listening early.
    """

    chunks: tuple[Heard, ...]
    replies: tuple[Reply, ...]
    stalls: int = 0
    invalid: int = 0
    ended: str | None = None


class Listener(Protocol):
    """A model, a program or a service. One at a time hears one stream at a time."""

    def open(self) -> None:
        """Load, start or connect whatever lasts longer than a stream.

        Raises:
            StreamAudioError: it cannot be had.
        """
        ...

    def listen(self, chunks: Iterable[Chunk]) -> Outcome:
        """Hear one stream from the beginning to the end; nothing is left of any stream before.

        A chunk is taken from `chunks` when its time has come: in lock-step once the one before is answered, otherwise
        when its 400 ms are over on the listener's clock.

        Raises:
            BadInput: the listener breaks its protocol.
            EndpointDown: a service is gone; the replay can be resumed.
        """
        ...

    def close(self) -> None:
        """Undo `open`; may be called twice."""
        ...


def emotion_of(said: object) -> Emotion | None:
    """One of the six, whatever its case; None for anything else."""
    named = said.strip().lower() if isinstance(said, str) else None
    return cast(Emotion, named) if named in EMOTIONS else None


class Notes:
    """An `Outcome` in the making, for listeners whose answers arrive when they like."""

    def __init__(self) -> None:
        self.stalls = 0
        self.invalid = 0
        self._heard: list[Heard] = []
        self._arrived_s: list[float] = []
        self._replies: dict[int, Reply] = {}

    @property
    def newest(self) -> int:
        """Number of the newest chunk; -1 before the first."""
        return len(self._heard) - 1

    def arrived(self, at_s: float = 0.0) -> None:
        """The next chunk was given at a time of `time.perf_counter`; silent unless told otherwise."""
        self._heard.append(Heard())
        self._arrived_s.append(at_s)

    def late_ms(self, chunk: int) -> float:
        """Time since a chunk was given."""
        return 1000 * (time.perf_counter() - self._arrived_s[chunk])

    def decided(self, chunk: int, heard: Heard) -> None:
        """A decision about a chunk that was given."""
        self._heard[chunk] = heard
        if heard.decision == "response":
            self._replies.setdefault(chunk, Reply(chunk, ""))

    def said(self, chunk: int, text: str, emotion: Emotion | None = None, *, cut: bool = False) -> None:
        """More of the reply to a chunk."""
        before = self._replies[chunk]
        self._replies[chunk] = Reply(chunk, before.text + text, emotion or before.emotion, cut or before.cut)

    def outcome(self, ended: str | None = None) -> Outcome:
        """What it has come to."""
        replies = (self._replies[chunk] for chunk in sorted(self._replies))
        stripped = tuple(Reply(r.chunk, r.text.strip(), r.emotion, r.cut) for r in replies)
        return Outcome(tuple(self._heard), stripped, self.stalls, self.invalid, ended)
