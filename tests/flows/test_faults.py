"""What may go wrong while a build runs, and what others may hand to it.

Afterwards nothing is lost, nothing doubled, hashes are those of an undisturbed build, and the message says what to do.
Elsewhere: kills and workers (test_build), another recipe (test_build), two builds at once, a full disk and a truncated
shard (test_corpus_folder), paths and links in a manifest (test_corpus_folder, test_corruptions), an endpoint that is
down and a damaged reply (test_language_build, test_cache), damaged libraries and clips (test_library, test_decode),
crashes between two versions (test_versions).
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from pipeline import corpus_build
from pipeline.config import load_recipe
from pipeline.corpus_build import Workplace, build_shard, identity, planning
from pipeline.errors import BadInput, StaleIdentity
from pipeline.library.library import Library, import_library, index_library
from pipeline.shards import corpus as corpus_folder
from pipeline.shards import writer
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths
from schemas.recipe import Recipe
from tests.flows.version_builds import build_here

RECIPE = Recipe.model_validate(
    {
        "name": "faults",
        "seed": 3,
        "streams": 4,
        "streams_per_shard": 2,
        "mixture": {"count_events": 1},
        "splits": {"train": 1.0},
        "scene": {"duration_s": ["uniform", 12, 14]},
        "max_quarantined": 0.5,
    }
)


class Killed(BaseException):
    """As if the process had gone: nothing in the pipeline may catch it."""


@pytest.fixture(scope="module")
def undisturbed(starter, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "corpus"
    build_here(RECIPE, starter, out)
    return out


def hashes(corpus: Path) -> dict[str, str]:
    return {s["path"]: s["sha256"] for split in read_manifest(corpus)["splits"].values() for s in split["shards"]}


def same(corpus: Path, undisturbed: Path) -> None:
    assert hashes(corpus) == hashes(undisturbed)
    manifest = read_manifest(corpus)
    assert manifest == read_manifest(undisturbed)
    ids = [row["id"] for path in shard_paths(manifest) for row in iter_rows(corpus / path, columns=["id"])]
    assert len(ids) == len(set(ids)) == manifest["rows"]
    assert not list(corpus.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (corpus_build, "plan_shards"),
        (corpus_build, "build_unit"),
        (writer, "hash_and_sync"),
        (corpus_folder.CorpusFolder, "mark"),
        (corpus_folder.CorpusFolder, "write_quarantine"),
        (corpus_build, "write_card"),
        (corpus_folder.CorpusFolder, "write_manifest"),
    ],
)
def test_death_at_the_boundary_of_any_stage(module, step, undisturbed, starter, tmp_path, monkeypatch):
    def die(*_, **__):
        raise Killed

    out = tmp_path / "corpus"
    if step != "plan_shards":
        # What comes before is not what is tried here.
        shutil.copytree(undisturbed, out)
        (out / "manifest.json").unlink()
        shutil.rmtree(out / ".state" / "shards")
        shutil.rmtree(out / "data")
    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(Killed):
            build_here(RECIPE, starter, out)
    assert not (out / "manifest.json").exists()
    build_here(RECIPE, starter, out)
    same(out, undisturbed)


def test_death_while_later_shards_are_planned_keeps_what_was_built(undisturbed, starter, tmp_path):
    out = tmp_path / "corpus"
    folder, library = CorpusFolder(out), Library.open(starter)
    with folder.claimed(identity(RECIPE, library, None)):
        workplace = Workplace.prepare(folder, RECIPE, starter)
        with workplace.crew(RECIPE) as crew:
            coming = planning(folder, RECIPE, library, crew=crew, limit=None, on_progress=lambda *_: None)
            name = next(coming).name
            build_shard(workplace, name)
            coming.close()
    marker = out / ".state/shards" / f"{name}.json"
    kept = marker.stat().st_mtime_ns
    assert not (out / ".state/plan/plan.json").exists()
    build_here(RECIPE, starter, out)
    same(out, undisturbed)
    assert marker.stat().st_mtime_ns == kept


def test_a_clock_that_jumps_changes_nothing(undisturbed, starter, tmp_path, monkeypatch):
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 * (next(jumps) % 3))
    monkeypatch.setattr(time, "monotonic", lambda: -float(next(jumps)))
    build_here(RECIPE, starter, tmp_path / "corpus")
    same(tmp_path / "corpus", undisturbed)


def test_a_damaged_conditioned_sound_is_made_again(undisturbed, starter, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(starter, library)
    cached = [path for path in (library / "conditioned").rglob("*") if path.is_file()]
    assert cached
    for number, path in enumerate(cached):
        data = path.read_bytes()
        path.write_bytes(b"" if number % 2 else data[: len(data) // 2])
    build_here(RECIPE, library, tmp_path / "corpus")
    same(tmp_path / "corpus", undisturbed)


def test_a_library_that_changed_may_not_resume(undisturbed, starter, tmp_path):
    out = Path(shutil.copytree(undisturbed, tmp_path / "corpus"))
    library = Path(shutil.copytree(starter, tmp_path / "library"))
    recording = tmp_path / "a new sound.wav"
    soundfile.write(recording, 0.3 * np.sin(np.arange(16_000) * 0.17), 16_000)
    (tmp_path / "new").mkdir()
    recording.rename(tmp_path / "new" / recording.name)
    import_library(tmp_path / "new", library)
    index_library(library, "lexical")
    with pytest.raises(StaleIdentity, match=r"library_sha256.*restore it, or build into a new --out"):
        build_here(RECIPE, library, out)
    same(out, undisturbed)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where nobody may")
def test_an_output_that_is_read_only_is_named(starter, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="corpus"):
            build_here(RECIPE, starter, tmp_path / "corpus")
    finally:
        tmp_path.chmod(0o700)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "aliases"),
        ("name: !!python/object/apply:os.system ['touch owned']", "no YAML"),
        ("name: !!python/name:os.system", "no YAML"),
        ("[" * 500_000, "nests deeper"),
        ("streams: " + "{a: " * 500, "nests deeper"),
        ("name: " + "x" * 1_000_001, "at most 1000000"),
        ("streams: 1" + "0" * 400, "streams"),
        ("\x00", "no YAML"),
    ],
)
def test_hostile_recipes_are_refused_and_run_nothing(text, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        load_recipe(path)
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_manifest_that_unfolds_to_gigabytes_is_refused(tmp_path):
    # A dictionary-coded column: a few kilobytes in the file, 1.5 GB when every row has its text.
    rows = 15_000
    caption = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * 100_000]))
    path = tmp_path / "manifest.parquet"
    pq.write_table(pa.table({"path": pa.array(["a.wav"] * rows), "caption": caption}), path, compression="zstd")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(BadInput, match=r"manifest\.parquet"):
        import_library(path, tmp_path / "library")
    assert not (tmp_path / "library").exists()
