"""Offline rows against the released script's own output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotation.offline import lay_out
from pipeline.errors import BadInput
from pipeline.streaming.text import Text
from schemas.protocol import OFFLINE, OFFLINE_AUDIO_PAD


def given(source: dict[str, Any], name: str) -> str | None:
    """A field as the released script takes it: of the first turn, and "None" for nothing."""
    value = source.get("conversation", [source])[0].get(name)
    return None if value in (None, "", "None") else value


def test_the_golden_offline_rows_come_out_the_same(shared: Path) -> None:
    text = Text.open(shared / "golden" / "checkpoint")
    expected = shared / "golden" / "expected"
    prefix = (OFFLINE, *json.loads((expected / "tokenizer.json").read_text())["prefix_ids"][1:])
    golden = json.loads((expected / "annotation_offline.json").read_text())
    kinds = set()
    for row in golden["output"]:
        source = golden["input"][row["idx"]]
        (span,) = row["audio_pos"] or [None]
        user = given(source, "user")
        laid = lay_out(
            given(source, "assistant") or "",
            user=user,
            audio_frames=span and span[1] - span[0],
            prefix=prefix,
            encode=text.encode,
        )
        assert json.loads(laid.model_dump_json()) == {key: row[key] for key in ("input_ids", "labels", "audio_pos")}
        kinds.add((span is not None, user is not None))
        if span:
            assert set(laid.input_ids[slice(*span)]) == {OFFLINE_AUDIO_PAD}
    assert kinds >= {(True, True), (True, False), (False, True)}, "A_T_T, A_T and T_T"
    refused = [source for source in golden["input"] if given(source, "assistant") is None]
    assert len(refused) == 2


def test_what_teaches_nothing_or_is_too_long_is_refused() -> None:
    def encode(said: str) -> list[int]:
        return [ord(c) for c in said]

    with pytest.raises(BadInput, match="teaches nothing"):
        lay_out("", user="Why?", audio_frames=None, prefix=(1,), encode=encode)
    assert len(lay_out("ok", user=None, audio_frames=3, prefix=(1,), encode=encode, limit=11).input_ids) == 11
    with pytest.raises(BadInput, match="needs 11 positions, the limit is 10"):
        lay_out("ok", user=None, audio_frames=3, prefix=(1,), encode=encode, limit=10)
