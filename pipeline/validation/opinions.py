"""What others than the labels say about a corpus's rows: listeners that heard it, and the audit of its labels.

Both lie beside the corpus: replay/NAME.parquet (`validate --model`) and replay/label_audit.json (`validate --audit`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

AUDIT: Final = "replay/label_audit.json"
_COUNTS: Final = ("id", "hits", "missed", "extra", "false")


@dataclass(frozen=True, slots=True)
class Doubt:
    """The label of a row that is most in doubt.

    `doubt` is "unexpected" (a reply nothing calls for) or "missing" (none where one is due), in `chunk`; `contradicted`
    where the audit is sure of it, the others are there to be put in order by their `score`.
    """

    score: float
    doubt: str
    chunk: int
    contradicted: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often one listener and one row's labels agreed, within a chunk."""

    listener: str
    hits: int
    missed: int
    extra: int
    false: int

    @property
    def f1(self) -> float | None:
        """None where nothing was due and nothing was said."""
        due = 2 * self.hits + self.missed + self.extra
        return 2 * self.hits / due if due else None


def read_audit(corpus: Path) -> dict[str, Doubt]:
    """Doubts per id; empty where no audit was run."""
    if not (corpus / AUDIT).is_file():
        return {}
    rows = json.loads((corpus / AUDIT).read_bytes())["rows"]
    return {row["row"]: Doubt(row["score"], row["doubt"], row["chunk"], row["contradicted"]) for row in rows}


def replays(corpus: Path) -> dict[str, Path]:
    """Results of the listeners that heard the corpus itself, by name; other suites are about other streams."""
    return {
        path.stem: path
        for path in sorted((corpus / "replay").glob("*.parquet"))
        if json.loads((pq.read_schema(path).metadata or {}).get(b"replay", b"{}")).get("heard", {}).get("suite") == ""
    }


def read_agreements(corpus: Path) -> dict[str, list[Agreement]]:
    """Per id, one agreement for every listener."""
    found: dict[str, list[Agreement]] = {}
    for name, path in replays(corpus).items():
        for record in _records(path, _COUNTS):
            missed, extra, false = (len(record[field]) for field in ("missed", "extra", "false"))
            found.setdefault(record["id"], []).append(Agreement(name, record["hits"], missed, extra, false))
    return found


def read_figures(corpus: Path) -> dict[str, Mapping[str, Any]]:
    """The figures of every listener that heard the corpus itself."""
    files = {name: path.with_suffix(".json") for name, path in replays(corpus).items()}
    return {name: json.loads(path.read_bytes()) for name, path in files.items() if path.is_file()}


def read_heard(corpus: Path, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Per id, what every listener did, as the report's page has it.

    `decisions` has a letter per chunk that was heard: "s" silent, "r" response, "d" drained; `scores` the probability
    of a response per chunk, or null.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, path in replays(corpus).items():
        for record in _records(path, None, ids):
            scores = [chunk["score"] for chunk in record["chunks"]]
            found.setdefault(record["id"], []).append(
                {
                    "listener": name,
                    "decisions": "".join("d" if c["drained"] else c["decision"][0] for c in record["chunks"]),
                    "scores": None if None in scores else [round(score, 2) for score in scores],
                    **{field: record[field] for field in ("replies", "missed", "extra", "false", "stalls", "ended")},
                }
            )
    return found


def _records(path: Path, columns: Iterable[str] | None, ids: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    names = None if columns is None else list(columns)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            if ids is None:
                yield from file.read_row_group(group, columns=names).to_pylist()
                continue
            there = file.read_row_group(group, columns=["id"])["id"].to_pylist()
            if wanted := [i for i, id in enumerate(there) if id in ids]:
                yield from file.read_row_group(group, columns=names).take(wanted).to_pylist()
