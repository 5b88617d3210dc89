"""Listening while speaking: encoder and decoder as loops of their own, joined by one queue.

Source: the SoundFlow paper's asynchronous FIFO inference (arXiv 2606.05121). The encoder never waits for the decoder.
A decoder that listens takes everything that waits in the queue, feeds it in one forward and draws one control token;
a decoder that speaks leaves the queue alone. What the paper leaves open: the chunks drained together keep their 12
tokens each and a forced KEEP_SILENCE, only the last one is asked about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import BadInput
from pipeline.streaming.checkpoint import Model
from pipeline.streaming.engine import Engine
from pipeline.streaming.latency import CHUNK_S, Latencies
from pipeline.streaming.logmel import Ear, hear
from pipeline.streaming.session import SPEAKING, Decision, Heard, Session
from schemas.protocol import TEXT_END, Emotion

Chunk = TypeVar("Chunk")
WhenFull = Literal["wait", "refuse"]
"""What `put` does where `most_waiting` chunks wait already: it waits, or raises. No chunk is ever dropped."""
MOST_WAITING = 150
"""One minute."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of the reply to `chunk`; `text` may be empty."""

    chunk: int
    token_id: int
    emotion: Emotion | None
    text: str


class Listener:
    """Online frames of one chunk after another; the maximum runs over all of them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._ear = Ear()

    def __call__(self, chunk: NDArray[np.float32]) -> Tensor:
        mel, self._ear = hear(chunk, self._ear)
        return self._model.encoder(mel[None])


class Fifo(Generic[Chunk]):
    """One session's two loops. `put` chunks, `end` the input, iterate over `events` meanwhile.

    `state` is the session's own as of the last event; `latencies` tell how late it was.
    """

    def __init__(
        self,
        session: Session,
        engine: Engine,
        perceive: Callable[[Chunk], Tensor],
        *,
        most_waiting: int = MOST_WAITING,
        when_full: WhenFull = "wait",
    ) -> None:
        """`perceive`: frames [1, 10, width] of one chunk; a `Listener` where chunks are samples."""
        self.state = session.start()
        self.latencies = Latencies()
        self._session = session
        self._engine = engine
        self._perceive = perceive
        self._places = asyncio.Semaphore(most_waiting)
        self._most_waiting = most_waiting
        self._when_full = when_full
        self._heard: asyncio.Queue[tuple[int, Chunk] | None] = asyncio.Queue()
        self._encoded: asyncio.Queue[Tensor | Exception | None] = asyncio.Queue()
        self._put = 0
        self._interrupted = False

    async def put(self, chunk: Chunk) -> None:
        """Give the next chunk.

        Raises:
            BadInput: `most_waiting` chunks wait and the policy is refuse.
        """
        if self._when_full == "refuse" and self._places.locked():
            raise BadInput(
                f"{self._most_waiting} chunks wait to be answered, the most that may; send audio no faster than real "
                "time, or use a faster device"
            )
        await self._places.acquire()
        self.latencies.arrived(self._put, self._engine.now_s())
        self._heard.put_nowait((self._put, chunk))
        self._put += 1

    def end(self) -> None:
        """No more chunks: `events` ends once all are answered."""
        self._heard.put_nowait(None)

    def interrupt(self) -> None:
        """Cut the reply in progress, if any, before its next token."""
        self._interrupted = self.state.phase == SPEAKING

    async def events(self) -> AsyncGenerator[Decision | Spoken, None]:
        """Pieces of replies as they are drawn, and one decision per chunk, in order.

        Raises:
            BadInput: a chunk that cannot be heard, or a model that breaks the protocol.
            SessionFull: no position is left and the policy is none.
        """
        encoder = asyncio.create_task(self._encode())
        try:
            while frames := await self._queued():
                first = self.state.chunks
                state = await self._engine.forward(self._session, Heard(self.state, torch.cat(frames)))
                self.state = state
                self.latencies.decided(first, state.chunks - 1, self._engine.now_s())
                for _ in frames:
                    self._places.release()
                for chunk in range(first, state.chunks - 1):
                    yield Decision(chunk, "silent", (), None, "", state.position - 1, drained=True)
                if state.phase == SPEAKING:
                    async for piece in self._speak():
                        yield piece
                    self.latencies.reply_ended(self._engine.now_s())
                decision = self._session.decision(self.state)
                self.state = self._session.settle(self.state)
                yield decision
        finally:
            encoder.cancel()
            await asyncio.gather(encoder, return_exceptions=True)

    async def _encode(self) -> None:
        while (entry := await self._heard.get()) is not None:
            index, chunk = entry
            try:
                frames = await self._engine.encode(lambda chunk=chunk: self._perceive(chunk))
            except Exception as error:  # noqa: BLE001  (carried to the decoder, which raises it in its turn)
                self._encoded.put_nowait(error)
                return
            self.latencies.encoded(index, self._engine.now_s())
            self._encoded.put_nowait(frames)
        self._encoded.put_nowait(None)

    async def _queued(self) -> list[Tensor]:
        """Everything that waits, at least one chunk, at most what fits into one forward; nothing at the end."""
        frames: list[Tensor] = []
        while len(frames) < self._session.most_chunks and (not frames or not self._encoded.empty()):
            entry = await self._encoded.get()
            if isinstance(entry, Tensor):
                frames.append(entry)
                continue
            if frames:
                self._encoded.put_nowait(entry)  # it is the last there will be: its turn comes again
                break
            if entry is None:
                return []
            raise entry
        return frames

    async def _speak(self) -> AsyncGenerator[Spoken, None]:
        chunk, said = self.state.chunks - 1, 0
        while self.state.phase == SPEAKING:
            if self._interrupted or self._session.full(self.state):
                self.state = self._session.interrupt(self.state)
                break
            self.state = await self._engine.forward(self._session, Heard(self.state))
            token = self.state.reply[-1]
            whole = token == TEXT_END
            emotion, text = self._session.model.text.reply(self.state.reply[1:], whole=whole)
            yield Spoken(chunk, token, emotion, text[said:])
            said = len(text)
        self._interrupted = False


async def play(fifo: Fifo[Chunk], chunks: Iterable[Chunk]) -> None:
    """Give chunks as a microphone does, each when its 400 ms are over on the event loop's clock; then end."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for index, chunk in enumerate(chunks):
        await asyncio.sleep(started + (index + 1) * CHUNK_S - loop.time())
        await fifo.put(chunk)
    fifo.end()
