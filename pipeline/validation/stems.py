"""Is every event where the row says? Its stem is rendered again from what the row records, and looked for in the audio.

Clips come from the library's store, through conditioning with the recipe's parameters; procedural sounds from their
recorded seed; speech from the recorded voice. What cannot be rendered again (no library, another version of a
generator) is counted; for those the energy check of every foreground event remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np
from scipy.signal import oaconvolve

from pipeline.annotation.audit import audit
from pipeline.composition.mix import unit_room
from pipeline.composition.seams import hann_rise
from pipeline.composition.timeline import crossfade_samples
from pipeline.conditioning.tfjp import Profile
from pipeline.errors import BadInput, MissingDependency, StaleIdentity
from pipeline.grounding.cascade import Material
from pipeline.grounding.verify import VERIFIER
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.loudness import gain, hull
from pipeline.rooms import load_rooms
from pipeline.sounds import Conditioner, Sound
from pipeline.speaking import Cut, paused
from pipeline.synthesis.espeak import EspeakEngine
from pipeline.synthesis.generators import GENERATOR, Rendering
from pipeline.synthesis.kinds import KINDS
from pipeline.synthesis.speech import Voice
from pipeline.validation.findings import Finding, StemCounts
from pipeline.validation.folder import Manifest
from pipeline.validation.locate import Match, match, match_anywhere
from pipeline.validation.stream import Stream
from schemas.provenance import ConditioningRecord, SpeechRecord
from schemas.row import Event
from schemas.taxonomy import Policy

REACH_SAMPLES = 9_600
"""Shifts that are recognised as such: a chunk and a half to either side."""
FAINT_ERROR = 0.12
"""Above this standard error a gain of 1 cannot be told from none."""
GAIN_TOLERANCE = 0.08
"""Crossfades and rounding; the estimate's own error comes on top."""
BED_GAIN_TOLERANCE = 0.3
"""Of a bed whose place is searched for: its repetitions, and whatever resembles it, add to it."""
SHIFT_TOLERANCE = 0.1
ERRORS = 5.0
"""Standard errors allowed: a million sound events then stay without a false alarm."""


