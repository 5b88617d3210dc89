"""What is audible in a clip and where: level envelope, occurrences, stationarity, cut edges, noise floor.

Pure functions of float32 mono samples in [-1, 1]; `rate` is in Hz, spans are half-open and in samples.
The thresholds were set by looking at envelopes of barks, sneezes, crows, ticks and waves.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

HOP_S = 0.010
FLOOR_DB = -100.0
"""Level given to digital silence."""
SILENCE_DB = -85.0
"""Frames below this carry nothing a microphone recorded: padding, fades to zero, a dither bit."""

_AUDIBLE_BELOW_PEAK_DB = 25.0
_PROMINENCE_DB = 9.0
_SPAN_BELOW_PEAK_DB = 25.0
_CORE_BELOW_PEAK_DB = 10.0
_GAP_BELOW_PEAK_DB = 12.0
_SYLLABLE_S = 0.16
_PHRASE_GAP_S = 0.30
_LONG_CORE_S = 0.35
_LEAD_DB = 10.0
_LEAD_GAP_S = 0.20
_BODY_DB = 6.0
_STANDS_OUT_DB = 22.0

TrackClass = Literal["event", "ambient"]


@dataclass(frozen=True, slots=True)
class Measures:
    """Levels in dBFS of RMS or peak re full scale 1.0; `snr_db` is rough: active parts against the floor."""

    peak_dbfs: float
    noise_floor_db: float
    snr_db: float
    silence_ratio: float
    digital_silence_tail_s: float
    track_class: TrackClass
    onset_cut: bool
    offset_cut: bool
    occurrences: tuple[tuple[int, int], ...]


def envelope(samples: NDArray[np.float32], *, rate: int) -> NDArray[np.float64]:
    """RMS level in dBFS of 20 ms frames every 10 ms; frame i starts at sample i * rate / 100."""
    hop = round(HOP_S * rate)
    starts = np.arange(0, len(samples), hop)
    energy = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    counts = np.minimum(hop, len(samples) - starts)
    energy[:-1] += energy[1:].copy()
    counts[:-1] += counts[1:].copy()
    return _decibels(np.maximum(energy / counts, 10 ** (FLOOR_DB / 10)))


def measure(samples: NDArray[np.float32], *, rate: int) -> Measures:
    """Everything that can be told from the samples alone.

    Raises ValueError where nothing rises above `SILENCE_DB`.
    """
    hop = round(HOP_S * rate)
    levels = envelope(samples, rate=rate)
    sounding = levels > SILENCE_DB
    if not sounding.any():
        raise ValueError(f"nothing in it is louder than {SILENCE_DB:g} dBFS")
    floor = float(np.percentile(levels[sounding], 10))
    track_class = _track_class(levels, sounding)
    if track_class == "ambient":
        heard = np.flatnonzero(sounding)
        spans = [(int(heard[0]), int(heard[-1]) + 1)]
    else:
        spans = _occurrences(levels, floor)
    active = np.zeros(len(levels), dtype=bool)
    for start, end in spans:
        active[start:end] = True
    quiet = sounding & ~active
    if quiet.sum() * HOP_S >= 0.2:
        floor = float(np.percentile(levels[quiet], 25))
    nonzero = samples != 0
    first, last = int(nonzero.argmax()), len(samples) - int(nonzero[::-1].argmax())
    occurrences = tuple((start * hop, min(end * hop, len(samples))) for start, end in spans)
    is_event = track_class == "event"
    return Measures(
        peak_dbfs=round(float(20 * np.log10(np.abs(samples).max())), 2),
        noise_floor_db=round(floor, 1),
        snr_db=round(_mean_level(levels[active]) - floor, 1),
        silence_ratio=round(1.0 - float(sounding.mean()), 4),
        digital_silence_tail_s=round((len(samples) - last) / rate, 4),
        track_class=track_class,
        onset_cut=is_event and _onset_cut(samples, first, occurrences[0], rate=rate),
        offset_cut=is_event and _offset_cut(samples, last, occurrences[-1], rate=rate),
        occurrences=occurrences,
    )


def _mean_level(levels: NDArray[np.float64]) -> float:
    return float(_decibels(np.mean(10 ** (levels / 10), keepdims=True))[0])


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(power), np.float64)


def _track_class(levels: NDArray[np.float64], sounding: NDArray[np.bool_]) -> TrackClass:
    """Ambient: it sounds nearly throughout, as a texture without pulses, and swells little or slowly.

    What is far louder than half of the clip is an event, however quiet all the rest.
    """
    half = round(0.5 / HOP_S)
    windows = len(levels) // half
    if windows < 2 or sounding.mean() < 0.85 or levels.max() - np.median(levels) >= _STANDS_OUT_DB:
        return "event"
    low, high = np.percentile(levels[: windows * half].reshape(windows, half), [5, 95], axis=1)
    pulsing = float(np.percentile(high - low, 75))
    swell = float(np.ptp(np.percentile(high, [5, 95])))
    return "ambient" if pulsing < 13.0 and swell < 18.0 else "event"


@dataclass(frozen=True, slots=True)
class _Sound:
    """Frames of one sound. `first_peak` and `last_peak` differ once parts have been joined."""

    level: float
    start: int
    end: int
    first_peak: int
    last_peak: int
    longest_core_s: float


def _occurrences(levels: NDArray[np.float64], floor: float) -> list[tuple[int, int]]:
    """Frame spans of single sounds: prominent peaks of the envelope, with the parts of one phrase joined.

    Two neighbours are one sound where the dip between them is short and either has a long loud body (the crow of
    a rooster) or the first is a weak lead of the second (the breath of a sneeze). Short pulses alike in level
    (barks, knocks) stay single however quickly they follow one another.
    """
    smooth = _decibels(uniform_filter1d(10 ** (levels / 10), 3, mode="nearest"))
    top = float(smooth.max())
    floor = min(floor, top - _SPAN_BELOW_PEAK_DB)
    padded = np.concatenate([[FLOOR_DB], smooth, [FLOOR_DB]])
    height = max(top - _AUDIBLE_BELOW_PEAK_DB, floor + 10.0)
    peaks = find_peaks(padded, height=height, prominence=_PROMINENCE_DB)[0] - 1
    valleys = [int(a + np.argmin(smooth[a:b])) for a, b in pairwise(peaks)]
    bounds = [0, *valleys, len(smooth)]
    sounds: list[_Sound] = []
    for peak, left, right in zip(peaks.tolist(), bounds[:-1], bounds[1:], strict=True):
        level = float(smooth[peak])
        start, end = _reach(smooth, peak, left, right, max(level - _SPAN_BELOW_PEAK_DB, floor + 6.0))
        core_start, core_end = _reach(smooth, peak, left, right, level - _CORE_BELOW_PEAK_DB)
        sound = _Sound(level, start, end, peak, peak, (core_end - core_start) * HOP_S)
        while sounds and _same_sound(sounds[-1], sound, smooth):
            lead = sounds.pop()
            sound = replace(
                sound,
                level=max(lead.level, sound.level),
                start=lead.start,
                first_peak=lead.first_peak,
                longest_core_s=max(lead.longest_core_s, sound.longest_core_s),
            )
        sounds.append(sound)
    return [(sound.start, sound.end) for sound in sounds]


def _same_sound(a: _Sound, b: _Sound, levels: NDArray[np.float64]) -> bool:
    between = levels[a.last_peak : b.first_peak]
    if len(between) * HOP_S < _SYLLABLE_S:
        return True
    gap_s = np.count_nonzero(between < min(between[0], levels[b.first_peak]) - _GAP_BELOW_PEAK_DB) * HOP_S
    lead = gap_s < _LEAD_GAP_S and b.level - a.level >= _LEAD_DB
    body = any(
        part.longest_core_s >= _LONG_CORE_S and part.level >= other.level - _BODY_DB for part, other in ((a, b), (b, a))
    )
    return bool(lead or (gap_s < _PHRASE_GAP_S and body))


def _reach(levels: NDArray[np.float64], peak: int, left: int, right: int, threshold: float) -> tuple[int, int]:
    """Frames around `peak`, within [left, right), before the level first falls below `threshold`."""
    before = np.flatnonzero(levels[left:peak] < threshold)
    after = np.flatnonzero(levels[peak:right] < threshold)
    start = left + int(before[-1]) + 1 if len(before) else left
    end = peak + int(after[0]) if len(after) else right
    return start, end


def _onset_cut(samples: NDArray[np.float32], begin: int, span: tuple[int, int], *, rate: int) -> bool:
    """Whether the recording begins inside its first sound: its first 2 ms are already within 10 dB of the
    loudest part, where even a sharp attack would still be rising."""
    if span[0] > begin + 0.03 * rate:
        return False
    return _is_near(samples[begin : begin + round(0.002 * rate)], samples[slice(*span)], 10.0, rate=rate)


def _offset_cut(samples: NDArray[np.float32], end: int, span: tuple[int, int], *, rate: int) -> bool:
    """Whether the recording ends inside its last sound: 20 to 40 ms before the end (an editor's fade is
    shorter) it is within 15 dB of the loudest part."""
    if span[1] < end - 0.03 * rate:
        return False
    edge = samples[max(span[0], end - round(0.04 * rate)) : end - round(0.02 * rate)]
    return _is_near(edge, samples[slice(*span)], 15.0, rate=rate)


def _is_near(edge: NDArray[np.float32], sound: NDArray[np.float32], within_db: float, *, rate: int) -> bool:
    if not len(edge):
        return False
    power = float(np.mean(np.square(edge, dtype=np.float64)))
    return power > 10 ** ((float(envelope(sound, rate=rate).max()) - within_db) / 10)
