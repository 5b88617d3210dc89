"""How long the stages of a build take, by the clock on the wall."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator


class Stopwatch:
    """Sums seconds per stage, over all threads that use it."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time within to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += time.perf_counter() - begun

    def take(self) -> dict[str, float]:
        """Seconds per stage since this was last asked."""
        with self._lock:
            taken = dict(self._seconds)
            self._seconds.clear()
        return taken
