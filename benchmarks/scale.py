"""Growth: does time per stream, memory or the number of open files grow with the corpus, and what does a resume cost?

    python benchmarks/scale.py [--quick] [--json FILE]

Builds corpora of 100, 1,000 and 10,000 short streams (--quick: 20 and 60) from the starter library with one worker,
the second with two workers as well and on Ray where it is installed, and runs the finished build of the largest again.
Each build is a process of its own; the figures are its wall time, starting included, what planning and building took
of a processor per stream, the peak memory of its largest process, and the most files that one of them had open.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from flows.starter import make_starter
from pipeline.shards.timings import PLANNING, read_timings

ROOT = Path(__file__).resolve().parents[1]
SIZES = (100, 1_000, 10_000)
QUICK = (20, 60)
RECIPE: dict[str, Any] = {
    "name": "scale",
    "seed": 1,
    "streams_per_shard": 100,
    "splits": {"train": 1.0},
    "mixture": {"count_events": 1, "alert_on_event": 1, "sound_event_qa": 1, "natural_hazard": 1},
    "scene": {"duration_s": ["uniform", 12, 16]},
    "max_quarantined": 0.2,
}


def main() -> None:
    """Run all builds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="Small corpora: does it work at all?")
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else SIZES
    figures: dict[str, float] = {}
    table = Table("build", "wall s", "planning, ms a stream", "shards, ms a stream", "peak MB", "open files")
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        scratch = Path(folder)
        library = make_starter(scratch / "library", lambda stage, done, total: None)
        # What is made once and kept beside the library belongs to no size. Of other scenes, or the first size alone
        # would find all of its sounds made.
        _build(scratch, library, sizes[0], "warm", seed=2)
        one = ("--workers", "1")
        runs: list[tuple[str, int, str, tuple[str, ...]]] = [
            *((f"{size} streams", size, f"{size}", one) for size in sizes),
            (f"{sizes[-1]} streams finished", sizes[-1], f"{sizes[-1]}", one),
            (f"{sizes[1]} streams 2 workers", sizes[1], "two", ("--workers", "2")),
        ]
        if importlib.util.find_spec("ray"):
            runs.append((f"{sizes[1]} streams Ray", sizes[1], "ray", (*one, "--runner", "ray")))
        for name, size, out, more in runs:
            wall_s, peak_mb, files = _build(scratch, library, size, out, *more)
            timings = read_timings(scratch / out)
            planning_ms = 1000 * timings.pop(PLANNING).cpu_s / size
            shards_ms = 1000 * sum(shard.cpu_s for shard in timings.values()) / size
            row = {
                "wall_s": wall_s,
                "planning_ms": planning_ms,
                "shards_ms": shards_ms,
                "peak_mb": peak_mb,
                "open_files": files,
            }
            figures |= {f"{name.replace(' ', '_').lower()}_{key}": round(value, 3) for key, value in row.items()}
            table.add_row(name, f"{wall_s:.1f}", f"{planning_ms:.1f}", f"{shards_ms:.1f}", f"{peak_mb:.0f}", str(files))
            told = f"{planning_ms:.1f} and {shards_ms:.1f} ms a stream, {peak_mb:.0f} MB, {files} files"
            Console(stderr=True).print(f"{name}: {wall_s:.1f} s, {told}")
    Console().print(table)
    alone = figures[f"{sizes[1]}_streams_wall_s"]
    Console().print(f"2 workers: {alone / figures[f'{sizes[1]}_streams_2_workers_wall_s']:.2f} times as fast as one")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _build(scratch: Path, library: Path, streams: int, out: str, *more: str, seed: int = 1) -> tuple[float, float, int]:
    """(wall seconds, peak memory of the largest process in MB, most files open in one) of one build."""
    recipe = scratch / f"{streams}-{seed}.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPE, "streams": streams, "seed": seed}), encoding="utf-8")
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
    return wall_s, seen.peak_mb, seen.files


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
