"""Several sources in one library: retrieved and generated sounds, recorded and synthetic speech in one corpus."""

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.config import load_recipe
from pipeline.library.library import import_library, index_library
from pipeline.validation.contract import validate_corpus
from tests.flows.language_builds import build

RECIPE = Path(__file__).parents[2] / "recipes" / "many-sources.yaml"
DIGITS = "zero one two three four five six seven eight nine".split()


@pytest.mark.slow
def test_one_corpus_from_sounds_digits_and_read_speech(shared: Path, tmp_path: Path) -> None:
    data = shared / "data"
    digits = Path(shutil.copytree(data / "fsdd", tmp_path / "digits"))
    with (digits / "transcripts.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("path", "transcript", "speaker", "language", "licence"))
        for path in sorted(digits.glob("*.wav")):
            digit, speaker, _ = path.stem.split("_")
            table.writerow((path.name, DIGITS[int(digit)], speaker, "en", "CC-BY-SA-4.0"))
    for source in (data / "esc10", digits, data / "speech" / "transcripts.csv"):
        import_library(source, tmp_path / "library")
    index_library(tmp_path / "library", "lexical")

    build(load_recipe(RECIPE), tmp_path / "library", tmp_path / "corpus")

    checker = shared / "acceptance" / "check_corpus.py"
    checked = subprocess.run(
        [sys.executable, checker, tmp_path / "corpus"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert validate_corpus(tmp_path / "corpus", library=tmp_path / "library").by_rule() == {}
    rows = [row for path in (tmp_path / "corpus" / "data").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    events = [event for row in rows for event in row["events"]]
    seen = Counter((event["source"], event["kind"], event["licence"]) for event in events)
    assert {(s, k) for s, k, _ in seen} >= {
        ("retrieved", "sfx"), ("synthesized", "sfx"), ("retrieved", "speech"), ("spoken", "speech")
    }  # fmt: skip
    assert {licence for s, k, licence in seen if (s, k) == ("retrieved", "speech")} >= {"CC-BY-SA-4.0", "CC-BY-4.0"}
    for row in rows:
        grounded = {g["event"]: g for g in json.loads(row["provenance_json"])["grounding"]}
        for i, event in enumerate(row["events"]):
            assert event["licence"] != "unknown"
            assert bool(event["clip_sha256"]) == (event["source"] == "retrieved")
            assert bool(event["generator"]) == (event["source"] != "retrieved")
            assert event["kind"] == "speech" or grounded[i]["candidates"][-1]["verdict"] == "accept"
