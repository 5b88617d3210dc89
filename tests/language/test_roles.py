"""Every role from its template through HTTP to a typed reply."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.language.budget import Ledger
from pipeline.language.cache import ReplyCache
from pipeline.language.client import LanguageClient
from prompts import ROLES, load
from schemas.language import EndpointConfig
from schemas.plan import ScenePlan
from schemas.roles import AuditReply, ClipCaption, HistoryReview, Refinements, Reply, Rewrite, SceneCheck, Verdict
from tests.language.server import ScriptedServer, smart

EVENTS = [
    {"name": n, "role": r, "rough_duration_s": 4.0, "brief_description": f"a {n} nearby"}
    for n, r in [("kettle", "foreground"), ("spoon", "foreground"), ("room tone", "ambient")]
]
PLAN = {"scenario": "A kitchen in the morning.", "sub_events": EVENTS, "constraints": []}
CASES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "scenario_planner": (
        ScenePlan,
        {
            "captions": ["kettle", "rain"],
            "duration_s": 30.0,
            "min_events": 3,
            "max_events": 15,
            "must_include": [],
            "must_avoid": [],
            "language": "en",
            "unlike": [],
        },
    ),
    "event_refiner": (Refinements, {"plan": PLAN, "count": 3}),
    "clip_verifier": (
        Verdict,
        {
            "scenario": PLAN["scenario"],
            "target": EVENTS[0],
            "previous": None,
            "following": EVENTS[1],
            "caption": "a kettle whistles",
            "measurements": {"duration_s": 4.2},
            "source": "retrieved",
            "objection": None,
            "with_audio": False,
        },
    ),
    "clip_captioner": (ClipCaption, {"ontology": ["Dog", "Bark"]}),
    "scene_checker": (SceneCheck, {"plan": PLAN, "events": []}),
    "history_review": (HistoryReview, {"turns": ["My cat is called Ada."], "min_rounds": 3, "language": "en"}),
    "silence_auditor": (
        AuditReply,
        {"caption": "glass breaks", "scenario": None, "neighbours": [], "policy": "strict"},
    ),
    "spoken_rewriter": (Rewrite, {"text": "See you.", "language": "en"}),
    "responder": (
        Reply,
        {
            "scenario": PLAN["scenario"],
            "event": "glass breaking",
            "history": [],
            "wanted": {"criterion": "hazard"},
            "openings": [],
            "language": "zh",
        },
    ),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_its_typed_reply(tmp_path: Path, role: str) -> None:
    model, values = CASES[role]

    async def ask(url: str) -> Any:
        config, prompt = EndpointConfig(base_url=url, model="scripted"), load(role)
        async with LanguageClient(config, ReplyCache(str(tmp_path / "r")), Ledger(tmp_path / "l")) as client:
            return (await client.ask(role, prompt, prompt.render(**values), model)).value

    with ScriptedServer(smart) as server:
        assert isinstance(asyncio.run(ask(server.url)), model)
    assert server.requests[0].role == role
    assert server.requests[0].mode == "json_schema"
