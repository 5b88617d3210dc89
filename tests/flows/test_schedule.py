"""Corpora by the clock: what is deployed, what a run does, and, on a real server with a worker, nights on end."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.schedules import Cron

from flows import artifacts, versions
from flows.schedule import POOL, renew_corpus
from flows.stage_log import StageLog, as_json
from pipeline.shards.reader import read_manifest, shard_paths
from pipeline.shards.timings import summary_of
from pipeline.validation.contract import validate_corpus
from tests.flows.commands import ROOT, run
from tests.flows.version_builds import build_here

RECIPE: dict[str, Any] = {
    "name": "By.Night",
    "seed": 3,
    "streams": 4,
    "streams_per_shard": 1,
    "mixture": {"count_events": 1},
    "splits": {"train": 1.0},
    "scene": {"duration_s": ["uniform", 12, 14]},
    "conditioning": "off",
    "max_quarantined": 0.5,
}


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def test_the_deployment_of_prefect_yaml_fits_the_flow():
    (nightly,) = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    file, _, function = nightly["entrypoint"].partition(":")
    assert (ROOT / file).is_file()
    assert function == renew_corpus.fn.__name__
    inspect.signature(renew_corpus.fn).bind(**nightly["parameters"])
    assert (ROOT / nightly["parameters"]["recipe"]).is_file()
    assert nightly["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert nightly["work_pool"]["name"] == POOL
    for schedule in nightly["schedules"]:
        Cron(schedule["cron"], timezone=schedule["timezone"])


def test_two_runs_publish_two_versions_and_show_them(recipe, starter, tmp_path, monkeypatch):
    shown: dict[str, list[Any]] = {}
    for kind in ("markdown", "table"):
        monkeypatch.setattr(
            artifacts,
            f"create_{kind}_artifact",
            lambda content, key, description: shown.setdefault(key, []).append(content),
        )
    monkeypatch.setattr(versions, "build_corpus", build_here)
    monkeypatch.setattr("flows.schedule.get_run_logger", lambda: __import__("logging").getLogger("test"))
    arguments = {"recipe": str(recipe), "out": str(tmp_path / "corpus"), "library": str(starter), "limit": 2}
    assert [renew_corpus.fn(**arguments) for _ in range(2)] == [1, 2]
    assert read_manifest(tmp_path / "corpus")["rows"] == 4
    assert set(shown) == {f"by-night-{what}" for what in ("summary", "mixture", "licences", "timings", "distributions")}
    assert "| rows | 2 | 4 |" in shown["by-night-summary"][1]
    assert shown["by-night-distributions"][1].startswith("![Realised distributions](data:image/png;base64,iVBOR")
    timings = summary_of(tmp_path / "corpus")
    assert timings is not None
    assert timings.streams == 2
    assert {"planning", "grounding", "composition", "encoding"} <= timings.stages_s.keys()
    assert timings.bytes == sum((tmp_path / "corpus" / p).stat().st_size for p in _second(tmp_path / "corpus"))


def _second(corpus: Path) -> list[str]:
    return [path for path in shard_paths(read_manifest(corpus)) if "/v0002/" in path]


def test_a_schedule_without_a_server_or_with_a_wrong_one_is_one_line(recipe, starter, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    command = ("schedule", recipe, "--out", tmp_path / "c", "--library", starter, "--cron")
    without_server = run(capsys, monkeypatch, *command, "0 2 * * *")
    assert (without_server.status, "prefect server start" in without_server.err) == (2, True)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    never = run(capsys, monkeypatch, *command, "every night")
    assert (never.status, "'every night'" in never.err) == (2, True)


def test_a_stage_is_told_when_it_is_over_and_once_a_minute():
    now = 0.0
    said: list[dict[str, Any]] = []
    log = StageLog(said.append, clock=lambda: now)
    for second in range(150):
        now = float(second)
        log("built", second, 150)
    log("built", 150, 150)
    log("built", 150, 150)
    log("validated", 3, 3)
    assert [(line["stage"], line["done"]) for line in said] == [
        ("built", 60),
        ("built", 120),
        ("built", 150),
        ("validated", 3),
    ]
    assert json.loads(as_json(said[2]))["seconds"] == 149


def test_progress_and_errors_come_as_json_lines(capsys, monkeypatch, tmp_path):
    failed = run(capsys, monkeypatch, "recipe", "check", tmp_path / "none.yaml", "--log-json")
    (line,) = failed.err.splitlines()
    assert json.loads(line)["status"] == 2
    assert "none.yaml" in json.loads(line)["error"]


@pytest.fixture
def server(tmp_path) -> Iterator[dict[str, str]]:
    """The environment of a real Prefect server with a worker of our pool."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }
    logs = (tmp_path / "server.log").open("wb"), (tmp_path / "worker.log").open("wb")
    prefect = [sys.executable, "-m", "prefect"]
    started = [
        subprocess.Popen(
            [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            env=environment, stdout=logs[0], stderr=subprocess.STDOUT, start_new_session=True,
        )
    ]  # fmt: skip
    try:
        _wait(lambda: _answers(port), 180)
        worker = [*prefect, "worker", "start", "--pool", POOL, "--type", "process", "--install-policy", "never"]
        started.append(
            subprocess.Popen(
                worker, env=environment, cwd=tmp_path, stdout=logs[1], stderr=subprocess.STDOUT, start_new_session=True
            )
        )
        yield environment
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(until: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.5)


@pytest.mark.slow
def test_nights_on_a_real_server(recipe, starter, tmp_path, server):
    """The deployment runs, the next run appends, a cancelled run is gone on with, the page has the artifacts."""
    out = tmp_path / "corpus"

    def program(code: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=server, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + (tmp_path / "worker.log").read_text()
        return done.stdout

    cli = "from flows.cli import main; main()"
    program(cli, "schedule", recipe, "--out", out, "--library", starter, "--cron", "0 2 * * *", "--workers", 2)
    told = program(cli, "schedule", recipe, "--out", out, "--library", starter, "--cron", "0 3 * * *", "--workers", 2)
    deployment = re.findall(r"^deployed (\S+),", told, re.MULTILINE)[0]
    facts = json.loads(program(_FACTS, deployment))
    assert facts == {"crons": ["0 3 * * *"], "limit": 1, "strategy": "CANCEL_NEW", "deployments": 1}

    assert program(_RUN, deployment).strip() == "COMPLETED"
    first = shard_paths(read_manifest(out))
    bytes_before = {path: (out / path).read_bytes() for path in first}

    # Cancelled once a shard of the next version is there.
    number = program(_START, deployment).strip()
    markers = out / ".state/next/.state/shards"
    _wait(lambda: any(markers.glob("*.json")), 300)
    program(_CANCEL, number)
    assert shard_paths(read_manifest(out)) == first
    kept = {path.name: path.stat().st_mtime_ns for path in markers.glob("*.json")}
    assert program(_RUN, deployment).strip() == "COMPLETED"

    manifest = read_manifest(out)
    assert (manifest["version"], manifest["rows"]) == (2, 8)
    assert {path: (out / path).read_bytes() for path in first} == bytes_before
    assert validate_corpus(out, library=starter).by_rule() == {}
    # What was finished before it was cancelled was not built again: its marker came along.
    assert kept
    keys = json.loads(program(_ARTIFACTS))
    assert set(keys) >= {f"by-night-{what}" for what in ("summary", "mixture", "licences", "timings", "distributions")}

    subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        env=server, cwd=ROOT, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert json.loads(program(_FACTS, "renew-corpus/nightly"))["crons"] == ["0 2 * * *"]


_FACTS = """
import json, sys
from prefect import get_client
with get_client(sync_client=True) as client:
    found = client.read_deployment_by_name(sys.argv[1])
    print(json.dumps({
        "crons": [s.schedule.cron for s in found.schedules],
        "limit": found.global_concurrency_limit.limit,
        "strategy": found.concurrency_options.collision_strategy.value,
        "deployments": len(client.read_deployments()),
    }))
"""
_RUN = """
import sys
from prefect.deployments import run_deployment
print(run_deployment(sys.argv[1], timeout=550, poll_interval=1, as_subflow=False).state.type.value)
"""
_START = """
import sys
from prefect.deployments import run_deployment
print(run_deployment(sys.argv[1], timeout=0, as_subflow=False).id)
"""
_CANCEL = """
import sys, time
from uuid import UUID
from prefect import get_client
from prefect.states import Cancelling
with get_client(sync_client=True) as client:
    client.set_flow_run_state(UUID(sys.argv[1]), Cancelling())
    while client.read_flow_run(UUID(sys.argv[1])).state.type.value != "CANCELLED":
        time.sleep(0.5)
"""
_ARTIFACTS = """
import json
from prefect import get_client
with get_client(sync_client=True) as client:
    print(json.dumps([a.key for a in client.read_artifacts()]))
"""
