"""A build killed a hundred times at random moments, whatever it was doing.

The processes are a build's own: one that plans and publishes and two workers, all killed at once. They are forked from
a server that has everything loaded, and Prefect, which writes nothing of a corpus, is left out: or starting would be
nearly all that is killed. A build with Prefect is killed in test_build, a single worker in test_runners.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from pipeline.seeds import rng
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths
from schemas.recipe import Recipe
from tests.flows.version_builds import build_here

KILLS = 100
STAGES = ("starting", "planning", "shards", "publishing")
LOADED = (build_here.__module__, "torch", "matplotlib.backends.backend_agg")
RECIPE = Recipe.model_validate(
    {
        "name": "kills",
        "seed": 5,
        "streams": 10,
        "streams_per_shard": 2,
        "mixture": {"natural_hazard": 1, "count_events": 1, "sound_event_qa": 1},
        "splits": {"train": 0.5, "test": 0.5},
        "scene": {"duration_s": ["uniform", 12, 14]},
        "max_quarantined": 1.0,
    }
)


def build_in_a_group(library: Path, out: Path) -> None:
    """A build that leads a process group of its own."""
    os.setsid()
    build_here(RECIPE, library, out, forked=2)


def begin(library: Path, out: Path) -> ForkServerProcess:
    """Start such a build."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED])
    process = context.Process(target=build_in_a_group, args=(library, out))
    process.start()
    while process.is_alive() and os.getpgid(pid_of(process)) != process.pid:
        time.sleep(0.001)
    return process


def pid_of(process: ForkServerProcess) -> int:
    assert process.pid is not None
    return process.pid


def stage_of(corpus: Path, shards: int) -> str:
    """What a build of so many shards is at; one that is finished publishes again."""
    if not (corpus / ".state/recipe.json").is_file():
        return "starting"
    if not (corpus / ".state/plan/plan.json").is_file():
        return "planning"
    return "shards" if len(list((corpus / ".state/shards").glob("*.json"))) < shards else "publishing"


def hashes(corpus: Path) -> dict[str, str]:
    return {s["path"]: s["sha256"] for split in read_manifest(corpus)["splits"].values() for s in split["shards"]}


def durations(library: Path, out: Path, shards: int) -> dict[str, float]:
    """Seconds that a build takes for each stage."""
    began = {"starting": time.monotonic()}
    process = begin(library, out)
    while process.is_alive():
        began.setdefault(stage_of(out, shards), time.monotonic())
        time.sleep(0.001)
    assert process.exitcode == 0
    began["done"] = time.monotonic()
    return {a: began[b] - began[a] for a, b in itertools.pairwise((*STAGES, "done"))}


def check_halfway(corpus: Path, undisturbed: Path) -> None:
    """What is marked or published is whole."""
    for marker in (corpus / ".state/shards").glob("*.json"):
        report = CorpusFolder(corpus).finished(marker.stem)
        assert report is not None
        digest = hashlib.sha256((corpus / report.file.path).read_bytes()).hexdigest()
        assert digest == report.file.sha256 == hashes(undisturbed)[report.file.path]
    if (corpus / "manifest.json").is_file():
        assert read_manifest(corpus) == read_manifest(undisturbed)


def check_finished(corpus: Path, undisturbed: Path) -> None:
    """It is the undisturbed one, row by row, and nothing else lies about."""
    check_halfway(corpus, undisturbed)
    manifest = read_manifest(corpus)
    ids = [row["id"] for path in shard_paths(manifest) for row in iter_rows(corpus / path, columns=["id"])]
    assert len(ids) == len(set(ids)) == manifest["rows"]
    assert manifest["rows"] + manifest["quarantined"] == RECIPE.streams
    assert sorted(path.relative_to(corpus) for path in (corpus / "data").rglob("*")) == sorted(
        path.relative_to(undisturbed) for path in (undisturbed / "data").rglob("*")
    )
    assert list(corpus.rglob("*.tmp")) == []


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_lose_and_double_nothing(starter: Path, tmp_path: Path) -> None:
    library = Path(shutil.copytree(starter, tmp_path / "library"))
    undisturbed = build_here(RECIPE, library, tmp_path / "undisturbed").root
    assert isinstance(undisturbed, Path)
    shards = len(hashes(undisturbed))
    finish(library, tmp_path / "first")  # starts the server
    took = durations(library, tmp_path / "timed", shards)
    check_finished(tmp_path / "timed", undisturbed)
    draw, killed, corpora = rng(1, 0, "kills"), Counter[str](), itertools.count()
    out = tmp_path / f"corpus-{next(corpora)}"
    while killed.total() < KILLS:
        # Time alone would hit the longest stage: a stage still to come, then a moment in it.
        now = STAGES.index(stage_of(out, shards))
        k = int(draw.integers(max(now, 1), len(STAGES)))
        process = begin(library, out)
        while process.is_alive() and stage_of(out, shards) in STAGES[:k]:
            time.sleep(0.001)
        process.join(draw.uniform(0, took[STAGES[k]] + (took["starting"] if k == now else 0)))
        if process.is_alive():
            os.killpg(pid_of(process), signal.SIGKILL)
            process.join()
            killed[stage_of(out, shards)] += 1
            check_halfway(out, undisturbed)
            # Or most kills would hit the last stage, which a build is at until it has survived it.
            if stage_of(out, shards) != STAGES[-1] or draw.random() < 0.5:
                continue
            finish(library, out)
        assert process.exitcode in (0, -signal.SIGKILL)
        check_finished(out, undisturbed)
        out = tmp_path / f"corpus-{next(corpora)}"
    finish(library, out)
    check_finished(out, undisturbed)
    print(f"{KILLS} kills in {next(corpora)} corpora: {dict(killed)}; a build takes {took}")
    assert {*STAGES[1:]} <= killed.keys()
    assert list(library.rglob("*.tmp")) == []


def finish(library: Path, out: Path) -> None:
    """Let a build end by itself."""
    process = begin(library, out)
    process.join()
    assert process.exitcode == 0
