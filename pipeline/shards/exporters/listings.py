"""Exports of FLAC files beside a description: NeMo manifests and JAMS.

    nemo   {split}_manifest.json     one stream a line: audio_filepath, duration, text (all that is spoken in it), lang
           {split}_utterances.json   one spoken event a line, with `offset` into its stream
    jams   {split}/{id}.jams         events (scaper), what is spoken (lyrics), responses (blob)

Both: {split}/{id}.flac. Paths are relative to the manifest's folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.shards.exporters.output import Lines, facts, safe_name, write_new
from pipeline.timing import to_seconds
from schemas.protocol import CHUNK_SAMPLES
from schemas.row import Row

JAMS_VERSION = "0.3.5"


def write_nemo(rows: Iterable[Row], folder: Path) -> None:
    """NeMo manifests; every line keeps its own licences."""
    with Lines() as lines:
        for row in rows:
            path = f"{safe_name(row.split)}/{safe_name(row.id)}.flac"
            write_new(folder / path, row.audio)
            spoken = [e for e in row.events if e.transcript]
            spoken.sort(key=lambda event: event.start_sample)
            about = facts(row)
            stream = {
                "audio_filepath": path,
                "duration": to_seconds(row.num_samples),
                "text": " ".join(e.transcript or "" for e in spoken),
                "lang": row.language,
                **{key: about[key] for key in ("id", "ability", "sub_task", "turns", "responses", "events", "noise")},
            }
            lines.add(folder / f"{row.split}_manifest.json", stream)
            for event in spoken:
                utterance = {
                    "audio_filepath": path,
                    "offset": to_seconds(event.start_sample),
                    "duration": to_seconds(event.end_sample - event.start_sample),
                    "text": event.transcript,
                    "lang": row.language,
                    "licence": event.licence,
                    "attribution": event.attribution,
                }
                lines.add(folder / f"{row.split}_utterances.json", utterance)


def write_jams(rows: Iterable[Row], folder: Path) -> None:
    """One JAMS file a stream."""
    for row in rows:
        stem = folder / safe_name(row.split) / safe_name(row.id)
        write_new(stem.with_name(f"{row.id}.flac"), row.audio)
        write_new(stem.with_name(f"{row.id}.jams"), json.dumps(_jams(row), ensure_ascii=False).encode())


def _jams(row: Row) -> dict[str, Any]:
    duration = to_seconds(row.num_samples)
    events, spoken = [], []
    for event in row.events:
        at, length = to_seconds(event.start_sample), to_seconds(event.end_sample - event.start_sample)
        value = {
            "label": event.name,
            "source_file": event.clip_id or event.generator or "",
            "source_time": to_seconds(event.clip_start_sample or 0),
            "event_time": at,
            "event_duration": length,
            "role": "foreground" if event.role == "foreground" else "background",
            **event.model_dump(mode="json", include={"kind", "gain_db", "decision", "licence", "attribution"}),
        }
        events.append({"time": at, "duration": length, "value": value, "confidence": event.score})
        if event.transcript:
            spoken.append({"time": at, "duration": length, "value": event.transcript, "confidence": None})
    responses = [
        {
            "time": to_seconds(response.chunk * CHUNK_SAMPLES),
            "duration": to_seconds(CHUNK_SAMPLES),
            "value": response.model_dump(mode="json"),
            "confidence": None,
        }
        for response in row.responses
    ]
    spaces = (("scaper", events), ("lyrics", spoken), ("blob", responses))
    return {
        "file_metadata": {
            "title": row.id,
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": JAMS_VERSION,
        },
        "annotations": [
            {
                "namespace": namespace,
                "annotation_metadata": {
                    "curator": {"name": "", "email": ""},
                    "annotator": {},
                    "version": "",
                    "corpus": row.recipe_sha256,
                    "annotation_tools": "streamaudio-builder",
                    "annotation_rules": "",
                    "validation": "",
                    "data_source": "program",
                },
                "data": sorted(data, key=lambda observation: observation["time"]),
                "sandbox": {},
                "time": 0,
                "duration": duration,
            }
            for namespace, data in spaces
        ],
        "sandbox": facts(row),
    }
