"""A stream as the probe is taught or examined with it, from a scene or from a corpus' row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.shards.reader import decode, iter_rows, read_manifest
from pipeline.streaming.probe import CRITERIA, FAMILIES, features_of
from pipeline.timing import last_chunk
from schemas.protocol import CHUNK_SAMPLES
from schemas.taxonomy import CRITERION_OF_TASK

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


def of_record(record: Mapping[str, Any], *, answers: Sequence[str] = RESPOND) -> Example:
    """A row of a corpus with COLUMNS. With `answers` "respond" every reply is one; else by its sub-task's criterion."""

    def answer(sub_task: str) -> str:
        return "respond" if tuple(answers) == RESPOND else CRITERION_OF_TASK[sub_task]

    labels = [Label(r["chunk"], answer(r["sub_task"]), r["sub_task"]) for r in record["responses"]]
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


def of_corpus(
    corpus: Path, splits: Sequence[str] | None = None, *, answers: Sequence[str] = RESPOND
) -> Iterator[Example]:
    """Every row of a corpus, or of some of its splits.

    Raises:
        BadInput: no finished corpus.
    """
    for split, listed in read_manifest(corpus)["splits"].items():
        if splits is None or split in splits:
            for shard in listed["shards"]:
                for record in iter_rows(corpus / shard["path"], columns=COLUMNS):
                    yield of_record(record, answers=answers)


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
