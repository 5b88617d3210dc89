"""How fast a corpus is read: one stream after the other, raw, and at random; beside a WebDataset tar of the same.

    OMP_NUM_THREADS=1 python benchmarks/read.py [CORPUS] [--json FILE]

Without CORPUS, 64 streams of 60 s (bursts over noise) are written first. All is warm: a first pass is not timed. Ways
take turns on one thread and each counts with the best of its runs: in wall time, and in this process's processor time,
which alone means something where other programs share the machine. Both decode with dr_flac. The tar's labels stay
unparsed unless said otherwise; our streams come with theirs. Raw and random reading do not decode.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import miniaudio
import numpy as np
import pyarrow as pa
import soundfile as sf
import torch
from webdataset.compat import WebDataset

from pipeline.shards.dataset import RandomStreams, RowGroups, Streams
from pipeline.shards.exporters import export
from pipeline.shards.writer import write_shard
from pipeline.timing import to_seconds
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.row import Quality, Row

RUNS = 5
RANDOM_ROWS = 200
Pass = Callable[[], float]
"""One run; returns how much was read."""


def made(root: Path, streams: int = 64, seconds: int = 60) -> Path:
    """A corpus of nothing but bursts over noise, in shards as a build writes them."""

    def rows() -> Iterator[Row]:
        for index in range(streams):
            draw = np.random.default_rng(index)
            samples = 0.01 * draw.standard_normal(seconds * SAMPLE_RATE)
            for start in draw.integers(0, len(samples) - SAMPLE_RATE, seconds // 6):
                samples[start : start + SAMPLE_RATE] += 0.2 * draw.standard_normal(SAMPLE_RATE)
            flac = io.BytesIO()
            sf.write(flac, np.clip(samples, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
            yield Row(
                id=f"bench-{index:05d}",
                split="train",
                ability="proactive_response",
                sub_task="safety_signal",
                language="en",
                scenario="Nowhere.",
                audio=flac.getvalue(),
                sampling_rate=SAMPLE_RATE,
                num_samples=len(samples),
                chunk_samples=CHUNK_SAMPLES,
                num_chunks=len(samples) // CHUNK_SAMPLES,
                turns=(),
                responses=(),
                events=(),
                noise=(),
                pair_id=None,
                plan_json="{}",
                provenance_json="{}",
                seed=index,
                recipe_sha256="",
                quality=Quality(
                    peak_dbfs=None,
                    lufs=None,
                    realised_snr_db=None,
                    silence_ratio=0,
                    max_seam_jump=None,
                    clipped_samples=0,
                ),
            )

    shard = write_shard(root, "data/train-00000-of-00001.parquet", rows())
    listed = {"path": shard.path, "rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256}
    manifest = {
        "splits": {"train": {"rows": streams, "hours": streams * seconds / 3600, "shards": [listed]}},
        "rows": streams,
        "hours": streams * seconds / 3600,
        "versions": {"streamaudio-builder": "bench"},
        "recipe_sha256": "",
    }
    (root / "manifest.json").write_text(json.dumps(manifest))
    return root


def best(passes: dict[str, Pass]) -> dict[str, tuple[float, float]]:
    """Name -> (amount per second, amount per second of processor time); all ways in turn, RUNS times."""
    found = dict.fromkeys(passes, (0.0, 0.0))
    for one in passes.values():
        one()
    for _ in range(RUNS):
        for name, one in passes.items():
            wall, cpu = time.perf_counter(), time.process_time()
            amount = one()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            found[name] = (max(found[name][0], amount / wall), max(found[name][1], amount / cpu))
    return found


def ways(corpus: Path, split: str, tars: list[str]) -> dict[str, Pass]:
    """What is measured: audio seconds, gigabytes or rows, by name."""
    groups, rows = RowGroups(corpus, split), RandomStreams(corpus, split)
    draw = np.random.default_rng(0)

    def ours() -> float:
        return sum(to_seconds(len(sample["audio"])) for sample in Streams(corpus, split, seed=None))

    def theirs(labels: bool) -> float:
        seconds = 0.0
        for sample in WebDataset(tars, shardshuffle=False):
            samples = np.frombuffer(miniaudio.flac_read_f32(sample["flac"]).samples, np.float32)
            seconds += to_seconds(len(torch.from_numpy(samples)))
            if labels:
                json.loads(sample["json"])
        return seconds

    def raw() -> float:
        flacs = (flac for shard, group, _ in groups.sizes for flac in groups.audio(shard, group))
        return sum(len(bytes(flac)) for flac in flacs) / 1e9

    def at_random() -> float:
        for index in draw.integers(len(rows), size=RANDOM_ROWS):
            rows.stored(int(index))
        return RANDOM_ROWS

    return {
        "sequential_x": ours,
        "webdataset_x": lambda: theirs(False),
        "webdataset_with_labels_x": lambda: theirs(True),
        "raw_gb_s": raw,
        "random_rows_s": at_random,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        corpus = arguments.corpus or made(Path(scratch) / "corpus")
        export(corpus, Path(scratch) / "tars", "webdataset")
        tars = sorted(str(tar) for tar in (Path(scratch) / "tars").glob(f"{arguments.split}-*.tar"))
        found = best(ways(corpus, arguments.split, tars))
    print(f"one thread; load before {load:.1f} on {os.cpu_count()} cores\n{'':<28}{'wall':>12}{'processor':>12}")
    for name, (wall, cpu) in found.items():
        print(f"{name:<28}{wall:>12,.1f}{cpu:>12,.1f}")
    figures = {name: round(wall, 3) for name, (wall, _) in found.items()}
    figures |= {f"{name}_cpu": round(cpu, 3) for name, (_, cpu) in found.items()}
    for kind, i in (("ratio_to_webdataset", 0), ("ratio_to_webdataset_cpu", 1)):
        figures[kind] = round(found["sequential_x"][i] / found["webdataset_x"][i], 3)
        print(f"{kind:<28}{figures[kind]:>12.2f}")
    figures["load"] = round(load, 2)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
