"""Prefect's part of a build: shards as tasks on local processes, or one task around all of Ray's."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows.on_ray import Runner, build_on_ray
from flows.prefect_api import wait_for
from flows.workers import BUILD, worker_processes
from pipeline.corpus_build import Workplace, build_shard

SHARDS_PER_WORKER = 50
"""Then come new workers, so that what a process gathers does not grow with the corpus."""
TASKS_PER_WORKER = 2
"""One at work and one that waits for it to be free."""
_names: ContextVar[Iterable[str]] = ContextVar("names")
"""Shards to build. Some may not be planned yet, and a flow's parameters are written down."""


def run_here(workplace: Workplace, names: Iterator[str], workers: int) -> None:
    """Build shards by `workers` processes of this machine, each as soon as `names` yields it.

    Raises:
        WorkerLost: one was killed; run the same again to resume.
    """
    run = run_shards.with_options(task_runner=ThreadPoolTaskRunner(max_workers=TASKS_PER_WORKER * workers))  # pyright: ignore[reportArgumentType]
    for first in names:
        rest = itertools.islice(names, SHARDS_PER_WORKER * workers - 1)
        token = _names.set(itertools.chain([first], rest))
        try:
            run(workplace, workers)
        finally:
            _names.reset(token)


@flow(name="build-corpus", validate_parameters=False)
def run_shards(workplace: Workplace, workers: int) -> None:
    """One task per shard, by new workers."""
    futures, failed = list[PrefectFuture[None]](), threading.Event()
    with worker_processes(workers, BUILD) as pool:
        for name in _names.get():
            future = run_shard.with_options(task_run_name=name).submit(pool, workplace, name)
            assert isinstance(future, PrefectConcurrentFuture)
            future.wrapped_future.add_done_callback(lambda done: None if _completed(done) else failed.set())
            futures.append(future)
            if failed.is_set():
                break  # What is still to be planned would keep the error waiting.
        wait_for(futures)


@task(name="build-shard", cache_policy=NO_CACHE)
def run_shard(pool: Executor, workplace: Workplace, name: str) -> None:
    """Have one shard built by a worker process; only paths and a name cross over."""
    pool.submit(build_shard, workplace, name).result()


def _completed(done: Future[Any]) -> bool:
    """Of a task's future, whose result is a state."""
    return not done.cancelled() and done.exception() is None and done.result().is_completed()


@flow(name="build-corpus", validate_parameters=False)
def run_on_ray(workplace: Workplace, names: list[str], workers: int, runner: Runner) -> None:
    """All shards on Ray, as one task."""
    run_all_on_ray(workplace, names, workers, runner)


@task(name="build-shards-on-ray")
def run_all_on_ray(workplace: Workplace, names: list[str], workers: int, runner: Runner) -> None:
    """Build the shards as tasks of Ray's."""
    build_on_ray(workplace, names, workers=workers, runner=runner)
