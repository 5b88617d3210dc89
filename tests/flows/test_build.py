"""A whole build: the same bytes whatever the workers and however often it was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from flows.build_corpus import build_corpus
from pipeline.config import load_recipe
from pipeline.errors import StaleIdentity
from pipeline.shards.reader import decode, iter_rows, read_manifest, shard_paths, to_row
from pipeline.validation.contract import validate_corpus
from tests.flows.commands import start

RECIPE = {
    "name": "small",
    "seed": 3,
    "streams": 12,
    "streams_per_shard": 2,
    "mixture": {"natural_hazard": 2, "count_events": 1, "sound_event_qa": 1},
    "splits": {"train": 1.0},
    "pairs": 0.5,
    "scene": {"duration_s": ["uniform", 15, 25]},
    "max_quarantined": 0.5,
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture(scope="module")
def built(recipe, starter, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "corpus"
    build_corpus(load_recipe(recipe), starter, out, workers=1)
    return out


def hashes(corpus: Path) -> dict[str, str]:
    manifest = read_manifest(corpus)
    return {s["path"]: s["sha256"] for split in manifest["splits"].values() for s in split["shards"]}


def test_two_workers_that_are_renewed_give_the_same_bytes(recipe, starter, built, tmp_path, monkeypatch):
    monkeypatch.setattr("flows.shards.SHARDS_PER_WORKER", 2)
    build_corpus(load_recipe(recipe), starter, tmp_path / "corpus", workers=2)
    assert hashes(tmp_path / "corpus") == hashes(built)


def test_three_kills_and_resumes_give_the_same_bytes(recipe, starter, built, tmp_path):
    out = tmp_path / "corpus"
    markers = out / ".state" / "shards"
    for kill in range(1, 4):
        process = start("build", recipe, "--library", starter, "--out", out, "--workers", 1)
        deadline = time.monotonic() + 300
        while len(list(markers.glob("*.json"))) < kill and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "manifest.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in markers.glob("*.json")}
    assert len(finished) >= 3
    build_corpus(load_recipe(recipe), starter, out, workers=1)
    assert hashes(out) == hashes(built)
    # What was finished before the kills was kept, not built again.
    assert {name: (markers / name).stat().st_mtime_ns for name in finished} == finished


def test_another_recipe_may_not_resume(recipe, starter, built):
    before = hashes(built)
    with pytest.raises(StaleIdentity, match="recipe_sha256"):
        build_corpus(load_recipe(recipe).model_copy(update={"seed": 4}), starter, built)
    assert hashes(built) == before


def test_every_row_parses_and_the_validator_finds_nothing(built, starter):
    manifest = read_manifest(built)
    assert manifest["rows"] + manifest["quarantined"] == RECIPE["streams"]
    for path in shard_paths(manifest):
        for record in iter_rows(built / path):
            row = to_row(record)
            assert len(decode(row.audio)) == row.num_samples
    assert validate_corpus(built, library=starter, on_progress=lambda done, total: None).by_rule() == {}


def test_datasets_loads_every_column(built, tmp_path):
    datasets = pytest.importorskip("datasets")
    corpus = datasets.load_dataset(str(built), split="train", cache_dir=str(tmp_path))
    raw = corpus.cast_column("audio", datasets.Audio(decode=False))
    row = raw[0]
    assert row["audio"]["bytes"][:4] == b"fLaC"
    assert row["num_samples"] == len(decode(row["audio"]["bytes"]))
    assert {"turns", "responses", "events", "noise", "plan_json", "quality"} <= set(row)


def test_torchcodec_decodes_the_audio_column(built, tmp_path):
    datasets = pytest.importorskip("datasets")
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchcodec cannot be used here ({str(error).splitlines()[0]}); it needs ffmpeg's libraries")
    row = datasets.load_dataset(str(built), split="train", cache_dir=str(tmp_path))[0]
    samples = row["audio"].get_all_samples()
    assert samples.sample_rate == 16_000
    assert samples.data.shape == (1, row["num_samples"])


def test_the_acceptance_checker_agrees(built, shared):
    checker = shared / "acceptance" / "check_corpus.py"
    done = subprocess.run([sys.executable, checker, built], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 rules broken" in done.stdout


def test_quarantine_and_card_are_there(built):
    assert (built / "README.md").read_text(encoding="utf-8").startswith("---\n")
    assert (built / "quarantine.parquet").is_file()
    assert json.loads((built / "manifest.json").read_text(encoding="utf-8"))["recipe"]["name"] == "small"
