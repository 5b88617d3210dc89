"""A corpus and a library in an object store: what a local folder would hold, through kills and faults."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="s3fs is not installed; it comes with the extra s3")
pytest.importorskip("moto.server", reason="moto is not installed; it comes with the extra test")

from upath import UPath

from flows import versions
from flows.build_corpus import build_corpus
from flows.versions import renew, without
from pipeline.errors import BadInput, EndpointDown, StaleIdentity
from pipeline.library.fetch import local_library
from pipeline.shards import claim
from pipeline.shards import versions as shard_versions
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.dataset import RandomStreams, Streams
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths
from pipeline.storage import Location, delete_below, filesystem, location, outages_told, put_if, read
from pipeline.validation.contract import validate_corpus
from schemas.recipe import Recipe
from tests.flows.commands import ROOT, run
from tests.flows.language_builds import SMALL, build
from tests.flows.version_builds import build_here
from tests.s3_server import KEYS, S3Server

RECIPE = Recipe.model_validate(SMALL | {"name": "stored", "streams": 4})
IDENTITY = {"recipe_sha256": "a"}
TRAINER = """
import json, sys
from torch.utils.data import DataLoader
from pipeline.shards.dataset import Streams

next(iter(Streams(sys.argv[1])))  # The parent has used its connections; a forked worker needs its own.
print(json.dumps([s["id"] for s in DataLoader(Streams(sys.argv[1]), batch_size=None, num_workers=1)]))
"""
"""In a process of its own, as a user's: forked from this one it would inherit the store's server, Ray and more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    with S3Server() as server:
        filesystem(UPath("s3://store/x", use_listings_cache=False)).mkdir("store")
        yield server
    os.environ.pop("XDG_CACHE_HOME") if before is None else os.environ.update(XDG_CACHE_HOME=before)


