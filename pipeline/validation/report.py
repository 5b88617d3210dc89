"""The report of a corpus: a folder of plain files that opens from file:// and asks the network for nothing.

index.html  overview (rendered here) and the frame of the pages that app.js fills
data/       streams.js lists the streams, KEY.js holds one; scripts, because a file:// page may not fetch
audio/ img/ the streams' FLAC as the shard stores it, their spectrograms and thumbnails
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import ValidationError

from pipeline.annotation.responses import silent_stretches
from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths
from pipeline.timing import to_seconds
from pipeline.validation.findings import Finding, Findings
from pipeline.validation.pictures import envelope, log_mel, png, thumbnail, tick_heights
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.provenance import Provenance
from schemas.row import Response

_LISTED: Final = (
    *("id", "split", "ability", "sub_task", "language", "scenario", "num_samples", "num_chunks"),
    *("responses", "events", "pair_id"),
)
_ROW_OF: Final = re.compile(r"(.+?)#(\d+)")
"""A finding's place begins with shard#row where it is about one row."""
_BROKEN: Final = (pa.ArrowException, OSError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Listed:
    """One row as the list shows it."""

    shard: str
    index: int
    id: str
    split: str
    ability: str
    sub_task: str
    language: str
    scenario: str
    pair_id: str | None
    num_samples: int
    num_chunks: int
    responses: tuple[int, ...]
    """The chunks of the responses."""
    verified_chunks: int
    foreground: int
    findings: tuple[Finding, ...]


def write_report(corpus: Path, findings: Findings | None, *, max_streams: int = 60) -> Path:
    """Write `corpus`/report and return its index.html; an older report stays whole until the new one is.

    Figures are over all rows; at most `max_streams` of them get a page, those with findings first, the others spread
    over splits and sub-tasks. Shards that cannot be read are named in the report.

    Raises:
        BadInput: `corpus` is no finished corpus.
        OSError: the disk is full or not writable; the older report is still there.
    """
    manifest = read_manifest(corpus)
    by_rule = findings.by_rule() if findings else {}
    rows, unreadable = _read(corpus, manifest, by_rule)
    chosen = select(rows, max_streams)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=corpus) as scratch:
        new = Path(scratch) / "new"
        for folder in ("data", "audio", "img"):
            (new / folder).mkdir(parents=True)
        _write_streams(corpus, new, chosen)
        overview = _overview(manifest, rows, _quarantine(corpus), unreadable)
        validation = (
            None if findings is None else {"summary": findings.summary(), "rules": _rules(findings, _keys(chosen))}
        )
        _write_pages(new, {**overview, "validation": validation, "shown": len(chosen)})
        _swap(new, corpus / "report", Path(scratch) / "old")
    return corpus / "report" / "index.html"


def select(rows: Sequence[Listed], limit: int) -> list[Listed]:
    """At most `limit` rows in corpus order: rows with findings first, then turn by turn from every split and sub-task.

    Within a group the order is that of the ids' hashes, which is as good as drawn and always the same. The rows of a
    pair stay together.
    """
    units: dict[str, list[Listed]] = defaultdict(list)
    for row in rows:
        units[f"pair {row.pair_id}" if row.pair_id else f"row {row.shard}#{row.index}"].append(row)
    groups: dict[tuple[bool, str, str], list[list[Listed]]] = defaultdict(list)
    for _, unit in sorted(units.items(), key=lambda item: sha256(item[0].encode()).digest()):
        groups[not any(row.findings for row in unit), unit[0].sub_task, unit[0].split].append(unit)
    turns = [
        (clean, turn, task, split, unit)
        for (clean, task, split), members in groups.items()
        for turn, unit in enumerate(members)
    ]
    kept: set[tuple[str, int]] = set()
    for *_, unit in sorted(turns, key=lambda turn: turn[:4]):
        if len(kept) + len(unit) <= limit:
            kept.update((row.shard, row.index) for row in unit)
    return [row for row in rows if (row.shard, row.index) in kept]


