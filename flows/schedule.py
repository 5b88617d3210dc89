"""A corpus that grows or is renewed by itself: the flow that a Prefect deployment runs, and the deployment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Any, Final, Literal, cast

from prefect import Flow, flow, get_client, get_run_logger
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.exceptions import ObjectAlreadyExists
from prefect.schedules import Cron

from flows.artifacts import show
from flows.stage_log import StageLog, as_text
from flows.starter import find_library
from flows.versions import renew
from pipeline.config import load_recipe
from pipeline.errors import BadInput
from pipeline.storage import Location, location

POOL: Final = "streamaudio"
"""The work pool; `prefect worker start --pool streamaudio` serves it."""


@flow(name="renew-corpus")
def renew_corpus(
    recipe: str,
    out: str,
    library: str | None = None,
    mode: Literal["append", "refresh"] = "append",
    workers: int = 1,
    limit: int | None = None,
) -> int:
    """Publish the next version of a corpus, or go on with the one that an earlier run left; returns its number."""
    logger = get_run_logger()
    on_progress = StageLog(lambda line: logger.info(as_text(line)))
    loaded = load_recipe(Path(recipe))
    found = find_library(None if library is None else location(library), loaded.library, on_progress)
    built = renew(loaded, found, location(out), mode=mode, workers=workers, limit=limit, on_progress=on_progress)
    show(built.root, built.manifest)
    logger.info("version %d: %d streams", built.manifest["version"], built.manifest["rows"])
    return built.manifest["version"]


def schedule(
    recipe: Path,
    out: Location,
    *,
    library: Location | None,
    mode: Literal["append", "refresh"],
    cron: str,
    timezone: str = "UTC",
    workers: int = 1,
    limit: int | None = None,
) -> str:
    """Deploy `renew_corpus` for one corpus on the Prefect server of PREFECT_API_URL; returns the deployment's name.

    One run at a time: one that is due while another works is cancelled. The same corpus has one deployment, and
    scheduling it again replaces that.

    Raises:
        BadInput: the recipe or the schedule breaks a rule, or no server is configured.
    """
    loaded, place = load_recipe(recipe), out.resolve()
    if library is None and loaded.library is None:
        find_library(None, None, lambda stage, done, total: None)
    if not os.environ.get("PREFECT_API_URL"):
        raise BadInput(
            "PREFECT_API_URL is not set, and a schedule needs a Prefect server that stays: run `prefect server start`, "
            "then set PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    try:
        when = Cron(cron, timezone=timezone)
    except ValueError as error:
        raise BadInput(f"--cron {cron!r} in --timezone {timezone!r}: {' '.join(str(error).split())}") from error
    with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):  # of an earlier schedule
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    name = f"{_slug(loaded.name)}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"
    parameters = {
        "recipe": str(recipe.resolve()),
        "out": str(place),
        "library": None if library is None else str(library.resolve()),
        "mode": mode,
        "workers": workers,
        "limit": limit,
    }
    source = Path(__file__).resolve().parents[1]
    sourced = renew_corpus.from_source(source=str(source), entrypoint="flows/schedule.py:renew_corpus")
    # Prefect declares what this is in a coroutine only.
    cast(Flow[Any, Any], sourced).deploy(
        name=name,
        work_pool_name=POOL,
        schedules=[when],
        parameters=parameters,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        build=False,
        push=False,
        print_next_steps=False,
        ignore_warnings=True,
    )
    return f"renew-corpus/{name}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
