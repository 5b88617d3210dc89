"""What all exports share: a folder that appears whole or not at all, safe file names, tars, credits."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.errors import BadInput
from pipeline.shards.writer import sync_folder
from schemas.row import Event, NoiseTrack, Row

TAR_BYTES: Final = 256 * 2**20
"""Audio bytes after which a tar is closed and the next begun."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `out` when the block ends well and vanishes when it does not.

    Raises:
        BadInput: `out` is there and not an empty folder.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"--out {str(out)!r} already holds something; name a new or empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    filling = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    try:
        yield filling
        filling.chmod(0o755)
        filling.replace(out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(filling, ignore_errors=True)


def safe_name(name: str) -> str:
    """`name`, where it is one harmless file name.

    Raises:
        BadInput: it could leave the folder, hide or break a tool.
    """
    if not _SAFE.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot be a file name: letters, digits, '.', '_' and '-' only; rename it in the corpus"
        )
    return name


def facts(row: Row) -> dict[str, Any]:
    """Everything about a row but its audio, as JSON knows it."""
    return row.model_dump(mode="json", exclude={"audio"})


def json_line(record: Mapping[str, Any]) -> str:
    """One line of a JSON lines file."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet.

    Raises:
        BadInput: two rows of the corpus have one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise BadInput(f"{path.name!r} occurs twice in the corpus; ids must differ") from error


class Lines:
    """JSON lines files that are opened when they get their first line, one for each path."""

    def __init__(self) -> None:
        self._files: dict[Path, io.TextIOWrapper] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, path: Path, record: Mapping[str, Any]) -> None:
        """Append one line."""
        if path not in self._files:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[path] = path.open("x", encoding="utf-8")
        self._files[path].write(json_line(record))


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file to a tar; time and owner are left out, so that equal rows give equal bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


class Credits:
    """Licences and authors of the sounds of the rows seen."""

    def __init__(self) -> None:
        self.licences: Counter[str] = Counter()
        self.authors: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, events: Iterable[Event], noise: Iterable[NoiseTrack]) -> None:
        """Count the sounds of one row."""
        for event in events:
            self.licences[event.licence] += 1
            if event.attribution:
                self.authors[event.licence].add(" ".join(event.attribution.split()))
        self.licences.update(licence for track in noise for licence in track.licences)

    def write(self, folder: Path) -> None:
        """Write ATTRIBUTION.md."""
        lines = ["# Attribution\n", "Licences of the sounds (events and noise clips), and who made them.\n"]
        for licence, count in sorted(self.licences.items()):
            lines.append(f"## {licence}: {count:,} sounds\n")
            lines.append("".join(f"- {author}\n" for author in sorted(self.authors[licence])))
        write_new(folder / "ATTRIBUTION.md", "\n".join(lines).encode())
