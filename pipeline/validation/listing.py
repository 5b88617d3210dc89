"""The rows of a corpus as the report lists them, and which of them it takes with it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipeline.annotation.responses import silent_stretches
from pipeline.shards.reader import iter_rows, shard_paths
from pipeline.timing import to_seconds
from pipeline.validation.findings import Finding
from pipeline.validation.opinions import Agreement, Doubt, read_agreements, read_audit
from schemas.row import Response

_COLUMNS: Final = (
    *("id", "split", "ability", "sub_task", "scenario", "num_samples", "num_chunks"),
    *("responses", "events", "pair_id", "quality"),
)
_ROW_OF: Final = re.compile(r"(.+?)#(\d+)")
"""A finding's place begins with shard#row where it is about one row."""
BROKEN: Final = (pa.ArrowException, OSError, KeyError, TypeError, ValueError)
"""What reading a damaged shard raises."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row as the list shows it."""

    shard: str
    index: int
    id: str
    split: str
    ability: str
    sub_task: str
    scenario: str
    pair_id: str | None
    num_samples: int
    num_chunks: int
    responses: tuple[int, ...] = ()
    """The chunks of the responses."""
    verified_chunks: int = 0
    seam: float | None = None
    snr_db: float | None = None
    findings: tuple[Finding, ...] = ()
    doubt: Doubt | None = None
    agreements: tuple[Agreement, ...] = ()

    @property
    def doubted(self) -> bool:
        """Whether the audit contradicts a label."""
        return self.doubt is not None and self.doubt.contradicted

    @property
    def flags(self) -> list[str]:
        """Why a person should look at it."""
        of_listeners = [
            f"{agreement.listener}: {what}"
            for agreement in self.agreements
            for what, count in (
                ("a label missed", agreement.missed),
                ("a reply without a label", agreement.extra),
                ("a verified silence broken", agreement.false),
            )
            if count
        ]
        return [*sorted({finding.rule for finding in self.findings}), *["label in doubt"] * self.doubted, *of_listeners]

    @property
    def scores(self) -> dict[str, float | None]:
        """Figures to order and choose by."""
        return {
            "responses per minute": len(self.responses) * 60 / max(1e-9, to_seconds(self.num_samples)),
            "roughest join": self.seam,
            "SNR, dB": self.snr_db,
            **({} if self.doubt is None else {"doubt in a label": self.doubt.score}),
            **{f"F1 of {agreement.listener}": agreement.f1 for agreement in self.agreements},
        }


def read_listed(
    corpus: Path, manifest: dict[str, Any], findings: Iterable[Finding] = ()
) -> tuple[list[Listed], list[str]]:
    """Every row without its audio, and a line per shard that cannot be read."""
    found: dict[tuple[str, int], list[Finding]] = defaultdict(list)
    for finding in findings:
        if place := row_of(finding):
            found[place].append(finding)
    doubts, agreements = read_audit(corpus), read_agreements(corpus)
    rows: list[Listed] = []
    unreadable: list[str] = []
    for shard in shard_paths(manifest):
        try:
            for i, record in enumerate(iter_rows(corpus / shard, columns=_COLUMNS)):
                heard = agreements.get(record["id"], ())
                rows.append(_listed(shard, i, record, found.get((shard, i), ()), doubts.get(record["id"]), heard))
        except BROKEN as error:
            line = " ".join(str(error).split())
            unreadable.append(f"{shard}, from row {sum(row.shard == shard for row in rows)} on: {line}")
    return rows, unreadable


def row_of(finding: Finding) -> tuple[str, int] | None:
    """Shard and row of a finding that is about one row."""
    place = _ROW_OF.match(finding.where)
    return (place[1], int(place[2])) if place else None


def _listed(
    shard: str,
    index: int,
    record: Mapping[str, Any],
    findings: Sequence[Finding],
    doubt: Doubt | None,
    agreements: Sequence[Agreement],
) -> Listed:
    quality = record["quality"] or {}
    return Listed(
        shard=shard,
        index=index,
        **{name: record[name] for name in _COLUMNS if name not in ("responses", "events", "quality")},
        responses=tuple(response["chunk"] for response in record["responses"]),
        verified_chunks=int(verified(record).sum()),
        seam=quality.get("max_seam_jump"),
        snr_db=quality.get("realised_snr_db"),
        findings=tuple(findings),
        doubt=doubt,
        agreements=tuple(agreements),
    )


