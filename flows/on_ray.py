"""Shards on Ray: one Ray task each, below a single Prefect task.

Prefect's own Ray runner makes every shard a Prefect task, which asks Prefect's API from the worker, and workers on
other machines do not reach a server on loopback.

Where GPUs are asked for, two Ray tasks make a shard: the first has its sounds made on a GPU, the second builds it on a
CPU and gets them through Ray's object store. A task rather than an actor for the first, as Ray ends its process after
each: what shares a GPU must not keep memory there that is another's by then.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.prefect_api import raise_first
from flows.shared_ledger import shared_ledger
from pipeline.corpus_build import Workplace, build_shard, generate_shard
from pipeline.errors import BadInput, MissingDependency, WorkerLost

if TYPE_CHECKING:
    from pipeline.validation.replay.run import Replay

RETRIES = 3
"""Times that Ray starts a task anew after its worker was lost."""
PACKAGES = ("flows", "pipeline", "prompts", "schemas")


@dataclass(frozen=True, slots=True)
class Runner:
    """Ray, of this machine or at the address of a cluster."""

    address: str | None = None
    """`auto`, `HOST:PORT`, `ray://HOST:PORT`; None for a Ray of this machine alone."""
    gpus: float = 0.0
    """Share of one for making the sounds of a shard, or for a listener; 0 where none is needed."""


def build_on_ray(workplace: Workplace, names: Sequence[str], *, workers: int, runner: Runner) -> None:
    """Build shards as Ray tasks.

    Args:
        workplace: where the workers find everything; on other machines, in an object store or a shared folder.
        names: the shards.
        workers: shards built at a time, on one CPU and no GPU each.
        runner: with `gpus`, the sounds of a shard are made by a task of its own, which alone asks for them.

    Raises:
        MissingDependency: Ray is not installed.
        BadInput: the cluster is not there, or has not what a task asks for.
        WorkerLost: a shard's worker was lost too often; run the same again to resume.
    """
    with _opened(workers, runner) as ray, shared_ledger(ray, workplace, runner.address) as workplace:
        build = ray.remote(num_cpus=1, num_gpus=0, max_retries=RETRIES)(build_shard).options(name="build-shard")
        # No CPU, or it would wait for one with its GPU idle.
        on_gpu = ray.remote(num_cpus=0, num_gpus=runner.gpus, max_calls=1, max_retries=RETRIES)
        generate = on_gpu(generate_shard).options(name="generate-sounds")

        def built(name: str, report: Any) -> None:
            workplace.report_progress(name, report.file.rows + len(report.quarantined))

        _all(
            ray,
            names,
            workers,
            first=(lambda name: generate.remote(workplace, name)) if runner.gpus else None,
            then=lambda name, made: build.remote(workplace, name, made),
            on_done=built,
        )


def replay_on_ray(replay: Replay, *, workers: int, runner: Runner) -> None:
    """Let a listener hear the jobs of a replay as Ray tasks, `workers` at a time, of one CPU and `gpus` GPUs each.

    Raises as `build_on_ray`.
    """
    from pipeline.validation.replay.run import replay_job

    with _opened(workers, runner) as ray:
        on_gpu = {"num_gpus": runner.gpus, "max_calls": 1} if runner.gpus else {}
        hear = ray.remote(num_cpus=1, max_retries=RETRIES, **on_gpu)(replay_job).options(name="replay-job")
        _all(ray, replay.source.jobs(), workers, first=None, then=lambda job, _: hear.remote(replay, job))


@contextlib.contextmanager
def _opened(workers: int, runner: Runner) -> Iterator[Any]:
    _check_working_folder()
    try:
        import ray
    except ImportError as error:
        raise MissingDependency(
            "--runner ray needs Ray: pip install 'streamaudio-builder[ray]', or use --runner local"
        ) from error
    alone: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if runner.address is None else {}
    try:
        ray.init(address=runner.address or "local", log_to_driver=False, **alone)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"--address {runner.address!r} is no Ray cluster ({_line(error)}); leave it out to use Ray here"
        ) from error
    try:
        _check_gpus(ray, runner.gpus)
        yield ray
    finally:
        ray.shutdown()


def _all(
    ray: Any,
    names: Sequence[str],
    at_once: int,
    *,
    first: Callable[[str], Any] | None,
    then: Callable[[str, Any], Any],
    on_done: Callable[[str, Any], None] = lambda name, result: None,
) -> None:
    """Start a task for every name by `then`, at most `at_once` at a time, which gets the result of a task that `first`
    starts, where there is one; as many of these are ahead."""
    waiting, failed = deque(names), list[Exception]()
    ahead, ready, running = dict[Any, str](), deque[tuple[str, Any]](), dict[Any, str]()
    while ahead or running or ((waiting or ready) and not failed):
        while waiting and len(ahead) + len(ready) < at_once and not failed:
            name = waiting.popleft()
            if first is None:
                ready.append((name, None))
            else:
                ahead[first(name)] = name
        while ready and len(running) < at_once and not failed:
            name, result = ready.popleft()
            running[then(name, result)] = name
        # What comes first is fetched by the task that takes it, which also tells when it failed.
        (done, *_), _ = ray.wait([*running, *ahead], num_returns=1, fetch_local=False)
        if done in ahead:
            ready.append((ahead.pop(done), done))
            continue
        name = running.pop(done)
        try:
            on_done(name, ray.get(done))
        except ray.exceptions.RayTaskError as error:
            failed.append(error.cause)
        except ray.exceptions.RayError as error:
            failed.append(WorkerLost(f"{name!r}: its worker was lost ({_line(error)}); run the same to resume"))
    raise_first(failed)


def _check_working_folder() -> None:
    """Ray's workers look for modules in the folder that the command is run in before they look anywhere else."""
    folder = str(Path.cwd())
    for name in PACKAGES:
        here, ours = PathFinder.find_spec(name, [folder]), find_spec(name)
        # What has no origin is a folder without __init__.py, and comes last.
        if here is not None and ours is not None and here.origin not in (None, ours.origin):
            raise BadInput(
                f"{folder!r} holds a package {name!r} of its own, which Ray's workers would take for ours; "
                "run the command in another folder"
            )


def _check_gpus(ray: Any, gpus: float) -> None:
    most = max((node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if gpus > most:
        raise BadInput(f"--gpus {gpus!r}: no machine of Ray's has more than {most:g}, it would wait for ever; ask less")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
