"""The embedded voice."""

import hashlib
import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BadInput, MissingDependency
from pipeline.synthesis.espeak import EspeakEngine
from pipeline.synthesis.speech import Speech, SpeechEngine, Voice

ENGINE: SpeechEngine = EspeakEngine()
TEXT = "Tell me when you hear a dog bark. Count 23 cars, please."

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None,
    reason="espeakng-loader is not installed (extra `speech`)",
)


def speak(text: str = TEXT, voice: str = "en-us", **options: Any) -> Speech:
    language = "zh" if voice.startswith("cmn") else "en"
    return ENGINE.speak(text, next(v for v in ENGINE.voices(language) if v.name == voice), **options)


def digest(speech: Speech) -> str:
    return hashlib.sha256(speech.samples.tobytes() + repr(speech.words).encode()).hexdigest()


def check_words(speech: Speech) -> None:
    assert speech.words[0].start_sample == 0
    assert speech.words[-1].end_sample == len(speech.samples)
    at = 0
    for word in speech.words:
        assert at <= word.start_sample <= word.end_sample
        at = word.end_sample


def test_there_are_enough_voices() -> None:
    english, mandarin = ENGINE.voices("en"), ENGINE.voices("zh")
    assert len({v.name for v in english}) == len(english) >= 12
    assert {"en-us+f3", "en-gb+m2"} <= {v.name for v in english}
    assert {v.language for v in ENGINE.voices("en-gb")} == {"en-gb", "en-gb-scotland", "en-gb-x-rp"}
    assert len(mandarin) >= 5
    assert ENGINE.voices("cmn") == mandarin
    with pytest.raises(BadInput, match="'fr'"):
        ENGINE.voices("fr")


@needs_wheel
def test_two_sentences_with_word_times() -> None:
    speech = speak()
    assert speech.samples.dtype == np.float32
    assert 2.5 < len(speech.samples) / 16_000 < 6
    assert 0.1 < np.max(np.abs(speech.samples)) <= 0.951
    assert " ".join(word.word for word in speech.words) == TEXT
    assert not speech.words_estimated
    assert speech.engine.startswith("espeak-ng/1.")
    check_words(speech)
    for word in speech.words:
        assert np.max(np.abs(speech.samples[word.start_sample : word.end_sample])) > 0.01, word


@needs_wheel
def test_the_pause_between_sentences_belongs_to_no_word() -> None:
    words = {word.word: word for word in speak().words}
    assert words["Count"].start_sample - words["bark."].end_sample > 0.1 * 16_000


@needs_wheel
def test_edges_are_trimmed() -> None:
    x = np.abs(speak().samples)
    assert x[:800].max() > 0.005 * x.max()
    assert x[-800:].max() > 0.005 * x.max()


@needs_wheel
@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-gb+m2", "cmn+f2"])
def test_speech_does_not_depend_on_what_was_said_before(voice: str) -> None:
    first = digest(speak("Hello my friend", voice))
    speak("Something else entirely!", voice)
    speak("And more.", "en-gb-scotland+m4")
    assert digest(speak("Hello my friend", voice)) == first


@needs_wheel
def test_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from pipeline.synthesis.espeak import EspeakEngine; e = EspeakEngine();"
        f"s = e.speak({TEXT!r}, e.voices('en')[0]);"
        "print(hashlib.sha256(s.samples.tobytes() + repr(s.words).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(speak())


@needs_wheel
def test_mandarin_is_timed_by_character() -> None:
    speech = speak("请告诉我你听到了什么。", "cmn")
    assert "".join(word.word for word in speech.words) == "请告诉我你听到了什么。"
    assert len(speech.words) == 10
    assert 1.5 < len(speech.samples) / 16_000 < 5
    check_words(speech)


@needs_wheel
def test_joined_small_words_are_marked_as_estimated() -> None:
    speech = speak("It is the end of the list.")
    assert [word.word for word in speech.words] == ["It", "is", "the", "end", "of", "the", "list."]
    assert speech.words_estimated
    check_words(speech)


@needs_wheel
def test_every_voice_is_a_voice_of_its_own() -> None:
    voices = ENGINE.voices("en")
    assert len({digest(ENGINE.speak("Good morning", voice)) for voice in voices}) == len(voices)


@needs_wheel
def test_rate_and_pitch_are_heard() -> None:
    assert len(speak(rate_wpm=240).samples) < 0.8 * len(speak(rate_wpm=120).samples)
    assert digest(speak(pitch=20)) != digest(speak(pitch=80))


@pytest.mark.parametrize(
    ("text", "voice", "options", "message"),
    [
        ("...", Voice("espeak-ng", "en-us", "en-us"), {}, "no word to speak"),
        ("hi", Voice("espeak-ng", "en-us+nobody", "en-us"), {}, "'en-us\\+nobody'"),
        ("hi", Voice("elsewhere", "en-us", "en-us"), {}, "no voice of espeak-ng"),
        ("hi", Voice("espeak-ng", "en-us", "en-us"), {"rate_wpm": 10}, "rate_wpm=10"),
        ("hi", Voice("espeak-ng", "en-us", "en-us"), {"pitch": 100}, "pitch=100"),
    ],
)
def test_bad_requests_are_refused(text: str, voice: Voice, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ENGINE.speak(text, voice, **options)


def test_a_missing_wheel_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingDependency, match=r"pip install 'streamaudio-builder\[speech\]'"):
        speak()
