"""Making an index, or bringing one up to date: only what is new is embedded, and an interrupted run goes on."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.library import encoders
from pipeline.library.calibration import calibrate
from pipeline.library.clip import Clip
from pipeline.library.encoders import Encoder
from pipeline.library.index import GONE, ROWS, TRAINED_ON, ClipIndex, kind_of, new_index, search_rows, to_numbers
from pipeline.library.listen import Listener
from pipeline.seeds import rng

OnProgress = Callable[[int, int], None]

BATCH = 64
"""Clips that are embedded between two marks of progress; what an interruption loses at most."""
STALE_SHARE = 0.3
"""An index with lists of which more rows than this are deleted is built anew."""
RECALL_QUERIES = 200
RECALL = 0.98
"""Share of the exact three best that a search is to find; it looks into more lists until it does."""
_ADD = 8_192


def build_index(
    folder: Path,
    name: str,
    clips: Sequence[Clip],
    listener: Listener,
    library_hash: str,
    *,
    checkpoint: str | None = None,
    tokenizer: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> dict[str, Any]:
    """Embed what is new in `clips`, forget what is gone, and write the index `name` into `folder`.

    Vectors are made again only where the encoder or what it sees of a clip changed. Without `checkpoint` an index
    that exists keeps its own.

    Args:
        listener: the sound of clips, for encoders that listen.
        library_hash: the state of the library that the index is of.
        on_progress: called with (clips embedded, clips to embed).

    Returns:
        The facts of the index, as `library info` shows them.

    Raises:
        BadInput: unknown encoder, or a checkpoint that cannot be had.
    """
    folder.mkdir(exist_ok=True)
    if checkpoint is None and (folder / f"{name}.model").is_file():
        encoder = encoders.load(name, folder)
    else:
        encoder = encoders.fit(name, clips, checkpoint, tokenizer)
    contents = np.array([_short_hash(encoder.content_of(clip)) for clip in clips], np.uint64)
    wanted = np.zeros(len(clips), ROWS)
    wanted["clip"], wanted["content"] = to_numbers([clip.clip_id for clip in clips]), contents
    before = _previous(folder, name, encoder)
    known = _rows_by_key(before[1]) if before else {}
    new = [i for i, row in enumerate(wanted) if (row["clip"], row["content"]) not in known]
    with _one_thread(), _Partial(folder / f".{name}.partial", encoder) as partial:
        partial.embed(encoder, [clips[i] for i in new], wanted[new], listener, on_progress)
        index, rows = _updated(before, known, wanted, new, partial, encoder.dimension)
        facts = _facts(encoder, clips, index, rows, library_hash)
        _write(folder, name, encoder, index, rows, facts)
        partial.done()
    return facts


@contextmanager
def _one_thread():
    """Centres found by several threads are others every time."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _previous(folder: Path, name: str, encoder: Encoder) -> tuple[Any, NDArray[Any]] | None:
    """The vectors there are, where they may be compared with what `encoder` makes now."""
    try:
        facts = json.loads((folder / f"{name}.json").read_text("utf-8"))
        rows = np.load(folder / f"{name}.rows.npy", allow_pickle=False)
        if facts["encoder"] != encoder.identity() or rows.dtype != ROWS:
            return None
        index = faiss.read_index(str(folder / f"{name}.faiss"))
    except (OSError, ValueError, RuntimeError, KeyError):  # none yet, or torn: it is made anew
        return None
    return (index, rows) if len(rows) == index.ntotal else None


def _rows_by_key(rows: NDArray[Any]) -> dict[tuple[int, int], int]:
    return {(row["clip"], row["content"]): i for i, row in enumerate(rows) if row["clip"] != GONE}


