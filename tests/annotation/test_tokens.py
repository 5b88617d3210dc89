"""Token layout against the released script's own output, and the properties a trainer relies on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.tokens import (
    ReferenceTurn,
    lay_out,
    reference_placement,
    reference_tokenize,
    tokenize,
)
from pipeline.errors import BadInput
from pipeline.streaming.text import Text
from schemas.plan import Refinement, ScenePlan, StreamPlan, SubEvent
from schemas.protocol import EMOTION_IDS, KEEP_SILENCE, PAD, TEXT_BEGIN, TEXT_END
from schemas.provenance import Agent, AnswerRecord, Provenance
from schemas.row import Event, Quality, Response, Row, Turn
from schemas.taxonomy import ABILITY_OF
from schemas.tokens import TokenRow

SILENT = "<no need to response>"
PREFIX = (1, 2, 3)


def letters(text: str) -> list[int]:
    return [100 + ord(c) % 26 for c in text]


@pytest.fixture(scope="module")
def text(shared: Path) -> Text:
    return Text.open(shared / "golden" / "checkpoint")


@pytest.fixture(scope="module")
def prefix(shared: Path) -> list[int]:
    return json.loads((shared / "golden/expected/tokenizer.json").read_text())["prefix_ids"]


def golden_cases(shared: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(record, expected row) of every record that the released script keeps."""
    folder = shared / "golden" / "expected"
    by_hand = json.loads((folder / "annotation_step4.json").read_text())["cases"]
    whole = json.loads((folder / "annotation_end_to_end.json").read_text())
    cases = [(case["record"], case["output"]) for case in by_hand if case["output"]]
    return cases + list(zip(whole["step3"], whole["step4"], strict=True))


def reference_turns(record: dict[str, Any]) -> list[ReferenceTurn]:
    return [
        ReferenceTurn(t["leading_silence_frames"], t["audio_frames"], t["assistant"], t["emotion"])
        for t in record["turns"]
    ]


def same(laid: TokenRow, expected: dict[str, Any]) -> None:
    assert list(laid.input_ids) == expected["input_ids"]
    assert list(laid.labels) == expected["labels"]
    assert [list(span) for span in laid.audio_pos] == expected["audio_pos"]


def test_the_reference_rules_give_the_golden_vectors(shared, text, prefix):
    cases = golden_cases(shared)
    assert len(cases) >= 20
    for record, expected in cases:
        replies, chunks = reference_placement(reference_turns(record), record["tail_silence_frames_actual"])
        same(lay_out(replies, range(chunks), prefix=prefix, encode=text.encode), expected)


