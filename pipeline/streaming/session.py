"""One stream: `step(chunk, state) -> (decision, state)`.

LISTENING  a chunk is encoded and fed as 12 tokens; the control token says KEEP_SILENCE (listen on) or TEXT_BEGIN.
SPEAKING   emotion, text and TEXT_END are drawn one forward each; then the session listens to the next chunk.

States are values: `step` changes none, an older one can be gone on with, and all of one is saved by `snapshot`. What
they share (keys and values) is only ever written behind what the older ones see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import BadInput, SessionFull
from pipeline.seeds import rng
from pipeline.streaming.checkpoint import Model
from pipeline.streaming.decoder import Cache, Feed
from pipeline.streaming.logmel import Ear, hear
from pipeline.streaming.sampling import GREEDY, Sampling, draw
from pipeline.streaming.text import SYSTEM_PROMPT
from schemas.protocol import CHUNK_TOKENS, KEEP_SILENCE, MAX_POSITIONS, TEXT_BEGIN, TEXT_END, Emotion

LISTENING, SPEAKING = "listening", "speaking"
Phase = Literal["listening", "speaking"]
Eviction = Literal["none", "reset", "sliding"]
"""What happens when a session is full. none: it ends. reset: everything is forgotten after each reply and from
position 1,500 on, as the released web server does. sliding: the prompt and the newest half of the context stay, and
positions start again behind the prompt."""
RESET_AT = 1_500
FIRST_CAPACITY = 256


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where a session stands.

    `position` is the next free position and the number of rows of `cache` that count; `pending` are ids that go before
    the next chunk (the prompt, later the last id drawn); `starts` are the positions at which chunks begin; `reply` is
    what was drawn since TEXT_BEGIN; `drawn`, `chunks` and `forwards` count since the session began.
    """

    cache: Cache
    pending: tuple[int, ...]
    ear: Ear = field(default_factory=Ear)
    phase: Phase = LISTENING
    position: int = 0
    starts: tuple[int, ...] = ()
    reply: tuple[int, ...] = ()
    drawn: int = 0
    chunks: int = 0
    forwards: int = 0
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the model did after a chunk.

    `chunk` counts from 0 in the session; `token_ids` are the control token and, of a response, emotion, text and end;
    `position` is that of the last forward; `drained` marks a chunk that was fed together with later ones and not
    asked about; `cut` a reply that a limit ended.
    """

    chunk: int
    decision: Literal["silent", "response"]
    token_ids: tuple[int, ...]
    emotion: Emotion | None
    text: str
    position: int
    drained: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A session's turn in a forward: `frames` [chunks, 10, width] of new chunks, or None for a token of a reply."""

    state: State
    frames: Tensor | None = None


Drawer = Callable[[Tensor, State], int]
"""Chooses a token from float32 logits [vocabulary]."""


