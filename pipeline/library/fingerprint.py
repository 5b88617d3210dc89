"""Whether two recordings are one: landmarks of spectral peaks (Wang, ISMIR 2003), whatever gain, codec or trimming.

A landmark is a pair of peaks: their frequencies and the time between them. Two recordings of the same sound share
landmarks at one common offset; recordings that are merely alike share few, at scattered offsets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.signal import stft

from schemas.protocol import SAMPLE_RATE

SAME_SHARE = 0.06
"""Share of the shorter one's landmarks from which two recordings are one."""
MIN_SHARED = 8
"""And at least so many of them: what has fewer is too short or too plain to be told from another."""

_WINDOW, _HOP = 1_024, 128
_LOWEST_BIN, _HIGHEST_BIN = 10, 450  # 160 Hz to 7 kHz: what resampling and codecs keep
_AROUND = (15, 41)  # bins, frames within which a peak is the highest
_BELOW_LOUDEST_DB = 50.0
_PEAKS_PER_S = 20
_TARGETS = 6
_FURTHEST = 63
_CROWDED = 40
"""A landmark of more recordings than this tells none of them apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Of one recording: `hashes` (uint32) and the frames of 8 ms at which they begin (int32)."""

    hashes: NDArray[np.uint32]
    frames: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.hashes)


def landmarks(samples: NDArray[np.float32]) -> Landmarks:
    """The landmarks of 16 kHz mono samples; none where there is less than a window of sound."""
    if len(samples) < _WINDOW:
        return Landmarks(np.zeros(0, np.uint32), np.zeros(0, np.int32))
    spectrum = stft(samples, SAMPLE_RATE, nperseg=_WINDOW, noverlap=_WINDOW - _HOP, padded=False, boundary=None)[2]  # pyright: ignore[reportArgumentType]
    levels = 20 * np.log10(np.abs(spectrum[_LOWEST_BIN:_HIGHEST_BIN]) + 1e-9)
    peak = (levels == maximum_filter(levels, _AROUND)) & (levels > levels.max() - _BELOW_LOUDEST_DB)
    peak &= levels > -150  # digital silence is a plateau of peaks
    bins, frames = np.nonzero(peak)
    kept = max(1, round(_PEAKS_PER_S * len(samples) / SAMPLE_RATE))
    strongest = np.argsort(-levels[bins, frames], kind="stable")[:kept]
    order = strongest[np.lexsort((bins[strongest], frames[strongest]))]
    bins, frames = bins[order].astype(np.int64), frames[order].astype(np.int64)
    hashes, starts = [], []
    for ahead in range(1, _TARGETS + 1):
        gap = frames[ahead:] - frames[:-ahead]
        fits = (gap > 0) & (gap <= _FURTHEST)
        hashes.append(((bins[:-ahead] << 15) | (bins[ahead:] << 6) | gap)[fits])
        starts.append(frames[:-ahead][fits])
    return Landmarks(np.concatenate(hashes).astype(np.uint32), np.concatenate(starts).astype(np.int32))


@dataclass(frozen=True, slots=True)
class Match:
    """Two recordings that are one; `share` of the shorter one's landmarks lie at a common offset."""

    one: str
    other: str
    share: float


def duplicates(recordings: Mapping[str, Landmarks]) -> list[Match]:
    """Every pair of recordings that are one, in order of their names."""
    names = sorted(recordings)
    sizes = np.array([len(recordings[name]) for name in names])
    hashes = np.concatenate([recordings[name].hashes for name in names])
    frames = np.concatenate([recordings[name].frames for name in names]).astype(np.int64)
    owners = np.repeat(np.arange(len(names)), sizes)
    order = np.lexsort((owners, hashes))
    hashes, frames, owners = hashes[order], frames[order], owners[order]
    found = []
    for ahead in range(1, _CROWDED):
        same = (hashes[ahead:] == hashes[:-ahead]) & (owners[ahead:] != owners[:-ahead])
        if same.any():
            one, other = owners[:-ahead][same], owners[ahead:][same]
            # Two frames wide, so that a shift by half a hop does not tear a match apart.
            offset = (frames[ahead:][same] - frames[:-ahead][same]) // 2
            found.append(np.stack([one, other, offset]))
    if not found:
        return []
    votes, counts = np.unique(np.concatenate(found, axis=1), axis=1, return_counts=True)
    best: dict[tuple[int, int], int] = {}
    previous: tuple[int, int, int, int] = (-1, -1, 0, 0)
    for (one, other, offset), count in zip(votes.T.tolist(), counts.tolist(), strict=True):
        neighbour = previous[3] if previous[:2] == (one, other) and offset - previous[2] == 1 else 0
        best[one, other] = max(best.get((one, other), 0), count + neighbour)
        previous = (one, other, offset, count)
    return [
        Match(names[one], names[other], round(share, 3))
        for (one, other), count in sorted(best.items())
        if count >= MIN_SHARED and (share := min(1.0, count / min(sizes[one], sizes[other]))) >= SAME_SHARE
    ]


class Book:
    """Recordings to be recognised one by one."""

    def __init__(self, recordings: Iterable[Landmarks]) -> None:
        pages = list(recordings)
        hashes = np.concatenate([np.zeros(0, np.uint32), *(page.hashes for page in pages)])
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._frames = np.concatenate([np.zeros(0, np.int64), *(page.frames for page in pages)])[order]
        self._owners = np.repeat(np.arange(len(pages)), [len(page) for page in pages])[order]
        self._sizes = np.array([len(page) for page in pages])

    def find(self, recording: Landmarks) -> tuple[int, float] | None:
        """(number, share) of the recording in the book that this one is; None where it is none of them."""
        low = np.searchsorted(self._hashes, recording.hashes, "left")
        counts = np.searchsorted(self._hashes, recording.hashes, "right") - low
        if not counts.any():
            return None
        own = np.repeat(np.arange(len(recording)), counts)
        at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
        offsets = (self._frames[at] - recording.frames[own]) // 2
        votes, found = np.unique(np.stack([self._owners[at], offsets]), axis=1, return_counts=True)
        after = np.append((votes[0, 1:] == votes[0, :-1]) & (votes[1, 1:] == votes[1, :-1] + 1), False)
        together = found + np.where(after, np.append(found[1:], 0), 0)
        shares = np.minimum(1.0, together / np.minimum(self._sizes[votes[0]], len(recording)))
        shares[together < MIN_SHARED] = 0
        best = int(np.argmax(shares))
        return (int(votes[0, best]), round(float(shares[best]), 3)) if shares[best] >= SAME_SHARE else None
