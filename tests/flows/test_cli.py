"""Bad input on the command line: one line that names the value, the rule and the fix; status 2; nothing lost."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from tests.flows.commands import Result, run
from tests.test_scene import build

SMALL = {"streams": 2, "mixture": {"alert_on_event": 1}, "splits": {"train": 1.0}}


@pytest.fixture
def command(capsys, monkeypatch):
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def refused(result: Result, *parts: str) -> None:
    assert result.status == 2, result
    lines = [line for line in result.err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, result.err
    assert "Traceback" not in result.err
    for part in parts:
        assert part in lines[0]


def test_build_without_a_library_says_how_to_get_one(command, recipe, tmp_path):
    refused(command("build", recipe, "--out", tmp_path / "c"), "no library", "library import", "library: starter")


def test_build_with_a_folder_that_is_no_library(command, recipe, tmp_path):
    refused(command("build", recipe, "--out", tmp_path / "c", "--library", tmp_path), str(tmp_path), "library import")
    assert not (tmp_path / "c").exists()


def test_a_misspelt_key_gets_the_nearest_one(command, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("strems: 4")
    refused(command("build", path, "--out", tmp_path / "c"), "strems", "did you mean 'streams'")


@pytest.mark.parametrize(
    "arguments", [["bild"], ["build"], ["build", "x.yaml", "--workers", "0"], ["library", "search"]]
)
def test_wrong_usage_is_one_line(command, arguments):
    refused(command(*arguments))


def test_debug_shows_the_traceback(command, tmp_path):
    result = command("--debug", "recipe", "check", tmp_path / "none.yaml")
    assert result.status == 2
    assert "Traceback" in result.err


def test_an_interrupt_says_how_to_go_on(command, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.doctor.doctor_report", interrupted)
    result = command("doctor")
    assert result.status == 130
    assert result.err == "error: interrupted; run the same command again to go on where it stopped\n"


def test_recipe_check_prints_what_loads_to_the_same_recipe(command, recipe, tmp_path):
    first = command("recipe", "check", recipe)
    assert first.status == 0
    again = tmp_path / "again.yaml"
    again.write_text(first.out)
    assert command("recipe", "check", again).out == first.out


def test_recipe_schema_knows_every_key(command):
    schema = json.loads(command("recipe", "schema").out)
    assert {"streams", "mixture", "noise", "conditioning"} <= set(schema["properties"])


def test_an_empty_folder_is_no_library(command, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(command("library", "import", tmp_path / "empty", "--out", tmp_path / "lib"), "empty", "at least one")
    assert not (tmp_path / "lib").exists()


def test_unusable_files_are_named_and_the_rest_is_imported_and_found(command, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000)
    soundfile.write(clips / "steady tone.wav", np.stack([tone, tone], axis=1), 48_000)
    (clips / "notes.wav").write_text("this is text")
    soundfile.write(clips / "nothing.wav", np.zeros(0), 16_000)
    broken = tone.copy()
    broken[7] = np.nan
    soundfile.write(clips / "nan.wav", broken, 48_000, subtype="FLOAT")
    imported = command("library", "import", clips, "--out", tmp_path / "lib")
    assert imported.status == 0
    for name in ("notes.wav", "nothing.wav", "nan.wav"):
        assert name in imported.err
    assert command("library", "index", tmp_path / "lib").status == 0
    found = command("library", "search", tmp_path / "lib", "a steady tone")
    assert "steady tone" in found.out
    assert json.loads(command("library", "info", tmp_path / "lib").out)["clips"] == 1


def test_plan_prints_stream_plans(command, recipe, starter):
    lines = command("plan", recipe, "-n", "2", "--library", starter).out.splitlines()
    plans = [json.loads(line) for line in lines]
    assert [plan["sub_task"] for plan in plans] == ["alert_on_event"] * 2
    assert all(3 <= len(plan["scene"]["sub_events"]) <= 15 for plan in plans)


def test_licences_that_nothing_has_are_refused(command, tmp_path, starter):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"licences": ["CC-BY-4.0"]}))
    refused(command("build", path, "--out", tmp_path / "c", "--library", starter), "CC-BY-4.0", "library info")


def test_validate_refuses_what_is_no_corpus(command, tmp_path):
    assert command("validate", tmp_path).status in {2, 3}


def test_a_report_is_written_anew_when_the_corpus_is(command, tmp_path, starter):
    build(starter, tmp_path / "corpus", streams=1)
    page = Path(command("view", tmp_path / "corpus", "--no-browser").out.strip())
    os.utime(page, (1e9, 1e9))
    assert command("view", tmp_path / "corpus", "--no-browser").status == 0
    newer = page.stat().st_mtime
    assert newer > 1e9
    command("view", tmp_path / "corpus", "--no-browser")
    assert page.stat().st_mtime == newer


def test_findings_are_printed_even_where_no_report_can_be_written(command, tmp_path, starter):
    build(starter, tmp_path / "corpus", streams=1)
    (tmp_path / "corpus" / "manifest.json").write_text("{")
    result = command("validate", tmp_path / "corpus", "--report")
    assert result.status == 3
    assert "manifest-readable" in result.err
    assert "no report" in result.err


def test_an_estimate_gives_tokens_and_money_per_role_before_anything_is_spent(command, tmp_path):
    endpoint = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m", "cache": str(tmp_path / "replies")}
    price = {"prices": {"m": {"input_per_mtok": 1.0, "output_per_mtok": 2.0}}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "planner": endpoint | price}))
    priced = command("estimate", path)
    assert priced.status == 0
    table = {words[0]: words[1:] for line in priced.out.splitlines() if (words := line.split())}
    requests, tokens_in, tokens_out, cost = table["planner"]
    assert int(requests) == 2
    assert float(cost) == pytest.approx((int(tokens_in) * 1.0 + int(tokens_out) * 2.0) / 1e6, abs=1e-4)
    assert table["cost"][1] == "USD"
    assert "built-in averages" in priced.out
    path.write_text(yaml.safe_dump({**SMALL, "planner": endpoint}))
    assert "unknown: give the model a price" in command("estimate", path).out
