"""What is replayed: streams in jobs, and what of them should be answered.

A corpus as it is; several of its streams joined to one session (stability); recordings that nobody conditioned
(natural). Proactive-Sound-Bench is in `bench`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.annotation.responses import silent_stretches
from pipeline.config import explain
from pipeline.errors import BadInput
from pipeline.library.decode import Unreadable
from pipeline.library.decode import decode as decode_file
from pipeline.shards.reader import decode, iter_rows, read_manifest
from pipeline.timing import last_chunk, to_samples, whole_chunks
from pipeline.validation.replay.listener import Chunk
from schemas.protocol import CHUNK_SAMPLES
from schemas.provenance import Provenance
from schemas.row import Response

MAX_RECORDING_S = 6 * 3_600.0
LABEL_COLUMNS = ("id", "split", "sub_task", "language", "num_chunks", "responses", "events", "turns", "provenance_json")
NOT_LABELLED = ""
"""Text or emotion of an expected reply of which only the time is known."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A labelled reply. `first_chunk` is that in which its event begins, `event` the event's number in the stream;
    `options` and `right` are those of a multiple-choice question."""

    chunk: int
    text: str
    emotion: str
    sub_task: str
    event: int
    first_chunk: int
    options: tuple[str, ...] = ()
    right: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What a stream should be answered. `verified`: bool [num_chunks], True where silence is verified. `starts`: the
    chunks at which the streams that were joined begin."""

    id: str
    split: str
    sub_task: str
    language: str
    num_chunks: int
    expected: tuple[Expected, ...]
    verified: NDArray[np.bool_]
    starts: tuple[int, ...] = (0,)
    group: str = ""
    """Streams of one group are also scored by themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Labels and samples: float32 [num_chunks, 6400]."""

    labels: Labels
    samples: NDArray[np.float32]

    def chunks(self) -> Iterator[Chunk]:
        """One after the other."""
        yield from self.samples


@runtime_checkable
class Source(Protocol):
    """Streams in jobs; a job is what one worker does at a time. Crosses to other processes."""

    @property
    def suite(self) -> str:
        """ "" for a corpus, otherwise part of the names of results."""
        ...

    def identity(self) -> dict[str, Any]:
        """JSON values that change with what is heard."""
        ...

    def jobs(self) -> list[str]:
        """Names of the jobs, in order."""
        ...

    def count(self, job: str) -> int:
        """Streams of a job."""
        ...

    def labels(self, job: str) -> Iterator[Labels]:
        """The labels alone, in order."""
        ...

    def stream(self, job: str, first: int) -> Iterator[Stream]:
        """The streams of a job from number `first` on."""
        ...


