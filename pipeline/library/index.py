"""A FAISS index over a library's clips, with what it was made from."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput, StaleIdentity
from pipeline.library import encoders
from pipeline.library.clip import Clip
from pipeline.library.encoders import Encoder, ReadClip

_BATCH = 1_024
_TIE = 1e-4
_NONE = -1  # what FAISS returns where there is no further hit


@dataclass(frozen=True, slots=True)
class Hit:
    """A clip found; `score` is the cosine, rounded to 6 digits."""

    clip_id: str
    score: float


class ClipIndex:
    """Exact inner-product search. Files: `{encoder}.faiss`, `{encoder}.json`, and what the encoder saves."""

    def __init__(self, index: Any, encoder: Encoder) -> None:
        self._index = index
        self.encoder = encoder

    @classmethod
    def build(cls, folder: Path, name: str, clips: Sequence[Clip], read: ReadClip, library_hash: str) -> "ClipIndex":
        """Embed the clips and write the index into `folder`; the `.json` comes last and makes it valid."""
        encoder = encoders.fit(name, clips)
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(encoder.dimension))
        for start in range(0, len(clips), _BATCH):
            batch = clips[start : start + _BATCH]
            index.add_with_ids(encoder.embed_clips(batch, read), _ids([clip.clip_id for clip in batch]))
        folder.mkdir(exist_ok=True)
        record = folder / f"{name}.json"
        record.unlink(missing_ok=True)
        encoder.save(folder)
        faiss.write_index(index, str(folder / f"{name}.faiss"))
        facts = {"encoder": encoder.identity(), "library": library_hash, "count": index.ntotal}
        partial = folder / f".{name}.json"
        partial.write_text(json.dumps(facts, indent=2) + "\n")
        partial.replace(record)
        return cls(index, encoder)

    @classmethod
    def open(cls, folder: Path, name: str, library_hash: str, count: int) -> "ClipIndex":
        """Raises BadInput where there is no such index, StaleIdentity where it was made from another library or
        encoder."""
        fix = f"run `streamaudio library index {folder.parent} --encoder {name}`"
        record = folder / f"{name}.json"
        if not record.is_file():
            raise BadInput(f"library {str(folder.parent)!r} has no index for the encoder {name!r}; {fix}")
        try:
            facts = json.loads(record.read_text())
            encoder = encoders.load(name, folder)
            index = faiss.read_index(str(folder / f"{name}.faiss"))
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"index {name!r} of {str(folder.parent)!r} cannot be read ({error}); {fix}") from error
        if facts.get("library") != library_hash or not facts.get("count") == index.ntotal == count:
            raise StaleIdentity(
                f"index {name!r} of {str(folder.parent)!r} was made from another state of the library; {fix}"
            )
        if facts.get("encoder") != encoder.identity():
            raise StaleIdentity(f"index {name!r} of {str(folder.parent)!r} was made by another encoder; {fix}")
        return cls(index, encoder)

    def search(self, texts: Sequence[str], k: int, allowed: Collection[str] | None = None) -> list[list[Hit]]:
        """The best `k` clips per text, best first; equal scores in order of clip id.

        What a text finds does not depend on the other texts of the call: scores are computed anew in double
        precision, so that neither batching nor threads can reorder ties.
        """
        if k < 1:
            raise BadInput(f"k = {k!r} hits asked for; ask for at least 1")
        limit = self._index.ntotal if allowed is None else len(allowed)
        if not texts or limit == 0:
            return [[] for _ in texts]
        queries = self.encoder.embed_texts(texts)
        parameters = None
        if allowed is not None:
            # Kept alive here: FAISS holds bare pointers to both.
            wanted = _ids(sorted(allowed))
            selector = faiss.IDSelectorBatch(wanted)
            parameters = faiss.SearchParameters(sel=selector)  # pyright: ignore[reportCallIssue]
        depth = min(limit, 4 * k)
        scores, ids = self._index.search(queries, depth, params=parameters)
        found: list[list[Hit]] = []
        for row, query in enumerate(queries):
            row_scores, row_ids = scores[row], ids[row]
            while len(row_ids) < limit and row_ids[-1] != _NONE and _tied(row_scores, k):
                wider = min(limit, 4 * len(row_ids))
                (row_scores,), (row_ids,) = self._index.search(query[None], wider, params=parameters)
            found.append(self._ranked(query, row_ids[row_ids != _NONE])[:k])
        return found

    def _ranked(self, query: NDArray[np.float32], ids: NDArray[np.int64]) -> list[Hit]:
        vectors = self._index.reconstruct_batch(ids).astype(np.float64)
        scores = np.round(vectors @ query.astype(np.float64), 6).tolist()
        names = [f"{i:016x}" for i in ids.view(np.uint64).tolist()]
        hits = [Hit(name, score) for name, score in zip(names, scores, strict=True)]
        return sorted(hits, key=lambda hit: (-hit.score, hit.clip_id))


def _tied(scores: NDArray[np.float32], k: int) -> bool:
    """Whether a clip that was not returned could score like the k-th."""
    return bool(scores[min(k, len(scores)) - 1] - scores[-1] < _TIE)


def _ids(clip_ids: Sequence[str]) -> NDArray[np.int64]:
    return np.array([int(clip_id, 16) for clip_id in clip_ids], np.uint64).view(np.int64)
