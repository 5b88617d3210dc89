"""Small corpora for the report's tests: a few seconds of tones, every kind of event, any text."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import soundfile as sf

from pipeline.shards.corpus import CorpusFolder, Quarantined, ShardReport, Tally, manifest
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths
from pipeline.shards.writer import write_shard
from pipeline.validation.metrics import Judged
from pipeline.validation.opinions import AUDIT
from pipeline.validation.replay.listener import Heard, Outcome, Reply
from pipeline.validation.replay.store import ReplayFolder
from pipeline.validation.replay.streams import LABEL_COLUMNS, row_labels
from pipeline.validation.scores import scores
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.provenance import Agent, AuditRecord, CandidateRecord, GroundingRecord, Provenance
from schemas.row import Event, NoiseTrack, Quality, Response, Row, Turn

CHUNKS = 20


def make_row(number: int, *, text: str = "a kettle whistles", **changes: Any) -> Row:
    """A stream of 8 s: speech, an answered sound, a silent one, a background and an ambience; `text` is everywhere."""

    def event(role: str, start_s: float, end_s: float, **fields: Any) -> Event:
        interval = {"start_sample": round(start_s * SAMPLE_RATE), "end_sample": round(end_s * SAMPLE_RATE)}
        common = {"name": text, "kind": "sfx", "source": "retrieved", "gain_db": -3.5, "decision": "none"}
        origin = {"clip_id": "c1", "caption": text, "query": text, "score": 0.8, "verdict": "accept"}
        legal = {"licence": "CC0-1.0", "attribution": text}
        return Event.model_validate({**common, **origin, **legal, **interval, "role": role, **fields})

    events = (
        event("foreground", 0.4, 1.9, kind="speech", source="spoken", transcript=text, decision="silent", clip_id=None),
        event("foreground", 2.0, 3.1, decision="respond"),
        event("foreground", 4.0, 6.0, decision="silent"),
        event("background", 1.0, 5.0),
        event("ambient", 0.0, 8.0),
    )
    time = np.arange(CHUNKS * CHUNK_SAMPLES) / SAMPLE_RATE
    flac = io.BytesIO()
    sf.write(flac, 0.3 * np.sin(2 * np.pi * (300 + 40 * number) * time * (1 + time / 8)), SAMPLE_RATE, format="FLAC")
    agent = Agent(name="scripted", version="1")
    provenance = Provenance(
        policy="strict",
        **dict.fromkeys(("planner", "refiner", "verifier", "responder", "auditor"), agent),
        audits=(AuditRecord(event=1, label="respond", criterion="hazard", reason=text, confidence=1.0),),
        grounding=(
            GroundingRecord(
                event=1,
                threshold=0.2,
                candidates=(CandidateRecord(clip_id="c1", generator=None, score=0.8, verdict="accept", reason=text),),
            ),
        ),
        conditioning=(),
        renderings=(),
        speech=(),
        targets=(),
        step_events=(0, 1, 2),
    )
    row = Row(
        id=f"row-{number:03d}",
        split="train",
        ability="proactive_response",
        sub_task="natural_hazard",
        language="en",
        scenario=text,
        audio=flac.getvalue(),
        sampling_rate=SAMPLE_RATE,
        num_samples=len(time),
        chunk_samples=CHUNK_SAMPLES,
        num_chunks=CHUNKS,
        turns=tuple(
            Turn(
                user=e.transcript or "",
                assistant=text if e.decision == "respond" else "<no need to response>",
                emotion="normal",
                scene_type=text,
                sub_task="natural_hazard",
                start_sample=e.start_sample,
                end_sample=e.end_sample,
                response=0 if e.decision == "respond" else -1,
            )
            for e in events[:3]
        ),
        responses=(
            Response(
                chunk=7,
                text=text,
                emotion="urgent",
                event=1,
                delay_chunks=0,
                moved_chunks=0,
                sub_task="natural_hazard",
                action=f'{{"verb": "{text}"}}',
            ),
        ),
        events=events,
        noise=(NoiseTrack(track="ambient", snr_db=15.0, clip_ids=("n1",), licences=("CC0-1.0",)),),
        pair_id=None,
        plan_json=f'{{"scenario": "{text}", "setting": "kitchen"}}',
        provenance_json=provenance.model_dump_json(),
        seed=2**62 + number,
        recipe_sha256="0" * 64,
        quality=Quality(
            peak_dbfs=-10.0, lufs=-23.0, realised_snr_db=12.0, silence_ratio=0.4, max_seam_jump=1.1, clipped_samples=0
        ),
    )
    return row.model_copy(update=changes)


def make_corpus(
    root: Path,
    rows: Sequence[Row],
    *,
    splits: Sequence[str] = ("train",),
    quarantined: Sequence[Quarantined] = (),
    recipe: Mapping[str, Any] = MappingProxyType({"name": "small", "pretty_name": "Small <corpus>"}),
) -> Path:
    """A finished corpus of one shard per split."""
    folder = CorpusFolder(root)
    reports = []
    for split in splits:
        tally, held = Tally(), [row for row in rows if row.split == split]
        for row in held:
            tally.add(row.model_copy(update={"plan_json": '{"setting": "kitchen"}'}))
        file = write_shard(root, f"data/{split}-00000-of-00001.parquet", held)
        reports.append(ShardReport.of(file, split, tally, [q for q in quarantined if q.split == split]))
    folder.write_quarantine(quarantined)
    identity = {"recipe_sha256": "0" * 64, "library_sha256": "1" * 64, "limit": None}
    versions = {"streamaudio-builder": "0"}
    folder.write_manifest(manifest(reports, quarantined, recipe=dict(recipe), identity=identity, versions=versions))
    assert Counter(row.split for row in rows).keys() <= set(splits)
    return root


def hear(corpus: Path, name: str = "probe") -> Path:
    """A replay of a listener who answers the labels of every other row, speaks up in the first verified silence of
    every third, and was not asked about chunk 2. Returns its results."""
    heard = list[Judged]()
    records = [
        r for path in shard_paths(read_manifest(corpus)) for r in iter_rows(corpus / path, columns=LABEL_COLUMNS)
    ]
    for number, record in enumerate(records):
        labels = row_labels(record)
        said = {e.chunk: e.text for e in labels.expected if number % 2 == 0}
        if number % 3 == 0 and labels.verified.any():
            said[int(np.flatnonzero(labels.verified)[-1])] = "out of nowhere"
        chunks = tuple(
            Heard("response" if c in said else "silent", c == 2 and c not in said, 0.9 if c in said else 0.1, 20.0)
            for c in range(labels.num_chunks)
        )
        heard.append(Judged(labels, Outcome(chunks, tuple(Reply(c, said[c], "normal") for c in sorted(said)))))
    folder, identity = ReplayFolder(corpus, name), {"heard": {"suite": ""}}
    folder.claim(identity)
    folder.write("all", 0, heard)
    folder.finish([("all", 0)], identity)
    figures = scores(heard)
    folder.scores.write_text(json.dumps(figures), encoding="utf-8")
    return folder.results


def doubt(corpus: Path, doubts: dict[str, float]) -> None:
    """What an audit leaves behind: a doubt per id, of which those from 0.6 on are contradictions."""
    what = {"doubt": "unexpected", "chunk": 7, "sub_task": ""}
    rows = [{"row": id, "score": s, **what, "contradicted": s >= 0.6} for id, s in doubts.items()]
    (corpus / "replay").mkdir(exist_ok=True)
    (corpus / AUDIT).write_text(json.dumps({"folds": 5, "rows": rows}), encoding="utf-8")
