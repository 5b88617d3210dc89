"""Recordings that must never enter a library, such as those of an evaluation set, and how they are recognised.

A folder or sound file protects its recordings: the same bytes, and the same sound in another format, level or cut. A
text file protects one title, file name or sha256 per line.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.library.checkpoints import sha256
from pipeline.library.decode import SUFFIXES, Unreadable, decode
from pipeline.library.fingerprint import Book, Landmarks, landmarks
from pipeline.library.importers.folder import audio_files

FILE = "protected.npz"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Protected:
    """What may not enter."""

    recordings: Mapping[str, tuple[str, Landmarks]] = field(default_factory=dict)
    """File name and landmarks by sha256."""
    hashes: frozenset[str] = frozenset()
    titles: frozenset[str] = frozenset()
    """In the form of `_plain`."""

    @classmethod
    def read(cls, lists: Iterable[Path]) -> "Protected":
        """From files and folders of the user. Raises BadInput where one is missing, unreadable or protects nothing."""
        whole = cls()
        for path in lists:
            if not path.exists():
                raise BadInput(
                    f"protected list {str(path)!r} does not exist; give a folder, a sound file or a text file"
                )
            if path.is_dir() or path.suffix.lower() in SUFFIXES:
                added = cls(recordings=_heard(audio_files(path) if path.is_dir() else [path]))
            else:
                added = _lines(path)
            if not added:
                raise BadInput(f"protected list {str(path)!r} names nothing; remove it or fill it")
            whole = whole | added
        return whole

    @classmethod
    def load(cls, folder: Path) -> "Protected":
        """What a library was told before; nothing where it was told nothing."""
        path = folder / FILE
        if not path.is_file():
            return cls()
        with np.load(path, allow_pickle=False) as stored:
            told = json.loads(str(stored["told"]))
            ends = np.cumsum(stored["sizes"])[:-1]
            parts = zip(np.split(stored["hashes"], ends), np.split(stored["frames"], ends), strict=True)
            recordings = {
                sha256: (name, Landmarks(*part))
                for (sha256, name), part in zip(told["recordings"].items(), parts, strict=False)
            }
        return cls(recordings, frozenset(told["sha256"]), frozenset(told["titles"]))

    def save(self, path: Path) -> None:
        """Keep it, so that later imports into the library are held to it too."""
        told = {
            "recordings": {sha256: name for sha256, (name, _) in self.recordings.items()},
            "sha256": sorted(self.hashes),
            "titles": sorted(self.titles),
        }
        pages = [page for _, page in self.recordings.values()]
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                told=json.dumps(told),
                sizes=np.array([len(page) for page in pages], np.int64),
                hashes=np.concatenate([np.zeros(0, np.uint32), *(page.hashes for page in pages)]),
                frames=np.concatenate([np.zeros(0, np.int32), *(page.frames for page in pages)]),
            )

    def __or__(self, other: "Protected") -> "Protected":
        return Protected(
            {**self.recordings, **other.recordings}, self.hashes | other.hashes, self.titles | other.titles
        )

    def __bool__(self) -> bool:
        return bool(self.recordings or self.hashes or self.titles)

    def facts(self) -> dict[str, int]:
        """For `library info`."""
        return {"recordings": len(self.recordings), "sha256": len(self.hashes), "titles": len(self.titles)}


class Gate:
    """Tells why a recording may not enter; may be asked by many threads."""

    def __init__(self, protected: Protected) -> None:
        self._protected = protected
        self._names = [name for name, _ in protected.recordings.values()]
        self._book = Book(page for _, page in protected.recordings.values())

    def by_name(self, path: Path, caption: str, attribution: str, sha256: str) -> str | None:
        """The reason in a file's bytes and annotations."""
        if sha256 in self._protected.hashes or sha256 in self._protected.recordings:
            return "is protected (its sha256 is on the list)"
        for name in (path.name, path.stem, caption, attribution.split(" by ")[0]):
            if _plain(name) in self._protected.titles:
                return f"is protected (the title {name!r} is on the list)"
        return None

    def by_sound(self, samples: NDArray[np.float32]) -> str | None:
        """The reason in 16 kHz samples: they are one of the recordings, or a part of one."""
        found = self._book.find(landmarks(samples)) if self._names else None
        if found is None:
            return None
        return f"is protected (it sounds like {self._names[found[0]]!r}, {found[1]:.0%} of the landmarks agree)"


def _heard(files: Iterable[Path]) -> dict[str, tuple[str, Landmarks]]:
    try:
        return {sha256([path]): (path.name, landmarks(decode(path).samples)) for path in files}
    except Unreadable as error:
        raise BadInput(f"a protected recording {error}; what cannot be read cannot be recognised") from error


def _lines(path: Path) -> Protected:
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"protected list {str(path)!r} is no text file ({error}); give one title a line") from error
    hashes = {line.lower() for line in lines if _SHA256.fullmatch(line.lower())}
    titles = {plain for line in lines if line.lower() not in hashes and (plain := _plain(line))}
    return Protected(hashes=frozenset(hashes), titles=frozenset(titles))


def _plain(title: str) -> str:
    """A title without case, punctuation and spacing."""
    return " ".join(re.findall(r"\w+", title.casefold()))