def _read(
    corpus: Path, manifest: dict[str, Any], by_rule: Mapping[str, Sequence[Finding]]
) -> tuple[list[Listed], list[str]]:
    """Every row without its audio, and a line per shard that cannot be read."""
    found: dict[tuple[str, int], list[Finding]] = defaultdict(list)
    for finding in (finding for of_rule in by_rule.values() for finding in of_rule):
        if place := _row_of(finding):
            found[place].append(finding)
    rows: list[Listed] = []
    unreadable: list[str] = []
    for shard in shard_paths(manifest):
        try:
            for i, record in enumerate(iter_rows(corpus / shard, columns=_LISTED)):
                rows.append(_listed(shard, i, record, found.get((shard, i), ())))
        except _BROKEN as error:
            unreadable.append(f"{shard}, from row {sum(row.shard == shard for row in rows)} on: {_line(error)}")
    return rows, unreadable


def _row_of(finding: Finding) -> tuple[str, int] | None:
    """Shard and row of a finding that is about one row."""
    place = _ROW_OF.match(finding.where)
    return (place[1], int(place[2])) if place else None


def _listed(shard: str, index: int, record: Mapping[str, Any], findings: Sequence[Finding]) -> Listed:
    return Listed(
        shard=shard,
        index=index,
        **{name: record[name] for name in _LISTED if name not in ("responses", "events")},
        responses=tuple(response["chunk"] for response in record["responses"]),
        verified_chunks=int(_verified(record).sum()),
        foreground=sum(event["role"] == "foreground" for event in record["events"]),
        findings=tuple(findings),
    )


def _verified(record: Mapping[str, Any]) -> np.ndarray:
    """Chunks of verified silence: bool of shape (num_chunks,). A response without an event takes none away."""
    events = record["events"]
    return silent_stretches(
        [(event["start_sample"], event["end_sample"], event["decision"]) for event in events],
        [Response.model_construct(**r) for r in record["responses"] if 0 <= r["event"] < len(events)],
        max(0, record["num_chunks"]),
    )


def _keys(chosen: Sequence[Listed]) -> dict[tuple[str, int], str]:
    """The name of each chosen row's page and files; ids are not fit for file names."""
    return {(row.shard, row.index): f"{key:04d}" for key, row in enumerate(chosen)}


def _write_streams(corpus: Path, folder: Path, chosen: Sequence[Listed]) -> None:
    keys = _keys(chosen)
    streams = []
    for shard in dict.fromkeys(row.shard for row in chosen):
        rows = {row.index: row for row in chosen if row.shard == shard}
        for index, record in enumerate(iter_rows(corpus / shard)):
            if index in rows:
                key = keys[shard, index]
                samples = _write_media(folder, key, record["audio"])
                _write_script(folder / "data" / f"{key}.js", f"details[{key!r}]", _detail(rows[index], record, samples))
                streams.append(_summary(key, rows[index], heard=samples is not None))
    index = {"rate": SAMPLE_RATE, "chunk": CHUNK_SAMPLES, "ticks": tick_heights(), "streams": streams}
    _write_script(folder / "data" / "streams.js", "index", index)


def _write_media(folder: Path, key: str, audio: Mapping[str, Any] | None) -> np.ndarray | None:
    """Write the FLAC as it is stored and the pictures; the samples, or None where it cannot be decoded."""
    try:
        samples = decode(audio["bytes"]) if audio else np.zeros(0)
    except (sf.LibsndfileError, TypeError):
        return None
    if audio is None or samples.ndim != 1 or not len(samples):
        return None
    db = log_mel(samples)
    (folder / "audio" / f"{key}.flac").write_bytes(audio["bytes"])
    (folder / "img" / f"{key}.png").write_bytes(png(db))
    (folder / "img" / f"{key}-small.png").write_bytes(png(thumbnail(db)))
    return samples


def _summary(key: str, row: Listed, *, heard: bool) -> dict[str, Any]:
    return {
        "key": key,
        "id": row.id,
        "split": row.split,
        "ability": row.ability,
        "sub_task": row.sub_task,
        "scenario": row.scenario,
        "pair": row.pair_id,
        "seconds": to_seconds(row.num_samples),
        "chunks": row.num_chunks,
        "responses": row.responses,
        "rules": sorted({finding.rule for finding in row.findings}),
        "heard": heard,
    }


