"""A corpus through a chat endpoint: every role at work, faults survived, money kept, replies kept, secrets kept."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BudgetReached, EndpointDown, ReplyMissing, ReplyRejected
from pipeline.estimate import estimate
from pipeline.language.crew import PROMPT_OF
from pipeline.shards.reader import read_manifest
from pipeline.validation.contract import validate_corpus
from pipeline.validation.report import write_report
from prompts import load
from tests.flows.language_builds import (
    ORDERS,
    build,
    data_of,
    files_with,
    make_library,
    plan_units,
    quarantine,
    recipe_for,
    rows,
)
from tests.language.server import Canned, Chaos, Received, ScriptedServer, say, smart, smart_reply, status

KEY = "sk-test-0123456789-secret"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("library"))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(smart) as running:
        yield running


def except_role(role: str, reply: Callable[[Received], Canned]) -> Callable[[Received], Canned]:
    """`smart`, but `reply` for one role."""
    return lambda request: reply(request) if request.role == role else smart(request)


def changed(request: Received, **changes: Any) -> Canned:
    return say(json.dumps({**smart_reply(request), **changes}))


def asked(server: ScriptedServer) -> Counter[str]:
    return Counter(request.role for request in server.requests)


def test_the_model_takes_every_role_and_the_row_says_so(server: ScriptedServer, library: Path, tmp_path: Path) -> None:
    manifest = build(recipe_for(server.url, tmp_path), library, tmp_path / "corpus")
    assert manifest["rows"] == 4
    assert manifest["quarantined"] == 0
    for row in rows(tmp_path / "corpus"):
        plan, provenance = json.loads(row["plan_json"]), json.loads(row["provenance_json"])
        assert plan["planner"] == "wizard-1/openai"
        for role in ("planner", "refiner", "verifier", "auditor"):
            written_by = {"name": "wizard-1", "version": "openai", "prompt_sha256": load(PROMPT_OF[role]).sha256}
            assert provenance[role] == written_by
        assert provenance["scene_check"]["agent"]["name"] == "wizard-1"
        assert provenance["fallbacks"] == []
        assert "cached" not in row["provenance_json"]
        for response in row["responses"]:
            if response["sub_task"] not in ("count_events", "sound_event_qa"):
                assert response["text"].startswith("I hear")
    roles = {"scenario_planner", "event_refiner", "clip_verifier", "scene_checker", "responder", "silence_auditor"}
    assert set(asked(server)) == roles
    assert validate_corpus(tmp_path / "corpus", library=library).by_rule() == {}


def test_counts_and_answers_keep_the_words_that_the_task_fixed(
    server: ScriptedServer, library: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(server.url, tmp_path, streams=4, mixture={"count_events": 1, "sound_event_qa": 1})
    build(recipe, library, tmp_path / "corpus")
    assert asked(server)["responder"] == 0
    assert not any(
        r["text"].startswith("I hear a sound") for row in rows(tmp_path / "corpus") for r in row["responses"]
    )


def test_the_model_asks_about_a_turn_long_before(server: ScriptedServer, library: Path, tmp_path: Path) -> None:
    recipe = recipe_for(server.url, tmp_path, streams=2, mixture={"history_review": 1})
    manifest = build(recipe, library, tmp_path / "corpus")
    assert manifest["rows"] == 2, [q["reason"] for q in quarantine(tmp_path / "corpus")]
    for row in rows(tmp_path / "corpus"):
        plan = json.loads(row["plan_json"])
        (asking,) = [step for step in plan["steps"] if step["recalls"] is not None]
        assert "history_review" in plan["by_model"]
        asked_by = json.loads(row["provenance_json"])["history_review"]
        assert asked_by["prompt_sha256"] == load("history_review").sha256
        assert plan["dialogue"][asking["index"]]["text"] == "What did I begin with?"
        told = asking["reply"]["text"].removeprefix("It was ").removesuffix(".")
        assert told in plan["dialogue"][asking["recalls"]]["text"]
    assert validate_corpus(tmp_path / "corpus", library=library).by_rule() == {}


def test_a_replay_gives_the_same_bytes_without_an_endpoint(library: Path, tmp_path: Path) -> None:
    with ScriptedServer(smart, latency_s=0.01) as server:
        recipe = recipe_for(server.url, tmp_path, planner={"concurrency": 16})
        build(recipe, library, tmp_path / "live")
    slower = recipe_for("http://127.0.0.1:9/v1", tmp_path, planner={"concurrency": 1, "timeout_s": 9})
    manifest = build(slower, library, tmp_path / "replayed", replay_only=True)
    assert data_of(tmp_path / "replayed") == data_of(tmp_path / "live")
    assert manifest["language"]["total"]["requests"] == 0
    another = recipe_for("http://127.0.0.1:9/v1", tmp_path, seed=6)
    with pytest.raises(ReplyMissing, match="replay-only"):
        build(another, library, tmp_path / "another", replay_only=True)
    assert not (tmp_path / "another" / "manifest.json").exists()


def test_transport_and_money_are_no_part_of_the_corpus_identity(library: Path, tmp_path: Path) -> None:
    with ScriptedServer(smart) as first:
        recipe = recipe_for(first.url, tmp_path)
        with pytest.raises(BudgetReached):
            build(recipe_for(first.url, tmp_path, planner={"budget": 0.05}), library, tmp_path / "corpus")
    with ScriptedServer(smart) as second:
        build(recipe_for(second.url, tmp_path, planner={"concurrency": 2}), library, tmp_path / "corpus")
        build(recipe, library, tmp_path / "undisturbed", replay_only=True)
    assert data_of(tmp_path / "corpus") == data_of(tmp_path / "undisturbed")


def test_the_budget_stops_the_build_and_a_larger_one_resumes_it(
    server: ScriptedServer, library: Path, tmp_path: Path
) -> None:
    spent = []
    for budget in (0.02, 0.04, 0.07):
        with pytest.raises(BudgetReached, match="raise the budget"):
            build(recipe_for(server.url, tmp_path, planner={"budget": budget}), library, tmp_path / "corpus")
        assert not (tmp_path / "corpus" / "manifest.json").exists()
        billed = sum(len(json.dumps(r.body)) // 4 * 1e-6 for r in server.requests)
        assert billed < budget
        spent.append(billed)
    assert spent == sorted(spent)
    manifest = build(recipe_for(server.url, tmp_path, planner={"budget": 5.0}), library, tmp_path / "corpus")
    assert manifest["quarantined"] == 0
    bodies = Counter(json.dumps(request.body["messages"]) for request in server.requests)
    assert max(bodies.values()) == 1
    assert manifest["language"]["total"]["requests"] == len(server.requests)
    assert manifest["language"]["total"]["cost"] < 5.0


def test_a_dead_endpoint_stops_the_build_and_quarantines_nothing(library: Path, tmp_path: Path) -> None:
    lives = 40

    def dying(request: Received) -> Canned:
        return smart(request) if len(dead.requests) <= lives else status(500)

    quick = {"max_retries": 0, "breaker_failures": 2}
    with ScriptedServer(dying) as dead, pytest.raises(EndpointDown, match="resume"):
        build(recipe_for(dead.url, tmp_path, planner=quick), library, tmp_path / "corpus")
    with ScriptedServer(smart) as alive:
        manifest = build(recipe_for(alive.url, tmp_path, planner=quick), library, tmp_path / "corpus")
    assert (manifest["rows"], manifest["quarantined"]) == (4, 0)


def test_a_reply_that_cannot_be_repaired_is_quarantined_with_its_words(library: Path, tmp_path: Path) -> None:
    nonsense = except_role("event_refiner", lambda _: say("Nothing but [nonsense]."))
    with ScriptedServer(nonsense) as server:
        manifest = build(recipe_for(server.url, tmp_path, streams=2), library, tmp_path / "corpus")
    assert manifest["rows"] == 0
    for rejected in quarantine(tmp_path / "corpus"):
        assert rejected["stage"] == "refiner"
        assert "after 2 repairs" in rejected["reason"]
        assert "Nothing but [nonsense]." in rejected["reason"]


@pytest.mark.parametrize("role", ["planner", "refiner", "verifier", "scene_check", "responder", "auditor"])
def test_a_default_stands_in_only_where_the_recipe_says_so_and_the_row_tells(
    library: Path, tmp_path: Path, role: str
) -> None:
    with ScriptedServer(except_role(PROMPT_OF[role], lambda _: say("no"))) as server:
        recipe = recipe_for(
            server.url, tmp_path, streams=2, planner={"fallback": [role]}, mixture={"alert_on_event": 1}
        )
        manifest = build(recipe, library, tmp_path / "corpus")
    assert manifest["rows"] == 2, [q["reason"] for q in quarantine(tmp_path / "corpus")]
    for row in rows(tmp_path / "corpus"):
        provenance = json.loads(row["provenance_json"])
        assert {record["role"] for record in provenance["fallbacks"]} == {role}
        if role in ("planner", "refiner", "responder"):
            assert provenance[role] == {"name": "scripted", "version": "1", "prompt_sha256": None}


def test_the_rewriter_makes_texts_fit_to_be_spoken_and_leaves_clean_ones(library: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"instruction": "How long do 3 eggs @ 100 °C take?", "answer": "Ten minutes."}))
    spoken = "How long do three eggs take in boiling water?"
    keys: dict[str, Any] = {
        "streams": 1,
        "mixture": {"single_turn_qa": 1},
        "instructions": {"file": str(texts), "spoken": 1.0},
    }
    with ScriptedServer(except_role("spoken_rewriter", lambda r: changed(r, text=spoken))) as server:
        build(recipe_for(server.url, tmp_path, **keys), library, tmp_path / "corpus")
        sent = [request.data()["text"] for request in server.requests if request.role == "spoken_rewriter"]
    assert sent == ["How long do 3 eggs @ 100 °C take?"]
    listed = read_manifest(tmp_path / "corpus")["text"]
    published = (tmp_path / "corpus" / listed["path"]).read_bytes()
    assert (listed["rows"], listed["sha256"]) == (1, hashlib.sha256(published).hexdigest())
    assert listed["path"] in (tmp_path / "corpus/README.md").read_text()
    (row,) = rows(tmp_path / "corpus")
    assert spoken in [turn["user"] for turn in row["turns"]]
    provenance = json.loads(row["provenance_json"])
    assert provenance["rewriter"]["prompt_sha256"] == load("spoken_rewriter").sha256
    words = [word for record in provenance["speech"] for word, *_ in record["words"]]
    assert "boiling" in " ".join(words)


@pytest.mark.parametrize("role", ["rewriter", "history_review"])
def test_words_that_stay_unusable_are_replaced_only_where_the_recipe_says_so(
    library: Path, tmp_path: Path, role: str
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"instruction": "What is 3 + 4?", "answer": "Seven."}))
    keys: dict[str, Any] = {
        "streams": 1,
        "mixture": {"single_turn_qa" if role == "rewriter" else "history_review": 1},
        "instructions": {"file": str(texts), "spoken": 1.0},
    }
    with ScriptedServer(except_role(PROMPT_OF[role], lambda _: say("no"))) as server:
        (unit,) = plan_units(
            recipe_for(server.url, tmp_path, planner={"fallback": [role]}, **keys), library, tmp_path / "falls-back"
        )
        assert {record.role for record in unit.fallbacks} == {role}
        assert role not in unit.streams[0].plan.by_model
        assert plan_units(recipe_for(server.url, tmp_path, **keys), library, tmp_path / "strict") == []


def test_replies_are_in_the_language_of_the_row(library: Path, tmp_path: Path) -> None:
    def english_first(request: Received) -> Canned:
        first = len(request.body["messages"]) == 2
        return changed(request, text="I hear something, so step back and wait.") if first else smart(request)

    with ScriptedServer(except_role("responder", english_first)) as server:
        recipe = recipe_for(server.url, tmp_path, streams=3, languages=["zh"], mixture={"alert_on_event": 1})
        units = plan_units(recipe, library, tmp_path / "plan")
        asked_in = [request.data()["language"] for request in server.requests if request.role == "responder"]
    assert len(units) == 3
    assert set(asked_in) == {"zh"}
    for unit in units:
        plan = unit.streams[0].plan
        worded = [step.reply.text for step in plan.steps if step.reply is not None and step.source == "event"]
        assert plan.language == "zh"
        assert worded
        assert all(text.startswith("我听到了") for text in worded)


def test_the_last_check_sends_a_scene_back_once(library: Path, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def check(request: Received) -> Canned:
        scenario = request.data()["plan"]["scenario"]
        seen[scenario] += 1
        if seen[scenario] == 1:
            return changed(request, grounded=False, ok=False, reason="the door is no door")
        return smart(request)

    with ScriptedServer(except_role("scene_checker", check)) as server:
        recipe = recipe_for(server.url, tmp_path, streams=2, mixture={"alert_on_event": 1})
        build(recipe, library, tmp_path / "corpus")
        objections = {r.data()["objection"] for r in server.requests if r.role == "clip_verifier"}
    assert objections == {None, "the door is no door"}
    for row in rows(tmp_path / "corpus"):
        assert json.loads(row["provenance_json"])["scene_check"]["sent_back"] == "the door is no door"
    never = except_role("scene_checker", lambda r: changed(r, diverse=False, ok=False, reason="all the same"))
    with ScriptedServer(never) as server:
        build(recipe_for(server.url, tmp_path / "2", streams=2), library, tmp_path / "rejected")
    assert {(q["stage"], "all the same" in q["reason"]) for q in quarantine(tmp_path / "rejected")} == {
        ("scene_check", True)
    }


def test_what_the_auditor_doubts_is_in_no_stream(library: Path, tmp_path: Path) -> None:
    def doubtful(request: Received) -> Canned:
        if "dog" in request.data()["caption"].lower():
            return changed(request, label="borderline", criterion=None)
        return smart(request)

    with ScriptedServer(except_role("silence_auditor", doubtful)) as server:
        build(recipe_for(server.url, tmp_path), library, tmp_path / "corpus")
    sounds = [event for row in rows(tmp_path / "corpus") for event in row["events"]]
    assert sounds
    assert not any("dog" in (event["caption"] or "").lower() for event in sounds)


def test_a_scenario_like_an_earlier_one_is_drawn_again(library: Path, tmp_path: Path) -> None:
    alike = itertools.cycle(
        (
            "In a wide place in the morning, somebody makes tea.",
            "In the morning, somebody is making tea in a wide place.",
        )
    )

    def forgetful(request: Received) -> Canned:
        return smart(request) if request.data()["unlike"] else changed(request, scenario=next(alike))

    with ScriptedServer(except_role("scenario_planner", forgetful)) as server:
        recipe = recipe_for(server.url, tmp_path, streams=6, mixture={"alert_on_event": 1})
        units = plan_units(recipe, library, tmp_path / "plan")
        reminded = [r.data()["unlike"] for r in server.requests if r.role == "scenario_planner" and r.data()["unlike"]]
    scenarios = [unit.streams[0].plan.scene.scenario for unit in units]
    assert len(set(scenarios)) == len(scenarios) == 6
    assert len(reminded) >= 5
    assert all("tea" in unlike[0] for unlike in reminded)


def test_a_caption_that_gives_orders_stays_data(server: ScriptedServer, library: Path, tmp_path: Path) -> None:
    build(recipe_for(server.url, tmp_path, streams=10), library, tmp_path / "corpus")
    ordered = [request for request in server.requests if "ignore the above" in json.dumps(request.body)]
    assert ordered
    for request in ordered:
        assert "ignore the above" not in request.text("system")
        unfenced = re.sub(r'<data name="\w+">\n.*\n</data>', "", request.text("user"))
        assert "ignore the above" not in unfenced
        assert "</data>" not in unfenced
    judged = [r for r in ordered if r.role == "silence_auditor" and ORDERS[:40] in r.data()["caption"]]
    calm = next(r for r in server.requests if r.role == "silence_auditor" and r not in ordered)
    assert {r.text("system") for r in judged} <= {calm.text("system")}


def test_no_secret_is_in_any_file_or_log(
    library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level("DEBUG")

    def indiscreet(request: Received) -> Canned:
        """A server that repeats the key: in errors, in replies, in what cannot be repaired."""
        if request.role == "event_refiner":
            return say(f"Your key {KEY} is bad.")
        if request.role == "responder":
            return changed(request, text=f"I hear it, and your key is {KEY}, be careful.")
        return smart(request) if len(server.requests) % 5 else status(500, f"bad key {KEY}")

    with ScriptedServer(indiscreet) as server:
        recipe = recipe_for(server.url, tmp_path, planner={"fallback": ["refiner"]})
        build(recipe, library, tmp_path / "corpus")
        write_report(tmp_path / "corpus", None)
        assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
        with pytest.raises(BudgetReached) as stopped:
            build(recipe_for(server.url, tmp_path, seed=9, planner={"budget": 0.01}), library, tmp_path / "poor")
    assert KEY not in str(stopped.value)
    assert not list(files_with(KEY, tmp_path))
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())
    assert list(files_with("[key]", tmp_path / "replies"))


def test_an_estimate_comes_within_a_fifth_of_what_a_build_takes(
    server: ScriptedServer, library: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(server.url, tmp_path, streams=12)
    assert "built-in" in estimate(recipe).basis
    build(recipe, library, tmp_path / "few", limit=6)
    foretold = estimate(recipe)
    assert "measured" in foretold.basis
    # Other scenes of the same kind, none of whose replies is there yet.
    manifest = build(recipe.model_copy(update={"seed": 77}), library, tmp_path / "all")
    taken = manifest["language"]
    assert foretold.streams == manifest["rows"] == 12
    assert foretold.scenes == taken["scenes"]
    assert foretold.cost == pytest.approx(taken["total"]["cost"], rel=0.2)
    for tokens in ("input_tokens", "output_tokens"):
        sums = sum(getattr(role, tokens) for role in foretold.roles.values())
        assert sums == pytest.approx(taken["total"][tokens], rel=0.2)
    assert foretold.hours == pytest.approx(manifest["hours"], rel=0.2)
    by_role = taken["by_role"].values()
    assert taken["total"]["cost"] == pytest.approx(sum(role["cost"] for role in by_role))
    assert taken["per_scene"]["mean"]["cost"] == pytest.approx(taken["total"]["cost"] / taken["scenes"], abs=1e-6)
    assert taken["total"]["requests"] / taken["scenes"] < taken["per_scene"]["most"]["requests"]


@pytest.mark.slow
def test_after_a_kill_no_persisted_reply_is_asked_for_again(library: Path, tmp_path: Path) -> None:
    concurrency, enough = 4, 60
    with ScriptedServer(smart, latency_s=0.03) as server:
        recipe = recipe_for(server.url, tmp_path, planner={"concurrency": concurrency})
        (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
        command = ["-m", "tests.flows.language_builds", tmp_path / "recipe.json", library, tmp_path / "corpus"]
        worker = subprocess.Popen([sys.executable, *map(str, command)])
        deadline = time.monotonic() + 60
        while len(server.requests) < enough:
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        worker.kill()
        worker.wait()
        time.sleep(0.1)
        before = len(server.requests)
        persisted = {path.name for path in (tmp_path / "replies").rglob("*.json")}
        assert before - concurrency <= len(persisted) <= before
        manifest = build(recipe, library, tmp_path / "corpus")
        bodies = Counter(json.dumps(request.body) for request in server.requests)
    repeated = sum(count - 1 for count in bodies.values())
    assert repeated == before - len(persisted) <= concurrency
    assert manifest["quarantined"] == 0
    assert manifest["language"]["total"]["requests"] == len(server.requests)
    build(recipe, library, tmp_path / "undisturbed", replay_only=True)
    assert data_of(tmp_path / "corpus") == data_of(tmp_path / "undisturbed")


def test_every_fault_at_random_loses_no_scene(library: Path, tmp_path: Path) -> None:
    chaos = Chaos(0.15, seed=2)
    with ScriptedServer(chaos) as server:
        recipe = recipe_for(server.url, tmp_path, planner={"timeout_s": 2.0, "concurrency": 16})
        manifest = build(recipe, library, tmp_path / "corpus")
    assert sum(chaos.thrown.values()) >= 15
    assert (manifest["rows"], manifest["quarantined"]) == (4, 0), quarantine(tmp_path / "corpus")


@pytest.mark.parametrize(
    "error",
    [ReplyRejected("no", role="planner", raw="x"), BudgetReached("b"), EndpointDown("e")],
)
def test_what_stops_a_worker_crosses_to_the_parent(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))
