"""What a session promises, on a tiny random model."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput, SessionFull, StaleIdentity
from pipeline.streaming.checkpoint import Model, inspect, load
from pipeline.streaming.decoder import Feed
from pipeline.streaming.sampling import GREEDY, Sampling
from pipeline.streaming.session import LISTENING, SPEAKING, Decision, Heard, Session, State, forward
from pipeline.streaming.snapshot import restore, save
from schemas.protocol import CHUNK_TOKENS, EMOTION_IDS, KEEP_SILENCE, TEXT_BEGIN, TEXT_END
from tests.streaming.conftest import noise, talk, tiny_configs, tiny_weights, write_checkpoint


@pytest.fixture(scope="module")
def session(tiny: Model) -> Session:
    return Session(tiny, system_prompt="abc", draw_with=talk)


def run(session: Session, chunks: np.ndarray, state: State | None = None) -> tuple[list[Decision], State]:
    state = state or session.start()
    decisions = []
    for chunk in chunks:
        decision, state = session.step(chunk, state)
        decisions.append(decision)
    return decisions, state


def test_the_tiny_model_speaks_and_keeps_silent(session: Session) -> None:
    # Otherwise the other tests prove little.
    kinds = [decision.decision for decision in run(session, noise(30))[0]]
    assert kinds.count("silent") >= 3
    assert kinds.count("response") >= 3


def test_future_samples_never_change_past_decisions(session: Session) -> None:
    chunks = noise(20)
    changed = np.concatenate((chunks[:4], noise(16, seed=9)))
    decisions, other = run(session, chunks)[0], run(session, changed)[0]
    assert decisions[:4] == other[:4]
    assert decisions != other


def test_stepwise_equals_one_forward_over_everything(session: Session) -> None:
    """The hidden state behind the last token, fed chunk by chunk and token by token, and fed at once."""
    model, state, ids, frames = session.model, session.start(), list(session.prefix), []
    for chunk in noise(20):
        block, state = session.perceive(chunk, state)
        state = session.finish(session.listen(block, state))
        frames.append(block)
        ids += [*CHUNK_TOKENS, *(state.reply or (KEEP_SILENCE,))]
        state = session.settle(state)
    embeddings = model.decoder.embed(ids[: state.position]).clone()
    pads = torch.tensor([token == CHUNK_TOKENS[1] for token in ids[: state.position]])
    embeddings[pads] = torch.cat(frames).flatten(0, 1)
    _, (cache,) = model.decoder.forward([Feed(embeddings, model.decoder.new_cache(8), 0)])
    grown, whole = (c.rows[:, :, :, : state.position] for c in (state.cache, cache))
    torch.testing.assert_close(grown, whole, rtol=1e-4, atol=1e-4)


def test_states_are_values(session: Session) -> None:
    """An older state, gone on with after a newer one was, gives what it would have given."""
    chunks = noise(16)
    decisions, _ = run(session, chunks)
    _, middle = run(session, chunks[:5])
    run(session, noise(7, seed=3), middle)
    assert run(session, chunks[5:], middle)[0] == decisions[5:]


def test_reset_is_a_fresh_session(session: Session) -> None:
    _, used = run(session, noise(9, seed=5))
    again = run(session, noise(8), session.reset(used))[0]
    fresh = run(session, noise(8))[0]
    assert [replace(d, chunk=0) for d in again] == [replace(d, chunk=0) for d in fresh]
    assert [d.chunk for d in again] == list(range(9, 17))


def test_saved_in_the_middle_of_a_reply(session: Session, tmp_path: Path) -> None:
    state = session.start()
    for chunk in noise(30):
        frames, heard = session.perceive(chunk, state)
        state = session.listen(frames, heard)
        if state.phase == SPEAKING:
            state = session.speak(state)
            if state.phase == SPEAKING:
                break
    assert state.phase == SPEAKING
    save(state, session, tmp_path / "session.safetensors")
    restored = restore(tmp_path / "session.safetensors", session)
    ends = [session.finish(s) for s in (state, restored)]
    assert session.decision(ends[0]) == session.decision(ends[1])
    following = noise(10, seed=2)
    assert run(session, following, session.settle(ends[0]))[0] == run(session, following, session.settle(ends[1]))[0]


def test_a_saved_session_is_checked(session: Session, tiny: Model, tmp_path: Path) -> None:
    file = tmp_path / "session.safetensors"
    save(run(session, noise(2))[1], session, file)
    with pytest.raises(StaleIdentity, match="another system prompt"):
        restore(file, Session(tiny, system_prompt="cba", draw_with=talk))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadInput, match="no saved session"):
        restore(file, session)


def test_a_speaking_session_takes_no_chunk(session: Session) -> None:
    frames, heard = session.perceive(noise(1)[0], session.start())
    speaking = replace(session.listen(frames, heard), phase=SPEAKING)
    with pytest.raises(BadInput, match="in the middle of a reply"):
        session.step(noise(1)[0], speaking)


def test_sessions_share_a_forward(session: Session) -> None:
    """Listening and speaking sessions of different lengths in one batch: what each does alone."""
    streams = [noise(14, seed=seed) for seed in range(4)]
    alone = [run(session, stream[i:])[0] for i, stream in enumerate(streams)]
    states, together = [session.start()] * 4, [[] for _ in streams]
    waiting = [list(stream[i:]) for i, stream in enumerate(streams)]
    while any(waiting) or any(state.phase == SPEAKING for state in states):
        turns: list[tuple[int, Heard]] = []
        for i, state in enumerate(states):
            if state.phase == SPEAKING:
                turns.append((i, Heard(state)))
            elif waiting[i]:
                frames, heard = session.perceive(waiting[i].pop(0), state)
                turns.append((i, Heard(heard, frames)))
        for (i, _), state in zip(turns, forward([(session, turn) for _, turn in turns]), strict=True):
            states[i] = state
            if state.phase == LISTENING:
                together[i].append(session.decision(state))
                states[i] = session.settle(state)
    assert together == alone


def test_a_model_that_answers_neither(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", draw_with=lambda logits, state: 17)
    with pytest.raises(BadInput, match=r"answered chunk 0 with token 17.*KEEP_SILENCE"):
        session.step(noise(1)[0], session.start())


def test_drained_chunks_keep_their_tokens(session: Session) -> None:
    """Three chunks in one forward: 12 tokens each, KEEP_SILENCE forced between; as if it had been drawn."""
    forced = Session(
        session.model,
        system_prompt="abc",
        draw_with=lambda logits, state: KEEP_SILENCE if state.chunks < 2 else talk(logits, state),
    )
    one_by_one, blocks = session.start(), []
    for chunk in noise(3):
        frames, one_by_one = session.perceive(chunk, one_by_one)
        blocks.append(frames)
    drained = session.listen(torch.cat(blocks), session.start())
    assert drained.position == len(session.prefix) + 12 + 2 * 13
    state = session.start()
    for frames in blocks:
        state = forced.settle(forced.listen(frames, state))
    torch.testing.assert_close(
        drained.cache.rows[:, :, :, : drained.position], state.cache.rows[:, :, :, : state.position]
    )
    assert drained.pending == state.pending
    assert drained.starts == state.starts


class TestEviction:
    def test_none_ends_the_session_and_loses_nothing(self, tiny: Model) -> None:
        session = Session(tiny, system_prompt="abc", draw_with=talk, max_positions=100)
        wanted = run(Session(tiny, system_prompt="abc", draw_with=talk), noise(20))[0]
        state = session.start()
        for chunk, decision in zip(noise(20), wanted, strict=True):
            try:
                got, state = session.step(chunk, state)
            except SessionFull:
                break
            assert got == decision or got.cut
        with pytest.raises(SessionFull, match=r"of 100 leaves no room .* sliding or reset"):
            session.step(noise(1)[0], state)
        assert state.position <= 100

    def test_a_reply_without_end_is_cut_at_the_last_position(self, tiny: Model) -> None:
        babble = Session(
            tiny, system_prompt="a", max_positions=90, draw_with=lambda _, s: 1 if s.phase == SPEAKING else TEXT_BEGIN
        )
        decision, state = babble.step(noise(1)[0], babble.start())
        assert decision.cut
        assert decision.position == 89
        with pytest.raises(SessionFull):
            babble.step(noise(1)[0], state)

    def test_reset_forgets_after_every_reply(self, tiny: Model) -> None:
        session = Session(tiny, system_prompt="abc", draw_with=talk, eviction="reset")
        chunks = noise(12)
        decisions, _ = run(session, chunks)
        spoke = next(i for i, d in enumerate(decisions) if d.decision == "response")
        fresh, _ = run(session, chunks[spoke + 1 :])
        assert [d.token_ids for d in decisions[spoke + 1 :]] == [d.token_ids for d in fresh]

    @pytest.mark.parametrize("eviction", ["sliding", "reset"])
    def test_any_length_fits(self, tiny: Model, eviction: str) -> None:
        session = Session(tiny, system_prompt="abc", draw_with=talk, eviction=eviction, max_positions=128)  # type: ignore[arg-type]
        decisions, state = run(session, noise(30))
        assert [d.chunk for d in decisions] == list(range(30))
        assert max(d.position for d in decisions) < 128
        assert state.cache.rows.shape[3] <= 256
        assert state.evictions > 0

    def test_sliding_reanchors_what_it_keeps(self, tmp_path: Path) -> None:
        """With one layer, keys and values depend on a token and its position alone: a session that slid is one that
        was begun with the prompt and what was kept."""
        configs = tiny_configs(tmp_path / "configs", layers=1)
        model = load(inspect(write_checkpoint(tmp_path / "model", configs, *tiny_weights(layers=1))))
        session = Session(
            model, system_prompt="abc", eviction="sliding", max_positions=3000, draw_with=lambda *_: KEEP_SILENCE
        )
        chunks, state, blocks, slid_at = noise(240, seed=4), session.start(), [], 0
        for index, chunk in enumerate(chunks):
            frames, heard = session.perceive(chunk, state)
            blocks.append(frames)
            state = session.settle(session.listen(frames, heard))
            slid_at = slid_at or (index if state.evictions else 0)
        # 2,048 positions were passed before: the rounding of the rotary angles counts.
        assert slid_at > 2100 // 13
        kept = len(state.starts)
        again = replace(session.start(), pending=session.prefix)
        for frames in blocks[-kept:]:
            again = session.listen(frames, again)
        assert again.position == state.position
        torch.testing.assert_close(
            again.cache.rows[:, :, :, : again.position],
            state.cache.rows[:, :, :, : state.position],
            rtol=1e-4,
            atol=1e-4,
        )

    def test_unknown_policy_and_impossible_sizes(self, tiny: Model) -> None:
        with pytest.raises(BadInput, match=r"'fifo' is none of none, reset, sliding"):
            Session(tiny, eviction="fifo")  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="20 positions are outside 21 to 4096"):
            Session(tiny, system_prompt="abc", max_positions=20)
        with pytest.raises(BadInput, match="59 positions are outside 60 to 4096"):
            Session(tiny, system_prompt="abc", max_positions=59, eviction="sliding")
        with pytest.raises(BadInput, match="5000 positions are outside"):
            Session(tiny, max_positions=5000)


@given(
    loudness=st.sampled_from([0.0, 1e-6, 1e-3, 1.0]),
    shape=st.sampled_from(["noise", "square", "ramp", "click"]),
)
def test_any_sound_is_decided_on(session: Session, loudness: float, shape: str) -> None:
    time = np.arange(3 * 6400)
    wave = {
        "noise": np.random.default_rng(0).uniform(-1, 1, time.shape),
        "square": np.sign(np.sin(time / 7)),
        "ramp": time / len(time),
        "click": (time == 6399).astype(float),
    }[shape]
    decisions, state = run(session, (loudness * wave).astype(np.float32).reshape(3, -1))
    assert [d.decision in ("silent", "response") for d in decisions] == [True] * 3
    assert bool(torch.isfinite(state.cache.rows[:, :, :, : state.position]).all())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 32767.0])
def test_impossible_samples_are_refused_and_nothing_is_lost(session: Session, bad: float) -> None:
    chunks = noise(4)
    _, state = run(session, chunks[:2])
    broken = chunks[2].copy()
    broken[77] = bad
    with pytest.raises(BadInput, match=r"NaN or infinite|divide 16-bit integers"):
        session.step(broken, state)
    assert run(session, chunks[2:], state)[0] == run(session, chunks)[0][2:]


def test_decisions_say_what_was_drawn(session: Session) -> None:
    decisions, _ = run(session, noise(30))
    for decision in decisions:
        if decision.decision == "silent":
            assert decision.token_ids == (KEEP_SILENCE,)
            continue
        begin, emotion, *words, end = decision.token_ids
        assert (begin, end) == (TEXT_BEGIN, TEXT_END)
        assert decision.emotion is not None
        assert EMOTION_IDS[decision.emotion] == emotion
        assert decision.text.replace(" ", "") == "".join("abcdefgh"[word] for word in words)


def test_a_seed_decides_the_draws(tiny: Model) -> None:
    """Replies drawn at a high temperature: equal seeds, equal replies; other seeds, others."""

    def said(seed: int) -> list[tuple[int, ...]]:
        session = Session(tiny, sampling=Sampling(temperature=5.0), seed=seed, max_reply_tokens=20)
        state, reply = session.start(), []
        frames, state = session.perceive(noise(1)[0], state)
        spoken = replace(forward_any(session, frames, state), phase=SPEAKING)
        for _ in range(8):
            spoken = replace(session.speak(spoken), phase=SPEAKING)
            reply.append(spoken.pending)
        return reply

    def forward_any(session: Session, frames: torch.Tensor, state: State) -> State:
        chosen = Session(session.model, sampling=GREEDY, draw_with=lambda *_: TEXT_BEGIN)
        return chosen.listen(frames, state)

    assert said(1) == said(1)
    assert said(1) != said(2)


@pytest.mark.slow
def test_two_hours_in_flat_memory(tiny: Model) -> None:
    session = Session(tiny, system_prompt="abc", eviction="sliding", max_positions=256, draw_with=talk)
    chunks, state, held = noise(50), session.start(), []
    for index in range(18_000):
        _, state = session.step(chunks[index % 50], state)
        if index in (1_000, 17_999):
            held.append(resident_bytes())
    assert state.chunks == 18_000
    assert state.cache.rows.shape[3] <= 512
    assert len(state.starts) < 20
    assert held[1] - held[0] < 20e6


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
