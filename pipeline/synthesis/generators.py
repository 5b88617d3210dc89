"""Sounds on demand: one interface for the embedded synthesizer, hosted and local models, and any program.

What a generator was asked for is no evidence of what it made. Only the embedded synthesizer, which renders by kind,
says what its sounds are; all others leave `caption` empty, and whoever takes them has them captioned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline import seeds
from pipeline.synthesis import kinds
from pipeline.synthesis.audio import Refused, Unusable, decoded
from pipeline.synthesis.made import Made, MadeCache
from pipeline.synthesis.program import check_program, run
from schemas import sound_services as recipe
from schemas.taxonomy import EventKind

GENERATOR = f"{kinds.name}/{kinds.version}"
MAX_PROMPT_CHARACTERS = 450
"""ElevenLabs takes so many; a sound needs fewer."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A procedural sound by what determines it, so that a validator can make it again."""

    kind: str
    seed: int
    duration_s: float

    @property
    def content(self) -> str:
        """Hex digest of all that determines the samples."""
        return hashlib.sha256(f"{GENERATOR}\x1f{self.kind}\x1f{self.seed}\x1f{self.duration_s!r}".encode()).hexdigest()

    def samples(self) -> np.ndarray:
        """float32, 16 kHz mono; always the same."""
        return kinds.render(self.kind, seeds.rng(self.seed, self.kind, "rendering"), duration_s=self.duration_s)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: the caption and tags to generate from, about how long, and the variant."""

    caption: str
    tags: tuple[str, ...]
    duration_s: float
    seed: int
    kind: EventKind = "sfx"
    sustained: bool = False
    """A bed, which goes on for its whole length."""
    plainer: tuple[str, ...] = ()
    """The same in fewer words, for the embedded synthesizer, which knows only few."""


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """A sound that was made: float32, 16 kHz mono. `caption` and `tags` are None where nobody knows what it is."""

    samples: np.ndarray
    caption: str | None
    tags: tuple[str, ...] | None
    generator: str
    """"name/version"."""
    licence: str
    attribution: str
    content: str
    """Hex digest of what determines the samples."""
    rendering: Rendering | None = None


class SoundGenerator(Protocol):
    """Makes sounds; equal wishes give equal samples (others' results are kept in a cache)."""

    @property
    def takes(self) -> int:
        """How many variants are worth a try."""
        ...

    def generate(self, wish: Wish) -> Generated | None:
        """The sound, or None where this generator cannot make it.

        Raises BadInput, MissingDependency or EndpointDown where it cannot make any.
        """
        ...


class Renderings(Protocol):
    """Keeps samples by key, such as a library's cache of conditioned clips."""

    def get(self, key: str) -> tuple[np.ndarray, dict[str, Any]] | None: ...
    def put(self, key: str, samples: np.ndarray, meta: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class ProceduralGenerator:
    """The embedded synthesizer: renders the kind that the caption names, and describes what it rendered."""

    takes: int = 4
    kept: Renderings | None = None

    def generate(self, wish: Wish) -> Generated | None:
        """None where no kind resembles the caption."""
        sustained = True if wish.sustained else None
        matched = (kinds.match_kind(text, wish.tags, sustained=sustained) for text in (wish.caption, *wish.plainer))
        name = next((kind for kind in matched if kind is not None), None)
        if name is None:
            return None
        kind, rendering = kinds.KINDS[name], Rendering(name, wish.seed, wish.duration_s)
        return Generated(
            samples=self._samples(rendering),
            caption=kind.captions[0],
            tags=kind.tags,
            generator=f"{GENERATOR}:{name}",
            licence="CC0-1.0",
            attribution=GENERATOR,
            content=rendering.content,
            rendering=rendering,
        )

    def _samples(self, rendering: Rendering) -> np.ndarray:
        found = None if self.kept is None else self.kept.get(rendering.content)
        if found is not None:
            return found[0]
        samples = rendering.samples()
        if self.kept is not None:
            self.kept.put(rendering.content, samples, {})
        return samples


Render = Callable[[Wish], np.ndarray]
"""Makes the samples (float32, 16 kHz mono). Raises Unusable or Refused where nothing comes of this wish."""


@dataclass(frozen=True, slots=True)
class CachedGenerator:
    """Any generator that costs something: each result is made once. `identity` holds what changes its sounds."""

    params: recipe.ElevenLabs | recipe.Diffusers | recipe.Command
    name: str
    version: str
    identity: dict[str, Any]
    render: Render
    cache: MadeCache

    @property
    def takes(self) -> int:
        return self.params.takes

    def generate(self, wish: Wish) -> Generated | None:
        """None for kinds of events that it does not make, for refused wishes, and where no sound came back."""
        if wish.kind not in self.params.makes:
            return None
        request = {
            "what": "sound",
            "generator": self.identity,
            "caption": wish.caption,
            "tags": list(wish.tags),
            "duration_s": wish.duration_s,
            "seed": wish.seed,
            "kind": wish.kind,
            "sustained": wish.sustained,
        }
        made = self.cache.once(request, lambda: self._make(wish))
        if made.samples is None:
            return None
        generator = f"{self.name}/{self.version}"
        content = hashlib.sha256(made.samples.tobytes()).hexdigest()
        attribution = self.params.attribution or generator
        return Generated(made.samples, None, None, generator, self.params.licence, attribution, content)

    def _make(self, wish: Wish) -> Made:
        # A hosted service's mishap may be gone next time; a refusal stays.
        for last in (False, True):
            try:
                return Made(self.render(wish), {})
            except Refused as refusal:
                return Made(None, {"refused": str(refusal)})
            except Unusable as reason:
                if last:
                    return Made(None, {"unusable": str(reason)})
        raise AssertionError


def open_generators(
    params: recipe.SynthesisParams, cache: MadeCache, kept: Renderings | None = None
) -> tuple[SoundGenerator, ...]:
    """The recipe's generators in its order; keys are read and programs looked for now, models loaded at first use.

    `cache` keeps what costs something, `kept` the embedded synthesizer's renderings for later ones.

    Raises:
        BadInput, MissingDependency: a key cannot be one, a program or package is not there.
    """
    return tuple(_open(generator, cache, kept) for generator in params.generators)


def _open(params: recipe.Generator, cache: MadeCache, kept: Renderings | None) -> SoundGenerator:
    match params:
        case recipe.Procedural():
            return ProceduralGenerator(params.takes, kept)
        case recipe.ElevenLabs():
            identity = {
                "name": "elevenlabs", "model": params.model, "prompt_influence": params.prompt_influence,
                "output_format": params.output_format,
            }  # fmt: skip
            return CachedGenerator(params, "elevenlabs", params.model, identity, _elevenlabs(params), cache)
        case recipe.Command():
            check_program(params)
            identity = {"name": params.name, "argv": list(params.argv), "version": params.version}
            return CachedGenerator(params, params.name, params.version, identity, _command(params), cache)
        case recipe.Diffusers():
            from pipeline.synthesis.diffusion import Diffusion

            model = Diffusion(params)
            version = f"{params.pipeline}:{params.model.rstrip('/').rsplit('/', 1)[-1]}"
            return CachedGenerator(params, "diffusers", version, model.identity(), model, cache)


def _elevenlabs(params: recipe.ElevenLabs) -> Render:
    """`POST /v1/sound-generation`, as its public API reference describes it."""
    from pipeline.synthesis.service import Endpoint  # a second, which most builds need not wait for

    endpoint = Endpoint(params, key_header="xi-api-key")
    container, rate = params.output_format.split("_")[:2]

    def render(wish: Wish) -> np.ndarray:
        body = {
            "text": wish.caption[:MAX_PROMPT_CHARACTERS],
            "duration_seconds": min(max(round(wish.duration_s, 2), 0.5), 30.0),
            "prompt_influence": params.prompt_influence,
            "model_id": params.model,
            "loop": wish.sustained,
        }
        data = endpoint.post("/v1/sound-generation", body, query={"output_format": params.output_format})
        return decoded(data, pcm_rate_hz=int(rate) if container == "pcm" else None)

    return render


def _command(params: recipe.Command) -> Render:
    def render(wish: Wish) -> np.ndarray:
        values = {
            "caption": wish.caption,
            "tags": "; ".join(wish.tags),
            "duration_s": f"{wish.duration_s:.2f}",
            "seed": str(wish.seed % 2**31),
            "kind": wish.kind,
        }
        return decoded(run(params, values, text="caption"))

    return render
