"""Others at the same job: the events, backgrounds, ambient bed and noise of our streams, mixed by their means.

They mix what we placed where we placed it, then write FLAC level 5 into Parquet as we do; none of them conditions
clips, measures seams or writes provenance. "warm" reads clips decoded and resampled before (16 kHz WAV), "cold" the
sources.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf

from pipeline.library.library import Library
from pipeline.shards.reader import iter_rows
from schemas.protocol import SAMPLE_RATE

_JOB: list[dict[str, Any]] = []


def write_job(folder: Path, corpus: Path, shards: list[str], library: Library, streams: int) -> Path:
    """Write down what each of the first streams holds, and the clips as 16 kHz WAV."""
    folder.mkdir()
    job = []
    for row in (row for shard in shards for row in iter_rows(corpus / shard)):
        if len(job) == streams:
            break
        beds = [clip for track in row["noise"] for clip in track["clip_ids"][:1]]
        beds += [e["clip_id"] for e in row["events"] if e["role"] == "ambient"]
        job.append(
            {
                "samples": row["num_samples"],
                "events": [
                    {
                        "clip": e["clip_id"],
                        "start": e["start_sample"],
                        "length": e["end_sample"] - e["start_sample"],
                        "gain_db": e["gain_db"],
                    }
                    for e in row["events"]
                    if e["role"] != "ambient"
                ],
                "beds": beds,
            }
        )
    sources = {}
    for clip in {c for s in job for c in s["beds"]} | {e["clip"] for s in job for e in s["events"]}:
        sources[clip] = library.clips[clip].path
        sf.write(folder / f"{clip}.wav", library.read(clip), SAMPLE_RATE, subtype="PCM_16")
    # lhotse reads a repeated clip once for every repetition; warm, it gets its beds as long as they are needed.
    longest = max(stream["samples"] for stream in job)
    for clip in {c for s in job for c in s["beds"]}:
        sf.write(folder / f"{clip}-long.wav", np.resize(library.read(clip), longest), SAMPLE_RATE, subtype="PCM_16")
    (folder / "job.json").write_text(json.dumps({"streams": job, "sources": sources}))
    return folder


def load(folder: Path, state: str, work: Callable[[Path, str], float]) -> None:
    """Read the job and do its first stream once, so that imports and compilation are outside the time that is taken."""
    read = json.loads((folder / "job.json").read_text())
    for stream in read["streams"]:
        stream["path"] = {
            clip: (str(folder / f"{clip}.wav") if state == "warm" else source)
            for clip, source in read["sources"].items()
        }
    _JOB[:] = read["streams"][:1]
    work(folder, state)
    _JOB[:] = read["streams"]


def _store(folder: Path, streams: Iterator[np.ndarray]) -> float:
    """FLAC level 5 in Parquet; seconds of audio."""
    schema = pa.schema([("id", pa.string()), ("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))])
    samples = 0
    with pq.ParquetWriter(folder / "others.parquet", schema, compression="none", use_dictionary=False) as writer:
        for i, mix in enumerate(streams):
            file = io.BytesIO()
            sf.write(file, np.clip(mix, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
            audio = {"bytes": file.getvalue(), "path": f"{i}.flac"}
            writer.write_table(pa.Table.from_pylist([{"id": str(i), "audio": audio}], schema=schema))
            samples += len(mix)
    return samples / SAMPLE_RATE


def released(folder: Path, state: str) -> float:
    """The released helper script's scheme: decode and resample for every stream, hard cuts, noise by its power."""
    import librosa

    def clip(stream: dict[str, Any], name: str) -> np.ndarray:
        return librosa.load(stream["path"][name], sr=SAMPLE_RATE)[0]

    def streams() -> Iterator[np.ndarray]:
        for stream in _JOB:
            mix = np.zeros(stream["samples"], np.float32)
            for event in stream["events"]:
                x = clip(stream, event["clip"])[: event["length"]]
                mix[event["start"] : event["start"] + len(x)] += x[: len(mix) - event["start"]]
            power = np.mean(mix**2)
            for bed in stream["beds"]:
                noise = np.resize(clip(stream, bed), len(mix))
                mix += noise * np.sqrt(power / (np.mean(noise**2) * 10**1.5 + 1e-12))
            yield mix

    return _store(folder, streams())


