"""The corpus folder: manifest, shards, card and quarantine, before any row is looked at (DESIGN 4.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.config import explain, resolved_sha256
from pipeline.errors import BadInput
from pipeline.shards.corpus import Tally
from pipeline.shards.reader import open_parquet
from pipeline.shards.realised import Realised, broken_gates
from pipeline.shards.schema import QUARANTINE_SCHEMA, SCHEMA
from pipeline.storage import Location, files_below, local_file, read, size
from pipeline.timing import to_seconds
from pipeline.validation.findings import Finding
from pipeline.validation.gates import broken_by_corpus
from schemas.recipe import Recipe

HOURS_TOLERANCE = 1e-5
"""The manifest rounds to 1e-6 h."""
_OURS = {
    *(".state", "assets", "data", "replay", "report", "text"),
    *("manifest.json", "README.md", "quarantine.parquet", "marks.json"),
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ShardEntry(_Model):
    """A shard as the manifest lists it."""

    path: str
    rows: int
    bytes: int
    sha256: str


class SplitEntry(_Model):
    """A split as the manifest lists it."""

    rows: int
    hours: float
    shards: tuple[ShardEntry, ...]


class OtherRecipe(_Model):
    """The recipe of some shards of a merged corpus."""

    recipe: Recipe
    shards: tuple[str, ...]


class Manifest(_Model):
    """manifest.json."""

    recipe: Recipe
    recipe_sha256: str
    identity: dict[str, Any]
    versions: dict[str, str]
    splits: dict[str, SplitEntry]
    rows: int
    hours: float
    responses: int
    abilities: dict[str, int]
    sub_tasks: dict[str, int]
    languages: dict[str, int]
    licences: dict[str, int]
    foreground_sources: dict[str, int]
    quarantined: int
    realised: dict[str, Any] | None = None
    recipes: dict[str, OtherRecipe] = {}

    def recipe_of(self, shard: str) -> tuple[str, Recipe]:
        """Hash and recipe of a shard's rows."""
        found = ((sha256, other.recipe) for sha256, other in self.recipes.items() if shard in other.shards)
        return next(found, (self.recipe_sha256, self.recipe))

    def shards(self) -> Iterator[tuple[str, ShardEntry]]:
        """(split, shard) in manifest order."""
        for split, entry in self.splits.items():
            for shard in entry.shards:
                yield split, shard


def load_manifest(corpus: Location) -> Manifest | Finding:
    """The manifest, or what is wrong with it.

    Raises:
        BadInput: there is none, so this is no finished corpus.
    """
    content = read(corpus / "manifest.json")
    if content is None:
        raise BadInput(f"{str(corpus)!r} holds no manifest.json; give a folder that `streamaudio build` finished")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        return Finding("manifest-readable", "manifest.json", explain(error, Manifest))


def check_folder(corpus: Location, manifest: Manifest) -> Iterator[Finding]:
    """Everything about the folder but the rows themselves."""
    # Of the recipe as it stands: a later version may know more keys, and their defaults would change its hash.
    derived = resolved_sha256(json.loads((corpus / "manifest.json").read_bytes())["recipe"])
    if not derived == manifest.recipe_sha256 == manifest.identity.get("recipe_sha256"):
        yield Finding(
            "manifest-recipe",
            "manifest.json",
            f"recipe_sha256 {manifest.recipe_sha256!r}, identity {manifest.identity.get('recipe_sha256')!r}; "
            f"its recipe hashes to {derived!r}",
        )
    recipes = (manifest.recipe, *(other.recipe for other in manifest.recipes.values()))
    unknown = sorted(set(manifest.splits) - {split for recipe in recipes for split in recipe.splits})
    if unknown:
        yield Finding("manifest-recipe", "manifest.json", f"splits {unknown} are none of the recipe's")
    resolved = json.loads((corpus / "manifest.json").read_bytes()).get("recipes", {})
    for sha256 in sorted(sha256 for sha256, other in resolved.items() if resolved_sha256(other["recipe"]) != sha256):
        yield Finding("manifest-recipe", f"manifest.json recipes {sha256!r}", "its recipe has another hash")
    yield from _files(corpus, manifest)
    yield from _card(corpus, manifest)
    yield from _quarantine(corpus, manifest)


