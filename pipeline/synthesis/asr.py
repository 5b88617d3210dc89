"""Whether speech says what it should: somebody listens, and what was heard is compared with the text.

A total error rate can hide a stretch of garbage in a long utterance, so the longest run of divergent words is bounded
as well. In Mandarin a word is a character.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any, Protocol

import numpy as np
import soundfile

from pipeline.errors import BadInput, MissingDependency, SceneRejected
from pipeline.synthesis.audio import Refused
from pipeline.synthesis.made import Made, MadeCache
from pipeline.synthesis.speech import Speech
from pipeline.synthesis.spoken import spoken_form
from schemas import sound_services as recipe
from schemas.protocol import SAMPLE_RATE
from schemas.provenance import AsrRecord


class Transcriber(Protocol):
    """Listens to speech."""

    @property
    def name(self) -> str:
        """ "name/version"."""
        ...

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        """What is said in 16 kHz mono samples; "" where nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """How far what was heard is from what was meant: `error` is WER (en) or CER (zh), `run` in the same units."""

    error: float
    run: int
    heard: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Speech that passed: which take, and its score; None where nobody listened."""

    speech: Speech
    take: int
    score: Score | None
    record: AsrRecord | None = None
    """The same for the row."""


def score(text: str, heard: str, language: str) -> Score:
    """Error rate and longest divergent run of `heard` against `text`, case, punctuation and digits aside."""
    import jiwer

    wanted, got = (normalised(t, language) for t in (text, heard))
    if not wanted:
        raise BadInput(f"text {text!r} has no word to listen for; give at least one letter or digit")
    if not got:
        return Score(1.0, len(wanted), heard)
    aligned = jiwer.process_words(" ".join(wanted), " ".join(got))
    run = longest = 0
    for chunk in aligned.alignments[0]:
        length = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        run = 0 if chunk.type == "equal" else run + length
        longest = max(longest, run)
    return Score(float(aligned.wer), longest, heard)


def normalised(text: str, language: str) -> list[str]:
    text = spoken_form(unicodedata.normalize("NFKC", text), language).casefold()
    if language == "zh":
        return [c for c in text if c.isalnum()]
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.replace("’", "'"))
    return [word for token in kept.split() if (word := token.strip("'"))]


@dataclass(frozen=True, slots=True)
class SpeechCheck:
    """Speaks until what is heard is what was meant, or gives the instance up."""

    params: recipe.Asr
    transcriber: Transcriber | None

    def __call__(self, text: str, language: str, speak: Callable[[int], Speech]) -> Checked:
        """The first take that passes.

        Args:
            text: what is to be heard.
            language: "en" or "zh".
            speak: renders a take, 0 the first; later ones should differ.

        Raises:
            SceneRejected: no take passed; the whole instance is discarded, not just the turn.
        """
        if self.transcriber is None or isinstance(self.params, recipe.NoCheck):
            return Checked(speak(0), 0, None)
        reasons: list[str] = []
        for take in range(1 + self.params.retries):
            speech = speak(take)
            found = score(text, self.transcriber.transcribe(speech.samples, language), language)
            if found.error <= self.params.max_error and found.run <= self.params.max_run:
                record = AsrRecord(
                    by=self.transcriber.name,
                    error=found.error,
                    max_error=self.params.max_error,
                    longest_run=found.run,
                    heard=found.heard,
                )
                return Checked(speech, take, found, record)
            reasons.append(f"take {take}: error {found.error:.3f}, run {found.run}, heard {found.heard[:120]!r}")
        raise SceneRejected(
            "asr_check",
            f"{text!r} is not heard within error {self.params.max_error:g} and run {self.params.max_run}: "
            + "; ".join(reasons),
        )


def open_check(params: recipe.Asr, cache: MadeCache) -> SpeechCheck:
    """The recipe's check. Raises BadInput or MissingDependency where it cannot be made; models load at first use."""
    match params:
        case recipe.NoCheck():
            return SpeechCheck(params, None)
        case recipe.FasterWhisper():
            return SpeechCheck(params, _Cached(_FasterWhisper(params), cache))
        case recipe.OpenAITranscription():
            return SpeechCheck(params, _Cached(_OpenAI(params), cache))


@dataclass(frozen=True, slots=True)
class _Cached:
    """What was heard once stands, so that a rebuild decides the same."""

    inner: Transcriber
    cache: MadeCache

    @property
    def name(self) -> str:
        return self.inner.name

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        heard = hashlib.sha256(np.ascontiguousarray(samples, np.float32).tobytes()).hexdigest()
        request = {"what": "transcript", "by": self.name, "samples": heard, "language": language}
        made = self.cache.once(request, lambda: Made(None, {"text": self.inner.transcribe(samples, language)}))
        return made.facts["text"]


class _OpenAI:
    """`POST /audio/transcriptions`, as the public API reference describes it."""

    def __init__(self, params: recipe.OpenAITranscription) -> None:
        from pipeline.synthesis.service import Endpoint

        self._params, self._endpoint = params, Endpoint(params)
        self.name = f"openai/{params.model}"

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        file = io.BytesIO()
        soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        body = {"model": self._params.model, "language": language, "response_format": "json", "temperature": "0"}
        files = {"file": ("speech.wav", file.getvalue(), "audio/wav")}
        try:
            reply = self._endpoint.post("/audio/transcriptions", body, files=files)
            text = json.loads(reply)["text"]
        except Refused as refusal:
            raise SceneRejected("asr_check", f"{self.name} refuses to listen: {refusal}") from refusal
        except (ValueError, KeyError, TypeError):
            raise SceneRejected("asr_check", f"{self.name} answers without a `text`") from None
        if not isinstance(text, str):
            raise SceneRejected("asr_check", f"{self.name} answers with a `text` that is none")
        return text


class _FasterWhisper:
    def __init__(self, params: recipe.FasterWhisper) -> None:
        self._params = params
        try:
            version = metadata.version("faster-whisper")
        except metadata.PackageNotFoundError as error:
            raise MissingDependency(
                "asr.kind 'faster-whisper' needs 'faster-whisper', which is not installed; "
                "run: pip install 'streamaudio-builder[asr]'"
            ) from error
        self.name = f"faster-whisper/{version}:{params.model.rstrip('/').rsplit('/', 1)[-1]}"

    @cached_property
    def _model(self) -> Any:
        p = self._params
        module = importlib.import_module("faster_whisper")
        try:
            return module.WhisperModel(p.model, device=p.device, compute_type=p.compute_type)
        except (OSError, ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())[:300]
            raise BadInput(
                f"asr.model {p.model!r} cannot be loaded: {told}; give a folder with a CTranslate2 Whisper model, or a "
                "name while the hub can be reached"
            ) from error

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        segments, _ = self._model.transcribe(
            samples, language=language, beam_size=5, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)
