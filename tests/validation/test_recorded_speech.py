"""Real speech of a library is transcribed piece by piece, with estimated word times that say so."""

import csv
import json
import shutil
from pathlib import Path

import soundfile as sf

from pipeline.library.library import import_library, index_library
from pipeline.seeds import rng
from pipeline.synthesis.kinds import KINDS, RATE, render
from pipeline.validation.contract import validate_corpus
from tests.flows.language_builds import SOUNDS
from tests.validation.sub_tasks import built


def test_recordings_are_played_and_written_down(shared: Path, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    lines = []
    for sound in SOUNDS:
        sf.write(sources / f"{sound}.flac", render(sound, rng(0, sound, "test")), RATE, subtype="PCM_16")
        about = {"caption": KINDS[sound].captions[0], "tags": list(KINDS[sound].tags), "kind": KINDS[sound].kind}
        lines.append({"path": f"{sound}.flac", "licence": "CC0-1.0", "attribution": "test", **about})
    speech = shared / "data" / "speech"
    transcripts = {}
    with (speech / "transcripts.csv").open(encoding="utf-8") as file:
        for entry in csv.DictReader(file):
            path = Path(shutil.copy(speech / entry["file"], sources)).name
            lines.append(
                {"path": path, "caption": "a person speaking", "tags": ["Speech"], "kind": "speech", "language": "en",
                 "transcript": entry["transcript"], "licence": entry["licence"], "attribution": entry["source"]}
            )  # fmt: skip
            transcripts[entry["transcript"]] = entry["licence"]
    (sources / "clips.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    import_library(sources / "clips.jsonl", tmp_path / "library", layout="manifest")
    index_library(tmp_path / "library", "lexical")

    rows = built(
        4, tmp_path / "library", tmp_path / "corpus", mixture={"read_speech": 1.0}, splits={"train": 1.0}, mixed=0
    )

    played = [e for row in rows for e in row["events"] if e["kind"] == "speech" and e["source"] == "retrieved"]
    assert played
    assert all(e["licence"] == transcripts[e["transcript"]] and e["decision"] == "respond" for e in played)
    for row in rows:
        estimated = {s["event"]: s["words_estimated"] for s in json.loads(row["provenance_json"])["speech"]}
        assert all(estimated[i] for i, e in enumerate(row["events"]) if e in played)
    assert validate_corpus(tmp_path / "corpus", library=tmp_path / "library").by_rule() == {}
