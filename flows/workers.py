"""Worker processes of this machine, forked from one that has loaded the pipeline once for all of them.

A Prefect task hands its work to one of them and waits for it. So workers do not load Prefect, which takes nearly as
long as all of the pipeline, and what Prefect does before and after a task keeps none of them waiting.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver

from pipeline.errors import WorkerLost

BUILD = ("pipeline.corpus_build", "faiss", "pandas")
REPLAY = ("pipeline.validation.replay.run",)
"""What workers will need. None of these modules starts a thread that a fork would lose."""
SAFE_PATH = "PYTHONSAFEPATH"


def load_ahead(modules: Sequence[str]) -> None:
    """Let the process that workers are forked from load these while the caller does other things."""
    multiprocessing.set_forkserver_preload(list(modules))
    # It would look into the working folder first, where a `pipeline` or `pandas.py` is somebody else's.
    before = os.environ.get(SAFE_PATH, "")
    os.environ[SAFE_PATH] = "1"
    try:
        forkserver.ensure_running()
    finally:
        os.environ[SAFE_PATH] = before  # Empty is as good as none.


@contextlib.contextmanager
def worker_processes(count: int, modules: Sequence[str]) -> Iterator[ProcessPoolExecutor]:
    """So many workers, each started when there is work for it. After an error none of them is waited for.

    Raises:
        WorkerLost: one was killed; run the same again to resume.
    """
    load_ahead(modules)
    forks = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(count, mp_context=forks, initializer=_begin, initargs=(dict(os.environ),))
    try:
        yield pool
    except BaseException as error:
        for worker in multiprocessing.active_children():
            worker.kill()
        if isinstance(error, BrokenProcessPool):
            raise WorkerLost(
                "a worker process was killed, perhaps for want of memory; what is finished is kept: run the same "
                "command again to resume, with fewer --workers if it happens again"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(environment: Mapping[str, str]) -> None:
    """Take the environment of the moment, and end when the parent is killed, which would be waited for for ever.

    An interrupt from the terminal, which reaches a worker too, ends it without a word: the parent says so.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
