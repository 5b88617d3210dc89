"""Who says what in a dialogue."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.library.library import Library
from pipeline.speaking import SLOWER, speak_dialogue
from pipeline.synthesis.asr import SpeechCheck
from pipeline.synthesis.speech import Speech, Voice, WordTime
from schemas.plan import Speaker, StreamPlan, Utterance
from schemas.sound_services import FasterWhisper, NoCheck, SpeechParams

SAID: tuple[tuple[Speaker, str], ...] = (
    ("user", "Hello there."), ("other", "Who is that?"), ("user", "It is me."), ("television", "And now the news."),
    ("user", "Good night."),
)  # fmt: skip
PLAN = cast(
    StreamPlan,
    SimpleNamespace(language="en", dialogue=[Utterance(text=text, language="en", speaker=who) for who, text in SAID]),
)


class Engine:
    """Speaks noise, and remembers how it was asked."""

    name = "noise"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, int]] = []

    def voices(self, language: str) -> list[Voice]:
        return [Voice("noise", name, language) for name in ("anna", "ben", "cleo")]

    def speak(self, text: str, voice: Voice, *, rate_wpm: int, take: int, **_: Any) -> Speech:
        self.asked.append((text, voice.name, rate_wpm, take))
        samples = np.full(1_600, 0.1, np.float32)
        return Speech(samples, (WordTime(text, 0, 1_600),), True, voice, "noise/1")


class Ears:
    """Understands the second take."""

    name = "ears/1"

    def __init__(self) -> None:
        self.heard = 0

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        self.heard += 1
        return SAID[self.heard // 2 - 1][1] if self.heard % 2 == 0 else "what"


@pytest.mark.parametrize("seed", range(4))
def test_one_voice_speaks_for_the_user_and_nobody_else_has_it(seed):
    engine, draw = Engine(), np.random.default_rng(seed)
    spoken = speak_dialogue(
        PLAN, cast(Any, engine), SpeechCheck(NoCheck(), None), SpeechParams(), draw, cast(Library, None)
    )
    voices = {who: {s.voice for s in spoken if s.utterance.speaker == who} for who, _ in SAID}
    assert all(len(names) == 1 for names in voices.values())
    assert len(set.union(*voices.values())) == 3
    assert len({rate for _, _, rate, _ in engine.asked}) == 1


def test_what_is_not_understood_is_said_again_by_the_same_voice_more_slowly():
    engine, draw = Engine(), np.random.default_rng(0)
    check = SpeechCheck(FasterWhisper(), Ears())
    spoken = speak_dialogue(PLAN, cast(Any, engine), check, SpeechParams(), draw, cast(Library, None))
    for (text, voice, rate, take), (again, same, slower, second) in zip(
        engine.asked[::2], engine.asked[1::2], strict=True
    ):
        assert (text, voice, take, second) == (again, same, 0, 1)
        assert slower == round(SLOWER * rate)
    assert [s.take for s in spoken] == [1] * len(SAID)
    assert {s.asr.by for s in spoken if s.asr} == {"ears/1"}
