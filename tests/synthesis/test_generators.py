"""Generators: what they ask for, what they make of every answer, and that nothing is paid twice."""

import sys

import numpy as np
import pytest

from pipeline.errors import BadInput, EndpointDown, MissingDependency
from pipeline.synthesis.generators import Generated, Wish, open_generators
from pipeline.synthesis.made import MadeCache
from schemas.sound_services import Command, Diffusers, ElevenLabs, Procedural, SynthesisParams
from tests.sound_server import Reply, SoundServer, error, wav

KEY = "sk-very-secret"
WISH = Wish("A glass shatters on stone tiles.", ("Glass", "Shatter"), 1.2, seed=3)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("ELEVENLABS_API_KEY", KEY)


def opened(tmp_path, params):
    (generator,) = open_generators(SynthesisParams(generators=(params,)), MadeCache(tmp_path / "made"))
    return generator


def hosted(tmp_path, server, **more):
    return opened(tmp_path, ElevenLabs(base_url=server.url, **more))


def program(tmp_path, code, *arguments, **more):
    script = tmp_path / "make.py"
    script.write_text("import numpy, soundfile, sys, os, time\n" + code)
    return Command(name="maker", argv=(sys.executable, str(script), *arguments), licence="CC0-1.0", **more)


TONE = "soundfile.write('out.wav', 0.5 * numpy.sin(numpy.arange(22050) / 9), 22050)\n"


def test_the_embedded_synthesizer_says_what_it_rendered_and_renders_it_again(tmp_path):
    made = opened(tmp_path, Procedural()).generate(WISH)
    assert isinstance(made, Generated)
    assert (made.generator, made.licence) == ("procedural/1:glass_breaking", "CC0-1.0")
    assert made.tags
    assert made.rendering is not None
    assert np.array_equal(made.rendering.samples(), made.samples)
    assert opened(tmp_path, Procedural()).generate(Wish("xyzzy plugh", (), 1.0, seed=0)) is None


def test_elevenlabs_is_asked_as_its_reference_says_and_only_once(tmp_path):
    with SoundServer([Reply(body=wav(1.2))]) as server:
        made = hosted(tmp_path, server).generate(WISH)
        again = hosted(tmp_path, server).generate(WISH)
        other = hosted(tmp_path, server).generate(Wish(WISH.caption, WISH.tags, 1.2, seed=4))
    assert made is not None
    assert again is not None
    assert other is not None
    assert len(server.asked) == 2
    first = server.asked[0]
    assert first.path == "/v1/sound-generation?output_format=mp3_44100_128"
    assert first.headers["xi-api-key"] == KEY
    assert "authorization" not in first.headers
    assert first.json["text"] == WISH.caption
    assert first.json["duration_seconds"] == 1.2
    assert np.array_equal(made.samples, again.samples)
    assert made.samples.dtype == np.float32
    assert len(made.samples) == round(1.2 * 16_000)
    assert (made.caption, made.tags) == (None, None)
    assert made.generator == "elevenlabs/eleven_text_to_sound_v2"
    assert made.licence == "LicenseRef-ElevenLabs-Terms"


def test_elevenlabs_repeats_429_and_503_then_succeeds(tmp_path):
    with SoundServer([error(429), error(503), Reply(body=wav())]) as server:
        assert hosted(tmp_path, server).generate(WISH) is not None
        assert len(server.asked) == 3


@pytest.mark.parametrize("reply", [error(422, "text is too long"), error(400, "blocked")])
def test_a_refused_wish_goes_to_the_next_generator_and_is_not_sent_again(tmp_path, reply):
    with SoundServer([reply]) as server:
        assert hosted(tmp_path, server).generate(WISH) is None
        assert hosted(tmp_path, server).generate(WISH) is None
        assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", wav(level=0.0), b"RIFF" + bytes(40)])
def test_garbage_audio_is_asked_for_twice_and_then_given_up(tmp_path, body):
    with SoundServer([Reply(body=body)]) as server:
        assert hosted(tmp_path, server).generate(WISH) is None
        assert len(server.asked) == 2


def test_garbage_once_is_forgiven(tmp_path):
    with SoundServer([Reply(body=b"garbage"), Reply(body=wav())]) as server:
        assert hosted(tmp_path, server).generate(WISH) is not None


