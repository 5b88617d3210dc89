"""The reply cache: content-addressed, first reply wins, damage is noticed."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.cache import ReplyCache, Request, StoredReply


def _request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "role": "responder",
        "prompt_sha256": "ab",
        "model": "m",
        "parameters": {"temperature": 0.7, "seed": None},
        "sample_index": 0,
        "messages": [{"role": "user", "content": "雨 rain"}],
    }
    return Request(**fields | changes)


@pytest.mark.parametrize("place", ["{tmp}/replies", "file://{tmp}/replies", "memory://{tmp}/replies"])
def test_a_reply_is_found_by_another_process_on_any_location(tmp_path: Path, place: str) -> None:
    url = place.format(tmp=tmp_path)
    reply = StoredReply(text='{"a": "雨"}', input_tokens=3, output_tokens=None)
    assert ReplyCache(url).put(_request(), reply) == reply
    assert ReplyCache(url).get(_request()) == reply
    assert ReplyCache(url).get(_request(sample_index=1)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"role": "clip_verifier"},
        {"prompt_sha256": "cd"},
        {"model": "n"},
        {"parameters": {"temperature": 0.8, "seed": None}},
        {"parameters": {"temperature": 0.7, "seed": 1}},
        {"sample_index": 1},
        {"messages": [{"role": "user", "content": "rain"}]},
    ],
    ids=str,
)
def test_everything_that_determines_a_reply_is_in_its_key(change: dict[str, Any]) -> None:
    assert _request(**change).key() != _request().key()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_the_key_depends_on_content_not_on_order(text: str) -> None:
    one, other = {"role": "user", "content": text}, {"content": text, "role": "user"}
    assert _request(messages=[one]).key() == _request(messages=[other]).key()


def test_the_first_of_two_writers_wins_for_both(tmp_path: Path) -> None:
    cache = ReplyCache(str(tmp_path))
    replies = [StoredReply(text=str(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        standing = set(pool.map(lambda reply: cache.put(_request(), reply).text, replies))
    assert len(standing) == 1
    stored = ReplyCache(str(tmp_path)).get(_request())
    assert stored is not None
    assert {stored.text} == standing


@pytest.mark.parametrize("damage", ["", "{", "null", "flip", "other"])
def test_a_damaged_entry_is_counted_treated_as_missing_and_replaced(tmp_path: Path, damage: str) -> None:
    cache = ReplyCache(str(tmp_path))
    cache.put(_request(), StoredReply(text="pear"))
    path = Path(cache.path(_request()))
    whole = path.read_text()
    if damage == "other":
        cache.put(_request(sample_index=1), StoredReply(text="pear"))
        damaged = Path(cache.path(_request(sample_index=1))).read_text()
    else:
        damaged = whole.replace("pear", "fig") if damage == "flip" else damage
    path.write_text(damaged)
    assert cache.get(_request()) is None
    assert cache.corrupt == 1
    cache.put(_request(), StoredReply(text="plum"))
    assert cache.get(_request()) == StoredReply(text="plum")


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    cache = ReplyCache(str(tmp_path))
    for text in ("a", "b"):
        cache.put(_request(), StoredReply(text=text))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".json"]
    assert json.loads(files[0].read_text())["reply"]["text"] == "a"


def test_what_is_known_of_an_endpoint_is_kept_per_url_and_model(tmp_path: Path) -> None:
    ReplyCache(str(tmp_path)).note_endpoint("http://h/v1", "m", {"mode": "text"})
    cache = ReplyCache(str(tmp_path))
    assert cache.endpoint_note("http://h/v1", "m")["mode"] == "text"
    assert cache.endpoint_note("http://h/v1", "n") == {}
    next((tmp_path / "endpoints").iterdir()).write_text("{")
    assert cache.endpoint_note("http://h/v1", "m") == {}
