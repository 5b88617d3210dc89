"""The flow that builds a corpus: plan once, one task per shard on local processes, publish. Run it again to resume."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner

from pipeline.corpus_build import Workplace, build_shard, identity, planned, publish
from pipeline.errors import StreamAudioError, TooManyQuarantined
from pipeline.library.library import Library
from pipeline.shards.corpus import CorpusFolder
from schemas.recipe import Recipe

Progress = Callable[[str, int, int], None]
"""Called with (what is counted: "planned" or "built", streams done, streams in all)."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves behind."""

    root: Path
    manifest: dict[str, Any]


def build_corpus(
    recipe: Recipe,
    library_path: Path,
    out: Path,
    *,
    workers: int = 1,
    limit: int | None = None,
    replay_only: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> Built:
    """Build `out` from a recipe and a library, or go on where an earlier build of the same stopped.

    With `replay_only` no language model is asked: every reply comes from the recipe's cache.

    Raises:
        EndpointDown, BudgetReached: the language model cannot be asked any more; run the same again to resume.
        ReplyMissing: a replay lacks a reply.
        BadInput: the library, the folder or the recipe cannot be used.
        StaleIdentity: `out` was begun with another recipe, library or limit.
        TooManyQuarantined: the corpus is finished and published, but `max_quarantined` was passed.
    """
    folder, library = CorpusFolder(out.resolve()), Library.open(library_path)
    this_build = identity(recipe, library, limit)
    with folder.claimed(this_build):
        workplace = Workplace.prepare(folder, recipe, library_path.resolve(), replay_only=replay_only)
        with workplace.crew(recipe) as crew:
            plan = planned(
                folder, recipe, library, crew=crew, limit=limit, on_progress=functools.partial(on_progress, "planned")
            )
        runner = ProcessPoolTaskRunner(max_workers=workers)
        # Prefect's own runners are not of the type it declares (an invariant type parameter).
        run = run_shards.with_options(task_runner=runner)  # pyright: ignore[reportArgumentType]
        try:
            with _watched(workplace, functools.partial(on_progress, "built")):
                run(workplace, [shard.name for shard in plan.shards])
        finally:
            # After an interrupt Prefect leaves its workers waiting for work, and the interpreter would wait for them.
            for worker in multiprocessing.active_children():
                worker.kill()
        manifest = publish(workplace, recipe, plan, this_build)
    share = manifest["quarantined"] / max(1, manifest["quarantined"] + manifest["rows"])
    if share > recipe.max_quarantined:
        raise TooManyQuarantined(
            f"{manifest['quarantined']} streams ({share:.1%}) were rejected, the recipe's max_quarantined is "
            f"{recipe.max_quarantined:.1%}; {str(out / 'quarantine.parquet')!r} says why"
        )
    return Built(out, manifest)


@flow(name="build-corpus", validate_parameters=False)
def run_shards(workplace: Workplace, names: list[str]) -> None:
    """One task per shard that is not there yet. Our markers are the ledger, Prefect's records only the display."""
    futures = [
        run_shard.with_options(task_run_name=name).submit(workplace, name)
        for name in names
        if workplace.folder.finished(name) is None
    ]
    results = [future.result(raise_on_failure=False) for future in futures]
    errors = [result for result in results if isinstance(result, BaseException)]
    # Errors of ours first: they say what to do.
    for error in sorted(errors, key=lambda e: not isinstance(e, StreamAudioError)):
        raise error


@task(name="build-shard")
def run_shard(workplace: Workplace, name: str) -> None:
    """Build one shard in a worker process; only paths and a name cross over."""
    build_shard(workplace, name)


@contextlib.contextmanager
def _watched(workplace: Workplace, on_progress: Callable[[int, int], None]) -> Iterator[None]:
    """Report how far the workers are while they work."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            on_progress(*workplace.progress())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        on_progress(*workplace.progress())
