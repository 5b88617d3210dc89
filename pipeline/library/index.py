"""A FAISS index over a library's clips, with what it was made from.

Files per encoder: `NAME.faiss` the vectors; `NAME.rows.npy` which clip each row is; what the encoder saves; and last
`NAME.json`, which makes the rest valid. Small libraries are searched exactly; beyond `EXACT_UP_TO` clips the
half-precision vectors lie in lists, about twice the root of their number (an inverted file, Jegou et al. 2011), and a
query looks into as many lists as the library's own captions needed. Either way scores are computed anew in double
precision.
"""

import json
import math
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput, StaleIdentity
from pipeline.library import encoders
from pipeline.library.calibration import Calibration
from pipeline.library.clip import Hit
from pipeline.library.encoders import Encoder

EXACT_UP_TO = 50_000
"""Clips up to which every query looks at all vectors."""
TRAINED_ON = 64
"""Vectors per list from which the lists' centres are found."""
EXACT_SUBSET = 20_000
"""An allowed subset up to this size is searched exactly, whatever the index."""
AT_ONCE = 64
"""Queries in one search of lists: of so few FAISS compares each by itself, so that none depends on another."""
ROWS = np.dtype([("clip", "<u8"), ("content", "<u8"), ("origin", "u1")])
"""Clip id, what of the clip the vector depends on, and what was listened to: 0 nothing, 1 the source, 2 the store.
A deleted row has the clip `GONE`."""
GONE = np.uint64(2**64 - 1)

_TIE = 1e-4
_NONE = -1  # what FAISS returns where there is no further hit
_MASKS = 8


