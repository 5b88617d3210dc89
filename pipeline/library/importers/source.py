"""What an importer says about one file, before anybody has opened it."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.library.clip import ClipKind


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import and its annotations; text that is not known is ""."""

    path: Path
    caption: str
    tags: tuple[str, ...] = ()
    transcript: str = ""
    speaker: str = ""
    language: str = ""
    kind: ClipKind = "sfx"
    licence: str = "unknown"
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that did not become a clip, and why."""

    path: str
    reason: str


def one_line(text: object) -> str:
    """Free text as it is, quotes and emoji included, on one line and without control characters."""
    kept = "".join(c if unicodedata.category(c) != "Cc" else " " for c in str(text))
    return " ".join(kept.split())


def unique(words: Iterable[str]) -> tuple[str, ...]:
    """Non-empty words in order, each once, whatever its case."""
    found = {word.casefold(): word for word in reversed([one_line(w) for w in words]) if word}
    return tuple(reversed(found.values()))


def words_of_name(name: str) -> str:
    """What a person would read out of a file or folder name: "001 - Dog_bark" -> "dog bark"; "" where it is a code.

    Numbers, takes and codes such as "1-100032-A" or "LJ002-0020" say nothing and go.
    """
    name = re.sub(r"^\d+__[^_]+(?:_[^_]+)*?__", "", name)  # Freesound: 1234__user__title
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    tokens = re.split(r"[\s_\-.,;()\[\]+&]+", name)
    words = [token for token in tokens if token.replace("'", "").isalpha() and (len(token) > 1 or not token.isascii())]
    return " ".join(words).casefold()


def inside(root: Path, path: Path) -> bool:
    """Whether `path`, with every link followed, lies under `root`."""
    return path.resolve().is_relative_to(root.resolve())
