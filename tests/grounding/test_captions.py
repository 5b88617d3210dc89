"""Who listens to generated sounds: zero-shot tags in a shared space, and a chat endpoint that hears."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.captioning import ontology
from pipeline.errors import BadInput
from pipeline.grounding.captions import ChatCaptioner, ClapCaptioner, no_captioner
from pipeline.language.bridge import Bridge
from pipeline.language.budget import Ledger
from pipeline.language.cache import ReplyCache
from pipeline.synthesis.made import MadeCache
from schemas.language import EndpointConfig
from schemas.sound_services import ChatCaptions, ClapTags
from tests.language.server import ScriptedServer, say

TAGS = ("Dog", "Glass", "Shatter", "Rain")
SAMPLES = np.sin(np.arange(16_000) / 9).astype(np.float32) / 2


@dataclass
class Space:
    """Texts on axes; every sound lies between `heard`."""

    heard: dict[str, float]
    rates: list[int] = field(default_factory=list)

    def identity(self):
        return {"checkpoint_sha256": "abcdef0123456789"}

    def embed_texts(self, texts):
        return np.array([[float(tag.lower() in text) for tag in TAGS] for text in texts], np.float32)

    def embed_clips(self, clips, read):
        self.rates.append(len(read(clips[0], 48_000)))
        vector = np.array([self.heard.get(tag, 0.0) for tag in TAGS], np.float32)
        return (vector / np.linalg.norm(vector))[None]


def test_the_nearest_tags_are_given_once_and_the_sound_arrives_at_the_encoders_rate(tmp_path):
    space = Space({"Glass": 1.0, "Shatter": 0.98, "Rain": 0.3})
    listen = ClapCaptioner(ClapTags(top=3, margin=0.05), space, TAGS, MadeCache(tmp_path))
    found, again = listen(SAMPLES), listen(SAMPLES)
    assert found == again
    assert found is not None
    assert (found.caption, found.tags) == ("glass, shatter", ("Glass", "Shatter"))
    assert found.by == "clap/abcdef012345"
    assert space.rates == [48_000]


def test_the_ontology_holds_what_scenes_and_the_auditor_know():
    assert {"Dog", "Glass", "Smoke detector, smoke alarm", "Rain"} <= set(ontology())
    assert list(ontology()) == sorted(ontology())


def captioner(tmp_path, server):
    config = EndpointConfig(base_url=f"{server.url}", model="ears", audio_input=True, temperature=0)
    bridge = Bridge(
        config, ReplyCache(str(tmp_path / "replies")), Ledger(tmp_path / "l.sqlite", budget=None, currency="")
    )
    params = ChatCaptions(base_url=server.url, model="ears")
    return ChatCaptioner(params, bridge, TAGS, MadeCache(tmp_path / "made")), bridge


def test_a_chat_endpoint_hears_the_sound_and_nothing_else_and_only_once(tmp_path):
    reply = '{"caption": "Glass breaks on stone.", "tags": ["glass", "Shatter"]}'
    with ScriptedServer([say(reply)]) as server:
        listen, bridge = captioner(tmp_path, server)
        found, again = listen(SAMPLES), listen(SAMPLES)
        bridge.close()
    assert found == again
    assert found is not None
    assert (found.caption, found.tags, found.by) == ("Glass breaks on stone.", ("Glass", "Shatter"), "ears/chat")
    assert len(server.requests) == 1
    parts = server.requests[0].body["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "input_audio"]
    assert server.requests[0].role == "clip_captioner"


def test_tags_outside_the_ontology_are_sent_back_and_at_last_given_up(tmp_path):
    with ScriptedServer([say('{"caption": "A sound.", "tags": ["Dragon"]}')]) as server:
        listen, bridge = captioner(tmp_path, server)
        assert listen(SAMPLES) is None
        bridge.close()
    assert len(server.requests) == 3


def test_without_a_captioner_an_unknown_sound_is_an_error_of_the_recipe():
    with pytest.raises(BadInput, match="captions"):
        no_captioner(SAMPLES)
