"""Recordings as one session, as the released offline script runs them: silence after each, a budget for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import BadInput
from pipeline.streaming.encoder import BLOCKS_AT_ONCE, blocks_of
from pipeline.streaming.logmel import offline
from pipeline.streaming.session import SPEAKING, Decision, Session
from pipeline.timing import to_samples, whole_chunks
from schemas.protocol import CHUNK_SAMPLES

Mode = Literal["offline", "online"]
"""offline: a recording's log-mel is clamped at its own maximum. online: at that of all that was heard before."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A recording, or the silence after it (`gap`): float32 samples, 16 kHz mono."""

    file: str
    samples: NDArray[np.float32]
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One chunk of a part and what the model did."""

    file: str
    gap: bool
    decision: Decision


def with_gaps(recordings: Iterable[tuple[str, NDArray[np.float32]]], gap_s: float) -> Iterator[Part]:
    """Every recording, padded to whole chunks, each followed by `gap_s` of silence, padded likewise."""
    for name, samples in recordings:
        yield Part(name, _padded(samples))
        if gap_s > 0:
            yield Part(name, _padded(np.zeros(to_samples(gap_s), np.float32)), gap=True)


class FileSession:
    """Runs parts as one session. `state` is where it stands, `skipped` counts chunks that no budget was left for."""

    def __init__(self, session: Session, *, mode: Mode = "offline", max_returned_tokens: int | None = None) -> None:
        """
        Args:
            max_returned_tokens: bounds the forwards of every part: minus the prompt's length until the first forward
                of all, minus 1 afterwards. A reply cut by it stays cut, the rest of the part goes unread. No bound
                where not given, which is what the script's own 4,096 come to in a context of 4,096.
        """
        if mode not in get_args(Mode):
            raise BadInput(f"mode {mode!r} is none of {', '.join(get_args(Mode))}")
        if max_returned_tokens is not None and max_returned_tokens < 1:
            raise BadInput(f"max_returned_tokens {max_returned_tokens!r} is below 1")
        self.session = session
        self.mode = mode
        self.max_returned_tokens = max_returned_tokens
        self.state = session.start()
        self.skipped = 0

    def run(self, parts: Iterable[Part]) -> Iterator[Line]:
        """A line per chunk that was read.

        Raises:
            SessionFull: no position is left for the next chunk and the policy is none; the lines so far stand.
        """
        for part in parts:
            for decision in self._part(part):
                yield Line(part.file, part.gap, decision)

    def _part(self, part: Part) -> Iterator[Decision]:
        session, last = self.session, math.inf
        if self.max_returned_tokens is not None:
            spent = 1 if self.state.forwards else len(session.prefix)
            last = self.state.forwards + self.max_returned_tokens - spent
        chunks = len(part.samples) // CHUNK_SAMPLES
        frames = self._offline(part) if self.mode == "offline" else self._online(part)
        for index in range(chunks):
            if self.state.forwards >= last:
                self.skipped += chunks - index
                return
            state = session.listen(next(frames), self.state)
            while state.phase == SPEAKING:
                over = state.forwards >= last or session.full(state)
                state = session.interrupt(state) if over else session.speak(state)
            yield session.decision(state)
            self.state = session.settle(state)

    def _offline(self, part: Part) -> Iterator[Tensor]:
        for blocks in blocks_of(offline(part.samples)).split(BLOCKS_AT_ONCE):
            yield from self.session.model.encoder(blocks).split(1)

    def _online(self, part: Part) -> Iterator[Tensor]:
        for chunk in part.samples.reshape(-1, CHUNK_SAMPLES):
            frames, heard = self.session.perceive(chunk, self.state)
            self.state = replace(self.state, ear=heard.ear)
            yield frames


def _padded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.zeros(whole_chunks(len(samples)), np.float32)
    padded[: len(samples)] = samples
    return padded
