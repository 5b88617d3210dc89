"""Samples on disk: one flat 16 kHz file for all clips, and a content-addressed cache of conditioned ones."""

import contextlib
import json
import mmap
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.library.clip import Clip
from schemas.protocol import SAMPLE_RATE

PARAMETERS: dict[str, object] = {"rate_hz": SAMPLE_RATE, "channels": 1, "encoding": "pcm16le", "version": 1}
_FULL_SCALE = 32_768.0
MAPPED_BYTES = 16 * 2**20


class Store:
    """Read side: a memory-mapped file of little-endian int16 at 16 kHz, clips one after another.

    Of a large library a map would in time hold every page that was ever read, so after each `MAPPED_BYTES` of reading
    they are given back; the system keeps them cached as it sees fit. Any number of threads may read at once.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._samples = np.frombuffer(self._map, "<i2")
        self._read_bytes = 0

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, clip: Clip, start: int = 0, end: int | None = None) -> NDArray[np.float32]:
        """Samples [start, end) of a clip as float32 in [-1, 1); `end` defaults to its length.

        Raises IndexError where the span is not inside the clip.
        """
        end = clip.num_samples if end is None else end
        if not 0 <= start <= end <= clip.num_samples:
            raise IndexError(f"samples {start}..{end} are not inside clip {clip.clip_id!r} of {clip.num_samples}")
        self._read_bytes += 2 * (end - start)
        if self._read_bytes > MAPPED_BYTES and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)
            self._read_bytes = 0
        stored = self._samples[clip.store_offset + start : clip.store_offset + end]
        return np.multiply(stored, np.float32(1 / _FULL_SCALE), dtype=np.float32)


class StoreWriter:
    """Write side: appends after `length` samples; whatever lies beyond is an aborted import's and is cut off.

    Leaving the context in an error cuts off what was appended, so that a failed import changes nothing.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._kept = self.length = length

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        self._file.truncate(2 * self._kept)
        return self

    def append(self, samples: NDArray[np.float32]) -> int:
        """Write one clip, float32 in [-1, 1]; its offset in samples."""
        offset = self.length
        pcm = np.clip(np.rint(samples * np.float32(_FULL_SCALE)), -32_768, 32_767).astype("<i2")
        self._file.write(pcm.tobytes())
        self.length += len(pcm)
        return offset

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            with contextlib.suppress(OSError):  # a full disk fails again where the buffer is flushed
                self._file.close()
            if kind is not None:
                os.truncate(self._path, 2 * self._kept)


class ConditionedCache:
    """Conditioned clips by key: one safetensors file each, in 256 folders.

    Any number of processes may read and write at once: a file appears whole, by rename, and equal keys mean
    equal content, so that whoever is last changes nothing. A key is a hex digest of all that determines the
    result.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"

    def get(self, key: str) -> tuple[NDArray[np.float32], dict[str, Any]] | None:
        """The samples and what was stored about them; None where the key is new or its file is damaged."""
        try:
            with safe_open(self._path(key), framework="numpy") as file:
                return file.get_tensor("samples"), json.loads(file.metadata()["meta"])
        except (FileNotFoundError, SafetensorError):
            return None

    def put(self, key: str, samples: NDArray[np.float32], meta: dict[str, Any]) -> None:
        """Keep float32 samples and a JSON object under `key`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = save({"samples": np.ascontiguousarray(samples, np.float32)}, metadata={"meta": json.dumps(meta)})
        handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise
