"""The one STFT that all operators of TFJP share: 40 ms frames every 20 ms, a root-Hann window on both sides.

A *block* is 20 ms of samples; frame i is centred on block i - 1, and reaches half a block beyond it at either side. One
frame more stands before the first block and after the last, so that the inverse is exact over the whole clip.
torch's real FFT is 2.5 to 3 times as fast as scipy's on one core here, and 13 times numpy's; the rest is as fast in numpy.
"""

from __future__ import annotations

import numpy as np
import torch

from schemas.protocol import SAMPLE_RATE

HOP = SAMPLE_RATE // 50
WINDOW = 2 * HOP
BINS = WINDOW // 2 + 1
_PAD = HOP + HOP // 2
# Frames worked on at once: small enough for the cache, and it bounds the temporaries of a long clip.
ROWS = 512

_ROOT_HANN = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
# Parseval over the one-sided spectrum: power @ _MEAN_SQUARE is the windowed mean square of a frame.
_MEAN_SQUARE = np.full(BINS, 2 / (WINDOW * HOP), np.float32)
_MEAN_SQUARE[[0, -1]] /= 2


def stft(samples: np.ndarray) -> np.ndarray:
    """Spectrum of `samples` (float32, 1-D): complex64 of shape (blocks + 2, BINS), blocks = ceil(len / HOP)."""
    rows = -(-len(samples) // HOP) + 2
    padded = np.zeros((rows + 1) * HOP, np.float32)
    padded[_PAD : _PAD + len(samples)] = samples
    frames = np.lib.stride_tricks.as_strided(padded, (rows, WINDOW), (HOP * 4, 4), writeable=False)
    spectrum = torch.empty(rows, BINS, dtype=torch.complex64)
    for row in range(0, rows, ROWS):
        part = torch.from_numpy(frames[row : row + ROWS] * _ROOT_HANN)
        torch.fft.rfft(part, out=spectrum[row : row + ROWS])
    return spectrum.numpy()


def istft(spectrum: np.ndarray, length: int) -> np.ndarray:
    """Inverse of `stft`: the first `length` samples (float32) by weighted overlap-add."""
    rows = len(spectrum)
    padded = np.zeros((rows + 1, HOP), np.float32)
    for row in range(0, rows, ROWS):
        part = torch.from_numpy(spectrum[row : row + ROWS])
        frames = torch.fft.irfft(part, n=WINDOW).numpy()
        frames *= _ROOT_HANN
        padded[row : row + len(frames)] += frames[:, :HOP]
        padded[row + 1 : row + 1 + len(frames)] += frames[:, HOP:]
    return padded.reshape(-1)[_PAD : _PAD + length]


def power_of(spectrum: np.ndarray) -> np.ndarray:
    """Squared magnitude, float32, of the same shape."""
    power = np.empty(spectrum.shape, np.float32)
    for row in range(0, len(spectrum), ROWS):
        part = spectrum[row : row + ROWS]
        np.square(part.real, out=power[row : row + ROWS])
        power[row : row + ROWS] += part.imag**2
    return power


def energy_of(power: np.ndarray) -> np.ndarray:
    """Windowed mean square of each frame (float32, 1-D); 10 * log10 of it is dBFS."""
    return power @ _MEAN_SQUARE
