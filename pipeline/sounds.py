"""From material to a sound that can be placed: conditioning by profile, cached in the library for clips."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.conditioning.tfjp import Conditioned, KeptSpan, Profile, condition, conditioned_key
from pipeline.grounding.cascade import Material
from pipeline.library.clip import Clip
from pipeline.library.store import ConditionedCache
from pipeline.loudness import Level, measure
from pipeline.timing import to_samples
from schemas.conditioning import TfjpParams
from schemas.taxonomy import EventKind, Role

RECENT_BYTES = 24 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Conditioned samples (float32, 16 kHz mono), what they keep of the material, and their level."""

    samples: np.ndarray
    profile: Profile
    spans: tuple[KeptSpan, ...]
    iterations: int
    hit_cap: bool
    reason: str | None
    level: Level
    taper_samples: int

    def to_output(self, sample: int) -> int | None:
        """Where a sample of the material lies in `samples`; None where it was cut."""
        return Conditioned(self.samples, self.spans, self.iterations, self.hit_cap, self.reason).to_output(sample)


def profile_of(kind: EventKind, role: Role, clip: Clip | None) -> Profile:
    """Beds and clips of a texture (rain, waves, a helicopter) keep it, and speech its pauses; only other effects are
    denoised and cut to their core."""
    if kind == "speech":
        return "speech"
    if kind == "music":
        return "music"
    return "ambient" if role == "ambient" or (clip is not None and clip.track_class == "ambient") else "sfx"


@dataclass(frozen=True, slots=True)
class Conditioner:
    """TFJP with the recipe's parameters; `params` "off" passes everything untouched, for ablations.

    What it made or read last stays in memory, as clips of a small library come again and again.
    """

    params: TfjpParams | str
    cache: ConditionedCache | None
    _recent: Recent = field(default_factory=lambda: Recent(), compare=False)

    def __call__(self, material: Material, profile: Profile) -> Sound:
        """Condition a material; what can come again is looked up first and stored after."""
        if isinstance(self.params, str):
            spans = (KeptSpan(0, len(material.samples), 0),)
            return Sound(material.samples, profile, spans, 0, False, "conditioning: off", measure(material.samples), 0)
        content = material.clip.sha256 if material.clip is not None else material.content
        if content is None or self.cache is None:
            return self._condition(material.samples, profile, self.params)
        what = (content, material.clip_start_sample, material.clip_end_sample, profile)
        sound = self._recent.get(what)
        if sound is None:
            sound = self._kept(conditioned_key(*what, self.params), material, profile, self.cache, self.params)
            self._recent.put(what, sound)
        return sound

    def _kept(
        self, key: str, material: Material, profile: Profile, cache: ConditionedCache, params: TfjpParams
    ) -> Sound:
        found = cache.get(key)
        if found is not None:
            return _from_cache(*found, self._taper(found[1]["reason"]))
        sound = self._condition(material.samples, profile, params)
        cache.put(key, sound.samples, _meta(sound))
        return sound

    def _condition(self, samples: np.ndarray, profile: Profile, params: TfjpParams) -> Sound:
        done = condition(samples, profile=profile, params=params)
        return Sound(
            samples=done.samples,
            profile=profile,
            spans=done.spans,
            iterations=done.iterations,
            hit_cap=done.hit_cap,
            reason=done.reason,
            level=measure(done.samples),
            taper_samples=self._taper(done.reason),
        )

    def _taper(self, reason: str | None) -> int:
        if isinstance(self.params, str) or reason is not None:
            return 0
        return to_samples(self.params.omega_ms / 1000)


class Recent:
    """The sounds used last, RECENT_BYTES of them; may be used by many threads."""

    def __init__(self) -> None:
        self._sounds: dict[Hashable, Sound] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Sound | None:
        """The sound put under `key`, if it is still here."""
        with self._lock:
            sound = self._sounds.pop(key, None)
            if sound is not None:
                self._sounds[key] = sound
            return sound

    def put(self, key: Hashable, sound: Sound) -> None:
        """Keep `sound`, in the place of those not used for longest."""
        with self._lock:
            if key in self._sounds:
                return
            self._sounds[key] = sound
            self._bytes += sound.samples.nbytes
            while self._bytes > RECENT_BYTES:
                self._bytes -= self._sounds.pop(next(iter(self._sounds))).samples.nbytes


def _meta(sound: Sound) -> dict[str, Any]:
    return {
        "profile": sound.profile,
        "spans": [(s.clip_start_sample, s.clip_end_sample, s.start_sample) for s in sound.spans],
        "iterations": sound.iterations,
        "hit_cap": sound.hit_cap,
        "reason": sound.reason,
        "level": (sound.level.loudness_lufs, sound.level.peak_dbfs),
    }


def _from_cache(samples: np.ndarray, meta: Mapping[str, Any], taper_samples: int) -> Sound:
    return Sound(
        samples=samples,
        profile=meta["profile"],
        spans=tuple(KeptSpan(*span) for span in meta["spans"]),
        iterations=meta["iterations"],
        hit_cap=meta["hit_cap"],
        reason=meta["reason"],
        level=Level(*meta["level"]),
        taper_samples=taper_samples,
    )
