"""One recording of a library, and the Parquet table that holds them all."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

ClipKind = Literal["sfx", "speech", "music"]

CLIPS_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("caption", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("transcript", pa.string()),
        ("speaker", pa.string()),
        ("language", pa.string()),
        ("kind", pa.string()),
        ("licence", pa.string()),
        ("attribution", pa.string()),
        ("source_rate_hz", pa.int32()),
        ("source_channels", pa.int32()),
        ("source_duration_s", pa.float64()),
        ("num_samples", pa.int64()),
        ("store_offset", pa.int64()),
        ("peak_dbfs", pa.float64()),
        ("loudness_lufs", pa.float64()),
        ("noise_floor_db", pa.float64()),
        ("snr_db", pa.float64()),
        ("digital_silence_tail_s", pa.float64()),
        ("onset_cut", pa.bool_()),
        ("offset_cut", pa.bool_()),
        ("silence_ratio", pa.float64()),
        ("track_class", pa.string()),
        ("occurrences", pa.list_(pa.list_(pa.int64(), 2))),
    ]
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording's annotations, measurements and place in the 16 kHz store.

    `clip_id` is the first 16 hex digits of `sha256`, the hash of the source file's bytes. Text that is not known
    is "". Levels are in dBFS of the stored samples; `loudness_lufs` is None where the clip is shorter than 0.4 s
    or too quiet to gate. `occurrences` are the single audible sounds as half-open sample spans of the store, in
    order; a clip whose sound is stationary (`track_class` "ambient") has one.
    """

    clip_id: str
    path: str
    sha256: str
    caption: str
    tags: tuple[str, ...]
    transcript: str
    speaker: str
    language: str
    kind: ClipKind
    licence: str
    attribution: str
    source_rate_hz: int
    source_channels: int
    source_duration_s: float
    num_samples: int
    store_offset: int
    peak_dbfs: float
    loudness_lufs: float | None
    noise_floor_db: float
    snr_db: float
    digital_silence_tail_s: float
    onset_cut: bool
    offset_cut: bool
    silence_ratio: float
    track_class: Literal["event", "ambient"]
    occurrences: tuple[tuple[int, int], ...]

    @property
    def active_start(self) -> int:
        """First sample of the first occurrence."""
        return self.occurrences[0][0]

    @property
    def active_end(self) -> int:
        """One past the last sample of the last occurrence."""
        return self.occurrences[-1][1]


@dataclass(frozen=True, slots=True)
class Hit:
    """A clip found; `score` is a cosine, or several fused, rounded to 6 digits."""

    clip_id: str
    score: float


def to_table(clips: Iterable[Clip]) -> pa.Table:
    """The clips as rows of `CLIPS_SCHEMA`."""
    return pa.Table.from_pylist([dataclasses.asdict(clip) for clip in clips], schema=CLIPS_SCHEMA)


def from_table(table: pa.Table) -> list[Clip]:
    """The inverse of `to_table`."""
    return [
        Clip(**{**row, "tags": tuple(row["tags"]), "occurrences": tuple((a, b) for a, b in row["occurrences"])})
        for row in table.to_pylist()
    ]


def content_hash(clips: Iterable[Clip], store_parameters: dict[str, object]) -> str:
    """sha256 over what a build can notice: annotations, measurements and store parameters, in order of clip id.

    Where the sources lie and in which order they were imported does not count.
    """
    digest = hashlib.sha256(json.dumps(store_parameters, sort_keys=True).encode())
    for clip in sorted(clips, key=lambda c: c.clip_id):
        fields = dataclasses.asdict(clip)
        del fields["path"], fields["store_offset"]
        digest.update(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()
