"""Speech from elsewhere: OpenAI-compatible servers and any program, with the recipe's pool of voices."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import BadInput, SceneRejected
from pipeline.synthesis.align import audible_span, estimated_words
from pipeline.synthesis.audio import FULL_SCALE, Refused, Unusable, decoded
from pipeline.synthesis.espeak import EspeakEngine
from pipeline.synthesis.made import Made, MadeCache
from pipeline.synthesis.program import check_program, run
from pipeline.synthesis.speech import Speech, SpeechEngine, Voice
from schemas import sound_services as recipe
from schemas.protocol import Emotion

SPEEDS = (0.25, 4.0)
STYLE: dict[str, str] = {
    "happy": "Speak happily.",
    "sad": "Speak sadly.",
    "angry": "Speak angrily.",
    "surprise": "Speak with surprise.",
    "urgent": "Speak urgently.",
}
MAX_REFERENCE_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be spoken, and how."""

    text: str
    voice: Voice
    rate_wpm: int
    pitch: int
    emotion: Emotion
    take: int


@dataclass(frozen=True, slots=True)
class ServedEngine:
    """A voice that costs something: every line is rendered once. Word times are an estimate, and say so."""

    name: str
    version: str
    pool: tuple[Voice, ...]
    licence: str
    follows: frozenset[str]
    identity: dict[str, Any]
    """What changes its speech."""
    render: Callable[[Line], np.ndarray]
    """16 kHz mono. Raises Unusable or Refused."""
    cache: MadeCache

    def voices(self, language: str) -> Sequence[Voice]:
        """The pool's voices of a language, in its order. Raises BadInput where it has none."""
        found = [voice for voice in self.pool if voice.language == language.lower().split("-")[0]]
        if not found:
            raise BadInput(f"speech.voices has no voice for language {language!r}; add one with `language: {language}`")
        return found

    def speak(
        self,
        text: str,
        voice: Voice,
        *,
        rate_wpm: int = 160,
        pitch: int = 50,
        emotion: Emotion = "normal",
        take: int = 0,
    ) -> Speech:
        """Speak plain text. Raises SceneRejected where the text is refused or no speech comes back."""
        line = Line(text, voice, rate_wpm, pitch, emotion, take)
        request = {
            "what": "speech",
            "engine": self.identity,
            "text": text,
            "voice": [voice.name, voice.language, voice.dialect, _sha256(voice.reference), voice.reference_text],
            "rate_wpm": rate_wpm if "rate" in self.follows else None,
            "pitch": pitch if "pitch" in self.follows else None,
            "emotion": emotion if "emotion" in self.follows else None,
            "take": take,
        }
        made = self.cache.once(request, lambda: self._make(line))
        if made.samples is None:
            raise SceneRejected("speech", f"{self.name}/{self.version} does not speak {text!r}: {made.facts['reason']}")
        words = estimated_words(made.samples, text)
        return Speech(
            made.samples, words, True, voice, f"{self.name}/{self.version}", voice.licence or self.licence, self.follows
        )

    def _make(self, line: Line) -> Made:
        for last in (False, True):
            try:
                samples = self.render(line)
                first, end = audible_span(samples)
                kept = samples[first:end]
                # Digital silence that a server pads with would not be placed, so it is not kept.
                heard = np.flatnonzero(np.rint(kept * FULL_SCALE))
                return Made(kept[heard[0] : heard[-1] + 1], {})
            except Refused as refusal:
                return Made(None, {"reason": str(refusal)})
            except Unusable as unusable:
                if last:
                    return Made(None, {"reason": str(unusable)})
        raise AssertionError


