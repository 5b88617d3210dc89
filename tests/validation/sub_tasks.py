"""A corpus with every sub-task, built once, and a row of it as the rules see it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.shards.reader import to_row
from pipeline.validation.agreement import check_agreement
from pipeline.validation.findings import Finding
from pipeline.validation.labels import check_indices, check_labels
from pipeline.validation.stream import Stream
from pipeline.validation.tasks import check_tasks
from schemas.plan import StreamPlan
from schemas.provenance import Provenance
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF
from tests.flows.language_builds import build

Record = dict[str, Any]


def recipe_of_all(streams: int, **keys: Any) -> Recipe:
    """Every sub-task at equal share."""
    given: dict[str, Any] = {
        "name": "all",
        "seed": 11,
        "streams": streams,
        "streams_per_shard": 28,
        "splits": {"train": 0.75, "test": 0.25},
        "mixture": dict.fromkeys(ABILITY_OF, 1.0),
        "scene": {"duration_s": ["uniform", 15, 25]},
    }
    return Recipe.model_validate(given | keys)


def built(streams: int, library: Path, out: Path, **keys: Any) -> list[Record]:
    """The rows of such a corpus."""
    build(recipe_of_all(streams, **keys), library, out)
    return [row for path in sorted((out / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def found_in(record: Record) -> list[Finding]:
    """What the rules of its sub-tasks find in a stored row, its columns alone."""
    row = to_row(record)
    plan = StreamPlan.model_validate_json(row.plan_json)
    provenance = Provenance.model_validate_json(row.provenance_json)
    return list(check_tasks(Stream(row.id, row, plan, provenance, np.zeros(row.num_samples, np.float32))))


def found_in_damaged(record: Record, draw: np.random.Generator) -> None:
    """Look at a row of which one value was changed, as the validation does."""
    column = ("events", "responses", "turns", "plan_json", "provenance_json")[draw.integers(5)]
    changed = copy.deepcopy(record)
    data = json.loads(changed[column]) if isinstance(changed[column], str) else changed[column]
    places = list(_places(data))
    if places:
        holder, key = places[draw.integers(len(places))]
        holder[key] = (None, -1, 10**9, "", "a man sings", True, 0.5)[draw.integers(7)]
    changed[column] = json.dumps(data) if isinstance(changed[column], str) else data
    try:
        row = to_row(changed)
        plan = StreamPlan.model_validate_json(row.plan_json)
        provenance = Provenance.model_validate_json(row.provenance_json)
    except ValidationError:
        return
    if list(check_indices(row, "")):
        return
    stream = Stream(row.id, row, plan, provenance, np.zeros(row.num_samples, np.float32))
    list(check_labels(row, ""))
    found = list(check_agreement(stream, recipe_of_all(28)))
    if not any(finding.rule == "plan-steps" for finding in found):
        list(check_tasks(stream))


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _places(value)
        else:
            yield data, key


def broken(record: Record, edit: Callable[[Record, Record, Record], object]) -> set[str]:
    """The rules that a row breaks once `edit` has changed it, its plan and its provenance."""
    changed = copy.deepcopy(record)
    plan, provenance = json.loads(changed["plan_json"]), json.loads(changed["provenance_json"])
    edit(changed, plan, provenance)
    changed["plan_json"], changed["provenance_json"] = json.dumps(plan), json.dumps(provenance)
    return {finding.rule for finding in found_in(changed)}
