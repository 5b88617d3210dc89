"""Prefect's part of a build: shards as tasks on local processes, or one task around all of Ray's."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner

from flows.on_ray import Runner, build_on_ray
from flows.prefect_api import wait_for
from pipeline.corpus_build import Workplace, build_shard
from pipeline.errors import WorkerLost

SHARDS_PER_WORKER = 50
"""Then come new workers, so that what a process gathers does not grow with the corpus."""
_names: ContextVar[Iterable[str]] = ContextVar("names")
"""Shards to build. Some may not be planned yet, and a flow's parameters are written down and sent to every worker."""


def run_here(workplace: Workplace, names: Iterator[str], workers: int) -> None:
    """Build shards by `workers` processes of this machine, each as soon as `names` yields it.

    Raises:
        WorkerLost: one was killed; run the same again to resume.
    """
    for first in names:
        rest = itertools.islice(names, SHARDS_PER_WORKER * workers - 1)
        _run_some(workplace, itertools.chain([first], rest), workers)


def _run_some(workplace: Workplace, names: Iterable[str], workers: int) -> None:
    """Build some shards with new workers."""
    runner = ProcessPoolTaskRunner(max_workers=workers, initializer=end_with_parent)
    # Prefect's own runners are not of the type it declares (an invariant type parameter).
    run = run_shards.with_options(task_runner=runner)  # pyright: ignore[reportArgumentType]
    token = _names.set(names)
    try:
        run(workplace)
    except BrokenProcessPool as error:
        raise WorkerLost(
            "a worker process was killed, perhaps for want of memory; finished shards are kept: run the same command "
            "again to resume, with fewer --workers if it happens again"
        ) from error
    finally:
        _names.reset(token)
        # After an interrupt Prefect leaves its workers waiting for work, and the interpreter would wait for them.
        for worker in multiprocessing.active_children():
            worker.kill()


@task(name="build-shard")
def run_shard(workplace: Workplace, name: str) -> None:
    """Build one shard in a worker process; only paths and a name cross over."""
    build_shard(workplace, name)


@flow(name="build-corpus", validate_parameters=False)
def run_shards(workplace: Workplace) -> None:
    """One task per shard."""
    _run_all(workplace)


def _run_all(workplace: Workplace) -> None:
    # No part of the flow's function, which goes to every worker with all that it names.
    futures, failed = list[PrefectFuture[None]](), threading.Event()
    for name in _names.get():
        future = run_shard.with_options(task_run_name=name).submit(workplace, name)
        assert isinstance(future, PrefectConcurrentFuture)
        future.wrapped_future.add_done_callback(lambda done: None if _completed(done) else failed.set())
        futures.append(future)
        if failed.is_set():
            break  # What is still to be planned would keep the error waiting.
    wait_for(futures)


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


def end_with_parent() -> None:
    """Let this worker end when the build that started it is killed, which it would otherwise wait for for ever.

    An interrupt from the terminal, which reaches it too, ends it without a word: the build says so.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
