"""Worker processes: they know the environment, their end is told, and nobody waits for them after an error."""

import contextlib
import os
import signal
import time

import pytest

from flows.workers import BUILD, worker_processes
from pipeline.errors import WorkerLost


def test_a_worker_has_the_environment_of_the_moment(monkeypatch):
    with worker_processes(1, BUILD) as pool:
        assert pool.submit(os.getenv, "STREAMAUDIO_TEST").result() is None
    monkeypatch.setenv("STREAMAUDIO_TEST", "later")
    with worker_processes(1, BUILD) as pool:
        assert pool.submit(os.getenv, "STREAMAUDIO_TEST").result() == "later"


def test_a_killed_worker_is_told():
    with pytest.raises(WorkerLost, match="same command again to resume"), worker_processes(1, BUILD) as pool:
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()


def interrupted(workers: list[int]) -> None:
    with worker_processes(1, BUILD) as pool:
        workers.append(pool.submit(os.getpid).result())
        pool.submit(time.sleep, 3600)
        raise KeyboardInterrupt


def test_after_an_interrupt_no_worker_is_waited_for():
    workers = list[int]()
    with pytest.raises(KeyboardInterrupt):
        interrupted(workers)
    with contextlib.suppress(ProcessLookupError):
        while True:  # Until the process that it was forked from has noticed.
            os.kill(workers[0], 0)
            time.sleep(0.01)
