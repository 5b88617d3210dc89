"""Shards on Ray: one Ray task each, below a single Prefect task.

Prefect's own Ray runner makes every shard a Prefect task, which asks Prefect's API from the worker, and workers on
other machines do not reach a server on loopback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.prefect_api import raise_first
from pipeline.corpus_build import Workplace, build_shard
from pipeline.errors import BadInput, MissingDependency, WorkerLost

RETRIES = 3
"""Times that Ray starts a shard anew after its worker was lost."""


def build_on_ray(
    workplace: Workplace,
    names: list[str],
    *,
    workers: int,
    address: str | None,
    gpus: float,
) -> None:
    """Build shards as Ray tasks, `workers` at a time.

    Args:
        workplace: where the workers find everything; on other machines, in an object store or a shared folder.
        names: the shards.
        workers: tasks at a time; of one CPU and `gpus` GPUs each.
        address: of a cluster (`auto`, `HOST:PORT`, `ray://HOST:PORT`); None for a Ray of this machine alone.
        gpus: share of a GPU that a task asks for.

    Raises:
        MissingDependency: Ray is not installed.
        BadInput: the cluster is not there, or has not what a task asks for.
        WorkerLost: a shard's worker was lost too often; run the same again to resume.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependency(
            "--runner ray needs Ray: pip install 'streamaudio-builder[ray]', or use --runner local"
        ) from error
    alone: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, **alone)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"--address {address!r} is no Ray cluster ({_line(error)}); leave it out to use Ray here"
        ) from error
    try:
        _check_gpus(ray.cluster_resources(), gpus)
        task = ray.remote(build_shard).options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, name="build-shard")
        _all(ray, task, workplace, names, workers)
    finally:
        ray.shutdown()


def _all(ray: Any, task: Any, workplace: Workplace, names: list[str], workers: int) -> None:
    waiting, running, failed = list(reversed(names)), dict[Any, str](), list[Exception]()
    while running or (waiting and not failed):
        while waiting and len(running) < workers and not failed:
            name = waiting.pop()
            running[task.remote(workplace, name)] = name
        (done, *_), _ = ray.wait(list(running), num_returns=1)
        name = running.pop(done)
        try:
            report = ray.get(done)
            workplace.report_progress(name, report.file.rows + len(report.quarantined))
        except ray.exceptions.RayTaskError as error:
            failed.append(error.cause)
        except ray.exceptions.RayError as error:
            failed.append(WorkerLost(f"shard {name!r}: its worker was lost ({_line(error)}); run the same to resume"))
    raise_first(failed)


def _check_gpus(cluster: Mapping[str, float], gpus: float) -> None:
    if gpus > cluster.get("GPU", 0):
        raise BadInput(
            f"--gpus {gpus!r}: Ray has {cluster.get('GPU', 0):g} GPUs here, and would wait for ever; ask less"
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
