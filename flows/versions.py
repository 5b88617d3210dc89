"""Versions of a corpus: build the next one beside what is published, hold it to its gates, then publish it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from flows.build_corpus import Built, Progress, build_corpus
from flows.on_ray import Runner
from pipeline.config import recipe_sha256
from pipeline.corpus_build import identity
from pipeline.errors import BadInput, GateFailed, StaleIdentity
from pipeline.library.fetch import local_library
from pipeline.library.library import Library
from pipeline.past import Past, read_past
from pipeline.shards.corpus import CorpusFolder
from pipeline.shards.marks import read_marks
from pipeline.shards.reader import read_manifest
from pipeline.shards.versions import (
    clear,
    exclude,
    history_of,
    next_folder,
    published_in,
    rejected_of,
    sha256_of,
    take_over,
    taken_over,
    version_of,
)
from pipeline.storage import Location, outages_told, read
from pipeline.validation.contract import validate_corpus
from schemas.recipe import Gates, Recipe


def renew(
    recipe: Recipe,
    library_path: Location,
    out: Location,
    *,
    mode: Literal["append", "refresh"],
    workers: int = 1,
    runner: Runner | None = None,
    limit: int | None = None,
    replay_only: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> Built:
    """Build the next version of `out`, or go on with it, and publish it if its gates hold.

    With `append` new rows join the published ones: no id, seed or scene comes again and no clip changes its split. With
    `refresh` they replace them; where recipe and library are as they were, nothing is done. The first version is the
    same either way.

    Raises:
        GateFailed, TooManyQuarantined: nothing is published; the version is left to be looked at.
        StaleIdentity: an append to a corpus of another recipe, or what lies unfinished is another build.
    """
    out = out.resolve()
    folder, staged = CorpusFolder(out), next_folder(out)
    with outages_told(), folder.locked():
        published = published_in(out)
        if published is None and not staged.is_dir() and read(folder.state / "identity.json"):
            raise BadInput(f"{str(out)!r} holds an unfinished build; finish it with `streamaudio build` first")
        folder.clear_halves()
        past = Past()
        if published is not None:
            last = history_of(published)[-1]["mode"]
            if taken_over(out):
                clear(out)
                if mode == "append" and last != "refresh" and _is_of(published, recipe, library_path, limit):
                    # It was all that the same command had left to do.
                    return Built(out, published)
            if mode == "append":
                past = _past(out, published, recipe)
            elif version_of(published) == 1 or last == "refresh":
                # Gates are no part of an identity, but a new version is held to them.
                gates = Gates.model_validate(published["recipe"]["gates"])
                if gates == recipe.gates and _is_of(published, recipe, library_path, limit):
                    return Built(out, published)
        try:
            build_corpus(
                recipe,
                library_path,
                staged,
                workers=workers,
                runner=runner,
                limit=limit,
                replay_only=replay_only,
                past=past,
                on_progress=on_progress,
            )
        except StaleIdentity as stale:
            raise StaleIdentity(f"{stale}; or delete {str(staged)!r}, which is not published, to begin anew") from stale
        _hold_to_gates(staged, local_library(library_path), on_progress)
        return Built(out, take_over(out, mode))


def without(out: Location, recipe: Recipe, marks: Path) -> Built:
    """Publish a version of a corpus without the rows that `marks` calls bad; their other sides go too.

    Raises:
        BadInput: the marks cannot be read, or are about another corpus.
        StaleIdentity: the corpus is of another recipe.
    """
    out, folder = out.resolve(), CorpusFolder(out.resolve())
    with outages_told(), folder.locked():
        folder.clear_halves()
        if taken_over(out):
            clear(out)
        if next_folder(out).is_dir():
            raise BadInput(f"{str(out)!r} holds an unfinished version; finish it, or delete .state/next, first")
        published = read_manifest(out)
        if history_of(published)[-1]["mode"] == "exclude":
            # One that was killed leaves what it replaced, and nothing that tells of it.
            clear(out)
        _same_recipe(published, recipe, out, "an exclusion")
        return Built(out, exclude(out, read_marks(marks, published)))


def _is_of(published: dict[str, Any], recipe: Recipe, library_path: Location, limit: int | None) -> bool:
    this_build = identity(recipe, Library.open(local_library(library_path)), limit)
    return all(published["identity"].get(key) == value for key, value in this_build.items())


def _past(out: Location, published: dict[str, Any], recipe: Recipe) -> Past:
    _same_recipe(published, recipe, out, "an append")
    quarantined = Counter(rejected.sub_task for rejected in rejected_of(out))
    return read_past(out, version_of(published) + 1, sha256_of(out), quarantined)


def _same_recipe(published: dict[str, Any], recipe: Recipe, out: Location, what: str) -> None:
    if published["recipe_sha256"] != recipe_sha256(recipe):
        raise StaleIdentity(
            f"{str(out)!r} is of recipe {published['recipe_sha256'][:12]!r}, not {recipe_sha256(recipe)[:12]!r}; "
            f"{what} needs the same: restore it, use --mode refresh, or build another corpus and join them with "
            "`streamaudio corpus merge`"
        )


def _hold_to_gates(staged: Location, library_path: Path, on_progress: Progress) -> None:
    broken = validate_corpus(
        staged, library=library_path, on_progress=lambda done, total: on_progress("validated", done, total)
    ).by_rule()
    if broken:
        first, look = next(iter(broken.values()))[0], "view" if isinstance(staged, Path) else "validate"
        raise GateFailed(
            f"the new version breaks {sorted(broken)} ({first.where}: {first.detail}) and was not published; look at "
            f"it with `streamaudio {look} {staged}`, mend the cause, and delete that folder"
        )