class Session:
    """A model and the rules by which its sessions run. Holds no stream's state: one serves any number."""

    def __init__(
        self,
        model: Model,
        *,
        system_prompt: str = SYSTEM_PROMPT,
        sampling: Sampling = GREEDY,
        eviction: Eviction = "none",
        max_positions: int | None = None,
        max_reply_tokens: int | None = None,
        seed: int = 0,
        draw_with: Drawer | None = None,
    ) -> None:
        """
        Args:
            eviction: what happens at `max_positions`.
            max_positions: positions a session may hold, at most the checkpoint's block size; where not given the
                protocol's 4,096 or the block size, whichever is less.
            max_reply_tokens: a reply is cut after so many ids behind TEXT_BEGIN.
            draw_with: chooses tokens instead of `sampling`.

        Raises:
            BadInput: an unknown policy, more positions than the model has, or too few for the prompt and a chunk.
        """
        if eviction not in get_args(Eviction):
            raise BadInput(f"eviction policy {eviction!r} is none of {', '.join(get_args(Eviction))}")
        most = model.block_size
        self.model = model
        self.prefix = model.text.prefix(system_prompt)
        self.eviction = eviction
        self.max_positions = min(most, MAX_POSITIONS) if max_positions is None else max_positions
        self.max_reply_tokens = max_reply_tokens or self.max_positions
        # The prompt with a chunk and a reply's first token; where a session forgets, with two chunks and replies.
        least = len(self.prefix) + (1 if eviction == "none" else 4) * (len(CHUNK_TOKENS) + 1)
        if not least <= self.max_positions <= most:
            raise BadInput(
                f"{self.max_positions} positions are outside {least} to {most}: the prompt takes {len(self.prefix)}, "
                f"a chunk {len(CHUNK_TOKENS) + 1}, and the model has {most}"
            )
        self._draw = draw_with or (lambda logits, state: _draw(logits, sampling, seed, state.drawn))

    @property
    def most_chunks(self) -> int:
        """Chunks that may be fed in one forward: half of what the prompt leaves."""
        return max(1, (self.max_positions - len(self.prefix)) // (2 * (len(CHUNK_TOKENS) + 1)))

    def start(self) -> State:
        """A session that has heard nothing."""
        return State(self.model.decoder.new_cache(FIRST_CAPACITY), self.prefix)

    def perceive(self, chunk: NDArray[np.float32], state: State) -> tuple[Tensor, State]:
        """Frames [1, 10, width] of one chunk, online; the state that has heard it."""
        mel, ear = hear(chunk, state.ear)
        return self.model.encoder(mel[None]), replace(state, ear=ear)

    def step(self, chunk: NDArray[np.float32], state: State) -> tuple[Decision, State]:
        """Hear one chunk [6400], decide, and speak to the end of a reply.

        Raises:
            BadInput: no chunk, or a state in the middle of a reply (`finish` it first).
            SessionFull: the policy is none and no position is left for a chunk; `state` stays good.
        """
        self._must_listen(state)
        frames, heard = self.perceive(chunk, state)
        heard = self.finish(self.listen(frames, heard))
        return self.decision(heard), self.settle(heard)

    def listen(self, frames: Tensor, state: State) -> State:
        """Feed chunks [chunks, 10, width] in one forward and draw the last one's control token. The others get a
        forced KEEP_SILENCE."""
        return forward([(self, Heard(state, frames))])[0]

    def speak(self, state: State) -> State:
        """Draw one token of a reply."""
        return forward([(self, Heard(state))])[0]

    def finish(self, state: State) -> State:
        """Speak until the reply ends, by itself or at a limit; the state listens, its `reply` still there."""
        while state.phase == SPEAKING:
            if self.full(state):
                return self.interrupt(state)
            state = self.speak(state)
        return state

    def interrupt(self, state: State) -> State:
        """Stop a reply where it is; its last id goes before the next chunk."""
        return replace(state, phase=LISTENING)

    def full(self, state: State) -> bool:
        """Whether a reply must stop here: no position is left, or it has reached its longest."""
        no_room = self.eviction != "sliding" and state.position + 1 > self.max_positions
        return no_room or len(state.reply) > self.max_reply_tokens

    def decision(self, state: State) -> Decision:
        """What was decided after the newest chunk of a state that listens again."""
        position = state.position - 1
        if not state.reply:
            return Decision(state.chunks - 1, "silent", (KEEP_SILENCE,), None, "", position)
        ids = state.reply
        emotion, text = self.model.text.reply(ids[1:])
        return Decision(state.chunks - 1, "response", ids, emotion, text, position, cut=ids[-1] != TEXT_END)

    def settle(self, state: State) -> State:
        """The state for the next chunk: a reply is over and, under the policy reset, forgotten with all else."""
        over = replace(state, reply=())
        spoke = bool(state.reply)
        if self.eviction == "reset" and (spoke or state.position + 1 >= RESET_AT):
            return self.reset(over)
        return over

    def reset(self, state: State) -> State:
        """Forget everything but the counts."""
        counts = {"drawn": state.drawn, "chunks": state.chunks, "forwards": state.forwards}
        return replace(self.start(), **counts, evictions=state.evictions + 1)

    def _must_listen(self, state: State) -> None:
        if state.phase != LISTENING:
            raise BadInput("the session is in the middle of a reply; finish() or interrupt() it before the next chunk")

    def prepare(self, turn: Heard) -> tuple[Heard, Feed]:
        """What a forward feeds for `turn`, once there is room for it; see `forward`."""
        turn = self._make_room(turn)
        return turn, Feed(self._embeddings(turn), turn.state.cache, turn.state.position)

    def _make_room(self, turn: Heard) -> Heard:
        state, frames = turn.state, turn.frames
        if frames is None:
            if state.phase != SPEAKING:
                raise BadInput("the session listens; give it a chunk")
            needed = 1
        else:
            self._must_listen(state)
            needed = len(state.pending) - 1 + (len(CHUNK_TOKENS) + 1) * len(frames)
        if state.position + needed <= self.max_positions:
            return turn
        if self.eviction == "reset" and frames is not None and len(frames) <= self.most_chunks:
            return replace(turn, state=self.reset(state))
        if self.eviction != "sliding" or len(self.prefix) + needed > self.max_positions:
            raise SessionFull(
                f"position {state.position} of {self.max_positions} leaves no room for {needed} tokens; "
                "begin a new session, or choose the eviction policy sliding or reset"
            )
        return replace(turn, state=self._slide(state, needed))

    def _slide(self, state: State, needed: int) -> State:
        """Keep the prompt and the newest chunks that fit into half of what is left, with the reply in progress."""
        anchor = len(self.prefix)
        most = max(0, min((self.max_positions - anchor) // 2, self.max_positions - anchor - needed))
        # At a chunk's beginning, unless the newest chunk and its reply alone are too long.
        start = next((s for s in state.starts if state.position - s <= most), state.position - most)
        cache, position = self.model.decoder.keep(state.cache, state.position, anchor, start)
        starts = tuple(s - start + anchor for s in state.starts if s >= start)
        return replace(state, cache=cache, position=position, starts=starts, evictions=state.evictions + 1)

    def _embeddings(self, turn: Heard) -> Tensor:
        decoder, frames = self.model.decoder, turn.frames
        if frames is None:
            return decoder.embed(turn.state.pending)
        parts = []
        for index, block in enumerate(frames):
            before = turn.state.pending if index == 0 else (KEEP_SILENCE,)
            embedded = decoder.embed((*before, *CHUNK_TOKENS))
            embedded[-1 - len(block) : -1] = block.to(embedded)
            parts.append(embedded)
        return torch.cat(parts)

    def after(self, turn: Heard, feed: Feed, cache: Cache, logits: Tensor) -> State:
        """The state behind a forward, with the token drawn from its logits [vocabulary]."""
        old, count = turn.state, 0 if turn.frames is None else len(turn.frames)
        token = self._draw(logits, old)
        if count and token not in (KEEP_SILENCE, TEXT_BEGIN):
            raise BadInput(
                f"the model answered chunk {old.chunks + count - 1} with token {token}; only KEEP_SILENCE "
                f"({KEEP_SILENCE}) or TEXT_BEGIN ({TEXT_BEGIN}) may stand there; is it an Audio-Interaction checkpoint?"
            )
        first = old.position + len(old.pending)
        speaking = token != TEXT_END and (token == TEXT_BEGIN if count else True)
        return replace(
            old,
            cache=cache,
            pending=(token,),
            phase=SPEAKING if speaking else LISTENING,
            position=feed.position + len(feed.embeddings),
            starts=old.starts + tuple(first + i * (len(CHUNK_TOKENS) + 1) for i in range(count)),
            reply=(*old.reply, token) if old.phase == SPEAKING else (token,) if speaking else (),
            drawn=old.drawn + 1,
            chunks=old.chunks + count,
            forwards=old.forwards + 1,
        )


@torch.inference_mode()
def forward(turns: Sequence[tuple[Session, Heard]]) -> list[State]:
    """One forward over any mixture of listening and speaking sessions of one model; one token drawn in each.

    Raises:
        BadInput: chunks for a speaking state, none for a listening one, or a model that answers a chunk with neither
            KEEP_SILENCE nor TEXT_BEGIN.
        SessionFull: the policy of a full session is none.
    """
    prepared = [session.prepare(turn) for session, turn in turns]
    decoder = turns[0][0].model.decoder
    hidden, caches = decoder.forward([feed for _, feed in prepared])
    return [
        session.after(turn, feed, cache, logits)
        for (session, _), (turn, feed), cache, logits in zip(
            turns, prepared, caches, decoder.logits(hidden), strict=True
        )
    ]


def _draw(logits: Tensor, sampling: Sampling, seed: int, drawn: int) -> int:
    uniform = 0.0 if sampling.temperature == 0 else rng(seed, drawn, "sampling").random()
    return draw(logits, sampling, uniform)