def shards_sha256(corpus: Path) -> str:
    """What identifies a corpus to who hears it: its shards, whatever else the manifest says, such as gates."""
    shards = [(s["path"], s["sha256"]) for split in read_manifest(corpus)["splits"].values() for s in split["shards"]]
    return hashlib.sha256(json.dumps(shards).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """The rows of a corpus, a job per shard; of some splits, and the first rows of all shards, where asked."""

    corpus: Path
    splits: tuple[str, ...] = ()
    """Empty: all."""
    limit: int | None = None
    """Rows in all."""
    spread: bool = True
    """Whether every shard gives its share of them, or the first shards give them all."""

    suite = ""

    def identity(self) -> dict[str, Any]:
        selection = {"splits": list(self.splits), "limit": self.limit, "spread": self.spread}
        return {"shards_sha256": shards_sha256(self.corpus), **selection}

    def jobs(self) -> list[str]:
        return [Path(path).with_suffix("").as_posix().removeprefix("data/") for path in self._rows()]

    def count(self, job: str) -> int:
        return self._rows()[f"data/{job}.parquet"]

    def labels(self, job: str) -> Iterator[Labels]:
        rows = iter_rows(self._shard(job), columns=LABEL_COLUMNS)
        for _, record in zip(range(self.count(job)), rows, strict=False):
            yield row_labels(record)

    def stream(self, job: str, first: int) -> Iterator[Stream]:
        rows = iter_rows(self._shard(job), columns=(*LABEL_COLUMNS, "audio"))
        for number, record in zip(range(self.count(job)), rows, strict=False):
            if number >= first:
                labels = row_labels(record)
                yield Stream(labels, decode(record["audio"]["bytes"]).reshape(labels.num_chunks, CHUNK_SAMPLES))

    def _shard(self, job: str) -> Path:
        return self.corpus / f"data/{job}.parquet"

    def _rows(self) -> dict[str, int]:
        """Rows to be heard, per shard."""
        splits = read_manifest(self.corpus)["splits"]
        unknown = sorted(set(self.splits) - set(splits))
        if unknown:
            raise BadInput(f"{str(self.corpus)!r} has no split {unknown[0]!r}; it has {', '.join(splits)}")
        shards = {
            s["path"]: s["rows"] for n, split in splits.items() if n in (self.splits or splits) for s in split["shards"]
        }
        if self.limit is None:
            return shards
        return _shared_out(shards, self.limit) if self.spread else _from_the_first(shards, self.limit)


def _shared_out(shards: Mapping[str, int], limit: int) -> dict[str, int]:
    """At most `limit` rows, as evenly over the shards as they have them."""
    taken, left = dict.fromkeys(shards, 0), limit
    while left > 0 and (open_shards := [path for path in shards if taken[path] < shards[path]]):
        for path in open_shards[:left]:
            taken[path] += 1
        left -= len(open_shards[:left])
    return {path: rows for path, rows in taken.items() if rows}


def _from_the_first(shards: Mapping[str, int], limit: int) -> dict[str, int]:
    taken = {}
    for path, rows in shards.items():
        if (left := limit - sum(taken.values())) > 0:
            taken[path] = min(rows, left)
    return taken


def row_labels(record: Mapping[str, Any]) -> Labels:
    """The labels of a stored row."""
    events, responses = record["events"], record["responses"]
    answers = {answer.event: answer for answer in Provenance.model_validate_json(record["provenance_json"]).answers}
    intervals = [(e["start_sample"], e["end_sample"], e["decision"]) for e in events]
    stored = [Response.model_validate(response) for response in responses]
    expected = []
    for response in stored:
        answer = answers.get(response.event)
        expected.append(
            Expected(
                chunk=response.chunk,
                text=response.text,
                emotion=response.emotion,
                sub_task=response.sub_task,
                event=response.event,
                first_chunk=events[response.event]["start_sample"] // CHUNK_SAMPLES,
                options=() if answer is None else answer.options,
                right=None if answer is None else answer.right_option,
            )
        )
    return Labels(
        id=record["id"],
        split=record["split"],
        sub_task=record["sub_task"],
        language=record["language"],
        num_chunks=record["num_chunks"],
        expected=tuple(expected),
        verified=silent_stretches(intervals, stored, record["num_chunks"]),
    )


# -- several streams as one session -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StabilitySource:
    """Sessions of 1 to `most` streams of a shard, joined as they are: the same streams, again and again."""

    corpus: CorpusSource
    most: int = 5

    suite = "stability"

    def identity(self) -> dict[str, Any]:
        return {**self.corpus.identity(), "most": self.most}

    def jobs(self) -> list[str]:
        return self.corpus.jobs()

    def count(self, job: str) -> int:
        return len(self._sessions(job))

    def labels(self, job: str) -> Iterator[Labels]:
        rows = list(self.corpus.labels(job))
        for first, length in self._sessions(job):
            yield joined(rows[first : first + length])

    def stream(self, job: str, first: int) -> Iterator[Stream]:
        sessions = self._sessions(job)[first:]
        for length in sorted({length for _, length in sessions}):
            starts = [start for start, k in sessions if k == length]
            rows = self.corpus.stream(job, starts[0])
            for _ in starts:
                parts = [next(rows) for _ in range(length)]
                yield Stream(joined([p.labels for p in parts]), np.concatenate([p.samples for p in parts]))

    def _sessions(self, job: str) -> list[tuple[int, int]]:
        """(first row, streams) per session. A length that a shard cannot give is left out."""
        rows = self.corpus.count(job)
        return [(first, k) for k in range(1, self.most + 1) for first in range(0, rows - k + 1, k)]


def joined(parts: Sequence[Labels]) -> Labels:
    """The labels of streams that follow one another without a pause."""
    starts = np.concatenate([[0], np.cumsum([part.num_chunks for part in parts])]).tolist()
    expected = [
        replace(e, chunk=e.chunk + start, first_chunk=e.first_chunk + start, event=e.event + 10_000 * number)
        for number, (part, start) in enumerate(zip(parts, starts, strict=False))
        for e in part.expected
    ]
    return Labels(
        id="+".join(part.id for part in parts),
        split=parts[0].split,
        sub_task=parts[0].sub_task if len({part.sub_task for part in parts}) == 1 else "mixed",
        language=parts[0].language,
        num_chunks=starts[-1],
        expected=tuple(expected),
        verified=np.concatenate([part.verified for part in parts]),
        starts=tuple(starts[:-1]),
        group=f"{len(parts)} streams",
    )


# -- recordings that nobody conditioned -------------------------------------------------------------


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NaturalResponse(_Frozen):
    """A reply that a person expects at a time of the recording."""

    at_s: Annotated[float, Field(ge=0)]
    """When what is answered ends."""
    text: str = NOT_LABELLED
    emotion: str = NOT_LABELLED
    sub_task: str = "unknown"
    start_s: Annotated[float, Field(ge=0)] | None = None
    """When it begins; None: at its end."""


class NaturalRecording(_Frozen):
    """One line of the labels file."""

    path: Annotated[str, Field(min_length=1)]
    responses: tuple[NaturalResponse, ...] = ()
    silent: tuple[tuple[float, float], ...] = ()
    """Intervals in seconds in which any reply is wrong."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class NaturalSource:
    """Recordings of a folder and a JSON-lines file of what should be answered in them."""

    audio: Path
    labels_file: Path

    suite = "natural"

    def identity(self) -> dict[str, Any]:
        names = sorted({recording.path for recording in self._recordings()})
        sizes = {name: self._file(name).stat().st_size for name in names}
        return {"labels_sha256": hashlib.sha256(self.labels_file.read_bytes()).hexdigest(), "bytes": sizes}

    def jobs(self) -> list[str]:
        return ["natural"]

    def count(self, job: str) -> int:
        return len(self._recordings())

    def labels(self, job: str) -> Iterator[Labels]:
        for stream in self.stream(job, 0):
            yield stream.labels

    def stream(self, job: str, first: int) -> Iterator[Stream]:
        for recording in self._recordings()[first:]:
            samples = read_recording(self._file(recording.path))
            yield Stream(_natural_labels(recording, len(samples)), samples)

    def _file(self, name: str) -> Path:
        return inside(self.audio, name)

    def _recordings(self) -> list[NaturalRecording]:
        recordings = []
        for number, line in lines_of(self.labels_file):
            try:
                recordings.append(NaturalRecording.model_validate(line))
            except ValidationError as error:
                where = f"{str(self.labels_file)!r} line {number}"
                raise BadInput(f"{where}: {explain(error, NaturalRecording)}") from error
        if not recordings:
            raise BadInput(f"{str(self.labels_file)!r} names no recording; give one JSON object a line")
        return recordings


def _natural_labels(recording: NaturalRecording, chunks: int) -> Labels:
    expected, verified = [], np.zeros(chunks, bool)
    for number, response in enumerate(recording.responses):
        chunk = last_chunk(max(1, to_samples(response.at_s)))
        start_s = response.at_s if response.start_s is None else response.start_s
        if chunk >= chunks or start_s > response.at_s:
            raise BadInput(
                f"{recording.path!r}: a reply at {response.at_s:g} s; the recording ends at {chunks * 0.4:g} s"
            )
        first = min(chunk, to_samples(start_s) // CHUNK_SAMPLES)
        expected.append(Expected(chunk, response.text, response.emotion, response.sub_task, number, first))
    for start_s, end_s in recording.silent:
        if not 0 <= start_s < end_s:
            raise BadInput(f"{recording.path!r}: silent from {start_s:g} to {end_s:g} s is no interval")
        verified[to_samples(start_s) // CHUNK_SAMPLES : last_chunk(max(1, to_samples(end_s))) + 1] = True
    expected.sort(key=lambda e: e.chunk)
    return Labels(recording.path, "natural", "natural", recording.language, chunks, tuple(expected), verified)


def inside(folder: Path, name: str) -> Path:
    """A file of a folder that a list names. Raises BadInput where it is not there, or elsewhere."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise BadInput(f"{name!r} is no file in {str(folder)!r}; give the folder that its paths are relative to")
    return path


def read_recording(path: Path) -> NDArray[np.float32]:
    """A sound file in whole chunks: float32 [chunks, 6400], padded with zeros."""
    try:
        samples = decode_file(path, max_clip_s=MAX_RECORDING_S).samples
    except Unreadable as error:
        raise BadInput(f"recording {str(path)!r} {error}") from error
    padded = np.zeros(max(CHUNK_SAMPLES, whole_chunks(len(samples))), np.float32)
    padded[: len(samples)] = samples
    return padded.reshape(-1, CHUNK_SAMPLES)


def lines_of(file: Path) -> Iterator[tuple[int, Any]]:
    """(number from 1, value) of every line of a JSON-lines file that is not blank."""
    if not file.is_file():
        raise BadInput(f"labels file {str(file)!r} is not there")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise BadInput(
                f"{str(file)!r} line {number} {line[:60]!r} is no JSON ({error}); write one object a line"
            ) from error
