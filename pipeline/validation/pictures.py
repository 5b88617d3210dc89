"""What a stream looks like: log-mel spectrogram, its small version, and the waveform's envelope. Pure but for PNG."""

from __future__ import annotations

import io
import math

import numpy as np

from schemas.protocol import SAMPLE_RATE

HOP_SAMPLES = 320
"""20 ms a column: 20 columns per chunk."""
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
    import torch
    from torchaudio.transforms import MelSpectrogram

    mel = MelSpectrogram(SAMPLE_RATE, n_fft=1024, win_length=640, hop_length=HOP_SAMPLES, n_mels=MELS)
    with torch.inference_mode():
        # Reflection needs more samples than half a window.
        padded = np.pad(np.nan_to_num(samples), (0, max(0, 1024 - len(samples))))
        power = mel(torch.from_numpy(padded.astype(np.float32))).numpy()[::-1, : -(-len(samples) // HOP_SAMPLES)]
    db = 10 * np.log10(np.maximum(power, 1e-10))
    return np.clip(db - db.max(), -RANGE_DB, 0).astype(np.float32)


def tick_heights() -> list[tuple[int, float]]:
    """(frequency in Hz, distance from the picture's top as a share of its height) of the labels beside it."""

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    return [(hz, round(1 - mel(hz) / mel(SAMPLE_RATE / 2), 4)) for hz in TICKS_HZ]


def thumbnail(db: np.ndarray) -> np.ndarray:
    """`log_mel`'s result averaged down to at most 40 x 240."""
    rows, columns = (min(size, there) for size, there in zip(THUMBNAIL, db.shape, strict=True))
    by_row = np.stack([part.mean(0) for part in np.array_split(db, rows, axis=0)])
    return np.stack([part.mean(1) for part in np.array_split(by_row, columns, axis=1)], axis=1)


def png(db: np.ndarray) -> bytes:
    """A picture of `log_mel`'s result, one pixel a value; its quiet tenth is dark."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, db, cmap="magma", vmin=float(np.percentile(db, 10)) - 3, vmax=0, format="png")
    return buffer.getvalue()


def envelope(samples: np.ndarray) -> list[int]:
    """Largest magnitude in every 20 ms, in hundredths of full scale."""
    padded = np.pad(np.abs(np.nan_to_num(samples)), (0, -len(samples) % HOP_SAMPLES))
    peaks = padded.reshape(-1, HOP_SAMPLES).max(axis=1)
    return np.minimum(np.rint(peaks * 100), 100).astype(int).tolist()
