"""The starter library on disk."""

import csv
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.synthesis import starter
from pipeline.synthesis.kinds import KINDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter.write_starter(tmp_path_factory.mktemp("starter"), seed=0, variants=1).parent


def test_the_manifest_names_every_kind_and_file(folder: Path) -> None:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"].split("/")[0] for row in rows} == set(KINDS)
    assert {row["path"] for row in rows} == {str(p.relative_to(folder)) for p in folder.rglob("*.flac")}
    for row in rows:
        spec = KINDS[row["path"].split("/")[0]]
        assert row["caption"] in spec.captions
        assert [tag.strip() for tag in row["tags"].split(";")] == list(spec.tags)
        assert row["kind"] == spec.kind
        assert row["licence"] == "CC0-1.0"
        assert row["attribution"] == "streamaudio-builder procedural/1"


def test_files_are_16_khz_mono_and_hold_the_clip(folder: Path) -> None:
    for clip in islice(starter.starter_clips(0, 1), 5):
        x, rate = soundfile.read(folder / f"{clip.clip_name}.flac", dtype="float32")
        assert rate == 16_000
        np.testing.assert_allclose(x, clip.samples, atol=2**-15)


def test_variants_differ_and_depend_on_the_seed_alone() -> None:
    first, second = islice(starter.starter_clips(7, 2), 2)
    again = next(starter.starter_clips(7, 4))
    other = next(starter.starter_clips(8, 2))
    assert first.clip_name != second.clip_name
    assert first.caption != second.caption
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.samples.tobytes() not in (second.samples.tobytes(), other.samples.tobytes())


def test_progress_counts_to_the_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter.kinds, "KINDS", {"cough": KINDS["cough"]})
    seen: list[tuple[int, int]] = []
    starter.write_starter(tmp_path, seed=0, variants=3, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
