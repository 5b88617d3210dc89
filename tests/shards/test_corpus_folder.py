import errno
import json

import pyarrow.parquet as pq
import pytest

from pipeline.errors import BadInput, StaleIdentity
from pipeline.shards import writer
from pipeline.shards.corpus import TEXT_ONLY, CorpusFolder, Quarantined, ShardReport, Tally
from pipeline.shards.reader import read_manifest
from pipeline.shards.writer import write_atomically, write_shard

IDENTITY = {"recipe_sha256": "a", "library_sha256": "b", "limit": None, "builder": "1"}


def finish_one(folder: CorpusFolder, name: str = "train-00000-of-00001") -> ShardReport:
    report = ShardReport.of(write_shard(folder.root, f"data/{name}.parquet", []), "train", Tally(), [])
    folder.mark(name, report)
    return report


def test_a_marked_shard_is_finished_and_survives_a_reload(tmp_path):
    folder = CorpusFolder(tmp_path / "corpus")
    assert folder.finished("train-00000-of-00001") is None
    report = finish_one(folder)
    assert folder.finished("train-00000-of-00001") == report


def test_a_truncated_shard_is_not_finished(tmp_path):
    folder = CorpusFolder(tmp_path / "corpus")
    path = folder.root / finish_one(folder).file.path
    path.write_bytes(path.read_bytes()[:-7])
    assert folder.finished("train-00000-of-00001") is None


@pytest.mark.parametrize("key", ["recipe_sha256", "library_sha256", "limit"])
def test_another_identity_may_not_resume(tmp_path, key):
    folder = CorpusFolder(tmp_path / "corpus")
    with folder.claimed(IDENTITY):
        pass
    with pytest.raises(StaleIdentity, match=key), folder.claimed({**IDENTITY, key: "other"}):
        pass
    with folder.claimed(IDENTITY):
        pass


def test_a_corpus_with_text_alone_may_be_gone_on_with(tmp_path):
    folder = CorpusFolder(tmp_path / "corpus")
    with folder.claimed(IDENTITY):
        write_atomically(folder.root / TEXT_ONLY, b"{}")
    with folder.claimed(IDENTITY):
        pass


def test_two_builds_may_not_share_a_folder(tmp_path):
    folder = CorpusFolder(tmp_path / "corpus")
    with folder.claimed(IDENTITY), pytest.raises(BadInput, match="another build"), folder.claimed(IDENTITY):
        pass


def test_what_a_kill_left_half_written_is_cleared_and_a_replay_that_goes_on_left(tmp_path):
    folder = CorpusFolder(tmp_path / "corpus")
    halves = [folder.root / name for name in ("data/.a.parquet.7.tmp", ".state/next/data/.b.7.tmp", ".README.md.7.tmp")]
    written = folder.root / ".state/replay/probe/.train-0.7.tmp"
    for path in (*halves, written):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with folder.claimed(IDENTITY):
        pass
    assert not any(path.exists() for path in halves)
    assert written.exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match=r"thesis\.tex"), CorpusFolder(tmp_path).claimed(IDENTITY):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk_leaves_no_half_shard_and_what_was_there(tmp_path, monkeypatch):
    folder = CorpusFolder(tmp_path / "corpus")
    finish_one(folder)
    before = (folder.root / "data/train-00000-of-00001.parquet").read_bytes()

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(writer, "hash_and_sync", full)
    with pytest.raises(OSError, match="No space"):
        write_shard(folder.root, "data/train-00000-of-00001.parquet", [])
    assert (folder.root / "data/train-00000-of-00001.parquet").read_bytes() == before
    assert [p.name for p in (folder.root / "data").iterdir()] == ["train-00000-of-00001.parquet"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(writer.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_quarantine_holds_plan_stage_and_reason(tmp_path):
    rejected = Quarantined("x-0", "train", "count_events", "grounding", "no clip", '{"a": 1}', 5)
    CorpusFolder(tmp_path).write_quarantine([rejected])
    assert pq.read_table(tmp_path / "quarantine.parquet").to_pylist() == [
        {
            "id": "x-0",
            "split": "train",
            "sub_task": "count_events",
            "stage": "grounding",
            "reason": "no clip",
            "plan_json": '{"a": 1}',
            "seed": 5,
        }
    ]


@pytest.mark.parametrize("path", ["../outside.parquet", "/etc/passwd"])
def test_a_manifest_may_not_point_outside(tmp_path, path):
    content = {"splits": {"train": {"shards": [{"path": path}]}}}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="leaves the corpus folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"splits": 3}', "{", '{"splits": {"train": {}}}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadInput, match=r"manifest\.json"):
        read_manifest(tmp_path)
