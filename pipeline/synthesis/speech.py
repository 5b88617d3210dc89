"""What a voice is: the interface that every speech engine answers, embedded or served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of an engine; `language` is a BCP 47 tag such as en-us, en-gb or zh."""

    engine: str
    name: str
    language: str


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
    where a word's span was inferred rather than reported by the engine. `engine` is "name/version".
    """

    samples: np.ndarray
    words: tuple[WordTime, ...]
    words_estimated: bool
    voice: Voice
    engine: str


class SpeechEngine(Protocol):
    """Text to speech, a pure function of (text, voice, rate, pitch)."""

    name: str

    def voices(self, language: str) -> Sequence[Voice]:
        """Voices for a language tag (en, en-gb, zh, ...), in a fixed order."""
        ...

    def speak(self, text: str, voice: Voice, *, rate_wpm: int = 160, pitch: int = 50) -> Speech:
        """Speak plain text; `pitch` is 0-99 with 50 the voice's own."""
        ...