def verified(record: Mapping[str, Any]) -> np.ndarray:
    """Chunks of verified silence: bool of shape (num_chunks,). A response without an event takes none away."""
    events = record["events"]
    return silent_stretches(
        [(event["start_sample"], event["end_sample"], event["decision"]) for event in events],
        [Response.model_construct(**r) for r in record["responses"] if 0 <= r["event"] < len(events)],
        max(0, record["num_chunks"]),
    )


def select(rows: Sequence[Listed], limit: int) -> list[Listed]:
    """At most `limit` rows in corpus order: rows with findings first, then those whose labels are in doubt, then turn
    by turn from every split and sub-task.

    Within a group the order is that of the ids' hashes, which is as good as drawn and always the same. The rows of a
    pair stay together.
    """
    units: dict[str, list[Listed]] = defaultdict(list)
    for row in rows:
        units[f"pair {row.pair_id}" if row.pair_id else f"row {row.shard}#{row.index}"].append(row)
    groups: dict[tuple[int, str, str], list[list[Listed]]] = defaultdict(list)
    for _, unit in sorted(units.items(), key=lambda item: sha256(item[0].encode()).digest()):
        rank = min(0 if row.findings else 1 if row.doubted else 2 for row in unit)
        groups[rank, unit[0].sub_task, unit[0].split].append(unit)
    turns = [
        (rank, turn, task, split, unit)
        for (rank, task, split), members in groups.items()
        for turn, unit in enumerate(members)
    ]
    kept: set[tuple[str, int]] = set()
    for *_, unit in sorted(turns, key=lambda turn: turn[:4]):
        if len(kept) + len(unit) <= limit:
            kept.update((row.shard, row.index) for row in unit)
    return [row for row in rows if (row.shard, row.index) in kept]


def index(rows: Sequence[Listed], here: Mapping[tuple[str, int], bool]) -> dict[str, Any]:
    """The list as columns: a name per value of what repeats, and numbers into these names.

    Args:
        rows: those listed; a row's number here is its key, the name of its files.
        here: rows whose page is in the folder, and whether their audio can be decoded.
    """
    scores = dict.fromkeys(name for row in rows for name in row.scores)
    by_row = [row.scores for row in rows]
    pairs = _coded([row.pair_id or "" for row in rows])["codes"]
    partners: dict[int, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.pair_id:
            partners[pairs[i]].append(i)
    return {
        **{name: _coded([getattr(row, name) for row in rows]) for name in ("shard", "split", "ability", "sub_task")},
        "row": [row.index for row in rows],
        "id": [row.id for row in rows],
        "scenario": [row.scenario for row in rows],
        "partner": [
            next((other for other in partners[pairs[i]] if other != i), -1) if row.pair_id else None
            for i, row in enumerate(rows)
        ],
        "samples": [row.num_samples for row in rows],
        "chunks": [row.num_chunks for row in rows],
        "responses": [row.responses for row in rows],
        "flags": _coded_lists([row.flags for row in rows]),
        "here": [{None: 0, True: 1, False: 2}[here.get((row.shard, row.index))] for row in rows],
        "scores": {name: [_short(of_row.get(name)) for of_row in by_row] for name in scores},
    }


def _coded(values: Sequence[str]) -> dict[str, Any]:
    names = {name: i for i, name in enumerate(dict.fromkeys(values))}
    return {"names": list(names), "codes": [names[value] for value in values]}


def _coded_lists(lists: Sequence[Sequence[str]]) -> dict[str, Any]:
    names = {name: i for i, name in enumerate(dict.fromkeys(name for names in lists for name in names))}
    return {"names": list(names), "codes": [[names[name] for name in of_row] for of_row in lists]}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def read_index(streams_js: Path) -> dict[str, Any]:
    """The columns back from the script that the report keeps them in."""
    text = streams_js.read_text(encoding="ascii")
    return json.loads(text[text.index("=") + 1 :].strip().removesuffix(";"))
