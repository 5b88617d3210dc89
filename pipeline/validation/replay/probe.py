"""The bundled probe as a listener: in lock-step, without words."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome
from schemas.listeners import ProbeListener

if TYPE_CHECKING:
    from pipeline.streaming.probe import Probe


class ProbeReplay:
    """Its score is the probability that a reply is due."""

    def __init__(self, settings: ProbeListener) -> None:
        self._settings = settings
        self._probe: Probe | None = None

    def open(self) -> None:
        from pipeline.streaming.probe import load_probe

        weights = None if self._settings.weights is None else Path(self._settings.weights)
        self._probe = load_probe(weights, policy=self._settings.policy, threshold=self._settings.threshold)

    def close(self) -> None:
        self._probe = None

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        assert self._probe is not None, "open() comes first"
        notes, state = Notes(), self._probe.start()
        for index, chunk in enumerate(chunks):
            notes.arrived(time.perf_counter())
            decision, state = self._probe.step(chunk, state)
            score = None if state.judgement is None else state.judgement.respond
            latency_ms = notes.late_ms(index)
            notes.decided(index, Heard(decision.decision, score=score, latency_ms=latency_ms))
            notes.stalls += latency_ms > 1000 * CHUNK_S
        return notes.outcome()
