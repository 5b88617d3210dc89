"""Reading a corpus: its manifest, and its rows one at a time in bounded memory."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soundfile as sf

from pipeline.errors import BadInput
from pipeline.storage import Location, filesystem, outages_told, read
from schemas.row import Row

BATCH_ROWS = 8
READ_AHEAD = 2**20
"""Bytes; columns of text lie side by side, so that one request of an object store brings many."""


def read_manifest(corpus: Location) -> dict[str, Any]:
    """The manifest of a finished corpus.

    Raises:
        BadInput: `corpus` is no finished corpus, or a shard path leaves the folder.
    """
    path = corpus / "manifest.json"
    with outages_told():
        content = read(path)
    if content is None:
        raise BadInput(f"{str(corpus)!r} holds no manifest.json; give a folder that `streamaudio build` finished")
    try:
        manifest = json.loads(content)
        shards = [shard for split in manifest["splits"].values() for shard in split["shards"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{str(path)!r} is damaged ({error}); rebuild the corpus or restore the file") from error
    root = corpus.resolve()
    for shard in shards:
        if not (root / shard["path"]).resolve().is_relative_to(root):
            raise BadInput(
                f"shard path {shard['path']!r} in {str(path)!r} leaves the corpus folder; refuse this corpus"
            )
    return manifest


def shard_paths(manifest: dict[str, Any]) -> list[str]:
    """Paths of all shards relative to the corpus, in manifest order."""
    return [shard["path"] for split in manifest["splits"].values() for shard in split["shards"]]


def open_parquet(path: Location) -> pq.ParquetFile:
    """A Parquet file, wherever it lies; from an object store its row groups are read as they are asked for."""
    if isinstance(path, Path):
        return pq.ParquetFile(path)
    ahead = {"cache_type": "readahead", "block_size": READ_AHEAD}
    return pq.ParquetFile(filesystem(path).open(path.path, "rb", **ahead), pre_buffer=False)


def iter_rows(shard: Location, *, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a shard as plain dictionaries, a few at a time."""
    with outages_told(), open_parquet(shard) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()


def read_row(shard: Path, index: int) -> dict[str, Any]:
    """One row of a shard as a plain dictionary; its row group, about 20 MB, is what is read.

    Raises:
        BadInput: the shard has fewer rows.
    """
    with pq.ParquetFile(shard, memory_map=True) as file:
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if 0 <= index - first < rows:
                return file.read_row_group(group, use_threads=False).slice(index - first, 1).to_pylist()[0]
            first += rows
    raise BadInput(f"{str(shard)!r} has {first} rows, so no row {index!r}; write the report again")


def to_row(record: dict[str, Any]) -> Row:
    """A checked `Row` from a dictionary of `iter_rows`.

    Raises:
        pydantic.ValidationError: a column is absent or has the wrong type.
    """
    return Row.model_validate({**record, "audio": record["audio"]["bytes"]})


def decode(flac: bytes) -> np.ndarray:
    """Samples of a row's audio: float32 of shape (num_samples,), 16 kHz mono, in [-1, 1]."""
    samples, _ = sf.read(io.BytesIO(flac), dtype="float32")
    return samples
