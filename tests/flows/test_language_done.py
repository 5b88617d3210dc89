"""All of it on the command line: fifty scenes under every fault, killed, out of money, resumed, replayed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.corpus_build import LEDGER
from pipeline.estimate import estimate
from pipeline.language.budget import Ledger
from pipeline.language.crew import PROMPT_OF
from pipeline.validation.report import write_report
from tests.flows.language_builds import data_of, files_with, make_library, quarantine, recipe_for
from tests.language.server import FAULTS, Canned, Chaos, Received, ScriptedServer, say

KEY = "sk-test-9876543210-secret"
STREAMS, SCENES, CONCURRENCY, WORKERS = 58, 50, 8, 2
TRANSPORT = ("empty_body", "rate_limited", "server_error", "hang", "cut_mid_body", "html")
"""Faults after which the same request comes again; every other reply is persisted, and answered by a repair."""


def streamaudio(*arguments: object) -> subprocess.Popen[str]:
    """The command line in a session of its own, so that it can be killed with its workers."""
    return subprocess.Popen(
        [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
        env={name: v for name, v in os.environ.items() if "LOGGING" not in name} | {"OPENAI_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(run: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = run.communicate(timeout=900)
    assert KEY not in told
    assert "Traceback" not in told, told[-3000:]
    return run.returncode, told


class Stubborn:
    """`Chaos`, and for three of the scenes a refiner that nobody can bring to reason."""

    def __init__(self) -> None:
        self.chaos = Chaos(0.2, seed=4)
        self.lost: set[str] = set()

    def __call__(self, request: Received) -> Canned:
        if request.role == "event_refiner":
            plan = json.dumps(request.data()["plan"])
            if plan in self.lost or (len(self.lost) < 3 and len(request.body["messages"]) == 2):
                self.lost.add(plan)
                return say(f"I would rather talk about {KEY}.")
        return self.chaos(request)


def of_entry(path: Path) -> str:
    """The request of a persisted reply; with a seed in the recipe, each of its samples has a seed of its own."""
    request = json.loads(path.read_text())["request"]
    return json.dumps([request["parameters"]["seed"], request["messages"]], sort_keys=True)


def of_request(request: Received) -> str:
    return json.dumps([request.body["seed"], request.body["messages"]], sort_keys=True)


@dataclass
class Watch:
    """What had been asked, and what was persisted, whenever a run ended."""

    server: ScriptedServer
    replies: Path
    ends: list[tuple[int, set[str]]] = field(default_factory=list)

    def note_end(self) -> None:
        persisted = {of_entry(p) for p in self.replies.rglob("*.json") if p.parents[1].name in PROMPT_OF}
        begun = self.ends[-1][0] if self.ends else 0
        asked = len(self.server.requests)
        lost = {of_request(request) for request in self.server.requests[begun:asked]} - persisted
        assert len(lost) <= CONCURRENCY * WORKERS
        self.ends.append((asked, persisted))

    def persisted_and_asked_again(self) -> int:
        return sum(of_request(r) in persisted for asked, persisted in self.ends for r in self.server.requests[asked:])


@pytest.mark.slow
def test_fifty_scenes_under_every_fault(tmp_path: Path, shared: Path) -> None:
    library, corpus, behaviour = make_library(tmp_path / "library"), tmp_path / "corpus", Stubborn()
    recipe_file = tmp_path / "recipe.yaml"
    with ScriptedServer(behaviour, latency_s=0.02, modes=("json_object",)) as server:
        watch = Watch(server, tmp_path / "replies")

        def command(out: Path = corpus, *options: object, **planner: Any) -> subprocess.Popen[str]:
            recipe = recipe_for(
                server.url,
                tmp_path,
                streams=STREAMS,
                streams_per_shard=8,
                planner={"seed": 0, "timeout_s": 1.0, "concurrency": CONCURRENCY, **planner},
            )
            assert estimate(recipe).scenes == SCENES
            recipe_file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
            return streamaudio("build", recipe_file, "--library", library, "--out", out, "--workers", WORKERS, *options)

        status, told = finish(command(budget=0.2))
        assert status == 130, told
        assert "raise the budget" in told
        assert not (corpus / "manifest.json").exists()
        assert 0.15 < Ledger(corpus / ".state" / LEDGER).spent() <= 0.2
        watch.note_end()

        # Killed once while it plans and once while it builds shards.
        for asked, built in ((len(server.requests) + 150, 0), (0, 1)):
            run = command()
            deadline = time.monotonic() + 600
            while len(server.requests) < asked or len(list(corpus.glob(".state/shards/*"))) < built:
                assert run.poll() is None, run.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.02)
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            time.sleep(0.5)
            assert Ledger(corpus / ".state" / LEDGER).in_flight() <= CONCURRENCY * WORKERS
            watch.note_end()

        status, told = finish(command())
        assert status == 0, told
        assert "per scene" in told
        asked_for = len(server.requests)
        assert finish(command(tmp_path / "replayed", "--replay-only", concurrency=3))[0] == 0
        assert len(server.requests) == asked_for

    assert watch.persisted_and_asked_again() == 0
    times = Counter(map(of_request, server.requests))
    refused_mode = sum(request.mode == "json_schema" for request in server.requests)
    assert 0 < refused_mode <= CONCURRENCY
    faults = sum(behaviour.chaos.thrown[name] for name in TRANSPORT)
    assert times.total() - len(times) <= faults + refused_mode + 2 * CONCURRENCY * WORKERS
    assert set(behaviour.chaos.thrown) == set(FAULTS)
    assert data_of(tmp_path / "replayed") == data_of(corpus)
    manifest = json.loads((corpus / "manifest.json").read_text())
    rejected = quarantine(corpus)
    assert manifest["rows"] + len(rejected) == STREAMS
    assert {q["stage"] for q in rejected} == {"refiner"}
    assert all("after 2 repairs" in q["reason"] and "rather talk about [key]" in q["reason"] for q in rejected)
    assert len({q["seed"] for q in rejected}) == len(behaviour.lost) >= 3
    language = manifest["language"]
    assert language["total"]["cost"] == pytest.approx(sum(role["cost"] for role in language["by_role"].values()))
    assert "Variety" in write_report(corpus, None).read_text(encoding="utf-8")
    assert not list(files_with(KEY, tmp_path))
    checker = shared / "acceptance" / "check_corpus.py"
    checked = subprocess.run([sys.executable, str(checker), str(corpus)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout[-2000:]
