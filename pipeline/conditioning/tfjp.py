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
    spec_smooth,
)
from pipeline.conditioning.stft import HOP, energy_of, istft, power_of, stft
from pipeline.errors import BadInput
from schemas.conditioning import TfjpParams
from schemas.protocol import SAMPLE_RATE

Profile = Literal["sfx", "speech", "ambient", "music"]

# Part of the cache key: raise it when the same parameters give other samples.
VERSION = 1
_MAX_PASSES = 8


@dataclass(frozen=True, slots=True)
class KeptSpan:
    """Samples [clip_start_sample, clip_end_sample) of the clip stand in the output from `start_sample` on."""

    clip_start_sample: int
    clip_end_sample: int
    start_sample: int


@dataclass(frozen=True, slots=True)
class Conditioned:
    """A conditioned clip and where its samples come from.

    `spans` follow one another without a gap in the output. Samples within omega / 2 of an inner join are a crossfade with
    what was cut there; those within omega of an end are tapered. `iterations` counts rounds of denoising, `hit_cap` says
    that the clip had not settled when a cap was reached. `reason` says why a clip was not conditioned; None if it was.
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
    delta. A clip shorter than delta passes untouched, a clip without a frame over the absolute floor is cut to delta; both
    with a reason. Memory is linear, about 20 MB a minute. Raises BadInput for another shape or samples that are not finite.
    """
    clip = _checked(samples)
    step = params.delta_ms * HOP // FRAME_MS
    if len(clip) < step:
        reason = f"too short: {len(clip) * 1000 / SAMPLE_RATE:g} ms are under delta_ms = {params.delta_ms}"
        return Conditioned(clip, ((KeptSpan(0, len(clip), 0)),), 0, False, reason)
    state = _Pass(clip, ((0, len(clip)),), 0, False)
    spans, iterations, capped = state.runs, 0, False
    for _ in range(_MAX_PASSES):
        result = _one_pass(state.samples, profile, params)
        if result is None:
            reason = f"silent: no frame is over silence_floor_db = {params.silence_floor_db:g}"
            return Conditioned(state.samples[:step], _kept(_within(spans, ((0, step),))), iterations, capped, reason)
        iterations += result.rounds
        capped |= result.capped
        if result.samples is state.samples:
            break
        spans = _within(spans, result.runs)
        state = result
    else:
        capped = True
    return Conditioned(state.samples, _kept(spans), iterations, capped, None)


Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Pass:
    """Samples after a pass and the runs of its input they were made of; the very same array if it changed nothing."""

    samples: np.ndarray
    runs: Runs
    rounds: int
    capped: bool


def _one_pass(clip: np.ndarray, profile: Profile, params: TfjpParams) -> _Pass | None:
    """One pass of a profile, None for a clip without an audible frame."""
    spectrum = stft(clip)
    power = power_of(spectrum)
    energy = energy_of(power)[1:-1]
    if energy.max() <= 10 ** (params.silence_floor_db / 10):
        return None
    rounds, capped, source = 0, False, clip
    if profile == "sfx":
        kept, rounds, capped = _sfx(spectrum, power, len(clip) // HOP, params)
        if rounds:
            source = istft(spectrum, len(clip))
        runs = _runs(kept)
    else:
        start, stop = edge_trim(energy, params)
        if profile != "speech":
            start, stop = boundary_norm((start, stop), len(clip) // HOP, params)
        runs = ((start * HOP, min(stop * HOP, len(clip))),)
    joined = clip if not rounds and runs == ((0, len(clip)),) else splice(source, runs, params)
    smoothed = spec_smooth(joined, params)
    return _Pass(smoothed, runs, rounds, capped)


def _sfx(spectrum: np.ndarray, power: np.ndarray, blocks: int, params: TfjpParams) -> tuple[np.ndarray, int, bool]:
    """Stages 1 to 4: (kept blocks, rounds of denoising, cap reached). Denoises `spectrum` in place."""
    energy = energy_of(power)
    kept = np.arange(1, blocks + 1)
    rounds, capped = 0, False
    while True:
        kept = kept[silence_cut(energy[kept], params)]
        noise = noise_profile(power[kept], energy[kept], params)
        if noise is None:
            break
        gain = denoise(power, noise, params)
        cleaned = power * np.square(gain)
        cleaned_energy = energy_of(cleaned)
        if settled(energy[kept], cleaned_energy[kept], params):
            break
        if rounds == params.max_iterations:
            capped = True
            break
        spectrum *= gain
        power, energy, rounds = cleaned, cleaned_energy, rounds + 1
    start, stop = boundary_norm(core_locate(power[kept], energy[kept], params), len(kept), params)
    kept = kept[start:stop]
    kept = kept[silence_cut(energy[kept], params, unit=params.delta_ms // FRAME_MS)]
    return kept - 1, rounds, capped


def splice(samples: np.ndarray, runs: Runs, params: TfjpParams) -> np.ndarray:
    """The half-open `runs` of `samples` one after another, each join an equal-gain Hann crossfade of omega.

    The crossfade is centred on the join and takes the samples that were cut beside it, so no run moves or shortens: sample
    s of a run stands exactly where concatenation would put it, and no sample exceeds the louder of the two it is made of.
    """
    joined = np.concatenate([samples[start:stop] for start, stop in runs])
    position = 0
    for (start, stop), (next_start, next_stop) in pairwise(runs):
        position += stop - start
        half = min(params.omega_ms * HOP // FRAME_MS, stop - start, next_stop - next_start) // 2
        rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * half) + 0.5) / max(1, 2 * half))).astype(np.float32)
        out, into = samples[stop - half : stop + half], samples[next_start - half : next_start + half]
        joined[position - half : position + half] = out + rise * (into - out)
    return joined


def _runs(kept: np.ndarray) -> Runs:
    """Runs of samples of sorted block indices."""
    breaks = np.flatnonzero(np.diff(kept) > 1) + 1
    starts, stops = kept[np.concatenate(([0], breaks))], kept[np.concatenate((breaks - 1, [len(kept) - 1]))] + 1
    return tuple((int(start) * HOP, int(stop) * HOP) for start, stop in zip(starts, stops, strict=True))


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
    starts = accumulate((stop - start for start, stop in runs), initial=0)
    return tuple(KeptSpan(clip_start, clip_stop, start) for (clip_start, clip_stop), start in zip(runs, starts))


def _checked(samples: np.ndarray) -> np.ndarray:
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise BadInput(
            f"samples of shape {samples.shape!r} and type {samples.dtype.name!r}: conditioning takes one channel of floats; "
            "mix down and convert first"
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
