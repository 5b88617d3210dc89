"""Any program as a listener: PCM16 on its standard input, JSON events on its standard output (docs/validation.md).

Into the program go chunks of 6,400 samples, 16 bit little-endian mono at 16 kHz, without any header; the input ends
with the stream. With `framed` every chunk is preceded by its number of bytes (32 bit little-endian), a length of 0
ends a stream, the program answers that with {"done": true}, and the next stream follows.

Out of it come lines, one JSON object each:

    {"decision": "silent"}                                              the chunk given last stays unanswered
    {"decision": "response", "text": "...", "emotion": "urgent"}        a reply starts after it
    {"text": "and more"}                                                goes on with the newest reply
    {"done": true}                                                      the stream is over
    {"ready": true}                                                     its model is loaded; live replays wait for it

A decision may name its `chunk` (0-based in the stream), and have a `score` (probability of a response) or
`"drained": true` (the model was not asked about this chunk). In lock-step every chunk is answered by one decision.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import explain
from pipeline.errors import BadInput, MissingDependency
from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome, emotion_of
from schemas.listeners import CommandListener

ALWAYS_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
MAX_WAITING_BYTES = 1_000_000
MAX_LOG_BYTES = 2_000
TOLD_CHARACTERS = 300


class Event(BaseModel):
    """One line of a program; further keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chunk: Annotated[int, Field(ge=0)] | None = None
    decision: Literal["silent", "response"] | None = None
    text: str = ""
    emotion: str | None = None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    drained: bool = False
    done: bool = False
    ready: bool = False


def pcm16(chunk: NDArray[np.float32]) -> bytes:
    """Samples in [-1, 1] as 16 bit little-endian."""
    return (np.clip(chunk, -1, 1) * 32767).round().astype("<i2").tobytes()


class CommandReplay:
    """Runs the program, one process per stream, or one for all of them where it takes frames."""

    def __init__(self, settings: CommandListener) -> None:
        self._settings = settings
        self._process: _Process | None = None

    def open(self) -> None:
        if shutil.which(self._settings.argv[0]) is None:
            raise MissingDependency(
                f"program {self._settings.argv[0]!r} is not on PATH or not executable; give its full path as the first "
                "of argv"
            )

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        if self._process is None:
            self._process = _Process(self._settings)
        notes = Notes()
        try:
            if self._settings.pace == "step":
                self._in_steps(self._process, chunks, notes)
            else:
                self._live(self._process, chunks, notes)
            self._finish(self._process, notes)
        except BaseException:
            self.close()
            raise
        if not self._settings.framed:
            self.close()
        return notes.outcome()

    def _in_steps(self, process: _Process, chunks: Iterable[NDArray[np.float32]], notes: Notes) -> None:
        for chunk in chunks:
            while process.waits(0):
                event = process.next_event(0)
                if event.decision is not None:
                    raise BadInput(f"{process.name} gives more than one decision for chunk {notes.newest}")
                _note(process, event, notes)
            notes.arrived(time.perf_counter())
            process.send(self._packed(pcm16(chunk)))
            event = Event()
            while event.decision is None:
                event = process.next_event(process.patience())
                if event.decision is not None and event.chunk not in (None, notes.newest):
                    raise BadInput(
                        f"{process.name} answers chunk {event.chunk}, in lock-step {notes.newest} is due; "
                        "answer every chunk by one decision, or set pace: live"
                    )
                _note(process, event, notes)
            notes.stalls += notes.late_ms(notes.newest) > 1000 * CHUNK_S

    def _live(self, process: _Process, chunks: Iterable[NDArray[np.float32]], notes: Notes) -> None:
        while not process.ready:
            process.next_event(process.patience())
        pace_s, started_s = CHUNK_S / self._settings.speed, time.perf_counter()
        for index, chunk in enumerate(chunks):
            due_s = started_s + (index + 1) * pace_s
            while (left_s := due_s - time.perf_counter()) > 0 and process.waits(left_s):
                _note(process, process.next_event(left_s), notes)
            notes.arrived(due_s)
            process.send(self._packed(pcm16(chunk)))
            notes.stalls += time.perf_counter() - due_s > pace_s

    def _finish(self, process: _Process, notes: Notes) -> None:
        """What it still has to say about a stream that is over."""
        if self._settings.framed:
            process.send(struct.pack("<I", 0))
        else:
            process.end_input()
        while (event := process.event(process.patience())) is not None and not event.done:
            _note(process, event, notes)
        if event is None and self._settings.framed:
            raise BadInput(f'{process.name} ended without {{"done": true}}: {process.told()}')
        if event is None:
            process.check_status()

    def _packed(self, data: bytes) -> bytes:
        return struct.pack("<I", len(data)) + data if self._settings.framed else data


def _note(process: _Process, event: Event, notes: Notes) -> None:
    if event.decision is None and not event.text:
        return
    chunk = notes.newest if event.chunk is None else event.chunk
    if not 0 <= chunk <= notes.newest:
        raise BadInput(f"{process.name} answers chunk {event.chunk}, but {notes.newest} is the newest it was given")
    if event.decision is not None:
        notes.decided(chunk, Heard(event.decision, event.drained, event.score, notes.late_ms(chunk)))
    if event.decision == "response":
        process.replying = chunk
    if event.text and event.decision != "silent":
        if process.replying is None or process.replying > notes.newest:
            raise BadInput(f'{process.name} sends text before any {{"decision": "response"}}')
        notes.said(process.replying, event.text, emotion_of(event.emotion))
    elif event.decision == "response":
        notes.said(chunk, "", emotion_of(event.emotion))


