"""Served voices on a local server, programs, and the pool."""

import base64
import sys

import numpy as np
import pytest

from pipeline.errors import BadInput, EndpointDown, SceneRejected
from pipeline.synthesis.made import MadeCache
from pipeline.synthesis.voices import open_speech
from schemas.sound_services import OpenAISpeech, SpeechCommand, SpeechParams, VoiceParams
from tests.sound_server import Reply, SoundServer, error, wav

POOL = (VoiceParams(name="alloy", language="en", dialect="Scottish"), VoiceParams(name="mei", language="zh"))
TEXT = "Where does that noise come from?"


def opened(tmp_path, engine, voices=POOL):
    return open_speech(SpeechParams(engine=engine, voices=voices), MadeCache(tmp_path / "made"))


def test_a_server_is_asked_as_its_reference_says_and_only_once(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with SoundServer([Reply(body=wav(2.0, rate=24_000, quiet_s=0.5))]) as server:
        params = OpenAISpeech(base_url=server.url + "/v1", model="tts", instructions=True, licence="X")
        engine = opened(tmp_path, params)
        voice = engine.voices("en-us")[0]
        speech = engine.speak(TEXT, voice, rate_wpm=200, emotion="happy")
        again = engine.speak(TEXT, voice, rate_wpm=200, emotion="happy")
        other = engine.speak(TEXT, voice, rate_wpm=200, emotion="happy", take=1)
    assert len(server.asked) == 2
    assert server.asked[0].path == "/v1/audio/speech"
    assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    assert server.asked[0].json == {
        "model": "tts", "input": TEXT, "voice": "alloy", "response_format": "wav", "speed": 1.25,
        "instructions": "Speak happily. Dialect: Scottish.",
    }  # fmt: skip
    assert np.array_equal(speech.samples, again.samples)
    assert other.engine == speech.engine == "openai/tts"
    assert speech.words_estimated
    assert " ".join(w.word for w in speech.words) == TEXT
    assert abs(len(speech.samples) - 32_000) < 1_000  # the silence around it is cut
    assert speech.licence == "X"
    assert speech.follows == {"rate", "emotion"}


def test_raw_pcm_and_streamed_wav_headers_are_read(tmp_path):
    pcm = (np.sin(np.arange(48_000) / 7) * 12_000).astype("<i2").tobytes()
    streamed = bytearray(wav(1.0))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    for body, form in ((pcm, "pcm"), (bytes(streamed), "wav")):
        with SoundServer([Reply(body=body)]) as server:
            engine = opened(
                tmp_path / form,
                OpenAISpeech.model_validate({"base_url": server.url, "model": "tts", "response_format": form}),
            )
            assert len(engine.speak(TEXT, engine.voices("en")[0]).samples) > 14_000


def test_a_cloned_voice_sends_its_reference_and_needs_consent(tmp_path):
    clip = tmp_path / "anna.wav"
    clip.write_bytes(wav(0.2))
    with pytest.raises(ValueError, match="consent"):
        VoiceParams(name="anna", language="en", reference=str(clip))
    anna = VoiceParams(
        name="anna", language="en", reference=str(clip), reference_text="Hello.", consent="signed", licence="CC-BY-4.0"
    )
    with SoundServer([Reply(body=wav())]) as server:
        engine = opened(tmp_path, OpenAISpeech(base_url=server.url, model="clone", clones=True), (anna,))
        speech = engine.speak(TEXT, engine.voices("en")[0])
        sent = server.asked[0].json
    assert base64.b64decode(sent["ref_audio"].partition(",")[2]) == clip.read_bytes()
    assert sent["ref_text"] == "Hello."
    assert speech.licence == "CC-BY-4.0"
    assert speech.voice.consent == "signed"
    with pytest.raises(BadInput, match="reference clip"):
        opened(tmp_path, OpenAISpeech(model="clone"), (anna.model_copy(update={"reference": "gone.wav"}),))


@pytest.mark.parametrize("reply", [error(422), Reply(body=b"<html>"), Reply(body=wav(level=0.0))])
def test_a_line_that_is_refused_or_comes_to_nothing_rejects_its_scene(tmp_path, reply):
    with SoundServer([reply]) as server:
        engine = opened(tmp_path, OpenAISpeech(base_url=server.url, model="tts"))
        with pytest.raises(SceneRejected, match="does not speak"):
            engine.speak(TEXT, engine.voices("en")[0])


def test_a_missing_key_and_an_outage_stop_the_run(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for status, expected, word in ((401, BadInput, "OPENAI_API_KEY is not set"), (500, EndpointDown, "resume")):
        with SoundServer([error(status)]) as server:
            engine = opened(tmp_path, OpenAISpeech(base_url=server.url, model="tts", max_retries=1))
            with pytest.raises(expected, match=word):
                engine.speak(TEXT, engine.voices("en")[0])


def test_a_program_speaks(tmp_path):
    script = tmp_path / "speak.py"
    script.write_text(
        "import numpy, soundfile, sys\n"
        "out, voice, rate = sys.argv[1:]\n"
        "assert sys.stdin.read() and voice == 'mei' and rate == '170'\n"
        "soundfile.write(out, 0.4 * numpy.sin(numpy.arange(30000) / 9), 22050)\n"
    )
    engine = opened(
        tmp_path, SpeechCommand(name="mine", argv=(sys.executable, str(script), "{out}", "{voice}", "{rate_wpm}"))
    )
    speech = engine.speak("狗叫了。", engine.voices("zh")[0], rate_wpm=170)
    assert speech.engine == "mine/1"
    assert speech.follows == {"rate"}
    assert [w.word for w in speech.words] == ["狗", "叫", "了。"]


def test_the_pool_is_asked_by_language_and_may_name_embedded_voices(tmp_path):
    engine = opened(tmp_path, OpenAISpeech(model="tts"), POOL[:1])
    with pytest.raises(BadInput, match="'zh'"):
        engine.voices("zh")
    with pytest.raises(ValueError, match=r"speech\.voices"):
        SpeechParams(engine=OpenAISpeech(model="tts"))
    embedded = open_speech(
        SpeechParams(voices=(VoiceParams(name="en-us+f3", language="en"),)), MadeCache(tmp_path / "made")
    )
    assert [v.name for v in embedded.voices("en")] == ["en-us+f3"]
    with pytest.raises(BadInput, match="nobody"):
        open_speech(SpeechParams(voices=(VoiceParams(name="nobody", language="en"),)), MadeCache(tmp_path / "made"))
