"""Opens a report that lists many streams in headless Chromium: time until it can be used, and memory.

Needs chromium and chromedriver. `python -m benchmarks.report [--streams 10000] [--json FILE]`
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.validation.listing import Listed, index, read_index
from pipeline.validation.report import script, write_report
from tests.validation.browser import Browser, browser, missing
from tests.validation.report_corpus import make_corpus, make_row

RUNS = 3
SCROLLS = 40


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--streams", type=int, default=10_000)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as scratch:
        page = write_report(make_corpus(Path(scratch) / "corpus", [make_row(0)]), None)
        lengthen(page, given.streams)
        runs = [measure(page, Path(scratch) / f"profile-{run}") for run in range(RUNS)]
        size_mb = (page.parent / "data" / "streams.js").stat().st_size / 1e6
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    figures = {"streams": given.streams, "index_mb": round(size_mb, 2), **figures}
    table = Table("what", f"median of {RUNS}", box=None)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:g}")
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def lengthen(page: Path, streams: int) -> None:
    """Let the list of a report of one row go on, with rows like those of a build whose files are elsewhere."""
    file = page.parent / "data" / "streams.js"
    tasks = ("natural_hazard", "count_events", "single_turn_qa", "read_speech")
    listed = [
        Listed(
            *(f"data/train-{i // 500:05d}-of-00020.parquet", i % 500, f"corpus-train-{i:07d}", "train"),
            *("proactive_response", tasks[i % len(tasks)], f"A nurse makes round {i} in a hospital ward at dawn."),
            *(f"pair-{i // 2}", 480_000 + 6400 * (i % 90), 75 + i % 90, (7, 30, 41 + i % 30)),
            *(30, 1 + i % 7 / 10, 5 + i % 15),
        )
        for i in range(streams)
    ]
    whole = {**read_index(file), "size": streams, "columns": index(listed, {(listed[0].shard, 0): True})}
    file.write_bytes(script("index", whole))


def measure(page: Path, profile: Path) -> dict[str, float]:
    """Seconds, MB of the page's heap, and MB that its process has resident, after opening and after scrolling."""
    with browser(profile, width=1280, height=900) as window:
        begin = time.perf_counter()
        window.open(page.resolve().as_uri())
        window.wait("document.querySelectorAll('.card').length")
        opened_s = time.perf_counter() - begin
        page_s = window.run("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
        filtered_ms = window.run(
            "const begin = performance.now(); const fields = byId('filters').elements; fields.here.value = '';"
            "fields.words.value = 'nurse 99'; showList(); fields.words.value = ''; showList();"
            "return (performance.now() - begin) / 2"
        )
        opened = memory_mb(window, profile)
        for step in range(SCROLLS):
            window.run(f"scrollTo(0, document.body.scrollHeight * {step / SCROLLS}); layOut()")
        scrolled = memory_mb(window, profile)
    return {
        "opened_s": round(opened_s, 3),
        "load_event_s": round(page_s, 3),
        "filter_ms": round(filtered_ms, 1),
        **{f"{name}_opened": value for name, value in opened.items()},
        **{f"{name}_scrolled": value for name, value in scrolled.items()},
    }


def memory_mb(window: Browser, profile: Path) -> dict[str, float]:
    """The page's JavaScript heap, and the largest renderer of this browser (Linux)."""
    heap = window.run("return performance.memory.usedJSHeapSize") / 1e6
    renderers = [
        int(found[1]) * 1024 / 1e6
        for process in Path("/proc").glob("[0-9]*")
        if (command := read(process / "cmdline"))
        and "--type=renderer" in command
        and str(profile) in command
        and (found := re.search(r"^Pss:\s+(\d+) kB", read(process / "smaps_rollup"), re.MULTILINE))
    ]
    return {"heap_mb": round(heap, 1), "renderer_pss_mb": round(max(renderers, default=float("nan")), 1)}


def read(file: Path) -> str:
    """A file of a process, which may be gone."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
