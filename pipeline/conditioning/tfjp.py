"""TFJP: time-frequency joint preprocessing of one clip (arXiv 2606.05121), with a profile per kind of sound.

    sfx             all six operators
    speech          edge trim and taper only: pauses and word times survive to the sample
    ambient, music  edge trim, length to a multiple of delta, taper: neither denoised nor core-located

A pass is repeated on its own result until it changes nothing, as the paper starts over after its final check.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from pipeline.conditioning.operators import (
    FRAME_MS,
    boundary_norm,
    core_locate,
    denoise,
    edge_trim,
    noise_profile,
    settled,
    silence_cut,
    silence_gate,
    spec_smooth,
)
from pipeline.conditioning.stft import (
    HOP,
    ROWS,
    Analysis,
    analyse,
    bands_of,
    entropy_of,
    istft,
    of_power,
    power_of,
    stft,
)
from pipeline.errors import BadInput
from schemas.conditioning import TfjpParams
from schemas.protocol import SAMPLE_RATE

Profile = Literal["sfx", "speech", "ambient", "music"]

# Part of the cache key: raise it when the same parameters give other samples or other facts about them.
VERSION = 5
_MAX_PASSES = 8

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class KeptSpan:
    """Samples [clip_start_sample, clip_end_sample) of the clip stand in the output from `start_sample` on."""

    clip_start_sample: int
    clip_end_sample: int
    start_sample: int


@dataclass(frozen=True, slots=True)
class Conditioned:
    """A conditioned clip and where its samples come from.

    `spans` follow one another without a gap in the output. Samples within omega / 2 of an inner join are a crossfade
    with what was cut there; those within omega of an end may be tapered. `iterations` counts rounds of denoising,
    `hit_cap` says that the clip had not settled at the cap. `reason` says why a clip was not conditioned; else None.
    """

    samples: np.ndarray
    spans: tuple[KeptSpan, ...]
    iterations: int
    hit_cap: bool
    reason: str | None

    def to_output(self, clip_sample: int) -> int | None:
        """Output sample of a sample of the clip, None where it was cut."""
        index = bisect_right(self.spans, clip_sample, key=lambda span: span.clip_start_sample) - 1
        if index < 0 or clip_sample >= self.spans[index].clip_end_sample:
            return None
        return self.spans[index].start_sample + clip_sample - self.spans[index].clip_start_sample


def condition(samples: np.ndarray, *, profile: Profile, params: TfjpParams) -> Conditioned:
    """TFJP on one clip.

    `samples` is 1-D float, 16 kHz mono. The result is float32 and never longer; of sfx, ambient and music a multiple of
    delta. A clip shorter than delta passes untouched, a clip without a frame over the absolute floor is cut to delta;
    both with a reason. Memory is linear in the clip. Raises BadInput for another shape or samples that are not finite.
    """
    clip = _checked(samples)
    spans: Runs = ((0, len(clip)),)
    step = params.delta_ms * HOP // FRAME_MS
    if len(clip) < step:
        reason = f"too short: {len(clip) * 1000 / SAMPLE_RATE:g} ms are under delta_ms = {params.delta_ms}"
        return Conditioned(clip, _kept(spans), 0, False, reason)
    iterations, capped = 0, False
    for _ in range(_MAX_PASSES):
        analysis = analyse(clip)
        if analysis.energy[1 : len(clip) // HOP + 1].max() <= 10 ** (params.silence_floor_db / 10):
            reason = f"silent: no frame is over silence_floor_db = {params.silence_floor_db:g}"
            return Conditioned(clip[:step], _kept(_within(spans, ((0, step),))), iterations, capped, reason)
        after, runs, rounds, reached = _one_pass(clip, analysis, profile, params)
        iterations, capped = iterations + rounds, capped or reached
        if after is clip:
            return Conditioned(clip, _kept(spans), iterations, capped, None)
        spans, clip = _within(spans, runs), after
    return Conditioned(clip, _kept(spans), iterations, True, None)


def _one_pass(
    clip: np.ndarray, analysis: Analysis, profile: Profile, params: TfjpParams
) -> tuple[np.ndarray, Runs, int, bool]:
    """(clip after, runs of samples kept, rounds of denoising, K reached); the very same array if nothing changed."""
    samples, rounds, reached = clip, 0, False
    if profile == "sfx":
        kept, samples, rounds, reached = _sfx(clip, analysis, params)
    else:
        span = edge_trim(analysis.energy[1:-1], params)
        rigid = np.zeros(len(clip) // HOP, bool)
        kept = np.arange(*span) if profile == "speech" else boundary_norm(span, rigid, params)
    runs = _runs(kept, len(clip))
    if runs != ((0, len(clip)),):
        samples = splice(samples, runs, params)
    return spec_smooth(samples, params), runs, rounds, reached


def _sfx(clip: np.ndarray, analysis: Analysis, params: TfjpParams) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Stages 1 to 4 but for the taper: (kept blocks, denoised samples, rounds of denoising, K reached)."""
    rows, rounds, reached, spectra = np.arange(1, len(clip) // HOP + 1), 0, False, None
    while True:
        rows = rows[silence_cut(analysis.energy[rows], params)]
        noise = noise_profile(analysis, rows, params)
        if noise is None or settled(analysis, rows, noise, params):
            break
        if rounds == params.max_iterations:
            reached = True
            break
        spectra = spectra or _spectra(clip)
        spectrum, power = spectra
        gain = denoise(power, noise, params)
        power *= gain
        spectrum *= np.sqrt(gain, out=gain)
        analysis, rounds = of_power(power), rounds + 1
    energy = analysis.energy[rows]
    core = core_locate(energy, lambda frames: _entropy(analysis, rows[frames]), params)
    kept = rows[boundary_norm(core, silence_gate(energy, params), params)]
    if len(kept) < len(rows):
        kept = kept[silence_cut(analysis.energy[kept], params, unit=params.delta_ms // FRAME_MS)]
    samples = clip
    if spectra is not None:
        samples = istft(spectra[0], len(clip))
        # Gains that change in time can overshoot the clip's own peak.
        samples *= min(1.0, np.abs(clip).max() / np.abs(samples).max())
    return kept - 1, samples, rounds, reached


def _spectra(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spectrum = stft(clip)
    return spectrum, power_of(spectrum)


def _entropy(analysis: Analysis, rows: np.ndarray) -> np.ndarray:
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    return np.concatenate([entropy_of(bands_of(analysis.power(part))) for part in parts])


def splice(samples: np.ndarray, runs: Runs, params: TfjpParams) -> np.ndarray:
    """The half-open `runs` of `samples` one after another, each join an equal-gain Hann crossfade of omega.

    The crossfade is centred on the join and takes the samples that were cut beside it, so no run moves or shortens:
    sample s of a run stands where concatenation would put it, and none exceeds the louder of the two it blends.
    """
    joined = np.concatenate([samples[start:stop] for start, stop in runs])
    position = 0
    for (start, stop), (next_start, next_stop) in pairwise(runs):
        position += stop - start
        half = min(params.omega_ms * HOP // FRAME_MS, stop - start, next_stop - next_start) // 2
        rise = _crossfade(2 * half)
        out, into = samples[stop - half : stop + half], samples[next_start - half : next_start + half]
        joined[position - half : position + half] = out + rise * (into - out)
    return joined


@cache
def _crossfade(length: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(1, length))).astype(np.float32)


def _runs(kept: np.ndarray, length: int) -> Runs:
    """Runs of samples of sorted block indices; the last block of a clip of `length` may be a part of one."""
    breaks = ((kept[1:] - kept[:-1] > 1).nonzero()[0] + 1).tolist()
    parts = pairwise([0, *breaks, len(kept)])
    return tuple((int(kept[a]) * HOP, min((int(kept[b - 1]) + 1) * HOP, length)) for a, b in parts)


def _within(outer: Runs, inner: Runs) -> Runs:
    """Runs of the clip for runs of what `outer` runs of the clip were joined to; neighbours that touch become one."""
    composed: list[tuple[int, int]] = []
    for first, last in inner:
        position = 0
        for start, stop in outer:
            low, high = max(first, position), min(last, position + stop - start)
            if low < high:
                run = (start + low - position, start + high - position)
                if composed and composed[-1][1] == run[0]:
                    run = (composed.pop()[0], run[1])
                composed.append(run)
            position += stop - start
    return tuple(composed)


def _kept(runs: Runs) -> tuple[KeptSpan, ...]:
    stops = accumulate(stop - start for start, stop in runs)
    return tuple(KeptSpan(*run, stop - (run[1] - run[0])) for run, stop in zip(runs, stops, strict=True))


def _checked(samples: np.ndarray) -> np.ndarray:
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise BadInput(
            f"samples of shape {samples.shape!r} and type {samples.dtype.name!r}: conditioning takes one channel "
            "of floats; mix down and convert first"
        )
    clip = np.ascontiguousarray(samples, np.float32)
    if not np.isfinite(clip).all():
        first = int(np.flatnonzero(~np.isfinite(clip))[0])
        raise BadInput(f"sample {first} is {float(clip[first])!r}: samples must be finite; repair or drop the clip")
    return clip


def conditioned_key(clip_sha256: str, start_sample: int, end_sample: int, profile: Profile, params: TfjpParams) -> str:
    """Content hash (64 hex digits) that a conditioned [start_sample, end_sample) of a stored clip is cached under."""
    text = json.dumps(
        [VERSION, clip_sha256, start_sample, end_sample, profile, params.model_dump(mode="json")], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()
