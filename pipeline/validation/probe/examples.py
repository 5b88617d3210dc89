"""A stream as the probe is taught or examined with it, from a scene or from a corpus' row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths
from pipeline.streaming.probe import CRITERIA, FAMILIES, features_of
from pipeline.timing import last_chunk
from schemas.protocol import CHUNK_SAMPLES

RESPOND = ("respond",)
"""The answers of a probe that is trained on a corpus: it only learns when, not why."""
COLUMNS = ("id", "sub_task", "audio", "num_chunks", "events", "responses")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A sound that was judged: the chunks from its start to its end, both included, and what it deserves."""

    first_chunk: int
    last_chunk: int
    answer: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Label:
    """A reply: its chunk, which answer it is, and the sub-task it is for."""

    chunk: int
    answer: str
    sub_task: str


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One stream: features float16 [20 * chunks, 64], its labels, and per chunk what sounds (-1 where unknown)."""

    name: str
    sub_task: str
    features: Tensor
    labels: tuple[Label, ...]
    occasions: tuple[Occasion, ...]
    families: np.ndarray

    @property
    def chunks(self) -> int:
        """Length of the stream."""
        return len(self.families)


def example(
    name: str,
    sub_task: str,
    samples: np.ndarray,
    labels: Sequence[Label],
    occasions: Sequence[Occasion],
    families: np.ndarray | None = None,
) -> Example:
    """From float32 samples, 16 kHz mono, of whole chunks."""
    unknown = np.full(len(samples) // CHUNK_SAMPLES, -1, np.int64)
    heard = unknown if families is None else families
    return Example(name, sub_task, features_of(samples).to(torch.float16), tuple(labels), tuple(occasions), heard)


def of_record(record: Mapping[str, Any]) -> Example:
    """A row of a corpus with COLUMNS; every reply of it is RESPOND's."""
    labels = [Label(r["chunk"], "respond", r["sub_task"]) for r in record["responses"]]
    first_reply = {r["event"]: label for r, label in zip(reversed(record["responses"]), reversed(labels), strict=True)}
    occasions = [
        Occasion(
            event["start_sample"] // CHUNK_SAMPLES,
            first_reply[i].chunk if i in first_reply else last_chunk(event["end_sample"]),
            first_reply[i].answer if i in first_reply else None,
            event["name"],
        )
        for i, event in enumerate(record["events"])
        if event["decision"] in ("respond", "silent")
    ]
    return example(record["id"], record["sub_task"], decode(record["audio"]["bytes"]), labels, occasions)


def records(corpus: Path) -> Iterator[dict[str, Any]]:
    """Every row of a corpus, for `of_record`.

    Raises:
        BadInput: no finished corpus.
    """
    for shard in shard_paths(read_manifest(corpus)):
        yield from iter_rows(corpus / shard, columns=COLUMNS)


def family(answer: str | None, kind: str, domain: str) -> int:
    """Index into FAMILIES of a sound: why it is answered, else its kind, else its domain."""
    if answer in CRITERIA:
        return FAMILIES.index(answer)
    if kind in ("speech", "music"):
        return FAMILIES.index(kind)
    return FAMILIES.index(_DOMAINS[domain])


_DOMAINS = {
    "human": "people",
    "daily_living": "home",
    "equipment": "machines",
    "traffic": "traffic",
    "nature": "nature",
    "ambience": "place",
    "music": "music",
}
