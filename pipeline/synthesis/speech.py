"""What a voice is: the interface that every speech engine answers, embedded or served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from schemas.protocol import Emotion


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of an engine; `language` is a BCP 47 tag such as en-us, en-gb or zh."""

    engine: str
    name: str
    language: str
    dialect: str = ""
    reference: str | None = None
    """Path of a recording of the speaker, for engines that clone."""
    reference_text: str = ""
    consent: str = ""
    """Who agreed to being cloned, and where that is on record."""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class WordTime:
    """A word as it is written (punctuation kept) and its half-open span in samples at 16 kHz."""

    word: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text: float32 mono at 16 kHz without silence at its edges.

    `words` are in order, do not overlap, and the last ends with the samples; `words_estimated` is True
    where a word's span was inferred rather than reported by the engine. `engine` is "name/version". `follows` are the
    settings that the engine has: of "rate", "pitch" and "emotion".
    """

    samples: np.ndarray
    words: tuple[WordTime, ...]
    words_estimated: bool
    voice: Voice
    engine: str
    licence: str = "CC0-1.0"
    follows: frozenset[str] = frozenset({"rate", "pitch"})


class SpeechEngine(Protocol):
    """Text to speech, a pure function of its arguments (what is served is kept in a cache)."""

    @property
    def name(self) -> str: ...

    def voices(self, language: str) -> Sequence[Voice]:
        """Voices for a language tag (en, en-gb, zh, ...), in a fixed order."""
        ...

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
        """Speak plain text; `pitch` is 0-99 with 50 the voice's own, `take` asks engines that vary for another try.

        Raises SceneRejected where nothing comes of this text.
        """
        ...
