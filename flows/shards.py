"""Prefect's part of a build: shards as tasks on local processes, or one task around all of Ray's."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures.process import BrokenProcessPool

from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner

from flows.on_ray import Runner, build_on_ray
from flows.prefect_api import wait_for
from pipeline.corpus_build import Workplace, build_shard
from pipeline.errors import WorkerLost

SHARDS_PER_WORKER = 50
"""Then come new workers, so that what a process gathers does not grow with the corpus."""


def run_here(workplace: Workplace, names: list[str], workers: int) -> None:
    """Build shards by `workers` processes of this machine.

    Raises:
        WorkerLost: one was killed; run the same again to resume.
    """
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