def test_our_own_placement_gives_the_golden_vectors_where_no_turn_ends_on_a_boundary(shared, text, prefix):
    coinciding = 0
    for record, expected in golden_cases(shared):
        ends = np.cumsum([t["leading_silence_frames"] + t["audio_frames"] for t in record["turns"]])
        total = int(ends[-1]) + record["tail_silence_frames_actual"]
        if (ends % 10 == 0).any() or total // 10 * 10 < ends[-1] or len({e // 10 for e in ends}) < len(ends):
            continue
        coinciding += 1
        turns = [{**t, "emotion": (t["emotion"] or "normal").lower()} for t in record["turns"]]
        row = make_row(
            total // 10,
            [
                (int(end) // 10, t["assistant"], t["emotion"] if t["emotion"] in EMOTION_IDS else "normal")
                for end, t in zip(ends, turns, strict=True)
                if t["assistant"].strip(" <>\n").lower() != "no need to response"
            ],
        )
        (laid,) = tokenize(row, prefix=prefix, encode=text.encode)
        same(laid, expected)
    assert coinciding >= 5


def make_row(
    num_chunks: int,
    replies: list[tuple[int, str, Any]],
    *,
    sub_task: str = "safety_signal",
    answers: tuple[AnswerRecord, ...] = (),
    targets: tuple[int, ...] = (),
) -> Row:
    """One event of one chunk per reply, which ends half a chunk before the reply's chunk does."""
    agent = Agent(name="hand", version="1")
    events = [
        Event(
            name=f"sound {i}",
            role="foreground",
            kind="sfx",
            source="synthesized",
            start_sample=chunk * 6400,
            end_sample=chunk * 6400 + 3200,
            gain_db=0,
            decision="respond",
            licence="CC0-1.0",
            attribution="",
        )
        for i, (chunk, _, _) in enumerate(replies)
    ]
    responses = [
        Response(chunk=chunk, text=said, emotion=emotion, event=i, delay_chunks=0, moved_chunks=0, sub_task=sub_task)
        for i, (chunk, said, emotion) in enumerate(replies)
    ]
    turns = [
        Turn(
            user="",
            assistant=r.text,
            emotion=r.emotion,
            scene_type="kitchen",
            sub_task=sub_task,
            start_sample=e.start_sample,
            end_sample=e.end_sample,
            response=i,
        )
        for i, (r, e) in enumerate(zip(responses, events, strict=True))
    ]
    plan = StreamPlan(
        ability=ABILITY_OF[sub_task],
        sub_task=sub_task,
        language="en",
        setting="kitchen",
        scene=ScenePlan(
            scenario="A kitchen.",
            sub_events=tuple(
                SubEvent(name=n, role="ambient", rough_duration_s=1, brief_description="a hum") for n in "abc"
            ),
        ),
        refinements=(Refinement(query="a hum", fallback_caption="a hum", accept_tags=("Hum",)),) * 3,
        kinds=("sfx",) * 3,
        steps=(),
    )
    provenance = Provenance(
        policy="strict",
        planner=agent,
        refiner=agent,
        verifier=agent,
        responder=agent,
        auditor=agent,
        audits=(),
        grounding=(),
        conditioning=(),
        renderings=(),
        speech=(),
        targets=targets,
        step_events=(),
        answers=answers,
    )
    return Row(
        id="by-hand",
        split="train",
        ability=ABILITY_OF[sub_task],
        sub_task=sub_task,
        language="en",
        scenario="A kitchen.",
        audio=b"",
        sampling_rate=16_000,
        num_samples=num_chunks * 6400,
        chunk_samples=6400,
        num_chunks=num_chunks,
        turns=tuple(turns),
        responses=tuple(responses),
        events=tuple(events),
        noise=(),
        pair_id=None,
        plan_json=plan.model_dump_json(),
        provenance_json=provenance.model_dump_json(),
        seed=0,
        recipe_sha256="",
        quality=Quality(
            peak_dbfs=None,
            lufs=None,
            realised_snr_db=None,
            silence_ratio=0,
            max_seam_jump=None,
            clipped_samples=0,
        ),
    )


@st.composite
def rows(draw: st.DrawFn) -> Row:
    num_chunks = draw(st.integers(1, 60))
    chunks = draw(st.sets(st.integers(0, num_chunks - 1), max_size=8))
    words = st.text(st.characters(categories=("L", "Zs")), max_size=30)
    return make_row(num_chunks, [(c, draw(words), draw(st.sampled_from(sorted(EMOTION_IDS)))) for c in sorted(chunks)])


@given(rows(), st.integers(60, 400))
def test_parts_cover_the_stream_once_and_say_what_the_row_says(row, limit):
    try:
        parts = tokenize(row, prefix=PREFIX, encode=letters, limit=limit)
    except BadInput:
        # Only a reply that does not fit by itself stands in the way here.
        assert max(len(r.text) for r in row.responses) + len(PREFIX) + 12 + 3 > limit
        return
    assert [p.first_chunk for p in parts] == list(np.cumsum([0, *(len(p.audio_pos) for p in parts)][:-1]))
    assert sum(len(p.audio_pos) for p in parts) == row.num_chunks
    said = {}
    for part in parts:
        ids, stream, lm = np.array(part.input_ids), np.array(part.stream_mask), np.array(part.lm_mask)
        assert len(ids) <= limit
        assert tuple(ids[: len(PREFIX)]) == PREFIX
        assert not (stream & lm).any()
        assert (np.array(part.labels) == np.where(stream | lm, ids, -100)).all()
        assert stream.sum() == len(part.audio_pos)
        assert set(ids[stream]) <= {KEEP_SILENCE, TEXT_BEGIN}
        for chunk, (start, end) in enumerate(part.audio_pos, part.first_chunk):
            assert (ids[start:end] == PAD).all()
            assert end - start == 10
            assert stream[end + 1]
            if ids[end + 1] == TEXT_BEGIN:
                reply = list(ids[end + 2 : end + 2 + list(ids[end + 2 :]).index(TEXT_END) + 1])
                assert lm[end + 2 : end + 2 + len(reply)].all()
                said[chunk] = reply
    assert said == {r.chunk: [EMOTION_IDS[r.emotion], *letters(r.text), TEXT_END] for r in row.responses}


def test_a_session_fills_the_last_position_before_it_is_split():
    silent = make_row(10, [])
    assert len(tokenize(silent, prefix=PREFIX, encode=letters, limit=3 + 130)) == 1
    assert [len(p.audio_pos) for p in tokenize(silent, prefix=PREFIX, encode=letters, limit=3 + 129)] == [9, 1]


def test_turns_that_need_each_other_are_refused_rather_than_parted():
    replies = [(2, "one", "normal"), (17, "two", "normal")]
    assert len(tokenize(make_row(20, replies), prefix=PREFIX, encode=letters, limit=200)) == 2
    with pytest.raises(BadInput, match=r"by-hand.*at a turn"):
        tokenize(make_row(20, replies, sub_task="count_events"), prefix=PREFIX, encode=letters, limit=200)


TWO = [(2, "one", "normal"), (17, "two", "normal")]


def refused(row: Row) -> None:
    with pytest.raises(BadInput, match="at a turn"):
        tokenize(row, prefix=PREFIX, encode=letters, limit=200)


def test_a_question_stays_with_the_turn_that_answers_it():
    refused(make_row(20, TWO, answers=(AnswerRecord(event=1, answer_turn=0),)))


def test_a_question_stays_with_the_sound_it_is_about():
    row = make_row(20, TWO, targets=(0,))
    question = row.turns[1].model_copy(update={"response": 0})
    refused(row.model_copy(update={"responses": row.responses[1:], "turns": (question,)}))


def test_control_tokens_in_a_text_are_refused():
    row = make_row(3, [(1, "hello", "normal")])
    with pytest.raises(BadInput, match=r"by-hand.*control tokens"):
        tokenize(row, prefix=PREFIX, encode=lambda text: [5, TEXT_END, 6])


def test_the_reference_mode_of_a_row_places_a_boundary_reply_later():
    row = make_row(10, [(4, "now", "urgent")])
    (ours,) = tokenize(row, prefix=PREFIX, encode=letters)
    (theirs,) = reference_tokenize(row, prefix=PREFIX, encode=letters)
    assert ours == theirs
    on_boundary = row.model_copy(update={"turns": (row.turns[0].model_copy(update={"end_sample": 5 * 6400}),)})
    (ours,) = tokenize(on_boundary, prefix=PREFIX, encode=letters)
    (theirs,) = reference_tokenize(on_boundary, prefix=PREFIX, encode=letters)
    assert ours.input_ids.index(TEXT_BEGIN) == 3 + 4 * 13 + 12
    assert theirs.input_ids.index(TEXT_BEGIN) == 3 + 5 * 13 + 12
