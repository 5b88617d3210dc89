"""Level of clips and streams: ITU-R BS.1770-4 loudness, true peak, and the power of what is active."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from schemas.protocol import SAMPLE_RATE

FRAME_SAMPLES = SAMPLE_RATE // 10
"""100 ms: the step of BS.1770's 400 ms blocks, which overlap by three quarters."""
BLOCK_FRAMES = 4
_DECIMATION = 16
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691

_ACTIVE_FRAME = SAMPLE_RATE // 50
_ACTIVE_MARGIN = 10**-1.59
"""ITU-T P.56: a frame is active down to 15.9 dB below the mean."""

_OVERSAMPLING = 4
_HALF_TAPS = 10
"""Taps of a phase of the interpolator, on either side."""
_PEAK_CELL = 64


@dataclass(frozen=True, slots=True)
class Level:
    """What is measured once per clip and may be cached with it; -inf for silence."""

    loudness_lufs: float
    peak_dbfs: float


def to_db(power: float) -> float:
    """10 log10, -inf at 0."""
    return 10 * math.log10(power) if power > 0 else -math.inf


def gain(gain_db: float) -> np.float32:
    """Linear factor of a gain in dB."""
    return np.float32(10 ** (gain_db / 20))


def round_db(value_db: float) -> float:
    """To 0.001 dB, towards lower: a rounding error of another CPU then does not reach the samples."""
    return math.floor(value_db * 1000) / 1000


def hull(samples: np.ndarray) -> tuple[int, int]:
    """First sample that is not 0 and one past the last one; (0, 0) for digital silence."""
    if samples.size and samples[0] and samples[-1]:
        return 0, samples.size
    first = _silent_head(samples)
    return (first, samples.size - _silent_head(samples[::-1])) if first < samples.size else (0, 0)


def _silent_head(samples: np.ndarray) -> int:
    """Number of zeros before the first other sample; looks no further."""
    lo, step = 0, 64
    while lo < samples.size:
        sounding = samples[lo : lo + step] != 0
        first = int(sounding.argmax())
        if sounding[first]:
            return lo + first
        lo, step = lo + step, 2 * step
    return samples.size


def measure(samples: np.ndarray) -> Level:
    """Loudness and sample peak of a clip (float32, 16 kHz), digital silence around it not counted.

    Samples that are not finite give a level that is not.
    """
    start, stop = hull(samples)
    x = samples[start:stop]
    peak = float(np.max(np.abs(x), initial=0.0))
    return Level(loudness_lufs=loudness(x) if math.isfinite(peak) else math.nan, peak_dbfs=2 * to_db(peak))


def loudness(samples: np.ndarray) -> float:
    """Integrated loudness in LUFS of a float32 signal at 16 kHz.

    A clip shorter than one 400 ms block, which BS.1770 does not define, is measured whole and ungated over its own
    length.
    """
    whole = samples.size // FRAME_SAMPLES
    meter = Meter()
    if whole >= BLOCK_FRAMES:
        meter.add(samples[: whole * FRAME_SAMPLES])
        return meter.integrated()
    if not samples.size:
        return -math.inf
    padded = np.zeros(BLOCK_FRAMES * FRAME_SAMPLES, np.float32)
    padded[: samples.size] = samples
    return _OFFSET_DB + to_db(float(meter.add(padded).sum()) / samples.size)


