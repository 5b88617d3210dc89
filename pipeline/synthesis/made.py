"""What was made once is never made again: generated sounds, speech and transcripts by the content that determines them.

A hosted service may answer the same request differently tomorrow, and it is paid for each time. So the first result
stands: a rebuild takes it from here, pays nothing and gives the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.synthesis.audio import FULL_SCALE


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """`samples`: float32, 16 kHz mono on the grid of int16; None where nothing came of it. `facts`: JSON values."""

    samples: np.ndarray | None
    facts: Mapping[str, Any]


class MadeCache:
    """One safetensors file per result in 256 folders; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: set[str] | None = None

    @staticmethod
    def at(folder: str | None) -> MadeCache:
        """The cache in `folder`, or in the user's own cache."""
        return MadeCache(Path(folder) if folder else platformdirs.user_cache_path("streamaudio-builder") / "made")

    def once(self, request: Mapping[str, Any], make: Callable[[], Made]) -> Made:
        """What `make` returned when it was first asked for `request` (JSON values that determine it).

        Whoever comes second waits; an error is not kept.
        """
        key = hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        path = self._path(key)
        if self._noted is not None:
            self._noted.add(key)
        if (found := _read(path)) is not None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / ".lock"):
            if (found := _read(path)) is not None:
                return found
            made = make()
            _write(path, made, request)
        # What is kept is what is used: the samples were rounded.
        kept = _read(path)
        assert kept is not None
        return kept

    @contextlib.contextmanager
    def noted(self) -> Iterator[set[str]]:
        """The keys of all that is asked for meanwhile, by threads too."""
        self._noted = set[str]()
        try:
            yield self._noted
        finally:
            self._noted = None

    def files(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is kept under these keys, for the cache of another machine; what is not there is left out."""
        return {key: self._path(key).read_bytes() for key in sorted(keys) if self._path(key).is_file()}

    def take(self, files: Mapping[str, bytes]) -> None:
        """Keep what another cache gave; what is here already stands."""
        for key, content in files.items():
            if not self._path(key).is_file():
                self._path(key).parent.mkdir(parents=True, exist_ok=True)
                _place(self._path(key), content)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"


def _read(path: Path) -> Made | None:
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            samples = file.get_tensor("samples")
    except (FileNotFoundError, SafetensorError):
        return None
    return Made(samples.astype(np.float32) / np.float32(FULL_SCALE) if len(samples) else None, facts)


def _write(path: Path, made: Made, request: Mapping[str, Any]) -> None:
    samples = np.zeros(0, np.float32) if made.samples is None else made.samples
    pcm = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    metadata = {"facts": json.dumps(made.facts), "request": json.dumps(request, ensure_ascii=False)}
    _place(path, save({"samples": pcm}, metadata=metadata))


def _place(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
