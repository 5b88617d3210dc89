"""Speed of building streams: us, the floor, and others, on the same clips and the same job.

    python benchmarks/compose.py [FOLDER] [--streams N] [--json FILE]

FOLDER holds recordings (any layout that `streamaudio library import` knows); without one the starter library is
rendered. The job is streams of about 60 s with 10 foreground events, 2 backgrounds, an ambient bed and two noise
tracks, stored as FLAC level 5 in Parquet. What everybody mixes, and where, is what we placed. Each measurement is a
fresh process on one thread; x real time counts processor time, its child processes included, so other work on the
machine disturbs it least. Scaper (with sox), lhotse and pydub (with ffmpeg) are measured where they are installed.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import hashlib
import importlib.util
import io
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import others
import soundfile as sf

from pipeline.composition.mix import BLOCK_SAMPLES
from pipeline.corpus_build import Workplace, build_shard
from pipeline.library.decode import decode
from pipeline.library.library import Library, import_library, index_library
from pipeline.loudness import Meter, true_peak
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.reader import decode as decode_flac
from pipeline.shards.reader import iter_rows
from schemas.protocol import SAMPLE_RATE

SHARDS = 4
WARM_UP = "warm_up-00000-of-00001"
"""A shard of one stream: what a process does once is outside the time that is taken, for others too."""
REPEATS = 3
BEDS = 3
"""Added and taken away again: as many passes as two backgrounds, an ambient bed, two noise tracks and a sound."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process's work; `cpu_s` includes its children, `peak_mb` is of the process itself."""

    audio_s: float
    cpu_s: float
    wall_s: float
    peak_mb: float

    @property
    def x(self) -> float:
        return self.audio_s / self.cpu_s


def measured(work: Callable[..., float], *arguments: Any, repeats: int = 1) -> Measured:
    """The best of `repeats` fresh processes; `work` returns seconds of audio, after `prepare` where it has one."""
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(repeats):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            runs.append(pool.submit(_timed, work, arguments).result())
    return min(runs, key=lambda run: run.cpu_s / run.audio_s)


