"""One line per stage: for logs that a program reads or that somebody reads later, where bars would be noise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EVERY_S = 60.0
"""A stage that takes long says so once a minute."""


@dataclass(slots=True)
class _Stage:
    begun_s: float
    said_s: float
    over: bool = False


class StageLog:
    """A progress callback (stage, done, total) that tells `say` when a stage is over, and meanwhile once in a while."""

    def __init__(self, say: Callable[[dict[str, Any]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._stages: dict[str, _Stage] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        seen = self._stages.setdefault(stage, _Stage(now, now))
        over = done >= total
        if seen.over or not (over or now - seen.said_s >= EVERY_S):
            return
        seen.said_s, seen.over = now, over
        seconds = now - seen.begun_s
        rate = round(done / seconds, 2) if seconds else None
        self._say({"stage": stage, "done": done, "total": total, "seconds": round(seconds, 2), "per_second": rate})


def as_text(line: dict[str, Any]) -> str:
    """For people."""
    return f"{line['stage']} {line['done']}/{line['total']} in {line['seconds']:.1f} s"


def as_json(line: dict[str, Any]) -> str:
    """For programs: with the time of day, in UTC."""
    return json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **line})