def readable_shards(corpus: Location, manifest: Manifest) -> Iterator[tuple[str, ShardEntry, Path]]:
    """Listed shards that may be opened: regular files inside the folder, or copies of objects, one at a time."""
    for split, shard in manifest.shards():
        path = corpus / shard.path
        if _inside(shard.path) and not _has_link(corpus, shard.path) and size(path) is not None:
            with local_file(path) as file:
                yield split, shard, file


def check_shard(path: Path, split: str, shard: ShardEntry) -> Iterator[Finding]:
    """Size, hash, number of rows, schema and name of one shard."""
    if not (path.name.startswith(f"{split}-") and shard.path.startswith("data/")):
        yield Finding("shard-name", shard.path, f"expected data/{split}-...-of-....parquet")
    size = path.stat().st_size
    if size != shard.bytes:
        yield Finding("shard-bytes", shard.path, f"{size} bytes, the manifest says {shard.bytes}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != shard.sha256:
        yield Finding("shard-hash", shard.path, f"sha256 {digest}, the manifest says {shard.sha256}")
    try:
        with pq.ParquetFile(path) as parquet:
            rows, schema = parquet.metadata.num_rows, parquet.schema_arrow
    except (pa.ArrowException, OSError) as error:
        yield Finding("shard-readable", shard.path, _line(error))
        return
    if rows != shard.rows:
        yield Finding("shard-rows", shard.path, f"{rows} rows, the manifest says {shard.rows}")
    if not schema.equals(SCHEMA):
        different = [name for name in {*schema.names, *SCHEMA.names} if not _same_field(schema, name)]
        yield Finding("shard-schema", shard.path, f"columns {sorted(different)} differ from the contract")
    if (schema.metadata or {}).get(b"huggingface") != (SCHEMA.metadata or {})[b"huggingface"]:
        yield Finding("shard-schema", shard.path, "the huggingface metadata differs, `datasets` would not decode audio")


def check_counts(manifest: Manifest, tallies: dict[str, Tally]) -> Iterator[Finding]:
    """The manifest's figures against what the rows came to, by split."""
    for split, entry in manifest.splits.items():
        tally = tallies.get(split, Tally())
        listed = sum(shard.rows for shard in entry.shards)
        rows, hours = sum(tally.abilities.values()), _hours(tally)
        if not entry.rows == listed == rows or abs(entry.hours - hours) > HOURS_TOLERANCE:
            yield Finding(
                "manifest-counts",
                f"manifest.json {split}",
                f"{entry.rows} rows and {entry.hours} h; counted {rows} and {hours:.6f}, its shards list {listed} rows",
            )
    hours = sum(_hours(tally) for tally in tallies.values())
    if abs(manifest.hours - hours) > HOURS_TOLERANCE:
        yield Finding("manifest-counts", "manifest.json hours", f"{manifest.hours} h; counted {hours:.6f}")
    for name, said, counted in (
        ("rows", manifest.rows, sum(sum(t.abilities.values()) for t in tallies.values())),
        ("responses", manifest.responses, sum(t.responses for t in tallies.values())),
        ("abilities", manifest.abilities, _total(tallies, "abilities")),
        ("sub_tasks", manifest.sub_tasks, _total(tallies, "sub_tasks")),
        ("languages", manifest.languages, _total(tallies, "languages")),
        ("licences", manifest.licences, _total(tallies, "licences")),
        ("foreground_sources", manifest.foreground_sources, _total(tallies, "sources")),
    ):
        if said != counted:
            yield Finding("manifest-counts", f"manifest.json {name}", f"{said!r}; counted {counted!r}")


def check_realised(manifest: Manifest, realised: Realised) -> Iterator[Finding]:
    """The recipe's gates, and what the manifest says of the distributions, against what the rows have."""
    report = realised.report()
    for name, why in broken_gates(manifest.recipe, report):
        yield Finding(f"gate-{name}", "manifest.json recipe.gates.max_drift", why)
    yield from broken_by_corpus(manifest.recipe.gates, manifest.rows, manifest.quarantined, report)
    others = {path for other in manifest.recipes.values() for path in other.shards}
    own_rows = sum(shard.rows for _, shard in manifest.shards() if shard.path not in others)
    if manifest.realised is None or realised.rows != own_rows:
        return
    said, came = manifest.realised["distributions"], report["distributions"]
    for name in sorted({*said, *came}):
        one, other = ({k: d.get(name, {}).get(k) for k in ("n", "mean", "drift")} for d in (said, came))
        if (
            one["n"] != other["n"]
            or abs(one["mean"] - other["mean"]) > 1e-3
            or abs(one["drift"] - other["drift"]) > 0.01
        ):
            yield Finding("manifest-realised", f"manifest.json realised {name}", f"{one}; the rows have {other}")
    if manifest.realised["reuse"] != report["reuse"]:
        detail = f"{manifest.realised['reuse']}; the rows have {report['reuse']}"
        yield Finding("manifest-realised", "manifest.json realised reuse", detail)


def _hours(tally: Tally) -> float:
    return to_seconds(tally.samples) / 3600


def _total(tallies: dict[str, Tally], field: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for tally in tallies.values():
        for key, count in getattr(tally, field).items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items()))


