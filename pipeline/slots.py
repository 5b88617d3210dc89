"""What every unit of the corpus will be: its split, its sub-task, its ids and its seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.seeds import derive, rng
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF


@dataclass(frozen=True, slots=True)
class Slot:
    """What a unit will be: its rows' ids, and with them its seed."""

    split: str
    sub_task: str
    ids: tuple[str, ...]
    seed: int
    turn: int
    """How many units of this sub-task come before it."""

    @property
    def pair(self) -> bool:
        return len(self.ids) == 2


def slots_of(
    recipe: Recipe, by_split: Mapping[str, int], *, version: int = 1, before: Mapping[str, int] | None = None
) -> Iterator[Slot]:
    """The units of every split in order; a pair takes two rows.

    Ids, and with them seeds, are other ones in every version; `before` are the rows that earlier ones planned.
    """
    name = recipe.name if version == 1 else f"{recipe.name}-v{version:04d}"
    turns: Counter[str] = Counter(before)
    for split, quota in quotas(recipe.mixture, by_split, before).items():
        first_row = 0
        for sub_task, paired in _order(recipe, split, quota, version):
            ids = tuple(f"{name}-{split}-{first_row + i:07d}" for i in range(2 if paired else 1))
            first_row += len(ids)
            yield Slot(split, sub_task, ids, derive(recipe.seed, ids[0], "scene"), turns[sub_task])
            turns[sub_task] += 1


def quotas(
    mixture: Mapping[str, float], by_split: Mapping[str, int], before: Mapping[str, int] | None = None
) -> dict[str, dict[str, int]]:
    """Rows per split and sub-task; what rounding owes a sub-task in one split or version it gets in the next."""
    total, had = sum(mixture.values()), before or {}
    rows_before = sum(had.get(task, 0) for task in mixture)
    owed = {task: rows_before * weight / total - had.get(task, 0) for task, weight in mixture.items()}
    found: dict[str, dict[str, int]] = {}
    for split, rows in by_split.items():
        owed = {task: owed[task] + rows * weight / total for task, weight in mixture.items()}
        due = {task: max(0.0, owed[task]) for task in mixture}
        found[split] = apportion(due if any(due.values()) else mixture, rows)
        owed = {task: owed[task] - found[split][task] for task in mixture}
    return found


def _order(recipe: Recipe, split: str, quota: Mapping[str, int], version: int) -> Iterator[tuple[str, bool]]:
    """The split's sub-tasks in shuffled order, each with whether it is a pair (which takes two rows)."""
    kinds, counts = list[tuple[str, bool]](), list[int]()
    for sub_task, count in quota.items():
        share = recipe.pairs if ABILITY_OF[sub_task] == "proactive_response" else 0.0
        pairs = min(round(count * share / 2), count // 2)
        kinds += [(sub_task, True), (sub_task, False)]
        counts += [pairs, count - 2 * pairs]
    generator = rng(recipe.seed, split, "order" if version == 1 else f"order v{version}")
    # Of millions of streams this takes two bytes each, and eight for a moment.
    slots = np.repeat(np.arange(len(kinds), dtype=np.uint16), counts)
    for kind in slots[generator.permutation(len(slots))]:
        yield kinds[kind]


def apportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers that sum to `total` in proportion to `weights` (largest remainder, ties to the earlier key)."""
    scale = total / sum(weights.values())
    exact = {key: weight * scale for key, weight in weights.items()}
    counts = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: counts[key] - exact[key])
    for key in by_remainder[: total - sum(counts.values())]:
        counts[key] += 1
    return counts
