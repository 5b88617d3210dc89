"""The embedded starter library: rendered once, then a library like any other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

from pipeline.corpus_plan import plan_corpus, read_units, units_file
from pipeline.errors import BadInput
from pipeline.language.crew import open_crew
from pipeline.library.fetch import local_library
from pipeline.library.library import Library, import_library, index_library
from pipeline.storage import Location
from pipeline.synthesis import kinds
from pipeline.synthesis.starter import write_starter
from schemas.plan import StreamPlan
from schemas.recipe import Recipe

Progress = Callable[[str, int, int], None]
SEED, VARIANTS = 0, 4


def make_starter(folder: Path, on_progress: Progress) -> Path:
    """Render, import and index the starter library at `folder`; at once where it is already there."""
    if (folder / "index" / "lexical.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    sources = folder.with_name(folder.name + "-sources")
    manifest = write_starter(
        sources, seed=SEED, variants=VARIANTS, on_progress=lambda done, total: on_progress("rendered", done, total)
    )
    import_library(manifest, folder, on_progress=lambda done, total: on_progress("imported", done, total))
    index_library(folder, "lexical")
    return folder


def find_library(given: Location | None, named: str | None, on_progress: Progress) -> Location:
    """The library to build from: the one given, or the starter library where it is asked for by name.

    Raises:
        BadInput: neither is.
    """
    if given is not None:
        return given
    if named == "starter":
        cache = platformdirs.user_cache_path("streamaudio-builder")
        return make_starter(cache / f"starter-{kinds.name}-{kinds.version}-{SEED}-{VARIANTS}", on_progress)
    raise BadInput(
        "no library: pass --library LIB (made by `streamaudio library import SRC --out LIB`), "
        "or write `library: starter` in the recipe for the embedded one"
    )


def preview(recipe: Recipe, library_path: Location, n: int) -> list[StreamPlan]:
    """The first `n` stream plans that the recipe would build."""
    scratch = Path(tempfile.mkdtemp(prefix="streamaudio-plan-"))
    try:
        with open_crew(recipe, scratch / "language.sqlite") as crew:
            shards, _ = plan_corpus(recipe, Library.open(local_library(library_path)), scratch, crew=crew, limit=n)
        return [
            s.plan for shard in shards for unit in read_units(units_file(scratch, shard.name)) for s in unit.streams
        ][:n]
    finally:
        shutil.rmtree(scratch)
