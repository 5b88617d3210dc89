"""The six operators of TFJP (arXiv 2606.05121, appendix), each a pure function over the shared STFT.

`power` is (frames, BINS) float32, `energy` its mean square per frame (1-D), both as pipeline.conditioning.stft makes them;
a frame stands for one block of 20 ms. None of them knows of time outside its arguments.
"""

from __future__ import annotations

import numpy as np

from pipeline.conditioning.stft import BINS, HOP, ROWS
from schemas.conditioning import TfjpParams

FRAME_MS = 20
# A frame reaches half a block beyond its own, so k silent frames may hide up to k + 3 blocks of true silence.
_REACH = 3
_NOISE_FRAMES = 5
_LOUD_SHARE = 0.98
# Entropy of a frame relative to that of a flat spectrum; a pure tone leaks into about three bins (0.17).
_LEAST_ENTROPY = 0.1
_AT_REST = 1e-4
# Geometric over arithmetic mean in time: 0.56 for stationary Gaussian noise, under 0.2 for what a subtraction leaves of it.
_STEADY = 0.42
_TINY = np.float32(1e-20)


def _ratio(decibels: float) -> float:
    return 10 ** (decibels / 10)


def silence_gate(energy: np.ndarray, params: TfjpParams) -> np.ndarray:
    """True where a frame is silence: under the absolute floor, or in the low percentile *and* far under the loudest."""
    low = min(float(np.percentile(energy, params.silence_percentile)), float(energy.max()) * _ratio(-params.range_db))
    return energy <= max(low, _ratio(params.silence_floor_db))


def silent_runs(silent: np.ndarray) -> np.ndarray:
    """Half-open runs of True, int array of shape (runs, 2)."""
    edges = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    return edges.reshape(-1, 2)