def test_a_refused_key_stops_the_build_without_repeating_the_key(tmp_path):
    with SoundServer([error(401, f"bad key {KEY}")]) as server, pytest.raises(BadInput) as caught:
        hosted(tmp_path, server).generate(WISH)
    assert "$ELEVENLABS_API_KEY is set, but refused" in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(server.asked) == 1


def test_an_outage_stops_the_run_resumable_and_is_not_kept(tmp_path):
    with SoundServer([error(500)]) as server, pytest.raises(EndpointDown, match="3 times"):
        hosted(tmp_path, server, max_retries=2).generate(WISH)
    with SoundServer([Reply(body=wav())]) as server:
        assert hosted(tmp_path, server).generate(WISH) is not None


def test_a_slow_service_is_not_waited_for(tmp_path):
    with SoundServer([Reply(body=wav(), wait_s=1.0)]) as server, pytest.raises(EndpointDown):
        hosted(tmp_path, server, timeout_s=0.1, max_retries=0).generate(WISH)


def test_raw_pcm_has_the_rate_of_its_name(tmp_path):
    pcm = (np.sin(np.arange(24_000) / 5) * 9_000).astype("<i2").tobytes()
    with SoundServer([Reply(body=pcm)]) as server:
        made = hosted(tmp_path, server, output_format="pcm_24000").generate(WISH)
    assert made is not None
    assert len(made.samples) == 16_000


def test_a_program_gets_the_caption_on_standard_input_and_a_clean_world(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "yes")
    code = TONE + (
        "text = sys.stdin.read()\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(repr((text, dict(os.environ), os.getcwd())))\n"
    )
    made = opened(tmp_path, program(tmp_path, code, keep_env=("KEPT",))).generate(WISH)
    assert made is not None
    text, environment, folder = eval((tmp_path / "seen").read_text())  # noqa: S307
    assert text == WISH.caption
    assert environment["KEPT"] == "yes"
    assert KEY not in str(environment)
    assert environment["HOME"] == folder
    assert made.generator == "maker/1"
    assert len(made.samples) == 16_000


def test_a_program_gets_arguments_as_they_are_never_as_options_or_shell(tmp_path):
    nasty = Wish("--help; $(touch pwned) {seed} 'x'", (), 1.0, seed=5)
    code = TONE + f"open({str(tmp_path / 'seen')!r}, 'w').write('|'.join(sys.argv[1:]))\n"
    made = opened(tmp_path, program(tmp_path, code, "{caption}", "{seed}", "{duration_s}")).generate(nasty)
    assert made is not None
    assert (tmp_path / "seen").read_text() == "help; $(touch pwned) {seed} 'x'|5|1.00"


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("sys.exit(3)", {}),
        ("pass", {}),
        ("open('out.wav', 'w').write('no sound')", {}),
        ("time.sleep(30)", {"timeout_s": 0.3}),
        ("open('big', 'wb').write(bytes(3_000_000)); time.sleep(30)", {"max_mb": 1}),
        ("os.symlink('/etc/hostname', 'out.wav')", {}),
    ],
)
def test_a_program_that_fails_in_any_way_makes_nothing(tmp_path, code, more):
    assert opened(tmp_path, program(tmp_path, code, **more)).generate(WISH) is None


def test_a_program_that_is_not_there_is_named_before_the_build(tmp_path):
    with pytest.raises(MissingDependency, match="no-such-program"):
        opened(tmp_path, Command(argv=("no-such-program",)))


def test_events_of_other_kinds_are_left_to_others(tmp_path):
    with SoundServer([Reply(body=wav())]) as server:
        assert hosted(tmp_path, server).generate(Wish("a slow waltz", (), 5.0, seed=0, kind="music")) is None
        assert not server.asked


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"api_key_env": "HOME"}, "_API_KEY"),
        ({"base_url": "http://user:pw@host/v1"}, "credentials"),
        ({"base_url": "ftp://host"}, "http"),
    ],
)
def test_no_recipe_can_hold_a_key_or_send_another_secret(values, word):
    with pytest.raises(ValueError, match=word):
        ElevenLabs(**values)
    with pytest.raises(ValueError, match="secret"):
        Command(argv=("x",), keep_env=("HF_TOKEN",))


def test_a_model_that_is_not_there_is_an_error_of_the_recipe(tmp_path):
    pytest.importorskip("diffusers", reason="the extra `generate` is not installed")
    generator = opened(tmp_path, Diffusers(pipeline="stable_audio", model=str(tmp_path / "none")))
    with pytest.raises(BadInput, match="safetensors"):
        generator.generate(WISH)
