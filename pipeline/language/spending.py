"""What a build's language model took, and what another build of the same recipe will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.language.budget import Ledger, Spend
from pipeline.language.crew import reply_cache
from schemas.recipe import ModelPlanner


def spending(ledger: Path, planner: ModelPlanner) -> dict[str, Any]:
    """The ledger of a build as JSON: in all, per role, and per scene on average and at most."""
    book = Ledger(ledger, budget=planner.budget, currency=planner.currency)
    try:
        scenes = [spend for name, spend in book.by_scene().items() if name]
        return {
            "model": planner.model,
            "currency": planner.currency,
            "scenes": len(scenes),
            "total": _json(book.total()),
            "by_role": {role: _json(spend) for role, spend in book.by_role().items()},
            "per_scene": {"mean": _mean(scenes), "most": _most(scenes)} if scenes else None,
        }
    finally:
        book.close()


def keep_measured(planner: ModelPlanner, manifest: Mapping[str, Any]) -> None:
    """Keep a finished build's averages beside its replies, for estimates; a build that replayed measured nothing."""
    cache, name = reply_cache(planner), manifest["recipe_sha256"]
    language = manifest["language"]
    if language["scenes"] > cache.measured(name).get("scenes", 0):
        shards = [shard for split in manifest["splits"].values() for shard in split["shards"]]
        measured = {
            "scenes": language["scenes"],
            "by_role": language["by_role"],
            "rows": manifest["rows"],
            "hours": manifest["hours"],
            "bytes": sum(shard["bytes"] for shard in shards),
        }
        cache.note_measured(name, measured)


def _json(spend: Spend) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(spend).items()}


def _mean(scenes: list[Spend]) -> dict[str, float | None]:
    return {field: _over(scenes, field, lambda values: sum(values) / len(values)) for field in Spend.__slots__}


def _most(scenes: list[Spend]) -> dict[str, float | None]:
    return {field: _over(scenes, field, max) for field in Spend.__slots__}


def _over(scenes: list[Spend], field: str, what: Any) -> float | None:
    values = [getattr(scene, field) for scene in scenes]
    return None if None in values else round(what(values), 6)
