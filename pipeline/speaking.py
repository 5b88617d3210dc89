"""The spoken side of a stream: who says an utterance and how, the pauses composed into it, and where its words lie.

The embedded voice has no emotions: rate and pitch stand in for them, and the row says so (`espeak-prosody`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from pipeline.composition.timeline import Placement
from pipeline.grounding.cascade import Material
from pipeline.library.library import Library
from pipeline.loudness import measure
from pipeline.sounds import Sound
from pipeline.synthesis.align import estimated_words
from pipeline.synthesis.asr import SpeechCheck
from pipeline.synthesis.speech import Speech, SpeechEngine, Voice, WordTime
from pipeline.timing import to_samples
from schemas.plan import Speaker, StreamPlan, Utterance
from schemas.protocol import Emotion
from schemas.provenance import AsrRecord, SpeechRecord
from schemas.sound_services import SpeechParams

PROSODY: Mapping[Emotion, tuple[float, int]] = MappingProxyType(
    {
        "normal": (1.0, 0),
        "happy": (1.1, 15),
        "sad": (0.8, -15),
        "angry": (1.2, 8),
        "surprise": (1.05, 25),
        "urgent": (1.3, 12),
    }
)
"""Emotion -> (factor of the rate, steps of pitch), after the directions in Scherer (2003), Speech Communication 40."""
SPEAKERS: tuple[Speaker, ...] = ("user", "other", "television", "machine")
"""Each has a voice of its own."""
TELEVISION_GAIN_DB = -6.0
"""Against the common loudness: it stands farther away."""
RATES_WPM, PITCHES = (80, 450), (0, 99)
SLOWER = 0.9
"""Factor of the rate from one take to the next, for engines that say the same the same way."""
EDGE_SAMPLES = 80
"""A pause begins and ends with a fade of 5 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """One utterance as material, with its voice and its words in samples of that material."""

    utterance: Utterance
    material: Material
    voice: str
    rate_wpm: int
    pitch: int
    words: tuple[WordTime, ...]
    words_estimated: bool
    prosody: str | None
    follows: tuple[str, ...]
    consent: str
    take: int
    asr: AsrRecord | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Silence of `samples` before sample `at` of a conditioned sound."""

    at: int
    samples: int


def speak_dialogue(
    plan: StreamPlan,
    engine: SpeechEngine,
    check: SpeechCheck,
    params: SpeechParams,
    draw: np.random.Generator,
    library: Library,
) -> list[Spoken]:
    """Render the dialogue: one voice for the user, another for everybody else who speaks; recordings are played.

    Raises:
        SceneRejected: the engine does not speak a text, or the check hears something else in every take.
    """
    voices = engine.voices(plan.language)
    order = draw.permutation(len(voices))
    rate_wpm, pitch = (round(d.sample(draw)) for d in (params.rate_wpm, params.pitch))
    spoken: list[Spoken] = []
    for utterance in plan.dialogue:
        if utterance.clip_id is not None:
            spoken.append(_played(utterance, library))
            continue
        voice = voices[order[SPEAKERS.index(utterance.speaker) % len(voices)]]
        factor, steps = PROSODY[utterance.emotion]
        rate = int(np.clip(round(rate_wpm * factor * utterance.haste), *RATES_WPM))
        height = int(np.clip(pitch + steps, *PITCHES))

        def take(
            n: int, u: Utterance = utterance, voice: Voice = voice, rate: int = rate, height: int = height
        ) -> Speech:
            slower = max(RATES_WPM[0], round(rate * SLOWER**n))
            return engine.speak(u.text, voice, rate_wpm=slower, pitch=height, emotion=u.emotion, take=n)

        checked = check(utterance.text, utterance.language, take)
        speech = checked.speech
        material = Material(
            samples=speech.samples,
            source="spoken",
            clip=None,
            clip_start_sample=0,
            clip_end_sample=len(speech.samples),
            caption="a person speaking",
            tags=("Speech",),
            generator=speech.engine,
            licence=speech.licence,
            attribution=speech.engine,
        )
        prosody = None if utterance.emotion == "normal" else _prosody(speech)
        spoken.append(
            Spoken(
                utterance,
                material,
                voice.name,
                max(RATES_WPM[0], round(rate * SLOWER**checked.take)),
                height,
                speech.words,
                speech.words_estimated,
                prosody,
                tuple(sorted(speech.follows)),
                speech.voice.consent,
                checked.take,
                checked.record,
            )
        )
    return spoken


def _played(utterance: Utterance, library: Library) -> Spoken:
    """A recording of the library in place of a voice; nobody knows when its words are said, so that is estimated."""
    clip = library.clips[utterance.clip_id or ""]
    samples = library.read(clip.clip_id, clip.active_start, clip.active_end)
    material = Material(
        samples=samples,
        source="retrieved",
        clip=clip,
        clip_start_sample=clip.active_start,
        clip_end_sample=clip.active_end,
        caption=clip.caption,
        tags=clip.tags,
        generator=None,
        licence=clip.licence,
        attribution=clip.attribution,
        score=1.0,
    )
    words = estimated_words(samples, utterance.text)
    return Spoken(utterance, material, clip.speaker or "unknown", 0, 0, words, True, None, (), "", 0, None)


def _prosody(speech: Speech) -> str:
    return "engine" if "emotion" in speech.follows else f"{speech.engine.partition('-')[0]}-prosody"


def cuts_of(spoken: Spoken, sound: Sound) -> tuple[Cut, ...]:
    """Where the utterance's pauses go into its conditioned sound: halfway between two words."""
    cuts: list[Cut] = []
    for words_before, pause_s in spoken.utterance.pauses:
        before, after = spoken.words[words_before - 1], spoken.words[words_before]
        ends, begins = sound.to_output(before.end_sample - 1), sound.to_output(after.start_sample)
        if ends is not None and begins is not None:
            cuts.append(Cut(max((ends + 1 + begins) // 2, ends + 1), to_samples(pause_s)))
    return tuple(cuts)


def paused(sound: Sound, cuts: Sequence[Cut]) -> Sound:
    """The sound with silence at the cuts; its spans still count what conditioning kept."""
    if not cuts:
        return sound
    edges = [0, *(cut.at for cut in cuts), len(sound.samples)]
    pieces: list[np.ndarray] = []
    for k, (start, end) in enumerate(pairwise(edges)):
        piece = sound.samples[start:end].copy()
        fade = min(EDGE_SAMPLES, len(piece) // 2)
        ramp = (np.sin(np.linspace(0, np.pi / 2, fade)) ** 2).astype(np.float32)
        if k > 0:
            pieces.append(np.zeros(cuts[k - 1].samples, np.float32))
            piece[:fade] *= ramp
        if k < len(cuts):
            piece[len(piece) - fade :] *= ramp[::-1]
        pieces.append(piece)
    samples = np.concatenate(pieces)
    return replace(sound, samples=samples, level=measure(samples))


def words_in_stream(
    spoken: Spoken, sound: Sound, cuts: Sequence[Cut], place: Placement
) -> tuple[tuple[str, int, int], ...]:
    """Each word with its half-open interval in samples of the stream."""
    origin = place.origin_sample
    words: list[tuple[str, int, int]] = []
    for word in spoken.words:
        start, last = sound.to_output(word.start_sample), sound.to_output(word.end_sample - 1)
        first_sample = place.start_sample if start is None else max(origin + _late(start, cuts), place.start_sample)
        end_sample = place.end_sample if last is None else min(origin + _late(last, cuts) + 1, place.end_sample)
        words.append((word.word, first_sample, end_sample))
    return tuple(words)


def speech_record(event: int, spoken: Spoken, sound: Sound, cuts: Sequence[Cut], place: Placement) -> SpeechRecord:
    """What the row says of one spoken event."""
    starts = [place.origin_sample + cut.at + sum(c.samples for c in cuts[:k]) for k, cut in enumerate(cuts)]
    return SpeechRecord(
        event=event,
        voice=spoken.voice,
        rate_wpm=spoken.rate_wpm,
        pitch=spoken.pitch,
        words=words_in_stream(spoken, sound, cuts, place),
        words_estimated=spoken.words_estimated,
        asr_check=spoken.asr or "not_run",
        take=spoken.take,
        follows=spoken.follows,
        consent=spoken.consent,
        speaker=spoken.utterance.speaker,
        emotion=spoken.utterance.emotion,
        prosody=spoken.prosody,
        pauses=tuple((start, start + cut.samples) for start, cut in zip(starts, cuts, strict=True)),
    )


def _late(sample: int, cuts: Sequence[Cut]) -> int:
    return sample + sum(cut.samples for cut in cuts if cut.at <= sample)


def reply_s(text: str, words_per_minute: float) -> float:
    """Nominal spoken length of a reply; a Chinese character counts two thirds of a word."""
    chinese = sum("\u3400" <= c <= "\u9fff" for c in text)
    return 60 * (len(text.split()) if not chinese else chinese / 1.5) / words_per_minute
