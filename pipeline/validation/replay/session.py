"""The Audio-Interaction model as a listener: `pipeline.streaming` behind its FIFO, on a simulated clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SessionFull
from pipeline.streaming.checkpoint import Model, find, inspect, load
from pipeline.streaming.engine import Costs, SimulatedEngine, SimulatedLoop
from pipeline.streaming.fifo import Fifo, Listener, Spoken, play
from pipeline.streaming.sampling import Sampling
from pipeline.streaming.session import Drawer, Session
from pipeline.streaming.text import SYSTEM_PROMPT
from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome
from schemas.listeners import SessionListener


class SessionReplay:
    """Chunks arrive every 400 ms of a clock that jumps; what comes during a reply is drained after it."""

    def __init__(self, settings: SessionListener, *, draw_with: Drawer | None = None) -> None:
        """`draw_with`: chooses tokens instead of the settings' sampling."""
        self._settings = settings
        self._draw_with = draw_with
        self._opened: _Opened | None = None

    def open(self) -> None:
        settings = self._settings
        checkpoint = inspect(find(settings.checkpoint))
        model = load(checkpoint, dtype=settings.dtype, device=settings.device)
        prompts = (settings.system_prompt, checkpoint.system_prompt, SYSTEM_PROMPT)
        self._opened = _Opened(model, next(prompt for prompt in prompts if prompt is not None))

    def close(self) -> None:
        self._opened = None

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        assert self._opened is not None, "open() comes first"
        settings, model = self._settings, self._opened.model
        session = Session(
            model,
            system_prompt=self._opened.system_prompt,
            sampling=Sampling(settings.temperature, settings.top_k, settings.top_p),
            eviction=settings.eviction,
            max_reply_tokens=settings.max_reply_tokens,
            seed=settings.seed,
            draw_with=self._draw_with,
        )
        clock = settings.clock
        costs = None if isinstance(clock, str) else Costs(*(ms / 1000 for ms in clock))
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            return runner.run(_heard(session, model, SimulatedEngine(costs), chunks))


@dataclass(frozen=True, slots=True)
class _Opened:
    model: Model
    system_prompt: str


async def _heard(
    session: Session, model: Model, engine: SimulatedEngine, chunks: Iterable[NDArray[np.float32]]
) -> Outcome:
    fifo: Fifo[Any] = Fifo(session, engine, Listener(model))
    notes, ended, signs = Notes(), None, dict[int, float]()
    started_s = engine.now_s()
    player = asyncio.create_task(play(fifo, chunks))

    def latency_ms(chunk: int) -> float:
        return 1000 * (engine.now_s() - started_s - (chunk + 1) * CHUNK_S)

    try:
        async with aclosing(fifo.events()) as events:
            async for event in events:
                if isinstance(event, Spoken):
                    signs.setdefault(event.chunk, latency_ms(event.chunk))
                    continue
                notes.arrived()
                late_ms = signs.get(event.chunk, latency_ms(event.chunk))
                notes.decided(event.chunk, Heard(event.decision, event.drained, None, late_ms))
                if event.decision == "response":
                    notes.said(event.chunk, event.text, event.emotion, cut=event.cut)
    except SessionFull as full:
        ended = str(full)
    finally:
        player.cancel()
        await asyncio.gather(player, return_exceptions=True)
    notes.stalls = fifo.latencies.stalls
    return notes.outcome(ended)
