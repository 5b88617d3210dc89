"""The starter library: every procedural kind in a few variants, as clips or as files with a manifest."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from pipeline import seeds

from . import kinds

LICENCE = "CC0-1.0"
ATTRIBUTION = f"streamaudio-builder {kinds.name}/{kinds.version}"
COLUMNS = ("path", "caption", "tags", "kind", "licence", "attribution")


@dataclass(frozen=True, slots=True)
class StarterClip:
    """One rendered clip; `samples` are float32 mono at 16 kHz, `clip_name` is such as rain/rain_00."""

    clip_name: str
    samples: np.ndarray
    caption: str
    tags: tuple[str, ...]
    kind: Literal["sfx", "music"]
    criterion: kinds.Criterion | None
    sustained: bool
    licence: str = LICENCE
    attribution: str = ATTRIBUTION


def starter_clips(seed: int, variants: int = 4) -> Iterator[StarterClip]:
    """Every kind in alphabetical order, `variants` of each; the captions take turns."""
    for spec in kinds.KINDS.values():
        for variant in range(variants):
            clip_name = f"{spec.name}/{spec.name}_{variant:02d}"
            yield StarterClip(
                clip_name=clip_name,
                samples=kinds.render(spec.name, seeds.rng(seed, clip_name, "starter")),
                caption=spec.captions[variant % len(spec.captions)],
                tags=spec.tags,
                kind=spec.kind,
                criterion=spec.criterion,
                sustained=spec.sustained,
            )


def write_starter(
    folder: Path, *, seed: int, variants: int = 4, on_progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write the starter library as 16-bit FLAC files and return its manifest.csv.

    The manifest comes last, so its presence says that all is there. `library import FOLDER/manifest.csv` reads it.
    `on_progress(done, total)` is called after each clip.
    """
    total = len(kinds.KINDS) * variants
    rows = []
    for clip in starter_clips(seed, variants):
        path = folder / f"{clip.clip_name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clip.samples, kinds.RATE, subtype="PCM_16")
        rows.append((f"{clip.clip_name}.flac", clip.caption, "; ".join(clip.tags), clip.kind, LICENCE, ATTRIBUTION))
        if on_progress:
            on_progress(len(rows), total)
    manifest = folder / "manifest.csv"
    partial = manifest.with_suffix(".csv.part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return partial.replace(manifest)
