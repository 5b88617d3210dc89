"""What a stream looks like: log-mel spectrogram, its small version, and the waveform's envelope. Pure but for PNG."""

from __future__ import annotations

import io
import math
from functools import lru_cache

import numpy as np
from scipy.fft import rfft

from schemas.protocol import SAMPLE_RATE

HOP_SAMPLES = 320
"""20 ms a column: 20 columns per chunk."""
WINDOW_SAMPLES = 640
FFT_SAMPLES = 1024
COLUMNS_AT_ONCE = 200
"""Of a spectrogram, to bound memory."""
MELS = 80
RANGE_DB = 80.0
THUMBNAIL = (40, 240)
"""Rows, columns."""
TICKS_HZ = (500, 1000, 2000, 4000)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel power, highest band first: float32 of shape (80, ceil(num_samples / 320)), in dB below its maximum.

    Args:
        samples: float32 of shape (num_samples,), 16 kHz mono, num_samples >= 1.
    """
    columns = -(-len(samples) // HOP_SAMPLES)
    padded = np.pad(np.nan_to_num(samples).astype(np.float32), WINDOW_SAMPLES // 2 + HOP_SAMPLES)[HOP_SAMPLES:]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES][:columns]
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    power = np.empty((MELS, columns), np.float32)
    for at in range(0, columns, COLUMNS_AT_ONCE):
        spectra = np.asarray(rfft(frames[at : at + COLUMNS_AT_ONCE] * window, FFT_SAMPLES))
        power[:, at : at + COLUMNS_AT_ONCE] = _mel_bank() @ (np.abs(spectra) ** 2).T
    db = 10 * np.log10(np.maximum(power[::-1], 1e-10))
    return np.clip(db - db.max(), -RANGE_DB, 0)


@lru_cache(maxsize=1)
def _mel_bank() -> np.ndarray:
    """Triangular bands of equal width in mel: float32 of shape (80, 513)."""
    highest = _mel(SAMPLE_RATE / 2)
    edges = np.array([700 * (10 ** (highest * i / (MELS + 1) / 2595) - 1) for i in range(MELS + 2)])[:, None]
    hz = np.linspace(0, SAMPLE_RATE / 2, FFT_SAMPLES // 2 + 1)
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(hz: float) -> float:
    """Mel of O'Shaughnessy (1987)."""
    return 2595 * math.log10(1 + hz / 700)


def tick_heights() -> list[tuple[int, float]]:
    """(frequency in Hz, distance from the picture's top as a share of its height) of the labels beside it."""
    return [(hz, round(1 - _mel(hz) / _mel(SAMPLE_RATE / 2), 4)) for hz in TICKS_HZ]


def thumbnail(db: np.ndarray) -> np.ndarray:
    """`log_mel`'s result averaged down to at most 40 x 240."""
    rows, columns = (min(size, there) for size, there in zip(THUMBNAIL, db.shape, strict=True))
    by_row = np.stack([part.mean(0) for part in np.array_split(db, rows, axis=0)])
    return np.stack([part.mean(1) for part in np.array_split(by_row, columns, axis=1)], axis=1)


def png(db: np.ndarray) -> bytes:
    """A picture of `log_mel`'s result, one pixel a value; its quiet tenth is dark."""
    from matplotlib import colormaps
    from matplotlib.image import imsave

    dark = float(np.percentile(db, 10)) - 3
    shades = np.clip(db * np.float32(-255 / dark) + 255, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, colormaps["magma"](np.arange(256), bytes=True)[shades], format="png")
    return buffer.getvalue()


def envelope(samples: np.ndarray) -> list[int]:
    """Largest magnitude in every 20 ms, in hundredths of full scale."""
    padded = np.pad(np.abs(np.nan_to_num(samples)), (0, -len(samples) % HOP_SAMPLES))
    peaks = padded.reshape(-1, HOP_SAMPLES).max(axis=1)
    return np.minimum(np.rint(peaks * 100), 100).astype(int).tolist()
