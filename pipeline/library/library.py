"""A library on disk: open, read, search.

clips.parquet   one row per clip, and the library's facts in its metadata
library.json    the same facts for people: format version, counts, roots, hash
audio.pcm16     16 kHz mono int16, all clips one after another
rejected.csv    what the last import left out, and why
index/          vectors per encoder
conditioned/    conditioned clips by content key, deletable
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.library.clip import Clip, Hit
from pipeline.library.ingest import AUDIO, ImportReport, OnProgress, import_library, read_clips, read_facts
from pipeline.library.store import ConditionedCache, Store
from schemas.protocol import SAMPLE_RATE

if TYPE_CHECKING:
    from pipeline.library.index import ClipIndex

__all__ = ["ImportReport", "Library", "import_library", "index_library"]


class Library:
    """An opened library; cheap to open, safe to open in many processes at once."""

    def __init__(self, path: Path, facts: dict[str, Any], clips: Mapping[str, Clip], store: Store) -> None:
        self.path = path
        self.clips = clips
        """By clip id, in its order."""
        self.conditioned = ConditionedCache(path / "conditioned")
        self._facts = facts
        self._store = store
        self._indexes: dict[str, ClipIndex] = {}

    @classmethod
    def open(cls, path: Path) -> "Library":
        """Raises BadInput where `path` holds no whole library."""
        path = Path(path)
        facts = read_facts(path)
        clips = {clip.clip_id: clip for clip in read_clips(path)}
        audio = path / AUDIO
        needed = max(clip.store_offset + clip.num_samples for clip in clips.values())
        if not audio.is_file() or audio.stat().st_size < 2 * needed:
            raise BadInput(f"library {str(path)!r} is damaged ({AUDIO} is missing or short); import it again")
        return cls(path, facts, MappingProxyType(clips), Store(audio))

    @property
    def hash(self) -> str:
        """sha256 over clip ids, annotations, measurements and store parameters."""
        return self._facts["hash"]

    def read(self, clip_id: str, start: int = 0, end: int | None = None) -> NDArray[np.float32]:
        """Samples [start, end) of a clip: float32, 16 kHz mono, in [-1, 1)."""
        return self._store.read(self.clips[clip_id], start, end)

    def search(
        self, texts: Sequence[str], k: int, *, encoder: str = "lexical", allowed: Collection[str] | None = None
    ) -> list[list[Hit]]:
        """The best `k` clips per text, best first, among the clip ids `allowed` (None: all).

        Raises BadInput where there is no index for `encoder`, StaleIdentity where it is not of this library.
        """
        return self.index(encoder).search(texts, k, allowed)

    def index(self, encoder: str) -> "ClipIndex":
        """The index made with `encoder`, opened once."""
        from pipeline.library.index import ClipIndex

        if encoder not in self._indexes:
            self._indexes[encoder] = ClipIndex.open(self.path / "index", encoder, self.hash, len(self.clips))
        return self._indexes[encoder]

    def info(self) -> dict[str, Any]:
        """Counts a person wants to see; JSON values."""
        clips = self.clips.values()
        return {
            "path": str(self.path),
            "hash": self.hash,
            "format_version": self._facts["format_version"],
            "clips": len(clips),
            "hours": round(sum(clip.num_samples for clip in clips) / SAMPLE_RATE / 3600, 4),
            "kinds": _counts(clip.kind for clip in clips),
            "track_classes": _counts(clip.track_class for clip in clips),
            "licences": _counts(clip.licence for clip in clips),
            "languages": _counts(clip.language for clip in clips if clip.language),
            "tags": _counts(tag for clip in clips for tag in clip.tags),
            "occurrences": sum(len(clip.occurrences) for clip in clips),
            "single_occurrence_clips": sum(
                clip.track_class == "event" and len(clip.occurrences) == 1 for clip in clips
            ),
            "indexes": {
                path.stem: json.loads(path.read_text("utf-8")) for path in (self.path / "index").glob("[!.]*.json")
            },
            "roots": self._facts["roots"],
            "protected": self._facts.get("protected"),
        }


def index_library(
    path: Path,
    encoder: str = "lexical",
    *,
    checkpoint: str | None = None,
    tokenizer: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> int:
    """Embed with `encoder` every clip that its index lacks, and write the index; the number of clips.

    `checkpoint` and `tokenizer` are local paths or hub ids, for encoders with a model.
    """
    from pipeline.library.index_build import build_index
    from pipeline.library.listen import Listener

    library = Library.open(path)
    clips = list(library.clips.values())
    build_index(
        library.path / "index",
        encoder,
        clips,
        Listener(library.read),
        library.hash,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        on_progress=on_progress,
    )
    return len(clips)


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
