"""Search in libraries of paper size: build time, memory, queries per second, recall against exact search.

    OMP_NUM_THREADS=1 python benchmarks/retrieval.py [--vectors 171000 1000000] [--exact] [--json FILE]

Unit vectors of 512 dimensions, 100 around each of n/100 centres at a cosine of about 0.6 to it, as a CLAP library's
are; queries are drawn in the same way. One thread, timed in the CPU seconds it takes, which on an idle machine are
those of a clock. Timed is what a caller gets: candidates from FAISS, scores computed anew, clip ids. Each speed is the
best of three rounds, as the rest is the machine's other work. Building includes the choice of how many lists a query
looks into, from other queries than those that are judged. Resident memory is what opening the index and searching
it added. `--exact` times exact search of the same vectors too, once, to compare machines by.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from pipeline.library.calibration import Calibration
from pipeline.library.index import EXACT_UP_TO, ROWS, TRAINED_ON, ClipIndex, kind_of, new_index
from pipeline.library.index_build import RECALL_QUERIES, exact_best, recall_at_3, train, tune

DIMENSION = 512
PER_CENTRE = 100
SPREAD = 0.8
BLOCK = 50_000
QUERIES = 1_024
JUDGED_QUERIES = 500
ROUNDS = 3
AT_LEAST = {
    171_000: {"recall_at_3": 0.98, "single_qps": 5_000},
    1_000_000: {"recall_at_3": 0.975, "single_qps": 1_400, "batch_qps": 3_000},
}
AT_MOST = {1_000_000: {"index_mb": 1_300, "build_s": 240}}
"""The goals, by the number of vectors."""


class Cloud:
    """Clustered unit vectors."""

    def __init__(self, count: int) -> None:
        self._draw = np.random.default_rng(count)
        self._centres = self._draw.standard_normal((max(1, count // PER_CENTRE), DIMENSION), dtype=np.float32)

    def take(self, count: int) -> np.ndarray:
        """float32, (count, 512)."""
        chosen = self._centres[self._draw.integers(0, len(self._centres), count)]
        points = chosen + np.float32(SPREAD) * self._draw.standard_normal(chosen.shape, dtype=np.float32)
        return points / np.linalg.norm(points, axis=1, keepdims=True)

    def blocks(self, count: int) -> Iterator[np.ndarray]:
        """`count` vectors, block by block."""
        for start in range(0, count, BLOCK):
            yield self.take(min(BLOCK, count - start))


def measure(count: int, index: Any, *, built_s: float, queries: np.ndarray, folder: Path) -> dict[str, float]:
    """The figures of a finished index, opened from disk as `library search` opens it."""
    path = folder / "index.faiss"
    faiss.write_index(index, str(path))
    recall, live = 1.0, np.ones(count, bool)
    if not isinstance(index, faiss.IndexFlat):
        judged = queries[:JUDGED_QUERIES]
        recall = recall_at_3(index, judged, exact_best(index, judged, live), live)
    before_mb = resident_mb()
    opened = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    rows = np.zeros(count, ROWS)
    rows["clip"] = np.arange(count)
    facts = {"count": count, "calibration": Calibration(method="none: too few pairs", threshold=0).model_dump()}
    rounds = 1 if isinstance(index, faiss.IndexFlat) and count > EXACT_UP_TO else ROUNDS
    clips = ClipIndex(folder, "benchmark", facts, opened, rows)
    speeds = {
        "single_qps": round(speed(clips, queries[:256], 1, rounds)),
        "batch_qps": round(speed(clips, queries, 256, rounds)),
    }
    return {
        "build_s": round(built_s, 1),
        "index_mb": round(path.stat().st_size / 1e6, 1),
        "resident_mb": round(resident_mb() - before_mb, 1),
        "recall_at_3": recall,
        **speeds,
    }


def resident_mb() -> float:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def missed(count: int, figures: dict[str, float]) -> list[str]:
    """The goals for `count` vectors that the figures do not reach, in words."""
    low = [
        f"{name} {figures[name]:,} < {goal:,}" for name, goal in AT_LEAST.get(count, {}).items() if figures[name] < goal
    ]
    high = [
        f"{name} {figures[name]:,} > {goal:,}" for name, goal in AT_MOST.get(count, {}).items() if figures[name] > goal
    ]
    return low + high


def speed(clips: ClipIndex, queries: np.ndarray, batch: int, rounds: int) -> float:
    """Queries per second in batches of `batch`."""
    best = 0.0
    for _ in range(rounds):
        start = time.thread_time()
        for at in range(0, len(queries), batch):
            clips.nearest(queries[at : at + batch], 3)
        best = max(best, len(queries) / (time.thread_time() - start))
    return best


def run(count: int, *, exact: bool, folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """(kind, figures) of the index that a library of `count` clips gets, and of exact search."""
    for flat in (False, True) if exact else (False,):
        cloud = Cloud(count)
        index = faiss.IndexFlatIP(DIMENSION) if flat else new_index(DIMENSION, count)
        sample = cloud.take(min(count, TRAINED_ON * getattr(index, "nlist", 0)))
        queries = cloud.take(RECALL_QUERIES)
        start = time.thread_time()
        train(index, len(sample), sample.__getitem__)
        built_s = time.thread_time() - start
        for block in cloud.blocks(count):
            start = time.thread_time()
            index.add(block)
            built_s += time.thread_time() - start
        start = time.thread_time()
        tune(index, queries, np.ones(count, bool))
        built_s += time.thread_time() - start
        figures = measure(count, index, built_s=built_s, queries=cloud.take(QUERIES), folder=folder)
        yield "exact" if flat else kind_of(index), figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, nargs="+", default=[171_000, 1_000_000])
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    found: dict[str, float] = {}
    columns = ("build_s", "index_mb", "resident_mb", "recall_at_3", "single_qps", "batch_qps")
    print(f"one thread; load before {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'clips':>9}  {'index':<46}" + "".join(f"{name:>13}" for name in columns))
    for count in arguments.vectors:
        with tempfile.TemporaryDirectory() as folder:
            for kind, figures in run(count, exact=arguments.exact, folder=Path(folder)):
                print(f"{count:>9,}  {kind:<46}" + "".join(f"{figures[name]:>13,}" for name in columns), flush=True)
                prefix = f"{'exact' if kind == 'exact' else 'index'}_{count}_"
                if kind != "exact" and count in AT_LEAST:
                    print("goals reached" if not (short := missed(count, figures)) else f"missed: {'; '.join(short)}")
                found |= {prefix + name: value for name, value in figures.items()}
    found["load_after"] = round(os.getloadavg()[0], 2)
    print(f"load after {found['load_after']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
