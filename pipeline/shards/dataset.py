"""A corpus for a trainer: streams in shuffled order, shared out and resumable, or any one of them."""

from __future__ import annotations

import logging
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import miniaudio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from pipeline.errors import BadInput
from pipeline.seeds import rng
from pipeline.shards.pages import spans
from pipeline.shards.reader import open_parquet, read_manifest, to_row
from pipeline.storage import LOOK_UPS, Location, location
from schemas.row import Row
from schemas.tokens import TokenRow

Sample = dict[str, Any]
"""`id`; `audio` float32 (num_samples,), 16 kHz mono; `dense` bool (num_chunks,), True where a reply starts;
`responses`, dictionaries with chunk, text, emotion, ...; with a tokenizer also `tokens`, tensors for each part."""
Tokenize = Callable[[Row], Sequence[TokenRow]]
_COLUMNS: Final = ("id", "num_samples", "num_chunks", "responses")
_AUDIO: Final = "audio.bytes"
OPEN_FILES: Final = 256
"""A corpus of 300,000 h has some 26,000 shards, and a process may usually open 1,024 files."""

log = logging.getLogger(__name__)


_Opened = tuple[pq.ParquetFile, mmap.mmap | None]


def _open(path: Location) -> _Opened:
    if not isinstance(path, Path):
        return open_parquet(path), None
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pq.ParquetFile(path, memory_map=True, pre_buffer=False), mapped


def _groups(path: Location) -> list[int]:
    with _open(path)[0] as file:
        return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]


class RowGroups:
    """The row groups of a split, each about 20 MB of audio. Files are opened on first use, and only so many stay open;
    of this machine they are mapped, not read, of an object store a row group is read at a time."""

    def __init__(self, corpus: Location, split: str) -> None:
        splits = read_manifest(corpus)["splits"]
        if split not in splits:
            raise BadInput(f"{str(corpus)!r} has no split {split!r}; it has {', '.join(splits)}")
        self.paths = [corpus / shard["path"] for shard in splits[split]["shards"]]
        self._files: dict[int, _Opened] = {}
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        # Open files do not cross to a worker.
        sizes = {"sizes": self.sizes} if "sizes" in self.__dict__ else {}
        return {"paths": self.paths, "_files": {}, "_process": 0, **sizes}

    def _opened(self, shard: int) -> _Opened:
        if self._process != os.getpid():  # a forked worker may not use its parent's connections
            self._files, self._process = {}, os.getpid()
        opened = self._files.pop(shard, None) or _open(self.paths[shard])
        self._files[shard] = opened
        if len(self._files) > OPEN_FILES:
            del self._files[next(iter(self._files))]
        return opened

    @cached_property
    def sizes(self) -> list[tuple[int, int, int]]:
        """(shard, row group in it, rows in that) of all."""
        if all(isinstance(path, Path) for path in self.paths):
            counts = [_groups(path) for path in self.paths]
        else:
            with ThreadPoolExecutor(LOOK_UPS) as pool:
                counts = list(pool.map(_groups, self.paths))
        return [(shard, group, rows) for shard, groups in enumerate(counts) for group, rows in enumerate(groups)]

    def labels(self, shard: int, group: int, columns: Sequence[str] | None) -> pa.Table:
        file, _ = self._opened(shard)
        names = columns or [name for name in file.schema_arrow.names if name != "audio"]
        return file.read_row_group(group, columns=list(names), use_threads=False)

    def audio(self, shard: int, group: int) -> list[memoryview]:
        """FLAC of every row, not read yet: views of the mapped file where it is stored as our writer does."""
        file, mapped = self._opened(shard)
        about = file.metadata.row_group(group)
        column = next(i for i in range(about.num_columns) if about.column(i).path_in_schema == _AUDIO)
        places = None if mapped is None else spans(mapped, about.column(column))
        if mapped is not None and places is not None:
            whole = memoryview(mapped)
            return [whole[start:end] for start, end in places]
        table = file.read_row_group(group, columns=[_AUDIO], use_threads=False)
        return [memoryview(flac.as_buffer()) for flac in table.flatten().column(0)]


def _place(corpus: Location | str) -> Location:
    return location(corpus) if isinstance(corpus, str) else corpus


def decode(flac: bytes, num_samples: int) -> np.ndarray:
    """Samples of a row's audio: float32 of shape (num_samples,), in [-1, 1].

    dr_flac (in miniaudio) takes two thirds to four fifths of the time that libsndfile takes for the same samples.

    Raises:
        BadInput: it is damaged, or of another length.
    """
    try:
        samples = np.frombuffer(miniaudio.flac_read_f32(flac).samples, np.float32)
    except miniaudio.DecodeError:
        samples = np.zeros(0, np.float32)
    if len(samples) != num_samples:
        raise BadInput(f"a stream of {num_samples!r} samples decodes to {len(samples)}; validate the corpus")
    return samples


