"""Listening while speaking, on a simulated clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput, SessionFull
from pipeline.streaming.checkpoint import Model
from pipeline.streaming.engine import Costs, LiveEngine, SimulatedEngine, SimulatedLoop
from pipeline.streaming.fifo import Fifo, Listener, Spoken, play
from pipeline.streaming.latency import Latencies
from pipeline.streaming.session import SPEAKING, Decision, Session, State
from schemas.protocol import EMOTION_IDS, KEEP_SILENCE, TEXT_BEGIN, TEXT_END
from tests.streaming.conftest import noise, talk

COSTS = Costs(encode_s=0.060, listen_s=0.045, speak_s=0.025)


def replies(every: int, tokens: int) -> Callable[[torch.Tensor, State], int]:
    """A reply of `tokens` ids behind TEXT_BEGIN wherever `every` control tokens were drawn since the last."""
    drawn = 0

    def choose(logits: torch.Tensor, state: State) -> int:
        nonlocal drawn
        if state.phase == SPEAKING:
            said = len(state.reply)
            return EMOTION_IDS["normal"] if said == 1 else 3 if said < tokens else TEXT_END
        drawn += 1
        return TEXT_BEGIN if drawn % every == 0 else KEEP_SILENCE

    return choose


def run(
    session: Session, chunks: np.ndarray, costs: Costs = COSTS
) -> tuple[list[tuple[float, Decision | Spoken]], Fifo[np.ndarray]]:
    async def run() -> tuple[list[tuple[float, Decision | Spoken]], Fifo[np.ndarray]]:
        fifo = Fifo(session, SimulatedEngine(costs), Listener(session.model))
        player = asyncio.create_task(play(fifo, chunks))
        async with aclosing(fifo.events()) as events:
            seen = [(asyncio.get_running_loop().time(), event) async for event in events]
        await player
        return seen, fifo

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(run())


def decisions(seen: list[tuple[float, Decision | Spoken]]) -> list[Decision]:
    return [event for _, event in seen if isinstance(event, Decision)]


@given(encode=st.floats(0.001, 0.9), listen=st.floats(0.001, 0.9), speak=st.floats(0.001, 0.3), every=st.integers(1, 6))
@settings(max_examples=8)
def test_no_chunk_is_lost_or_reordered(tiny: Model, encode: float, listen: float, speak: float, every: int) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=replies(every, 5), eviction="sliding", max_positions=512)
    seen, fifo = run(session, noise(8), Costs(encode, listen, speak))
    assert [decision.chunk for decision in decisions(seen)] == list(range(8))
    assert not decisions(seen)[-1].drained
    assert fifo.latencies.chunks == 8
    assert all(not d.token_ids and d.decision == "silent" for d in decisions(seen) if d.drained)


def test_fast_enough_it_decides_as_a_synchronous_session(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=talk)
    chunks, state, wanted = noise(20), session.start(), []
    for chunk in chunks:
        decision, state = session.step(chunk, state)
        wanted.append(decision)
    seen, fifo = run(session, chunks, Costs(0.01, 0.01, 0.001))
    assert decisions(seen) == wanted
    torch.testing.assert_close(
        fifo.state.cache.rows[:, :, :, : state.position], state.cache.rows[:, :, :, : state.position]
    )


def test_what_arrives_during_a_reply_is_drained_together(tiny: Model) -> None:
    """Reply of 40 tokens after chunk 0: decided at 505 ms, over at 1,505; chunks 1 and 2 arrived at 800 and 1,200."""
    session = Session(tiny, system_prompt="abc", draw_with=replies(1, 40))
    seen, fifo = run(session, noise(4))
    assert [d.drained for d in decisions(seen)] == [False, True, False, False]
    times = {event.chunk: at_s for at_s, event in seen if isinstance(event, Decision)}
    first_spoken = next((at_s, e) for at_s, e in seen if isinstance(e, Spoken))
    assert first_spoken[0] == pytest.approx(0.400 + 0.060 + 0.045 + 0.025)
    assert times[0] == pytest.approx(0.400 + 0.060 + 0.045 + 40 * 0.025)
    assert times[1] == pytest.approx(times[0] + 0.045)
    assert fifo.latencies.resume_s[0] == pytest.approx(0.045)
    assert fifo.latencies.first_chunk_s[0] == pytest.approx(0.045)
    assert fifo.latencies.stalls == 0


def test_drained_chunks_are_fed_with_a_forced_silence(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=replies(1, 40))
    seen, _ = run(session, noise(4))
    first, drained, sampled, _ = decisions(seen)
    # 12 tokens of chunk 1, the forced silence, 12 of chunk 2, before them the reply's last id; then 40 ids less one.
    assert drained.position == first.position + 1 + 12 + 1 + 12
    assert sampled.position == drained.position + 40


def test_pieces_of_a_reply_join_to_its_text(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=talk)
    seen, _ = run(session, noise(30))
    for decision in decisions(seen):
        pieces = [e for _, e in seen if isinstance(e, Spoken) and e.chunk == decision.chunk]
        assert "".join(piece.text for piece in pieces) == decision.text
        assert tuple(piece.token_id for piece in pieces) == decision.token_ids[1:]


def test_a_full_queue_makes_the_sender_wait_or_refuses(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=replies(1, 30), eviction="sliding", max_positions=512)

    async def flood(when_full: str) -> list[int]:
        fifo = Fifo(session, SimulatedEngine(COSTS), Listener(tiny), most_waiting=3, when_full=when_full)  # type: ignore[arg-type]

        async def sender() -> None:
            for chunk in noise(10):
                await fifo.put(chunk)
            fifo.end()

        sending = asyncio.create_task(sender())
        async with aclosing(fifo.events()) as events:
            chunks = [event.chunk async for event in events if isinstance(event, Decision)]
        await sending
        return chunks

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        assert runner.run(flood("wait")) == list(range(10))

    async def refused() -> None:
        fifo = Fifo(session, SimulatedEngine(COSTS), Listener(tiny), most_waiting=3, when_full="refuse")
        for chunk in noise(4):
            await fifo.put(chunk)

    with (
        asyncio.Runner(loop_factory=SimulatedLoop) as runner,
        pytest.raises(BadInput, match="3 chunks wait to be answered"),
    ):
        runner.run(refused())


def test_errors_reach_the_listener_after_what_came_before(tiny: Model) -> None:
    chunks = noise(5)
    chunks[3, 5] = np.nan
    session, seen = Session(tiny, system_prompt="abc", draw_with=lambda *_: KEEP_SILENCE), []

    async def run() -> None:
        fifo = Fifo(session, SimulatedEngine(COSTS), Listener(tiny))
        player = asyncio.create_task(play(fifo, chunks))
        async with aclosing(fifo.events()) as events:
            async for event in events:
                seen.append(event)
        await player

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner, pytest.raises(BadInput, match="NaN"):
        runner.run(run())
    assert [event.chunk for event in seen] == [0, 1, 2]


def test_a_full_session_ends_it(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=lambda *_: KEEP_SILENCE, max_positions=80)
    with pytest.raises(SessionFull):
        run(session, noise(9))


def test_interrupt_cuts_the_reply(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=replies(1, 40))

    async def run() -> list[Decision | Spoken]:
        fifo, seen = Fifo(session, SimulatedEngine(COSTS), Listener(tiny)), []
        player = asyncio.create_task(play(fifo, noise(2)))
        async with aclosing(fifo.events()) as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 5:
                    fifo.interrupt()
        await player
        return seen

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        seen = runner.run(run())
    assert isinstance(seen[5], Decision)
    assert seen[5].cut
    assert len(seen[5].token_ids) == 6
    assert seen[-1].chunk == 1


def test_live_threads_give_the_same_and_end(tiny: Model) -> None:
    """Two sessions at once in real threads, all chunks at once; then nothing is left running."""
    session = Session(tiny, system_prompt="abc", draw_with=lambda *_: KEEP_SILENCE, eviction="sliding")

    async def one(engine: LiveEngine, seed: int) -> list[int]:
        fifo = Fifo(session, engine, Listener(tiny))
        for chunk in noise(6, seed):
            await fifo.put(chunk)
        fifo.end()
        async with aclosing(fifo.events()) as events:
            return [event.chunk async for event in events]

    async def run() -> None:
        engine = LiveEngine()
        results = await asyncio.gather(one(engine, 0), one(engine, 1))
        assert results == [list(range(6))] * 2
        engine.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_one_session_s_error_is_not_another_s(tiny: Model) -> None:
    good = Session(tiny, system_prompt="abc", draw_with=lambda *_: KEEP_SILENCE)
    bad = Session(tiny, system_prompt="abc", draw_with=lambda *_: 5)

    async def one(engine: LiveEngine, session: Session) -> list[int]:
        fifo = Fifo(session, engine, Listener(tiny))
        for chunk in noise(3):
            await fifo.put(chunk)
        fifo.end()
        async with aclosing(fifo.events()) as events:
            return [event.chunk async for event in events]

    async def run() -> None:
        engine = LiveEngine()
        fine, failed = await asyncio.gather(one(engine, good), one(engine, bad), return_exceptions=True)
        assert fine == [0, 1, 2]
        assert isinstance(failed, BadInput)
        engine.close()

    asyncio.run(run())


def test_latencies_by_hand() -> None:
    """A reply ends at 1.5 s with chunks 1 (0.8 s) and 2 (1.2 s) waiting, decided on one by one."""
    latencies = Latencies()
    latencies.arrived(0, 0.4)
    latencies.encoded(0, 0.46)
    latencies.decided(0, 0, 0.505)
    latencies.arrived(1, 0.8)
    latencies.arrived(2, 1.2)
    latencies.reply_ended(1.5)
    latencies.encoded(1, 1.56)  # 0.76 s after it arrived: nobody listened
    latencies.decided(1, 1, 1.6)
    latencies.arrived(3, 1.6)
    latencies.encoded(2, 1.599)
    latencies.decided(2, 2, 1.7)
    latencies.encoded(3, 1.75)
    latencies.decided(3, 3, 1.8)
    figures = latencies.figures()
    assert figures["stalls"] == 1
    assert figures["stall_share"] == 0.25
    assert figures["first_chunk_p50_ms"] == pytest.approx(100)
    assert figures["resume_p95_ms"] == pytest.approx(200)
