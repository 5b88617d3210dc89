"""Room impulse responses a recipe names: one file, or a folder of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import BadInput
from pipeline.library.decode import SUFFIXES, Unreadable, decode


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """An impulse response, float32, 16 kHz mono, with its name and the hash of its file."""

    name: str
    sha256: str
    samples: np.ndarray


def load_rooms(path: str | None) -> tuple[Room, ...]:
    """The rooms at `path`, in order of name; none for None.

    Raises:
        BadInput: there is no such file or folder, it holds no sound file, or one cannot be read.
    """
    if path is None:
        return ()
    root = Path(path)
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES) if root.is_dir() else [root]
    if not files or not all(file.is_file() for file in files):
        raise BadInput(f"composition.room_ir {path!r} is no sound file and no folder of them; name an impulse response")
    return tuple(_load(file, root) for file in files)


def rooms_sha256(rooms: tuple[Room, ...]) -> str | None:
    """One hash for all of them; None where there are none."""
    return hashlib.sha256("".join(room.sha256 for room in rooms).encode()).hexdigest() if rooms else None


def _load(file: Path, root: Path) -> Room:
    try:
        samples = decode(file).samples
    except Unreadable as reason:
        raise BadInput(f"impulse response {str(file)!r} {reason}") from None
    if not samples.any():
        raise BadInput(f"impulse response {str(file)!r} is silent; leave it out")
    name = file.relative_to(root).as_posix() if file != root else file.name
    return Room(name, hashlib.sha256(file.read_bytes()).hexdigest(), samples)
