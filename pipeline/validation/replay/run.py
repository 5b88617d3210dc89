"""One replay: who listens, to which jobs, and the results. `flows/replay.py` runs the jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from pipeline.errors import BadInput
from pipeline.validation.metrics import Judged
from pipeline.validation.replay.bench import SUITE as BENCH
from pipeline.validation.replay.listener import Listener
from pipeline.validation.replay.store import FORMAT, ReplayFolder, outcomes
from pipeline.validation.replay.streams import Source
from prompts import load
from schemas.listeners import (
    NOT_IDENTITY,
    ChatListener,
    CommandListener,
    ListenerSettings,
    ProbeListener,
    RealtimeListener,
    SessionListener,
)

STREAMS_PER_PART: Final = 16
"""What a killed replay hears again at most, per worker."""
MAX_HASHED_BYTES: Final = 64 << 20
"""Arguments of a program that name a file up to this size are part of its identity."""


def make_listener(settings: ListenerSettings, suite: str = "") -> Listener:
    """The listener of a suite, not opened yet; what it needs is imported here."""
    match settings:
        case ProbeListener():
            from pipeline.validation.replay.probe import ProbeReplay

            return ProbeReplay(settings)
        case SessionListener():
            from pipeline.validation.replay.session import SessionReplay

            return SessionReplay(settings)
        case CommandListener():
            from pipeline.validation.replay.command import CommandReplay

            return CommandReplay(settings)
        case RealtimeListener():
            from pipeline.validation.replay.realtime import RealtimeReplay

            return RealtimeReplay(settings)
        case ChatListener():
            from pipeline.validation.replay.chat import ChatBench, ChatReplay

            return ChatBench(settings) if suite == BENCH else ChatReplay(settings)


def listener_identity(settings: ListenerSettings) -> dict[str, Any]:
    """JSON values that change with what the listener may answer: settings, weights, programs, prompts."""
    facts = settings.model_dump(mode="json", exclude=set(NOT_IDENTITY))
    match settings:
        case ProbeListener():
            bundled = Path(str(resources.files("pipeline.streaming"))) / "probe.safetensors"
            facts["weights_sha256"] = _sha256(bundled if settings.weights is None else Path(settings.weights))
        case SessionListener():
            from pipeline.streaming.checkpoint import find

            files = sorted(path for path in find(settings.checkpoint).rglob("*") if path.is_file())
            facts["checkpoint"] = {path.name: _sha256(path) for path in files if path.suffix != ".md"}
        case CommandListener():
            named = [Path(argument) for argument in settings.argv[1:] if Path(argument).is_file()]
            facts["files"] = {str(p): _sha256(p) for p in named if p.stat().st_size <= MAX_HASHED_BYTES}
        case RealtimeListener() | ChatListener():
            facts["prompts_sha256"] = [load(name).sha256 for name in ("stream_listener", "proactive_bench")]
    return facts


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise BadInput(f"{str(path)!r} is not there; give the path of the weights")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Replay:
    """Who listens to what; crosses to other processes."""

    source: Source
    settings: ListenerSettings
    corpus: Path
    """Beside which the results lie."""

    @property
    def folder(self) -> ReplayFolder:
        """Where the results go."""
        name = self.settings.name or self.settings.kind
        return ReplayFolder(self.corpus, f"{name}.{self.source.suite}" if self.source.suite else name)

    def identity(self) -> dict[str, Any]:
        """What a resume must share with the replay that it goes on with."""
        builder = metadata.version("streamaudio-builder")
        heard = {"suite": self.source.suite, **self.source.identity()}
        return {"format": FORMAT, "listener": listener_identity(self.settings), "heard": heard, "builder": builder}

    def parts(self) -> list[tuple[str, int]]:
        """(job, part) of everything there is to hear, in order."""
        jobs = self.source.jobs()
        return [(job, part) for job in jobs for part in range(-(-self.source.count(job) // STREAMS_PER_PART))]

    def streams(self) -> int:
        """Streams in all."""
        return sum(self.source.count(job) for job in self.source.jobs())

    def judged(self) -> Iterator[Judged]:
        """Labels beside the stored results, in order.

        Raises:
            BadInput: the results are of other streams.
        """
        labels = (labels for job in self.source.jobs() for labels in self.source.labels(job))
        for of_stream, (id_, outcome) in zip(labels, outcomes(self.folder.results), strict=True):
            if of_stream.id != id_:
                raise BadInput(f"{str(self.folder.results)!r} has {id_!r} where {of_stream.id!r} is due; pass --fresh")
            yield Judged(of_stream, outcome)


def replay_job(
    replay: Replay, job: str, *, listener: Listener | None = None, on_stream: Callable[[], None] = lambda: None
) -> None:
    """Let a listener hear what of a job is not there yet; a part is written when its streams were heard.

    Args:
        listener: instead of the one that the settings describe.
        on_stream: called after every stream.
    """
    source, folder = replay.source, replay.folder
    count = source.count(job)
    missing = [part for part in range(-(-count // STREAMS_PER_PART)) if not folder.has(job, part)]
    if not missing:
        return
    listener = listener or make_listener(replay.settings, source.suite)
    first, heard = missing[0] * STREAMS_PER_PART, list[Judged]()
    listener.open()
    try:
        for number, stream in enumerate(source.stream(job, first), start=first):
            part = number // STREAMS_PER_PART
            if part not in missing:
                continue
            heard.append(Judged(stream.labels, listener.listen(stream.chunks())))
            on_stream()
            if len(heard) == min(STREAMS_PER_PART, count - part * STREAMS_PER_PART):
                folder.write(job, part, heard)
                heard = []
    finally:
        listener.close()
