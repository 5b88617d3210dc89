"""Whisper's log-mel spectrogram, chunk by chunk in constant time and memory.

Source: Radford et al. 2022 (Whisper) for the features; the Audio-Interaction inference code for the two ways to clamp:

- *offline*: the maximum is the recording's;
- *online*: the maximum is that of everything heard so far, and the newest column of a chunk, whose window reaches 40
  samples past the chunk's end, sees the chunk's last samples reflected. That column counts in this chunk's maximum and
  is forgotten afterwards: its true value replaces it once the next chunk is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import BadInput
from pipeline.timing import whole_chunks
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

BANDS = 128
WINDOW, HOP = 400, 160
COLUMNS = CHUNK_SAMPLES // HOP
"""Mel columns per chunk."""
AHEAD = WINDOW // 2 - HOP
"""Samples past a chunk's end that its newest column needs."""
TAIL = WINDOW - AHEAD
"""Samples of the past that the next chunk needs: the window of the column that was provisional."""
DYNAMIC_RANGE = 8.0
LOUDEST = 4.0
"""A float recording may overshoot by 12 dB; anything above is an integer that was not scaled."""


@dataclass(frozen=True, slots=True, eq=False)
class Ear:
    """What the log-mel of the next chunk depends on: the last 360 samples and the maximum so far."""

    tail: NDArray[np.float32] | None = None
    maximum: float = -np.inf


def hear(chunk: NDArray[np.float32], ear: Ear) -> tuple[Tensor, Ear]:
    """Online log-mel of one chunk.

    Args:
        chunk: float32 [6400], 16 kHz mono in [-1, 1].
        ear: what was heard before; `Ear()` at the start.

    Returns:
        float32 [128, 40], and the ear for the next chunk.

    Raises:
        BadInput: another length, NaN, infinity, or samples far beyond [-1, 1].
    """
    columns, ear, settled = _columns(checked(chunk), ear, following=None)
    maximum = max(ear.maximum, settled, float(columns.max()))
    return _clamped(columns, maximum), Ear(ear.tail, max(ear.maximum, settled, float(columns[:, :-1].max())))


def offline(samples: NDArray[np.float32]) -> Tensor:
    """Log-mel of a whole recording, padded with zeros to whole chunks: float32 [128, 40 * chunks].

    Raises:
        BadInput: empty, NaN, infinity, or samples far beyond [-1, 1].
    """
    if not len(samples):
        raise BadInput("a recording of 0 samples cannot be heard; it needs at least one")
    padded = np.zeros(whole_chunks(len(samples)), np.float32)
    padded[: len(samples)] = samples
    chunks = padded.reshape(-1, CHUNK_SAMPLES)
    ear, parts = Ear(), []
    for index, chunk in enumerate(chunks):
        following = chunks[index + 1][:AHEAD] if index + 1 < len(chunks) else None
        columns, ear, _ = _columns(checked(chunk), ear, following)
        parts.append(columns)
    mel = torch.cat(parts, dim=1)
    return _clamped(mel, float(mel.max()))


def at_once(samples: NDArray[np.float32]) -> Tensor:
    """Log-mel of a recording as the released offline training data has it: float32 [128, ceil(samples / 160)].

    Raises:
        BadInput: less than 201 samples, NaN, infinity, or samples far beyond [-1, 1].
    """
    if len(samples) <= WINDOW // 2:
        raise BadInput(f"a recording of {len(samples)} samples is too short to be reflected; it needs more than 200")
    padded = torch.from_numpy(np.pad(_bounded(samples), (0, -len(samples) % HOP)))
    spectrum = torch.stft(padded, WINDOW, HOP, window=_hann(), return_complex=True)[:, :-1]
    mel = (_filters() @ spectrum.abs().square()).clamp(min=1e-10).log10()
    return _clamped(mel, float(mel.max()))


def checked(chunk: NDArray[np.float32]) -> NDArray[np.float32]:
    """`chunk` where it is one; BadInput otherwise."""
    if chunk.shape != (CHUNK_SAMPLES,) or chunk.dtype != np.float32:
        raise BadInput(
            f"a chunk of shape {chunk.shape!r} and type {chunk.dtype} cannot be heard; a chunk is float32 with "
            f"{CHUNK_SAMPLES} samples (400 ms, 16 kHz, mono)"
        )
    return _bounded(chunk)


def _bounded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    loudest = float(np.abs(samples).max())
    if not np.isfinite(loudest):
        raise BadInput("the audio has NaN or infinite samples; every sample must be a number in [-1, 1]")
    if loudest > LOUDEST:
        raise BadInput(f"a sample of {loudest:g} is far outside [-1, 1]; divide 16-bit integers by 32768")
    return samples


def _columns(chunk: NDArray[np.float32], ear: Ear, following: NDArray[np.float32] | None) -> tuple[Tensor, Ear, float]:
    """Unclamped columns [128, 40], the ear with its new tail, and the maximum of the column that is now settled.

    Without the samples that follow, the last column sees the chunk reflected.
    """
    first = ear.tail is None
    if ear.tail is None:
        tail = np.zeros(TAIL, np.float32)
        tail[-WINDOW // 2 :] = chunk[WINDOW // 2 : 0 : -1]
    else:
        tail = ear.tail
    ahead = chunk[-2 : -AHEAD - 2 : -1] if following is None else following
    spectrum = torch.stft(
        torch.from_numpy(np.concatenate((tail, chunk, ahead))),
        WINDOW,
        HOP,
        window=_hann(),
        center=False,
        return_complex=True,
    )
    mel = (_filters() @ spectrum.abs().square()).clamp(min=1e-10).log10()
    settled = -np.inf if first else float(mel[:, 0].max())
    return mel[:, 1:], Ear(chunk[-TAIL:].copy(), ear.maximum), settled


def _clamped(columns: Tensor, maximum: float) -> Tensor:
    return (columns.clamp(min=maximum - DYNAMIC_RANGE) + 4.0) / 4.0


@lru_cache(maxsize=1)
def _hann() -> Tensor:
    return torch.hann_window(WINDOW)


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Slaney's mel bands: float32 [128, 201]."""
    return torchaudio.functional.melscale_fbanks(
        WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, BANDS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    ).T.contiguous()
