"""Every gate of a recipe: `validate` exits 3 and names it where it is broken, and says nothing of it where it holds."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.shards import realised
from pipeline.shards.corpus import CorpusFolder, Quarantined
from pipeline.shards.reader import read_manifest
from schemas.recipe import MEASURED, Recipe
from tests.flows.commands import Result, run
from tests.flows.version_builds import build_here

RECIPE = Recipe.model_validate(
    {
        "name": "gated",
        "seed": 5,
        "streams": 5,
        "mixture": {"natural_hazard": 1, "count_events": 1},
        "splits": {"train": 1.0},
        "scene": {"duration_s": ["uniform", 18, 26]},
        "timing": {"overlap": {"share": 1.0}, "onset_delay_chunks": ["choice", [0, 1]]},
        "conditioning": "off",
        "max_quarantined": 0.5,
    }
)
Check = Callable[..., Result]


@pytest.fixture(scope="module")
def built(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus without gates, one scene of which was rejected. Read only."""
    out = tmp_path_factory.mktemp("gated") / "corpus"
    build_here(RECIPE, starter, out)
    rejected = Quarantined("gated-train-9", "train", "natural_hazard", "grounding", "no clip", "{}", 1)
    CorpusFolder(out).write_quarantine([rejected])
    manifest = read_manifest(out) | {"quarantined": 1}
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return out


@pytest.fixture
def check(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """Holds the corpus to gates that its recipe did not have when it was built."""

    def held_to(gates: dict[str, Any], *options: str) -> Result:
        corpus = shutil.copytree(built, tmp_path / "corpus", dirs_exist_ok=True)
        manifest = read_manifest(corpus)
        manifest["recipe"]["gates"] |= gates
        (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return run(capsys, monkeypatch, "validate", corpus, *options)

    return held_to


def test_open_gates_hold_and_tight_ones_leave_the_corpus_what_it_is(check: Check) -> None:
    result = check({})
    assert (result.status, result.err.count("gate-")) == (0, 0), result.err
    wide = {"max_drift": dict.fromkeys(MEASURED, 1.0), "max_seam_jump": 1e6, "max_quarantined": 1.0}
    assert check(wide).status == 0


def test_drift_of_every_distribution(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    # Few streams prove nothing about a distribution; without an allowance for chance any difference is one too many.
    monkeypatch.setattr(realised, "CHANCE", 0.0)
    result = check({"max_drift": dict.fromkeys(MEASURED, 0.0)})
    assert result.status == 3
    broken = {line.split()[0]: line for line in result.err.splitlines() if line.startswith("gate-")}
    assert set(broken) == {f"gate-{name}" for name in MEASURED}
    assert all("its distance to the requested distribution is" in line for line in broken.values())
    assert ", ".join(sorted(broken)) in result.err.splitlines()[-1]


def test_seams_and_quarantine(check: Check) -> None:
    result = check({"max_seam_jump": 1e-3, "max_quarantined": 0.1})
    assert result.status == 3
    assert "gate-seams x1" in result.err
    assert "allowed is 0.001" in result.err
    assert "gate-quarantined x1" in result.err
    assert "1 of 6 streams (16.7%) were rejected" in result.err
    assert "manifest-recipe" not in result.err, "a gate is no part of a recipe's identity"


def test_what_a_listener_makes_of_it(check: Check, tmp_path: Path) -> None:
    chatty = tmp_path / "chatty.py"
    chatty.write_text(
        """
import sys
while sys.stdin.buffer.read(12800):
    print('{"decision": "response", "text": "Hm?"}', flush=True)
"""
    )
    listener = ("--no-contract", "--model", "command", "--", sys.executable, str(chatty))
    result = check({"min_f1": 0.9, "max_false_per_hour": 10}, *listener)
    assert result.status == 3
    assert "gate-f1" in result.err
    assert "at least 0.9 is required" in result.err
    assert "false responses per hour of verified silence, at most 10" in result.err
    # A tighter or wider gate asks for no new replay.
    assert check({"min_f1": 0.0, "max_false_per_hour": 1e6}, *listener).status == 0
