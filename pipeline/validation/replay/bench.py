"""Proactive-Sound-Bench as a suite: single events, and events of one category after one another. Never used to build.

The published manifest has rows of id, path, description and decision (RESPOND or IGNORE), and single events only. Here
the second tier is built so: the events of a category (column `category`, otherwise the folder of `path`) are put in an
order by a seed and joined in twos, the last of an odd number as a third; every event begins on a chunk, nothing else is
between them; RESPOND is right where it is for any of them. After the last event there are 1.2 s of digital silence, in
which a listener that answers late can still do so.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.config import explain
from pipeline.errors import BadInput
from pipeline.seeds import rng
from pipeline.validation.metrics import Counts, Judged, ratio
from pipeline.validation.replay.streams import NOT_LABELLED, Expected, Labels, Stream, inside, lines_of, read_recording
from schemas.protocol import CHUNK_SAMPLES

SUITE: Final = "proactive-sound-bench"
TAIL_CHUNKS: Final = 3
TIERS: Final = ("single", "multiple")

Rerank = Callable[[str, str], float]
"""How well a reply fits the description of what was heard."""


class Item(BaseModel):
    """A row of the manifest; further columns are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: Annotated[str, Field(min_length=1)]
    path: Annotated[str, Field(min_length=1)]
    description: str = ""
    decision: Annotated[
        Literal["RESPOND", "IGNORE"],
        BeforeValidator(lambda said: said.strip().upper() if isinstance(said, str) else said),
    ]
    category: str = ""

    @property
    def group(self) -> str:
        """The category, or the folder of its path."""
        return self.category or Path(self.path).parent.as_posix()


@dataclass(frozen=True, slots=True)
class BenchSource:
    """A job per tier."""

    audio: Path
    manifest: Path
    seed: int = 0

    suite = SUITE

    def identity(self) -> dict[str, Any]:
        return {"manifest_sha256": hashlib.sha256(self.manifest.read_bytes()).hexdigest(), "seed": self.seed}

    def jobs(self) -> list[str]:
        return [tier for tier in TIERS if self.count(tier)]

    def count(self, job: str) -> int:
        return len(self.groups(job))

    def labels(self, job: str) -> Iterator[Labels]:
        for stream in self.stream(job, 0):
            yield stream.labels

    def stream(self, job: str, first: int) -> Iterator[Stream]:
        for items in self.groups(job)[first:]:
            sounds = [read_recording(inside(self.audio, item.path)) for item in items]
            tail = np.zeros((TAIL_CHUNKS, CHUNK_SAMPLES), np.float32)
            yield Stream(_labels(items, [len(sound) for sound in sounds], job), np.concatenate([*sounds, tail]))

    def groups(self, tier: str) -> list[tuple[Item, ...]]:
        """The events of every stream of a tier."""
        items = read_manifest(self.manifest)
        if tier == "single":
            return [(item,) for item in items]
        categories: dict[str, list[Item]] = {}
        for item in items:
            categories.setdefault(item.group, []).append(item)
        return [group for name, members in sorted(categories.items()) for group in _joined(members, name, self.seed)]

    def descriptions(self) -> dict[str, str]:
        """What is heard in each stream, by its id."""
        groups = [group for tier in TIERS for group in self.groups(tier)]
        return {_id(group): ", then ".join(item.description for item in group) for group in groups}


def read_manifest(path: Path) -> list[Item]:
    """The items of a manifest: a JSON list, JSON lines, or CSV with a header.

    Raises:
        BadInput: it is not there, or a row is no item; ids that occur twice.
    """
    if not path.is_file():
        raise BadInput(f"manifest {str(path)!r} is not there; give the benchmark's list of id, path and decision")
    items = []
    for number, row in _rows(path):
        try:
            items.append(Item.model_validate(row))
        except ValidationError as error:
            raise BadInput(f"{str(path)!r} row {number}: {explain(error, Item)}") from error
    ids = [item.id for item in items]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise BadInput(f"{str(path)!r} has id {twice[0]!r} more than once; ids must differ")
    return items


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from enumerate(csv.DictReader(file), start=1)
        return
    if path.suffix.lower() != ".json":
        yield from lines_of(path)
        return
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is no JSON ({error})") from error
    if not isinstance(rows, list):
        raise BadInput(f"{str(path)!r} holds {type(rows).__name__}; it must be a list of items")
    yield from enumerate(rows, start=1)


