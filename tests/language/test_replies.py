"""JSON out of prose, and the schema dialect of strict servers."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.replies import InvalidReply, extract, wire_schema
from schemas.plan import ScenePlan
from schemas.roles import AuditReply, HistoryReview, Refinements, Reply, Rewrite, SceneCheck, Verdict

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PROSE = st.text(st.characters(exclude_characters="{}<"), max_size=40)


@given(st.dictionaries(st.text(min_size=1), VALUES, min_size=1, max_size=4), PROSE, PROSE)
def test_an_object_is_found_in_any_prose(value: dict[str, Any], before: str, after: str) -> None:
    assert extract(before + json.dumps(value, ensure_ascii=False) + after) == value


@given(st.text(max_size=200))
def test_no_text_breaks_the_extraction(text: str) -> None:
    with contextlib.suppress(InvalidReply):
        assert isinstance(extract(text), dict)


def test_the_longest_object_wins_over_an_example() -> None:
    assert extract('Like {"a": 1}, but: {"a": 2, "b": [{"c": 3}]}.') == {"a": 2, "b": [{"c": 3}]}


def _nodes(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield schema
        for child in schema.values():
            yield from _nodes(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from _nodes(child)


@pytest.mark.parametrize(
    "model", [ScenePlan, Refinements, Verdict, SceneCheck, HistoryReview, AuditReply, Rewrite, Reply]
)
def test_the_wire_schema_keeps_to_what_strict_servers_take(model: Any) -> None:
    for node in _nodes(wire_schema(model)):
        if isinstance(node.get("properties"), dict):
            assert node["additionalProperties"] is False
            assert sorted(node["required"]) == sorted(node["properties"])
        assert not {"default", "minLength", "maxLength"} & node.keys()
