"""Versions of a corpus. A new one is a whole corpus in `.state/next`, and is taken over in one step, or not at all.

Taking over links or copies its shards to data/vNNNN/, then renews quarantine and card, and replaces manifest.json last:
before that a reader has the old corpus, after it the new one. What the new manifest does not list is deleted then. A
crash at any point leaves `.state/next`, from which the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.shards.card import write_card
from pipeline.shards.changes import changes
from pipeline.shards.corpus import CorpusFolder, Quarantined, ShardReport, Tally, manifest
from pipeline.shards.reader import iter_rows, read_manifest, to_row
from pipeline.shards.realised import Realised
from pipeline.shards.timings import FOLDER
from pipeline.shards.writer import ShardFile, sync_folder, write_atomically, write_shard
from schemas.recipe import Recipe
from schemas.row import Row

Mode = Literal["append", "refresh", "exclude"]
STATE: Final = ".state"
NEXT: Final = "next"
_OF_BUILD: Final = ("recipe", "identity", "versions", "text", "language")
"""Keys of a manifest that its latest build alone determines."""


def version_of(published: Mapping[str, Any]) -> int:
    """The version that a manifest publishes."""
    return published.get("version", 1)


def sha256_of(corpus: Path) -> str:
    """Of the manifest's bytes: what a corpus holds, in one value."""
    return hashlib.sha256((corpus / "manifest.json").read_bytes()).hexdigest()


def next_folder(corpus: Path) -> Path:
    """Where the version after the published one is built."""
    return corpus / STATE / NEXT


def reports_of(corpus: Path, published: Mapping[str, Any]) -> Iterator[ShardReport]:
    """What every listed shard holds: its resume marker, or a new count of its rows where that is gone."""
    folder, recipe = CorpusFolder(corpus), Recipe.model_validate(published["recipe"])
    others = {path for other in published.get("recipes", {}).values() for path in other["shards"]}
    for split, entry in published["splits"].items():
        for shard in entry["shards"]:
            file = ShardFile(**shard)
            marked = folder.finished(_name(file.path))
            found = marked if marked is not None and marked.file == file else _recounted(corpus, split, file, recipe)
            # What another recipe asked for is not compared with this one's rows.
            yield replace(found, realised={}) if file.path in others else found


def _name(path: str) -> str:
    return path.removeprefix("data/").removesuffix(".parquet")


def _recounted(corpus: Path, split: str, file: ShardFile, recipe: Recipe) -> ShardReport:
    return _counted(file, split, recipe, (to_row(record) for record in iter_rows(corpus / file.path)))


def _counted(file: ShardFile, split: str, recipe: Recipe, rows: Iterator[Row]) -> ShardReport:
    tally, realised = Tally(), Realised(recipe)
    for row in rows:
        tally.add(row)
        realised.add(row)
    return ShardReport.of(file, split, tally, [], realised.state())


def rejected_of(corpus: Path) -> list[Quarantined]:
    """The rows of quarantine.parquet."""
    return [Quarantined(**row) for row in pq.read_table(corpus / "quarantine.parquet").to_pylist()]


def taken_over(corpus: Path) -> bool:
    """Whether what lies in `.state/next` is published already, and only its remains are to be cleared away."""
    staged = next_folder(corpus)
    if not ((staged / "manifest.json").is_file() and (corpus / "manifest.json").is_file()):
        return False
    return read_manifest(corpus).get("built_sha256") == sha256_of(staged)


def take_over(corpus: Path, mode: Mode) -> dict[str, Any]:
    """Publish the corpus in `.state/next` as the next version; returns the manifest.

    With `append` its rows join the published ones, with `refresh` they replace them.
    """
    staged = next_folder(corpus)
    new = read_manifest(staged)
    published = read_manifest(corpus) if (corpus / "manifest.json").is_file() else None
    kept = list(reports_of(corpus, published)) if published and mode == "append" else []
    rejected = [*(rejected_of(corpus) if kept else ()), *rejected_of(staged)]
    version = 1 if published is None else version_of(published) + 1
    reports = [_moved(report, version) for report in reports_of(staged, new)]
    _link(corpus, staged, reports, version)
    timings = corpus / STATE / FOLDER
    shutil.rmtree(timings, ignore_errors=True)
    shutil.copytree(staged / STATE / FOLDER, timings)
    if new.get("text"):
        write_atomically(corpus / new["text"]["path"], (staged / new["text"]["path"]).read_bytes())
    header = {key: new.get(key) for key in _OF_BUILD}
    recipes = published.get("recipes", {}) if published and kept else {}
    return _publish(corpus, published, [*kept, *reports], rejected, header, recipes, mode, built=sha256_of(staged))


