"""One row's audio: its format, its length, and its measurements taken again."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator

import numpy as np
import pyloudnorm
import soundfile as sf

from pipeline.loudness import to_db
from pipeline.validation.findings import Finding
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.recipe import Recipe
from schemas.row import Row

FULL_SCALE = 32_767
LSB = 2.0**-15
LOUDNESS_TOLERANCE_LU = 0.2
"""Between our loudness, which weights spectra, and pyloudnorm's recursive filters."""
EVENT_ABOVE_BED_DB = 2.0
"""A foreground event's loudest 20 ms stand at least this far over what is heard between events."""
_FRAME = SAMPLE_RATE // 50


def check_format(row: Row, where: str) -> tuple[np.ndarray | None, list[Finding]]:
    """The decoded samples, int16, or None where there is nothing to measure; and what is wrong with the file."""
    try:
        with sf.SoundFile(io.BytesIO(row.audio)) as file:
            kind = (file.format, file.subtype, file.samplerate, file.channels)
            samples = file.read(dtype="int16", always_2d=True)
            said = file.frames
    except (sf.SoundFileError, RuntimeError) as error:
        return None, [Finding("audio-decodes", where, " ".join(str(error).split()))]
    found: list[Finding] = []
    if len(samples) != said:
        found.append(Finding("audio-decodes", where, f"{len(samples)} of {said} samples could be decoded"))
    if kind != ("FLAC", "PCM_16", SAMPLE_RATE, 1):
        found.append(Finding("audio-format", where, f"{kind}, expected FLAC, PCM_16, {SAMPLE_RATE} Hz, 1 channel"))
    if row.sampling_rate != SAMPLE_RATE or row.chunk_samples != CHUNK_SAMPLES:
        found.append(Finding("audio-format", where, f"columns say {row.sampling_rate} Hz, {row.chunk_samples} a chunk"))
    if len(samples) != row.num_samples:
        found.append(Finding("audio-length", where, f"{len(samples)} samples, num_samples is {row.num_samples}"))
    if row.num_samples != row.num_chunks * CHUNK_SAMPLES or row.num_chunks < 1:
        found.append(
            Finding("whole-chunks", where, f"{row.num_samples} samples are not {row.num_chunks} x {CHUNK_SAMPLES}")
        )
    usable = samples.shape[1] == 1 and len(samples) == row.num_samples > 0
    return (samples[:, 0] if usable else None), found


def check_sound(row: Row, pcm: np.ndarray, recipe: Recipe, where: str) -> Iterator[Finding]:
    """Level, clipping, silence and every number of `quality`, from int16 samples."""
    level = np.abs(pcm.astype(np.int32))
    peak = int(level.max())
    if peak <= 3:
        yield Finding("audio-audible", where, f"peak is {peak} of {FULL_SCALE + 1}")
        return
    full = int(np.count_nonzero(level >= FULL_SCALE))
    if full:
        yield Finding("audio-clipped", where, f"{full} samples at full scale")
    ceiling = 10 ** (recipe.composition.ceiling_dbtp / 20)
    if peak * LSB > ceiling + LSB:
        yield Finding(
            "audio-ceiling", where, f"peak {2 * to_db(peak * LSB):.2f} dBFS, ceiling {recipe.composition.ceiling_dbtp}"
        )
    quality = row.quality
    if quality.clipped_samples != full:
        yield Finding("quality-clipped", where, f"{quality.clipped_samples} clipped samples, measured {full}")
    if quality.peak_dbfs is None or abs(10 ** (quality.peak_dbfs / 20) - peak * LSB) > 2 * LSB:
        yield Finding("quality-peak", where, f"{quality.peak_dbfs!r} dBFS, measured {2 * to_db(peak * LSB):.3f}")
    yield from _loudness(row, pcm, where)
    silence = 1 - _covered(row) / row.num_samples
    if abs(quality.silence_ratio - silence) > 1e-4:
        yield Finding("quality-silence", where, f"{quality.silence_ratio:.4f}, the events leave {silence:.4f}")
    yield from _noise_level(row, where)
    yield from _events_stand_out(row, pcm, where)


def _loudness(row: Row, pcm: np.ndarray, where: str) -> Iterator[Finding]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a silent stream gives -inf with a warning
        lufs = pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(pcm * LSB)
    said = row.quality.lufs
    if (said is None) != (not math.isfinite(lufs)) or (said is not None and abs(said - lufs) > LOUDNESS_TOLERANCE_LU):
        yield Finding("quality-lufs", where, f"{said!r} LUFS, measured {lufs:.2f}")


def _covered(row: Row) -> int:
    """Samples under at least one foreground event."""
    covered = end = 0
    for event in sorted(row.events, key=lambda e: e.start_sample):
        if event.role == "foreground":
            covered += max(0, event.end_sample - max(event.start_sample, end))
            end = max(end, event.end_sample)
    return covered


def _noise_level(row: Row, where: str) -> Iterator[Finding]:
    said = row.quality.realised_snr_db
    expected = -to_db(sum(10 ** (-track.snr_db / 10) for track in row.noise)) if row.noise else None
    agrees = said is expected if said is None or expected is None else abs(said - expected) <= 0.01
    if not agrees:
        yield Finding("quality-snr", where, f"{said!r} dB, its noise tracks come to {expected!r}")


def _events_stand_out(row: Row, pcm: np.ndarray, where: str) -> Iterator[Finding]:
    """Every foreground event has something in its place that is louder than what lies under the stream."""
    frames = pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float32)
    power = np.einsum("ij,ij->i", frames, frames) / _FRAME
    places = [(i, e, slice(e.start_sample // _FRAME, -(-e.end_sample // _FRAME))) for i, e in enumerate(row.events)]
    between = np.ones(len(power), bool)
    for _, event, place in places:
        if event.role == "foreground":
            between[place] = False
    # A stream without a pause between its events is judged by its quietest moments.
    bed = float(np.median(power[between]) if between.sum() * _FRAME > SAMPLE_RATE / 2 else np.quantile(power, 0.05))
    for i, event, place in places:
        loudest = float(power[place].max(initial=0.0))
        if event.role == "foreground" and loudest <= max(10.0, bed * 10 ** (EVENT_ABOVE_BED_DB / 10)):
            yield Finding(
                "event-audible",
                f"{where} event {i} ({event.name})",
                f"its loudest 20 ms are {to_db(loudest * LSB**2):.1f} dBFS, the rest {to_db(bed * LSB**2):.1f} dBFS",
            )
