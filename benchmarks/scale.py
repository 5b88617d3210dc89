"""Growth: does time per stream, memory or the number of open files grow with the corpus, and what does a resume cost?

    python benchmarks/scale.py [--quick] [--sizes N ...] [--repeat N] [--json FILE]

Builds corpora of 100, 1,000 and 10,000 short streams (--quick: 20 and 60) from the starter library with one worker,
each twice: sounds that the library lacks are made and conditioned once and kept beside it, and the second build shows
what a stream takes where all are kept. Then the finished build of the largest again, the largest with two workers, the
second size with one and with two in turn, and on Ray where it is installed. Short builds are repeated with other
scenes; medians are given.

Each build is a process of its own; the figures are its wall time, starting included, what planning and building took
of a processor per stream, the peak memory of its largest process, and the most files that one of them had open. What
does not grow with the number of streams stands apart: opening (texts, encoder, and the audit of all clips) in seconds
of a processor, and a build of two streams, one a shard.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from flows.starter import make_starter
from pipeline.shards.timings import OPENING, PLANNING, read_timings

ROOT = Path(__file__).resolve().parents[1]
SIZES = (100, 1_000, 10_000)
QUICK = (20, 60)
SHORT = 400
"""Builds of so many streams differ by a tenth from scene to scene, and are repeated."""
RECIPE: dict[str, Any] = {
    "name": "scale",
    "seed": 1,
    "splits": {"train": 1.0},
    "mixture": {"count_events": 1, "alert_on_event": 1, "sound_event_qa": 1, "natural_hazard": 1},
    "scene": {"duration_s": ["uniform", 12, 16]},
    "max_quarantined": 0.2,
}


@dataclass(frozen=True, slots=True)
class Built:
    """What a build took."""

    wall_s: float
    opening_s: float
    planning_ms: float
    """Of a processor, per stream."""
    shards_ms: float
    """Of a processor, per stream."""
    peak_mb: float
    open_files: int

    @property
    def stream_ms(self) -> float:
        return self.planning_ms + self.shards_ms


def main() -> None:
    """Run all builds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="Small corpora: does it work at all?")
    parser.add_argument("--sizes", type=int, nargs="+", help="Streams of the corpora, two sizes or more.")
    parser.add_argument("--repeat", type=int, default=3, help="Times that short builds and pairs of builds are done.")
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    arguments = parser.parse_args()
    sizes = sorted(arguments.sizes or (QUICK if arguments.quick else SIZES))
    figures: dict[str, float] = {}
    table = Table("build", *(field.name for field in dataclasses.fields(Built)))

    def told(name: str, builds: Sequence[Built]) -> Built:
        middle = Built(
            *(statistics.median(values) for values in zip(*(dataclasses.astuple(one) for one in builds), strict=True))
        )
        figures.update({f"{name.replace(' ', '_').lower()}_{k}": round(v, 3) for k, v in asdict(middle).items()})
        table.add_row(name, *(f"{value:.1f}" for value in dataclasses.astuple(middle)))
        for one in builds:
            Console(stderr=True).print(f"{name}: {', '.join(f'{k} {v:.1f}' for k, v in asdict(one).items())}")
        return middle

    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        scratch = Path(folder)
        library = make_starter(scratch / "library", lambda stage, done, total: None)
        build = functools.partial(_build, scratch, library)
        # Compiles modules, and makes what speech and replies take from the caches of this machine.
        build(sizes[0], "warm", seed=99)
        per_stream, longest_s = dict[int, float](), 0.0
        for size in sizes:
            times = range(1, 1 + (arguments.repeat if size <= SHORT else 1))
            told(f"{size} streams new", [build(size, f"{size}-{seed}-new", seed=seed) for seed in times])
            kept = told(f"{size} streams", [build(size, f"{size}-{seed}", seed=seed) for seed in times])
            per_stream[size], longest_s = kept.stream_ms, kept.wall_s
        told(f"{sizes[-1]} streams finished", [build(sizes[-1], f"{sizes[-1]}-1")])
        most_s = told(f"{sizes[-1]} streams 2 workers", [build(sizes[-1], "two-most", "--workers", "2")]).wall_s
        alone, two = list[Built](), list[Built]()
        start_alone, start_two = list[Built](), list[Built]()
        for turn in range(arguments.repeat):
            alone.append(build(sizes[1], f"alone-{turn}"))
            two.append(build(sizes[1], f"two-{turn}", "--workers", "2"))
            start_alone.append(build(2, f"start-alone-{turn}"))
            start_two.append(build(2, f"start-two-{turn}", "--workers", "2"))
        one_s, two_s = (
            told(f"{sizes[1]} streams 1 worker", alone).wall_s,
            told(f"{sizes[1]} streams 2 workers", two).wall_s,
        )
        start_s, starts_s = told("start 1 worker", start_alone).wall_s, told("start 2 workers", start_two).wall_s
        if importlib.util.find_spec("ray"):
            told(f"{sizes[1]} streams Ray", [build(sizes[1], "ray", "--runner", "ray")])
    out = Console(width=140)
    out.print(table)
    smallest = per_stream[sizes[0]]
    growth = ", ".join(f"{size}: {ms:.1f} ms ({ms / smallest - 1:+.0%})" for size, ms in per_stream.items())
    out.print(f"a stream, sounds kept: {growth}")
    for size, slow_s, fast_s in ((sizes[1], one_s, two_s), (sizes[-1], longest_s, most_s)):
        bare = (slow_s - start_s) / (fast_s - starts_s)
        out.print(
            f"2 workers, {size} streams: {slow_s / fast_s:.2f} times as fast as one; without what a build of two "
            f"streams takes, {start_s:.1f} and {starts_s:.1f} s: {bare:.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _build(scratch: Path, library: Path, streams: int, out: str, *more: str, seed: int = 1) -> Built:
    """One build, with one worker unless `more` says otherwise."""
    recipe = scratch / f"{streams}-{seed}.yaml"
    content = {**RECIPE, "streams": streams, "seed": seed, "streams_per_shard": 1 if streams == 2 else 100}
    recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
    code = "from flows.cli import main; main()"
    arguments = ["build", str(recipe), "--library", str(library), "--out", str(scratch / out), *more]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    seen = _Seen(process.pid)
    seen.start()
    _, told = process.communicate()
    wall_s = time.perf_counter() - begun
    seen.over.set()
    seen.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed: {told.decode()}")
    timings = read_timings(scratch / out)
    opening, planning = timings.pop(OPENING), timings.pop(PLANNING)
    return Built(
        wall_s=wall_s,
        opening_s=opening.cpu_s,
        planning_ms=1000 * planning.cpu_s / streams,
        shards_ms=1000 * sum(shard.cpu_s for shard in timings.values()) / streams,
        peak_mb=seen.peak_mb,
        open_files=seen.files,
    )


class _Seen(threading.Thread):
    """Watches the processes of one session through /proc."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak_mb, self.files = 0.0, 0
        self._session = session

    def run(self) -> None:
        while not self.over.wait(0.5):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if os.getsid(int(process.name)) != self._session:
                        continue
                    status = (process / "status").read_text(encoding="utf-8")
                    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "x 0")
                    self.peak_mb = max(self.peak_mb, int(peak.split()[1]) / 1000)
                    self.files = max(self.files, len(list((process / "fd").iterdir())))
                except OSError:
                    continue  # it ended meanwhile


if __name__ == "__main__":
    main()
