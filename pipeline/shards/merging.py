"""Corpora joined into one: the same shards under new names, one manifest over all.

The first corpus's recipe stands for the whole: its distributions are compared with its own rows. The recipes of the
others, and which shards are theirs, stand under `recipes`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pipeline.errors import BadInput
from pipeline.library.licences import clashes
from pipeline.shards.card import write_card
from pipeline.shards.corpus import TEXT_ONLY, CorpusFolder, ShardReport, manifest
from pipeline.shards.reader import iter_rows, read_manifest
from pipeline.shards.versions import history_of, rejected_of, reports_of, sha256_of, version_of
from pipeline.shards.writer import hash_and_sync, write_atomically
from pipeline.storage import Location, local_file, put_file
from schemas.recipe import Use

NAMED = 5
"""So many clips are named in a message."""


@dataclass(frozen=True, slots=True)
class _Part:
    root: Location
    manifest: dict[str, Any]
    reports: tuple[ShardReport, ...]


def merge(corpora: Sequence[Location], out: Location) -> dict[str, Any]:
    """Join corpora in a new folder; returns its manifest. What is interrupted can be started again.

    Raises:
        BadInput: fewer than two corpora, an id in two of them, a clip in two splits, licences
            that cannot be joined, a shard that is not what its manifest lists, or `out` holds something else.
    """
    if len(corpora) < 2:
        raise BadInput(f"{len(corpora)} corpus to merge; name at least two")
    parts = [_Part(root, found, tuple(reports_of(root, found))) for root in corpora for found in [read_manifest(root)]]
    _check_rows(parts)
    _check_licences(parts)
    first = parts[0].manifest
    identity = {
        "recipe_sha256": first["recipe_sha256"],
        "library_sha256": first["identity"]["library_sha256"],
        "merged": [sha256_of(part.root) for part in parts],
    }
    out = out.resolve()
    folder = CorpusFolder(out)
    with folder.claimed(identity):
        reports, recipes = _place(parts, out)
        rejected = [one for part in parts for one in rejected_of(part.root)]
        content = manifest(
            reports,
            rejected,
            recipe=first["recipe"],
            identity=identity,
            versions=first["versions"],
            text=_text(parts, out),
        )
        version = max(version_of(part.manifest) for part in parts)
        content |= {"recipes": recipes, "version": version, "history": history_of({**content, "version": version})}
        folder.write_quarantine(rejected)
        write_card(out, content, sorted({author for report in reports for author in report.attributions}))
        folder.write_manifest(content)
    return content


def _check_rows(parts: Sequence[_Part]) -> None:
    ids: dict[str, Location] = {}
    splits: dict[str, str] = {}
    for part in parts:
        for row in _rows(part, ("id", "split", "events", "noise")):
            if row["id"] in ids:
                raise BadInput(
                    f"row {row['id']!r} is in {str(ids[row['id']])!r} and in {str(part.root)!r}; only corpora of "
                    "recipes with different names can be joined; to make one larger, `build --mode append`"
                )
            ids[row["id"]] = part.root
            for clip, _ in _sounds(row):
                if splits.setdefault(clip, row["split"]) != row["split"]:
                    raise BadInput(
                        f"clip {clip!r} is in split {splits[clip]!r} of one corpus and in {row['split']!r} of "
                        f"{str(part.root)!r}; build both from one library with the same splits and licences, or append"
                    )


def _check_licences(parts: Sequence[_Part]) -> None:
    uses: list[Use] = [part.manifest["recipe"].get("use", "research") for part in parts]
    use = max(uses, key=get_args(Use).index)
    licences = sorted({licence for part in parts for licence in part.manifest["licences"]})
    for why, names in clashes(licences, use):
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for part in parts:
            for row in _rows(part, ("events", "noise")):
                found[str(part.root)].update(f"{clip} ({name})" for clip, name in _sounds(row) if name in names)
        causes = "; ".join(f"in {root!r} {', '.join(list(clips)[:NAMED])}" for root, clips in found.items() if clips)
        raise BadInput(f"use = {use!r}: clips under {', '.join(sorted(names))} {why}: {causes}; leave one corpus out")


def _rows(part: _Part, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for report in part.reports:
        yield from iter_rows(part.root / report.file.path, columns=columns)


def _sounds(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(clip, licence) of everything heard in a row."""
    yield from ((event["clip_id"], event["licence"]) for event in row["events"] if event["clip_id"])
    for track in row["noise"]:
        yield from zip(track["clip_ids"], track["licences"], strict=False)


def _place(parts: Sequence[_Part], out: Location) -> tuple[list[ShardReport], dict[str, Any]]:
    """Copy all shards; what they hold, and whose those of other recipes than the first are."""
    totals = Counter(report.split for part in parts for report in part.reports)
    counts: Counter[str] = Counter()
    placed: list[ShardReport] = []
    recipes: dict[str, Any] = {}
    top = parts[0].manifest["recipe_sha256"]
    for part in parts:
        for report in part.reports:
            split = report.split
            path = f"data/{split}-{counts[split]:05d}-of-{totals[split]:05d}.parquet"
            counts[split] += 1
            moved = replace(report, file=replace(report.file, path=path))
            sha256, recipe = _recipe_of(part.manifest, report.file.path)
            if sha256 != top:
                recipes.setdefault(sha256, {"recipe": recipe, "shards": []})["shards"].append(path)
                moved = replace(moved, realised={})
            _copy(part.root / report.file.path, out / path, moved)
            placed.append(moved)
    # As a build lists them: split by split.
    order = list(dict.fromkeys(report.split for report in placed))
    return sorted(placed, key=lambda report: order.index(report.split)), recipes


def _recipe_of(published: Mapping[str, Any], path: str) -> tuple[str, Any]:
    for sha256, other in published.get("recipes", {}).items():
        if path in other["shards"]:
            return sha256, other["recipe"]
    return published["recipe_sha256"], published["recipe"]


def _copy(source: Location, target: Location, report: ShardReport) -> None:
    with local_file(source) as here:
        if not isinstance(target, Path):
            _check(here, source, report)
            put_file(target, here)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            shutil.copyfile(here, temporary)
            _check(temporary, source, report)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _check(file: Path, source: Location, report: ShardReport) -> None:
    if hash_and_sync(file)[0] != report.file.sha256:
        raise BadInput(f"{str(source)!r} is not the file that its manifest lists; validate that corpus")


def _text(parts: Sequence[_Part], out: Location) -> dict[str, Any] | None:
    files = [(part.root / part.manifest["text"]["path"]).read_bytes() for part in parts if part.manifest.get("text")]
    lines = list(dict.fromkeys(line for file in files for line in file.splitlines(keepends=True)))
    if not lines:
        return None
    data = b"".join(lines)
    write_atomically(out / TEXT_ONLY, data)
    return {"path": TEXT_ONLY, "rows": len(lines), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
