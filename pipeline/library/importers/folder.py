"""Any folder of recordings. Annotations come, later ones first, from folder and file names, tables in the top
folder (see `manifest`), and sidecars: `bark.txt` holds a caption, `bark.json` the fields of a manifest row."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.library.decode import SUFFIXES
from pipeline.library.importers import manifest
from pipeline.library.importers.source import Rejected, Source, inside, one_line, unique, words_of_name


def sources(root: Path) -> Iterator[Source | Rejected]:
    """Every file under `root` with the suffix of a sound file, in the order of its path."""
    table = _table(root)
    for path in audio_files(root):
        name = path.relative_to(root).as_posix()
        if not inside(root, path):
            yield Rejected(name, f"is a link to a place outside {str(root)!r}; copy the file there")
            continue
        try:
            yield _source(root, path, table.pop(name, {}))
        except ValueError as error:
            yield Rejected(name, one_line(error))
    for name in table:
        yield Rejected(name, f"is in a table but is no sound file under {str(root)!r}; correct its row")


def audio_files(root: Path) -> list[Path]:
    """Files with the suffix of a sound file, hidden ones left out, sorted."""
    found = [
        Path(folder, name)
        for folder, _, names in os.walk(root)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
    ]
    return sorted(found)


def _table(root: Path) -> dict[str, dict[str, Any]]:
    rows = [
        row
        for path in sorted(root.iterdir())
        if path.suffix.lower() in manifest.SUFFIXES and path.is_file()
        for row in manifest.read_rows(path)
    ]
    return {os.path.normpath(name): row for row in rows if (name := manifest.path_of(row))}


def _source(root: Path, path: Path, row: dict[str, Any]) -> Source:
    fields = manifest.annotations(row) | _sidecar(path)
    folders = unique(words_of_name(part) for part in path.relative_to(root).parts[:-1])
    fields.setdefault("tags", folders)
    fields.setdefault("caption", manifest.default_caption(path, root, fields.get("kind", "sfx")))
    return Source(path, **fields)


def _sidecar(path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    text, record = path.with_suffix(".txt"), path.with_suffix(".json")
    if text.is_file() and (caption := one_line(text.read_text("utf-8-sig"))):
        fields["caption"] = caption
    if record.is_file():
        value = json.loads(record.read_text("utf-8-sig"))
        if not isinstance(value, dict):
            raise ValueError(f"its sidecar {record.name} is no JSON object; write it like a manifest row")
        fields |= manifest.annotations(value)
    return fields
