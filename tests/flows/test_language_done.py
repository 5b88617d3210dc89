"""All of it on the command line: fifty scenes under every fault, killed, out of money, resumed, replayed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows.language_builds import data_of, files_with, make_library, quarantine, recipe_for
from tests.language.server import FAULTS, Canned, Chaos, Received, ScriptedServer, say

KEY = "sk-test-9876543210-secret"
STREAMS, CONCURRENCY, WORKERS = 50, 8, 2


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
            scenario = request.data()["plan"]["scenario"]
            if scenario in self.lost or (len(self.lost) < 3 and len(request.body["messages"]) == 2):
                self.lost.add(scenario)
                return say(f"I would rather talk about {KEY}.")
        return self.chaos(request)


@pytest.mark.slow
def test_fifty_scenes_under_every_fault(tmp_path: Path, shared: Path) -> None:
    library, corpus, behaviour = make_library(tmp_path / "library"), tmp_path / "corpus", Stubborn()
    recipe_file = tmp_path / "recipe.yaml"
    with ScriptedServer(behaviour, latency_s=0.02) as server:

        def command(out: Path = corpus, *options: object, **planner: Any) -> subprocess.Popen[str]:
            recipe = recipe_for(
                server.url,
                tmp_path,
                streams=STREAMS,
                streams_per_shard=8,
                planner={"timeout_s": 1.0, "concurrency": CONCURRENCY, **planner},
            )
            recipe_file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
            return streamaudio("build", recipe_file, "--library", library, "--out", out, "--workers", WORKERS, *options)

        status, told = finish(command(budget=0.2))
        assert status == 130, told
        assert "raise the budget" in told
        assert not (corpus / "manifest.json").exists()

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

        status, told = finish(command())
        assert status == 0, told
        assert "per scene" in told
        asked_for = len(server.requests)
        assert finish(command(tmp_path / "replayed", "--replay-only", concurrency=3))[0] == 0
        assert len(server.requests) == asked_for

    bodies = Counter(json.dumps(request.body) for request in server.requests)
    faults = sum(behaviour.chaos.thrown.values())
    in_flight = 2 * CONCURRENCY * WORKERS
    # A request comes again after a fault of transport, or where a kill took its reply; never once it is persisted.
    assert sum(bodies.values()) - len(bodies) <= faults + in_flight
    persisted = list((tmp_path / "replies").rglob("*.json"))
    assert len(persisted) >= len(bodies)
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
    assert not list(files_with(KEY, tmp_path))
    checker = shared / "acceptance" / "check_corpus.py"
    checked = subprocess.run([sys.executable, str(checker), str(corpus)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout[-2000:]
