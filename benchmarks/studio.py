"""Proactive streams for `ablation.py` and `planted.py`: planned once, built in this process, never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.corpus_build import Workplace, open_tools
from pipeline.corpus_plan import plan_corpus, read_units, units_file
from pipeline.draft import Tools
from pipeline.errors import SceneRejected
from pipeline.language.crew import open_crew
from pipeline.library.fetch import local_library
from pipeline.library.library import Library
from pipeline.scene import build_unit
from pipeline.shards.corpus import CorpusFolder
from pipeline.storage import Location
from pipeline.validation.probe.examples import Example, of_record
from schemas.recipe import Recipe
from schemas.unit import Unit

TASKS = ("physiological_distress", "natural_hazard", "equipment_fault", "safety_signal")
Built = list[Example]


def recipe(streams: int, test_streams: int = 0) -> Recipe:
    """Proactive streams of about 28 s, one in four of a pair; `test_streams` more of other clips."""
    everything = streams + test_streams
    test = {"test": test_streams / everything} if test_streams else {}
    return Recipe.model_validate(
        {
            "name": "studio",
            "seed": 31,
            "streams": everything,
            "streams_per_shard": everything,
            "splits": {"train": streams / everything, **test},
            "mixture": dict.fromkeys(TASKS, 1),
            "mixed": 0.0,
            "pairs": 0.25,
            "scene": {"duration_s": ["uniform", 18, 32]},
        }
    )


class Studio:
    """One library and the plans over it."""

    def __init__(self, library_path: Location, wanted: Recipe, folder: Path) -> None:
        self.library = Library.open(local_library(library_path))
        self.recipe = wanted
        with open_crew(wanted, folder / "language.sqlite") as crew:
            shards, _ = plan_corpus(wanted, self.library, folder / "plan", crew=crew)
        units = [unit for shard in shards for unit in read_units(units_file(folder / "plan", shard.name))]
        self.train = [unit for unit in units if unit.split == "train"]
        self.test = [unit for unit in units if unit.split == "test"]
        open_tools.cache_clear()
        self.tools = open_tools(Workplace.prepare(CorpusFolder(folder), wanted, library_path))

    def full(self, units: Sequence[Unit]) -> Built:
        """Streams as the recipe builds them."""
        return list(built(units, self.tools))


def built(units: Sequence[Unit], tools: Tools) -> Iterator[Example]:
    """The streams of units; scenes that are rejected are left out."""
    for unit in units:
        try:
            rows = build_unit(unit, tools)
        except SceneRejected:
            continue
        for row in rows:
            yield of_record({**row.model_dump(), "audio": {"bytes": row.audio}})
