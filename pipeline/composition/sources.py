"""What a stream is the sum of: stems that sound once, and beds that repeat. Rendered a stretch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
from scipy.signal import oaconvolve

from pipeline.composition.seams import crossfade_gains
from pipeline.loudness import gain

MAX_PERIOD_SAMPLES = 16_000 * 600
"""A bed made of several clips repeats after ten minutes, however many there are."""
_MIN_PERIOD_SAMPLES = 16_000


@dataclass(frozen=True, slots=True, eq=False)
class Stem:
    """A sound from `start` on, with the gains of its first and last samples and an optional room."""

    samples: np.ndarray
    start: int
    gain_db: float
    head: np.ndarray | None = None
    tail: np.ndarray | None = None
    room: np.ndarray | None = None

    @property
    def stop(self) -> int:
        """One past the last sample, the room's decay included."""
        return self.start + self.samples.size + (0 if self.room is None else self.room.size - 1)

    def add_to(self, out: np.ndarray, at: int) -> None:
        """Add what sounds in the stream's samples [at, at + len(out)); depends on nothing outside them."""
        lo, hi = max(at, self.start), min(at + out.size, self.stop)
        if lo < hi:
            out[lo - at : hi - at] += self.render(lo, hi)

    def render(self, lo: int, hi: int) -> np.ndarray:
        """The stream's samples [lo, hi), which must lie in [start, stop)."""
        lo, hi = lo - self.start, hi - self.start
        if self.room is None:
            return self._dry(lo, hi)
        first, last = max(lo - self.room.size + 1, 0), min(hi, self.samples.size)
        return oaconvolve(self._dry(first, last), self.room)[lo - first : hi - first]

    def in_room(self, room: np.ndarray) -> Stem:
        """The same sound in a room of this impulse response."""
        return replace(self, room=room)

    def mean_power(self) -> float:
        """Mean square of the samples as they are given."""
        return _energy(self.samples) / self.samples.size

    def scaled(self, gain_db: float) -> Stem:
        """The same sound, louder by `gain_db`."""
        return replace(self, gain_db=self.gain_db + gain_db)

    def _dry(self, lo: int, hi: int) -> np.ndarray:
        x = self.samples[lo:hi] * gain(self.gain_db)
        if self.head is not None and lo < self.head.size:
            fade = self.head[lo:hi]
            x[: fade.size] *= fade
        if self.tail is not None and hi > (begin := self.samples.size - self.tail.size):
            fade = self.tail[max(lo - begin, 0) : hi - begin]
            x[x.size - fade.size :] *= fade
        return x


@dataclass(frozen=True, slots=True, eq=False)
class Bed:
    """One seamless period of a sound that goes on through the whole stream [0, stop), from `phase` on."""

    period: np.ndarray
    """Contains the gain."""
    phase: int
    stop: int
    gain_db: float
    joins: tuple[int, ...]
    """Centres of the crossfades, in the period."""
    start: int = 0

    def add_to(self, out: np.ndarray, at: int) -> None:
        """Add the stream's samples [at, at + len(out))."""
        position, done = (at + self.phase) % self.period.size, 0
        while done < out.size:
            part = self.period[position : position + out.size - done]
            out[done : done + part.size] += part
            position, done = 0, done + part.size

    def render(self, lo: int, hi: int) -> np.ndarray:
        """The stream's samples [lo, hi)."""
        out = np.zeros(hi - lo, np.float32)
        self.add_to(out, lo)
        return out

    def in_room(self, room: np.ndarray) -> Bed:
        """The same sound in a room: the period is convolved circularly, which keeps it seamless."""
        size = self.period.size
        folded = np.zeros(-(-room.size // size) * size, np.float32)
        folded[: room.size] = room
        response = np.asarray(scipy.fft.rfft(folded.reshape(-1, size).sum(axis=0)))
        wet = scipy.fft.irfft(np.asarray(scipy.fft.rfft(self.period)) * response, size)
        return replace(self, period=np.asarray(wet))

    def mean_power(self) -> float:
        """Mean square over the whole stream."""
        size = self.period.size
        cycles, rest = divmod(self.stop, size)
        energy = cycles * _energy(self.period) if cycles else 0.0
        first = self.period[self.phase : self.phase + rest]
        return (energy + _energy(first) + _energy(self.period[: rest - first.size])) / self.stop

    def scaled(self, gain_db: float) -> Bed:
        """The same sound, louder by `gain_db`."""
        return replace(self, period=self.period * gain(gain_db), gain_db=self.gain_db + gain_db)

    def first_joins(self) -> list[int]:
        """Where each join is heard first in the stream."""
        places = [(join - self.phase) % self.period.size for join in self.joins]
        return [place for place in places if place < self.stop]


Source = Stem | Bed


def tile(
    clips: Sequence[np.ndarray], *, fade_samples: int, taper_samples: int = 0
) -> tuple[np.ndarray, tuple[int, ...]]:
    """One seamless period: the clips in order, each crossfaded into the next and the last into the first.

    Clips must be contiguous float32 of 2 samples or more. Returns the period and the centres of its joins.
    """
    sizes = [clip.size for clip in clips]
    following = [*range(1, len(clips)), 0]
    overlap = max(fade_samples, taper_samples) if fade_samples else 0
    overlaps = [min(overlap, sizes[i] // 2, sizes[j] // 2) for i, j in enumerate(following)]
    faded = [clip.copy() for clip in clips] if overlap else list(clips)
    for i, j in enumerate(following):
        if n := overlaps[i]:
            out_gain, in_gain = crossfade_gains(
                clips[i][-n:], clips[j][:n], taper_out_samples=taper_samples, taper_in_samples=taper_samples
            )
            faded[i][-n:] *= out_gain
            faded[j][:n] *= in_gain
    size = sum(sizes) - sum(overlaps)
    laid = np.zeros(size + overlaps[-1], np.float32)
    joins = [overlaps[-1] // 2]
    at = 0
    for clip, n in zip(faded, overlaps, strict=True):
        laid[at : at + clip.size] += clip
        at += clip.size - n
        joins.append(at + n // 2)
    period = laid[:size]
    period[: overlaps[-1]] += laid[size:]
    # Of a click tiled through an hour not every repetition shall cost a step.
    copies = -(-_MIN_PERIOD_SAMPLES // size)
    return (np.tile(period, copies) if copies > 1 else period), tuple(joins[:-1])


def _energy(samples: np.ndarray) -> float:
    return float(np.dot(samples, samples))
