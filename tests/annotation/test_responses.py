import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.responses import Judged, dense, label, silent_stretches
from schemas.distributions import Choice, Const
from schemas.plan import PlannedReply
from schemas.protocol import CHUNK_SAMPLES, SILENCE_MARKER


def judged(
    event: int, start: int, end: int, *, reply: str | None = "Watch out.", task="alert_on_event", **more
) -> Judged:
    return Judged(
        event=event,
        start_sample=start,
        end_sample=end,
        sub_task=task,
        decision="respond" if reply else "silent",
        reply=PlannedReply(text=reply) if reply else None,
        safety=more.pop("safety", False),
        **more,
    )


def labels_of(events, *, num_chunks=100, delay=None, seed=0):
    return label(
        events,
        num_chunks=num_chunks,
        onset_delay_chunks=delay or Const(value=0),
        translation_delay_chunks=delay or Const(value=0),
        scene_type="kitchen",
        rng=np.random.default_rng(seed),
    )


@pytest.mark.parametrize(("end", "chunk"), [(1, 0), (6400, 0), (6401, 1), (12800, 1), (12801, 2)])
def test_reply_starts_in_the_chunk_that_contains_the_end(end, chunk):
    assert [r.chunk for r in labels_of([judged(0, 0, end)]).responses] == [chunk]


def test_the_later_of_two_replies_on_one_chunk_moves_and_says_so():
    first, second = labels_of([judged(0, 0, 6300), judged(1, 100, 6400, task="count_events")]).responses
    assert (first.chunk, first.moved_chunks) == (0, 0)
    assert (second.chunk, second.delay_chunks, second.moved_chunks) == (1, 1, 1)


def test_a_late_reply_lengthens_the_stream():
    late = labels_of([judged(0, 0, 6400)], num_chunks=1, delay=Const(value=2))
    assert late.responses[0].chunk == 2
    assert late.num_chunks == 3


def test_spoken_turns_and_safety_events_are_answered_at_once():
    events = [judged(0, 0, 6400, safety=True), judged(1, 9000, 20000, spoken="What was that?")]
    assert [r.delay_chunks for r in labels_of(events, delay=Const(value=2)).responses] == [0, 0]


def test_silent_turns_carry_the_marker_and_unjudged_events_no_turn():
    unjudged = Judged(2, 50_000, 60_000, "alert_on_event", "none", None, False)
    events = [judged(0, 0, 6400, reply=None), judged(1, 9000, 20000, reply=None, spoken="Hello"), unjudged]
    turns = [(t.user, t.assistant, t.response) for t in labels_of(events).turns]
    assert turns == [("", SILENCE_MARKER, -1), ("Hello", SILENCE_MARKER, -1)]


intervals = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(1, 60_000), st.booleans(), st.booleans()), min_size=1, max_size=12
)


@given(intervals, st.integers(0, 2**31))
def test_every_chunk_can_be_derived_again(drawn, seed):
    events = [
        judged(i, start, start + length, reply="Yes." if answered else None, safety=safety)
        for i, (start, length, answered, safety) in enumerate(drawn)
    ]
    result = labels_of(events, num_chunks=75, delay=Choice(values=(0, 1, 2)), seed=seed)
    chunks = [r.chunk for r in result.responses]
    assert chunks == sorted(set(chunks))
    assert sorted(r.event for r in result.responses) == [e.event for e in events if e.reply]
    for response in result.responses:
        end_chunk = (events[response.event].end_sample + CHUNK_SAMPLES - 1) // CHUNK_SAMPLES - 1
        assert response.chunk == end_chunk + response.delay_chunks
        assert 0 <= response.moved_chunks <= response.delay_chunks
        assert response.delay_chunks - response.moved_chunks <= 2
        assert response.chunk < result.num_chunks
    for turn in result.turns:
        if turn.response >= 0:
            assert turn.assistant == result.responses[turn.response].text
    assert int(dense(result.responses, result.num_chunks).sum()) == len(chunks)


def test_replies_of_one_task_keep_the_order_of_their_events():
    events = [judged(i, i * 6400, i * 6400 + 6000, task="count_events", reply=str(i)) for i in range(8)]
    texts = [r.text for r in labels_of(events, delay=Choice(values=(0, 2)), seed=3).responses]
    assert texts == sorted(texts)


def test_silence_is_verified_outside_the_windows_of_answered_events():
    silent, answered = judged(0, 0, 64_000, reply=None), judged(1, 20_000, 30_000)
    result = labels_of([silent, answered], delay=Const(value=1))
    verified = silent_stretches(
        [(e.start_sample, e.end_sample, e.decision) for e in (silent, answered)], result.responses, 20
    )
    assert [int(i) for i in np.flatnonzero(verified)] == [0, 1, 2, 6, 7, 8, 9]
