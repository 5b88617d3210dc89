"""`streamaudio audit`: captions in, judgements out, line by line."""

import json
import subprocess
import sys

import pytest

from flows.audit import audit_lines
from pipeline.errors import BadInput


def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "audit", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_each_line_gets_its_judgement_in_order() -> None:
    done = run("a person coughs once\na man choking on food\n\nglass shatters on the floor\n", "--json")
    assert done.returncode == 0
    judged = [json.loads(line) for line in done.stdout.splitlines()]
    assert [j["label"] for j in judged] == ["silent", "respond", "respond"]
    assert [j["criterion"] for j in judged] == [None, "distress", "hazard"]
    assert all(set(j) == {"label", "criterion", "reason", "confidence"} for j in judged)


def test_the_scenario_decides_what_a_fire_is() -> None:
    def label(scenario: str) -> str:
        line = json.dumps({"caption": "fire crackling", "scenario": scenario, "neighbours": [], "id": 7})
        (judged,) = audit_lines([line], "strict")
        return judged["label"]

    assert label("Flames on the stove in a kitchen at night.") == "respond"
    assert label("Friends sit by the fireplace in the evening.") == "silent"


def test_the_policy_decides_whether_crying_is_answered() -> None:
    line = "a woman crying and sobbing"
    assert [j["label"] for p in ("strict", "assist") for j in audit_lines([line], p)] == ["silent", "respond"]


@pytest.mark.parametrize("line", ['{"caption": ', '{"scenario": "a kitchen"}', '{"caption": 3}'])
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="line 2"):
        list(audit_lines(["rain", line], "strict"))


def test_a_wrong_policy_is_refused_in_one_line() -> None:
    done = run("rain\n", "--policy", "lenient")
    assert done.returncode == 2
    assert "lenient" in done.stderr
    assert "Traceback" not in done.stderr