@pytest.fixture(scope="module")
def here(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library, and a corpus built from it, on this machine."""
    folder = tmp_path_factory.mktemp("here")
    shutil.copytree(starter, folder / "library", ignore=shutil.ignore_patterns("conditioned"))
    build(RECIPE, folder / "library", folder / "corpus")
    return folder


@pytest.fixture(scope="module")
def stored(server: S3Server, here: Path) -> UPath:
    """The same library in the store, and a corpus built there from it."""
    root = at("s3://store/first")
    store = filesystem(root)
    store.put(str(here / "library") + "/", (root / "library").path, recursive=True)
    build(RECIPE, root / "library", root / "corpus")
    return root


def at(url: str) -> UPath:
    place = location(url)
    assert isinstance(place, UPath)
    return place


def hashes(corpus: Location) -> dict[str, str]:
    return {s["path"]: s["sha256"] for split in read_manifest(corpus)["splits"].values() for s in split["shards"]}


def everything(root: UPath) -> dict[str, bytes]:
    return filesystem(root).cat(filesystem(root).find(root.path))


def test_the_store_holds_what_a_folder_would_and_no_key(stored: UPath, here: Path, server: S3Server) -> None:
    corpus = stored / "corpus"
    assert hashes(corpus) == hashes(here / "corpus")
    published = [*hashes(corpus), "README.md", "quarantine.parquet", "assets/ATTRIBUTION.md"]
    for name in published:
        assert read(corpus / name) == (here / "corpus" / name).read_bytes()
    objects = everything(corpus)
    assert not [name for name in objects if name.endswith((".tmp", "lease.json"))]
    for secret in (*KEYS.values(), server.url):
        assert not [name for name, content in objects.items() if secret.encode() in content]


def test_it_is_valid_there(stored: UPath) -> None:
    findings = validate_corpus(stored / "corpus", library=stored / "library")
    assert findings.by_rule() == {}
    assert findings.extent.rows == read_manifest(stored / "corpus")["rows"]


def test_a_trainer_reads_it_from_there(stored: UPath, here: Path) -> None:
    url = str(stored / "corpus")
    ours, theirs = list(Streams(here / "corpus")), list(Streams(url))
    assert [s["id"] for s in theirs] == [s["id"] for s in ours]
    assert all(
        (a["audio"] == b["audio"]).all() and (a["dense"] == b["dense"]).all() for a, b in zip(ours, theirs, strict=True)
    )
    trainer = subprocess.run([sys.executable, "-c", TRAINER, url], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(trainer.stdout) == [s["id"] for s in ours]
    assert RandomStreams(url)[1]["id"] == RandomStreams(here / "corpus")[1]["id"]
    path = shard_paths(read_manifest(stored / "corpus"))[0]
    assert list(iter_rows(stored / "corpus" / path)) == list(iter_rows(here / "corpus" / path))


@pytest.mark.slow
def test_a_killed_build_goes_on(stored: UPath, here: Path, tmp_path: Path) -> None:
    out = at("s3://store/killed")
    (tmp_path / "recipe.json").write_text(RECIPE.model_dump_json())
    arguments = [tmp_path / "recipe.json", stored / "library", out]
    process = subprocess.Popen([sys.executable, "-m", "tests.flows.language_builds", *map(str, arguments)], cwd=ROOT)
    store, deadline = filesystem(out), time.monotonic() + 300
    first = out / ".state/shards/train-00000-of-00002.json"
    while not store.exists(first.path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.exists(first.path)
    assert read(out / "manifest.json") is None
    finished = store.info((out / "data/train-00000-of-00002.parquet").path)["LastModified"]
    build(RECIPE, stored / "library", out)
    assert hashes(out) == hashes(here / "corpus")
    assert store.info((out / "data/train-00000-of-00002.parquet").path)["LastModified"] == finished


class Killed(BaseException):
    """What ends a publication half-way."""


def test_versions_there_are_those_of_a_folder_whatever_moment_a_crash_comes(
    stored: UPath, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(versions, "build_corpus", build_here)
    local, there = Path(shutil.copytree(here / "corpus", tmp_path / "corpus")), at("s3://store/versions/corpus")
    filesystem(there).copy((stored / "corpus").path, there.path, recursive=True)
    before = read_manifest(there)
    renew(RECIPE, here / "library", local, mode="append")
    for step in ("write_card", "clear"):
        with monkeypatch.context() as patch:
            patch.setattr(shard_versions, step, killed)
            with pytest.raises(Killed):
                renew(RECIPE, here / "library", there, mode="append")
        assert hashes(there).items() >= hashes(stored / "corpus").items()
        assert all(filesystem(there).exists((there / path).path) for path in hashes(there))
        assert (read_manifest(there) == before) == (step != "clear")
    published = renew(RECIPE, here / "library", there, mode="append").manifest
    assert published == read_manifest(there) == read_manifest(local)
    assert (published["version"], published["rows"]) == (2, 2 * before["rows"])

    marks = tmp_path / "marks.csv"
    bad = next(iter_rows(there / shard_paths(published)[-1]))["id"]
    marks.write_text(f"id,mark,reason\n{bad},bad,noise\n", encoding="utf-8")
    assert without(there, RECIPE, marks).manifest == without(local, RECIPE, marks).manifest
    assert bad not in [row["id"] for path in hashes(there) for row in iter_rows(there / path, columns=["id"])]
    assert validate_corpus(there).by_rule() == {}
    assert set(filesystem(there).find((there / "data").path)) == {(there / path).path for path in hashes(there)}
    assert not [name for name in everything(there) if "/.state/next" in name or name.endswith("lease.json")]
    with pytest.raises(StaleIdentity, match="recipe_sha256"):
        build_corpus(RECIPE.model_copy(update={"seed": 9}), here / "library", there)
    assert build_corpus(RECIPE, here / "library", there).manifest["version"] == 3


def test_corpora_there_are_compared_and_joined(
    stored: UPath, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = run(capsys, monkeypatch, "corpus", "diff", here / "corpus", stored / "corpus")
    rows = str(read_manifest(here / "corpus")["rows"])
    assert [line.split() for line in compared.out.splitlines() if "rows" in line] == [["rows", rows, rows]]
    other, whole = tmp_path / "other", at("s3://store/merged/whole")
    build(RECIPE.model_copy(update={"name": "other", "streams": 2}), here / "library", other)
    joined = run(capsys, monkeypatch, "corpus", "merge", stored / "corpus", other, "--out", whole)
    assert joined.status == 0
    assert sorted(hashes(whole).values()) == sorted([*hashes(here / "corpus").values(), *hashes(other).values()])
    assert validate_corpus(whole).by_rule() == {}
    refused = run(capsys, monkeypatch, "corpus", "merge", stored / "corpus", whole, "--out", tmp_path / "twice")
    assert (refused.status, "s3://store/merged/whole" in refused.err) == (2, True)


def test_a_corpus_there_may_grow_by_the_clock(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "recipe.json").write_text(RECIPE.model_dump_json())
    arguments = (tmp_path / "recipe.json", "--library", here / "library", "--out", "s3://store/clock")
    assert "PREFECT_API_URL is not set" in run(capsys, monkeypatch, "schedule", *arguments, "--cron", "0 2 * * *").err


def test_a_finished_build_is_looked_up_by_name(stored: UPath, server: S3Server) -> None:
    del server.requests[:]
    build(RECIPE, stored / "library", stored / "corpus")
    below = [r for r in server.requests if "prefix=first/corpus/" in r and "prefix=first/corpus/&" not in r]
    assert [r for r in below if "max-keys=1&" not in r and "uploads" not in r] == []


def test_another_recipe_may_not_go_on_there(stored: UPath, here: Path) -> None:
    with pytest.raises(StaleIdentity, match="recipe_sha256"):
        build(RECIPE.model_copy(update={"seed": 4}), stored / "library", stored / "corpus")


def test_a_folder_is_deleted_and_nothing_that_its_name_would_match(server: S3Server) -> None:
    store, keys = filesystem(at("s3://store/named")), [f"store/named/{name}" for name in ("[1]/a", "[1]/b/c", "1/a")]
    for key in keys:
        store.pipe_file(key, b"x")
    delete_below(at("s3://store/named/[1]"))
    delete_below(at("s3://store/named/nothing"))
    assert store.find("store/named") == keys[2:]


def test_uploads_that_were_cut_off_are_ended_and_others_left(server: S3Server) -> None:
    root, store = at("s3://store/parts"), filesystem(at("s3://store/parts"))
    for key in ("parts/data/a.parquet", "elsewhere/b.parquet"):
        store.call_s3("create_multipart_upload", Bucket="store", Key=key)
    with CorpusFolder(root).claimed(IDENTITY):
        pass
    assert [upload["Key"] for upload in store.list_multipart_uploads("store")] == ["elsewhere/b.parquet"]


def test_one_build_at_a_time(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "LEASE_S", 0.5)
    folder = CorpusFolder(at("s3://store/claimed"))
    with folder.claimed(IDENTITY), pytest.raises(BadInput, match="another build"), folder.claimed(IDENTITY):
        pass
    with folder.claimed(IDENTITY):
        pass


@pytest.mark.parametrize("host", ["elsewhere", None])
def test_a_lease_whose_owner_is_gone_is_taken_over(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, host: str | None
) -> None:
    monkeypatch.setattr(claim, "LEASE_S", 0.3 if host else 600)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    root = at(f"s3://store/left-{host}")
    left = {"host": host or socket.gethostname(), "pid": gone.pid, "token": "x"}
    assert put_if(root / ".state/lease.json", json.dumps(left).encode(), None)
    with CorpusFolder(root).claimed(IDENTITY):
        assert read(root / ".state/identity.json")
    assert read(root / ".state/lease.json") is None


def test_of_two_who_take_a_lease_over_one_gets_it(server: S3Server) -> None:
    place = at("s3://store/race/lease.json")
    first = put_if(place, b"1", None)
    assert first
    assert put_if(place, b"2", None) is None
    assert put_if(place, b"2", first)
    assert put_if(place, b"3", first) is None
    assert read(place) == b"2"


def test_a_library_is_copied_once_and_again_where_it_changed(
    stored: UPath, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, store = stored / "library", filesystem(stored)
    store.pipe_file((library / "conditioned/ab/ab.safetensors").path, b"x")
    first = local_library(library)
    assert (first / "index").is_dir()
    assert not (first / "conditioned/ab/ab.safetensors").exists()
    del server.requests[:]
    assert local_library(library) == first
    assert not [r for r in server.requests if r.startswith("GET") and "list-type" not in r and "?location" not in r]
    store.pipe_file((library / "index/new.json").path, b"{}")
    assert local_library(library) != first


def test_a_path_may_not_leave_the_store(server: S3Server) -> None:
    corpus = at("s3://store/hostile")
    manifest: dict[str, Any] = {"splits": {"train": {"shards": [{"path": "../first/corpus/README.md"}]}}}
    filesystem(corpus).pipe_file((corpus / "manifest.json").path, json.dumps(manifest).encode())
    with pytest.raises(BadInput, match="leaves the corpus folder"):
        read_manifest(corpus)


def test_a_store_that_fails_is_told_and_a_shaky_one_tried_again(stored: UPath, here: Path, server: S3Server) -> None:
    out = at("s3://store/failing")
    server.failing, server.faults = "PUT /store/failing/data", [503] * 10
    with pytest.raises(OSError, match="try again"):
        build(RECIPE, stored / "library", out)
    assert read(out / "manifest.json") is None
    assert [name for name in everything(out) if "/data/" in name] == []
    server.failing, server.faults = "PUT /store/failing/data", [500, 503, 503]
    build(RECIPE, stored / "library", out)
    assert server.faults == []
    assert hashes(out) == hashes(here / "corpus")


def test_a_store_that_is_not_there_is_told(server: S3Server, here: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(EndpointDown, match="the object store cannot be used"), outages_told():
        read(UPath("s3://store/x", endpoint_url=url))
    (tmp_path / "recipe.yaml").write_text(RECIPE.model_dump_json())
    streamaudio = [sys.executable, "-c", "from flows.cli import main; main()"]
    command = [*streamaudio, "build", tmp_path / "recipe.yaml", "--library", here / "library", "--out", "s3://store/x"]
    told = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "AWS_ENDPOINT_URL": url}, capture_output=True, text=True
    )
    assert told.returncode not in (0, 1)
    assert "the object store cannot be used (Could not connect" in told.stderr
    assert "Traceback" not in told.stderr
