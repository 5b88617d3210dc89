"""Is a sound in a recording, and where? A matched filter with its own error bar.

The recording is `gain * stem + rest`. The best unbiased estimate of the gain weights each frequency by the inverse
power of the rest (generalised least squares; Kay, Fundamentals of Statistical Signal Processing I, ch. 4), so that a
loud hum or another event in other bands does not hide the stem:

    gain(lag) = sum_f X(f) conj(S(f)) e^(i f lag) / P(f)  /  sum_f |S(f)|^2 / P(f)
    error     = (sum_f |S(f)|^2 / P(f)) ** -0.5

`P` is measured on the recording less all stems. Where the stem is in its place this is the noise; where it is not, the
stem's own energy is in it, and the estimate falls to 0 within its error. The same sum over shifted positions says where
the sound lies instead. A periodic sound matches at several lags equally well; a shift is therefore claimed only where
another lag beats the expected one by more than the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal.windows import hann

_SEGMENT = 512
_FLOOR = 1e-4
"""Of the stem's mean power: rounding and fades leave this much even where nothing else sounds."""
_QUANTISATION = 2.0**-30 / 12


@dataclass(frozen=True, slots=True)
class Match:
    """Gain of the stem at its expected place and at the best lag (in samples), with their standard error."""

    gain: float
    error: float
    best_lag: int
    best_gain: float


def match(recording: np.ndarray, stem: np.ndarray, rest: np.ndarray, *, reach: int) -> Match:
    """Look for `stem` in `recording`, which begins `reach` samples before its expected place and ends `reach` after.

    All arrays are float, 16 kHz; `rest` is the same stretch of the recording without any stem.
    """
    size = _fft_size(recording, stem)
    weight = _inverse_power(rest, stem, size)
    spectrum = np.asarray(scipy.fft.rfft(stem, size))
    energy = float(np.asarray(scipy.fft.irfft(np.abs(spectrum) ** 2 * weight, size))[0])
    lags = np.asarray(scipy.fft.irfft(np.asarray(scipy.fft.rfft(recording, size)) * spectrum.conj() * weight, size))
    gains = lags[: 2 * reach + 1] / energy
    best = int(np.argmax(gains))
    return Match(float(gains[reach]), energy**-0.5, best - reach, float(gains[best]))


def match_anywhere(recording: np.ndarray, stem: np.ndarray) -> Match:
    """Look for `stem` at every lag of `recording`, cut off at either end or not; `gain` is that of the best lag.

    For sounds that are tiled or cut from an unknown phase. At least half of the shorter one takes part.
    """
    size = _fft_size(recording, stem)
    weight = _inverse_power(recording, stem, size)
    spectrum = np.asarray(scipy.fft.rfft(stem, size))
    lags = np.asarray(scipy.fft.irfft(np.asarray(scipy.fft.rfft(recording, size)) * spectrum.conj() * weight, size))
    # The weights ring to either side of the stem; in proportion that energy belongs to what is inside.
    whitened = np.asarray(scipy.fft.irfft(spectrum * np.sqrt(weight), size))
    energy = np.concatenate([[0.0], np.cumsum(whitened[: len(stem)] ** 2)])
    energy *= float(np.dot(whitened, whitened)) / energy[-1]
    least = min(len(recording), len(stem)) // 2
    lag = np.arange(least - len(stem), len(recording) - least + 1)
    # The part of the stem that lies within the recording at each lag.
    inside = energy[np.minimum(len(recording) - lag, len(stem))] - energy[np.maximum(-lag, 0)]
    inside = np.maximum(inside, 1e-3 * energy[-1])
    score = lags[lag] / np.sqrt(inside)
    best = int(np.argmax(score))
    gain = float(lags[lag[best]] / inside[best])
    return Match(gain, float(inside[best]) ** -0.5, int(lag[best]), gain)


def _fft_size(recording: np.ndarray, stem: np.ndarray) -> int:
    """Room for every lag and for the ringing of the weights."""
    return int(scipy.fft.next_fast_len(len(recording) + len(stem) + _SEGMENT, real=True) or 0)


def _inverse_power(rest: np.ndarray, stem: np.ndarray, size: int) -> np.ndarray:
    """1 / P on the bins of an rfft of `size`; P is the power per sample of white noise of that level."""
    # Welch's method on all frames at once; scipy's takes them one by one and then most of the validation's time.
    window = hann(_SEGMENT, sym=False).astype(np.float32)
    padded = np.pad(rest, (0, max(0, _SEGMENT - len(rest))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SEGMENT)[:: _SEGMENT // 2] * window
    density = np.mean(np.abs(np.asarray(scipy.fft.rfft(frames, axis=1))) ** 2, axis=0) / float(np.dot(window, window))
    floor = max(_FLOOR * float(np.dot(stem, stem)) / len(stem), _QUANTISATION)
    bins = np.linspace(0, 1, size // 2 + 1)
    return 1 / (np.interp(bins, np.linspace(0, 1, len(density)), density) + floor)
