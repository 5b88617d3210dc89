"""A corpus in the formats of other ecosystems. Rows pass one at a time, so memory does not grow with the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import ValidationError

from pipeline.errors import BadInput
from pipeline.shards.corpus import TEXT_ONLY
from pipeline.shards.exporters import audio_interaction, hub
from pipeline.shards.exporters.audio_interaction import Tokens
from pipeline.shards.exporters.listings import write_jams, write_nemo
from pipeline.shards.exporters.output import Credits, new_folder, write_new
from pipeline.shards.exporters.tars import write_lhotse, write_webdataset
from pipeline.shards.reader import iter_rows, read_manifest, shard_paths, to_row
from schemas.row import Row

Format = Literal["audio-interaction", "webdataset", "lhotse", "nemo", "jams", "hub"]
_LOAD: dict[str, str] = {
    "audio-interaction": "Conversations are in {split}/conversation.jsonl, rows of the released trainer, where a "
    "tokenizer was given, in {split}/tokens and text/tokens; its paths are relative to the split's folder.",
    "webdataset": '`webdataset.WebDataset("train-000000.tar")`: `flac` is the audio, `json` the row.',
    "lhotse": '`lhotse.CutSet.from_shar(in_dir="train")`: supervisions are the turns, `custom` is the row.',
    "nemo": "`train_manifest.json` lists streams, `train_utterances.json` what is spoken in them.",
    "jams": '`jams.load("train/ID.jams")`: events are `scaper`, responses `blob`, the row is the sandbox.',
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote; `left_out` says which rows have no tokens, and why."""

    rows: int
    left_out: tuple[str, ...]


def export(
    corpus: Path,
    out: Path,
    format: Format,
    *,
    tokens: Tokens | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write `corpus` to `out`, a new or empty folder that appears whole or not at all.

    Args:
        corpus: a finished corpus.
        out: where the export goes.
        format: which one.
        tokens: how rows become token rows; `audio-interaction` writes them where it is given.
        on_progress: called with (rows done, rows in all).

    Raises:
        BadInput: the corpus is damaged, an id cannot be a file name, or `out` holds something.
    """
    manifest, credits = read_manifest(corpus), Credits()
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        on_progress(done, manifest["rows"])

    def rows() -> Iterator[Row]:
        for row in _rows(corpus, manifest):
            credits.add(row.events, row.noise)
            yield row
            count()

    left_out = list[str]()
    if out.resolve().is_relative_to(corpus.resolve()):
        raise BadInput(f"--out {str(out)!r} lies within the corpus; name a folder outside it")
    with new_folder(out) as folder:
        match format:
            case "audio-interaction":
                left_out = audio_interaction.write(rows(), _instructions(corpus), folder, tokens)
            case "webdataset":
                write_webdataset(rows(), folder)
            case "lhotse":
                write_lhotse(rows(), folder)
            case "nemo":
                write_nemo(rows(), folder)
            case "jams":
                write_jams(rows(), folder)
            case "hub":
                hub.write(corpus, manifest, folder, credits, count)
        credits.write(folder)
        if format != "hub":
            write_new(folder / "README.md", f"{_about(manifest)}\n\n{_LOAD[format]}\n".encode())
    return Exported(done, tuple(left_out))


def _rows(corpus: Path, manifest: dict[str, Any]) -> Iterator[Row]:
    for shard in shard_paths(manifest):
        try:
            for record in iter_rows(corpus / shard):
                yield to_row(record)
        except (ValidationError, pa.ArrowException) as error:
            raise BadInput(f"{shard!r} is damaged or breaks the contract; `streamaudio validate` says how") from error


def _instructions(corpus: Path) -> Iterator[tuple[str, str]]:
    path = corpus / TEXT_ONLY
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                yield record["instruction"], record["answer"]


def _about(manifest: dict[str, Any]) -> str:
    return (
        f"{manifest['rows']} streams, {manifest['hours']:.2f} h of 16 kHz mono audio, built by streamaudio-builder "
        f"{manifest['versions']['streamaudio-builder']} from recipe {manifest['recipe_sha256']}. Synthetic. "
        "Licences and authors of the sounds: ATTRIBUTION.md."
    )
