"""The flow that builds a corpus: plan once, build shards on local processes or on Ray, publish. Run it again to resume.

On local processes a shard is a Prefect task; on Ray it is a Ray task, below a single Prefect task (see `on_ray`).
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner

from flows.on_ray import Runner, build_on_ray
from flows.prefect_api import prefect_api, start_ahead, wait_for
from pipeline.corpus_build import Plan, Workplace, build_shard, identity, planned, publish
from pipeline.errors import TooManyQuarantined, WorkerLost
from pipeline.library.fetch import local_library
from pipeline.library.library import Library
from pipeline.past import Past
from pipeline.shards.corpus import CorpusFolder, same_build
from pipeline.shards.versions import published_in, version_of
from pipeline.storage import Location, outages_told
from schemas.recipe import Recipe

Progress = Callable[[str, int, int], None]
"""Called with (what is counted: "planned" or "built", streams done, streams in all)."""
POLL_S = 0.2
SHARDS_PER_WORKER = 50
"""Then come new workers, so that what a process gathers does not grow with the corpus."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves behind."""

    root: Location
    manifest: dict[str, Any]


def build_corpus(
    recipe: Recipe,
    library_path: Location,
    out: Location,
    *,
    workers: int = 1,
    runner: Runner | None = None,
    limit: int | None = None,
    replay_only: bool = False,
    past: Past | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Built:
    """Build `out` from a recipe and a library, or go on where an earlier build of the same stopped.

    `library_path` and `out` may lie in an object store. Shards are built by `workers` processes, here or, with a
    `runner`, on Ray. With `replay_only` no language model is asked: every reply comes from the recipe's cache.
    `past` is what earlier versions used up (`flows.versions`).

    Raises:
        EndpointDown, BudgetReached: the language model, or the object store, cannot be asked any more; run the same
            again to resume.
        WorkerLost: a worker was killed; run the same again to resume.
        ReplyMissing: a replay lacks a reply.
        BadInput: the library, the folder or the recipe cannot be used.
        StaleIdentity: `out` was begun with another recipe, library or limit.
        TooManyQuarantined: the corpus is finished and published, but `max_quarantined` was passed.
    """
    folder, library = CorpusFolder(out.resolve()), Library.open(local_library(library_path))
    with outages_told():
        published = published_in(out)
    if published is not None and version_of(published) > 1:
        same_build(published["identity"], identity(recipe, library, limit), out)
        return Built(out, published)
    this_build = identity(recipe, library, limit, past)
    with outages_told(), folder.claimed(this_build):
        if published is None:
            start_ahead()
        workplace = Workplace.prepare(folder, recipe, library_path.resolve(), replay_only=replay_only)
        with workplace.crew(recipe) as crew:
            plan = planned(
                folder,
                recipe,
                library,
                crew=crew,
                limit=limit,
                past=past,
                on_progress=functools.partial(on_progress, "planned"),
            )
        missing = _missing(workplace, plan)
        if missing:
            with _watched(workplace, plan, functools.partial(on_progress, "built")), prefect_api():
                if runner is None:
                    _run_here(workplace, missing, workers)
                else:
                    run_on_ray(workplace, missing, workers, runner)
        manifest = None if missing else folder.published(this_build, recipe.model_dump(mode="json"))
        if manifest is None:
            manifest = publish(workplace, recipe, plan, this_build)
    share = manifest["quarantined"] / max(1, manifest["quarantined"] + manifest["rows"])
    if share > recipe.max_quarantined:
        raise TooManyQuarantined(
            f"{manifest['quarantined']} streams ({share:.1%}) were rejected, the recipe's max_quarantined is "
            f"{recipe.max_quarantined:.1%}; {str(out / 'quarantine.parquet')!r} says why"
        )
    return Built(out, manifest)


def _missing(workplace: Workplace, plan: Plan) -> list[str]:
    """Shards that are not there yet. Our markers are the ledger, Prefect's records only the display."""
    missing: list[str] = []
    for shard, report in zip(plan.shards, workplace.folder.each_finished(s.name for s in plan.shards), strict=True):
        if report is None:
            missing.append(shard.name)
        else:
            workplace.report_progress(shard.name, shard.streams)
    return missing


def _run_here(workplace: Workplace, names: list[str], workers: int) -> None:
    for start in range(0, len(names), SHARDS_PER_WORKER * workers):
        _run_some(workplace, names[start : start + SHARDS_PER_WORKER * workers], workers)


def _run_some(workplace: Workplace, names: list[str], workers: int) -> None:
    """Build some shards with new workers."""
    runner = ProcessPoolTaskRunner(max_workers=workers, initializer=end_with_parent)
    # Prefect's own runners are not of the type it declares (an invariant type parameter).
    run = run_shards.with_options(task_runner=runner)  # pyright: ignore[reportArgumentType]
    try:
        run(workplace, names)
    except BrokenProcessPool as error:
        raise WorkerLost(
            "a worker process was killed, perhaps for want of memory; finished shards are kept: run the same command "
            "again to resume, with fewer --workers if it happens again"
        ) from error
    finally:
        # After an interrupt Prefect leaves its workers waiting for work, and the interpreter would wait for them.
        for worker in multiprocessing.active_children():
            worker.kill()


@flow(name="build-corpus", validate_parameters=False)
def run_shards(workplace: Workplace, names: list[str]) -> None:
    """One task per shard."""
    wait_for([run_shard.with_options(task_run_name=name).submit(workplace, name) for name in names])


@task(name="build-shard")
def run_shard(workplace: Workplace, name: str) -> None:
    """Build one shard in a worker process; only paths and a name cross over."""
    build_shard(workplace, name)


@flow(name="build-corpus", validate_parameters=False)
def run_on_ray(workplace: Workplace, names: list[str], workers: int, runner: Runner) -> None:
    """All shards on Ray, as one task."""
    run_all_on_ray(workplace, names, workers, runner)


@task(name="build-shards-on-ray")
def run_all_on_ray(workplace: Workplace, names: list[str], workers: int, runner: Runner) -> None:
    """Build the shards as tasks of Ray's."""
    build_on_ray(workplace, names, workers=workers, runner=runner)


def end_with_parent() -> None:
    """Let this worker end when the build that started it is killed, which it would otherwise wait for for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@contextlib.contextmanager
def _watched(workplace: Workplace, plan: Plan, on_progress: Callable[[int, int], None]) -> Iterator[None]:
    """Report how far the workers are while they work."""
    over, total = threading.Event(), sum(shard.streams for shard in plan.shards)

    def watch() -> None:
        took = 0.0
        # Of many shards, looking takes longer.
        while not over.wait(max(POLL_S, 10 * took)):
            begun = time.monotonic()
            on_progress(workplace.progress(), total)
            took = time.monotonic() - begun

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        on_progress(workplace.progress(), total)