class StemChecker:
    """Renders stems again and looks for them; counts what it could do."""

    def __init__(self, manifest: Manifest, library: Library | None, counts: StemCounts | None = None) -> None:
        recipe = manifest.recipe
        if library is not None and library.hash != manifest.identity.get("library_sha256"):
            raise StaleIdentity(
                f"library {str(library.path)!r} has hash {library.hash!r}, the corpus was built from "
                f"{manifest.identity.get('library_sha256')!r}; give that library, or none"
            )
        self.counts = counts or StemCounts(library=library is not None)
        self._library = library
        self._policy: Policy = recipe.policy
        self._condition = Conditioner(recipe.conditioning, None if library is None else library.conditioned)
        self._fade = crossfade_samples(recipe.composition)
        self._speech = EspeakEngine()
        path = recipe.composition.room_ir
        rooms = load_rooms(path) if path is not None and Path(path).exists() else ()
        self._rooms = {room.sha256: unit_room(room.samples) for room in rooms}

    def check(self, stream: Stream) -> Iterator[Finding]:
        """Every event of one stream that can be rendered again."""
        room = stream.provenance.room
        response = None if room is None else self._rooms.get(room.sha256)
        if room is not None and response is None:
            self.counts.energy += len(stream.row.events)
            yield from self._facts(stream)
            return
        stems: dict[int, np.ndarray] = {}
        for i in range(len(stream.row.events)):
            try:
                sound = self._sound(stream, i)
            except BadInput as error:
                yield stream.finding("event-renderable", str(error), event=i)
                continue
            if sound is None:
                self.counts.energy += 1
                continue
            yield from _same_conditioning(stream, i, sound)
            stem = self._levelled(sound, stream.row.events[i])
            # Within its interval; its decay beyond goes unchecked.
            stems[i] = stem if response is None else oaconvolve(stem, response)[: len(stem)]
        fixed: dict[int, np.ndarray] = {}
        for i, stem in stems.items():
            event = stream.row.events[i]
            if _is_bed(event, stream.row.num_samples):
                continue
            length = event.end_sample - event.start_sample
            if len(stem) == length:
                fixed[i] = stem
            else:
                yield stream.finding("event-length", f"{length} samples, rendered again it has {len(stem)}", event=i)
        rest = stream.samples.copy()
        for i, stem in fixed.items():
            start = stream.row.events[i].start_sample
            rest[start : start + len(stem)] -= stem
        for i, stem in stems.items():
            if i in fixed:
                found = _around(rest, stem, stream.row.events[i].start_sample)
            elif _is_bed(stream.row.events[i], stream.row.num_samples):
                found = match_anywhere(rest, stem)
            else:
                continue
            yield from self._judge(stream, i, found)
        yield from self._facts(stream)

    def _judge(self, stream: Stream, index: int, found: Match) -> Iterator[Finding]:
        if found.error > FAINT_ERROR:
            self.counts.faint += 1
            return
        self.counts.located += 1
        slack = ERRORS * found.error
        bed = _is_bed(stream.row.events[index], stream.row.num_samples)
        elsewhere = found.best_gain > max(found.gain + SHIFT_TOLERANCE + slack, 0.5)
        if elsewhere and not bed:
            yield stream.finding(
                "event-in-place",
                f"lies {found.best_lag:+d} samples from its place (gain {found.best_gain:.2f} there, "
                f"{found.gain:.2f} in its place)",
                event=index,
            )
            return
        if abs(found.gain - 1) > (BED_GAIN_TOLERANCE if bed else GAIN_TOLERANCE) + slack:
            what = "is not heard in its place" if found.gain < 0.5 else "has another level"
            yield stream.finding(
                "event-in-place", f"{what}: gain {found.gain:.2f} +- {found.error:.2f}, expected 1", event=index
            )

    def _sound(self, stream: Stream, index: int) -> Sound | None:
        """One event before it is placed; None where it cannot be rendered again. BadInput where that must not be."""
        event = stream.row.events[index]
        record = next((r for r in stream.provenance.conditioning if r.event == index), None)
        if record is None:
            raise BadInput("no conditioning is recorded")
        material = self._material(stream, index, event, record)
        if material is None:
            return None
        if not material.samples.any():
            raise BadInput(f"{record.material} of its material is silence")
        if record.profile not in get_args(Profile):
            raise BadInput(f"profile {record.profile!r} is none of {get_args(Profile)}")
        sound = self._condition(material, cast(Profile, record.profile))
        speech = stream.speech(index)
        return sound if speech is None else paused(sound, _cuts(sound, event, speech))

    def _levelled(self, sound: Sound, event: Event) -> np.ndarray:
        first, stop = hull(sound.samples)
        stem = sound.samples[first:stop] * gain(event.gain_db)
        fade = 0 if sound.taper_samples else min(self._fade, len(stem) // 2)
        if fade:
            stem[:fade] *= hann_rise(fade)
            stem[len(stem) - fade :] *= hann_rise(fade)[::-1]
        return stem

    def _material(self, stream: Stream, index: int, event: Event, record: ConditioningRecord) -> Material | None:
        start, end = record.material
        clip = None
        if event.source == "retrieved":
            if self._library is None:
                return None
            clip = self._library.clips.get(event.clip_id or "")
            if clip is None or not 0 <= start < end <= clip.num_samples:
                raise BadInput(f"[{start}, {end}) of clip {event.clip_id!r} is not in the library")
            samples = self._library.read(clip.clip_id, start, end)
        elif event.source == "synthesized":
            if not (event.generator or "").startswith(f"{GENERATOR}:"):
                return None
            rendering = next((r for r in stream.provenance.renderings if r.event == index), None)
            if rendering is None or event.generator != f"{GENERATOR}:{rendering.kind}":
                raise BadInput(f"{event.generator!r} made it, {rendering} is recorded")
            samples = Rendering(rendering.kind, rendering.seed, rendering.duration_s).samples()[start:end]
        else:
            spoken = self._spoken(stream, index, event)
            if spoken is None:
                return None
            samples = spoken
        return Material(
            samples=samples,
            source=event.source,
            clip=clip,
            clip_start_sample=start,
            clip_end_sample=end,
            caption=event.caption or "",
            tags=(),
            generator=event.generator,
            licence=event.licence,
            attribution=event.attribution,
        )

    def _spoken(self, stream: Stream, index: int, event: Event) -> np.ndarray | None:
        record = next((r for r in stream.provenance.speech if r.event == index), None)
        if not (event.generator or "").startswith(f"{self._speech.name}/"):
            return None
        if record is None:
            raise BadInput(f"{event.generator!r} spoke it, but no voice is recorded")
        voice = Voice(self._speech.name, record.voice, stream.plan.language)
        try:
            speech = self._speech.speak(event.transcript or "", voice, rate_wpm=record.rate_wpm, pitch=record.pitch)
        except MissingDependency:
            return None
        return speech.samples if speech.engine == event.generator else None

    def _facts(self, stream: Stream) -> Iterator[Finding]:
        """What the row says of its sounds is what their sources say, and the noise is policy-silent."""
        for record in stream.provenance.renderings:
            event = stream.row.events[record.event]
            kind = KINDS.get(record.kind)
            if kind is not None and event.generator == f"{GENERATOR}:{record.kind}":
                yield from _recognised(stream, record.event, kind.tags)
                if event.caption not in kind.captions:
                    yield stream.finding("clip-facts", f"{event.caption!r} is no {record.kind}", event=record.event)
        if self._library is None:
            return
        clips = self._library.clips
        single = {event for event, step in stream.steps() if step.single_occurrence}
        for i, event in enumerate(stream.row.events):
            if event.source != "retrieved":
                continue
            clip = clips.get(event.clip_id or "")
            stored = (event.clip_sha256, event.caption, event.licence, event.attribution)
            if clip is None or (clip.sha256, clip.caption, clip.licence, clip.attribution) != stored:
                yield stream.finding("clip-facts", f"{stored} is not what the library says of the clip", event=i)
                continue
            if stream.refinement(i) is not None:
                yield from _recognised(stream, i, clip.tags)
            if i in single and (heard := _occurrences(clip, event)) != 1:
                yield stream.finding("count-single", f"{heard} occurrences of its clip are heard, expected 1", event=i)
        for track in stream.row.noise:
            for clip_id, licence in zip(track.clip_ids, track.licences, strict=False):
                clip = clips.get(clip_id)
                if clip is None or clip.licence != licence:
                    yield stream.finding("clip-facts", f"noise clip {clip_id!r} under {licence!r} is not the library's")
                elif audit(clip.caption, clip.tags, policy=self._policy).label != "silent":
                    yield stream.finding("noise-is-silent", f"{clip.caption!r} lies under the stream as noise")


def _cuts(sound: Sound, event: Event, speech: SpeechRecord) -> list[Cut]:
    """The recorded pauses, in samples of the sound they were composed into."""
    first, _ = hull(sound.samples)
    cuts: list[Cut] = []
    for start, end in speech.pauses:
        at = start - event.start_sample + first - sum(cut.samples for cut in cuts)
        if not 0 < at < len(sound.samples) or (cuts and at <= cuts[-1].at) or end <= start:
            raise BadInput(f"the pause over [{start}, {end}) is not within the turn")
        cuts.append(Cut(at, end - start))
    return cuts


def _is_bed(event: Event, num_samples: int) -> bool:
    """Tiled, or cut at a drawn place: it spans the stream, and which part of it is heard when is not recorded."""
    return event.role != "foreground" and (event.start_sample, event.end_sample) == (0, num_samples)


def _same_conditioning(stream: Stream, index: int, sound: Sound) -> Iterator[Finding]:
    record = next(r for r in stream.provenance.conditioning if r.event == index)
    spans = tuple((s.clip_start_sample, s.clip_end_sample, s.start_sample) for s in sound.spans)
    if (record.profile, record.spans) != (sound.profile, spans):
        yield stream.finding(
            "conditioning-spans",
            f"{record.profile} {record.spans}, conditioned again {sound.profile} {spans}",
            event=index,
        )


def _recognised(stream: Stream, index: int, tags: Sequence[str]) -> Iterator[Finding]:
    """A sound has one of the tags that its sub-event is recognised by, which is the rule verifier's rule alone."""
    if stream.provenance.verifier.name != VERIFIER[0]:
        return
    refinement = stream.refinement(index)
    accepted = {tag.strip().lower() for tag in refinement.accept_tags} if refinement else set()
    if not accepted & {tag.strip().lower() for tag in tags}:
        yield stream.finding("grounding-accepted", f"tags {tags} share none of {sorted(accepted)}", event=index)


def _occurrences(clip: Clip, event: Event) -> int:
    """Audible occurrences of a clip whose middle lies in the part that an event takes."""
    first, stop = event.clip_start_sample or 0, event.clip_end_sample or 0
    return sum(first <= (start + end) // 2 < stop for start, end in clip.occurrences)


def _around(rest: np.ndarray, stem: np.ndarray, start: int) -> Match:
    """The stretch around an event, with its own stem put back."""
    first, stop = start - REACH_SAMPLES, start + len(stem) + REACH_SAMPLES
    stretch = np.zeros(stop - first, np.float32)
    lo, hi = max(first, 0), min(stop, len(rest))
    stretch[lo - first : hi - first] = rest[lo:hi]
    recording = stretch.copy()
    recording[REACH_SAMPLES : REACH_SAMPLES + len(stem)] += stem
    return match(recording, stem, stretch[lo - first : hi - first], reach=REACH_SAMPLES)
