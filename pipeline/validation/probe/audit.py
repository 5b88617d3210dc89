"""Which labels of a corpus are doubtful: a probe is trained on part of it and contradicts another part.

Confident learning (Northcutt, Jiang and Chuang 2021): whoever predicts a label has never seen it, and a label is
doubtful where the prediction is further on the other side than it is for labels of its class on average. A class here
is a sub-task, and whether it is answered or not, so that a sub-task the probe cannot follow (it understands no
instruction) accuses nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from pipeline.errors import BadInput
from pipeline.seeds import rng
from pipeline.shards.reader import read_manifest
from pipeline.streaming.probe import Heard, Probe, load_probe
from pipeline.validation.probe.examples import RESPOND, Example, of_record, records
from pipeline.validation.probe.training import train
from schemas.probe import ProbeTraining

FOLDS = 5
MAX_TAUGHT = 750
"""Streams that probes are trained on at most; more would cost time and change little."""
TRAINING = ProbeTraining(epochs=4, batch=8, rate=1e-3)
NEAR_CHUNKS = 2
"""A reply may be heard so much earlier or later than its label."""
CONFIDENT = 0.6
"""A label is contradicted where it has so much less support than labels of its class usually have."""
Doubt = Literal["unexpected", "missing"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Doubted:
    """The label of a row that is most in doubt.

    `score` is how far the prediction lies beyond what is usual for labels of its class, in [-1, 1]. `unexpected`: a
    reply where nothing is heard that deserves one; `missing`: none where one is due.
    """

    row: str
    score: float
    doubt: Doubt
    chunk: int
    sub_task: str

    @property
    def contradicted(self) -> bool:
        """Whether the prediction contradicts the label confidently."""
        return self.score >= CONFIDENT


@dataclass(frozen=True, slots=True)
class _Claim:
    """One label and how strongly the probe supports it, in [0, 1]."""

    kind: Doubt
    chunk: int
    sub_task: str
    support: float


def audit_corpus(
    corpus: Path, *, seed: int = 0, on_progress: Callable[[str, int, int], None] = lambda what, done, total: None
) -> list[Doubted]:
    """Every row of a corpus, the most doubtful first; in memory are the rows that are taught, and one more.

    Raises:
        BadInput: no finished corpus, or one of fewer rows than folds.
    """
    count = sum(shard["rows"] for split in read_manifest(corpus)["splits"].values() for shard in split["shards"])
    return _audit(count, lambda: records(corpus), of_record, load_probe(), TRAINING, seed, on_progress)


def audit_examples(
    examples: Sequence[Example], *, begin: Probe, params: ProbeTraining = TRAINING, seed: int = 0
) -> list[Doubted]:
    """As `audit_corpus`; `begin` are the ears that every fold starts from."""
    return _audit(len(examples), lambda: examples, lambda known: known, begin, params, seed, lambda *_: None)


def _audit(
    count: int,
    rows: Callable[[], Iterable[T]],
    to_example: Callable[[T], Example],
    begin: Probe,
    params: ProbeTraining,
    seed: int,
    on_progress: Callable[[str, int, int], None],
) -> list[Doubted]:
    if count < FOLDS:
        raise BadInput(f"{count} rows are too few to audit; it takes {FOLDS} at least")
    draw = rng(seed, 0, "probe folds")
    folds = np.arange(count) % FOLDS
    draw.shuffle(folds)
    chosen = set(draw.permutation(count)[:MAX_TAUGHT].tolist())
    taught: dict[int, Example] = {}
    for i, row in enumerate(rows()):
        if i in chosen:
            taught[i] = to_example(row)
            on_progress("read", len(taught), len(chosen))
    probes: list[Probe] = []
    for fold in range(FOLDS):
        probes.append(
            train(
                [example for i, example in taught.items() if folds[i] != fold],
                answers=RESPOND,
                params=params,
                seed=seed + fold,
                begin=begin,
                on_progress=lambda done, total, fold=fold: on_progress("trained", fold * total + done, FOLDS * total),
            )
        )
    claims: dict[str, list[_Claim]] = {}
    for i, row in enumerate(rows()):
        example = taught[i] if i in taught else to_example(row)
        claims[example.name] = _claims(example, probes[folds[i]].listen(example.features))
        on_progress("audited", i + 1, count)
    return _ranked(claims)


def _claims(example: Example, heard: Heard) -> list[_Claim]:
    """A claim per reply, and one per sound that was judged to need none; then one for the rest of the stream."""
    chunks = np.arange(example.chunks)
    free = heard.respond.astype(np.float64).copy()
    claims = list[_Claim]()
    for label in example.labels:
        near = np.abs(chunks - label.chunk) <= NEAR_CHUNKS
        claims.append(_Claim("unexpected", label.chunk, label.sub_task, float(heard.respond[near].max())))
        free[near] = 0
    main = example.sub_task
    for occasion in example.occasions:
        if occasion.answer is None:
            window = slice(occasion.first_chunk, occasion.last_chunk + NEAR_CHUNKS + 1)
            chunk = occasion.first_chunk + int(np.argmax(free[window]))
            claims.append(_Claim("missing", chunk, main, 1 - float(free[chunk])))
            free[window] = 0
    chunk = int(np.argmax(free))
    claims.append(_Claim("missing", chunk, main, 1 - float(free[chunk])))
    return claims


def _ranked(claims: dict[str, list[_Claim]]) -> list[Doubted]:
    by_class: dict[tuple[str, str], list[float]] = defaultdict(list)
    for listed in claims.values():
        for claim in listed:
            by_class[claim.kind, claim.sub_task].append(claim.support)
    usual = {key: float(np.mean(supports)) for key, supports in by_class.items()}
    doubted = list[Doubted]()
    for name, listed in claims.items():
        scores = [usual[c.kind, c.sub_task] - c.support for c in listed]
        worst = int(np.argmax(scores))
        claim = listed[worst]
        doubted.append(Doubted(name, scores[worst], claim.kind, claim.chunk, claim.sub_task))
    return sorted(doubted, key=lambda d: (-d.score, d.row))