class ClipIndex:
    """Read side. The encoder is loaded when a text is first embedded, so that facts and thresholds come at once."""

    def __init__(self, folder: Path, name: str, facts: dict[str, Any], index: Any, rows: NDArray[Any]) -> None:
        self.name = name
        self.facts = facts
        """What `library info` shows: encoder, kind, counts, recall, calibration."""
        self.calibration = Calibration.model_validate(facts["calibration"])
        self._folder = folder
        self._index = index
        self._rows = rows
        self._clips = np.ascontiguousarray(rows["clip"])
        self._masks: dict[frozenset[str] | None, tuple[NDArray[np.uint8], int]] = {}

    @classmethod
    def open(cls, folder: Path, name: str, library_hash: str, count: int) -> "ClipIndex":
        """Raises BadInput where there is no such index, StaleIdentity where it was made from another library."""
        fix = fix_of(folder, name)
        if not (folder / f"{name}.json").is_file():
            raise BadInput(f"library {str(folder.parent)!r} has no index for the encoder {name!r}; {fix}")
        try:
            facts = json.loads((folder / f"{name}.json").read_text("utf-8"))
            rows = np.load(folder / f"{name}.rows.npy", allow_pickle=False)
            index = faiss.read_index(str(folder / f"{name}.faiss"), faiss.IO_FLAG_MMAP_IFC)
            opened = cls(folder, name, facts, index, rows)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise BadInput(f"index {name!r} of {str(folder.parent)!r} cannot be read ({reason}); {fix}") from error
        if not isinstance(index, faiss.IndexFlat | faiss.IndexIVF):
            raise StaleIdentity(f"index {name!r} of {str(folder.parent)!r} is of a kind that is no longer made; {fix}")
        if facts["library"] != library_hash or facts["count"] != count or len(rows) != index.ntotal:
            raise StaleIdentity(
                f"index {name!r} of {str(folder.parent)!r} was made from another state of the library; {fix}"
            )
        return opened

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder it was made with.

        Raises StaleIdentity where that is another by now, BadInput where it cannot be loaded.
        """
        fix = fix_of(self._folder, self.name)
        try:
            encoder = encoders.load(self.name, self._folder)
        except (OSError, ValueError) as error:
            raise BadInput(
                f"encoder {self.name!r} of {str(self._folder.parent)!r} cannot be read ({error}); {fix}"
            ) from error
        if self.facts["encoder"] != encoder.identity():
            raise StaleIdentity(
                f"index {self.name!r} of {str(self._folder.parent)!r} was made by another encoder; {fix}"
            )
        return encoder

    def search(self, texts: Sequence[str], k: int, allowed: Collection[str] | None = None) -> list[list[Hit]]:
        """The best `k` clips per text, best first; equal scores in order of clip id.

        What a text finds does not depend on the other texts of the call, nor on the number of threads: FAISS names
        more candidates than are asked for, and their scores are computed anew in double precision.
        """
        if k < 1:
            raise BadInput(f"k = {k!r} hits asked for; ask for at least 1")
        if not texts or self._mask(allowed)[1] == 0:
            return [[] for _ in texts]
        return self.nearest(self.encoder.embed_texts(texts), k, allowed)

    def nearest(self, queries: NDArray[np.float32], k: int, allowed: Collection[str] | None = None) -> list[list[Hit]]:
        """`search` for vectors of the index's encoder, shape (queries, dimension)."""
        mask, limit = self._mask(allowed)
        found = search_rows(self._index, queries, k, mask, limit)
        vectors = self._index.reconstruct_batch(np.concatenate(found))
        ends = accumulate(map(len, found))
        return [
            self._ranked(query, rows, vectors[end - len(rows) : end], k)
            for query, rows, end in zip(queries, found, ends, strict=True)
        ]

    def scores(self, text: str, clip_ids: Sequence[str]) -> list[float]:
        """The cosine of a text with each of some clips of the index, as `search` gives it."""
        query = self.encoder.embed_texts([text])[0].astype(np.float64)
        vectors = self._index.reconstruct_batch(self.rows_of(clip_ids)).astype(np.float64)
        return np.round(vectors @ query, 6).tolist()

    def vectors(self, clip_ids: Sequence[str]) -> NDArray[np.float32]:
        """The stored vectors of some clips, in their order."""
        return self._index.reconstruct_batch(self.rows_of(clip_ids))

    def rows_of(self, clip_ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each clip. Raises KeyError for one that is not in the index."""
        order, wanted = self._order, to_numbers(clip_ids)
        places = np.minimum(np.searchsorted(self._clips, wanted, sorter=order), len(order) - 1)
        rows = order[places]
        if not (self._clips[rows] == wanted).all():
            raise KeyError("a clip is not in the index")
        return rows.astype(np.int64)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self._clips, kind="stable")

    def _mask(self, allowed: Collection[str] | None) -> tuple[NDArray[np.uint8] | None, int]:
        """A bit per row that may be found, None for all, and how many these are."""
        if allowed is None and len(self._rows) == self.facts["count"]:
            return None, len(self._rows)
        key = None if allowed is None else frozenset(allowed)
        if key not in self._masks:
            if len(self._masks) == _MASKS:
                del self._masks[next(iter(self._masks))]
            live = self._clips != GONE
            wanted = live if allowed is None else live & np.isin(self._clips, to_numbers(allowed))
            self._masks[key] = (np.packbits(wanted, bitorder="little"), int(wanted.sum()))
        return self._masks[key]

    def _ranked(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], vectors: NDArray[np.float32], k: int
    ) -> list[Hit]:
        scores = (vectors.astype(np.float64) @ query.astype(np.float64)).round(6).tolist()
        clips = self._clips[rows].tolist()
        best = sorted(range(len(clips)), key=lambda i: (-scores[i], clips[i]))[:k]
        return [Hit(f"{clips[i]:016x}", scores[i]) for i in best]


def new_index(dimension: int, count: int) -> Any:
    """An empty index of the kind that suits `count` vectors; one with lists is yet to be trained."""
    if count <= EXACT_UP_TO:
        return faiss.IndexFlatIP(dimension)
    lists = 2 ** round(math.log2(count) / 2 + 1)
    index: Any = faiss.index_factory(dimension, f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = TRAINED_ON
    index.cp.niter = 8
    return index


def kind_of(index: Any) -> str:
    """In words, for `library info`."""
    if isinstance(index, faiss.IndexFlat):
        return f"exact (up to {EXACT_UP_TO:,} clips)"
    return f"inverted file, {index.nprobe} of {index.nlist} lists, half precision (beyond {EXACT_UP_TO:,} clips)"


def search_rows(
    index: Any, queries: NDArray[np.float32], k: int, mask: NDArray[np.uint8] | None, limit: int
) -> list[NDArray[np.int64]]:
    """Per query rows that hold the best `k` of the `limit` set in `mask`, and more, in no certain order."""
    depth = min(limit, 4 * k)
    if isinstance(index, faiss.IndexIVF) and limit > EXACT_SUBSET:
        # Where only a share may be found, the same number of them lies in more lists.
        lists = min(index.nlist, index.nprobe * min(8, -(-index.ntotal // limit)))
        parameters = None if mask is None else _parameters(index, mask, lists)
        blocks = [queries[at : at + AT_ONCE] for at in range(0, len(queries), AT_ONCE)]
        return [row[row != _NONE] for block in blocks for row in index.search(block, depth, params=parameters)[1]]
    parameters = _parameters(index, mask, index.nlist if isinstance(index, faiss.IndexIVF) else 0)
    scores, rows = index.search(queries, depth, params=parameters)
    found: list[NDArray[np.int64]] = []
    for number, query in enumerate(queries):
        row_scores, row_ids = scores[number], rows[number]
        while len(row_ids) < limit and row_ids[-1] != _NONE and _tied(row_scores, k):
            wider = min(limit, 4 * len(row_ids))
            (row_scores,), (row_ids,) = index.search(query[None], wider, params=parameters)
        found.append(row_ids[row_ids != _NONE])
    return found


def _parameters(index: Any, mask: NDArray[np.uint8] | None, lists: int) -> Any:
    """FAISS's parameters of a search in so many lists, or 0 where there are none, among what `mask` allows."""
    selector = None if mask is None else faiss.IDSelectorBitmap(mask)  # pyright: ignore[reportCallIssue]
    if lists:
        return faiss.SearchParametersIVF(sel=selector, nprobe=lists)  # pyright: ignore[reportCallIssue]
    return None if selector is None else faiss.SearchParameters(sel=selector)  # pyright: ignore[reportCallIssue]


def _tied(scores: NDArray[np.float32], k: int) -> bool:
    """Whether a clip that was not returned could score like the k-th."""
    return bool(scores[min(k, len(scores)) - 1] - scores[-1] < _TIE)


def to_numbers(clip_ids: Collection[str]) -> NDArray[np.uint64]:
    """Clip ids as the numbers they are in hexadecimal."""
    return np.fromiter((int(clip_id, 16) for clip_id in clip_ids), np.uint64, len(clip_ids))


def fix_of(folder: Path, name: str) -> str:
    """What to do about an index that cannot be used."""
    return f"run `streamaudio library index {folder.parent} --encoder {name}`"
