"""Shards on Ray: one Ray task each, below a single Prefect task.

Prefect's own Ray runner makes every shard a Prefect task, which asks Prefect's API from the worker, and workers on
other machines do not reach a server on loopback.

Where GPUs are asked for, two Ray tasks make a shard: the first has its sounds made on a GPU, the second builds it on a
CPU and gets them through Ray's object store. A task rather than an actor for the first, as Ray ends its process after
each: what shares a GPU must not keep memory there that is another's by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from flows.prefect_api import raise_first
from pipeline.corpus_build import Workplace, build_shard, generate_shard
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
        workers: shards built at a time, on one CPU and no GPU each.
        address: of a cluster (`auto`, `HOST:PORT`, `ray://HOST:PORT`); None for a Ray of this machine alone.
        gpus: share of a GPU that the task which makes a shard's sounds asks for; 0 for none of these tasks.

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
        build = ray.remote(build_shard).options(num_cpus=1, num_gpus=0, max_retries=RETRIES, name="build-shard")
        # No CPU, or it would wait for one with its GPU idle.
        on_gpu = ray.remote(num_cpus=0, num_gpus=gpus, max_calls=1, max_retries=RETRIES)
        generate = on_gpu(generate_shard).options(name="generate-sounds") if gpus else None
        _all(ray, generate, build, workplace, names, workers)
    finally:
        ray.shutdown()


def _all(ray: Any, generate: Any, build: Any, workplace: Workplace, names: list[str], workers: int) -> None:
    waiting, failed = deque(names), list[Exception]()
    making, made, building = dict[Any, str](), deque[tuple[str, Any]](), dict[Any, str]()
    while making or building or ((waiting or made) and not failed):
        while waiting and len(making) + len(made) < workers and not failed:
            name = waiting.popleft()
            if generate is None:
                made.append((name, None))
            else:
                making[generate.remote(workplace, name)] = name
        while made and len(building) < workers and not failed:
            name, sounds = made.popleft()
            building[build.remote(workplace, name, sounds)] = name
        # Sounds are fetched by who builds with them, and a failure to make them is told by that task.
        (done, *_), _ = ray.wait([*building, *making], num_returns=1, fetch_local=False)
        if done in making:
            made.append((making.pop(done), done))
            continue
        name = building.pop(done)
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
