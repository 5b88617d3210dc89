"""The flow that builds a corpus: plan once, build shards on local processes or on Ray, publish. Run it again to resume.

On local processes a shard is a Prefect task; on Ray it is a Ray task, below a single Prefect task (see `on_ray`).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flows.on_ray import Runner
from flows.prefect_api import answering, prefect_api, start_ahead
from flows.workers import BUILD, load_ahead
from pipeline.corpus_build import Workplace, identity, planning, publish, read_plan
from pipeline.corpus_plan import ShardPlan, streams_of
from pipeline.errors import TooManyQuarantined
from pipeline.library.fetch import local_library
from pipeline.library.library import Library
from pipeline.past import Past
from pipeline.shards.corpus import CorpusFolder, same_build
from pipeline.shards.versions import published_in, version_of
from pipeline.storage import Location, outages_told
from schemas.recipe import ModelPlanner, Recipe

Progress = Callable[[str, int, int], None]
"""Called with (what is counted: "planned" or "built", streams done, streams in all)."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves behind."""

    root: Location
    manifest: dict[str, Any]


def build_corpus(
    recipe: Recipe,
    library_path: Location,
    out: Location,
    *,
    workers: int = 1,
    runner: Runner | None = None,
    limit: int | None = None,
    replay_only: bool = False,
    past: Past | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Built:
    """Build `out` from a recipe and a library, or go on where an earlier build of the same stopped.

    `library_path` and `out` may lie in an object store. Shards are built by `workers` processes, here or, with a
    `runner`, on Ray. With `replay_only` no language model is asked: every reply comes from the recipe's cache.
    `past` is what earlier versions used up (`flows.versions`).

    Raises:
        EndpointDown, BudgetReached: the language model, or the object store, cannot be asked any more; run the same
            again to resume.
        WorkerLost: a worker was killed; run the same again to resume.
        ReplyMissing: a replay lacks a reply.
        BadInput: the library, the folder or the recipe cannot be used.
        StaleIdentity: `out` was begun with another recipe, library or limit.
        TooManyQuarantined: the corpus is finished and published, but `max_quarantined` was passed.
    """
    folder, library = CorpusFolder(out.resolve()), Library.open(local_library(library_path))
    with outages_told():
        published = published_in(out)
    if published is not None and version_of(published) > 1:
        same_build(published["identity"], identity(recipe, library, limit), out)
        return Built(out, published)
    this_build = identity(recipe, library, limit, past)
    with outages_told(), folder.claimed(this_build):
        if published is None:
            start_ahead()
            if runner is None:
                load_ahead(BUILD)
        workplace = Workplace.prepare(folder, recipe, library_path.resolve(), replay_only=replay_only)
        on_planned = functools.partial(on_progress, "planned")
        shards = _planned(workplace, recipe, library, limit=limit, past=past, on_progress=on_planned)
        if workers == 1 or runner is not None or isinstance(recipe.planner, ModelPlanner):
            # One worker is one process at work at a time. A model may stop the planning, and then nothing is built yet.
            shards = iter(list(shards))
        with contextlib.closing(_missing(workplace, shards)) as missing:
            names = list(itertools.islice(missing, 1))
            if names:
                # Loads Prefect, which a build that is finished does without.
                from flows.shards import run_here, run_on_ray

                while not answering() and (name := next(missing, None)) is not None:
                    names.append(name)
                coming, on_built = itertools.chain(names, missing), functools.partial(on_progress, "built")
                with _watched(workplace, streams_of(recipe, limit), on_built), prefect_api():
                    if runner is None:
                        run_here(workplace, coming, workers)
                    else:
                        run_on_ray(workplace, list(coming), workers, runner)
        manifest = None if names else folder.published(this_build, recipe.model_dump(mode="json"))
        if manifest is None:
            manifest = publish(workplace, recipe, read_plan(folder), this_build)
    share = manifest["quarantined"] / max(1, manifest["quarantined"] + manifest["rows"])
    if share > recipe.max_quarantined:
        raise TooManyQuarantined(
            f"{manifest['quarantined']} streams ({share:.1%}) were rejected, the recipe's max_quarantined is "
            f"{recipe.max_quarantined:.1%}; {str(out / 'quarantine.parquet')!r} says why"
        )
    return Built(out, manifest)


def _planned(workplace: Workplace, recipe: Recipe, library: Library, **keys: Any) -> Iterator[ShardPlan]:
    """Shards, each as soon as it is planned."""
    with workplace.crew(recipe) as crew:
        yield from planning(workplace.folder, recipe, library, crew=crew, **keys)


def _missing(workplace: Workplace, shards: Iterable[ShardPlan]) -> Generator[str]:
    """Shards that are not there yet. Our markers are the ledger, Prefect's records only the display."""
    shards, looked_up = itertools.tee(shards)
    for shard, report in zip(shards, workplace.folder.each_finished(s.name for s in looked_up), strict=True):
        if report is None:
            yield shard.name
        else:
            workplace.report_progress(shard.name, shard.streams)


@contextlib.contextmanager
def _watched(workplace: Workplace, total: int, on_progress: Callable[[int, int], None]) -> Iterator[None]:
    """Report how far the workers are while they work."""
    over = threading.Event()

    def watch() -> None:
        took = 0.0
        # Of many shards, looking takes longer.
        while not over.wait(max(POLL_S, 10 * took)):
            begun = time.monotonic()
            on_progress(workplace.progress(), total)
            took = time.monotonic() - begun

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        on_progress(workplace.progress(), total)
