"""A build with one worker holds less than 1 GiB, all its processes together."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

GIB_IN_KIB = 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_build_stays_within_a_gibibyte(starter: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(starter, library, ignore=shutil.ignore_patterns("conditioned"))
    build = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "memory.py"))["build"]
    seen = build(tmp_path, library, streams=56, workers=1)
    assert {"command", "server", "worker"} <= set(seen.peaks)
    assert seen.peaks["worker"]["RssAnon"] > 200 * 1024, "the worker was not seen at work"
    assert seen.sum_kib < GIB_IN_KIB
