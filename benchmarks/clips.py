"""A library of many small clips: what importing, indexing, opening and planning from it take.

    python benchmarks/clips.py [--quick] [--json FILE]

Libraries of 2,000 and 100,000 clips of 0.15 s (--quick: 200 and 1,000), made of decaying tones with captions of a few
words. Each step is a process of its own, loading programs included; memory is its peak.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from flows.starter import preview
from pipeline.library.library import Library, import_library, index_library
from pipeline.seeds import rng
from schemas.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
SIZES, QUICK = (2_000, 100_000), (200, 1_000)
RATE, SAMPLES = 16_000, 2_400
SOUNDS = "dog bark;cat meow;door knock;rain;wind;bell;horn;engine;clap;cough;sneeze;keys;glass;alarm;drum;piano"
MANNERS = "loud soft distant close short long double single wooden metal heavy light slow quick deep high"
NAMES = [f"{manner} {sound}" for manner, sound in product(MANNERS.split(), SOUNDS.split(";"))]
PLANNED = 50
RECIPE = Recipe.model_validate(
    {"name": "clips", "streams": PLANNED, "mixture": {"count_events": 1, "sound_event_qa": 1}, "splits": {"train": 1.0}}
)
STEPS = {
    "import": lambda folder: import_library(folder / "manifest.csv", folder / "library"),
    "index": lambda folder: index_library(folder / "library", "lexical"),
    "open": lambda folder: Library.open(folder / "library"),
    f"plan {PLANNED}": lambda folder: preview(RECIPE, folder / "library", PLANNED),
}


def main() -> None:
    """Time every step with every size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="Small libraries: does it work at all?")
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        STEPS[arguments.step[0]](Path(arguments.step[1]))
        print(json.dumps([time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000]))
        return
    figures: dict[str, float] = {}
    table = Table("clips", "step", "wall s", "processor s", "peak MB")
    for clips in QUICK if arguments.quick else SIZES:
        with tempfile.TemporaryDirectory(prefix="clips-") as scratch:
            _record(Path(scratch), clips)
            for step in STEPS:
                begun = time.perf_counter()
                command = [sys.executable, __file__, "--step", step, scratch]
                environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                wall_s, (cpu_s, peak_mb) = time.perf_counter() - begun, json.loads(done.stdout)
                table.add_row(f"{clips:,}", step, f"{wall_s:.1f}", f"{cpu_s:.1f}", f"{peak_mb:.0f}")
                key = f"{clips}_{step.replace(' ', '_')}"
                figures |= {f"{key}_wall_s": wall_s, f"{key}_cpu_s": cpu_s, f"{key}_peak_mb": peak_mb}
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _record(folder: Path, clips: int) -> None:
    draw, time_s = rng(0, clips, "clips"), np.arange(SAMPLES) / RATE
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("path", "caption", "tags", "kind", "licence", "attribution"))
        for i in range(clips):
            path = folder / f"{i // 1000:03d}" / f"{i}.wav"
            path.parent.mkdir(exist_ok=True)
            tone = 0.6 * np.exp(-25 * time_s) * np.sin(2 * np.pi * draw.uniform(100, 4000) * time_s)
            soundfile.write(path, tone, RATE, subtype="PCM_16")
            name = NAMES[i % len(NAMES)]
            caption = f"a {name}, take {i // len(NAMES)}"
            lines.writerow((path.relative_to(folder), caption, name, "sfx", "CC0-1.0", f"author {i // 3}"))


if __name__ == "__main__":
    main()
