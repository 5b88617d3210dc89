"""What runs the two networks, and on which clock: threads in real time, or in line on a simulated clock."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from pipeline.errors import StreamAudioError
from pipeline.streaming.session import Heard, Session, State, forward

T = TypeVar("T")
Stage = Literal["encode", "listen", "speak"]


class Engine(Protocol):
    """Runs encodings beside forwards. `now_s` is its clock, which the event loop shares."""

    def now_s(self) -> float: ...

    async def encode(self, work: Callable[[], T]) -> T: ...

    async def forward(self, session: Session, turn: Heard) -> State: ...


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of the simulated clock that an encoding, a control step and a token of a reply take."""

    encode_s: float
    listen_s: float
    speak_s: float

    def of(self, stage: Stage) -> float:
        return {"encode": self.encode_s, "listen": self.listen_s, "speak": self.speak_s}[stage]


class SimulatedEngine:
    """Runs everything in line; then its clock, a `SimulatedLoop`'s, moves on by the cost: the one given, or the time
    that it really took. Encoder and decoder cost time side by side, as on two devices."""

    def __init__(self, costs: Costs | None = None) -> None:
        self.costs = costs

    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def encode(self, work: Callable[[], T]) -> T:
        return await self._timed("encode", work)

    async def forward(self, session: Session, turn: Heard) -> State:
        stage = "speak" if turn.frames is None else "listen"
        return await self._timed(stage, lambda: forward([(session, turn)])[0])

    async def _timed(self, stage: Stage, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = work()
        await asyncio.sleep(time.perf_counter() - started if self.costs is None else self.costs.of(stage))
        return result


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while something can run and jumps to the next timer when nothing can."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.simulated_s = 0.0

    def time(self) -> float:
        return self.simulated_s


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that no timer will bring")
        self._loop.simulated_s += timeout
        return super().select(0)


class LiveEngine:
    """One thread encodes, another decodes; the turns of many sessions that wait together share a forward."""

    def __init__(self, *, most_sessions: int = 64) -> None:
        """`most_sessions`: how many share a forward at most."""
        self._encoder = ThreadPoolExecutor(1, "encode")
        self._decoder = ThreadPoolExecutor(1, "decode")
        self._most = most_sessions
        self._waiting: list[tuple[Session, Heard, asyncio.Future[State]]] = []
        self._worker: asyncio.Task[None] | None = None

    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def encode(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._encoder, work)

    async def forward(self, session: Session, turn: Heard) -> State:
        done: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._waiting.append((session, turn, done))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await done

    async def finish(self) -> None:
        """Wait for the forward in progress, whose session may be gone, and close."""
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)
        self.close()

    def close(self) -> None:
        """Wait for what runs and end both threads."""
        self._encoder.shutdown(cancel_futures=True)
        self._decoder.shutdown(cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                # Who left in the meantime needs no forward.
                batch = [entry for entry in self._waiting[: self._most] if not entry[2].done()]
                del self._waiting[: self._most]
                outcomes = await loop.run_in_executor(self._decoder, _outcomes, [(s, t) for s, t, _ in batch])
                for (_, _, done), outcome in zip(batch, outcomes, strict=True):
                    if done.done():
                        continue
                    if isinstance(outcome, State):
                        done.set_result(outcome)
                    else:
                        done.set_exception(outcome)
        finally:
            self._worker = None


def _outcomes(turns: list[tuple[Session, Heard]]) -> list[State | Exception]:
    """A new state per turn, or what stopped that turn: nobody's error is another's."""
    if not turns:
        return []
    try:
        return [*forward(turns)]
    except StreamAudioError as error:
        if len(turns) == 1:
            return [error]
        return [outcome for turn in turns for outcome in _outcomes([turn])]
    except Exception as error:  # noqa: BLE001  (out of memory or the like: every session in the batch is told)
        return [error] * len(turns)