def _timed(work: Callable[..., float], arguments: tuple[Any, ...]) -> Measured:
    prepare = PREPARE.get(work)
    if prepare:
        prepare(*arguments)
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    audio_s = work(*arguments)
    cpu_s, wall_s = sum(os.times()[:4]) - cpu, time.perf_counter() - wall
    return Measured(audio_s, cpu_s, wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def ours(workplace: Workplace, names: list[str]) -> float:
    """Build shards, as a worker does; seconds of audio."""
    for name in names:
        (workplace.folder.state / "shards" / f"{name}.json").unlink(missing_ok=True)
    return sum(build_shard(workplace, name).samples for name in names) / SAMPLE_RATE


def flac_only(corpus: Path, shards: list[str]) -> float:
    """The floor: encode what we composed, whole streams at a time."""
    samples = 0
    for pcm in _PCM:
        with sf.SoundFile(io.BytesIO(), "w", SAMPLE_RATE, 1, format="FLAC", subtype="PCM_16") as file:
            file.write(pcm)
        samples += len(pcm)
    return samples / SAMPLE_RATE


def bare_passes(corpus: Path, shards: list[str]) -> float:
    """The floor of all that a stream's samples go through, with nothing decided, looked up or written down.

    Five beds and a sound are added, loudness and peaks measured, seams left out; then 16 bit, FLAC, SHA-256 and disk.
    """
    bed, samples = np.full(BLOCK_SAMPLES, 1e-3, np.float32), 0
    with tempfile.TemporaryFile(dir=corpus) as shard:
        for pcm in _PCM:
            meter, stream, flac = Meter(), np.empty(len(pcm), np.float32), io.BytesIO()
            with sf.SoundFile(flac, "w", SAMPLE_RATE, 1, format="FLAC", subtype="PCM_16") as file:
                for lo in range(0, len(pcm), BLOCK_SAMPLES):
                    block = stream[lo : lo + BLOCK_SAMPLES]
                    np.multiply(pcm[lo : lo + len(block)], np.float32(1 / 32768), out=block)
                    for _ in range(BEDS):
                        block += bed[: len(block)]
                        block -= bed[: len(block)]
                    meter.add(block)
                    true_peak(block, above=max(block.max(), -block.min()))
                    file.write(np.rint(block * np.float32(32768)).astype(np.int16))
            shard.write(flac.getbuffer())
            hashlib.sha256(flac.getbuffer())
            samples += len(pcm)
        shard.flush()
        os.fsync(shard.fileno())
    return samples / SAMPLE_RATE


def disk_only(corpus: Path, shards: list[str]) -> float:
    """Write and sync the same bytes."""
    content = b"".join((corpus / shard).read_bytes() for shard in shards)
    with tempfile.TemporaryFile(dir=corpus) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return (
        sum(row["num_samples"] for s in shards for row in iter_rows(corpus / s, columns=["num_samples"])) / SAMPLE_RATE
    )


def decode_alone(folder: Path) -> float:
    """Decode every source of a library as it is read at import, without resampling."""
    seconds = 0.0
    for path in sorted({clip.path for clip in Library.open(folder).clips.values()}):
        with sf.SoundFile(path) as file:
            file.read(dtype="float32")
            seconds += file.frames / file.samplerate
    return seconds


def decode_resample(folder: Path) -> float:
    """Decode and resample every source, nothing else."""
    return sum(decode(Path(c.path)).source_duration_s for c in Library.open(folder).clips.values())


def _import_torch(*_: Any) -> None:
    import torchaudio  # noqa: F401


def ingest(source: Path, out: Path) -> float:
    """Import a folder: decode, resample, measure, store."""
    import_library(source, out)
    return sum(c.source_duration_s for c in Library.open(out).clips.values())


_PCM: list[Any] = []


def _load_pcm(corpus: Path, shards: list[str]) -> None:
    for shard in shards:
        for row in iter_rows(corpus / shard, columns=["audio"]):
            _PCM.append((decode_flac(row["audio"]["bytes"]) * 32768).astype("int16"))


PREPARE: dict[Callable[..., float], Callable[..., object]] = {
    ours: lambda workplace, names: ours(workplace, [WARM_UP]),
    flac_only: _load_pcm,
    bare_passes: _load_pcm,
    decode_resample: _import_torch,
    ingest: _import_torch,
    others.released: lambda job, state: others.load(job, state, others.released),
    others.lhotse: lambda job, state: others.load(job, state, others.lhotse),
    others.pydub: lambda job, state: others.load(job, state, others.pydub),
    others.scaper: lambda job, state: others.load(job, state, others.scaper),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--others", type=int, default=20, help="streams of the job that the slower others get")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="bench-compose-"))
    try:
        figures = run(arguments.folder, arguments.streams, min(arguments.others, arguments.streams), scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def run(folder: Path | None, streams: int, streams_of_others: int, scratch: Path) -> dict[str, float]:
    library_path = scratch / "library"
    figures: dict[str, float] = {"streams": streams, "cores": os.cpu_count() or 1, "load": os.getloadavg()[0]}

    def note(name: str, result: Measured, what: str) -> Measured:
        figures.update({f"{name}_{key}": value for key, value in asdict(result).items()})
        figures[f"{name}_x"] = result.x
        print(f"{what:<52}{result.x:>9,.0f} x{result.peak_mb:>8,.0f} MB{result.wall_s:>8.1f} s wall", flush=True)
        return result

    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; x real time per core, peak memory")
    if folder is None:
        from flows.starter import make_starter

        make_starter(library_path, lambda what, done, total: None)
    else:
        imported = note("ingest", measured(ingest, folder, library_path), "import (decode, resample, measure, store)")
        index_library(library_path, "lexical")
        alone = note("decode", measured(decode_alone, library_path, repeats=REPEATS), "decoding alone")
        both = note("resample", measured(decode_resample, library_path, repeats=REPEATS), "decoding and resampling")
        figures["ingest_to_decode"] = imported.cpu_s / alone.cpu_s
        figures["ingest_to_resample"] = imported.cpu_s / both.cpu_s
    library = Library.open(library_path)
    workplace, names = _workplace(scratch / "corpus", library, streams)
    shards = [f"data/{name}.parquet" for name in names]

    cold = note("cold", measured(ours, workplace, names), "ours, cold: sounds conditioned on the way")
    if folder is not None:
        used = {c for name in names for row in iter_rows(workplace.root / f"data/{name}.parquet") for c in _clips(row)}
        share = sum(library.clips[c].source_duration_s for c in used) / figures["ingest_audio_s"]
        figures["cold_from_files_x"] = cold.audio_s / (cold.cpu_s + figures["ingest_cpu_s"] * share)
        print(f"{'ours, cold, with the import of the clips used':<52}{figures['cold_from_files_x']:>9,.0f} x")
    warm = note("warm", measured(ours, workplace, names, repeats=REPEATS), "ours, warm store")
    floor = note("flac", measured(flac_only, workplace.root, shards, repeats=REPEATS), "floor: FLAC level 5 alone")
    passes = measured(bare_passes, workplace.root, shards, repeats=REPEATS)
    note("passes", passes, "floor: every pass over the samples")
    figures["warm_to_passes"] = warm.x / passes.x
    note("disk", measured(disk_only, workplace.root, shards), "floor: writing and syncing the same bytes")
    figures["warm_to_flac"] = warm.x / floor.x

    for workers in (1, 2):
        figures[f"wall_{workers}_s"] = min(_in_parallel(workplace, names, workers) for _ in range(REPEATS))
    figures["two_workers"] = figures["wall_1_s"] / figures["wall_2_s"]
    print(f"2 workers against 1, wall: {figures['two_workers']:.2f} x")

    job = others.write_job(scratch / "job", workplace.root, shards, library, streams_of_others)
    for name, work, needs in (
        ("released", others.released, None),
        ("lhotse", others.lhotse, "lhotse"),
        ("pydub", others.pydub, "pydub"),
        ("scaper", others.scaper, "scaper"),
    ):
        if needs is not None and importlib.util.find_spec(needs) is None:
            print(f"{name}: not installed")
            continue
        for state in ("warm", "cold") if folder is not None else ("warm",):
            # The released scripts decode and resample for every stream; there is nothing they could keep warm.
            if name == "released" and state == "warm" and folder is not None:
                continue
            key = name if name == "released" else f"{name}_{state}"
            result = note(key, measured(work, job, state), f"{name}, {state}")
            of = warm.x if state == "warm" or name == "released" else figures["cold_from_files_x"]
            figures[f"ours_to_{key}"] = of / result.x
            print(f"{'':<52}{of / result.x:>9.2f} x as fast are we")
    reached = (
        f"{figures['warm_to_flac']:.0%} of FLAC alone, {figures['warm_to_passes']:.0%} of every pass over the samples"
    )
    print(f"ours, warm, reaches {reached}")
    _profile(workplace, names, warm)
    return figures


def _clips(row: dict[str, Any]) -> list[str]:
    noise = [clip for track in row["noise"] for clip in track["clip_ids"]]
    return [e["clip_id"] for e in row["events"] if e["clip_id"]] + noise


def _workplace(root: Path, library: Library, streams: int) -> tuple[Workplace, list[str]]:
    """A corpus folder with the job's units in it, as the planning pass leaves it."""
    folder = CorpusFolder(root)
    folder.state.mkdir(parents=True)
    names = [f"train-{i:05d}-of-{SHARDS:05d}" for i in range(SHARDS)]
    for i, name in enumerate(names):
        jobs.write_units(
            folder.state / "plan", name, library, range(i * streams // SHARDS, (i + 1) * streams // SHARDS)
        )
    jobs.write_units(folder.state / "plan", WARM_UP, library, range(streams, streams + 1))
    return Workplace.prepare(folder, jobs.recipe(jobs.gap_for(library), streams), library.path), names


def _opened(workplace: Workplace) -> None:
    ours(workplace, [WARM_UP])


def _in_parallel(workplace: Workplace, names: list[str], workers: int) -> float:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_opened, [workplace] * (4 * workers)))
        start = time.perf_counter()
        list(pool.map(ours, [workplace] * len(names), [[name] for name in names]))
        return time.perf_counter() - start


def _profile(workplace: Workplace, names: list[str], warm: Measured) -> None:
    """Where a worker's time goes: functions by their share of processor time, callees included."""
    import cProfile
    import pstats

    _opened(workplace)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(ours, workplace, names[:1])
    stats = pstats.Stats(profile)
    total = stats.total_tt  # pyright: ignore[reportAttributeAccessIssue]
    print("where our time goes (profiled, callees included)")
    for label, file, function in PARTS:
        seconds = sum(
            cumulative
            for (path, _, name), (_, _, _, cumulative, _) in stats.stats.items()  # pyright: ignore[reportAttributeAccessIssue]
            if path.endswith(file) and name == function
        )
        print(f"  {label:<40}{seconds / total:>7.1%}")


PARTS = (
    ("FLAC, with rounding to 16 bit", "rows.py", "_flac"),
    ("mixing, levels, seams: all of composition", "mix.py", "compose"),
    ("  of it loudness of the stream", "loudness.py", "add"),
    ("  of it true peak", "mix.py", "_true_peak"),
    ("  of it adding stems and beds", "mix.py", "_render"),
    ("  of it seams", "seams.py", "measure_seams"),
    ("grounding: offers, verdicts", "scene.py", "_grounded"),
    ("conditioned sounds and layout", "scene.py", "_arrange"),
    ("provenance", "rows.py", "_provenance"),
    ("rows to Arrow", "writer.py", "_record"),
    ("hash and sync", "writer.py", "_hash_and_sync"),
    ("reading the plan", "corpus_plan.py", "read_units"),
    ("tallies and distributions", "realised.py", "add"),
)


if __name__ == "__main__":
    main()
