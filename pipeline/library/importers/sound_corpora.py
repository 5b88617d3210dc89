"""Corpora of sounds, music and noise, each from its published folder."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.errors import BadInput
from pipeline.library import licences
from pipeline.library.clip import ClipKind
from pipeline.library.importers.corpora import HELD_OUT, Corpus, Files, held_out, rows, value
from pipeline.library.importers.folder import audio_files
from pipeline.library.importers.source import Rejected, Source, inside, one_line, unique, words_of_name


def fma(root: Path) -> Iterator[Source | Rejected]:
    """FMA (Defferrard et al. 2017): `fma_metadata/tracks.csv` and `fma_SIZE/000/000002.mp3`; a licence per track."""
    files = Files(root)
    table = next(root.glob("**/tracks.csv"))
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        groups, names = next(reader), next(reader)
        columns = list(zip(groups, names, strict=False))
        for cells in reader:
            row = dict(zip(columns, cells, strict=False))
            number = cells[0] if cells else ""
            if not number.isdigit():
                continue
            if row.get(("set", "split")) == "test":
                yield held_out(number, "test")
                continue
            path = files.take(number.zfill(6))
            if isinstance(path, Rejected):
                yield path
                continue
            genre = one_line(row.get(("track", "genre_top"), ""))
            title, artist = (one_line(row.get(key, "")) for key in (("track", "title"), ("artist", "name")))
            yield Source(
                path, f"{genre.lower()} music" if genre else "music",
                unique(("Music", f"{genre} music" if genre else "")), kind="music",
                licence=licences.normalise(row.get(("track", "license"))),
                attribution=" by ".join(filter(None, (title, artist))) + f" (FMA {number})",
            )  # fmt: skip


def audioset(root: Path) -> Iterator[Source | Rejected]:
    """AudioSet (Gemmeke et al. 2017): `*_segments.csv`, `class_labels_indices.csv`, and clips named by their video.

    The labels are CC BY 4.0; the sound stays the uploaders', so its licence is `unknown`.
    """
    labels = {row["mid"]: row["display_name"] for row in rows(next(root.glob("**/class_labels_indices.csv")))}
    files = {_video(path.stem): path for path in audio_files(root)}
    for table in sorted(root.glob("**/*_segments.csv")):
        evaluation = table.name.startswith("eval")
        with table.open(newline="", encoding="utf-8") as file:
            for cells in csv.reader((line for line in file if not line.startswith("#")), skipinitialspace=True):
                video = cells[0]
                path = files.get(video)
                if path is None:
                    continue  # most people have some of the two million
                if evaluation:
                    yield held_out(video, "eval")
                    continue
                tags = unique(labels.get(mid.strip(), "") for mid in cells[3].split(","))
                if not tags or not inside(root, path):
                    yield Rejected(video, f"has no known label among {cells[3]!r}, or lies outside {str(root)!r}")
                    continue
                yield Source(
                    path, ", ".join(tags).lower(), tags, kind=_kind(tags),
                    attribution=f"AudioSet: https://youtu.be/{video} from {float(cells[1]):g} s",
                )  # fmt: skip


def _video(stem: str) -> str:
    """The 11 characters of a video in "ID", "YID", "ID_30.000_40.000" or "YID_30_40"."""
    stem = re.sub(r"_\d+(?:\.\d+)?(?:_\d+(?:\.\d+)?)?$", "", stem) if len(stem) > 12 else stem
    return stem[1:] if len(stem) == 12 and stem[0] == "Y" else stem


def _kind(tags: tuple[str, ...]) -> ClipKind:
    """What trains as music or speech must be nothing else."""
    if all("music" in tag.lower() for tag in tags):
        return "music"
    return "speech" if all("speech" in tag.lower() for tag in tags) else "sfx"


def fsd50k(root: Path) -> Iterator[Source | Rejected]:
    """FSD50K (Fonseca et al. 2020): ground truth and clip infos of the development set; a licence per clip."""
    files = Files(root)
    infos: dict[str, dict[str, Any]] = {}
    for path in sorted(root.glob("**/dev_clips_info_FSD50K.json")):
        infos |= _json(path)
    for table in sorted(root.glob("FSD50K.ground_truth/*.csv")):
        if table.stem not in ("dev", "eval"):
            continue
        for row in rows(table):
            name = value(row, "fname")
            if table.stem == "eval":
                yield held_out(name, "eval")
                continue
            path = files.take(name)
            if isinstance(path, Rejected):
                yield path
                continue
            info = infos.get(name, {})
            tags = unique(
                label.replace("_and_", " and ").replace("_", " ") for label in value(row, "labels").split(",")
            )
            yield Source(
                path, words_of_name(Path(value(info, "title")).stem) or ", ".join(tags).lower(), tags, kind=_kind(tags),
                licence=licences.normalise(value(info, "license")),
                attribution=f"{value(info, 'title') or name} by {value(info, 'uploader') or 'unknown'} "
                f"(https://freesound.org/s/{name})",
            )  # fmt: skip


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInput(f"{str(path)!r} cannot be read ({one_line(error)}); fetch it again") from error


def clotho(root: Path) -> Iterator[Source | Rejected]:
    """Clotho (Drossos et al. 2020): five captions per clip, of which it takes one by its name; a licence per clip."""
    for table in sorted(root.glob("**/clotho_captions_*.csv")):
        split = table.stem.removeprefix("clotho_captions_")
        metadata = table.with_name(f"clotho_metadata_{split}.csv")
        infos = {row["file_name"]: row for row in rows(metadata, encoding="latin-1")} if metadata.is_file() else {}
        folder = next((f for f in (table.parent / split, table.parent.parent / split) if f.is_dir()), table.parent)
        files = Files(folder, by="name")
        for row in rows(table):
            name = value(row, "file_name")
            if split in HELD_OUT:
                yield held_out(name, split)
                continue
            path = files.take(name)
            if isinstance(path, Rejected):
                yield path
                continue
            captions = [text for i in range(1, 6) if (text := value(row, f"caption_{i}"))]
            info = infos.get(name, {})
            by, link = value(info, "manufacturer"), value(info, "sound_link")
            yield Source(
                path, captions[_pick(name, len(captions))] if captions else words_of_name(path.stem),
                unique(value(info, "keywords").split(";")), licence=licences.normalise(value(info, "license")),
                attribution=f"{path.stem}{f' by {by}' if by else ''}{f' ({link})' if link else ''}",
            )  # fmt: skip


def _pick(name: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % count


def musan(root: Path) -> Iterator[Source | Rejected]:
    """MUSAN (Snyder et al. 2015): `music/`, `speech/` and `noise/`, with `ANNOTATIONS` of the music; CC BY 4.0."""
    genres = {
        parts[0]: parts[1].split(",")
        for table in root.glob("**/music/*/ANNOTATIONS")
        for line in table.read_text("utf-8", errors="replace").splitlines()
        if len(parts := line.split()) >= 3
    }
    for path in audio_files(root):
        part = next((p for p in ("music", "speech", "noise") if p in path.relative_to(root).parts), None)
        if part is None or not inside(root, path):
            continue
        styles = unique(genre.replace("_", " ") for genre in genres.get(path.stem, ()))
        caption, tags, kind = {
            "music": (f"{styles[0]} music" if styles else "music", ("Music", *styles), "music"),
            "speech": ("people speaking", ("Speech",), "speech"),
            "noise": ("background noise", ("Noise",), "sfx"),
        }[part]
        yield Source(path, caption, tags, kind=kind, licence="CC-BY-4.0", attribution=f"MUSAN: {path.stem}")


def wham(root: Path) -> Iterator[Source | Rejected]:
    """WHAM! noise (Wichern et al. 2019): `tr/`, `cv/` and `tt/`: ambiences of cafes, bars and offices; CC BY-NC 4.0."""
    for path in audio_files(root):
        split = next((p for p in ("tr", "cv", "tt") if p in path.relative_to(root).parts), None)
        if split == "tt":
            yield held_out(path.stem, split)
        elif split is not None and inside(root, path):
            yield Source(
                path, "murmur of people and background noise in an urban place",
                ("Hubbub, speech noise, speech babble", "Background noise"), licence="CC-BY-NC-4.0",
                attribution=f"WHAM!: {path.stem}",
            )  # fmt: skip


def dns(root: Path) -> Iterator[Source | Rejected]:
    """Noise of the DNS Challenge (Reddy et al. 2020): what comes from Freesound is CC0, all else `unknown`."""
    for folder in (f for name in ("noise", "noise_fullband") for f in sorted(root.glob(f"**/{name}"))):
        for path in audio_files(folder):
            if not inside(root, path):
                continue
            name, _, freesound = path.stem.partition("_Freesound_")
            words = words_of_name(name) if freesound else ""
            yield Source(
                path, words or "background noise", (words,) if words else ("Noise",),
                licence="CC0-1.0" if freesound else licences.UNKNOWN, attribution=f"DNS Challenge: {path.stem}",
            )  # fmt: skip


SOUND_CORPORA = MappingProxyType(
    {
        "fma": Corpus(("**/tracks.csv", "fma_*"), fma),
        "audioset": Corpus(("**/class_labels_indices.csv", "**/*_segments.csv"), audioset),
        "fsd50k": Corpus(("FSD50K.ground_truth/*.csv",), fsd50k),
        "clotho": Corpus(("**/clotho_captions_*.csv",), clotho),
        "musan": Corpus(("**/music/*/ANNOTATIONS", "**/noise"), musan),
        "wham": Corpus(("**/tr", "**/cv", "**/metadata/noise_meta_*.csv"), wham),
        "dns": Corpus(("**/noise*/*_Freesound_*",), dns),
    }
)
