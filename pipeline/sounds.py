"""From material to a sound that can be placed: conditioning by profile, cached in the library for clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.loudness import Level, measure
from pipeline.conditioning.tfjp import Conditioned, KeptSpan, Profile, condition, conditioned_key
from pipeline.grounding.cascade import Material
from pipeline.library.store import ConditionedCache
from pipeline.timing import to_samples
from schemas.conditioning import TfjpParams
from schemas.taxonomy import EventKind, Role


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Conditioned samples (float32, 16 kHz mono), what they keep of the material, and their level."""

    samples: np.ndarray
    profile: Profile
    spans: tuple[KeptSpan, ...]
    iterations: int
    reason: str | None
    level: Level
    taper_samples: int

    def to_output(self, sample: int) -> int | None:
        """Where a sample of the material lies in `samples`; None where it was cut."""
        return Conditioned(self.samples, self.spans, self.iterations, False, self.reason).to_output(sample)


def profile_of(kind: EventKind, role: Role) -> Profile:
    """Beds keep their texture and speech its pauses; only foreground effects are denoised and cut to their core."""
    if kind == "speech":
        return "speech"
    if kind == "music":
        return "music"
    return "ambient" if role == "ambient" else "sfx"


@dataclass(frozen=True, slots=True)
class Conditioner:
    """TFJP with the recipe's parameters; `params` "off" passes everything untouched, for ablations."""

    params: TfjpParams | str
    cache: ConditionedCache | None

    def __call__(self, material: Material, profile: Profile) -> Sound:
        """Condition a material; clips of the library are looked up first and stored after."""
        if isinstance(self.params, str):
            spans = (KeptSpan(0, len(material.samples), 0),)
            return Sound(material.samples, profile, spans, 0, "conditioning: off", measure(material.samples), 0)
        if material.clip is None or self.cache is None:
            return self._condition(material.samples, profile, self.params)
        span = (material.clip_start_sample, material.clip_end_sample)
        key = conditioned_key(material.clip.sha256, *span, profile, self.params)
        found = self.cache.get(key)
        if found is not None:
            return _from_cache(*found, self._taper(found[1]["reason"]))
        sound = self._condition(material.samples, profile, self.params)
        self.cache.put(key, sound.samples, _meta(sound))
        return sound

    def _condition(self, samples: np.ndarray, profile: Profile, params: TfjpParams) -> Sound:
        done = condition(samples, profile=profile, params=params)
        return Sound(
            samples=done.samples,
            profile=profile,
            spans=done.spans,
            iterations=done.iterations,
            reason=done.reason,
            level=measure(done.samples),
            taper_samples=self._taper(done.reason),
        )

    def _taper(self, reason: str | None) -> int:
        if isinstance(self.params, str) or reason is not None:
            return 0
        return to_samples(self.params.omega_ms / 1000)


def _meta(sound: Sound) -> dict[str, Any]:
    return {
        "profile": sound.profile,
        "spans": [(s.clip_start_sample, s.clip_end_sample, s.start_sample) for s in sound.spans],
        "iterations": sound.iterations,
        "reason": sound.reason,
        "level": (sound.level.loudness_lufs, sound.level.peak_dbfs),
    }


def _from_cache(samples: np.ndarray, meta: Mapping[str, Any], taper_samples: int) -> Sound:
    return Sound(
        samples=samples,
        profile=meta["profile"],
        spans=tuple(KeptSpan(*span) for span in meta["spans"]),
        iterations=meta["iterations"],
        reason=meta["reason"],
        level=Level(*meta["level"]),
        taper_samples=taper_samples,
    )