def lhotse(folder: Path, state: str) -> float:
    """A MixedCut per stream; its SNR and its padding."""
    from lhotse import MonoCut, Recording

    recordings: dict[str, Recording] = {}

    def cut(stream: dict[str, Any], clip: str, length: int | None) -> MonoCut:
        path = str(folder / f"{clip}-long.wav") if length is None and state == "warm" else stream["path"][clip]
        if path not in recordings:
            recordings[path] = Recording.from_file(path, recording_id=clip).resample(SAMPLE_RATE)
        recording = recordings[path]
        longest = recording.num_samples
        duration = min(length or longest, longest) / SAMPLE_RATE
        return MonoCut(f"{clip}-{length}", 0, duration, 0, recording=recording)

    def streams() -> Iterator[np.ndarray]:
        for stream in _JOB:
            total_s = stream["samples"] / SAMPLE_RATE
            first, *rest = stream["events"]
            mixed = (
                cut(stream, first["clip"], first["length"])
                .pad(duration=(stream["samples"] - first["start"]) / SAMPLE_RATE)
                .pad(duration=total_s, direction="left")
            )
            for event in rest:
                mixed = mixed.mix(
                    cut(stream, event["clip"], event["length"]), offset_other_by=event["start"] / SAMPLE_RATE
                )
            for bed in stream["beds"]:
                one = cut(stream, bed, None)
                tiled, at = one, one.duration
                while at < total_s:
                    tiled = tiled.append(one)
                    at += one.duration
                mixed = mixed.mix(tiled.truncate(duration=total_s), snr=15)
            yield mixed.load_audio()[0][: stream["samples"]]

    return _store(folder, streams())


def pydub(folder: Path, state: str) -> float:
    """AudioSegment.overlay on a silent segment; pydub works in whole milliseconds and 16 bit."""
    from pydub import AudioSegment

    def clip(stream: dict[str, Any], name: str) -> AudioSegment:
        return AudioSegment.from_file(stream["path"][name]).set_frame_rate(SAMPLE_RATE).set_channels(1)

    def streams() -> Iterator[np.ndarray]:
        for stream in _JOB:
            mix = AudioSegment.silent(1000 * stream["samples"] // SAMPLE_RATE, frame_rate=SAMPLE_RATE)
            for event in stream["events"]:
                x = clip(stream, event["clip"])[: 1000 * event["length"] // SAMPLE_RATE]
                mix = mix.overlay((x + event["gain_db"]).fade_in(20).fade_out(20), 1000 * event["start"] // SAMPLE_RATE)
            for bed in stream["beds"]:
                mix = mix.overlay(clip(stream, bed) - 15, loop=True)
            yield np.array(mix.get_array_of_samples()).astype(np.float32) / 32768

    return _store(folder, streams())


def scaper(folder: Path, state: str) -> float:
    """A soundscape per stream; its loudness normalisation, one background (the beds after the first are events)."""
    from scaper import Scaper

    foreground, background = (folder / f"{kind}-{state}" for kind in ("fg", "bg"))
    for kind in (foreground, background):
        (kind / "any").mkdir(parents=True, exist_ok=True)

    def streams() -> Iterator[np.ndarray]:
        for i, stream in enumerate(_JOB):
            total_s = stream["samples"] / SAMPLE_RATE
            scene = Scaper(total_s, str(foreground), str(background), random_state=i)
            scene.sr, scene.ref_db = SAMPLE_RATE, -30
            scene.add_background(
                ("const", "any"), ("const", _under(background, stream, stream["beds"][0])), ("const", 0)
            )
            for event in stream["events"]:
                scene.add_event(
                    ("const", "any"),
                    ("const", _under(foreground, stream, event["clip"])),
                    ("const", 0),
                    ("const", event["start"] / SAMPLE_RATE),
                    ("const", event["length"] / SAMPLE_RATE),
                    ("const", 15),
                    None,
                    None,
                )
            audio, _, _, _ = scene.generate(
                allow_repeated_label=True, allow_repeated_source=True, disable_sox_warnings=True
            )
            mix = np.asarray(audio, np.float32).reshape(-1)
            yield mix

    return _store(folder, streams())


def _under(root: Path, stream: dict[str, Any], clip: str) -> str:
    source = Path(stream["path"][clip])
    link = root / "any" / f"{clip}{source.suffix}"
    if not link.exists():
        link.symlink_to(source.resolve())
    return str(link)
