"""Builds of versions in this process, without Prefect."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from flows.build_corpus import Built
from pipeline.corpus_build import Workplace, build_shard, identity, open_tools, planning, publish, read_plan
from pipeline.library.library import Library
from pipeline.past import Past
from pipeline.shards.corpus import CorpusFolder
from pipeline.storage import Location
from schemas.recipe import Recipe


def build_here(
    recipe: Recipe,
    library_path: Path,
    out: Location,
    *,
    limit: int | None = None,
    past: Past | None = None,
    shards: int | None = None,
    forked: int = 0,
    **_: Any,
) -> Built:
    """What `build_corpus` does, in this process or, meanwhile, in so many `forked` ones; with `shards` it stops, as if
    killed, after so many."""
    folder, library = CorpusFolder(out.resolve()), Library.open(library_path)
    this_build = identity(recipe, library, limit, past)
    open_tools.cache_clear()
    with folder.claimed(this_build):
        workplace = Workplace.prepare(folder, recipe, library_path)
        keys = {"limit": limit, "past": past, "on_progress": lambda *_: None}
        with workplace.crew(recipe) as crew:
            if forked:
                with multiprocessing.get_context("fork").Pool(forked) as pool:
                    coming = planning(folder, recipe, library, crew=crew, **keys)
                    for built in [pool.apply_async(build_shard, (workplace, shard.name)) for shard in coming]:
                        built.get()
            list(planning(folder, recipe, library, crew=crew, **keys))
            plan = read_plan(folder)
        for shard in plan.shards[:shards]:
            build_shard(workplace, shard.name)
        if shards is not None and shards < len(plan.shards):
            raise KeyboardInterrupt
        return Built(out, publish(workplace, recipe, plan, this_build))
