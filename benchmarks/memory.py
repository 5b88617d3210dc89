"""Memory: what each process of a build holds.

    python benchmarks/memory.py [--streams 280] [--workers 1] [--json FILE]

Builds every sub-task at equal share, in shards of 28 streams, from a starter library that nobody has built from: the
worker conditions every clip itself. Per process, from /proc every 0.2 s: the peak of its resident
memory (VmHWM), the most that was its own (RssAnon) and the most that files back (RssFile: libraries, which the system
may drop). Last the peak of the sum, in which what processes share counts once (Pss).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from flows.starter import make_starter
from schemas.taxonomy import ABILITY_OF

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024
KINDS = {"forkserver": "worker", "flows.prefect_api": "server", "resource_tracker": "tracker"}
"""What a command line tells of a process; any other is the command itself."""


def main() -> None:
    """Build once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=280)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        library = make_starter(Path(folder) / "library", lambda stage, done, total: None)
        seen = build(Path(folder), library, streams=arguments.streams, workers=arguments.workers)
    table = Table("MiB", "peak", "its own", "of files")
    figures: dict[str, float] = {"sum_mib": round(seen.sum_kib / MIB)}
    for name, peaks in sorted(seen.peaks.items()):
        row = [round(peaks[part] / MIB) for part in ("VmHWM", "RssAnon", "RssFile")]
        table.add_row(name, *map(str, row))
        figures |= dict(zip((f"{name}_peak_mib", f"{name}_own_mib", f"{name}_files_mib"), row, strict=True))
    table.add_row("all at once, shared pages once", str(figures["sum_mib"]), "", "")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def build(folder: Path, library: Path, *, streams: int, workers: int) -> Seen:
    """Build in a session of its own; SystemExit where that fails."""
    recipe = folder / "memory.yaml"
    content = {
        "name": "memory",
        "seed": 1,
        "streams": streams,
        "streams_per_shard": 28,
        "mixture": dict.fromkeys(ABILITY_OF, 1.0),
        "splits": {"train": 1.0},
    }
    recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
    command = ["build", str(recipe), "--library", str(library), "--out", str(folder / "corpus")]
    process = subprocess.Popen(
        [sys.executable, "-c", "from flows.cli import main; main()", *command, "--workers", str(workers)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    seen = Seen(process.pid)
    seen.start()
    _, told = process.communicate()
    seen.over.set()
    seen.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {told.decode()}")
    return seen


class Seen(threading.Thread):
    """Watches the processes of one session; `peaks` in KiB by kind of process, of several the largest."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peaks: dict[str, Counter[str]] = {}
        self.sum_kib = 0
        self._session = session

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.2):
            shares = [self._look(process) for process in Path("/proc").glob("[0-9]*")]
            self.sum_kib = max(self.sum_kib, sum(shares))

    def _look(self, process: Path) -> int:
        """Note the peaks of one process; its share of the memory, 0 where it is none of the session's."""
        try:
            if os.getsid(int(process.name)) != self._session:
                return 0
            words = (process / "cmdline").read_bytes().decode()
            status, rollup = (_table((process / name).read_text()) for name in ("status", "smaps_rollup"))
        except OSError:
            return 0  # it ended meanwhile
        kind = next((kind for word, kind in KINDS.items() if word in words), "command")
        peaks = self.peaks.setdefault(kind, Counter())
        for part in ("VmHWM", "RssAnon", "RssFile"):
            peaks[part] = max(peaks[part], status.get(part, 0))
        return rollup.get("Pss", 0)


def _table(text: str) -> dict[str, int]:
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) == 3 and row[2] == "kB"}


if __name__ == "__main__":
    main()