def exclude(corpus: Path, ids: Collection[str]) -> dict[str, Any]:
    """Publish a version without the rows in `ids` and the other sides of their pairs; returns the manifest.

    Raises:
        BadInput: a row is not in the corpus.
    """
    published = read_manifest(corpus)
    places = _pairs(corpus, published)
    unknown = sorted(set(ids) - places.keys())
    if unknown:
        raise BadInput(f"{str(corpus)!r} has no row {unknown[0]!r}; marks name rows of the corpus they were made for")
    pairs = {places[i] for i in ids if places[i] is not None}
    gone = {row for row, pair in places.items() if row in ids or pair in pairs}
    version, recipe = version_of(published) + 1, Recipe.model_validate(published["recipe"])
    reports: list[ShardReport] = []
    moved: dict[str, str | None] = {}
    for report in reports_of(corpus, published):
        held = [row["id"] for row in iter_rows(corpus / report.file.path, columns=["id"])]
        left = [i for i in held if i not in gone]
        if len(left) == len(held):
            reports.append(report)
            continue
        moved[report.file.path] = None
        if left:
            path = moved[report.file.path] = f"data/v{version:04d}/{Path(report.file.path).name}"
            source = corpus / report.file.path

            def rows(source: Path = source) -> Iterator[Row]:
                return (to_row(record) for record in iter_rows(source) if record["id"] not in gone)

            counted = _counted(write_shard(corpus, path, rows()), report.split, recipe, rows())
            reports.append(counted if report.realised else replace(counted, realised={}))
    header = {key: published.get(key) for key in _OF_BUILD}
    recipes = {
        sha256: {**other, "shards": [new for old in other["shards"] if (new := moved.get(old, old))]}
        for sha256, other in published.get("recipes", {}).items()
    }
    return _publish(corpus, published, reports, rejected_of(corpus), header, recipes, "exclude", built=None)


def _pairs(corpus: Path, published: Mapping[str, Any]) -> dict[str, str | None]:
    shards = (shard for split in published["splits"].values() for shard in split["shards"])
    rows = (row for shard in shards for row in iter_rows(corpus / shard["path"], columns=["id", "pair_id"]))
    return {row["id"]: row["pair_id"] for row in rows}


def _moved(report: ShardReport, version: int) -> ShardReport:
    if version == 1:
        return report
    path = report.file.path.replace("data/", f"data/v{version:04d}/", 1)
    return replace(report, file=replace(report.file, path=path))


def _link(corpus: Path, staged: Path, reports: Sequence[ShardReport], version: int) -> None:
    for report in reports:
        target = corpus / report.file.path
        source = staged / report.file.path.replace(f"data/v{version:04d}/", "data/", 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(source, target)
        sync_folder(target.parent)
        CorpusFolder(corpus).mark(_name(report.file.path), report)


def _publish(
    corpus: Path,
    published: Mapping[str, Any] | None,
    reports: Sequence[ShardReport],
    rejected: Sequence[Quarantined],
    header: Mapping[str, Any],
    recipes: Mapping[str, Any],
    mode: Mode,
    *,
    built: str | None,
) -> dict[str, Any]:
    folder = CorpusFolder(corpus)
    content = manifest(reports, rejected, **header) | {"built_sha256": built, "recipes": dict(recipes)}
    content["version"] = 1 if published is None else version_of(published) + 1
    content["history"] = [*(history_of(published) if published else ()), _entry(content, mode, published)]
    folder.write_quarantine(rejected)
    write_card(corpus, content, sorted({author for report in reports for author in report.attributions}))
    folder.write_manifest(content)
    clear(corpus)
    return content


def history_of(published: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every version up to the published one, oldest first."""
    return published.get("history") or [_entry(published, "build", None)]


def _entry(content: Mapping[str, Any], mode: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    figures = {key: content[key] for key in ("rows", "hours", "quarantined", "recipe_sha256")}
    return {
        "version": version_of(content),
        "mode": mode if before is not None else "build",
        **figures,
        "library_sha256": content["identity"]["library_sha256"],
        "changes": None if before is None else changes(before, content),
    }


def clear(corpus: Path) -> None:
    """Delete what the published manifest does not list: shards of earlier versions, `.state/next`, their markers."""
    published, state = read_manifest(corpus), corpus / STATE
    listed = {shard["path"] for split in published["splits"].values() for shard in split["shards"]}
    for path in (corpus / "data").rglob("*.parquet"):
        if path.relative_to(corpus).as_posix() not in listed:
            path.unlink()
    for marker in (state / "shards").rglob("*.json"):
        name = marker.relative_to(state / "shards").as_posix().removesuffix(".json")
        if f"data/{name}.parquet" not in listed:
            marker.unlink()
    for empty in sorted((p for p in (corpus / "data").rglob("*") if p.is_dir()), reverse=True):
        if not any(empty.iterdir()):
            empty.rmdir()
    write_atomically(state / "identity.json", json.dumps(published["identity"], sort_keys=True).encode())
    for left in (NEXT, "plan", "progress"):
        shutil.rmtree(state / left, ignore_errors=True)
