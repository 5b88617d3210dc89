"""Recordings through the streaming module: one JSON-ready object per chunk and a summary."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput, SessionFull
from pipeline.library.decode import Unreadable, decode
from pipeline.streaming.checkpoint import DTYPES, Model, find, inspect, load
from pipeline.streaming.encoder import blocks_of
from pipeline.streaming.engine import Costs, Engine, LiveEngine, SimulatedEngine, SimulatedLoop
from pipeline.streaming.fifo import Fifo, Listener, Spoken, play
from pipeline.streaming.files import FileSession, Mode, Part, with_gaps
from pipeline.streaming.logmel import offline
from pipeline.streaming.probe import load_probe
from pipeline.streaming.sampling import GREEDY, Sampling
from pipeline.streaming.session import Decision, Eviction, Session
from pipeline.streaming.text import SYSTEM_PROMPT
from schemas.protocol import CHUNK_SAMPLES

MAX_RECORDING_S = 6 * 3_600.0
CLOCKS = "measured, live, or the milliseconds of an encoding, a control step and a token as 60,45,25"
Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model, where, and how its tokens are drawn."""

    checkpoint: str
    system_prompt: str | None = None
    device: str = "cpu"
    dtype: str = "float32"
    compiled: bool = False
    sampling: Sampling = GREEDY
    eviction: Eviction = "none"
    max_positions: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A loaded model and how its sessions are to run."""

    model: Model
    options: ModelOptions
    system_prompt: str

    def session(self, *, system_prompt: str | None = None, seed: int | None = None) -> Session:
        """A session; with another prompt or seed where given."""
        return Session(
            self.model,
            system_prompt=self.system_prompt if system_prompt is None else system_prompt,
            sampling=self.options.sampling,
            eviction=self.options.eviction,
            max_positions=self.options.max_positions,
            seed=self.options.seed if seed is None else seed,
        )


def open_model(options: ModelOptions, say: Callable[[str], None]) -> Opened:
    """Load a checkpoint; `say` is told the memory it takes before that.

    Raises:
        BadInput: a checkpoint that cannot be used.
    """
    if options.dtype not in DTYPES:
        raise BadInput(f"dtype {options.dtype!r} is none of {', '.join(DTYPES)}")
    checkpoint, dtype = inspect(find(options.checkpoint)), DTYPES[options.dtype]
    say(
        f"loading {checkpoint.folder.name} as {options.dtype} on {options.device}: "
        f"{checkpoint.weights_bytes(dtype) / 1e9:.2f} GB of weights, "
        f"up to {checkpoint.session_bytes(dtype, options.max_positions) / 1e9:.2f} GB per session"
    )
    model = load(checkpoint, dtype=options.dtype, device=options.device, compiled=options.compiled)
    prompts = (options.system_prompt, checkpoint.system_prompt, SYSTEM_PROMPT)
    return Opened(model, options, next(prompt for prompt in prompts if prompt is not None))


def recordings(paths: Sequence[Path]) -> list[tuple[str, NDArray[np.float32]]]:
    """Every file, 16 kHz mono.

    Raises:
        BadInput: a file that is missing or no audio.
    """
    result = []
    for path in paths:
        if not path.is_file():
            raise BadInput(f"recording {str(path)!r} is not a file; give the path of a sound file")
        try:
            result.append((str(path), decode(path, max_clip_s=MAX_RECORDING_S).samples))
        except Unreadable as error:
            raise BadInput(f"recording {str(path)!r} {error}") from error
    return result


def run_files(
    session: Session,
    files: list[tuple[str, NDArray[np.float32]]],
    emit: Emit,
    *,
    mode: Mode,
    gap_s: float,
    max_returned_tokens: int | None,
) -> None:
    """Run recordings as the released offline script does; `emit` a line per chunk, then a summary."""
    run, counts = FileSession(session, mode=mode, max_returned_tokens=max_returned_tokens), _Counts(emit)
    try:
        for line in run.run(with_gaps(files, gap_s)):
            counts.line(line.file, line.gap, line.decision)
        ended = None
    except SessionFull as error:
        ended = str(error)
    counts.summary(mode=mode, skipped=run.skipped, evictions=run.state.evictions, ended=ended)


def run_probe(
    files: list[tuple[str, NDArray[np.float32]]], emit: Emit, *, gap_s: float, threshold: float | None = None
) -> None:
    """Run recordings through the bundled probe as one session; `emit` a line per chunk, then a summary."""
    probe, counts = load_probe(threshold=threshold), _Counts(emit)
    state = probe.start()
    for part in with_gaps(files, gap_s):
        for chunk in part.samples.reshape(-1, CHUNK_SAMPLES):
            decision, state = probe.step(chunk, state)
            counts.line(part.file, part.gap, decision)
    counts.summary(model="probe", ended=None)


def run_fifo(
    session: Session,
    files: list[tuple[str, NDArray[np.float32]]],
    emit: Emit,
    *,
    mode: Mode,
    gap_s: float,
    clock: str,
) -> None:
    """Run recordings as if they arrived from a microphone, listening while the model speaks.

    Args:
        clock: "measured" (arrivals every 400 ms on a simulated clock, work takes the time it really took), "live"
            (real time, two threads), or fixed costs in milliseconds, "encode,listen,speak".
    """
    parts = list(with_gaps(files, gap_s))
    places = [part for part in parts for _ in range(len(part.samples) // CHUNK_SAMPLES)]
    counts = _Counts(emit)

    async def run(engine: Engine) -> None:
        perceive = Listener(session.model) if mode == "online" else lambda mel: session.model.encoder(mel[None])
        fifo: Fifo[Any] = Fifo(session, engine, perceive)
        player = asyncio.create_task(play(fifo, _chunks(parts, mode)))
        ended = None
        try:
            async with aclosing(fifo.events()) as events:
                async for event in events:
                    if not isinstance(event, Spoken):
                        counts.line(places[event.chunk].file, places[event.chunk].gap, event)
        except SessionFull as error:
            ended = str(error)
        finally:
            player.cancel()
        latency = fifo.latencies.figures()
        counts.summary(mode=mode, evictions=fifo.state.evictions, ended=ended, clock=clock, latency=latency)

    if clock == "live":
        engine = LiveEngine()
        try:
            asyncio.run(run(engine))
        finally:
            engine.close()
        return
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(run(SimulatedEngine(None if clock == "measured" else _costs(clock))))


def _chunks(parts: list[Part], mode: Mode) -> Iterator[Any]:
    """Chunks of samples to be heard online, or mel blocks that know their recording's maximum."""
    for part in parts:
        yield from part.samples.reshape(-1, CHUNK_SAMPLES) if mode == "online" else blocks_of(offline(part.samples))


def _costs(clock: str) -> Costs:
    try:
        encode, listen, speak = (float(part) / 1000 for part in clock.split(","))
    except ValueError:
        raise BadInput(f"clock {clock!r} is none of {CLOCKS}") from None
    if not all(0 <= cost < 60 for cost in (encode, listen, speak)):
        raise BadInput(f"clock {clock!r} has a cost outside 0 to 60,000 ms; {CLOCKS}")
    return Costs(encode, listen, speak)


class _Counts:
    """Emits lines, and what they add up to."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._counts: Counter[str] = Counter()
        self._position: int | None = None

    def line(self, file: str, gap: bool, decision: Decision) -> None:
        fields = asdict(decision)
        flags = {name: True for name in ("drained", "cut") if fields.pop(name)}
        self._emit({"file": file, "gap": gap, **fields, "token_ids": list(decision.token_ids), **flags})
        self._counts.update(["chunks", decision.decision, *flags])
        self._position = decision.position

    def summary(self, **more: Any) -> None:
        names = ("chunks", "silent", "response", "drained", "cut")
        counts = {name: self._counts[name] for name in names}
        self._emit({"summary": {**counts, "position": self._position, **more}})
