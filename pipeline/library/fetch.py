"""A library that lies in an object store, copied to this machine once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import filelock
import platformdirs
from upath import UPath

from pipeline.errors import BadInput
from pipeline.library.ingest import AUDIO, CLIPS
from pipeline.storage import Location, filesystem, outages_told

INDEX = "index"


def local_library(library: Location) -> Path:
    """The library's folder on this machine.

    An object store's is copied into the user's cache, under a hash of what its objects are: a library that changed is
    another copy. A copy that was cut off goes on where it stopped. Conditioned clips stay behind, as they may be a
    million; they are made here again.

    Raises:
        BadInput: there is no library.
        EndpointDown: the store cannot be reached.
    """
    if isinstance(library, Path):
        return library
    with outages_told():
        objects = {**_objects(library, ""), **_objects(library, INDEX)}
        if not {CLIPS, AUDIO} <= objects.keys():
            raise BadInput(f"{str(library)!r} is no library (it has no {CLIPS} or {AUDIO}); copy a whole one there")
        state = json.dumps({name: [o["size"], str(o.get("ETag", o.get("mtime")))] for name, o in objects.items()})
        copy = (
            platformdirs.user_cache_path("streamaudio-builder")
            / "libraries"
            / hashlib.sha256(state.encode()).hexdigest()
        )
        copy.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(copy.with_suffix(".lock")):
            if not copy.is_dir():
                _copy(library, objects, copy.with_suffix(".part"))
                copy.with_suffix(".part").rename(copy)
    return copy


def _objects(library: UPath, folder: str) -> dict[str, dict[str, Any]]:
    """What the store says of the objects right in a folder of the library, by their path in the library."""
    place = library / folder if folder else library
    try:
        found = filesystem(place).ls(place.path, detail=True)
    except FileNotFoundError:
        return {}
    named = {(Path(folder) / Path(o["name"]).name).as_posix(): o for o in found if o["type"] == "file" and o["size"]}
    return dict(sorted(named.items()))


def _copy(library: UPath, objects: dict[str, dict[str, Any]], folder: Path) -> None:
    for name, about in objects.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.stat().st_size != about["size"]:
            filesystem(library).get_file((library / name).path, str(target))
