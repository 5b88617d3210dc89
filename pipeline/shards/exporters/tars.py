"""Exports into tars: WebDataset, and Lhotse Shar. Audio stays the FLAC it is.

webdataset   {split}-{n:06d}.tar                                   {key}.flac, {key}.json
lhotse       {split}/cuts.{n:06d}.jsonl.gz, recording.{n:06d}.tar  a CutSet whose supervisions are the turns
"""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.shards.exporters.output import TAR_BYTES, add_member, facts, json_line, safe_name
from pipeline.timing import to_seconds
from schemas.protocol import CHUNK_SAMPLES
from schemas.row import Row


@dataclass(slots=True)
class _Open:
    number: int
    size: int
    files: contextlib.ExitStack


def _numbered(rows: Iterable[Row], tar_bytes: int) -> Iterator[tuple[Row, _Open, bool]]:
    """(row, the tar it goes into, whether that one is new); one tar a split is open at a time."""
    current: dict[str, _Open] = {}
    with contextlib.ExitStack() as all_files:
        for row in rows:
            tar = current.get(row.split)
            new = tar is None or tar.size >= tar_bytes
            if tar is None or new:
                if tar is not None:
                    tar.files.close()
                tar = _Open(tar.number + 1 if tar else 0, 0, all_files.enter_context(contextlib.ExitStack()))
                current[row.split] = tar
            tar.size += len(row.audio)
            yield row, tar, new


def write_webdataset(rows: Iterable[Row], folder: Path, *, tar_bytes: int = TAR_BYTES) -> None:
    """A dot ends a WebDataset key, so keys are ids with `_` in its place; the id itself is in the JSON."""
    tars: dict[str, tarfile.TarFile] = {}
    for row, tar, new in _numbered(rows, tar_bytes):
        if new:
            path = folder / f"{safe_name(row.split)}-{tar.number:06d}.tar"
            tars[row.split] = tar.files.enter_context(tarfile.TarFile(path, "w"))
        key = safe_name(row.id).replace(".", "_")
        add_member(tars[row.split], f"{key}.flac", row.audio)
        add_member(tars[row.split], f"{key}.json", json.dumps(facts(row), ensure_ascii=False).encode())


def write_lhotse(rows: Iterable[Row], folder: Path, *, tar_bytes: int = TAR_BYTES) -> None:
    """Lhotse Shar: read it with `CutSet.from_shar(in_dir=...)`."""
    open_files: dict[str, tuple[tarfile.TarFile, gzip.GzipFile]] = {}
    for row, tar, new in _numbered(rows, tar_bytes):
        if new:
            split = folder / safe_name(row.split)
            split.mkdir(exist_ok=True)
            recordings = tar.files.enter_context(tarfile.TarFile(split / f"recording.{tar.number:06d}.tar", "w"))
            file = tar.files.enter_context((split / f"cuts.{tar.number:06d}.jsonl.gz").open("wb"))
            cuts = tar.files.enter_context(gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0))
            open_files[row.split] = recordings, cuts
        recordings, cuts = open_files[row.split]
        recording = {
            "id": safe_name(row.id),
            "sources": [{"type": "shar", "channels": [0], "source": ""}],
            "sampling_rate": row.sampling_rate,
            "num_samples": row.num_samples,
            "duration": to_seconds(row.num_samples),
            "channel_ids": [0],
        }
        add_member(recordings, f"{row.id}.flac", row.audio)
        add_member(recordings, f"{row.id}.json", json_line(recording).encode())
        cuts.write(json_line(_cut(row)).encode())


def _cut(row: Row) -> dict[str, Any]:
    supervisions = []
    for i, turn in enumerate(row.turns):
        reply = row.responses[turn.response] if turn.response >= 0 else None
        supervisions.append(
            {
                "id": f"{row.id}-{i:03d}",
                "recording_id": row.id,
                "start": to_seconds(turn.start_sample),
                "duration": to_seconds(turn.end_sample - turn.start_sample),
                "channel": 0,
                "text": turn.user,
                "language": row.language,
                "custom": {
                    "assistant": turn.assistant,
                    "emotion": turn.emotion,
                    "sub_task": turn.sub_task,
                    "reply_start": to_seconds(reply.chunk * CHUNK_SAMPLES) if reply else None,
                    "chunk": reply.chunk if reply else None,
                },
            }
        )
    return {
        "id": row.id,
        "start": 0,
        "duration": to_seconds(row.num_samples),
        "channel": 0,
        "supervisions": supervisions,
        "custom": facts(row),
        "type": "MonoCut",
    }
