"""What a user of `validate` relies on beyond the single rules."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BadInput, StaleIdentity
from pipeline.validation.contract import validate_corpus
from pipeline.validation.tasks import numbers_in
from tests.factories import Handmade


def test_a_good_corpus_breaks_no_rule_and_is_left_alone(handmade: Handmade, root: Path) -> None:
    corpus = handmade.write(root)
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    progress: list[tuple[int, int]] = []

    findings = validate_corpus(corpus, library=handmade.library, on_progress=lambda *done: progress.append(done))

    assert findings.by_rule() == {}
    assert progress == [(n, 9) for n in range(1, 10)]
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before
    assert findings.summary().startswith("9 rows, ")
    assert "8 sub-tasks; stems: 35 events located against the library" in findings.summary()
    assert findings.summary().endswith("0 rules broken")


def test_without_the_library_the_summary_says_what_was_only_weighed(handmade: Handmade, root: Path) -> None:
    findings = validate_corpus(handmade.write(root))

    assert findings.by_rule() == {}
    assert "without the library; 16 by energy only" in findings.summary()


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"manifest\.json"):
        validate_corpus(tmp_path)


def test_another_library_is_refused(handmade: Handmade, root: Path, tmp_path: Path) -> None:
    corpus = handmade.write(root, ["count_events"])
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    manifest["identity"]["library_sha256"] = "0" * 64
    (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(StaleIdentity, match="was built from"):
        validate_corpus(corpus, library=handmade.library)


@pytest.mark.parametrize("seed", range(60))
def test_no_damage_stops_the_validation(seed: int, handmade: Handmade, root: Path) -> None:
    """Any single value of a row, its plan or its provenance may be anything."""
    draw = np.random.default_rng(seed)
    row_id = list(handmade.records)[draw.integers(len(handmade.records))]

    def damage(records: list[dict[str, Any]]) -> None:
        column = ("events", "responses", "turns", "plan_json", "provenance_json")[draw.integers(5)]
        value = records[0][column]
        data = json.loads(value) if isinstance(value, str) else value
        places = list(_places(data))
        if places:
            holder, key = places[draw.integers(len(places))]
            holder[key] = _other(holder[key], draw)
        records[0][column] = json.dumps(data) if isinstance(value, str) else data

    validate_corpus(handmade.write(root, [row_id], damage), library=handmade.library)
    shutil.rmtree(root)


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _places(value)
        else:
            yield data, key


def _other(value: Any, draw: np.random.Generator) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return (-1, 0, value + 1, 10**6)[draw.integers(4)]
    if isinstance(value, float):
        return (0.0, -1e9, 1e9, value + 1)[draw.integers(4)]
    return ("", "x", '{"', None)[draw.integers(4)] if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("That makes two.", [2]),
        ("Number 12, so far.", [12]),
        ("Eleven now.", [11]),
        ("第三次。", [3]),
        ("现在是十二次。", [12]),
        ("Someone knocked at the stone.", []),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, numbers: list[int]) -> None:
    assert numbers_in(text) == numbers
