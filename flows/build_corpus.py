"""The flow that builds a corpus: plan once, one task per shard on local processes, publish. Run it again to resume."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner

from pipeline.corpus_build import Workplace, build_shard, identity, planned, publish
from pipeline.errors import StreamAudioError, TooManyQuarantined
from pipeline.library.library import Library
from pipeline.shards.corpus import CorpusFolder
from schemas.recipe import Recipe

Progress = Callable[[str, int, int], None]
"""Called with (what is counted: "planned" or "built", streams done, streams in all)."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Built:
    """What a build leaves behind."""

    root: Path
    manifest: dict[str, Any]


def build_corpus(
    recipe: Recipe,
    library_path: Path,
    out: Path,
    *,
    workers: int = 1,
    limit: int | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Built:
    """Build `out` from a recipe and a library, or go on where an earlier build of the same stopped.

    Raises:
        BadInput: the library, the folder or the recipe cannot be used.
        StaleIdentity: `out` was begun with another recipe, library or limit.
        TooManyQuarantined: the corpus is finished and published, but `max_quarantined` was passed.
    """
    folder, library = CorpusFolder(out.resolve()), Library.open(library_path)
    this_build = identity(recipe, library, limit)
    with folder.claimed(this_build):
        plan = planned(folder, recipe, library, limit=limit, on_progress=functools.partial(on_progress, "planned"))
        workplace = Workplace.prepare(folder, recipe, library_path.resolve())
        run_shards.with_options(task_runner=ProcessPoolTaskRunner(max_workers=workers))(
            workplace, [shard.name for shard in plan.shards], functools.partial(on_progress, "built")
        )
        manifest = publish(folder, recipe, plan, this_build)
    share = manifest["quarantined"] / max(1, manifest["quarantined"] + manifest["rows"])
    if share > recipe.max_quarantined:
        raise TooManyQuarantined(
            f"{manifest['quarantined']} streams ({share:.1%}) were rejected, the recipe's max_quarantined is "
            f"{recipe.max_quarantined:.1%}; {str(out / 'quarantine.parquet')!r} says why"
        )
    return Built(out, manifest)


@flow(name="build-corpus", validate_parameters=False)
def run_shards(workplace: Workplace, names: list[str], on_progress: Callable[[int, int], None]) -> None:
    """One task per shard that is not there yet. Our markers are the ledger, Prefect's records only the display."""
    futures = [
        run_shard.with_options(task_run_name=name).submit(workplace, name)
        for name in names
        if workplace.folder.finished(name) is None
    ]
    while not all(future.state.is_final() for future in futures):
        on_progress(*workplace.progress())
        time.sleep(POLL_S)
    _raise_first_error(futures)
    on_progress(*workplace.progress())


@task(name="build-shard")
def run_shard(workplace: Workplace, name: str) -> None:
    """Build one shard in a worker process; only paths and a name cross over."""
    build_shard(workplace, name)


def _raise_first_error(futures: list[PrefectFuture[None]]) -> None:
    """Errors of ours first: they say what to do."""
    errors = [future.state.result(raise_on_failure=False) for future in futures if not future.state.is_completed()]
    for error in sorted(
        (e for e in errors if isinstance(e, BaseException)), key=lambda e: not isinstance(e, StreamAudioError)
    ):
        raise error
