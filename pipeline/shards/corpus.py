"""A corpus folder while it is built: identity, resume markers, and publication (DESIGN 4.2).

.state/identity.json        what this build is; another recipe, library or limit may not resume it
.state/shards/NAME.json     written after its shard: what the shard holds and what was rejected
text/instructions.jsonl     text-only rows, where the recipe publishes some
manifest.json               written last
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadInput, StaleIdentity
from pipeline.language.replies import opening
from pipeline.shards.claim import claimed
from pipeline.shards.realised import Realised
from pipeline.shards.schema import QUARANTINE_SCHEMA
from pipeline.shards.statistics import MEASURES, Histogrammer, Histograms, summary
from pipeline.shards.writer import ShardFile, write_atomically
from pipeline.storage import Location, abort_uploads, each, read, scratch, size
from pipeline.timing import to_seconds
from schemas.protocol import CHUNK_SAMPLES
from schemas.recipe import Recipe
from schemas.row import Row

FORMAT: Final = 1
TEXT_ONLY: Final = "text/instructions.jsonl"
"""An instruction corpus as it was given, for training on text alone; where the recipe publishes it."""
COUNTED: Final = ("abilities", "sub_tasks", "languages", "licences", "sources")
SPREADS: Final = ("settings", "events", "openings")
COMMONEST: Final = 20
"""So many of the commonest settings, events and openings stand in the manifest."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One rejected scene: where it failed, why, and the plan it had."""

    id: str
    split: str
    sub_task: str
    stage: str
    reason: str
    plan_json: str
    seed: int


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a finished shard holds; kept as its resume marker."""

    file: ShardFile
    split: str
    samples: int
    responses: int
    abilities: Mapping[str, int]
    sub_tasks: Mapping[str, int]
    languages: Mapping[str, int]
    licences: Mapping[str, int]
    """Events and noise clips per licence."""
    attributions: tuple[str, ...]
    sources: Mapping[str, int]
    """Foreground events per source."""
    spread: Mapping[str, Mapping[str, int]]
    """Rows per setting, foreground events per name, responses per opening."""
    histograms: Histograms
    """Streams per bar of every measure of the dataset card."""
    quarantined: tuple[Quarantined, ...]
    realised: Mapping[str, Any]
    """`Realised.state`; empty where nothing was measured."""

    @staticmethod
    def of(
        file: ShardFile,
        split: str,
        tally: Tally,
        quarantined: Sequence[Quarantined],
        realised: Mapping[str, Any] | None = None,
    ) -> ShardReport:
        """The report of a shard just written."""
        return ShardReport(
            file=file,
            split=split,
            samples=tally.samples,
            responses=tally.responses,
            abilities=dict(sorted(tally.abilities.items())),
            sub_tasks=dict(sorted(tally.sub_tasks.items())),
            languages=dict(sorted(tally.languages.items())),
            licences=dict(sorted(tally.licences.items())),
            attributions=tuple(sorted(tally.attributions)),
            sources=dict(sorted(tally.sources.items())),
            spread={name: dict(sorted(counts.items())) for name, counts in tally.spread.items()},
            histograms=tally.histogrammer.histograms(),
            quarantined=tuple(quarantined),
            realised=realised or {},
        )


class Tally:
    """Counts over the rows of one shard while they stream past."""

    def __init__(self) -> None:
        self.samples = 0
        self.responses = 0
        self.abilities: Counter[str] = Counter()
        self.sub_tasks: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.licences: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.attributions: set[str] = set()
        self.spread: dict[str, Counter[str]] = {name: Counter() for name in SPREADS}
        self.histogrammer = Histogrammer()

    def add(self, row: Row) -> None:
        """Count one row."""
        self.samples += row.num_samples
        self.responses += len(row.responses)
        self.abilities[row.ability] += 1
        self.sub_tasks[row.sub_task] += 1
        self.languages[row.language] += 1
        self.licences.update(event.licence for event in row.events)
        self.licences.update(licence for track in row.noise for licence in track.licences)
        self.attributions.update(event.attribution for event in row.events if event.attribution)
        foreground = [event for event in row.events if event.role == "foreground"]
        self.sources.update(event.source for event in foreground)
        self.spread["settings"][json.loads(row.plan_json)["setting"]] += 1
        self.spread["events"].update(event.name for event in foreground if event.source != "spoken")
        self.spread["openings"].update(opening(response.text) for response in row.responses)
        self.histogrammer.add(row)


@dataclass(frozen=True, slots=True)
class CorpusFolder:
    """Where a corpus is built. All paths in the manifest are relative to `root`."""

    root: Location

    @property
    def state(self) -> Location:
        """Folder of resume markers; deletable once the manifest exists."""
        return self.root / ".state"

    @contextlib.contextmanager
    def claimed(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder for one build.

        Raises:
            BadInput: the folder holds other people's files, or another build holds it.
            StaleIdentity: it was begun with another recipe, library or limit.
        """
        known = {
            *("assets", "data", "replay", "report", "text"),
            *("manifest.json", "README.md", "quarantine.parquet", "marks.json"),
        }
        if self.root.is_dir():
            foreign = sorted(p.name for p in self.root.iterdir() if p.name not in known and not p.name.startswith("."))
            if foreign:
                raise BadInput(f"--out {str(self.root)!r} already holds {foreign[0]!r}; name a new or empty folder")
        with self.locked():
            self._check_identity(identity)
            self.clear_halves()
            yield

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other builds out; raises BadInput where one is in, or `root` is a file."""
        if self.root.exists() and not self.root.is_dir():
            raise BadInput(f"--out {str(self.root)!r} is a file; name a folder")
        if isinstance(self.root, Path):
            self.state.mkdir(parents=True, exist_ok=True)
        with claimed(self.root):
            yield

    def clear_halves(self) -> None:
        """Delete what a killed build had half written. Not of replays or reports: others may be writing there."""
        half, own = ".*.tmp", ("assets", "data", "text", ".state")
        if isinstance(self.root, Path):
            found = (path for name in own for path in (self.root / name).rglob(half))
            left = [*self.root.glob(half), *(p for p in found if not p.is_relative_to(self.root / ".state" / "replay"))]
        else:
            abort_uploads(self.root)
            left = [*scratch(self.root).rglob(half)]
        for path in left:
            path.unlink(missing_ok=True)

    def _check_identity(self, identity: Mapping[str, Any]) -> None:
        path = self.state / "identity.json"
        before: Mapping[str, Any]
        if begun := read(path):
            before = json.loads(begun)
        elif published := read(self.root / "manifest.json"):
            before = json.loads(published)["identity"]
        else:
            if not isinstance(self.root, Path):
                shutil.rmtree(scratch(self.root), ignore_errors=True)  # of an earlier corpus of this name
            write_atomically(path, json.dumps(identity, sort_keys=True).encode())
            return
        same_build(before, identity, self.root)

    def finished(self, name: str) -> ShardReport | None:
        """The report of a shard that is already there, None where it must be built."""
        marker = read(self.state / "shards" / f"{name}.json")
        if marker is None:
            return None
        report = _report(json.loads(marker))
        return report if size(self.root / report.file.path) == report.file.bytes else None

    def each_finished(self, names: Iterable[str]) -> Iterator[ShardReport | None]:
        """`finished` of every name, looked up by name and, in an object store, many at once; few are in memory."""
        return each(self.finished, names, at=self.root)

    def mark(self, name: str, report: ShardReport) -> None:
        """Record a finished shard; call after the shard itself is in place."""
        write_atomically(
            self.state / "shards" / f"{name}.json",
            json.dumps(asdict(report), sort_keys=True, ensure_ascii=False).encode(),
        )

    def write_quarantine(self, rejected: Sequence[Quarantined]) -> None:
        """Write quarantine.parquet, one row per rejected scene (possibly none)."""
        table = pa.Table.from_pylist([asdict(q) for q in rejected], schema=QUARANTINE_SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_atomically(self.root / "quarantine.parquet", sink.getvalue().to_pybytes())

    def published(self, identity: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any] | None:
        """The manifest, where this build was published before; of the recipe what is no part of the identity counts."""
        written = read(self.root / "manifest.json")
        manifest = None if written is None else json.loads(written)
        if manifest is None or (manifest["identity"], manifest["recipe"]) != (identity, recipe):
            return None
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write manifest.json; the last act of a build."""
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
        write_atomically(self.root / "manifest.json", text.encode())


