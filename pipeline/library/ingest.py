"""Source files -> library: hash, decode, resample and measure each once, then publish the whole or nothing."""

import csv
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.library import store
from pipeline.library.clip import Clip, content_hash, from_table, to_table
from pipeline.library.decode import MAX_CLIP_S, Unreadable, decode
from pipeline.library.fingerprint import Match, duplicates, landmarks
from pipeline.library.importers import Layout, Rejected, Source, list_sources
from pipeline.library.protect import FILE as PROTECTED
from pipeline.library.protect import Gate, Protected
from pipeline.library.segment import measure
from pipeline.loudness import loudness
from schemas.protocol import SAMPLE_RATE

FORMAT_VERSION = 1
CLIPS, FACTS, REJECTED, AUDIO = "clips.parquet", "library.json", "rejected.csv", "audio.pcm16"
_FACTS_KEY = b"streamaudio.library"

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `rejected` and `duplicates` are also in the library's `rejected.csv`."""

    library: Path
    imported: int
    updated: int
    rejected: tuple[Rejected, ...]
    duplicates: tuple[Rejected, ...]
    clips: int
    hours: float
    hash: str


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A source file after decoding; `samples` is None where the library has these bytes already."""

    source: Source
    sha256: str
    clip: Clip
    samples: NDArray[np.float32] | None


def import_library(
    src: Path,
    out: Path,
    *,
    layout: Layout = "auto",
    licences: Collection[str] | None = None,
    max_clip_s: float = MAX_CLIP_S,
    protect: Iterable[Path] = (),
    drop_duplicates: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import the recordings of `src` into the library `out`, which is made or added to.

    Importing again adds: a file whose bytes the library has keeps its samples and gets the new annotations and
    place. To start over, delete the folder. A file that cannot be used is reported and the import goes on; a
    second file with the same bytes is a duplicate. The library changes in one step at the end, or not at all.

    Args:
        licences: SPDX-like ids; where given, nothing under another licence enters.
        protect: lists of what must never enter (see `protect`); the library remembers them.
        drop_duplicates: leave out recordings that sound like a longer one.
        on_progress: called with (files done, files in all).

    Raises:
        BadInput: no usable file, an unknown layout, a full disk, or `out` is something else than a library.
    """
    src, out = Path(src), Path(out)
    entries = list(list_sources(src, layout))
    if not entries:
        raise BadInput(f"source {str(src)!r} holds no sound file; a library needs at least one usable recording")
    try:
        with _folder(out) as folder:
            existing = read_clips(folder) if (folder / CLIPS).is_file() else []
            roots = {*(read_facts(folder)["roots"] if existing else ()), str(src.resolve())}
            told = Protected.read(protect)
            protected = Protected.load(folder) | told
            gate = Gate(protected)
            barred = _barred(folder, existing, gate) if told and existing else {}
            allowed = [clip for clip in existing if clip.clip_id not in barred]
            done = _fill(folder, entries, allowed, licences, gate, max_clip_s, on_progress)
            done = replace(done, rejected=(*done.rejected, *barred.values()))
            if drop_duplicates:
                done = _without_duplicates(folder, done)
            if protected:
                with replacing(folder / PROTECTED) as path:
                    protected.save(path)
            _publish(folder, done.clips, sorted(roots), (*done.rejected, *done.duplicates))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise BadInput(
            f"library {str(out)!r} cannot be written ({os.strerror(error.errno)}); what it held is unchanged; "
            "free space or choose another --out"
        ) from error
    return ImportReport(
        library=out,
        imported=done.imported,
        updated=done.updated,
        rejected=done.rejected,
        duplicates=done.duplicates,
        clips=len(done.clips),
        hours=sum(clip.num_samples for clip in done.clips) / SAMPLE_RATE / 3600,
        hash=content_hash(done.clips, store.PARAMETERS),
    )


def remove_clips(folder: Path, reasons: Mapping[str, str]) -> None:
    """Take clips out of a library, by clip id with the reason; their samples stay in the store, unlisted."""
    with _folder(folder):
        clips = read_clips(folder)
        gone = [Rejected(clip.path, reasons[clip.clip_id]) for clip in clips if clip.clip_id in reasons]
        kept = [clip for clip in clips if clip.clip_id not in reasons]
        _publish(folder, kept, read_facts(folder)["roots"], gone)


def _barred(folder: Path, clips: Iterable[Clip], gate: Gate) -> dict[str, Rejected]:
    """What is in the library and may no longer be, by clip id."""
    read = store.Store(folder / AUDIO).read
    barred = {}
    for clip in clips:
        reason = gate.by_name(Path(clip.path), clip.caption, clip.attribution, clip.sha256) or gate.by_sound(read(clip))
        if reason:
            barred[clip.clip_id] = Rejected(clip.path, reason)
    return barred


