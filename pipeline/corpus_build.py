"""A corpus from its plan: one shard at a time, then publication. `flows/build_corpus.py` runs this."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.config import recipe_sha256
from pipeline.corpus_plan import ShardPlan, plan_corpus, read_units
from pipeline.errors import SceneRejected
from pipeline.grounding.verify import RuleVerifier
from pipeline.library.library import Library
from pipeline.scene import Tools, build_unit
from pipeline.shards.card import write_card
from pipeline.shards.corpus import CorpusFolder, Quarantined, ShardReport, Tally, manifest
from pipeline.shards.writer import write_atomically, write_shard
from pipeline.sounds import Conditioner
from pipeline.synthesis.espeak import EspeakEngine
from schemas.recipe import Recipe
from schemas.row import Row

VERSIONED = ("streamaudio-builder", "numpy", "scipy", "soundfile", "pyarrow", "faiss-cpu")
"""Packages whose version can change a shard's bytes."""


def identity(recipe: Recipe, library: Library, limit: int | None) -> dict[str, Any]:
    """What a resume must share with the build it goes on with."""
    return {
        "recipe_sha256": recipe_sha256(recipe),
        "library_sha256": library.hash,
        "limit": limit,
        "builder": metadata.version("streamaudio-builder"),
    }


def planned(
    folder: CorpusFolder,
    recipe: Recipe,
    library: Library,
    *,
    limit: int | None,
    on_progress: Callable[[int, int], None],
) -> tuple[list[ShardPlan], list[Quarantined]]:
    """The planning pass, run once; a resume reads what it wrote."""
    done = folder.state / "plan" / "plan.json"
    if done.is_file():
        saved = json.loads(done.read_text(encoding="utf-8"))
        shards = [ShardPlan(s["name"], s["split"], done.parent / f"{s['name']}.jsonl") for s in saved["shards"]]
        return shards, [Quarantined(**q) for q in saved["rejected"]]
    shards, rejected = plan_corpus(recipe, library, done.parent, limit=limit, on_progress=on_progress)
    saved = {
        "shards": [{"name": s.name, "split": s.split} for s in shards],
        "rejected": [asdict(q) for q in rejected],
    }
    write_atomically(done, json.dumps(saved, ensure_ascii=False).encode())
    return shards, rejected


def open_tools(recipe: Recipe, library_path: Path) -> Tools:
    """Everything a worker needs, from the recipe and the library alone."""
    library = Library.open(library_path)
    return Tools(
        recipe=recipe,
        recipe_sha256=recipe_sha256(recipe),
        library=library,
        speech=EspeakEngine(),
        verify=RuleVerifier(recipe.grounding),
        condition=Conditioner(recipe.conditioning, library.conditioned),
    )


def build_shard(
    folder: CorpusFolder, shard: ShardPlan, tools: Tools, *, on_stream: Callable[[int], None] = lambda done: None
) -> ShardReport:
    """Build one shard, write it, mark it; returns at once where it is already there.

    Args:
        folder: the corpus.
        shard: its part of the plan.
        tools: of this worker.
        on_stream: called with the number of streams done in this shard, rejected ones included.
    """
    before = folder.finished(shard.name)
    if before is not None:
        return before
    tally, quarantined = Tally(), list[Quarantined]()

    def rows() -> Iterator[Row]:
        done = 0
        for unit in read_units(shard.units_file):
            done += len(unit.streams)
            try:
                built = build_unit(unit, tools)
            except SceneRejected as rejection:
                quarantined.extend(
                    Quarantined(
                        id=stream.id,
                        split=unit.split,
                        sub_task=stream.plan.sub_task,
                        stage=rejection.stage,
                        reason=rejection.reason,
                        plan_json=stream.plan.model_dump_json(),
                        seed=unit.seed,
                    )
                    for stream in unit.streams
                )
            else:
                for row in built:
                    tally.add(row)
                    yield row
            on_stream(done)

    file = write_shard(folder.root, shard.path, rows())
    report = ShardReport.of(file, shard.split, tally, quarantined)
    folder.mark(shard.name, report)
    return report


def publish(
    folder: CorpusFolder,
    recipe: Recipe,
    reports: Sequence[ShardReport],
    planning_rejected: Sequence[Quarantined],
    build_identity: Mapping[str, Any],
) -> dict[str, Any]:
    """Write quarantine, card and, last, the manifest; returns the manifest."""
    rejected = [*planning_rejected, *(q for report in reports for q in report.quarantined)]
    content = manifest(
        reports,
        rejected,
        recipe=recipe.model_dump(mode="json"),
        identity=build_identity,
        versions={name: metadata.version(name) for name in VERSIONED},
    )
    folder.write_quarantine(rejected)
    write_card(folder.root, content, sorted({a for report in reports for a in report.attributions}))
    folder.write_manifest(content)
    return content
