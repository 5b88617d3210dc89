"""Results on disk: CORPUS/replay/NAME.parquet and NAME.json once all was heard, parts in CORPUS/.state/replay before.

NAME is the listener's; results of a suite are NAME.SUITE.parquet. A part holds a few streams of one job and appears
whole or not at all. Everything of one name has one identity: who listened, to what, and with which settings.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadInput, StaleIdentity
from pipeline.shards.writer import sync_folder, write_atomically
from pipeline.validation.metrics import Judged, agree, false_replies
from pipeline.validation.replay.listener import Heard, Outcome, Reply
from pipeline.validation.replay.streams import Labels

FORMAT: Final = 1
SHOWN_TOLERANCE: Final = 1
"""Chunks of tolerance of the columns that say what agreed."""
_HEARD = pa.struct(
    [("decision", pa.string()), ("drained", pa.bool_()), ("score", pa.float32()), ("latency_ms", pa.float32())]
)
_REPLY = pa.struct([("chunk", pa.int32()), ("text", pa.string()), ("emotion", pa.string()), ("cut", pa.bool_())])
SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("job", pa.string()),
        ("group", pa.string()),
        ("sub_task", pa.string()),
        ("language", pa.string()),
        ("num_chunks", pa.int32()),
        ("chunks", pa.list_(_HEARD)),
        ("replies", pa.list_(_REPLY)),
        ("stalls", pa.int32()),
        ("invalid", pa.int32()),
        ("ended", pa.string()),
        ("hits", pa.int32()),
        ("missed", pa.list_(pa.int32())),
        ("extra", pa.list_(pa.int32())),
        ("false", pa.list_(pa.int32())),
    ]
)
"""One row per stream, in the order of the corpus. `chunks` has an entry per chunk that was heard; `replies` one per
chunk decided "response". With a tolerance of 1 chunk: `hits` labels that were answered, `missed` numbers of
responses of the row that were not (drained ones apart), `extra` numbers of replies that answer no label, `false`
those of them that break a verified silence."""


@dataclass(frozen=True, slots=True)
class ReplayFolder:
    """Where the results of one name are."""

    corpus: Path
    name: str

    @property
    def results(self) -> Path:
        """The finished replay."""
        return self.corpus / "replay" / f"{self.name}.parquet"

    @property
    def scores(self) -> Path:
        """Its figures."""
        return self.corpus / "replay" / f"{self.name}.json"

    @property
    def _parts(self) -> Path:
        return self.corpus / ".state" / "replay" / self.name

    def claim(self, identity: Mapping[str, Any], *, fresh: bool = False) -> bool:
        """Go on with, or begin, a replay of this identity; whether it is finished already.

        Args:
            fresh: throw away what is there.

        Raises:
            StaleIdentity: what is there is of another listener, corpus or setting.
        """
        if fresh:
            self.results.unlink(missing_ok=True)
            self.scores.unlink(missing_ok=True)
            shutil.rmtree(self._parts, ignore_errors=True)
        before = self._identity()
        if before is not None and before != identity:
            key = next(k for k in sorted({*before, *identity}) if before.get(k) != identity.get(k))
            raise StaleIdentity(
                f"replay {self.name!r} in {str(self.corpus)!r} is of {key} {_short(before.get(key))}, this one of "
                f"{_short(identity.get(key))}; pass --fresh to replace it, or another --name"
            )
        if self.results.is_file():
            return True
        write_atomically(self._parts / "identity.json", _json(identity))
        return False

    def _identity(self) -> dict[str, Any] | None:
        if self.results.is_file():
            try:
                metadata = pq.read_schema(self.results).metadata or {}
                return json.loads(metadata[b"replay"])
            except (pa.ArrowException, OSError, KeyError, ValueError) as error:
                raise BadInput(f"{str(self.results)!r} is no replay ({error}); delete it") from error
        begun = self._parts / "identity.json"
        return json.loads(begun.read_bytes()) if begun.is_file() else None

    def has(self, job: str, part: int) -> bool:
        """Whether a part is there."""
        return self._part(job, part).is_file()

    def write(self, job: str, part: int, heard: Sequence[Judged]) -> None:
        """Write a part."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist([_record(judged, job) for judged in heard], schema=SCHEMA), sink)
        write_atomically(self._part(job, part), sink.getvalue().to_pybytes())

    def done(self) -> int:
        """Streams in the parts that are there."""
        return sum(pq.read_metadata(path).num_rows for path in self._parts.rglob("*.parquet"))

    def finish(self, parts: Sequence[tuple[str, int]], identity: Mapping[str, Any]) -> None:
        """Join all parts, in this order, to the result, and clear them away."""
        schema = SCHEMA.with_metadata({"replay": _json(identity).decode()})
        whole = self._parts / "whole.tmp"
        with pq.ParquetWriter(whole, schema, compression="zstd") as writer:
            for job, part in parts:
                writer.write_table(pq.read_table(self._part(job, part)).cast(schema))
        with whole.open("rb") as file:
            os.fsync(file.fileno())
        self.results.parent.mkdir(exist_ok=True)
        whole.replace(self.results)
        sync_folder(self.results.parent)
        shutil.rmtree(self._parts)

    def _part(self, job: str, part: int) -> Path:
        return self._parts / f"{job.replace('/', '--')}.{part:05d}.parquet"


def outcomes(results: Path) -> Iterator[tuple[str, Outcome]]:
    """(id, outcome) of every stream of a finished replay, in order.

    Whoever judges a replay holds all of its chunks: they come without their scores, which no figure needs, and with
    latencies to 0.01 ms, so that most of them are one and the same object.
    """
    with pq.ParquetFile(results) as file:
        for batch in file.iter_batches(batch_size=64):
            for row in batch.to_pylist():
                heard = tuple(_heard(c["decision"], c["drained"], c["latency_ms"]) for c in row["chunks"])
                replies = tuple(Reply(**reply) for reply in row["replies"])
                yield row["id"], Outcome(heard, replies, row["stalls"], row["invalid"], row["ended"])


def _heard(decision: Literal["silent", "response"], drained: bool, latency_ms: float | None) -> Heard:
    return _shared(decision, drained, None if latency_ms is None else round(latency_ms, 2))


@lru_cache(maxsize=1 << 14)
def _shared(decision: Literal["silent", "response"], drained: bool, latency_ms: float | None) -> Heard:
    return Heard(decision, drained, latency_ms=latency_ms)


def _record(judged: Judged, job: str) -> dict[str, Any]:
    labels, outcome = judged.labels, judged.outcome
    found = agree(judged, SHOWN_TOLERANCE)
    return {
        **_of(labels),
        "job": job,
        "chunks": [asdict(heard) for heard in outcome.chunks],
        "replies": [asdict(reply) for reply in outcome.replies],
        "stalls": outcome.stalls,
        "invalid": outcome.invalid,
        "ended": outcome.ended,
        "hits": len(found.pairs),
        "missed": list(found.missed),
        "extra": list(found.extra),
        "false": list(false_replies(judged)),
    }


def _of(labels: Labels) -> dict[str, Any]:
    return {name: getattr(labels, name) for name in ("id", "split", "group", "sub_task", "language", "num_chunks")}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def _short(value: Any) -> str:
    shown = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return shown if len(shown) <= 120 else f"{shown[:117]}..."