def _sample(record: dict[str, Any], flac: bytes) -> Sample:
    dense = torch.zeros(record["num_chunks"], dtype=torch.bool)
    dense[[response["chunk"] for response in record["responses"]]] = True
    return {
        "id": record["id"],
        "audio": torch.from_numpy(decode(flac, record["num_samples"])),
        "dense": dense,
        "responses": record["responses"],
    }


def _tensors(part: TokenRow) -> dict[str, Any]:
    return {
        "first_chunk": part.first_chunk,
        "input_ids": torch.tensor(part.input_ids),
        "labels": torch.tensor(part.labels),
        "stream_mask": torch.tensor(part.stream_mask),
        "lm_mask": torch.tensor(part.lm_mask),
        "audio_pos": torch.tensor(part.audio_pos),
    }


class Streams(IterableDataset[Sample]):
    """All streams of a split once an epoch, without repeats among ranks and workers of a DataLoader.

    Row groups come in shuffled order and so do the rows of each; a group (about 20 MB) is what stays in memory. The
    state is the position: keep `state_dict()` and give it to `load_state_dict()` of an equal dataset to go on with the
    next stream, in every worker where the loader does so (torchdata's StatefulDataLoader).
    """

    def __init__(
        self,
        corpus: Location | str,
        split: str = "train",
        *,
        seed: int | None = 0,
        tokenize: Tokenize | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """
        Args:
            corpus: a finished corpus; a folder, or a URL such as `s3://bucket/corpus`.
            split: one of its splits.
            seed: of the order; None: as stored.
            tokenize: gives a row's token rows, e.g. `functools.partial(pipeline.annotation.tokens.tokenize, ...)`; rows
                that it refuses are left out with a warning.
            rank: of this process among `world_size`.
            world_size: processes that share an epoch.

        Raises:
            BadInput: no such corpus or split.
        """
        super().__init__()
        if not 0 <= rank < world_size:
            raise BadInput(f"rank {rank!r} is not within world_size {world_size!r}; ranks count from 0")
        self._groups = RowGroups(_place(corpus), split)
        self._seed = seed
        self._identity = {"split": split, "seed": seed, "rank": rank, "world_size": world_size}
        self._tokenize = tokenize
        self._epoch = self._taken = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch; its number decides the order."""
        self._epoch, self._taken = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where this process, or this worker, is."""
        return {**self._share(), "epoch": self._epoch, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind the last stream that was yielded when `state` was taken.

        Raises:
            BadInput: the state is of another split, seed or share.
        """
        different = [key for key, value in self._share().items() if state.get(key) != value]
        if different:
            raise BadInput(
                f"the state has {different[0]} {state.get(different[0])!r}, this dataset another; use the same"
            )
        self._epoch, self._taken = state["epoch"], state["taken"]

    def _share(self) -> dict[str, Any]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return {**self._identity, "worker": worker, "workers": workers}

    def __iter__(self) -> Iterator[Sample]:
        share, taken = self._share(), self._taken
        order = np.arange(len(self._groups.sizes))
        if self._seed is not None:
            rng(self._seed, self._epoch, "read").shuffle(order)
        first = share["rank"] * share["workers"] + share["worker"]
        passed = 0
        for place in order[first :: share["world_size"] * share["workers"]]:
            shard, group, rows = self._groups.sizes[place]
            if passed + rows > taken:
                within = np.arange(rows)
                if self._seed is not None:
                    rng(self._seed, self._epoch, f"read-{place}").shuffle(within)
                yield from self._group(shard, group, within[max(0, taken - passed) :])
            passed += rows
        self.set_epoch(self._epoch + 1)

    def _group(self, shard: int, group: int, order: np.ndarray) -> Iterator[Sample]:
        records = self._groups.labels(shard, group, _COLUMNS if self._tokenize is None else None).to_pylist()
        flacs = self._groups.audio(shard, group)
        for i in order:
            flac = bytes(flacs[i])
            sample = _sample(records[i], flac)
            self._taken += 1
            if self._tokenize is not None:
                row = to_row({**records[i], "audio": {"bytes": flac}})
                try:
                    sample["tokens"] = [_tensors(part) for part in self._tokenize(row)]
                except BadInput as error:
                    log.warning("left out: %s", error)
                    continue
            yield sample


class RandomStreams(Dataset[Sample]):
    """The streams of a split by index, in stored order."""

    def __init__(self, corpus: Location | str, split: str = "train") -> None:
        self._groups = RowGroups(_place(corpus), split)
        self._ends = np.cumsum([rows for _, _, rows in self._groups.sizes], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Sample:
        return _sample(*self.stored(index))

    def stored(self, index: int) -> tuple[dict[str, Any], bytes]:
        """Labels and FLAC of one stream, not decoded.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"stream {index!r} of {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        shard, group, rows = self._groups.sizes[place]
        within = index - (int(self._ends[place]) - rows)
        (record,) = self._groups.labels(shard, group, _COLUMNS).slice(within, 1).to_pylist()
        return record, bytes(self._groups.audio(shard, group)[within])
