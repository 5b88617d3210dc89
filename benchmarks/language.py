"""Time of 64 scenes through a chat endpoint, over the ideal time of its latency.

    OMP_NUM_THREADS=1 python benchmarks/language.py [--latency-s S] [--json FILE]

The endpoint is the tests' server on loopback; every reply takes S seconds. Ideal is requests x S / concurrency:
all slots busy from the first request to the last, and no work of our own. Planning and the building of shards are timed
apart; in shards this machine conditions, mixes and encodes sound while it waits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.corpus_build import Workplace, build_shard, open_tools, planning, read_plan
from pipeline.library.library import Library
from pipeline.shards.corpus import CorpusFolder
from tests.flows.language_builds import make_library, recipe_for
from tests.language.server import ScriptedServer, smart

SCENES, CONCURRENCY = 64, 16
# No pairs, which are two streams of one scene.
MIXTURE = {"alert_on_event": 1, "count_events": 1, "stay_silent_unless": 1, "sound_event_qa": 1}


def measure(folder: Path, latency_s: float) -> dict[str, float]:
    """Seconds, requests and ratios of both halves of a build."""
    library_path = make_library(folder / "library")
    corpus = CorpusFolder(folder / "corpus")
    with ScriptedServer(smart, latency_s=latency_s) as server:
        recipe = recipe_for(
            server.url, folder, streams=SCENES, planner={"concurrency": CONCURRENCY, "timeout_s": 60}, mixture=MIXTURE
        ).model_copy(update={"streams_per_shard": SCENES})
        workplace = Workplace.prepare(corpus, recipe, library_path)
        library = Library.open(library_path)
        start = time.perf_counter()
        with workplace.crew(recipe) as crew:
            list(planning(corpus, recipe, library, crew=crew, limit=None, on_progress=lambda done, total: None))
            plan = read_plan(corpus)
        planning_s, asked = time.perf_counter() - start, len(server.requests)
        open_tools(workplace)
        start = time.perf_counter()
        reports = [build_shard(workplace, shard.name) for shard in plan.shards]
        shards_s = time.perf_counter() - start
        figures = {
            "latency_s": latency_s,
            "rows": sum(report.file.rows for report in reports),
            "planning_requests": asked,
            "planning_s": planning_s,
            "planning_ratio": planning_s * CONCURRENCY / (asked * latency_s),
            "shards_requests": len(server.requests) - asked,
            "shards_s": shards_s,
            "shards_ratio": shards_s * CONCURRENCY / ((len(server.requests) - asked) * latency_s),
            "most_at_once": server.most_at_once,
        }
        open_tools(workplace).crew.__exit__()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-s", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.latency_s)
    print(f"{SCENES} scenes, concurrency {CONCURRENCY}, {arguments.latency_s:g} s a reply; {figures['rows']} rows")
    print(f"{'':<10}{'requests':>10}{'seconds':>10}{'over ideal':>12}")
    for half in ("planning", "shards"):
        requests, seconds, ratio = (figures[f"{half}_{name}"] for name in ("requests", "s", "ratio"))
        print(f"{half:<10}{requests:>10,.0f}{seconds:>10.1f}{ratio:>12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