def _updated(
    before: tuple[Any, NDArray[Any]] | None,
    known: dict[tuple[int, int], int],
    wanted: NDArray[Any],
    new: list[int],
    partial: "_Partial",
    dimension: int,
) -> tuple[Any, NDArray[Any]]:
    """The index of `wanted`: the old lists with rows added and marked as deleted, or one made anew in order of clip."""
    empty = new_index(dimension, len(wanted))
    stale = 0 if before is None else len(before[1]) - (len(wanted) - len(new))
    if before and _same_lists(before[0], empty) and stale <= STALE_SHARE * len(wanted):
        index, rows = before
        kept = [known[row["clip"], row["content"]] for row in np.delete(wanted, new)]
        gone = np.ones(len(rows), bool)
        gone[kept] = False
        rows["clip"][gone] = GONE
        added = partial.rows()
        for start in range(0, len(new), _ADD):
            index.add(partial.vectors()[start : start + _ADD])
        return index, np.concatenate([rows, added])
    place = {i: n for n, i in enumerate(new)}
    fresh, made = partial.vectors(), partial.rows()

    def take(span: slice) -> NDArray[np.float32]:
        picked = range(len(wanted))[span]
        vectors = np.empty((len(picked), dimension), np.float32)
        for at, i in enumerate(picked):
            if i in place:
                vectors[at], wanted[i] = fresh[place[i]], made[place[i]]
            else:
                assert before is not None
                row = known[wanted[i]["clip"], wanted[i]["content"]]
                vectors[at], wanted[i] = before[0].reconstruct(row), before[1][row]
        return vectors

    train(empty, len(wanted), take)
    for start in range(0, len(wanted), _ADD):
        empty.add(take(slice(start, start + _ADD)))
    return empty, wanted


def _same_lists(before: Any, empty: Any) -> bool:
    """Whether what there is has as many lists as an index made now would have."""
    return isinstance(before, faiss.IndexIVF) and isinstance(empty, faiss.IndexIVF) and before.nlist == empty.nlist


