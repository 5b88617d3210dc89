"""One row as its page in the report shows it: audio, pictures, and everything known about it as JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from pydantic import ValidationError

from pipeline.composition.seams import SeamKind, measure_seams
from pipeline.composition.timeline import crossfade_samples
from pipeline.shards.reader import decode, read_row
from pipeline.validation.findings import Finding
from pipeline.validation.listing import verified
from pipeline.validation.opinions import Doubt
from pipeline.validation.pictures import envelope, log_mel, png, thumbnail
from schemas.composition import CompositionParams
from schemas.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Stream:
    """A row, and its audio where that can be decoded."""

    record: dict[str, Any]
    samples: np.ndarray | None

    @property
    def flac(self) -> bytes | None:
        """As the shard has it."""
        return None if self.samples is None else self.record["audio"]["bytes"]

    def picture(self, *, small: bool) -> bytes | None:
        """Its spectrogram as PNG."""
        if self.samples is None:
            return None
        db = log_mel(self.samples)
        return png(thumbnail(db) if small else db)


def read_stream(shard: Path, index: int) -> Stream:
    """A row of a shard."""
    record = read_row(shard, index)
    audio = record["audio"]
    try:
        samples = decode(audio["bytes"]) if audio else None
    except (sf.LibsndfileError, TypeError):
        samples = None
    return Stream(record, samples if samples is not None and samples.ndim == 1 and samples.size else None)


def fade_samples(manifest: Mapping[str, Any]) -> int:
    """Length of the fades that the corpus's recipe asks for."""
    return crossfade_samples(CompositionParams.model_validate(manifest["recipe"].get("composition", {})))


def detail(
    stream: Stream,
    *,
    fade: int,
    findings: Sequence[Finding] = (),
    heard: Sequence[Mapping[str, Any]] = (),
    doubt: Doubt | None = None,
) -> dict[str, Any]:
    """What the page shows beside the list's columns.

    Args:
        fade: from `fade_samples`.
        findings: about this row.
        heard: from `read_heard`.
        doubt: from `read_audit`.
    """
    record, samples = stream.record, stream.samples
    columns = ("language", "responses", "turns", "events", "noise", "quality")
    provenance = _provenance(record["provenance_json"])
    return {
        **{name: record[name] for name in columns},
        "seed": str(record["seed"]),  # JavaScript rounds integers of 64 bits
        "verified": np.flatnonzero(verified(record)).tolist(),
        "envelope": None if samples is None else envelope(samples),
        "seams": [] if samples is None else _seams(record["events"], provenance, samples, fade),
        "findings": [{"rule": f.rule, "detail": f.detail} for f in findings],
        "heard": heard,
        "doubt": None if doubt is None else asdict(doubt),
        "provenance": provenance,
        "plan": _indented(record["plan_json"]),
    }


def _seams(
    events: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any] | None, samples: np.ndarray, fade: int
) -> list[tuple[int, str, float]]:
    """(sample, kind, jump) of every join that the row says the place of.

    "join", "edge" and "tile" as composition has them; "cut": conditioning took something out there. A jump of 1 is as
    smooth as the sound around it.
    """

    def measured(places: Sequence[tuple[int, SeamKind]], kind: str | None = None) -> list[tuple[int, str, float]]:
        found = measure_seams(lambda start, stop: samples[start:stop], places, total_samples=len(samples))
        return [(seam.sample, kind or seam.kind, round(seam.jump, 2)) for seam in found]

    cuts: list[tuple[int, SeamKind]] = [
        (events[record["event"]]["start_sample"] + start, "edge")
        for record in (provenance or {}).get("conditioning", ())
        if record["event"] < len(events)
        for _, _, start in record["spans"][1:]
    ]
    tiles: list[tuple[int, SeamKind]] = [(sample, "tile") for sample in (provenance or {}).get("bed_seams", ())]
    return sorted([*measured(_places(events, fade)), *measured(tiles), *measured(cuts, "cut")])


def _places(events: Sequence[Mapping[str, Any]], fade: int) -> list[tuple[int, SeamKind]]:
    """The middle of every fade: joins of the foreground, ends of sounds over what lies under them."""
    places: list[tuple[int, SeamKind]] = []
    end = -1
    for event in sorted(events, key=lambda event: (event["role"] != "foreground", event["start_sample"])):
        start, stop = event["start_sample"], event["end_sample"]
        if event["role"] == "foreground" and 0 <= start <= end:
            places[-1] = ((start + end) // 2, "join")
        else:
            places.append((start + fade // 2, "edge"))
        places.append((stop - fade // 2, "edge"))
        end = stop if event["role"] == "foreground" else -1
    return sorted(set(places))


def _provenance(text: str) -> dict[str, Any] | None:
    try:
        return Provenance.model_validate_json(text).model_dump(mode="json")
    except ValidationError:
        return None


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
