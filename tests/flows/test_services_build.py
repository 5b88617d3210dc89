"""Whole builds with generated sounds, captions by a chat endpoint, served voices and the speech check."""

import json
from typing import Any

import pytest

from pipeline.corpus_build import Workplace, generate_shard, open_tools
from pipeline.shards.corpus import CorpusFolder
from pipeline.validation.contract import validate_corpus
from schemas.provenance import Provenance
from schemas.recipe import Recipe
from tests.flows.language_builds import build, data_of, make_library, quarantine, rows
from tests.language.server import ScriptedServer, say
from tests.sound_server import Reply, SoundServer, burst

HEARD = {
    "caption": "a glass window shatters, thunder cracks and a civil defense siren wails",
    "tags": ["Glass", "Shatter", "Thunder", "Civil defense siren", "Crack"],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return make_library(tmp_path_factory.mktemp("services"))


def recipe(tmp_path, **keys) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "services",
            "streams": 6,
            "streams_per_shard": 6,
            "splits": {"train": 1.0},
            "max_quarantined": 1.0,
            "mixed": 0,
            "p_history": 0,
            "p_proactive": 0,
            "noise": {"enabled": False},
            "scene": {"duration_s": ["uniform", 15, 20]},
            **keys,
        }
    )


def services(tmp_path, sounds: str, voices: str, ears: str) -> dict[str, Any]:
    return {
        "synthesis": {
            "generators": [{"kind": "elevenlabs", "base_url": sounds}, {"kind": "procedural"}],
            "cache": str(tmp_path / "made"),
        },
        "captions": {"kind": "chat", "base_url": ears, "model": "ears"},
        "speech": {
            "engine": {"kind": "openai", "base_url": voices, "model": "tts", "licence": "CC-BY-4.0"},
            "voices": [{"name": "emma", "language": "en"}, {"name": "jack", "language": "en"}],
        },
    }


def test_generation_captions_and_speech_together_every_choice_in_the_row(tmp_path, library, monkeypatch):
    monkeypatch.setenv("ELEVENLABS_API_KEY", "sk-secret")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with (
        SoundServer([Reply(body=burst(1.5, seed=k, quiet_s=0.2)) for k in range(40)]) as sounds,
        SoundServer([Reply(body=burst(2.0, seed=100 + k, quiet_s=0.1)) for k in range(40)]) as voices,
        ScriptedServer([say(json.dumps(HEARD))]) as ears,
    ):
        keys = {"mixture": {"natural_hazard": 2, "single_turn_qa": 1}, "pairs": 0}
        wanted = recipe(tmp_path, **keys, **services(tmp_path, sounds.url, voices.url, ears.url))
        manifest = build(wanted, library, tmp_path / "corpus")
        assert sounds.asked
        assert voices.asked
        assert ears.requests
    assert manifest["rows"] >= 5
    findings = validate_corpus(tmp_path / "corpus", library=library)
    assert not findings.by_rule()

    events = [(row, i, event) for row in rows(tmp_path / "corpus") for i, event in enumerate(row["events"])]
    made = [(row, i, e) for row, i, e in events if (e["generator"] or "").startswith("elevenlabs/")]
    assert made
    for row, i, event in made:
        provenance = Provenance.model_validate_json(row["provenance_json"])
        (record,) = [g for g in provenance.generations if g.event == i]
        assert record.caption
        assert event["caption"] == HEARD["caption"] != record.caption
        assert event["licence"] == "LicenseRef-ElevenLabs-Terms"
        (grounding,) = [g for g in provenance.grounding if g.event == i]
        assert grounding.candidates[-1].captioner == "ears/chat"
    spoken = [e for _, _, e in events if e["source"] == "spoken"]
    assert {(e["generator"], e["licence"]) for e in spoken} == {("openai/tts", "CC-BY-4.0")}
    speech = [
        s for row in rows(tmp_path / "corpus") for s in Provenance.model_validate_json(row["provenance_json"]).speech
    ]
    assert {(s.words_estimated, s.asr_check, s.follows) for s in speech} == {(True, "not_run", ("rate",))}

    # The servers are gone and have moved: a rebuild asks nobody and gives the same bytes, also where all that was made
    # is taken from the cache of another machine.
    nowhere = "http://127.0.0.1:9/v1"
    moved = recipe(tmp_path, **keys, **services(tmp_path, nowhere, nowhere, nowhere))
    (name,) = data_of(tmp_path / "corpus")
    folder = CorpusFolder(tmp_path / "corpus")
    (folder.state / "shards" / name).with_suffix(".json").unlink()
    open_tools.cache_clear()
    made = generate_shard(Workplace.prepare(folder, moved, library), name.removesuffix(".parquet"))
    assert made.keys() == {path.stem for path in (tmp_path / "made").rglob("*.safetensors")}
    elsewhere = {"synthesis": moved.synthesis.model_copy(update={"cache": str(tmp_path / "elsewhere")})}
    build(moved.model_copy(update=elsewhere), library, tmp_path / "again", made=made)
    assert data_of(tmp_path / "again") == data_of(tmp_path / "corpus")


def test_speech_that_is_not_understood_discards_its_stream(tmp_path, library):
    with SoundServer([Reply(body=b'{"text": "something else entirely"}')]) as ears:
        manifest = build(
            recipe(
                tmp_path,
                streams=1,
                mixture={"single_turn_qa": 1},
                asr={"kind": "openai", "base_url": ears.url},
                synthesis={"cache": str(tmp_path / "made")},
            ),
            library,
            tmp_path / "corpus",
        )
    assert (manifest["rows"], manifest["quarantined"]) == (0, 1)
    (rejected,) = quarantine(tmp_path / "corpus")
    assert rejected["stage"] == "asr_check"
    assert "something else entirely" in rejected["reason"]
    assert len(ears.asked) == 3


def test_a_generator_without_a_captioner_is_refused_before_anything_is_built():
    with pytest.raises(ValueError, match="never judged by their prompt"):
        Recipe.model_validate({"synthesis": {"generators": [{"kind": "elevenlabs"}]}})
    with pytest.raises(ValueError, match="state its licence"):
        Recipe.model_validate(
            {
                "synthesis": {"generators": [{"kind": "elevenlabs"}]},
                "captions": {"kind": "clap"},
                "licences": ["CC0-1.0"],
            }
        )