def open_speech(params: recipe.SpeechParams, cache: MadeCache) -> SpeechEngine:
    """The recipe's engine. Raises BadInput or MissingDependency: a key, reference clip or program cannot be used."""
    engine = params.engine
    if isinstance(engine, recipe.Espeak):
        espeak = EspeakEngine()
        return ChosenVoices(espeak, tuple(v.name for v in params.voices)) if params.voices else espeak
    pool = tuple(
        Voice(engine.kind, v.name, v.language, v.dialect, v.reference, v.reference_text, v.consent, v.licence)
        for v in params.voices
    )
    for voice in pool:
        _sha256(voice.reference)
    if isinstance(engine, recipe.OpenAISpeech):
        follows = {"rate"} | ({"emotion"} if engine.instructions else set())
        identity = {
            "kind": engine.kind, "model": engine.model, "format": engine.response_format,
            "pcm_rate_hz": engine.pcm_rate_hz, "words_per_minute": engine.words_per_minute, "clones": engine.clones,
        }  # fmt: skip
        return ServedEngine(
            "openai", engine.model, pool, engine.licence, frozenset(follows), identity, _openai(engine), cache
        )
    check_program(engine)
    follows = frozenset(
        name
        for name, gap in (("rate", "{rate_wpm}"), ("pitch", "{pitch}"), ("emotion", "{emotion}"))
        if any(gap in argument for argument in engine.argv)
    )
    identity = {"kind": engine.kind, "name": engine.name, "argv": list(engine.argv), "version": engine.version}
    return ServedEngine(engine.name, engine.version, pool, engine.licence, follows, identity, _command(engine), cache)


class ChosenVoices:
    """The embedded engine with only some of its voices."""

    def __init__(self, engine: EspeakEngine, names: tuple[str, ...]) -> None:
        self.name = engine.name
        self.speak = engine.speak
        known = {voice.name: voice for language in ("en", "zh") for voice in engine.voices(language)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise BadInput(f"speech.voices names {unknown[0]!r}; the embedded engine has {', '.join(sorted(known))}")
        self._voices = tuple(known[name] for name in names)

    def voices(self, language: str) -> Sequence[Voice]:
        """The chosen voices of a language. Raises BadInput where there are none."""
        found = [voice for voice in self._voices if voice.language.split("-")[0] == language.lower().split("-")[0]]
        if not found:
            raise BadInput(f"speech.voices has no voice for language {language!r}; add one or leave the pool empty")
        return found


def _openai(engine: recipe.OpenAISpeech) -> Callable[[Line], np.ndarray]:
    """`POST /audio/speech`, as the public API reference describes it; `ref_audio` as local servers take it."""
    from pipeline.synthesis.service import Endpoint

    endpoint = Endpoint(engine)

    def render(line: Line) -> np.ndarray:
        speed = round(float(np.clip(line.rate_wpm / engine.words_per_minute, *SPEEDS)), 3)
        body: dict[str, Any] = {
            "model": engine.model,
            "input": line.text,
            "voice": line.voice.name,
            "response_format": engine.response_format,
            "speed": speed,
        }
        if engine.instructions:
            style = [STYLE.get(line.emotion, ""), f"Dialect: {line.voice.dialect}." if line.voice.dialect else ""]
            body["instructions"] = " ".join(filter(None, style)) or "Speak naturally."
        if engine.seed:
            body["seed"] = line.take
        if engine.clones and line.voice.reference is not None:
            kind = mimetypes.guess_type(line.voice.reference)[0] or "audio/wav"
            data = base64.b64encode(Path(line.voice.reference).read_bytes()).decode()
            body |= {"ref_audio": f"data:{kind};base64,{data}", "ref_text": line.voice.reference_text}
        data = endpoint.post("/audio/speech", body)
        return decoded(data, pcm_rate_hz=engine.pcm_rate_hz if engine.response_format == "pcm" else None)

    return render


def _command(engine: recipe.SpeechCommand) -> Callable[[Line], np.ndarray]:
    def render(line: Line) -> np.ndarray:
        values = {
            "text": line.text,
            "voice": line.voice.name,
            "language": line.voice.language,
            "dialect": line.voice.dialect,
            "rate_wpm": str(line.rate_wpm),
            "pitch": str(line.pitch),
            "emotion": line.emotion,
            "seed": str(line.take),
            "reference": str(Path(line.voice.reference).resolve()) if line.voice.reference else "",
            "reference_text": line.voice.reference_text,
        }
        return decoded(run(engine, values, text="text"))

    return render


def _sha256(reference: str | None) -> str | None:
    if reference is None:
        return None
    path = Path(reference)
    if not path.is_file() or path.stat().st_size > MAX_REFERENCE_BYTES:
        raise BadInput(
            f"reference clip {reference!r} is no file of at most {MAX_REFERENCE_BYTES:,} bytes; correct speech.voices"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()