def _without_duplicates(folder: Path, done: "_Filled") -> "_Filled":
    read = store.Store(folder / AUDIO).read
    clips = {clip.clip_id: clip for clip in done.clips}
    same = duplicates({clip.clip_id: landmarks(read(clip)) for clip in done.clips})
    reasons = surplus(same, clips)
    return replace(
        done,
        clips=[clip for clip in done.clips if clip.clip_id not in reasons],
        duplicates=(*done.duplicates, *(Rejected(clips[name].path, why) for name, why in reasons.items())),
    )


def surplus(same: Iterable[Match], clips: Mapping[str, Clip]) -> dict[str, str]:
    """Why which clips can go: of every pair the longer stays, of equals the first; by clip id."""
    reasons: dict[str, str] = {}
    for match in sorted(same, key=lambda m: (-m.share, m.one, m.other)):
        pair = sorted((match.one, match.other), key=lambda name: (-clips[name].num_samples, name))
        if not reasons.keys() & set(pair):
            path = clips[pair[0]].path
            reasons[pair[1]] = f"sounds like {path!r} ({match.share:.0%} of the landmarks agree), which stays"
    return reasons


def read_clips(folder: Path) -> list[Clip]:
    """The clips of a library, in order of clip id."""
    return from_table(pq.read_table(folder / CLIPS))


def read_facts(folder: Path) -> dict:
    """Format version, counts, roots and hash. They travel inside the clip table, so that one rename publishes
    both; `library.json` is a copy for people.

    Raises BadInput where the folder holds no library of this version.
    """
    path = folder / CLIPS
    if not path.is_file():
        raise BadInput(f"{str(folder)!r} is no library (it has no {CLIPS}); make one with `streamaudio library import`")
    try:
        facts = json.loads((pq.read_schema(path).metadata or {})[_FACTS_KEY])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"library {str(folder)!r} is damaged ({CLIPS} cannot be read: {error}); import it again"
        ) from error
    if facts["format_version"] != FORMAT_VERSION:
        raise BadInput(
            f"library {str(folder)!r} has the format version {facts['format_version']!r}; this program reads "
            f"{FORMAT_VERSION}; import it again"
        )
    return facts


@dataclass(frozen=True, slots=True)
class _Filled:
    clips: list[Clip]
    imported: int
    updated: int
    rejected: tuple[Rejected, ...]
    duplicates: tuple[Rejected, ...]


def _fill(
    folder: Path,
    entries: list[Source | Rejected],
    existing: list[Clip],
    licences: Collection[str] | None,
    gate: Gate,
    max_clip_s: float,
    on_progress: OnProgress | None,
) -> _Filled:
    """Append the samples of what is new to the store; the clip table is not touched yet."""
    known = {clip.sha256: clip for clip in existing}
    clips = dict(known)
    taken: dict[str, Path] = {}
    rejected: list[Rejected] = []
    duplicates: list[Rejected] = []
    imported = 0
    length = max((clip.store_offset + clip.num_samples for clip in existing), default=0)

    def hear(entry: Source | Rejected) -> _Heard | Rejected:
        if isinstance(entry, Rejected):
            return entry
        if licences is not None and entry.licence not in licences:
            return Rejected(str(entry.path), f"has the licence {entry.licence!r}, which is not in the allow-list")
        return _hear(entry, known, gate, max_clip_s)

    with store.StoreWriter(folder / AUDIO, length) as writer:
        for done, heard in enumerate(_in_threads(hear, entries), 1):
            if isinstance(heard, Rejected):
                rejected.append(heard)
            elif heard.sha256 in taken:
                reason = f"has the same bytes as {str(taken[heard.sha256])!r}, which is imported"
                duplicates.append(Rejected(str(heard.source.path), reason))
            else:
                clip = heard.clip
                if heard.samples is not None:
                    clip = replace(clip, store_offset=writer.append(heard.samples))
                    imported += 1
                taken[heard.sha256] = heard.source.path
                clips[heard.sha256] = clip
            if on_progress is not None:
                on_progress(done, len(entries))
        if not taken:
            first = (rejected or duplicates)[0]
            raise BadInput(
                f"none of the {len(entries)} files can be used; the first, {first.path!r}, {first.reason}; "
                "a library needs at least one usable recording"
            )
    return _Filled(
        clips=sorted(clips.values(), key=lambda clip: clip.clip_id),
        imported=imported,
        updated=len(taken) - imported,
        rejected=tuple(rejected),
        duplicates=tuple(duplicates),
    )