def _files(corpus: Location, manifest: Manifest) -> Iterator[Finding]:
    listed = [shard.path for _, shard in manifest.shards()]
    there = files_below(corpus, "data")
    for path in sorted({path for path in listed if listed.count(path) > 1}):
        yield Finding("shards-listed", path, "listed more than once")
    for path in listed:
        if not _inside(path):
            yield Finding("shard-path-inside", path, "leaves the corpus folder; it was not opened")
        elif _has_link(corpus, path):
            yield Finding("no-links", path, "is reached through a symbolic link; it was not opened")
        elif path not in there and size(corpus / path) is None:
            yield Finding("shards-listed", path, "is listed but not there")
    for relative in sorted(there - set(listed)):
        file = PurePosixPath(relative)
        if _is_link(corpus / relative):
            yield Finding("no-links", relative, "a corpus holds no symbolic links")
        else:
            rule = "shards-listed" if file.suffix == ".parquet" and not file.name.startswith(".") else "stray-file"
            yield Finding(rule, relative, "is on disk but not in the manifest")
    for name in sorted(entry.name for entry in corpus.iterdir()):
        if name not in _OURS and not (name.startswith(".git") and not name.endswith(".tmp")):
            yield Finding("stray-file", name, "no file of a corpus has this name")


def _inside(relative: str) -> bool:
    path = Path(relative)
    return not path.is_absolute() and ".." not in path.parts


def _is_link(path: Location) -> bool:
    return isinstance(path, Path) and path.is_symlink()


def _has_link(corpus: Location, relative: str) -> bool:
    if not isinstance(corpus, Path):
        return False
    path = corpus / relative
    return any(part.is_symlink() for part in (path, *path.parents) if part != corpus and part.is_relative_to(corpus))


def _card(corpus: Location, manifest: Manifest) -> Iterator[Finding]:
    where = "README.md"
    card = read(corpus / where)
    if card is None:
        yield Finding("card-front-matter", where, "the dataset card is missing")
        return
    parts = card.decode(errors="replace").split("---\n", 2)
    try:
        front = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError as error:
        yield Finding("card-front-matter", where, _line(error))
        return
    if not isinstance(front, dict):
        yield Finding("card-front-matter", where, "does not begin with YAML between --- lines")
        return
    missing = sorted({"license", "language", "size_categories", "tags", "configs"} - front.keys())
    if missing or "synthetic" not in (front.get("tags") or ()):
        yield Finding("card-front-matter", where, f"lacks {missing or ['the tag synthetic']}")
    try:
        files = {file["split"]: file["path"] for config in front["configs"] for file in config["data_files"]}
    except (KeyError, TypeError):
        files = {}
    patterns = [str(one) for path in files.values() for one in (path if isinstance(path, list) else [path])]
    if set(files) != set(manifest.splits) or not all(pattern.startswith("data/") for pattern in patterns):
        yield Finding("card-front-matter", where, f"data_files {files}, expected {list(manifest.splits)} under data/")


def _quarantine(corpus: Location, manifest: Manifest) -> Iterator[Finding]:
    where = "quarantine.parquet"
    try:
        with open_parquet(corpus / where) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        yield Finding("quarantine-readable", where, _line(error))
        return
    if not schema.equals(QUARANTINE_SCHEMA):
        yield Finding("quarantine-readable", where, f"columns {schema.names}, expected {QUARANTINE_SCHEMA.names}")
    if rows != manifest.quarantined:
        yield Finding("manifest-counts", where, f"{rows} rows, the manifest says {manifest.quarantined}")


def _same_field(schema: pa.Schema, name: str) -> bool:
    return name in schema.names and name in SCHEMA.names and schema.field(name).equals(SCHEMA.field(name))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
