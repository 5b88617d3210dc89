"""Worker processes: they know the environment, their end is told, and nobody waits for them after an error."""

import os
import signal
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

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


def interrupted(jobs: list[Future[None]]) -> None:
    with worker_processes(1, BUILD) as pool:
        jobs.append(pool.submit(time.sleep, 20))
        while not jobs[0].running():  # What waits is cancelled, and proves nothing.
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_after_an_interrupt_no_worker_is_waited_for():
    jobs = list[Future[None]]()
    with pytest.raises(KeyboardInterrupt):
        interrupted(jobs)
    with pytest.raises(BrokenProcessPool):
        jobs[0].result()
