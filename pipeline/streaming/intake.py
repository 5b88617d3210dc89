"""From whatever arrives (any block size, any usual rate, any number of channels) to chunks of 16 kHz mono."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.streaming.logmel import LOUDEST
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 8
_EMPTY = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """What has arrived and is in no chunk yet. A value, like a session's state: `push` gives the next one.

    At another rate than 16 kHz a chunk is ready some milliseconds late: the windowed sinc (as in `library.decode`)
    sees 32 zero crossings ahead. Chunks depend on the samples alone, never on how they were cut into blocks.
    """

    rate: int = SAMPLE_RATE
    pending: NDArray[np.float32] = field(default_factory=lambda: _EMPTY)
    begun: bool = False

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ or self.rate % 5:
            raise BadInput(
                f"a rate of {self.rate!r} Hz cannot be taken; it must be a multiple of 5 from {MIN_RATE_HZ} to "
                f"{MAX_RATE_HZ} Hz, as all usual ones are"
            )

    def push(self, samples: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], Intake]:
        """Take a block, float32 [n] or [n, channels] in [-1, 1], n >= 0.

        Returns:
            The chunks that are complete now, float32 [6400] each; the intake for the next block.

        Raises:
            BadInput: another shape or type, NaN, infinity, or values far outside [-1, 1]; nothing is taken then.
        """
        mono = _mono(samples)
        width = _context(self.rate)
        pending = np.concatenate((self.pending if self.begun else np.zeros(width, np.float32), mono))
        step = self.rate * CHUNK_SAMPLES // SAMPLE_RATE
        count = max(0, (len(pending) - 2 * width) // step)
        chunks = [_resampled(pending[i * step : (i + 1) * step + 2 * width], self.rate) for i in range(count)]
        return chunks, replace(self, pending=pending[count * step :].copy(), begun=True)

    def flush(self) -> list[NDArray[np.float32]]:
        """The chunks that are left, the last one padded with zeros."""
        width = _context(self.rate)
        left = len(self.pending) - width if self.begun else 0
        if left <= 0:
            return []
        step = self.rate * CHUNK_SAMPLES // SAMPLE_RATE
        silence = np.zeros(-left % step + width, np.float32)
        return self.push(silence)[0]


def from_pcm16(data: bytes, *, channels: int = 1) -> NDArray[np.float32]:
    """Little-endian 16-bit samples, channels interleaved, as float32 [n, channels].

    Raises:
        BadInput: a number of bytes that is no whole number of samples of every channel.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadInput(f"{channels!r} channels cannot be taken; 1 to {MAX_CHANNELS} can")
    if len(data) % (2 * channels):
        raise BadInput(f"{len(data)} bytes are no whole number of 16-bit samples of {channels} channel(s)")
    return np.frombuffer(data, "<i2").astype(np.float32).reshape(-1, channels) / np.float32(32768)


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if samples.dtype != np.float32 or samples.ndim not in (1, 2) or (samples.ndim == 2 and not samples.shape[1]):
        raise BadInput(
            f"samples of shape {samples.shape!r} and type {samples.dtype} cannot be heard; "
            "give float32 [n] or [n, channels]"
        )
    loudest = float(np.abs(samples).max(initial=0.0))
    if not np.isfinite(loudest):
        raise BadInput("there are NaN or infinite samples; every sample must be a number in [-1, 1]")
    if loudest > LOUDEST:
        raise BadInput(f"a sample of {loudest:g} is far outside [-1, 1]; divide 16-bit integers by 32768")
    return samples if samples.ndim == 1 else samples.mean(axis=1)


def _context(rate: int) -> int:
    return 0 if rate == SAMPLE_RATE else _resampler(rate).width


def _resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """400 ms, with `_context` samples on both sides, as 6,400 samples."""
    if rate == SAMPLE_RATE:
        return samples.copy()
    resampler = _resampler(rate)
    kernel, stride = resampler.get_buffer("kernel"), resampler.orig_freq // resampler.gcd
    # Always one chunk at a time: how blocks were cut cannot show in the rounding either.
    with torch.inference_mode():
        frames = torch.nn.functional.conv1d(torch.from_numpy(samples)[None, None], kernel, stride=stride)
    return frames[0].T.reshape(-1).numpy()


@lru_cache(maxsize=16)
def _resampler(rate: int) -> torchaudio.transforms.Resample:
    return torchaudio.transforms.Resample(
        rate, SAMPLE_RATE, resampling_method="sinc_interp_kaiser", lowpass_filter_width=32, rolloff=0.94, beta=12.0
    )
