"""How long shards took, beside their markers: never in a shard or the manifest, which are the same every time."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from pipeline.shards.writer import write_atomically
from pipeline.storage import Location, each, files_below, read

FOLDER: Final = "timings"
OPENING: Final = "opening"
"""Before the planning pass: its texts, the encoder, and the audit of all clips. It grows with the library alone."""
PLANNING: Final = "planning"
REST: Final = "writing and the rest"


@dataclass(frozen=True, slots=True)
class Timings:
    """Of one shard, of `OPENING`, of the planning pass, or of a whole build.

    `stages_s` are wall-clock seconds over all threads.
    """

    streams: int
    audio_s: float
    bytes: int
    wall_s: float
    cpu_s: float
    peak_memory_mb: float
    stages_s: Mapping[str, float]


def keep(state: Location, name: str, timings: Timings) -> None:
    """Write down what a shard, `OPENING` or `PLANNING` took; the last time it was done counts."""
    write_atomically(state / FOLDER / f"{name}.json", json.dumps(asdict(timings)).encode())


def read_timings(corpus: Location) -> dict[str, Timings]:
    """What was kept, by shard, and under `OPENING` and `PLANNING`."""
    files = [corpus / name for name in sorted(files_below(corpus, f".state/{FOLDER}"))]
    contents = each(read, files, at=corpus)
    return {file.stem: Timings(**json.loads(c)) for file, c in zip(files, contents, strict=True) if c is not None}


def summary_of(corpus: Location) -> Timings | None:
    """What all shards of the last build took together; None where nothing was kept.

    Wall-clock seconds add up over workers, so that they are the time that one of them would have taken.
    """
    kept = read_timings(corpus)
    if not kept:
        return None
    shards = [timings for name, timings in kept.items() if name not in (OPENING, PLANNING)]
    stages: Counter[str] = Counter()
    for timings in kept.values():
        stages.update(timings.stages_s)
    return Timings(
        streams=sum(t.streams for t in shards),
        audio_s=sum(t.audio_s for t in shards),
        bytes=sum(t.bytes for t in shards),
        wall_s=sum(t.wall_s for t in kept.values()),
        cpu_s=sum(t.cpu_s for t in kept.values()),
        peak_memory_mb=max(t.peak_memory_mb for t in kept.values()),
        stages_s=dict(sorted(stages.items(), key=lambda item: -item[1])),
    )


def peak_memory_mb() -> float:
    """Of this process, so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


@dataclass(frozen=True, slots=True)
class Begun:
    """When some work began."""

    wall_s: float
    cpu_s: float

    @staticmethod
    def now() -> Begun:
        """From here on."""
        return Begun(time.perf_counter(), time.process_time())

    def without(self, paused: Begun) -> Begun:
        """As if what was done since `paused` had not been."""
        now = Begun.now()
        return Begun(self.wall_s + now.wall_s - paused.wall_s, self.cpu_s + now.cpu_s - paused.cpu_s)

    def timings(
        self, streams: int, audio_s: float, bytes: int, stages_s: Mapping[str, float], rest: str = REST
    ) -> Timings:
        """What it took until now; what is in no stage is the `rest`."""
        wall_s, cpu_s = time.perf_counter() - self.wall_s, time.process_time() - self.cpu_s
        left = max(0.0, wall_s - sum(stages_s.values()))
        return Timings(streams, audio_s, bytes, wall_s, cpu_s, peak_memory_mb(), {**stages_s, rest: left})