def train(index: Any, count: int, take: Callable[[slice], NDArray[np.float32]]) -> None:
    """Find the centres of an index's lists, where it has any, from vectors spread over the `count` it is made for."""
    if isinstance(index, faiss.IndexIVF):
        index.train(take(slice(0, count, max(1, count // (TRAINED_ON * index.nlist)))))
        index.make_direct_map()


def _facts(
    encoder: Encoder, clips: Sequence[Clip], index: Any, rows: NDArray[Any], library_hash: str
) -> dict[str, Any]:
    order = np.argsort(rows["clip"], kind="stable")

    def vectors_of(clip_ids: Sequence[str]) -> NDArray[np.float32]:
        return index.reconstruct_batch(order[np.searchsorted(rows["clip"], to_numbers(clip_ids), sorter=order)])

    calibration, queries = calibrate(encoder, clips, vectors_of)
    asked = _asked_otherwise(queries[:RECALL_QUERIES])
    recall = tune(index, asked, rows["clip"] != GONE)
    return {
        "encoder": encoder.identity(),
        "library": library_hash,
        "count": len(clips),
        "rows": len(rows),
        "kind": kind_of(index),
        "recall_at_3": recall,
        "recall_queries": len(asked),
        "listened_to": {
            "sources": int((rows["origin"] == 1).sum()),
            "16 kHz store": int((rows["origin"] == 2).sum()),
        }
        if encoder.listens
        else {},
        "calibration": calibration.model_dump(),
    }


def _asked_otherwise(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Captions' vectors turned away from themselves, to a cosine of 0.8: who asks does not know how a caption goes."""
    noise = rng(0, 0, "recall").standard_normal(queries.shape, np.float32)
    aside = noise * (np.linalg.norm(queries) / max(float(np.linalg.norm(noise)), 1e-9))
    turned = np.float32(0.8) * queries + np.float32(0.6) * aside
    return turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), np.float32(1e-9))


def tune(index: Any, queries: NDArray[np.float32], live: NDArray[np.bool_]) -> float:
    """Let searches look into as few lists as reach RECALL on `queries`; returns the recall, 1 for exact search."""
    if isinstance(index, faiss.IndexFlat):
        return 1.0
    best = exact_best(index, queries, live)
    lists, recall = 1, 0.0
    while recall < RECALL and lists <= index.nlist:
        index.nprobe = lists
        recall = recall_at_3(index, queries, best, live)
        lists = lists + 1 if lists < 4 else lists + lists // 2
    return recall


def exact_best(index: Any, queries: NDArray[np.float32], live: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rows of the three best per query, of all that are live; shape (queries, 3)."""
    heap = faiss.ResultHeap(len(queries), 3, keep_max=True)
    for start in range(0, index.ntotal, _ADD):
        rows = start + np.flatnonzero(live[start : start + _ADD])
        if len(rows):
            block = index.reconstruct_batch(rows)
            scores, places = faiss.knn(queries, block, min(3, len(rows)), metric=faiss.METRIC_INNER_PRODUCT)
            heap.add_result(scores, rows[places])
    heap.finalize()
    return heap.I


def recall_at_3(index: Any, queries: NDArray[np.float32], best: NDArray[np.int64], live: NDArray[np.bool_]) -> float:
    """The share of `best` that a search returns among its three best."""
    mask = None if live.all() else np.packbits(live, bitorder="little")
    hits = 0
    for query, rows, wanted in zip(queries, search_rows(index, queries, 3, mask, int(live.sum())), best, strict=True):
        scores = index.reconstruct_batch(rows) @ query
        hits += len(np.intersect1d(rows[np.argsort(-scores, kind="stable")[:3]], wanted))
    return round(hits / (3 * len(queries)), 4)


def _write(folder: Path, name: str, encoder: Encoder, index: Any, rows: NDArray[Any], facts: dict[str, Any]) -> None:
    """Everything beside what is there, then into place; an old record is gone before anything else changes."""
    record = folder / f"{name}.json"
    faiss.write_index(index, str(folder / f".{name}.faiss"))
    with (folder / f".{name}.rows.npy").open("wb") as file:
        np.save(file, rows, allow_pickle=False)
    record.unlink(missing_ok=True)
    encoder.save(folder)
    (folder / f".{name}.faiss").replace(folder / f"{name}.faiss")
    (folder / f".{name}.rows.npy").replace(folder / f"{name}.rows.npy")
    (folder / f".{name}.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    (folder / f".{name}.json").replace(record)


@dataclass(slots=True)
class _Partial:
    """Vectors made so far, on disk: one file of rows, one of vectors, each only ever appended to."""

    folder: Path
    encoder: Encoder

    def __enter__(self) -> "_Partial":
        key = json.dumps(self.encoder.identity(), sort_keys=True)
        mark = self.folder / "encoder.json"
        if not mark.is_file() or mark.read_text("utf-8") != key:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            for name in ("rows", "vectors"):
                (self.folder / name).touch()
            mark.write_text(key, "utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def done(self) -> None:
        """The index is written: what it was made from can go."""
        shutil.rmtree(self.folder)

    def rows(self) -> NDArray[Any]:
        return np.fromfile(self.folder / "rows", ROWS)

    def vectors(self) -> NDArray[np.float32]:
        path = self.folder / "vectors"
        if not path.stat().st_size:
            return np.zeros((0, self.encoder.dimension), np.float32)
        return np.memmap(path, np.float32, "r").reshape(-1, self.encoder.dimension)

    def embed(
        self, encoder: Encoder, clips: Sequence[Clip], rows: NDArray[Any], listener: Listener, on_progress: OnProgress
    ) -> None:
        """Bring the files to hold exactly `rows`, in their order; what an earlier run made of them is kept."""
        done = self._kept(rows)
        on_progress(done, len(clips))
        with (self.folder / "rows").open("ab") as row_file, (self.folder / "vectors").open("ab") as vector_file:
            for start in range(done, len(clips), BATCH):
                batch = clips[start : start + BATCH]
                vectors = encoder.embed_clips(batch, listener)
                made = rows[start : start + BATCH].copy()
                made["origin"] = [listener.origin.get(clip.clip_id, 0) for clip in batch]
                vector_file.write(np.ascontiguousarray(vectors, np.float32).tobytes())
                vector_file.flush()
                row_file.write(made.tobytes())
                row_file.flush()
                on_progress(start + len(batch), len(clips))

    def _kept(self, rows: NDArray[Any]) -> int:
        """How many of the first rows are here already; what follows them is cut off."""
        made = self.rows()
        whole = min(len(made), len(rows), (self.folder / "vectors").stat().st_size // (4 * self.encoder.dimension))
        same = (made["clip"][:whole] == rows["clip"][:whole]) & (made["content"][:whole] == rows["content"][:whole])
        done = int(np.argmin(same)) if not same.all() else whole
        os.truncate(self.folder / "rows", done * ROWS.itemsize)
        os.truncate(self.folder / "vectors", done * 4 * self.encoder.dimension)
        return done


def _short_hash(content: str) -> int:
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")


__all__ = ["ClipIndex", "build_index"]
