"""How late a session decides: first-chunk latency, resume latency, stalls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

CHUNK_S = CHUNK_SAMPLES / SAMPLE_RATE
KEPT = 10_000
"""Replies whose latencies are kept, the newest ones: memory stays flat."""


@dataclass(slots=True)
class Latencies:
    """Told of everything that happens in a session, in order, with times in seconds of one clock.

    first chunk   from when the first chunk after a reply can be taken up (its arrival or the reply's end, whichever
                  is later) to its decision, or that of the chunks it is drained with
    resume        from a reply's end, where chunks arrived during it, to the decision on the newest of these: from then
                  on the session is level with the clock
    stall         a chunk whose frames are not ready when the next chunk arrives: nobody listens
    """

    chunks: int = 0
    stalls: int = 0
    first_chunk_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    resume_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _arrived_s: dict[int, float] = field(default_factory=dict)
    _newest: int = -1
    _next: int = 0
    _ended_s: float | None = None
    """When a reply ended, until the next chunk is decided on."""
    _behind: list[tuple[float, int]] = field(default_factory=list)
    """Ends of replies, and the newest chunk at each, until that is decided on."""

    def arrived(self, chunk: int, at_s: float) -> None:
        self._arrived_s[chunk] = at_s
        self._newest = chunk
        self.chunks += 1

    def encoded(self, chunk: int, at_s: float) -> None:
        self.stalls += at_s - self._arrived_s[chunk] > CHUNK_S

    def decided(self, first: int, last: int, at_s: float) -> None:
        """Chunks `first` to `last` were fed together and the last one's control token is there."""
        if self._ended_s is not None:
            self.first_chunk_s.append(at_s - max(self._ended_s, self._arrived_s[first]))
            self._ended_s = None
        self.resume_s.extend(at_s - end_s for end_s, newest in self._behind if newest <= last)
        self._behind = [(end_s, newest) for end_s, newest in self._behind if newest > last]
        for chunk in range(first, last + 1):
            del self._arrived_s[chunk]
        self._next = last + 1

    def reply_ended(self, at_s: float) -> None:
        self._ended_s = at_s
        if self._newest >= self._next:
            self._behind.append((at_s, self._newest))

    def figures(self) -> dict[str, float | int | None]:
        """p50 and p95 in milliseconds, None where nothing was measured, and the share of stalled chunks."""
        result: dict[str, float | int | None] = {
            "chunks": self.chunks,
            "stalls": self.stalls,
            "stall_share": self.stalls / self.chunks if self.chunks else None,
        }
        for name, values in (("first_chunk", self.first_chunk_s), ("resume", self.resume_s)):
            for percentile in (50, 95):
                value = float(np.percentile(values, percentile)) * 1000 if values else None
                result[f"{name}_p{percentile}_ms"] = value
        return result
