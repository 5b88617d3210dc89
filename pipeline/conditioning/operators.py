"""The six operators of TFJP (arXiv 2606.05121, appendix), each a pure function over the one shared STFT.

They take an Analysis or parts of it, whose rows stand for blocks of 20 ms; none knows of time outside its arguments.
Where the paper's statistics are percentiles, which always mark some frames, each has an absolute stop beside it, so
that a conditioned clip is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from pipeline.conditioning.stft import HOP, ROWS, TINY, Analysis, bands_of
from schemas.conditioning import TfjpParams

FRAME_MS = 20
# A frame reaches half a block beyond its own, so k silent frames may hide up to k + 3 blocks of true silence.
_REACH = 3
_NOISE_FRAMES = 5
_LOUD_SHARE = 0.98
# Geometric over arithmetic mean in time: 0.56 in stationary Gaussian noise, under 0.2 in what a subtraction leaves.
_STEADY = 0.42
# A pure tone between two bands has log(2) / log(20) = 0.23.
_LEAST_ENTROPY = 0.1
_AT_REST = 1e-4
_AROUND = np.array([[-1], [0], [1]])


def _ratio(decibels: float) -> float:
    return 10 ** (decibels / 10)


def silence_gate(energy: np.ndarray, params: TfjpParams) -> np.ndarray:
    """True where a frame is silence: under the absolute floor, or in the low percentile *and* far under the loudest."""
    rank = int(params.silence_percentile / 100 * (len(energy) - 1))
    percentile = float(np.partition(energy, rank)[rank])
    low = min(percentile, float(energy.max()) * _ratio(-params.range_db))
    return energy <= max(low, _ratio(params.silence_floor_db))


def silent_runs(silent: np.ndarray) -> np.ndarray:
    """Half-open runs of True, int array of shape (runs, 2)."""
    padded = np.zeros(len(silent) + 2, np.int8)
    padded[1:-1] = silent
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def silence_cut(energy: np.ndarray, params: TfjpParams, *, unit: int = 1) -> np.ndarray:
    """Indices of the frames that stay when every silent run longer than tau is truncated to tau.

    Repeated until its own gate finds no such run, as the percentile moves with each cut. Whole multiples of `unit`
    frames are removed, from the middle of a run, or from the outer end of a run at either end of the clip.
    """
    tau = params.tau_ms // FRAME_MS
    kept = np.arange(len(energy))
    while len(kept):
        silent = silence_gate(energy, params)
        if np.count_nonzero(silent) + _REACH <= tau:
            break
        runs = silent_runs(silent)
        runs = runs[runs[:, 1] - runs[:, 0] + _REACH > tau].tolist()
        if not runs:
            break
        keep = np.ones(len(kept), bool)
        for start, stop in runs:
            surplus = -(-(stop - start + _REACH - tau) // unit) * unit
            if start == 0:
                first = 0
            elif stop == len(kept):
                first = stop - surplus
            else:
                first = start + (stop - start - surplus + 1) // 2
            keep[first : first + surplus] = False
        kept, energy = kept[keep], energy[keep]
    return kept


def edge_trim(energy: np.ndarray, params: TfjpParams) -> tuple[int, int]:
    """Half-open span of frames left when only silence at the ends is cut, to `edge_ms`; the gentle form of silence_cut.

    Repeated like it, until its own gate finds nothing. At least one frame must be audible.
    """
    edge = params.edge_ms // FRAME_MS
    start, stop = 0, len(energy)
    while True:
        sounding = np.flatnonzero(~silence_gate(energy[start:stop], params))
        trimmed = max(start, start + int(sounding[0]) - edge), min(stop, start + int(sounding[-1]) + 1 + edge)
        if trimmed == (start, stop):
            return trimmed
        start, stop = trimmed


def noise_profile(analysis: Analysis, rows: np.ndarray, params: TfjpParams) -> np.ndarray | None:
    """Power spectrum (BINS,) of the stationary noise in the frames `rows`; None where there is none.

    It is the mean of the lowest-energy audible frames; those under the absolute floor say nothing of the noise. The
    absolute stops: noise `range_db` under the loudest frame is left alone; frames that only happen to be the quietest
    of a decay, or what an earlier subtraction left, are not stationary; and noise that nothing stands out of is the
    sound itself.
    """
    energy = analysis.energy[rows]
    quiet = _quietest(energy, params)
    count = len(quiet)
    if not count or energy[quiet].sum() <= count * energy.max() * _ratio(-params.range_db):
        return None
    frames = analysis.power(rows[np.concatenate((quiet, _loudest(energy)))])
    frames, loud = frames[:count], frames[count:]
    noise = frames.sum(axis=0) / np.float32(count)
    if np.exp(np.log(frames + TINY).sum(axis=0) / np.float32(count)).sum() < _STEADY * noise.sum():
        return None
    margin = bands_of(noise[None]) * _ratio(params.noise_margin_db)
    return noise if (bands_of(loud.sum(axis=0)[None]) > len(loud) * margin).any() else None


def _quietest(energy: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Indices of the lowest-energy audible frames, none if they are half of all."""
    audible = np.flatnonzero(energy > _ratio(params.silence_floor_db))
    count = max(_NOISE_FRAMES, round(len(audible) * params.noise_percentile / 100))
    if len(audible) < 2 * count:
        return audible[:0]
    return audible[np.argpartition(energy[audible], count - 1)[:count]]


