"""The speech check on a scripted transcriber and on a server."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput, EndpointDown, SceneRejected
from pipeline.synthesis.asr import SpeechCheck, open_check, score
from pipeline.synthesis.made import MadeCache
from pipeline.synthesis.speech import Speech, Voice
from schemas.sound_services import FasterWhisper, NoCheck, OpenAITranscription
from tests.sound_server import Reply, SoundServer, error

VOICE = Voice("espeak-ng", "en-us", "en-us")
TEXT = "Tell me when you hear a dog bark."
TWENTY = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"


def speak(take: int) -> Speech:
    return Speech(np.full(100, take / 10, np.float32), (), True, VOICE, "test/1")


@dataclass
class Scripted:
    replies: list[str]
    name: str = "scripted/1"
    heard: list[float] = field(default_factory=list)

    def transcribe(self, samples: np.ndarray, language: str) -> str:
        self.heard.append(float(samples[0]))
        return self.replies[len(self.heard) - 1]


def check(*replies: str, **params) -> tuple[SpeechCheck, Scripted]:
    listener = Scripted(list(replies))
    return SpeechCheck(FasterWhisper(**params), listener), listener


def test_case_punctuation_and_numerals_are_no_errors():
    assert score("I saw three dogs, didn't I?", "i saw 3 dogs didn’t I", "en").error == 0
    assert score("我有三只狗。", "我有3只狗", "zh").error == 0


def test_the_rate_is_words_in_english_and_characters_in_mandarin():
    assert score("one two three four", "one two three five", "en").error == pytest.approx(0.25)
    assert score("打开客厅的灯", "打开客听的灯", "zh").error == pytest.approx(1 / 6)
    assert score("one two", "", "en").error == 1
    assert score("one", "one and two and three", "en").run == 4


@given(st.lists(st.sampled_from("alpha beta gamma delta".split()), min_size=1, max_size=20))
def test_what_is_heard_as_meant_has_no_error(words):
    found = score(" ".join(words), " ".join(words), "en")
    assert (found.error, found.run) == (0, 0)


def test_the_first_take_that_passes_is_used():
    checker, listener = check("garbage", TEXT)
    passed = checker(TEXT, "en", speak)
    assert passed.take == 1
    assert passed.speech.samples[0] == np.float32(0.1)
    assert passed.score is not None
    assert passed.score.error == 0
    assert listener.heard == pytest.approx([0.0, 0.1])


def test_after_two_retries_the_instance_is_discarded_with_what_was_heard():
    checker, listener = check("x", "y", "z", TEXT)
    with pytest.raises(SceneRejected) as rejected:
        checker(TEXT, "en", speak)
    assert rejected.value.stage == "asr_check"
    assert "'z'" in rejected.value.reason
    assert len(listener.heard) == 3


def test_a_run_of_garbage_fails_where_the_total_would_pass():
    long = " ".join(f"{w} {w}y" for w in TWENTY.split())
    words = long.split()
    local = " ".join([*words[:10], "blah", "blah", "blah", *words[13:]])
    spread = " ".join(w if i not in (3, 14, 27) else "blah" for i, w in enumerate(words))
    assert score(long, local, "en").error == score(long, spread, "en").error < 0.1
    assert check(spread, max_run=2)[0](long, "en", speak).take == 0
    with pytest.raises(SceneRejected, match="run 3"):
        check(local, retries=0, max_run=2)[0](long, "en", speak)


def test_without_a_check_nobody_pretends_to_have_listened(tmp_path):
    passed = open_check(NoCheck(), MadeCache(tmp_path))(TEXT, "en", speak)
    assert passed.score is None


def test_a_server_listens_once(tmp_path):
    with SoundServer([Reply(body=b'{"text": "Tell me when you hear a dog bark"}')]) as server:
        for _ in range(2):
            checker = open_check(OpenAITranscription(base_url=server.url, model="w"), MadeCache(tmp_path))
            assert checker(TEXT, "en", speak).take == 0
    (asked,) = server.asked
    assert asked.path == "/audio/transcriptions"
    assert b'name="model"' in asked.body
    assert b'name="language"' in asked.body
    assert b"RIFF" in asked.body


@pytest.mark.parametrize("body", [b"", b"[]", b'{"text": 3}', b'{"words": []}'])
def test_an_answer_without_a_text_is_no_transcript(tmp_path, body):
    with SoundServer([Reply(body=body)]) as server:
        checker = open_check(OpenAITranscription(base_url=server.url), MadeCache(tmp_path))
        with pytest.raises(SceneRejected, match="asr_check"):
            checker(TEXT, "en", speak)


@pytest.mark.parametrize(("status", "expected"), [(401, BadInput), (503, EndpointDown), (422, SceneRejected)])
def test_errors_of_the_server_are_told_apart(tmp_path, status, expected):
    with SoundServer([error(status)]) as server:
        checker = open_check(OpenAITranscription(base_url=server.url, max_retries=1), MadeCache(tmp_path))
        with pytest.raises(expected):
            checker(TEXT, "en", speak)


def test_a_whisper_model_that_is_not_there_is_an_error_of_the_recipe(tmp_path):
    pytest.importorskip("faster_whisper", reason="the extra `asr` is not installed")
    checker = open_check(FasterWhisper(model=str(tmp_path / "none")), MadeCache(tmp_path))
    with pytest.raises(BadInput, match=r"asr\.model"):
        checker(TEXT, "en", speak)