def silence_cut(energy: np.ndarray, params: TfjpParams, *, unit: int = 1) -> np.ndarray:
    """Indices of the frames that stay when every silent run longer than tau is truncated to tau.

    Repeated until its own gate finds no such run, as the percentile moves with each cut. Whole multiples of `unit` frames
    are removed, from the middle of a run, or from the outer end of a run at either end of the clip.
    """
    tau = params.tau_ms // FRAME_MS
    kept = np.arange(len(energy))
    while len(kept):
        runs = silent_runs(silence_gate(energy[kept], params))
        keep = np.ones(len(kept), bool)
        for start, stop in runs[runs[:, 1] - runs[:, 0] + _REACH > tau]:
            surplus = -(-(stop - start + _REACH - tau) // unit) * unit
            if start == 0:
                first = 0
            elif stop == len(kept):
                first = stop - surplus
            else:
                first = start + (stop - start - surplus + 1) // 2
            keep[first : first + surplus] = False
        if keep.all():
            break
        kept = kept[keep]
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


def noise_profile(power: np.ndarray, energy: np.ndarray, params: TfjpParams) -> np.ndarray | None:
    """Power spectrum (BINS,) of the stationary noise, from the lowest-energy audible frames; None where there is none.

    Frames under the absolute floor say nothing of the noise. The absolute stops: noise `range_db` under the loudest frame
    is left alone; noise that the clip does not stand out of is the sound itself; and frames that only happen to be the
    quietest of a decay, or what an earlier subtraction left, are not stationary.
    """
    audible = np.flatnonzero(energy > _ratio(params.silence_floor_db))
    count = max(_NOISE_FRAMES, round(len(audible) * params.noise_percentile / 100))
    if len(audible) < 2 * count:
        return None
    quietest = audible[np.argpartition(energy[audible], count - 1)[:count]]
    if energy[quietest].mean() <= energy.max() * _ratio(-params.range_db):
        return None
    floor = power[quietest]
    noise = floor.mean(axis=0)
    if np.exp(np.log(floor + _TINY).mean(axis=0)).sum() < _STEADY * noise.sum():
        return None
    rank = int(_LOUD_SHARE * (len(power) - 1))
    loud = np.partition(_bands(power), rank, axis=0)[rank]
    if (loud < _bands(noise) * _ratio(params.noise_margin_db)).all():
        return None
    return noise


def _bands(power: np.ndarray) -> np.ndarray:
    """Power summed over bands of 400 Hz, without the zeroth bin: (..., BINS) to (..., 20)."""
    return power[..., 1:].reshape(*power.shape[:-1], -1, 16).sum(axis=-1)


def denoise(power: np.ndarray, noise: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Amplitude gains (frames, BINS) of the gated spectral subtraction.

    Where the power, smoothed over 3 frames and 3 bins, exceeds the noise by more than `gamma` times the noise, gamma * noise
    is subtracted from it; elsewhere the gate closes to `noise_gain_db`.
    """
    gain = np.empty_like(power)
    floor = np.float32(_ratio(params.noise_gain_db))
    # A cell closes below (1 + gamma) times the noise, where subtraction would leave it the share gamma / (1 + gamma).
    open_above = np.float32(1 / (1 + params.gamma))
    for row in range(0, len(power), ROWS):
        above, below = max(0, row - 1), min(len(power), row + ROWS + 1)
        part = power[above:below]
        smooth = part.copy()
        smooth[1:] += part[:-1]
        smooth[:-1] += part[1:]
        across = smooth.copy()
        across[:, 1:] += smooth[:, :-1]
        across[:, :-1] += smooth[:, 1:]
        across = across[row - above : row - above + ROWS] + _TINY
        relative = np.minimum(9 * noise / across, 2)
        left = np.maximum(1 - params.gamma * relative, floor)
        gain[row : row + ROWS] = np.sqrt(np.where(relative < open_above, left, floor))
    return gain


def settled(before: np.ndarray, after: np.ndarray, params: TfjpParams) -> bool:
    """Whether a round of denoising, which makes energies `after` of `before`, is not worth doing: the noise is stable.

    It is if the quiet audible frames would fall by less than `stable_db` (no stationary noise is left), or the loud ones by
    more than half (what would go is the sound).
    """
    audible = before > _ratio(params.silence_floor_db)
    was, now = (
        np.percentile(energy[audible], (params.noise_percentile, 100 * _LOUD_SHARE)) for energy in (before, after)
    )
    return bool(now[0] > was[0] * _ratio(-params.stable_db) or now[1] < was[1] / 2)


def core_locate(power: np.ndarray, energy: np.ndarray, params: TfjpParams) -> tuple[int, int]:
    """Half-open span of frames that maximises normalised energy over spectral entropy.

    A frame scores its energy relative to the loudest, over its relative spectral entropy, less the score that a flat
    spectrum has at `range_db` under the loudest. Both terms are the frame's own, so a clip cut to its core is its core.
    """
    entropy = np.empty(len(energy), np.float32)
    for row in range(0, len(energy), ROWS):
        part = power[row : row + ROWS] + _TINY
        total = part.sum(axis=1)
        entropy[row : row + ROWS] = np.log(total) - np.einsum("fb,fb->f", part, np.log(part)) / total
    score = energy / energy.max() / np.maximum(entropy / np.log(BINS), _LEAST_ENTROPY)
    total = np.concatenate(([0.0], np.cumsum(score - _ratio(-params.range_db), dtype=np.float64)))
    stop = int(np.argmax(total - np.minimum.accumulate(total)))
    return int(np.argmin(total[: stop + 1])), stop


def boundary_norm(span: tuple[int, int], frames: int, params: TfjpParams) -> tuple[int, int]:
    """The span brought to a multiple of delta: up, into the frames after it and then before it; down where none exist.

    The taper's length is added at either end first, where there are samples, so that it falls outside the span. `frames`
    must be at least delta.
    """
    step = params.delta_ms // FRAME_MS
    taper = -(-params.omega_ms // FRAME_MS)
    start, stop = max(0, span[0] - taper), min(frames, span[1] + taper)
    length = min(-(-(stop - start) // step), frames // step) * step
    start = min(start, frames - length)
    return start, start + length


def spec_smooth(samples: np.ndarray, params: TfjpParams) -> np.ndarray:
    """Hann tapers of omega at both ends, on a copy; `samples` itself where there is nothing to do.

    An end already at rest (its first twentieth under 1 % of its peak, as a Hann taper leaves it, or under -80 dBFS) stays
    as it is, so tapering twice is tapering once.
    """
    tapered = samples
    length = min(params.omega_ms * HOP // FRAME_MS, len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)
    rest = max(1, length // 20)
    for direction in (1, -1):
        end = np.abs(samples[::direction][:length])
        if end[:rest].max(initial=0) > max(0.01 * end.max(initial=0), _AT_REST):
            tapered = samples.copy() if tapered is samples else tapered
            tapered[::direction][:length] *= ramp
    return tapered