def _joined(members: Sequence[Item], name: str, seed: int) -> Iterator[tuple[Item, ...]]:
    if len(members) < 2:
        return
    order = rng(seed, name, SUITE).permutation(len(members))
    shuffled = [members[i] for i in order]
    last = len(shuffled) - 2 - len(shuffled) % 2
    for start in range(0, last + 1, 2):
        yield tuple(shuffled[start:] if start == last else shuffled[start : start + 2])


def _id(items: Sequence[Item]) -> str:
    return "+".join(item.id for item in items)


def _labels(items: Sequence[Item], chunks: Sequence[int], tier: str) -> Labels:
    ends = np.cumsum(chunks).tolist()
    verified, expected = np.zeros(ends[-1] + TAIL_CHUNKS, bool), []
    for number, (item, length, end) in enumerate(zip(items, chunks, ends, strict=True)):
        if item.decision == "RESPOND":
            first = end - length
            expected.append(Expected(end - 1, NOT_LABELLED, NOT_LABELLED, "proactive", number, first))
        else:
            verified[end - length : end] = True
    return Labels(_id(items), "test", items[0].group, "en", len(verified), tuple(expected), verified, group=tier)


def bench_scores(
    streams: Sequence[Judged],
    *,
    seed: int = 0,
    rerank: Rerank | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Per tier: accuracy of the decision of a whole stream (any reply is RESPOND), what the errors are, accuracy per
    category, and what the reranker thinks of the replies where RESPOND was right."""
    tiers = {}
    for tier in TIERS:
        of_tier = [judged for judged in streams if judged.labels.group == tier]
        if not of_tier:
            continue
        counts, by_category = Counts(seed), dict[str, Counts]()
        for judged in of_tier:
            row = _decided(judged)
            counts.rows.append(row)
            by_category.setdefault(judged.labels.sub_task, Counts(seed)).rows.append(row)
        tiers[tier] = {
            "accuracy": counts.figure(["right", "all"], ratio),
            "recall": counts.figure(["answered", "respond"], ratio),
            "false_alarms": counts.figure(["alarms", "ignore"], ratio),
            "errors_that_are_false_alarms": counts.figure(["alarms", "wrong"], ratio),
            "by_category": {name: found.figure(["right", "all"], ratio) for name, found in sorted(by_category.items())},
        }
        if rerank is not None:
            tiers[tier]["reranked"] = _reranked(of_tier, rerank, descriptions or {}, seed)
    return {"tiers": tiers, "multiple": " ".join((__doc__ or "").split("Here\n", 1)[-1].split())}


def _decided(judged: Judged) -> dict[str, float]:
    respond, replied = bool(judged.labels.expected), bool(judged.outcome.replies)
    return {
        "all": 1,
        "right": respond == replied,
        "wrong": respond != replied,
        "respond": respond,
        "answered": respond and replied,
        "ignore": not respond,
        "alarms": replied and not respond,
    }


def _reranked(streams: Sequence[Judged], rerank: Rerank, descriptions: Mapping[str, str], seed: int) -> Any:
    counts = Counts(seed)
    for judged in streams:
        if judged.labels.expected and judged.outcome.replies:
            fits = rerank(descriptions.get(judged.labels.id, ""), _said(judged))
            counts.rows.append({"fit": fits, "replies": 1})
    return counts.figure(["fit", "replies"], ratio)


def _said(judged: Judged) -> str:
    return " ".join(reply.text for reply in judged.outcome.replies)


def outputs(streams: Sequence[Judged]) -> Iterator[dict[str, str]]:
    """What was decided about each stream, in the benchmark's own form."""
    for judged in streams:
        if judged.outcome.replies:
            output = f"<Decision>RESPOND</Decision><Reply>{_said(judged)}</Reply>"
        else:
            output = "<Decision>IGNORE</Decision>"
        right = "RESPOND" if judged.labels.expected else "IGNORE"
        yield {"id": judged.labels.id, "tier": judged.labels.group, "decision": right, "output": output}
