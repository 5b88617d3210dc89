"""The model as verifier: what is measured is not up for discussion, and what it hears is the clip."""

import base64
import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from pipeline.grounding.model import ModelVerifier
from pipeline.grounding.verify import Evidence, Target
from pipeline.language.crew import open_crew
from schemas.plan import Refinement, SubEvent
from schemas.recipe import GroundingParams, Recipe
from tests.language.server import ScriptedServer, smart

TARGET = Target(
    sub_event=SubEvent(name="dog", role="foreground", rough_duration_s=1.0, brief_description="a dog barks"),
    refinement=Refinement(query="a dog barks once", fallback_caption="A dog barks.", accept_tags=("Dog",)),
    kind="sfx",
    scenario="In a yard at noon.",
    previous="door",
)
TONE = np.sin(np.arange(40 * 16_000) / 10).astype(np.float32) / 2


def evidence(**changes: Any) -> Evidence:
    given: dict[str, Any] = {
        "caption": "dog barking",
        "tags": ("Dog",),
        "source": "retrieved",
        "score": 0.5,
        "duration_s": 1.0,
        "occurrences": 1,
        "onset_cut": False,
        "offset_cut": False,
        "snr_db": 30.0,
        "samples": TONE,
    }
    return Evidence(**given | changes)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(smart) as running:
        yield running


def judge(server: ScriptedServer, folder: Path, target: Target, found: Evidence, **planner: Any) -> str:
    endpoint = {"kind": "openai", "base_url": server.url, "model": "m", "cache": str(folder / "replies")}
    recipe = Recipe.model_validate({"planner": endpoint | planner})
    with open_crew(recipe, folder / "ledger") as crew:
        return ModelVerifier(crew.scene("s"), GroundingParams(min_score=0.2))(target, found).verdict


@pytest.mark.parametrize("changes", [{"score": 0.1}, {"occurrences": 2}])
def test_measured_rules_are_not_asked_about(server: ScriptedServer, tmp_path: Path, changes: dict[str, Any]) -> None:
    single = dataclasses.replace(TARGET, single=True)
    assert judge(server, tmp_path, single, evidence(**changes)) == "reject"
    assert not server.requests
    assert judge(server, tmp_path, single, evidence()) == "accept"


def test_the_model_gets_caption_measurements_neighbours_and_source(server: ScriptedServer, tmp_path: Path) -> None:
    judge(server, tmp_path, TARGET, evidence())
    (request,) = server.requests
    data = request.data()
    assert (data["caption"], data["previous"], data["following"]) == ("dog barking", "door", None)
    assert (data["source"], data["measurements"]["duration_s"]) == ("retrieved", 1.0)
    assert "A dog barks." not in request.text("user")  # never the prompt of a generated sound
    assert "attached" not in request.text("system")


def test_a_model_with_ears_hears_the_first_half_minute(server: ScriptedServer, tmp_path: Path) -> None:
    judge(server, tmp_path, TARGET, evidence(), audio_input=True)
    (request,) = server.requests
    part = request.body["messages"][1]["content"][1]["input_audio"]
    heard, rate = sf.read(io.BytesIO(base64.b64decode(part["data"])), dtype="float32")
    assert (part["format"], rate, len(heard)) == ("wav", 16_000, 30 * 16_000)
    assert np.abs(heard - TONE[: len(heard)]).max() < 1e-4
    assert "attached" in request.text("system")
    stored = [path.read_text() for path in (tmp_path / "replies" / "verifier").rglob("*.json")]
    assert not any(part["data"][:100] in text for text in stored)


def test_an_accepted_clip_that_is_longer_than_its_slot_is_shortened(server: ScriptedServer, tmp_path: Path) -> None:
    slot = dataclasses.replace(TARGET, max_duration_s=0.8)
    assert judge(server, tmp_path, slot, evidence()) == "reprocess"
