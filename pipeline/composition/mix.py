"""From a timeline to a waveform: levels, noise at its SNR, a ceiling for the whole stream, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.composition.seams import Seam, SeamKind, crossfade_gains, hann_rise, measure_seams
from pipeline.composition.sources import MAX_PERIOD_SAMPLES, Bed, Source, Stem, tile
from pipeline.composition.timeline import Element, Timeline, crossfade_samples
from pipeline.errors import BadInput
from pipeline.loudness import (
    PEAK_CONTEXT,
    Meter,
    active_energy,
    gain,
    hull,
    measure,
    near_true_peak,
    round_db,
    to_db,
    true_peak,
)
from schemas.composition import CompositionParams
from schemas.protocol import CHUNK_SAMPLES
from schemas.row import Quality

BLOCK_SAMPLES = 16 * CHUNK_SAMPLES
"""Rendered and measured at a time, while it is in the processor's cache."""
KEPT_SAMPLES = 16_000 * 600
"""A longer stream is not kept: its blocks are rendered once to measure it and again when they are asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseTrack:
    """A noise bed to lay under the whole stream, `snr_db` below the active foreground."""

    track: str
    clips: Sequence[np.ndarray]
    """float32, 16 kHz; tiled in a drawn order, brought to the same power."""
    snr_db: float


@dataclass(frozen=True, slots=True)
class RealisedNoise:
    """A noise track as it is in the stream."""

    track: str
    snr_db: float


@dataclass(frozen=True, slots=True, eq=False)
class Composition:
    """A composed stream: float32 in [-1, 1], 16 kHz. Its stems and noise stems sum to it."""

    timeline: Timeline
    noise: tuple[RealisedNoise, ...]
    stream_gain_db: float
    """0, or what keeps the true peak below the ceiling; every stem contains it."""
    seams: tuple[Seam, ...]
    quality: Quality
    _stems: Mapping[str, Source]
    _beds: Mapping[str, Source]
    _sources: tuple[Source, ...]
    _sounding: tuple[list[int], ...]
    """Per block of the stream, the indices of the sources in it."""
    _ceiling_dbtp: float
    _fade_samples: int
    _kept: np.ndarray | None = None

    @property
    def mix(self) -> np.ndarray:
        """The whole stream, shape (timeline.total_samples,)."""
        return self._kept if self._kept is not None else np.concatenate(list(self.blocks()))

    def blocks(self, block_samples: int = BLOCK_SAMPLES) -> Iterator[np.ndarray]:
        """The stream in consecutive blocks, in memory that does not grow with its length."""
        total = self.timeline.total_samples
        for lo in range(0, total, block_samples):
            hi = min(lo + block_samples, total)
            if self._kept is not None:
                yield self._kept[lo:hi]
            else:
                yield self._render(lo, hi) * gain(self.stream_gain_db)

    @property
    def gains_db(self) -> dict[str, float]:
        """What was done to each element's samples, fades apart, in dB."""
        return {key: source.gain_db + self.stream_gain_db for key, source in self._stems.items()}

    def stem(self, key: str) -> np.ndarray:
        """What an element adds to the mix, from its `start_sample` on; in a room it outlasts its interval."""
        source = self._stems[key]
        return source.render(source.start, min(source.stop, self.timeline.total_samples)) * gain(self.stream_gain_db)

    def noise_stem(self, track: str) -> np.ndarray:
        """What a noise track adds to the mix, over the whole stream."""
        return self._beds[track].render(0, self.timeline.total_samples) * gain(self.stream_gain_db)

    def lowered(self, stream_gain_db: float) -> Composition:
        """The same stream with a gain of at most `stream_gain_db`, so that both rows of a pair can have the same."""
        return self if stream_gain_db >= self.stream_gain_db else _finish(self, most_db=stream_gain_db)

    def _render(self, lo: int, hi: int, out: np.ndarray | None = None) -> np.ndarray:
        """Samples [lo, hi) before the stream's gain."""
        if out is None:
            out = np.empty(hi - lo, np.float32)
        out.fill(0)
        blocks = self._sounding[lo // BLOCK_SAMPLES : (hi - 1) // BLOCK_SAMPLES + 1]
        # Always in the same order, for the same rounding whatever the stretch.
        for i in blocks[0] if len(blocks) == 1 else sorted(set().union(*blocks)):
            self._sources[i].add_to(out, lo)
        return out


def compose(
    timeline: Timeline,
    noise: Sequence[NoiseTrack],
    *,
    params: CompositionParams,
    rng: np.random.Generator,
    room_ir: np.ndarray | None = None,
) -> Composition:
    """Mix a timeline (SoundFlow, arXiv 2606.05121, dual-track composition).

    Every clip is brought to the common loudness (BS.1770), then to its role's gain, but never past the ceiling by
    itself. Noise is scaled against the mean power of the active 20 ms frames of the foreground stems that are not
    exempt; without any, against a foreground at the common loudness. If the true peak passes the ceiling the whole
    stream is lowered.

    Args:
        noise: tracks with different names; `rng` draws the order of each one's clips and where it begins.
        room_ir: impulse response applied to every element that is not `dry`, never to noise. It is cut before its
            largest sample, so that events stay in place, and scaled to unit energy.

    Raises:
        BadInput: NaN or infinite samples, a silent noise clip, two noise tracks of one name, an empty response.
    """
    stems = _stems(timeline, params)
    if room_ir is not None:
        room = unit_room(room_ir)
        stems = {e.key: stems[e.key] if e.dry else stems[e.key].in_room(room) for e in timeline.elements}
    power = _foreground_power(timeline, stems, params)

    beds: dict[str, Source] = {}
    noise_powers: dict[str, float] = {}
    for track in noise:
        if track.track in beds:
            raise BadInput(f"two noise tracks are called {track.track!r}; each needs its own name")
        bed = _noise_bed(track, timeline.total_samples, params, rng)
        bed_power = bed.mean_power()
        gain_db = round_db(to_db(power / bed_power) - track.snr_db)
        beds[track.track] = bed.scaled(gain_db)
        noise_powers[track.track] = bed_power * float(gain(gain_db)) ** 2

    quality = Quality(
        peak_dbfs=None,
        lufs=None,
        realised_snr_db=to_db(power / sum(noise_powers.values())) if noise_powers else None,
        silence_ratio=timeline.silence_ratio,
        max_seam_jump=None,
        clipped_samples=0,
    )
    realised = tuple(RealisedNoise(name, to_db(power / noise_power)) for name, noise_power in noise_powers.items())
    fade = crossfade_samples(params)
    sources = (*beds.values(), *stems.values())
    sounding = _sounding(sources, timeline.total_samples)
    draft = Composition(timeline, realised, 0.0, (), quality, stems, beds, sources, sounding, params.ceiling_dbtp, fade)
    return _finish(draft, most_db=0.0)


def _sounding(sources: Sequence[Source], total: int) -> tuple[list[int], ...]:
    blocks: tuple[list[int], ...] = tuple([] for _ in range(0, total, BLOCK_SAMPLES))
    for i, source in enumerate(sources):
        for block in range(source.start // BLOCK_SAMPLES, (min(source.stop, total) - 1) // BLOCK_SAMPLES + 1):
            blocks[block].append(i)
    return blocks


def _finish(draft: Composition, *, most_db: float) -> Composition:
    """Render the draft, lower it where it must be (to `most_db` at least), and measure what it then is."""
    total = draft.timeline.total_samples
    kept = np.empty(total, np.float32) if total <= KEPT_SAMPLES else None
    buffer = np.empty(BLOCK_SAMPLES, np.float32)
    peaks: list[float] = []
    meter = Meter()
    for lo in range(0, total, BLOCK_SAMPLES):
        hi = min(lo + BLOCK_SAMPLES, total)
        block = draft._render(lo, hi, buffer[: hi - lo] if kept is None else kept[lo:hi])
        peaks.append(float(max(block.max(), -block.min())))
        meter.add(block)
    if not np.isfinite(peaks).all():
        raise BadInput(f"{_not_finite(draft.timeline)!r} has samples that are NaN or infinite; leave out the clip")
    peak = max(*peaks, 1e-9)

    def read(lo: int, hi: int) -> np.ndarray:
        return draft._render(lo, hi) if kept is None else kept[lo:hi]

    highest = max(peak, _true_peak(read, peaks, total, above=max(peak, 10 ** (draft._ceiling_dbtp / 20))))
    stream_gain_db = min(most_db, round_db(draft._ceiling_dbtp - 2 * to_db(highest)))
    if kept is not None and stream_gain_db < 0:
        kept *= gain(stream_gain_db)

    lufs = meter.integrated(stream_gain_db)
    seams = measure_seams(
        read if kept is not None else lambda lo, hi: read(lo, hi) * gain(stream_gain_db),
        _seam_places(draft.timeline, draft._sources, draft._fade_samples),
        total_samples=total,
    )
    quality = draft.quality.model_copy(
        update={
            "peak_dbfs": 2 * to_db(peak) + stream_gain_db,
            "lufs": lufs if math.isfinite(lufs) else None,
            "max_seam_jump": max((seam.jump for seam in seams), default=None),
        }
    )
    return replace(draft, stream_gain_db=stream_gain_db, seams=seams, quality=quality, _kept=kept)


def _true_peak(read: Callable[[int, int], np.ndarray], peaks: Sequence[float], total: int, *, above: float) -> float:
    """True peak of the stream where it exceeds `above`, else 0; reads only blocks whose samples come near."""
    highest = 0.0
    # Where the loudest come first, fewer of the others come near.
    for i in sorted(range(len(peaks)), key=lambda i: -peaks[i]):
        if peaks[i] <= near_true_peak(max(above, highest)):
            break
        lo = i * BLOCK_SAMPLES
        first, last = lo - PEAK_CONTEXT, min(lo + BLOCK_SAMPLES, total) + PEAK_CONTEXT
        x = read(max(first, 0), min(last, total))
        if first < 0 or last > total:
            x = np.pad(x, (max(-first, 0), max(last - total, 0)))
        highest = max(highest, true_peak(x, above=max(above, highest)))
    return highest


def _gain_db(element: Element, samples: np.ndarray, params: CompositionParams) -> float:
    """To the common loudness, then to the element's place, without passing the ceiling."""
    first, stop = hull(element.samples)
    # The level of a whole clip says little about a cut of it: Scaper's trap of untrimmed clips.
    level = element.level if element.level is not None and samples.size == stop - first else measure(samples)
    if not math.isfinite(level.peak_dbfs):
        raise BadInput(f"{element.key!r} has samples that are NaN or infinite; repair or leave out the clip")
    lift = min(params.target_lufs - level.loudness_lufs, params.max_clip_gain_db)
    place = getattr(params.role_gains_db, element.role) if element.gain_db is None else element.gain_db
    return round_db(min(lift + place, params.ceiling_dbtp - level.peak_dbfs))


def _stems(timeline: Timeline, params: CompositionParams) -> dict[str, Source]:
    fade = crossfade_samples(params)
    stems: dict[str, Source] = {}
    before: tuple[Element, Stem] | None = None
    for element, p in zip(timeline.elements, timeline.placements, strict=True):
        samples = element.samples[p.clip_start_sample : p.clip_end_sample]
        gain_db = _gain_db(element, samples, params)
        if p.tile_phase_samples is not None:
            period, joins = tile([samples], fade_samples=fade, taper_samples=element.taper_samples)
            bed = Bed(period, p.tile_phase_samples % period.size, p.end_sample, 0.0, joins)
            stems[p.key] = bed.scaled(gain_db)
            continue
        stem = Stem(samples, p.start_sample, gain_db)
        if not (element.taper_samples or p.end_sample - p.start_sample == timeline.total_samples):
            edge = hann_rise(min(fade, samples.size // 2))
            stem = replace(stem, head=edge, tail=edge[::-1])
        if p.role == "foreground":
            if (n := p.join_samples) and before:
                ending, ending_stem = before
                out_gain, in_gain = crossfade_gains(
                    ending_stem.samples[-n:],
                    samples[:n],
                    taper_out_samples=ending.taper_samples,
                    taper_in_samples=element.taper_samples,
                )
                stems[ending.key] = replace(ending_stem, tail=out_gain)
                stem = replace(stem, head=in_gain)
            before = element, stem
        stems[p.key] = stem
    return stems


def unit_room(response: np.ndarray) -> np.ndarray:
    """An impulse response from the direct sound on, at unit energy. Raises BadInput where it is none."""
    if response.ndim != 1 or not np.isfinite(response).all() or not response.any():
        raise BadInput(f"a room response of shape {response.shape} must be mono, finite and not silent")
    direct = response[int(np.argmax(np.abs(response))) :].astype(np.float32)
    return direct / np.sqrt(np.dot(direct, direct))


def _foreground_power(timeline: Timeline, stems: Mapping[str, Source], params: CompositionParams) -> float:
    """Mean square of the active foreground; nominal where all of it is exempt or there is none."""
    energy, samples = 0.0, 0
    for element in timeline.elements:
        if element.role == "foreground" and not element.exempt:
            stem = stems[element.key]
            for lo in range(stem.start, stem.stop, KEPT_SAMPLES):
                piece = stem.render(lo, min(lo + KEPT_SAMPLES, stem.stop))
                piece_energy, piece_samples = active_energy(piece)
                energy, samples = energy + piece_energy, samples + piece_samples
    if energy > 0:
        return energy / samples
    return 10 ** ((params.target_lufs + params.role_gains_db.foreground + 0.691) / 10)


def _noise_bed(track: NoiseTrack, total: int, params: CompositionParams, rng: np.random.Generator) -> Source:
    """A cut of one clip as long as the stream, or as many clips as it needs, at equal power, tiled."""
    fade = crossfade_samples(params)
    chosen: list[np.ndarray] = []
    for i in rng.permutation(len(track.clips)):
        clip = track.clips[i]
        if clip.dtype != np.float32 or clip.ndim != 1:
            raise BadInput(f"a clip of noise {track.track!r} is {clip.dtype} of shape {clip.shape}; need float32, (n,)")
        longest = total if not chosen else MAX_PERIOD_SAMPLES
        if clip.size > longest:
            start = int(rng.integers(clip.size - longest + 1))
            clip = clip[start : start + longest]
        power = float(np.dot(clip, clip)) / max(clip.size, 1)
        if clip.size < 2 or not 0 < power < math.inf:
            raise BadInput(f"a clip of noise {track.track!r} is silent, empty or not finite; leave it out")
        if clip.size == total:
            return Stem(clip, 0, 0.0)
        chosen.append(clip / np.float32(power**0.5))
        if sum(c.size for c in chosen) >= min(total, MAX_PERIOD_SAMPLES):
            break
    if not chosen:
        raise BadInput(f"noise track {track.track!r} has no clips; give it one or leave it out")
    period, joins = tile(chosen, fade_samples=fade)
    return Bed(period, int(rng.integers(period.size)), total, 0.0, joins)


def _seam_places(timeline: Timeline, sources: Iterable[Source], fade_samples: int) -> list[tuple[int, SeamKind]]:
    """Middle of each fade: joins of the foreground, ends of sounds over the beds, first hearings of a bed's joins."""
    places: list[tuple[int, SeamKind]] = []
    end = -1
    for p in sorted(timeline.placements, key=lambda p: p.role != "foreground"):
        if p.role == "foreground" and (p.join_samples or p.start_sample == end):
            places[-1] = (p.start_sample + p.join_samples // 2, "join")
        elif p.tile_phase_samples is None:
            places.append((p.start_sample + fade_samples // 2, "edge"))
        if p.tile_phase_samples is None:
            places.append((p.end_sample - fade_samples // 2, "edge"))
        end = p.end_sample
    for source in sources:
        if isinstance(source, Bed):
            places.extend((place, "tile") for place in source.first_joins())
    return sorted(set(places))


def _not_finite(timeline: Timeline) -> str:
    return next((e.key for e in timeline.elements if not np.isfinite(e.samples).all()), "a noise clip")
