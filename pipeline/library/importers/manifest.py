"""A table of recordings: CSV, JSON lines or Parquet with the columns path, caption, tags, transcript, speaker,
language, licence, attribution, kind. Only `path` is required; relative paths start at the manifest's folder."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.library import licences
from pipeline.library.clip import ClipKind
from pipeline.library.importers.source import Rejected, Source, inside, one_line, unique, words_of_name

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})
MAX_BYTES = 1_000_000_000
"""Of a manifest, read; three million rows of plain captions are less."""
BATCH_ROWS = 64
_ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "audio_path"),
    "caption": ("caption", "description"),
    "tags": ("tags", "labels"),
    "transcript": ("transcript", "transcription", "sentence"),
    "speaker": ("speaker", "speaker_id"),
    "language": ("language", "lang", "locale"),
    "licence": ("licence", "license", "licence_url", "license_url"),
    "attribution": ("attribution", "author", "source"),
    "kind": ("kind",),
}


def sources(path: Path) -> Iterator[Source | Rejected]:
    """The manifest's rows as sources; a row whose file is missing or outside the manifest's folder is rejected."""
    rows = read_rows(path)
    if not any(_value(row, "path") for row in rows):
        raise BadInput(f"manifest {str(path)!r} has no row with a path; name the column `path`")
    for number, row in enumerate(rows, 1):
        yield _source(path.parent, row, f"row {number} of {path.name}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Every row of the table, values as the format has them. Raises BadInput where it cannot be read."""
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(_too_large(path))
        if suffix in {".csv", ".tsv"}:
            with path.open(newline="", encoding="utf-8-sig") as file:
                return list(csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ","))
        if suffix in {".jsonl", ".ndjson"}:
            rows = [json.loads(line) for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
            if not all(isinstance(row, dict) for row in rows):
                raise BadInput(f"manifest {str(path)!r} has a line that is no JSON object; every line must be one")
            return rows
        if suffix == ".parquet":
            return _parquet_rows(path)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise BadInput(f"manifest {str(path)!r} cannot be read ({one_line(error)}); export it again") from error
    raise BadInput(f"manifest {str(path)!r} has the suffix {suffix!r}; use one of {', '.join(sorted(SUFFIXES))}")


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file that may be far larger than it looks: a few kilobytes can unfold to gigabytes."""
    rows: list[dict[str, Any]] = []
    unfolded = 0
    with pq.ParquetFile(path) as file:
        groups = (file.metadata.row_group(i) for i in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > MAX_BYTES:
            raise BadInput(_too_large(path))
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            unfolded += sum(_plain(column).nbytes for column in batch.columns)
            if unfolded > MAX_BYTES:
                raise BadInput(_too_large(path))
            rows += batch.to_pylist()
    return rows


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _too_large(path: Path) -> str:
    return f"manifest {str(path)!r} holds more than {MAX_BYTES} bytes; split it and import the parts one after another"


def annotations(row: Mapping[str, Any]) -> dict[str, Any]:
    """The annotation fields of a `Source` that a row or a sidecar states."""
    found: dict[str, Any] = {
        name: text
        for name in ("caption", "transcript", "speaker", "language", "attribution")
        if (text := one_line(_value(row, name)))
    }
    if tags := _tags(_value(row, "tags")):
        found["tags"] = tags
    written = [one_line(row[name]) for name in reversed(_ALIASES["licence"]) if row.get(name)]
    if written:
        found["licence"] = licences.normalise(*written)
    # Only people have these; a recording of one that passes for a noise would put words where nobody answers.
    said = found.keys() & {"transcript", "speaker", "language"}
    kind = one_line(_value(row, "kind")).lower() or ("speech" if said else "")
    if kind:
        if kind not in get_args(ClipKind):
            raise ValueError(f"kind {kind!r} is not known; use one of {', '.join(get_args(ClipKind))}")
        found["kind"] = cast(ClipKind, kind)
    return found


def path_of(row: Mapping[str, Any]) -> str:
    """The path a row names, or ""."""
    return str(_value(row, "path")).strip()


def _source(root: Path, row: Mapping[str, Any], where: str) -> Source | Rejected:
    name = path_of(row)
    if not name:
        return Rejected(where, "names no path; every row needs one")
    path = root / name
    try:
        if not inside(root, path):
            return Rejected(name, f"lies outside {str(root)!r}, the manifest's folder; copy it there")
        if not path.is_file():
            return Rejected(name, f"does not exist under {str(root)!r}; correct the path or remove the row")
        fields = annotations(row)
    except (ValueError, OSError) as error:  # e.g. a NUL or 300 characters in a path
        return Rejected(name, one_line(error))
    fields.setdefault("caption", default_caption(path, root, fields.get("kind", "sfx"), fields.get("tags", ())))
    return Source(path, **fields)


def default_caption(path: Path, root: Path, kind: ClipKind, tags: tuple[str, ...] = ()) -> str:
    """A caption for a file that has none: its tags, else its name, else its folder's, else its kind."""
    folder = words_of_name(path.parent.name) if path.parent != root else ""
    spoken = {"speech": "a person speaking", "music": "music", "sfx": "a sound"}[kind]
    if kind == "speech":
        return spoken
    return ", ".join(tags).lower() or words_of_name(path.stem) or folder or spoken


def _value(row: Mapping[str, Any], field: str) -> Any:
    for name in _ALIASES[field]:
        if row.get(name) not in (None, ""):
            return row[name]
    return ""


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return unique(str(tag) for tag in value)
    text = str(value)
    return unique(text.split(";" if ";" in text else "|" if "|" in text else ","))
