"""The Arrow schema of a shard. Its metadata tells Hugging Face `datasets` to decode `audio`."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa

_TURN = pa.struct(
    [
        ("user", pa.string()),
        ("assistant", pa.string()),
        ("emotion", pa.string()),
        ("scene_type", pa.string()),
        ("sub_task", pa.string()),
        ("start_sample", pa.int64()),
        ("end_sample", pa.int64()),
        ("response", pa.int32()),
    ]
)
_RESPONSE = pa.struct(
    [
        ("chunk", pa.int32()),
        ("text", pa.string()),
        ("emotion", pa.string()),
        ("event", pa.int32()),
        ("delay_chunks", pa.int32()),
        ("moved_chunks", pa.int32()),
        ("sub_task", pa.string()),
        ("action", pa.string()),
    ]
)
_EVENT = pa.struct(
    [
        ("name", pa.string()),
        ("role", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("start_sample", pa.int64()),
        ("end_sample", pa.int64()),
        ("gain_db", pa.float32()),
        ("clip_id", pa.string()),
        ("clip_sha256", pa.string()),
        ("clip_start_sample", pa.int64()),
        ("clip_end_sample", pa.int64()),
        ("query", pa.string()),
        ("caption", pa.string()),
        ("encoder", pa.string()),
        ("score", pa.float32()),
        ("verdict", pa.string()),
        ("decision", pa.string()),
        ("transcript", pa.string()),
        ("generator", pa.string()),
        ("licence", pa.string()),
        ("attribution", pa.string()),
    ]
)
_NOISE = pa.struct(
    [
        ("track", pa.string()),
        ("snr_db", pa.float32()),
        ("clip_ids", pa.list_(pa.string())),
        ("licences", pa.list_(pa.string())),
    ]
)
_QUALITY = pa.struct(
    [
        ("peak_dbfs", pa.float32()),
        ("lufs", pa.float32()),
        ("realised_snr_db", pa.float32()),
        ("silence_ratio", pa.float32()),
        ("max_seam_jump", pa.float32()),
        ("clipped_samples", pa.int64()),
    ]
)
_FIELDS: Final = [
    ("id", pa.string()),
    ("split", pa.string()),
    ("ability", pa.string()),
    ("sub_task", pa.string()),
    ("language", pa.string()),
    ("scenario", pa.string()),
    ("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ("sampling_rate", pa.int32()),
    ("num_samples", pa.int64()),
    ("chunk_samples", pa.int32()),
    ("num_chunks", pa.int32()),
    ("turns", pa.list_(_TURN)),
    ("responses", pa.list_(_RESPONSE)),
    ("events", pa.list_(_EVENT)),
    ("noise", pa.list_(_NOISE)),
    ("pair_id", pa.string()),
    ("plan_json", pa.string()),
    ("provenance_json", pa.string()),
    ("seed", pa.int64()),
    ("recipe_sha256", pa.string()),
    ("quality", _QUALITY),
]


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    return {"dtype": "float32" if pa.types.is_float32(kind) else str(kind), "_type": "Value"}


def _huggingface_metadata() -> bytes:
    features = {name: _feature(kind) for name, kind in _FIELDS}
    features["audio"] = {"sampling_rate": 16_000, "_type": "Audio"}
    return json.dumps({"info": {"features": features}}).encode()


SCHEMA: Final = pa.schema(_FIELDS, metadata={b"huggingface": _huggingface_metadata()})
QUARANTINE_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("sub_task", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("plan_json", pa.string()),
        ("seed", pa.int64()),
    ]
)
