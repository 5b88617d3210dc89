"""Writing one shard: whole or not at all, row groups sized by bytes, the same bytes every time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.shards.schema import SCHEMA
from pipeline.storage import Location, put, put_file, scratch
from schemas.row import Row

ROW_GROUP_BYTES: Final = 20 * 2**20
"""Audio bytes after which a row group is closed; larger groups make a random row slow to reach."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A finished shard as the manifest lists it; `path` is relative to the corpus folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


def write_shard(root: Location, relative: str, rows: Iterable[Row]) -> ShardFile:
    """Write `rows` to `root/relative`, at most one row group in memory; it appears whole, by a rename or one put.

    Raises:
        OSError: the disk is full or not writable; nothing of the shard is left behind.
    """
    target = root / relative
    folder = target.parent if isinstance(target, Path) else scratch(root)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{target.name}.{os.getpid()}.tmp"
    count = 0
    try:
        # FLAC does not compress further, and dictionaries or statistics over it would only cost space.
        text_columns = [name for name in _leaf_columns() if name != "audio.bytes"]
        with pq.ParquetWriter(
            temporary,
            SCHEMA,
            compression=dict.fromkeys(text_columns, "zstd") | {"audio.bytes": "none"},  # pyright: ignore[reportArgumentType]
            use_dictionary=False,
            write_statistics=["id", "split", "ability", "sub_task", "language", "num_samples"],  # pyright: ignore[reportArgumentType]
        ) as writer:
            group: list[dict[str, Any]] = []
            size = 0
            for row in rows:
                group.append(_record(row))
                size += len(row.audio)
                count += 1
                if size >= ROW_GROUP_BYTES:
                    writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
                    group, size = [], 0
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
        digest, length = hash_and_sync(temporary)
        if isinstance(target, Path):
            temporary.replace(target)
            sync_folder(folder)
        else:
            put_file(target, temporary)
    finally:
        temporary.unlink(missing_ok=True)
    return ShardFile(relative, count, length, digest)


def _record(row: Row) -> dict[str, Any]:
    record = row.model_dump()
    record["audio"] = {"bytes": row.audio, "path": f"{row.id}.flac"}
    return record


def _leaf_columns() -> list[str]:
    def leaves(prefix: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in leaves(f"{prefix}.{field.name}", field.type)]
        if pa.types.is_list(kind):
            return leaves(f"{prefix}.list.element", kind.value_type)
        return [prefix]

    return [leaf for field in SCHEMA for leaf in leaves(field.name, field.type)]


def hash_and_sync(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of a file that is then safe on its disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return digest, file.tell()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Location, data: bytes) -> None:
    """Replace `path` with `data`, whole or not at all."""
    if not isinstance(path, Path):
        put(path, data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
