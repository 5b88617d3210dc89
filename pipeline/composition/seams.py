"""Joins between clips: fades, signal-matched crossfades, and a measure of how audible a join is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy.fft

SeamKind = Literal["join", "edge", "tile"]
"""Two foreground clips overlap; one sound starts or ends over the beds; a bed meets its next repetition."""

_FRAME, _HOP = 128, 64
_ZONE_FRAMES = 8
"""32 ms: holds a 20 ms crossfade and the frames that straddle its ends."""
_ZONES = 3
_WINDOW = _ZONES * _ZONE_FRAMES * _HOP + _FRAME
_FLOOR_POWER = 1e-6
_MIN_CORRELATION = -0.5
"""Opposite signals cancel; below this making up for it would only amplify what is left."""
_BATCH = 64
"""Joins measured at once, to bound memory."""
_MIN_LEVEL_REFERENCE_DB = 1.0
_MIN_FLUX_REFERENCE = 0.1


@dataclass(frozen=True, slots=True)
class Seam:
    """A join at `sample`; `jump` is 1 where it is as smooth as the sound around it."""

    sample: int
    kind: SeamKind
    level_jump_db: float
    """Largest change of level between frames 4 ms apart, within 16 ms of the join."""
    flux: float
    """Largest spectral flux between such frames, 0 (same spectrum) to 1 (nothing in common)."""
    jump: float
    """The larger of both, each divided by its typical value inside the clips of the stream."""


@lru_cache(maxsize=256)
def hann_rise(samples: int) -> np.ndarray:
    """Rising half of a Hann window, `samples` long, strictly between 0 and 1, float32, read-only."""
    rise = np.sin(np.pi * (np.arange(samples) + 0.5) / (2 * samples)) ** 2
    rise = rise.astype(np.float32)
    rise.setflags(write=False)
    return rise


def crossfade_gains(
    tail: np.ndarray, head: np.ndarray, *, taper_out_samples: int = 0, taper_in_samples: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Gains that turn the overlap of `tail` (ending) and `head` (starting) into a crossfade of constant power.

    Hann fades, divided by the level that their sum would have given the correlation r of the two signals
    (Fink, Holters, Zoelzer, "Signal-matched power-complementary cross-fading", DAFx 2016): equal power
    (squares sum to 1) at r = 0, equal gain (sum is 1) at r = 1, and in between what r asks for.

    Args:
        tail, head: float32, equally long.
        taper_out_samples, taper_in_samples: length of the Hann taper that the clip already ends (starts) with;
            it then serves as the fade. 0 where there is none. Tapers longer than the overlap are left as they are.

    Returns:
        gains for `tail` and for `head`, float32.
    """
    n = tail.size
    fade_out, fade_in = _shape(n, taper_out_samples)[::-1], _shape(n, taper_in_samples)
    out_gain = np.ones(n, np.float32) if taper_out_samples else fade_out
    in_gain = np.ones(n, np.float32) if taper_in_samples else fade_in
    if max(taper_out_samples, taper_in_samples) > n:
        return out_gain, in_gain
    faded_tail, faded_head = tail * out_gain, head * in_gain
    # Both energies under the same weight, fade_out * fade_in, so that identical signals give exactly r = 1.
    energy = float(np.dot(faded_tail**2, fade_in / fade_out)) * float(np.dot(faded_head**2, fade_out / fade_in))
    r = float(np.dot(faded_tail, faded_head)) / energy**0.5 if energy > 0 else 0.0
    r = min(max(r, _MIN_CORRELATION), 1.0)
    norm = 1 / np.sqrt(fade_out**2 + fade_in**2 + 2 * r * fade_out * fade_in)
    return out_gain * norm, in_gain * norm


def _shape(n: int, taper_samples: int) -> np.ndarray:
    if not 0 < taper_samples < n:
        return hann_rise(n)
    return np.concatenate([hann_rise(taper_samples), np.ones(n - taper_samples, np.float32)])


def measure_seams(
    read: Callable[[int, int], np.ndarray], seams: Sequence[tuple[int, SeamKind]], *, total_samples: int
) -> tuple[Seam, ...]:
    """Jump in level and in spectral flux at each join, against the same inside the clips.

    A join and the 32 ms before and after it are cut into frames of 8 ms, 4 ms apart. The value of each of these three
    zones is its largest change from frame to frame; the reference is the median of all outer zones of the stream.

    Args:
        read: `read(start, stop)` gives the samples of the stream, float32.
        seams: position in samples and kind; those within 52 ms of the stream's ends have no surroundings and
            are left out.
    """
    half = _WINDOW // 2
    inside: list[tuple[int, SeamKind]] = [
        (place, kind) for place, kind in seams if half <= place <= total_samples - half
    ]
    if not inside:
        return ()
    parts = [
        _changes(np.stack([read(place - half, place + half) for place, _ in inside[k : k + _BATCH]]))
        for k in range(0, len(inside), _BATCH)
    ]
    levels, fluxes = (np.concatenate(values) for values in zip(*parts, strict=True))
    level_reference = max(float(np.median(levels[:, ::2])), _MIN_LEVEL_REFERENCE_DB)
    flux_reference = max(float(np.median(fluxes[:, ::2])), _MIN_FLUX_REFERENCE)
    jumps = np.maximum(levels[:, 1] / level_reference, fluxes[:, 1] / flux_reference)
    return tuple(
        Seam(place, kind, float(levels[i, 1]), float(fluxes[i, 1]), float(jumps[i]))
        for i, (place, kind) in enumerate(inside)
    )


def _changes(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest change of level (dB) and largest flux in each zone of each window, shape (windows, zones)."""
    frames = np.lib.stride_tricks.sliding_window_view(windows, _FRAME, axis=1)[:, ::_HOP] * _window()
    power = np.einsum("ijk,ijk->ij", frames, frames) / float(np.dot(_window(), _window()))
    level = np.abs(np.diff(10 * np.log10(power + _FLOOR_POWER), axis=1))
    squares = np.square(np.asarray(scipy.fft.rfft(frames, axis=2)).view(np.float32))
    magnitude = np.sqrt(squares[..., ::2] + squares[..., 1::2] + _FLOOR_POWER)
    weight = magnitude.sum(axis=2)
    flux = np.abs(np.diff(magnitude, axis=1)).sum(axis=2) / (weight[:, 1:] + weight[:, :-1])
    level, flux = (x.reshape(-1, _ZONES, _ZONE_FRAMES).max(axis=2) for x in (level, flux))
    return level, flux


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    return np.hanning(_FRAME + 1)[:-1].astype(np.float32)
