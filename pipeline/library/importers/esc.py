"""ESC-10 (a folder per class, with `attribution.csv`) and ESC-50 (`audio/` and `meta/esc50.csv`), Piczak 2015.

A class name is a poor caption, so each class has a few natural ones, of which a file takes one by its name, and
tags with the names of the AudioSet ontology.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import BadInput
from pipeline.library import licences
from pipeline.library.importers import manifest
from pipeline.library.importers.folder import audio_files
from pipeline.library.importers.source import Rejected, Source, inside, one_line, words_of_name
from pipeline.packaged import packaged_yaml

_ATTRIBUTION = "attribution.csv"
_META = Path("meta", "esc50.csv")


def recognises(root: Path) -> bool:
    """Whether `root` has the layout of ESC-50 or of ESC-10 with its attributions."""
    if (root / _META).is_file():
        return True
    table = root / _ATTRIBUTION
    return table.is_file() and {"class", "file"} <= set(_first_row(table))


def sources(root: Path) -> Iterator[Source | Rejected]:
    """Every sound file, with the captions of its class and what the tables say about it."""
    if not recognises(root):
        raise BadInput(
            f"folder {str(root)!r} is not laid out like ESC; it needs {_ATTRIBUTION} with the columns class and file, "
            f"or {_META.as_posix()}; for any other folder use --layout folder"
        )
    credits = {row["file"]: row for row in _rows(root / _ATTRIBUTION) if row.get("file")}
    categories = {row["filename"]: row["category"] for row in _rows(root / _META) if row.get("filename")}
    document = root / "LICENSE"
    general = licences.from_document(document.read_text("utf-8", errors="replace")) if document.is_file() else "unknown"
    for path in audio_files(root):
        name = path.relative_to(root).as_posix()
        if not inside(root, path):
            yield Rejected(name, f"is a link to a place outside {str(root)!r}; copy the file there")
            continue
        row = credits.get(path.name, {})
        label = words_of_name(categories.get(path.name) or row.get("class") or path.parent.name)
        caption, tags = _describe(label, path.name)
        licence = licences.normalise(row.get("licence_url"), row.get("licence")) if row else general
        yield Source(path, caption, tags, licence=licence, attribution=_attribution(row))


def _rows(path: Path) -> list[dict[str, Any]]:
    return manifest.read_rows(path) if path.is_file() else []


def _first_row(path: Path) -> dict[str, Any]:
    return next(iter(_rows(path)), {})


def _attribution(row: dict[str, Any]) -> str:
    title, author, url = (one_line(row.get(name) or "") for name in ("source_title", "author", "source_url"))
    credit = f"{title} by {author}" if title and author else title or author
    return f"{credit} ({url})" if credit and url else credit or url


@cache
def _classes() -> dict[str, dict[str, list[str]]]:
    return packaged_yaml("pipeline.library.importers", "esc_classes.yaml")


def _describe(label: str, filename: str) -> tuple[str, tuple[str, ...]]:
    known = _classes().get(label)
    if known is None:
        return label, (label,)
    pick = int.from_bytes(hashlib.sha256(filename.encode()).digest()[:4], "big")
    return known["captions"][pick % len(known["captions"])], tuple(known["tags"])