def _detail(row: Listed, record: Mapping[str, Any], samples: np.ndarray | None) -> dict[str, Any]:
    columns = ("language", "responses", "turns", "events", "noise", "quality")
    return {
        **{name: record[name] for name in columns},
        "seed": str(record["seed"]),  # JavaScript rounds integers of 64 bits
        "verified": np.flatnonzero(_verified(record)).tolist(),
        "envelope": None if samples is None else envelope(samples),
        "findings": [{"rule": f.rule, "detail": f.detail} for f in row.findings],
        "provenance": _provenance(record["provenance_json"]),
        "plan": _indented(record["plan_json"]),
    }


def _provenance(text: str) -> dict[str, Any] | None:
    try:
        return Provenance.model_validate_json(text).model_dump(mode="json")
    except ValidationError:
        return None


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _write_script(path: Path, name: str, value: Any) -> None:
    """`report.NAME = value;` as a script in which no text of the corpus can end a string, a line or the element."""
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    path.write_text(f"report.{name} = {data};\n", encoding="ascii")


def _overview(
    manifest: Mapping[str, Any],
    rows: Sequence[Listed],
    quarantined: Counter[tuple[str, str]],
    unreadable: Sequence[str],
) -> dict[str, Any]:
    table = pd.DataFrame(
        {
            "sub_task": [row.sub_task for row in rows],
            "ability": [row.ability for row in rows],
            "split": [row.split for row in rows],
            "minutes": [to_seconds(row.num_samples) / 60 for row in rows],
            "chunks": [row.num_chunks for row in rows],
            "responses": [len(row.responses) for row in rows],
            "verified": [row.verified_chunks for row in rows],
        }
    )
    splits = _totals(table.groupby("split", sort=False)).reindex(list(manifest["splits"]), fill_value=0)
    return {
        "title": manifest["recipe"].get("pretty_name") or manifest["recipe"].get("name") or "Corpus",
        "manifest": manifest,
        "total": _totals(table.groupby(lambda _: "all")).reindex(["all"], fill_value=0).iloc[0].to_dict(),
        "sub_tasks": _totals(table.groupby(["ability", "sub_task"])).reset_index().to_dict("records"),
        "splits": splits.reset_index().to_dict("records"),
        "quarantined": quarantined.most_common(),
        "unreadable": unreadable,
    }


def _totals(groups: Any) -> pd.DataFrame:
    """Streams, minutes, responses and shares per group."""
    sums = groups[["minutes", "chunks", "responses", "verified"]].sum()
    sums.insert(0, "streams", groups.size())
    return sums


def _quarantine(corpus: Path) -> Counter[tuple[str, str]]:
    """Rejected scenes per (stage, reason); empty where the file is absent or unreadable (a finding says so)."""
    try:
        records = pq.read_table(corpus / "quarantine.parquet", columns=["stage", "reason"]).to_pylist()
    except (pa.ArrowException, OSError):
        return Counter()
    return Counter((record["stage"], record["reason"]) for record in records)


def _rules(findings: Findings, keys: Mapping[tuple[str, int], str]) -> list[dict[str, Any]]:
    """Per broken rule its count and first findings, each with the key of its stream's page or None."""
    return [
        {
            "rule": rule,
            "count": findings.count(rule),
            "first": [(finding, keys.get(_row_of(finding) or ("", -1))) for finding in found[:3]],
        }
        for rule, found in findings.by_rule().items()
    ]


def _write_pages(folder: Path, context: Mapping[str, Any]) -> None:
    environment = Environment(
        loader=PackageLoader("pipeline.validation", "report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    environment.filters["title_words"] = lambda name: _words(name)[:1].upper() + _words(name)[1:]
    environment.filters["share"] = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "–"
    page = environment.get_template("index.html.j2").render(context)
    (folder / "index.html").write_text(page, encoding="utf-8")
    for name in ("style.css", "app.js"):
        source = resources.files("pipeline.validation") / "report" / name
        (folder / name).write_bytes(source.read_bytes())


def _words(name: str) -> str:
    return re.sub(r"\b(qa|asr|en|zh)\b", lambda short: short[0].upper(), name.replace("_", " "))


def _swap(new: Path, target: Path, old: Path) -> None:
    """Put `new` in the place of `target`, which goes to `old`."""
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
