"""Let a listener hear a corpus, or a suite, and judge what it did. Run it again to resume."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import TypeAdapter, ValidationError

from flows.on_ray import Runner, replay_on_ray
from flows.prefect_api import prefect_api, wait_for
from flows.workers import REPLAY, worker_processes
from pipeline.config import MAX_RECIPE_BYTES
from pipeline.errors import BadInput
from pipeline.shards.writer import write_atomically
from pipeline.validation.findings import Finding
from pipeline.validation.gates import broken_by_listener
from pipeline.validation.replay.bench import SUITE as BENCH
from pipeline.validation.replay.bench import BenchSource, Rerank, bench_scores, outputs
from pipeline.validation.replay.run import Replay, replay_job
from pipeline.validation.replay.streams import CorpusSource, NaturalSource, Source, StabilitySource
from pipeline.validation.scores import jsonable, scores
from pipeline.validation.texts import Embed, Judge
from schemas.listeners import JudgeSettings, ListenerSettings
from schemas.recipe import Gates

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
KINDS = ("probe", "audio-interaction", "command", "openai-realtime", "audio-chat")
SUITES = ("corpus", "stability", "natural", BENCH)
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Scorers:
    """What scores open replies; each may be absent."""

    embed: Embed | None = None
    embedded_by: str | None = None
    judge: Judge | None = None
    rerank: Rerank | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay leaves behind."""

    results: Path
    scores_file: Path
    scores: dict[str, Any]
    broken: tuple[Finding, ...]


def listener_settings(model: str, changes: dict[str, Any]) -> ListenerSettings:
    """Settings of a kind of listener, or of a YAML file that describes one, with `changes` on top.

    Raises:
        BadInput: neither, or a rule of the settings is broken.
    """
    given: dict[str, Any] = {"kind": model}
    if model not in KINDS:
        given = {"name": Path(model).stem, **_mapping(model, f"kind: {' | '.join(KINDS)}")}
    return _checked(TypeAdapter(ListenerSettings), {**given, **changes}, model)


def judge_settings(file: Path) -> JudgeSettings:
    """Settings of a judge from a YAML file. Raises BadInput where it describes none."""
    return _checked(TypeAdapter(JudgeSettings), _mapping(str(file), "base_url and model"), str(file))


def _mapping(file: str, wanted: str) -> dict[str, Any]:
    path = Path(file)
    if not path.is_file() or path.stat().st_size > MAX_RECIPE_BYTES:
        raise BadInput(f"{file!r} is no YAML file, nor a kind of listener ({', '.join(KINDS)}); give one of them")
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{file!r} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise BadInput(f"{file!r} holds {type(loaded).__name__}; it must be a mapping with {wanted}")
    return loaded


def _checked(adapter: TypeAdapter[T], values: dict[str, Any], what: str) -> T:
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "kind"
        raise BadInput(f"{what!r}: {key}: {first['msg']}; docs/validation.md lists the settings") from error


def source_of(
    corpus: Path,
    suite: str,
    *,
    splits: Sequence[str] = (),
    limit: int | None = None,
    audio: Path | None = None,
    labels: Path | None = None,
) -> Source:
    """What a suite lets a listener hear, by absolute paths, as workers may run in other folders.

    Raises:
        BadInput: an unknown suite, or one without its files.
    """
    # Sessions need neighbours.
    of_corpus = CorpusSource(corpus.resolve(), tuple(splits), limit, spread=suite != "stability")
    if suite not in SUITES:
        raise BadInput(f"suite {suite!r} is none of {', '.join(SUITES)}")
    if suite == "corpus":
        return of_corpus
    if suite == "stability":
        return StabilitySource(of_corpus)
    if audio is None or labels is None or not audio.is_dir() or not labels.is_file():
        raise BadInput(
            f"suite {suite!r} needs --audio DIR, a folder of recordings, and --labels FILE, what is due in them"
        )
    audio, labels = audio.resolve(), labels.resolve()
    return NaturalSource(audio, labels) if suite == "natural" else BenchSource(audio, labels)


def run_replay(
    replay: Replay,
    *,
    gates: Gates | None = None,
    scorers: Scorers | None = None,
    workers: int = 1,
    runner: Runner | None = None,
    fresh: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> Replayed:
    """Hear everything that was not heard yet, store it, and judge it all.

    Shards are heard by `workers` processes, here or, with a `runner`, on Ray.

    Raises:
        BadInput: the listener breaks its protocol, or the corpus cannot be read.
        StaleIdentity: other results lie under this name.
        EndpointDown: a service is gone; run the same again to resume.
        WorkerLost: a worker was killed; run the same again to resume.
    """
    folder, identity = replay.folder, replay.identity()
    if not folder.claim(identity, fresh=fresh):
        _hear(replay, workers, runner, functools.partial(on_progress, "replayed"))
        folder.finish(replay.parts(), identity)
    scorers, heard = scorers or Scorers(), list(replay.judged())
    found = {
        "listener": folder.name,
        "identity": identity,
        "embedded_by": scorers.embedded_by,
        **scores(heard, embed=scorers.embed, judge=scorers.judge, chosen=() if gates is None else gates.sub_tasks),
    }
    if isinstance(replay.source, BenchSource):
        found["bench"] = jsonable(bench_scores(heard, rerank=scorers.rerank, descriptions=replay.source.descriptions()))
        lines = "".join(f"{_json(line)}\n" for line in outputs(heard))
        write_atomically(folder.results.with_suffix(".outputs.jsonl"), lines.encode())
    broken = () if gates is None else tuple(broken_by_listener(gates, folder.name, found))
    found["broken_gates"] = [{"gate": finding.rule, "why": finding.detail} for finding in broken]
    write_atomically(folder.scores, _json(found, indent=2).encode())
    return Replayed(folder.results, folder.scores, found, broken)


def _json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, **options)


@flow(name="replay", validate_parameters=False)
def run_jobs(replay: Replay, workers: int) -> None:
    """One task per job. The parts on disk are the ledger, Prefect's records only the display."""
    with worker_processes(workers, REPLAY) as pool:
        wait_for([run_job.with_options(task_run_name=job).submit(pool, replay, job) for job in replay.source.jobs()])


@task(name="replay-job", cache_policy=NO_CACHE)
def run_job(pool: Executor, replay: Replay, job: str) -> None:
    """Have one job heard by a worker process; only paths and settings cross over."""
    pool.submit(replay_job, replay, job).result()


def _hear(replay: Replay, workers: int, runner: Runner | None, on_progress: Callable[[int, int], None]) -> None:
    total, before = replay.streams(), replay.folder.done()
    if runner is not None:
        with _watched(lambda: on_progress(replay.folder.done(), total)):
            replay_on_ray(replay, workers=workers, runner=runner)
        return
    if workers == 1:
        heard = itertools.count(before + 1)
        for job in replay.source.jobs():
            replay_job(replay, job, on_stream=lambda: on_progress(next(heard), total))
        return
    # Prefect's own runners are not of the type it declares (an invariant type parameter).
    run = run_jobs.with_options(task_runner=ThreadPoolTaskRunner(max_workers=workers))  # pyright: ignore[reportArgumentType]
    with _watched(lambda: on_progress(replay.folder.done(), total)), prefect_api():
        run(replay, workers)


@contextlib.contextmanager
def _watched(report: Callable[[], None]) -> Iterator[None]:
    """Report now and then while workers work."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            report()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        report()