class Meter:
    """Integrated loudness of a stream that arrives in stretches of whole 100 ms frames.

    The shelf of BS.1770's K-weighting rings for a millisecond, so weighting the spectra of single frames does it
    justice. The 38 Hz high-pass rings across frames: it runs as a filter, on the mean of every 16 samples, and the
    energy it takes away there is taken from the frames. The bins' weights are chosen so that both together weigh any
    steady sound exactly as K does. Twice as fast as filtering at 16 kHz.
    """

    def __init__(self) -> None:
        self._energies: list[np.ndarray] = []
        self._b, self._a = (np.array(c) for c in _high_pass(q=0.5, hz=38.0, rate=SAMPLE_RATE / _DECIMATION))
        self._state = np.zeros(2)

    def add(self, samples: np.ndarray) -> np.ndarray:
        """Take in float32 samples; returns the K-weighted energy of each of their frames."""
        from scipy.signal import lfilter  # 50 MB and half a second, for whoever only reads a corpus

        # torch's FFT takes half of this one's 0.15 ms a block, but would bring 450 MB into a worker that is warm.
        spectrum = np.asarray(scipy.fft.rfft(samples.reshape(-1, FRAME_SAMPLES), axis=1)).view(np.float32)
        weighted = np.square(spectrum, out=spectrum) @ _bin_weights()
        low = samples.reshape(-1, _DECIMATION) @ _box()
        passed, self._state = lfilter(self._b, self._a, low, zi=self._state)
        removed = (low * low - passed * passed).reshape(-1, FRAME_SAMPLES // _DECIMATION).sum(axis=1)
        energies = np.maximum(weighted - removed * _DECIMATION, 0)
        self._energies.append(energies)
        return energies

    def integrated(self, gain_db: float = 0.0) -> float:
        """Gated loudness in LUFS of four frames or more, all raised by `gain_db`; -inf where all is too quiet."""
        energies = np.concatenate(self._energies) * 10 ** (gain_db / 10)
        sums = np.cumsum(np.concatenate([[0.0], energies], dtype=np.float64))
        blocks = (sums[BLOCK_FRAMES:] - sums[:-BLOCK_FRAMES]) / (BLOCK_FRAMES * FRAME_SAMPLES)
        blocks = blocks[blocks > 10 ** ((_ABSOLUTE_GATE_LUFS - _OFFSET_DB) / 10)]
        if not blocks.size:
            return -math.inf
        blocks = blocks[blocks > blocks.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
        return _OFFSET_DB + to_db(float(blocks.mean()))


def active_energy(samples: np.ndarray) -> tuple[float, int]:
    """Energy of the active 20 ms frames and their length in samples; both 0 for silence.

    Active is what lies less than 15.9 dB (the margin of ITU-T P.56) below the mean power.
    """
    frames = samples.size // _ACTIVE_FRAME
    if not frames:
        energy = float(np.dot(samples, samples))
        return (energy, samples.size) if energy > 0 else (0.0, 0)
    x = samples[: frames * _ACTIVE_FRAME].reshape(frames, _ACTIVE_FRAME)
    energies = np.einsum("ij,ij->i", x, x)
    active = energies[energies > energies.mean() * _ACTIVE_MARGIN]
    return float(active.sum(dtype=np.float64)), active.size * _ACTIVE_FRAME


PEAK_CONTEXT = _HALF_TAPS
"""Samples on either side of a stretch that its true peak depends on."""


def true_peak(samples: np.ndarray, *, above: float = 0.0) -> float:
    """Largest magnitude of the 4 times oversampled signal (BS.1770-4, annex 2), or 0 where nothing exceeds `above`.

    The first and last PEAK_CONTEXT samples only lend their neighbourhood. Of the rest only those cells are oversampled
    whose samples come so near to `above` that the interpolator could pass it.
    """
    near = np.flatnonzero(np.abs(samples) > near_true_peak(above))
    is_chosen = np.zeros(-(-(samples.size - 2 * PEAK_CONTEXT) // _PEAK_CELL) + 1, bool)
    # A sample lies in the window of its own cell and, as context, perhaps in that of the one before.
    is_chosen[np.minimum(near // _PEAK_CELL, is_chosen.size - 1)] = True
    is_chosen[np.maximum(near - 2 * PEAK_CONTEXT, 0) // _PEAK_CELL] = True
    chosen = np.flatnonzero(is_chosen[:-1])
    if not chosen.size:
        return 0.0
    places = chosen[:, None] * _PEAK_CELL + np.arange(_PEAK_CELL + 2 * PEAK_CONTEXT)
    windows = samples.take(places, mode="clip")
    windows[places >= samples.size] = 0
    fine = windows @ _cell_interpolator()
    peak = float(max(fine.max(), -fine.min()))
    return peak if peak > above else 0.0


def near_true_peak(ceiling: float) -> float:
    """A stretch whose samples stay below this cannot exceed `ceiling` between them."""
    return ceiling / _interpolator_gain()


@lru_cache(maxsize=1)
def _bin_weights() -> np.ndarray:
    """Per bin, twice (real and imaginary part): |K|^2 and what the high-pass of the low band will take away."""
    cycles = np.arange(FRAME_SAMPLES // 2 + 1) / FRAME_SAMPLES
    delay = np.exp(-2j * np.pi * cycles)
    k = _response(_high_shelf(gain_db=4.0, q=1 / math.sqrt(2), hz=1500.0), delay)
    k *= _response(_high_pass(q=0.5, hz=38.0, rate=SAMPLE_RATE), delay)
    box = (np.sinc(cycles * _DECIMATION) / np.sinc(cycles)) ** 2
    low = _response(_high_pass(q=0.5, hz=38.0, rate=SAMPLE_RATE / _DECIMATION), delay**_DECIMATION)
    weights = k + box * (1 - low)
    weights[1:-1] *= 2
    return np.repeat(weights / FRAME_SAMPLES, 2).astype(np.float32)


@lru_cache(maxsize=1)
def _box() -> np.ndarray:
    return np.full(_DECIMATION, 1 / _DECIMATION, np.float32)


def _response(biquad: tuple[list[float], list[float]], delay: np.ndarray) -> np.ndarray:
    b, a = biquad
    return np.abs(np.polyval(b[::-1], delay) / np.polyval(a[::-1], delay)) ** 2


def _high_shelf(*, gain_db: float, q: float, hz: float) -> tuple[list[float], list[float]]:
    """Biquad of Bristow-Johnson's cookbook; with these values BS.1770's first stage at any rate."""
    amplitude = 10 ** (gain_db / 40)
    w = 2 * math.pi * hz / SAMPLE_RATE
    alpha, c, root = math.sin(w) / (2 * q), math.cos(w), math.sqrt(amplitude)
    plus, minus = amplitude + 1, amplitude - 1
    b = [
        amplitude * (plus + minus * c + 2 * root * alpha),
        -2 * amplitude * (minus + plus * c),
        amplitude * (plus + minus * c - 2 * root * alpha),
    ]
    return b, [plus - minus * c + 2 * root * alpha, 2 * (minus - plus * c), plus - minus * c - 2 * root * alpha]


def _high_pass(*, q: float, hz: float, rate: float) -> tuple[list[float], list[float]]:
    """Biquad of the same cookbook; BS.1770's second stage."""
    w = 2 * math.pi * hz / rate
    alpha, c = math.sin(w) / (2 * q), math.cos(w)
    return [(1 + c) / 2, -(1 + c), (1 + c) / 2], [1 + alpha, -2 * c, 1 - alpha]


@lru_cache(maxsize=1)
def _interpolator() -> np.ndarray:
    reach = _HALF_TAPS * _OVERSAMPLING
    ideal = np.sinc(np.arange(-reach, reach + 1) / _OVERSAMPLING)
    return (ideal * np.kaiser(ideal.size, 5.0)).astype(np.float32)


@lru_cache(maxsize=1)
def _cell_interpolator() -> np.ndarray:
    """The interpolator as a matrix: a cell with its context to the cell's 4 times oversampled signal."""
    taps = _interpolator()
    samples, fine = np.arange(_PEAK_CELL + 2 * PEAK_CONTEXT), np.arange(_PEAK_CELL * _OVERSAMPLING)
    tap = fine + _OVERSAMPLING * (PEAK_CONTEXT - samples[:, None]) + taps.size // 2
    return np.where((tap >= 0) & (tap < taps.size), taps[tap.clip(0, taps.size - 1)], np.float32(0))


@lru_cache(maxsize=1)
def _interpolator_gain() -> float:
    """How far the interpolator can exceed the largest sample it sees."""
    phases = [np.abs(_interpolator()[k::_OVERSAMPLING]).sum() for k in range(_OVERSAMPLING)]
    return float(max(phases))
