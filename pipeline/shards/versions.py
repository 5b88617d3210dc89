"""Versions of a corpus. A new one is a whole corpus in `.state/next`, and is taken over in one step, or not at all.

Taking over links its shards to data/vNNNN/ (an object store copies them there itself), then renews quarantine and card,
and replaces manifest.json last: before that a reader has the old corpus, after it the new one. What the new manifest
does not list is deleted then. A crash at any point leaves `.state/next`, from which the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.errors import BadInput
from pipeline.shards.card import write_card
from pipeline.shards.changes import changes
from pipeline.shards.corpus import CorpusFolder, Quarantined, ShardReport, Tally, manifest
from pipeline.shards.reader import iter_rows, open_parquet, read_manifest, to_row
from pipeline.shards.realised import Realised
from pipeline.shards.timings import FOLDER
from pipeline.shards.writer import ShardFile, sync_folder, write_atomically, write_shard
from pipeline.storage import Location, copy, delete, delete_below, each, files_below, read, scratch
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


def published_in(corpus: Location) -> dict[str, Any] | None:
    """The manifest of a corpus, None where nothing is published yet."""
    return None if read(corpus / "manifest.json") is None else read_manifest(corpus)


def sha256_of(corpus: Location) -> str:
    """Of the manifest's bytes: what a corpus holds, in one value."""
    return hashlib.sha256((corpus / "manifest.json").read_bytes()).hexdigest()


def next_folder(corpus: Location) -> Location:
    """Where the version after the published one is built."""
    return corpus / STATE / NEXT


def reports_of(corpus: Location, published: Mapping[str, Any]) -> Iterator[ShardReport]:
    """What every listed shard holds: its resume marker, or a new count of its rows where that is gone."""
    folder, recipe = CorpusFolder(corpus), Recipe.model_validate(published["recipe"])
    others = {path for other in published.get("recipes", {}).values() for path in other["shards"]}
    files = [(s, ShardFile(**shard)) for s, entry in published["splits"].items() for shard in entry["shards"]]
    markers = folder.each_finished(_name(file.path) for _, file in files)
    for (split, file), marked in zip(files, markers, strict=True):
        found = marked if marked is not None and marked.file == file else _recounted(corpus, split, file, recipe)
        # What another recipe asked for is not compared with this one's rows.
        yield replace(found, realised={}) if file.path in others else found


def _name(path: str) -> str:
    return path.removeprefix("data/").removesuffix(".parquet")


def _recounted(corpus: Location, split: str, file: ShardFile, recipe: Recipe) -> ShardReport:
    return _counted(file, split, recipe, (to_row(record) for record in iter_rows(corpus / file.path)))


def _counted(file: ShardFile, split: str, recipe: Recipe, rows: Iterator[Row]) -> ShardReport:
    tally, realised = Tally(), Realised(recipe)
    for row in rows:
        tally.add(row)
        realised.add(row)
    return ShardReport.of(file, split, tally, [], realised.state())


def rejected_of(corpus: Location) -> list[Quarantined]:
    """The rows of quarantine.parquet."""
    with open_parquet(corpus / "quarantine.parquet") as file:
        return [Quarantined(**row) for row in file.read().to_pylist()]


def taken_over(corpus: Location) -> bool:
    """Whether what lies in `.state/next` is published already, and only its remains are to be cleared away."""
    published, built = published_in(corpus), published_in(next_folder(corpus))
    if published is None or built is None:
        return False
    return published.get("built_sha256") == sha256_of(next_folder(corpus))


def take_over(corpus: Location, mode: Mode) -> dict[str, Any]:
    """Publish the corpus in `.state/next` as the next version; returns the manifest.

    With `append` its rows join the published ones, with `refresh` they replace them.
    """
    staged = next_folder(corpus)
    new = read_manifest(staged)
    published = published_in(corpus)
    kept = list(reports_of(corpus, published)) if published and mode == "append" else []
    rejected = [*(rejected_of(corpus) if kept else ()), *rejected_of(staged)]
    version = 1 if published is None else version_of(published) + 1
    reports = [_moved(report, version) for report in reports_of(staged, new)]
    _place(corpus, reports, version)
    delete_below(corpus / STATE / FOLDER)
    timings = sorted(files_below(staged, f"{STATE}/{FOLDER}"))
    list(each(lambda name: copy(corpus, f"{STATE}/{NEXT}/{name}", name), timings, at=corpus))
    if new.get("text"):
        write_atomically(corpus / new["text"]["path"], (staged / new["text"]["path"]).read_bytes())
    header = {key: new.get(key) for key in _OF_BUILD}
    recipes = published.get("recipes", {}) if published and kept else {}
    return _publish(corpus, published, [*kept, *reports], rejected, header, recipes, mode, built=sha256_of(staged))