def same_build(before: Mapping[str, Any], now: Mapping[str, Any], root: Location) -> None:
    """Raises StaleIdentity where a build is another than the one that a folder was begun with."""
    for key in now:
        if before.get(key) != now[key]:
            raise StaleIdentity(
                f"{str(root)!r} was begun with {key} {before.get(key)!r}, this build has {now[key]!r}; "
                "a resume needs the same: restore it, or build into a new --out"
            )


def _report(data: dict[str, Any]) -> ShardReport:
    return ShardReport(
        **{
            **data,
            "file": ShardFile(**data["file"]),
            "attributions": tuple(data["attributions"]),
            "quarantined": tuple(Quarantined(**q) for q in data["quarantined"]),
        }
    )


def manifest(
    reports: Iterable[ShardReport],
    rejected: Sequence[Quarantined],
    *,
    recipe: Mapping[str, Any],
    identity: Mapping[str, Any],
    versions: Mapping[str, str],
    text: Mapping[str, Any] | None = None,
    language: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of manifest.json from the reports of all shards (in plan order), which are gone through once.

    `rejected` is counted after that, and may grow meanwhile.
    `text` lists the file of text-only rows: path, rows, bytes, sha256.
    `language` is what the language model took; it alone may differ between an undisturbed build and a resumed one.
    """
    splits: dict[str, dict[str, Any]] = {}
    realised = Realised(Recipe.model_validate(recipe))
    samples = responses = 0
    counts = {field: Counter[str]() for field in COUNTED}
    spread = {name: Counter[str]() for name in SPREADS}
    bars = {name: Counter[str]() for name in MEASURES}
    for report in reports:
        samples += report.samples
        responses += report.responses
        if report.realised:
            realised.merge(report.realised)
        for field, total in counts.items():
            total.update(getattr(report, field))
        for name, total in spread.items():
            total.update(report.spread[name])
        for name, total in bars.items():
            total.update(report.histograms[name])
        entry = splits.setdefault(report.split, {"rows": 0, "hours": 0.0, "shards": []})
        entry["rows"] += report.file.rows
        entry["hours"] += to_seconds(report.samples) / 3600
        entry["shards"].append(asdict(report.file))
    for entry in splits.values():
        entry["hours"] = round(entry["hours"], 6)

    chunks = samples // CHUNK_SAMPLES
    histograms = {name: dict(sorted((+bar).items(), key=lambda b: int(b[0]))) for name, bar in bars.items()}
    totals = {field: dict(sorted((+total).items())) for field, total in counts.items()}
    return {
        "format": FORMAT,
        "recipe": recipe,
        "recipe_sha256": identity["recipe_sha256"],
        "identity": dict(identity),
        "versions": dict(versions),
        "splits": splits,
        "rows": sum(entry["rows"] for entry in splits.values()),
        "hours": round(to_seconds(samples) / 3600, 6),
        "responses": responses,
        "abilities": totals["abilities"],
        "sub_tasks": totals["sub_tasks"],
        "languages": totals["languages"],
        "licences": totals["licences"],
        "foreground_sources": totals["sources"],
        "quarantined": len(rejected),
        "diversity": {name: _diversity(+total) for name, total in spread.items()},
        "realised": realised.report(),
        "statistics": {
            "silent_chunk_share": round(1 - responses / chunks, 6) if chunks else None,
            "bins": {name: measure.bin for name, measure in MEASURES.items()},
            "histograms": histograms,
            "deciles": summary(histograms),
        },
        "text": None if text is None else dict(text),
        "language": None if language is None else dict(language),
    }


def _diversity(counts: Counter[str]) -> dict[str, Any]:
    """How a whole is spread: `evenness` is its entropy over the largest possible one, 1 where all are as common."""
    total = counts.total()
    bits = -sum(n / total * math.log2(n / total) for n in counts.values())
    return {
        "total": total,
        "distinct": len(counts),
        "evenness": round(bits / math.log2(len(counts)), 4) if len(counts) > 1 else None,
        "commonest": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:COMMONEST]),
    }
