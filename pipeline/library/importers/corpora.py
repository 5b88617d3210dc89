"""What the importers of published corpora share: tables, files by their names, and what belongs to a test split.

Each corpus is read from its published folder. A row whose recording is missing, and a recording of a test or
evaluation split, is rejected with its reason: what models are measured on never becomes training data.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import BadInput
from pipeline.library.importers.folder import audio_files
from pipeline.library.importers.source import Rejected, Source, inside, one_line

HELD_OUT = frozenset({"test", "eval", "evaluation", "test-clean", "test-other", "tt", "Test"})
"""Names of splits that corpora publish to measure models on."""


class Read(Protocol):
    """Lists a corpus."""

    def __call__(self, root: Path) -> Iterator[Source | Rejected]: ...


@dataclass(frozen=True, slots=True)
class Corpus:
    """A published layout: `marks` are glob patterns, all of which a folder of this layout matches."""

    marks: tuple[str, ...]
    read: Read

    def recognises(self, root: Path) -> bool:
        """Whether `root` has this layout."""
        return all(next(root.glob(mark), None) is not None for mark in self.marks)

    def sources(self, root: Path, name: str) -> Iterator[Source | Rejected]:
        """Raises BadInput where `root` has another layout."""
        if not self.recognises(root):
            raise BadInput(
                f"folder {str(root)!r} is not laid out like {name}; it needs {' and '.join(self.marks)}; "
                "for any other folder use --layout folder"
            )
        return self.read(root)


class Files:
    """The recordings under a folder by their names; what no row asked for is left over."""

    def __init__(self, root: Path, *, by: str = "stem") -> None:
        self._root = root
        self._paths = {getattr(path, by): path for path in audio_files(root)}

    def take(self, name: str) -> Path | Rejected:
        """The recording of a row, or why there is none."""
        path = self._paths.pop(name, None)
        if path is None:
            return Rejected(
                name, f"is in a table, but no such recording is under {str(self._root)!r}; fetch it or remove its row"
            )
        if not inside(self._root, path):
            return Rejected(name, f"is a link to a place outside {str(self._root)!r}; copy the file there")
        return path

    def left(self) -> Iterator[Path]:
        """Recordings that nobody took, in order, links to elsewhere left out."""
        return (path for path in self._paths.values() if inside(self._root, path))


def rows(path: Path, *, encoding: str = "utf-8-sig") -> list[dict[str, Any]]:
    """Rows of a CSV or TSV file; quotes mean nothing in the latter. Raises BadInput where it cannot be read."""
    tabs = path.suffix == ".tsv"
    try:
        with path.open(newline="", encoding=encoding) as file:
            quoting = csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL
            return list(
                csv.DictReader(file, delimiter="\t" if tabs else ",", quoting=quoting, skipinitialspace=not tabs)
            )
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"table {str(path)!r} cannot be read ({one_line(error)}); fetch it again") from error


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(first word, the rest) of each line of a text file, as Kaldi writes its tables."""
    for line in path.read_text("utf-8-sig").splitlines():
        key, _, rest = line.strip().partition(" " if "\t" not in line else "\t")
        if key:
            yield key, rest.strip()


def held_out(name: str, split: str) -> Rejected:
    """A recording of a test split."""
    return Rejected(name, f"belongs to the published split {split!r}, on which models are measured; it stays out")


def said(
    path: Path | Rejected, transcript: str, *, speaker: str, language: str, licence: str, attribution: str,
    tags: tuple[str, ...] = (),
) -> Source | Rejected:  # fmt: skip
    """A recording of speech; without a transcript it is rejected."""
    if isinstance(path, Rejected):
        return path
    transcript = one_line(transcript)
    if not transcript:
        return Rejected(str(path), "has no transcript; its row must have one")
    return Source(
        path,
        "a person speaking",
        ("Speech", *tags),
        transcript,
        one_line(speaker),
        language,
        "speech",
        licence,
        attribution,
    )


def value(row: Mapping[str, Any], *names: str) -> str:
    """The first of these columns that has a value, on one line."""
    return next((text for name in names if (text := one_line(row.get(name) or ""))), "")