class _Process:
    """The program, with deadlines on everything that is written to it or read from it."""

    def __init__(self, settings: CommandListener) -> None:
        self.name = repr(settings.argv[0])
        self.replying: int | None = None
        """The chunk whose reply is in progress."""
        self._settings = settings
        self.ready = False
        """It has said so."""
        self._answered = False
        self._buffer = b""
        self._ended = False
        self._home = tempfile.TemporaryDirectory(prefix="streamaudio-")
        self._log: IO[bytes] = (Path(self._home.name) / "stderr").open("w+b")
        environment = {k: os.environ[k] for k in (*ALWAYS_KEPT, *settings.keep_env) if k in os.environ}
        environment = {"HOME": self._home.name, "TMPDIR": self._home.name, "PYTHONUNBUFFERED": "1"} | environment
        try:
            self._popen = subprocess.Popen(
                settings.argv,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            self._home.cleanup()
            raise BadInput(f"program {self.name} cannot be started ({error.strerror}); correct argv") from error
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._in, self._out = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        for handle in (self._in, self._out):
            os.set_blocking(handle, False)

    def patience(self) -> float:
        """Seconds that an answer may take now."""
        return self._settings.timeout_s if self._answered else self._settings.start_timeout_s

    def send(self, data: bytes) -> None:
        """Write all of `data`, reading meanwhile what the program writes."""
        deadline_s = time.monotonic() + self.patience()
        while data:
            readable, writable = self._ready(deadline_s, write=True)
            if readable:
                self._read()
            if writable:
                try:
                    data = data[os.write(self._in, data) :]
                except BrokenPipeError:
                    raise BadInput(f"{self.name} reads no further in the middle of a stream: {self.told()}") from None

    def end_input(self) -> None:
        """Close its standard input."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()

    def waits(self, seconds: float) -> bool:
        """Whether an event, or the end, is there within `seconds`."""
        deadline_s = time.monotonic() + seconds
        while b"\n" not in self._buffer and not self._ended:
            if (left_s := deadline_s - time.monotonic()) <= 0 or not self._wait(left_s, write=False)[0]:
                return False
            self._read()
        return True

    def event(self, seconds: float) -> Event | None:
        """The next event; None where the output has ended.

        Raises:
            BadInput: nothing came in time, or a line that is no event.
        """
        while True:
            if not self.waits(seconds):
                raise BadInput(
                    f"{self.name} gave no answer within {seconds:g} s; mend it, or raise timeout_s or start_timeout_s: "
                    f"{self.told()}"
                )
            line, newline, rest = self._buffer.partition(b"\n")
            if not newline:
                return None
            self._buffer = rest
            if line.strip():
                event = self._event(line)
                self._answered = True
                self.ready |= event.ready
                return event

    def next_event(self, seconds: float) -> Event:
        """As `event`, where there must be one."""
        event = self.event(seconds)
        if event is None:
            raise BadInput(f"{self.name} ended in the middle of a stream: {self.told()}")
        return event

    def check_status(self) -> None:
        """Raises BadInput where the program ended badly."""
        try:
            status = self._popen.wait(self._settings.timeout_s)
        except subprocess.TimeoutExpired:
            raise BadInput(f"{self.name} closed its output but does not end") from None
        if status:
            raise BadInput(f"{self.name} ended with status {status}: {self.told()}")

    def told(self) -> str:
        """The end of what it wrote to standard error, in one line."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - MAX_LOG_BYTES))
        told = " ".join(self._log.read().decode("utf-8", errors="replace").split())
        return told[-TOLD_CHARACTERS:] or "it wrote nothing to standard error"

    def kill(self) -> None:
        """The program and whatever it started and left running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self.end_input()
        if self._popen.stdout is not None:
            self._popen.stdout.close()
        self._log.close()
        self._home.cleanup()

    def _event(self, line: bytes) -> Event:
        shown = line[:TOLD_CHARACTERS].decode("utf-8", errors="replace")
        try:
            return Event.model_validate(json.loads(line))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise BadInput(f"{self.name} wrote {shown!r}, which is no JSON; write one object a line") from None
        except ValidationError as error:
            raise BadInput(f"{self.name} wrote {shown!r}: {explain(error, Event)}") from None

    def _ready(self, deadline_s: float, *, write: bool) -> tuple[bool, bool]:
        left_s = deadline_s - time.monotonic()
        ready = self._wait(left_s, write=write) if left_s > 0 else (False, False)
        if not any(ready):
            raise BadInput(f"{self.name} takes no more audio; it must read its input while it writes: {self.told()}")
        return ready

    def _wait(self, seconds: float, *, write: bool) -> tuple[bool, bool]:
        with selectors.DefaultSelector() as selector:
            if not self._ended:
                selector.register(self._out, selectors.EVENT_READ)
            if write:
                selector.register(self._in, selectors.EVENT_WRITE)
            found = {key.fd for key, _ in selector.select(seconds)}
        return self._out in found, self._in in found

    def _read(self) -> None:
        data = os.read(self._out, 1 << 16)
        self._ended = not data
        self._buffer += data
        if len(self._buffer) > MAX_WAITING_BYTES:
            raise BadInput(f"{self.name} writes more than {MAX_WAITING_BYTES} bytes at a time; write one line a chunk")