def _loudest(energy: np.ndarray) -> np.ndarray:
    rank = int(_LOUD_SHARE * (len(energy) - 1))
    return np.argpartition(energy, rank)[rank:]


def settled(analysis: Analysis, rows: np.ndarray, noise: np.ndarray, params: TfjpParams) -> bool:
    """Whether denoising the frames `rows` (neither the first nor the last of `analysis`) is not worth it.

    It is not if their quietest would fall by less than `stable_db`, as the noise is stable, or their loudest by more
    than half, as that is the sound. Only those frames are looked at, so a refusal is cheap.
    """
    energy = analysis.energy[rows]

    def left(frames: np.ndarray) -> float:
        around = analysis.power((frames + _AROUND).ravel()).reshape(len(_AROUND), len(frames), -1)
        gain = _gate(around.sum(axis=0), noise, params)
        return float((around[1] * gain).sum() / around[1].sum())

    return left(rows[_quietest(energy, params)]) > _ratio(-params.stable_db) or left(rows[_loudest(energy)]) < 0.5


def denoise(power: np.ndarray, noise: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Power gains (rows, BINS) of the gated spectral subtraction; the amplitude's gain is their square root.

    Where the power, smoothed over 3 frames and 3 bins, exceeds the noise by more than `gamma` times the noise,
    gamma * noise is subtracted from it; elsewhere the gate closes to `noise_gain_db`.
    """
    gain = np.empty_like(power)
    for row in range(0, len(power), ROWS):
        part = power[max(0, row - 1) : row + ROWS + 1]
        smooth = part.copy()
        smooth[1:] += part[:-1]
        smooth[:-1] += part[1:]
        gain[row : row + ROWS] = _gate(smooth[min(row, 1) :][:ROWS], noise, params)
    return gain


def _gate(smooth: np.ndarray, noise: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Power gains for the power summed over 3 frames."""
    # At (1 + gamma) times the noise, where the gate closes, subtraction leaves this much.
    closing = np.float32(1 / (1 + params.gamma))
    left = smooth + TINY
    left[:, 1:] += smooth[:, :-1]
    left[:, :-1] += smooth[:, 1:]
    np.maximum(left, noise, out=left)  # keeps the quotient finite; the gate is closed there anyway
    np.divide((-9 * params.gamma * noise).astype(np.float32), left, out=left)
    left += 1
    left *= left >= closing
    return np.maximum(left, np.float32(_ratio(params.noise_gain_db)), out=left)


def core_locate(energy: np.ndarray, entropy: Callable[[np.ndarray], np.ndarray], params: TfjpParams) -> tuple[int, int]:
    """Half-open span of frames that maximises normalised energy over spectral entropy.

    A frame scores its energy relative to the loudest, over its spectral entropy (`entropy_of`, 0.1 at the least), less
    what a flat spectrum scores at `range_db` under the loudest; the span is the one of the largest sum. Both terms are
    the frame's own, so a clip cut to its core is its core.

    `entropy(index)` is asked for few frames: were all flat, or all pure tones, the core would end at the nearest and
    at the farthest, and only what lies between these ends is in doubt. That holds where the core is found around the
    nearest though every frame beyond the farthest counts as a tone; else all frames are looked at.
    """
    share, least = energy / energy.max(), _ratio(-params.range_db)
    flat, tone = share - least, share / _LEAST_ENTROPY - least
    first, last = _largest_sum(flat)
    if last - first == len(energy):
        return first, last
    farthest_first, farthest_last = _largest_sum(tone)

    def scored(frames: np.ndarray) -> np.ndarray:
        return share[frames] / entropy(frames).clip(_LEAST_ENTROPY, 1) - least

    doubtful = np.concatenate((np.arange(farthest_first, first), np.arange(last, farthest_last)))
    tone[first:last] = flat[first:last]
    if len(doubtful):
        tone[doubtful] = scored(doubtful)
    start, stop = _largest_sum(tone)
    if farthest_first <= start <= first and last <= stop <= farthest_last:
        return start, stop
    return _largest_sum(scored(np.arange(len(energy))))


def _largest_sum(score: np.ndarray) -> tuple[int, int]:
    """Half-open span of the largest sum."""
    total = np.zeros(len(score) + 1)
    np.cumsum(score, out=total[1:])
    stop = int(np.argmax(total - np.minimum.accumulate(total)))
    return int(np.argmin(total[: stop + 1])), stop


def boundary_norm(span: tuple[int, int], silent: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Indices of the frames of the span brought to a multiple of delta; `silent` says which of all frames may shrink.

    Up, into the frames after the span, then before it. Down where too few exist: out of the middle of its longest
    silent run if that is long enough, else off its end. The taper's length is added at either end first, where there
    are frames, so that it falls outside the span. At least delta of frames must exist.
    """
    step = params.delta_ms // FRAME_MS
    taper = -(-params.omega_ms // FRAME_MS)
    start, stop = max(0, span[0] - taper), min(len(silent), span[1] + taper)
    length = min(-(-(stop - start) // step), len(silent) // step) * step
    surplus = stop - start - length
    if surplus <= 0:
        start = min(start, len(silent) - length)
        return np.arange(start, start + length)
    kept = np.arange(start, stop)
    runs = silent_runs(silent[start:stop])
    first, last = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    if last - first < surplus + 2:
        return kept[:length]
    middle = (first + last - surplus) // 2
    return np.delete(kept, slice(middle, middle + surplus))


def spec_smooth(samples: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Hann tapers of omega at both ends, on a copy; `samples` itself where there is nothing to do.

    An end already at rest (its first twentieth under 1 % of its peak, as a Hann taper leaves it, or under -80 dBFS)
    stays as it is, so tapering twice is tapering once.
    """
    tapered = samples
    length = min(params.omega_ms * HOP // FRAME_MS, len(samples) // 2)
    rest = max(1, length // 20)
    for direction in (1, -1):
        end = np.abs(samples[::direction][:length])
        most = end[:rest].max(initial=0)
        if most > _AT_REST and most > 0.01 * end.max():
            tapered = samples.copy() if tapered is samples else tapered
            tapered[::direction][:length] *= _rise(length)
    return tapered


@cache
def _rise(length: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(np.pi / length * np.arange(length))).astype(np.float32)
