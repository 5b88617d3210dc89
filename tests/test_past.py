"""Versions are planned apart: nothing that an earlier one used comes again, and no clip changes its split."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.corpus_plan import LOOKED_AT, _bag, plan_corpus, read_units, units_file
from pipeline.errors import BadInput
from pipeline.language.crew import open_crew
from pipeline.library.library import Library
from pipeline.past import Past, fingerprint
from pipeline.planning.annotations import Annotation
from pipeline.pools import Pool, split_pools
from pipeline.slots import apportion, slots_of
from schemas.recipe import Recipe
from schemas.unit import Unit

RECIPE = Recipe.model_validate(
    {
        "name": "nightly",
        "seed": 7,
        "streams": 10,
        "splits": {"train": 0.7, "test": 0.3},
        "mixture": {"count_events": 8, "alert_on_event": 1, "natural_hazard": 1},
    }
)


def planned(library: Library, folder, past: Past) -> list[Unit]:
    with open_crew(RECIPE, folder / "language.sqlite") as crew:
        shards, _ = plan_corpus(RECIPE, library, folder, crew=crew, past=past)
    return [unit for shard in shards for unit in read_units(units_file(folder, shard.name))]


def clips_of(units: list[Unit]) -> dict[str, str]:
    offered = ((u.split, o.clip_id) for u in units for s in u.streams for offers in s.offers for o in offers)
    noise = ((u.split, clip) for u in units for pick in u.noise for clip in pick.clip_ids)
    return {clip: split for split, clip in (*offered, *noise)}


def test_a_later_version_repeats_nothing(starter, tmp_path):
    library = Library.open(starter)
    first = planned(library, tmp_path / "1", Past())
    splits = clips_of(first)
    # Clips that are dealt the other way round than they would be now.
    turned = {clip: "test" if split == "train" else "train" for clip, split in splits.items()}
    seen = frozenset(fingerprint(stream.plan) for unit in first for stream in unit.streams)
    second = planned(library, tmp_path / "2", Past(version=2, splits=turned, fingerprints=seen))
    assert not {s.id for u in first for s in u.streams} & {s.id for u in second for s in u.streams}
    assert not {u.seed for u in first} & {u.seed for u in second}
    assert not seen & {fingerprint(stream.plan) for unit in second for stream in unit.streams}
    for clip, split in clips_of(second).items():
        assert turned.get(clip, split) == split


def test_every_clip_used_before_keeps_its_split_though_the_library_grew(starter):
    library = Library.open(starter)
    pools = split_pools(RECIPE, library)
    held = {a.clip_id: split for split, pool in pools.items() for a in pool.annotations[::3]}
    turned = {clip: "test" if split == "train" else "train" for clip, split in held.items()}
    again = split_pools(RECIPE, library, turned)
    for split, pool in again.items():
        assert all(turned.get(a.clip_id, split) == split for a in pool.annotations)
    assert sum(len(p.annotations) for p in again.values()) == sum(len(p.annotations) for p in pools.values())


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_many_small_versions_come_to_the_mixture_of_one_large(rows):
    had: Counter[str] = Counter()
    for version in range(1, 61):
        for slot in slots_of(RECIPE, apportion(RECIPE.splits, rows), version=version, before=had.copy()):
            had[slot.sub_task] += len(slot.ids)
    total = 60 * rows
    assert had.total() == total
    for task, weight in RECIPE.mixture.items():
        assert abs(had[task] - total * weight / 10) <= 2


class _Counted(tuple[Annotation, ...]):
    looked = 0

    def __getitem__(self, key):
        type(self).looked += 1
        return super().__getitem__(key)

    def __iter__(self):
        raise AssertionError("the whole library was looked at")


def test_a_bag_costs_the_same_whatever_the_size_of_the_library():
    annotations = _Counted(
        Annotation(f"{i:016x}", f"sound {i}", (f"class {i % 40}",), "sfx", 2.0, None, "silent", None, False)
        for i in range(5000)
    )
    pool = Pool(annotations, frozenset(), {}, {}, {})
    bag = _bag(pool, 16, np.random.default_rng(0))
    assert len({a.tags for a in bag}) == 16
    assert _Counted.looked <= 16 * LOOKED_AT


@pytest.mark.parametrize("streams", [1, 3, 5, 7])
def test_an_odd_number_of_streams_that_should_all_be_pairs_stays_that_number(streams):
    recipe = RECIPE.model_copy(update={"pairs": 1.0, "mixture": {"natural_hazard": 1.0}})
    assert sum(len(slot.ids) for slot in slots_of(recipe, {"train": streams})) == streams


def test_clips_whose_licences_forbid_the_use_are_named(starter):
    library = Library.open(starter)
    odd = sorted(library.clips)[:7]
    mixed = SimpleNamespace(
        clips={i: replace(c, licence="CC-BY-NC-4.0" if i in odd else c.licence) for i, c in library.clips.items()}
    )
    commercial = RECIPE.model_copy(update={"use": "commercial"})
    with pytest.raises(
        BadInput, match=r"CC-BY-NC-4\.0 forbid commercial use.*and 2 more.*licences: \[CC0-1\.0\]"
    ) as told:
        split_pools(commercial, mixed)  # pyright: ignore[reportArgumentType]
    assert sum(clip in str(told.value) for clip in odd) == 5
    split_pools(commercial.model_copy(update={"licences": ("CC0-1.0",)}), mixed)  # pyright: ignore[reportArgumentType]
    split_pools(RECIPE, mixed)  # pyright: ignore[reportArgumentType]
