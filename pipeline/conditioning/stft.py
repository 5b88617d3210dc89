"""The one STFT that all operators of TFJP share: 40 ms frames every 20 ms, a root-Hann window on both sides.

A *block* is 20 ms of samples; row i is the frame centred on block i - 1, and reaches half a block beyond it at either
side. One row more stands before the first block and after the last, so that the inverse is exact over the whole clip.

The energy of a frame needs no transform (Parseval), and most operators look at the energy of all rows and the spectrum
of a few: only these are transformed, and all of them only for a clip that is denoised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft

from schemas.protocol import SAMPLE_RATE

HOP = SAMPLE_RATE // 50
WINDOW = 2 * HOP
BINS = WINDOW // 2 + 1
BANDS = 20
TINY = np.float32(1e-20)
_PAD = HOP + HOP // 2
# Rows worked on at once: small enough for the cache, and it bounds the temporaries of a long clip.
ROWS = 512

_HANN = 0.5 - 0.5 * np.cos(np.pi / HOP * np.arange(WINDOW))
_ROOT_HANN = np.sqrt(_HANN).astype(np.float32).reshape(2, HOP)
# Of a block, its share in the frame that ends with it and in the one that begins with it.
_IN_FRAMES = np.ascontiguousarray((_HANN / HOP).astype(np.float32).reshape(2, HOP)[::-1].T)

# Parseval over the one-sided spectrum: power @ this is the windowed mean square of a frame.
_MEAN_SQUARE = np.full(BINS, 2 / (WINDOW * HOP), np.float32)
_MEAN_SQUARE[[0, -1]] /= 2
_IN_BANDS = np.zeros((BINS, BANDS), np.float32)
_IN_BANDS[np.arange(1, BINS), np.arange(BINS - 1) // ((BINS - 1) // BANDS)] = _MEAN_SQUARE[1:]
_EACH_BAND = np.ones(BANDS, np.float32)
_PER_FLAT = np.float32(1 / np.log(BANDS))


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the operators look at, one row per frame, float32.

    `energy` (rows,) is the windowed mean square, 10 * log10 of it is dBFS; `power(index)` (len(index), BINS) is the
    squared magnitude of some rows.
    """

    energy: np.ndarray
    power: Callable[[np.ndarray], np.ndarray]


def analyse(samples: np.ndarray) -> Analysis:
    """Analysis of `samples` (float32, 1-D), of ceil(len / HOP) + 2 rows."""
    blocks = _blocks(samples)
    ends, begins = (np.square(blocks) @ _IN_FRAMES).T
    return Analysis(begins[:-1] + ends[1:], lambda index: power_of(_rfft(blocks[index], blocks[index + 1])))


def of_power(power: np.ndarray) -> Analysis:
    """Analysis of a power spectrum (rows, BINS)."""
    return Analysis(power @ _MEAN_SQUARE, power.__getitem__)


def bands_of(power: np.ndarray) -> np.ndarray:
    """Mean square in bands of 400 Hz (rows, BANDS) of a power spectrum (rows, BINS), the zeroth bin left out."""
    return power @ _IN_BANDS


def entropy_of(bands: np.ndarray) -> np.ndarray:
    """Spectral entropy (rows,) over bands (rows, BANDS), relative to that of a flat spectrum: 0 to 1."""
    heard = bands + TINY
    whole = heard @ _EACH_BAND
    # Of the shares heard / whole, written so that nothing is divided per band.
    return (np.log(whole) - (heard * np.log(heard)) @ _EACH_BAND / whole) * _PER_FLAT


def power_of(spectrum: np.ndarray) -> np.ndarray:
    """Squared magnitude, float32, of the same shape."""
    power = np.empty(spectrum.shape, np.float32)
    for row in range(0, len(spectrum), ROWS):
        part = spectrum[row : row + ROWS]
        np.square(part.real, out=power[row : row + ROWS])
        power[row : row + ROWS] += np.square(part.imag)
    return power


def stft(samples: np.ndarray) -> np.ndarray:
    """Spectrum of `samples` (float32, 1-D): complex64 of shape (blocks + 2, BINS), blocks = ceil(len / HOP)."""
    blocks = _blocks(samples)
    spectrum = np.empty((len(blocks) - 1, BINS), np.complex64)
    for row in range(0, len(spectrum), ROWS):
        part = blocks[row : row + ROWS + 1]
        spectrum[row : row + ROWS] = _rfft(part[:-1], part[1:])
    return spectrum


def istft(spectrum: np.ndarray, length: int) -> np.ndarray:
    """Inverse of `stft`: the first `length` samples (float32) by weighted overlap-add."""
    rows = len(spectrum)
    padded = np.empty((rows + 1, HOP), np.float32)
    before = np.float32(0)
    for row in range(0, rows, ROWS):
        frames = np.asarray(scipy.fft.irfft(spectrum[row : row + ROWS], n=WINDOW)).reshape(-1, 2, HOP)
        frames *= _ROOT_HANN
        np.add(frames[0, 0], before, out=padded[row])
        np.add(frames[1:, 0], frames[:-1, 1], out=padded[row + 1 : row + len(frames)])
        before = frames[-1, 1]
    padded[rows] = before
    return padded.reshape(-1)[_PAD : _PAD + length]


def _rfft(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spectra of the frames whose halves are the blocks `first` and `second`."""
    frames = np.empty((len(first), WINDOW), np.float32)
    np.multiply(first, _ROOT_HANN[0], out=frames[:, :HOP])
    np.multiply(second, _ROOT_HANN[1], out=frames[:, HOP:])
    return np.asarray(scipy.fft.rfft(frames))


def _blocks(samples: np.ndarray) -> np.ndarray:
    """The padded samples (blocks + 3, HOP); row i of the transform is over the blocks i and i + 1."""
    padded = np.empty((-(-len(samples) // HOP) + 3) * HOP, np.float32)
    padded[:_PAD], padded[_PAD + len(samples) :] = 0, 0
    padded[_PAD : _PAD + len(samples)] = samples
    return padded.reshape(-1, HOP)
