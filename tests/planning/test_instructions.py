"""An instruction corpus: some of it is spoken, all of it can be published as text."""

import json
from pathlib import Path

import pytest

from pipeline.annotation.audit import audit
from pipeline.errors import BadInput
from pipeline.planning.instructions import as_lines, load_instructions
from pipeline.planning.streams import plan_stream
from pipeline.seeds import rng
from schemas.recipe import Recipe
from tests.planning.test_streams import ALONE, BAG

TEXTS = [
    {"instruction": "Name a river in Spain.", "answer": "The Ebro.", "id": 7},
    {"instruction": "列出三种水果。", "answer": "苹果、梨和桃子。", "language": "zh"},
    {"instruction": "Summarise this. " + "Long text. " * 60, "answer": "It is long."},
]


def written(folder: Path, *lines: str) -> Path:
    path = folder / "instructions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_only_what_can_be_said_is_spoken(tmp_path: Path) -> None:
    path = written(tmp_path, *(json.dumps(text) for text in TEXTS), "")
    recipe = Recipe.model_validate({**ALONE, "instructions": {"file": str(path), "spoken": 1.0}})
    for seed in range(6):
        (plan,) = plan_stream("single_turn_qa", BAG, recipe=recipe, rng=rng(seed, "x", "planning"), audit=audit)
        assert [u.text for u in plan.dialogue] == ["Name a river in Spain."]


def test_the_published_lines_read_back_the_same(tmp_path: Path) -> None:
    found = load_instructions(written(tmp_path, *(json.dumps(text) for text in TEXTS)))
    (tmp_path / "again.jsonl").write_bytes(as_lines(found))
    assert load_instructions(tmp_path / "again.jsonl") == found
    assert [i.language for i in found] == ["en", "zh", "en"]


@pytest.mark.parametrize(
    ("line", "named"),
    [("{", "line 2"), ('{"instruction": "a"}', "answer"), ('{"instruction": "?", "answer": "b"}', "instruction")],
)
def test_a_bad_line_is_named(line: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=named):
        load_instructions(written(tmp_path, json.dumps(TEXTS[0]), line))


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        load_instructions(tmp_path / "absent.jsonl")