def exclude(corpus: Location, ids: Collection[str]) -> dict[str, Any]:
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
    seen: Counter[str] = Counter()
    for report in reports_of(corpus, published):
        index, count = seen[report.split], len(published["splits"][report.split]["shards"])
        seen[report.split] += 1
        held = [row["id"] for row in iter_rows(corpus / report.file.path, columns=["id"])]
        left = [i for i in held if i not in gone]
        if len(left) == len(held):
            reports.append(report)
            continue
        moved[report.file.path] = None
        if left:
            # Not its old name, which shards of several versions share.
            path = f"data/v{version:04d}/{report.split}-{index:05d}-of-{count:05d}.parquet"
            moved[report.file.path] = path
            source = corpus / report.file.path

            def rows(source: Location = source) -> Iterator[Row]:
                return (to_row(record) for record in iter_rows(source) if record["id"] not in gone)

            counted = _counted(write_shard(corpus, path, rows()), report.split, recipe, rows())
            reports.append(counted if report.realised else replace(counted, realised={}))
    header = {key: published.get(key) for key in _OF_BUILD}
    recipes = {
        sha256: {**other, "shards": [new for old in other["shards"] if (new := moved.get(old, old))]}
        for sha256, other in published.get("recipes", {}).items()
    }
    return _publish(corpus, published, reports, rejected_of(corpus), header, recipes, "exclude", built=None)


def _pairs(corpus: Location, published: Mapping[str, Any]) -> dict[str, str | None]:
    shards = (shard for split in published["splits"].values() for shard in split["shards"])
    rows = (row for shard in shards for row in iter_rows(corpus / shard["path"], columns=["id", "pair_id"]))
    return {row["id"]: row["pair_id"] for row in rows}


def _moved(report: ShardReport, version: int) -> ShardReport:
    if version == 1:
        return report
    path = report.file.path.replace("data/", f"data/v{version:04d}/", 1)
    return replace(report, file=replace(report.file, path=path))


def _place(corpus: Location, reports: Sequence[ShardReport], version: int) -> None:
    def place(report: ShardReport) -> None:
        path = report.file.path
        copy(corpus, f"{STATE}/{NEXT}/{path.replace(f'data/v{version:04d}/', 'data/', 1)}", path)
        if isinstance(corpus, Path):
            sync_folder((corpus / path).parent)
        CorpusFolder(corpus).mark(_name(path), report)

    list(each(place, reports, at=corpus))


def _publish(
    corpus: Location,
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


def clear(corpus: Location) -> None:
    """Delete what the published manifest does not list: shards of earlier versions, `.state/next`, their markers."""
    published, state = read_manifest(corpus), corpus / STATE
    listed = {shard["path"] for split in published["splits"].values() for shard in split["shards"]}
    markers = {f"{STATE}/shards/{_name(path)}.json" for path in listed}
    shards = {name for name in files_below(corpus, "data") if name.endswith(".parquet")}
    gone = sorted((shards - listed) | (files_below(corpus, f"{STATE}/shards") - markers))
    list(each(lambda name: delete(corpus / name), gone, at=corpus))
    if isinstance(corpus, Path):
        for empty in sorted((p for p in (corpus / "data").rglob("*") if p.is_dir()), reverse=True):
            if not any(empty.iterdir()):
                empty.rmdir()
    write_atomically(state / "identity.json", json.dumps(published["identity"], sort_keys=True).encode())
    staged = next_folder(corpus)
    # Its manifest goes last: while that is there this is begun again, and no build goes on with half of a plan.
    for left in (state / "plan", staged / STATE, staged / "data", staged):
        delete_below(left)
    for left in (scratch(corpus) / "progress", scratch(staged)):
        shutil.rmtree(left, ignore_errors=True)
