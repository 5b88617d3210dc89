"""The embedded voice: espeak-ng, in this process, through ctypes.

The library (GPL-3) is never a dependency: it is loaded at run time from the `espeakng-loader` wheel where
that is installed. espeak-ng keeps oscillator and noise state in static variables that outlive
`espeak_Terminate`, so the same text sounds a little different after other texts. Loading the library
afresh for each utterance (about 5 ms) makes speech a pure function of its arguments.
"""

import _ctypes
import ctypes
import re
import threading
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.signal import resample_poly

from pipeline.errors import BadInput, MissingDependency
from schemas.protocol import Emotion

from .align import audible_span, words_of
from .speech import Speech, Voice, WordTime

RATE = 16_000
NATIVE_RATE = 22_050
BASES = {"en-us": "en-us", "en-gb": "en", "en-gb-scotland": "en-gb-scotland", "en-gb-x-rp": "en-gb-x-rp", "cmn": "cmn"}
VARIANTS = ("m1", "m2", "m3", "m4", "m7", "f1", "f2", "f3", "f4", "f5")

# From espeak-ng's speak_lib.h.
AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
PARAMETER_RATE, PARAMETER_PITCH = 1, 3
EVENT_LIST_TERMINATED, EVENT_WORD = 0, 1

_lock = threading.Lock()  # one utterance at a time: its state is global


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class EspeakEngine:
    """espeak-ng voices for English and Mandarin, with word times from its own events."""

    name = "espeak-ng"

    def voices(self, language: str) -> Sequence[Voice]:
        """Voices for en, en-us, en-gb, zh or cmn: each accent plain and in ten timbres."""
        wanted = "cmn" if language.lower().split("-")[0] in ("zh", "cmn") else language.lower()
        found = [
            Voice(self.name, base + variant, "zh" if base == "cmn" else base)
            for base in BASES
            if base == wanted or base.startswith(wanted + "-")
            for variant in ("", *(f"+{v}" for v in VARIANTS))
        ]
        if not found:
            raise BadInput(f"no embedded voice for language {language!r}; it speaks en, en-us, en-gb and zh")
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
        """Speak `text` (plain, at least one word). The same arguments give the same bytes; it has neither emotions
        nor other takes.

        Raises MissingDependency without the wheel; BadInput for a text with nothing to say, an unknown
        voice, a rate outside 80-450 words a minute or a pitch outside 0-99.
        """
        base, _, variant = voice.name.partition("+")
        if voice.engine != self.name or base not in BASES or (variant and variant not in VARIANTS):
            raise BadInput(f"voice {voice.name!r} of {voice.engine!r} is no voice of {self.name}; take one of voices()")
        if not 80 <= rate_wpm <= 450:
            raise BadInput(f"rate_wpm={rate_wpm!r} must lie in 80-450 words a minute")
        if not 0 <= pitch <= 99:
            raise BadInput(f"pitch={pitch!r} must lie in 0-99 (50 is the voice's own)")
        text = text.replace("\0", " ")
        tokens = words_of(text)
        if not tokens:
            raise BadInput(f"text {text!r} has no word to speak; give at least one letter or digit")

        name = BASES[base] + (f"+{variant}" if variant else "")
        pcm, events, version = _synthesize(text, name, rate_wpm, pitch)
        x = resample_poly(pcm / 32768, RATE, NATIVE_RATE, window=("kaiser", 8.0)) if len(pcm) else pcm
        first, last = audible_span(x)
        if last <= first:
            raise BadInput(f"voice {voice.name!r} cannot speak {text!r}; use a voice of the text's language")
        starts, estimated = _starts(tokens, events, len(pcm))
        bounds = np.clip(np.round(np.array(starts) * RATE / NATIVE_RATE).astype(int) - first, 0, last - first)
        bounds[0] = 0
        x = x[first:last]
        words = tuple(
            WordTime(token[0], int(start), int(start) + audible_span(x[start:stop])[1])
            for token, (start, stop) in zip(tokens, pairwise([*bounds, len(x)]), strict=True)
        )
        words = (*words[:-1], WordTime(words[-1].word, words[-1].start_sample, len(x)))
        peak = float(np.max(np.abs(x)))
        samples = (x * min(1.0, 0.95 / peak)).astype(np.float32)
        return Speech(samples, words, estimated, voice, f"{self.name}/{version}")


def _library() -> tuple[ctypes.CDLL, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingDependency(
            "the embedded voice needs 'espeakng-loader', which is not installed; "
            "run: pip install 'streamaudio-builder[speech]'"
        ) from error
    return ctypes.CDLL(espeakng_loader.get_library_path()), espeakng_loader.get_data_path()


def _synthesize(text: str, voice: str, rate_wpm: int, pitch: int) -> tuple[np.ndarray, list[tuple[int, int]], str]:
    """Native-rate int16 samples, (character offset, sample) of each word event, the library's version."""
    audio = bytearray()
    events: list[tuple[int, int]] = []

    @_Callback
    def receive(wave, count, event) -> int:
        if wave and count > 0:
            audio.extend(ctypes.string_at(wave, 2 * count))
        i = 0
        while event[i].type != EVENT_LIST_TERMINATED:
            if event[i].type == EVENT_WORD:
                events.append((event[i].text_position - 1, event[i].sample))
            i += 1
        return 0

    with _lock:
        library, data = _library()
        try:
            rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), INITIALIZE_DONT_EXIT)
            if rate != NATIVE_RATE:
                raise MissingDependency(
                    f"espeak-ng gave rate {rate!r} from its data folder, {NATIVE_RATE} was expected; "
                    "reinstall the wheel: pip install --force-reinstall espeakng-loader"
                )
            library.espeak_Info.restype = ctypes.c_char_p
            version = (library.espeak_Info(None) or b"unknown").decode().split()[0]
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
            library.espeak_SetSynthCallback(receive)
            if library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise BadInput(f"espeak-ng {version} has no voice {voice!r}; take one of voices()")
            library.espeak_SetParameter(PARAMETER_RATE, rate_wpm, 0)
            library.espeak_SetParameter(PARAMETER_PITCH, pitch, 0)
            encoded = text.encode()
            library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 1, 0, CHARS_UTF8, None, None)
            library.espeak_Terminate()
        finally:
            _ctypes.dlclose(library._handle)
    return np.frombuffer(bytes(audio), "<i2").astype(np.float64), events, version


def _starts(tokens: list[re.Match[str]], events: list[tuple[int, int]], end: int) -> tuple[list[float], bool]:
    """Native-rate start of each written word, and whether any had to be inferred.

    A word may have several events ("23" is spoken as two words: the first counts) or none (espeak-ng
    joins some small words): then it lies between its neighbours, in proportion to the letters.
    """
    known: dict[int, int] = {}
    for offset, sample in events:
        i = max((i for i, token in enumerate(tokens) if token.start() <= offset), default=0)
        known.setdefault(i, sample)
    known.setdefault(0, 0)
    anchors = sorted(known)
    offsets = [tokens[i].start() for i in anchors] + [tokens[-1].end()]
    times = [float(known[i]) for i in anchors] + [float(end)]
    starts = np.interp([token.start() for token in tokens], offsets, np.maximum.accumulate(times))
    return [float(s) for s in starts], len(anchors) < len(tokens)
