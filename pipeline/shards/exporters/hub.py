"""A copy of the corpus as a Hugging Face dataset repository: what a reader needs, and nothing that a build left."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import BadInput
from pipeline.shards.card import ASSETS
from pipeline.shards.corpus import TEXT_ONLY
from pipeline.shards.exporters.output import Credits, write_new
from pipeline.shards.reader import iter_rows
from schemas.row import Event, NoiseTrack

_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n*.png filter=lfs diff=lfs merge=lfs -text\n"


def write(corpus: Path, manifest: dict[str, Any], folder: Path, credits: Credits, on_row: Callable[[], None]) -> None:
    """Copy shards, card, manifest, quarantine and pictures; a shard that is not what the manifest lists is refused.

    Raises:
        BadInput: a shard's hash differs, or a part of the corpus is missing.
    """
    for split in manifest["splits"].values():
        for shard in split["shards"]:
            target = folder / shard["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(corpus / shard["path"], target)
            with target.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard["sha256"]:
                    raise BadInput(f"{shard['path']!r} is not the file that the manifest lists; validate the corpus")
            for record in iter_rows(target, columns=("events", "noise")):
                credits.add(
                    [Event.model_validate(e) for e in record["events"]],
                    [NoiseTrack.model_validate(n) for n in record["noise"]],
                )
                on_row()
    for name in ("README.md", "manifest.json", "quarantine.parquet"):
        if not (corpus / name).is_file():
            raise BadInput(f"{str(corpus / name)!r} is missing; build the corpus to its end first")
        shutil.copyfile(corpus / name, folder / name)
    if manifest.get("text"):
        write_new(folder / TEXT_ONLY, (corpus / TEXT_ONLY).read_bytes())
    if (corpus / ASSETS).is_dir():
        shutil.copytree(corpus / ASSETS, folder / ASSETS)
    write_new(folder / ".gitattributes", _ATTRIBUTES)
