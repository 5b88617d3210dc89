"""What is heard in a sound that nobody annotated, by listening to it. What it was generated from is never looked at."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any, Protocol

import numpy as np
import soundfile as sf
from scipy.signal import resample_poly

from pipeline.errors import BadInput, ReplyRejected
from pipeline.synthesis.made import Made, MadeCache
from prompts import Prompt, load
from schemas.protocol import SAMPLE_RATE
from schemas.roles import ClipCaption
from schemas.sound_services import ChatCaptions, ClapTags

PROMPT = "clip_captioner"
HEARD_S = 30.0
"""So much of a sound is attached for a model that takes audio."""


@dataclass(frozen=True, slots=True)
class Description:
    """What somebody who listened says of a sound; `by` is "name/version"."""

    caption: str
    tags: tuple[str, ...]
    by: str


class Captioner(Protocol):
    """Listens and says what is heard."""

    def __call__(self, samples: np.ndarray) -> Description | None:
        """Describe 16 kHz mono samples; None where it cannot say."""
        ...


class SharedSpace(Protocol):
    """What CLAP has: texts and sounds as unit vectors in one space."""

    def identity(self) -> dict[str, Any]: ...
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray: ...
    def embed_clips(self, clips: Sequence[Any], read: Any) -> np.ndarray: ...


class ClapCaptioner:
    """Zero-shot tags (Wu et al. 2023): the sounds of the ontology that lie nearest, with the paper's text template."""

    def __init__(self, params: ClapTags, space: SharedSpace, ontology: Sequence[str], cache: MadeCache) -> None:
        self._params, self._space, self._cache = params, space, cache
        self._tags = tuple(ontology)
        checkpoint = str(space.identity().get("checkpoint_sha256", ""))[:12]
        self._by = f"clap/{checkpoint or '1'}"

    def __call__(self, samples: np.ndarray) -> Description | None:
        """The best tag, and others of `top` that are nearly as good. The same sound is listened to once."""
        request = {
            "what": "tags",
            "by": self._by,
            "tags": self._tags,
            "top": self._params.top,
            "margin": self._params.margin,
            "samples": _sha256(samples),
        }
        tags = self._cache.once(request, lambda: Made(None, {"tags": self._nearest(samples)})).facts["tags"]
        return Description(", ".join(tag.lower() for tag in tags), tuple(tags), self._by)

    @cached_property
    def _texts(self) -> np.ndarray:
        return self._space.embed_texts([f"This is a sound of {tag.lower()}." for tag in self._tags])

    def _nearest(self, samples: np.ndarray) -> list[str]:
        def read(_clip: object, rate: int = SAMPLE_RATE) -> np.ndarray:
            common = gcd(rate, SAMPLE_RATE)
            return resample_poly(samples, rate // common, SAMPLE_RATE // common).astype(np.float32)

        scores = self._texts @ self._space.embed_clips([None], read)[0]
        order = np.argsort(-scores, kind="stable")[: self._params.top]
        return [self._tags[i] for i in order if scores[i] >= scores[order[0]] - self._params.margin]


class Chat(Protocol):
    """A chat endpoint in the role of the captioner."""

    def ask(
        self,
        role: str,
        prompt: Prompt,
        messages: Sequence[dict[str, Any]],
        reply_model: type[Any],
        *,
        scene: str,
        sample_index: int,
        validate: Callable[[Any], None] | None,
    ) -> Any: ...


class ChatCaptioner:
    """An endpoint that takes `input_audio` listens; its tags are of the ontology. The same sound is sent once."""

    def __init__(self, params: ChatCaptions, chat: Chat, ontology: Sequence[str], cache: MadeCache) -> None:
        self._params, self._chat, self._cache = params, chat, cache
        self._by_name = {tag.lower(): tag for tag in ontology}
        self._prompt = load(PROMPT)

    def __call__(self, samples: np.ndarray) -> Description | None:
        """Its caption and tags; None where its reply stays invalid."""
        request = {
            "what": "caption",
            "by": [self._params.model, self._prompt.sha256],
            "tags": sorted(self._by_name),
            "samples": _sha256(samples),
        }
        facts = self._cache.once(request, lambda: Made(None, self._heard(samples))).facts
        if not facts:
            return None
        return Description(facts["caption"], tuple(facts["tags"]), f"{self._params.model}/chat")

    def _heard(self, samples: np.ndarray) -> Mapping[str, Any]:
        from pipeline.language.client import attach_wav

        file = io.BytesIO()
        sf.write(file, samples[: round(HEARD_S * SAMPLE_RATE)], SAMPLE_RATE, format="WAV", subtype="PCM_16")
        messages = attach_wav(self._prompt.render(ontology=sorted(self._by_name.values())), file.getvalue())
        try:
            reply = self._chat.ask(
                "captioner", self._prompt, messages, ClipCaption, scene="", sample_index=0, validate=self._valid
            ).value
        except ReplyRejected:
            return {}
        return {"caption": reply.caption, "tags": [self._by_name[tag.lower()] for tag in reply.tags]}

    def _valid(self, reply: ClipCaption) -> None:
        unknown = [tag for tag in reply.tags if tag.lower() not in self._by_name]
        if unknown:
            raise ValueError(f"tags has {unknown[0]!r}, which is not in the ontology: choose from the list")


def _sha256(samples: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples, np.float32).tobytes()).hexdigest()


def no_captioner(samples: np.ndarray) -> Description | None:
    """Where the recipe names none: only annotated clips and sounds whose generator knows them can be used."""
    raise BadInput("a generated sound needs a captioner; set `captions` to kind clap or chat in the recipe")