def _in_threads(
    function: Callable[[Source | Rejected], _Heard | Rejected], entries: Iterable[Source | Rejected]
) -> Iterator[_Heard | Rejected]:
    """Results in order, with a bounded number of decoded clips waiting. Decoding and DSP release the GIL."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Future[_Heard | Rejected]] = deque()
    with _one_torch_thread(), ThreadPoolExecutor(workers) as pool:
        try:
            for entry in entries:
                waiting.append(pool.submit(function, entry))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """The clips are the parallel dimension; torch's own threads would only compete."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _hear(source: Source, known: dict[str, Clip], gate: Gate, max_clip_s: float) -> _Heard | Rejected:
    try:
        with source.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        reason = gate.by_name(source.path, source.caption, source.attribution, sha256)
        if reason:
            return Rejected(str(source.path), reason)
        if sha256 in known:
            return _Heard(source, sha256, _annotated(known[sha256], source), None)
        decoded = decode(source.path, max_clip_s=max_clip_s)
        reason = gate.by_sound(decoded.samples)
        if reason:
            return Rejected(str(source.path), reason)
        measures = measure(decoded.samples, rate=SAMPLE_RATE)
    except (Unreadable, ValueError) as error:
        return Rejected(str(source.path), str(error))
    except OSError as error:
        return Rejected(str(source.path), f"cannot be read ({error.strerror}); make it readable or remove it")
    clip = Clip(
        clip_id=sha256[:16],
        path=str(source.path.resolve()),
        sha256=sha256,
        caption=source.caption,
        tags=source.tags,
        transcript=source.transcript,
        speaker=source.speaker,
        language=source.language,
        kind=source.kind,
        licence=source.licence,
        attribution=source.attribution,
        source_rate_hz=decoded.source_rate_hz,
        source_channels=decoded.source_channels,
        source_duration_s=decoded.source_duration_s,
        num_samples=len(decoded.samples),
        store_offset=0,
        peak_dbfs=measures.peak_dbfs,
        loudness_lufs=_loudness(decoded.samples),
        noise_floor_db=measures.noise_floor_db,
        snr_db=measures.snr_db,
        digital_silence_tail_s=measures.digital_silence_tail_s,
        onset_cut=measures.onset_cut,
        offset_cut=measures.offset_cut,
        silence_ratio=measures.silence_ratio,
        track_class=measures.track_class,
        occurrences=measures.occurrences,
    )
    return _Heard(source, sha256, clip, decoded.samples)


def _annotated(clip: Clip, source: Source) -> Clip:
    return replace(
        clip,
        path=str(source.path.resolve()),
        caption=source.caption,
        tags=source.tags,
        transcript=source.transcript,
        speaker=source.speaker,
        language=source.language,
        kind=source.kind,
        licence=source.licence,
        attribution=source.attribution,
    )


def _loudness(samples: NDArray[np.float32]) -> float | None:
    """Integrated loudness (ITU-R BS.1770-4) in LUFS; None under 0.4 s or where every block is gated."""
    integrated = loudness(samples) if len(samples) >= 0.4 * SAMPLE_RATE else -math.inf
    return round(integrated, 2) if math.isfinite(integrated) else None


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """The folder to write into, locked: the library itself, or a hidden one that becomes it at the end."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"{str(out)!r} is a file; a library is a folder; choose another --out")
    is_new = not (out / CLIPS).is_file()
    if is_new and out.exists() and any(out.iterdir()):
        raise BadInput(f"folder {str(out)!r} is not empty and no library; choose another --out")
    folder = out.parent / f".{out.name}.importing" if is_new else out
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"library {str(out)!r} is being imported by another process; wait for it to end") from None
        if not is_new:
            yield folder
            return
        try:
            for left_behind in folder.iterdir():  # by an import that was killed
                left_behind.unlink()
            yield folder
            folder.replace(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _publish(folder: Path, clips: list[Clip], roots: list[str], rejected: Iterable[Rejected]) -> None:
    facts = {
        "format_version": FORMAT_VERSION,
        "store": store.PARAMETERS,
        "clips": len(clips),
        "num_samples": sum(clip.num_samples for clip in clips),
        "roots": roots,
        "protected": Protected.load(folder).facts(),
        "hash": content_hash(clips, store.PARAMETERS),
    }
    text = json.dumps(facts, indent=2) + "\n"
    table = to_table(clips).replace_schema_metadata({_FACTS_KEY: text.encode()})
    with replacing(folder / REJECTED) as path, path.open("w", newline="", encoding="utf-8") as file:
        table_writer = csv.writer(file)
        table_writer.writerow(("path", "reason"))
        table_writer.writerows((entry.path, entry.reason) for entry in rejected)
    with replacing(folder / CLIPS) as path:
        pq.write_table(table, path, compression="zstd")
    with replacing(folder / FACTS) as path:
        path.write_text(text)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that replaces `path` whole once it is on the disk."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
