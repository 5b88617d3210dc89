"""Texts and clips to unit vectors in one space."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import snowballstemmer
from numpy.typing import NDArray
from scipy import sparse

from pipeline.errors import BadInput
from pipeline.library.clip import Clip
from pipeline.seeds import rng

ReadClip = Callable[[Clip, int], NDArray[np.float32]]
"""The mono samples of a clip at a rate in Hz, for encoders that listen."""

NAMES = ("lexical", "minilm", "clap")
CHECKPOINTS = {"minilm": "sentence-transformers/all-MiniLM-L6-v2", "clap": "laion/clap-htsat-unfused"}
"""What an encoder with a model uses where none is named."""


class Encoder(Protocol):
    """What an index needs. Rows are float32 and of unit length, or zero where there is nothing to encode."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def listens(self) -> bool:
        """Whether clips are embedded by their sound, not by their annotations."""
        ...

    def identity(self) -> dict[str, Any]:
        """JSON values; equal exactly where vectors may be compared."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Queries, shape (len(texts), dimension)."""
        ...

    def embed_clips(self, clips: Sequence[Clip], read: ReadClip) -> NDArray[np.float32]:
        """Clips, shape (len(clips), dimension)."""
        ...

    def content_of(self, clip: Clip) -> str:
        """What of a clip its vector depends on; while it is the same, the vector is not made again."""
        ...

    def save(self, folder: Path) -> None:
        """Keep beside the index what `load` needs."""
        ...


def fit(name: str, clips: Sequence[Clip], checkpoint: str | None = None, tokenizer: str | None = None) -> Encoder:
    """The encoder `name`, fitted to a library or loaded from `checkpoint`, a local path or a hub id.

    Raises BadInput for an unknown name, and where the checkpoint cannot be had.
    """
    _check(name)
    if name == "lexical":
        if checkpoint or tokenizer:
            raise BadInput(f"encoder 'lexical' has no checkpoint, got {checkpoint or tokenizer!r}; leave it out")
        return LexicalEncoder.fit(clips)
    checkpoint = checkpoint or CHECKPOINTS[name]
    if name == "minilm":
        from pipeline.library.minilm import MiniLmEncoder

        return MiniLmEncoder(checkpoint)
    from pipeline.library.clap import ClapEncoder

    return ClapEncoder(checkpoint, tokenizer)


def load(name: str, folder: Path) -> Encoder:
    """The encoder with which the index in `folder` was made."""
    _check(name)
    if name == "lexical":
        return LexicalEncoder.load(folder)
    if name == "minilm":
        from pipeline.library.minilm import MiniLmEncoder

        return MiniLmEncoder(**load_settings(folder, name))
    from pipeline.library.clap import ClapEncoder

    return ClapEncoder(**load_settings(folder, name))


def _check(name: str) -> None:
    if name not in NAMES:
        raise BadInput(f"encoder {name!r} is not known; use one of {', '.join(NAMES)}")


def save_settings(folder: Path, name: str, settings: dict[str, str | None]) -> None:
    """Keep what `load_settings` gives back; local paths whole, so that any working directory will do."""
    whole = {k: str(Path(v).resolve()) if v and Path(v).exists() else v for k, v in settings.items()}
    (folder / f"{name}.model").write_text(json.dumps(whole) + "\n", "utf-8")


def load_settings(folder: Path, name: str) -> dict[str, Any]:
    """The settings with which the encoder was made. Raises OSError or ValueError where they are missing or damaged."""
    return json.loads((folder / f"{name}.model").read_text("utf-8"))


class LexicalEncoder:
    """TF-IDF over the stems of captions and tags, and over character n-grams for what stemming does not unite.

    Features are hashed (2^18) and then sketched to 1,024 dimensions with random signs (Charikar et al. 2002), so
    that the cosine of two texts is 0.75 x that of their stems + 0.25 x that of their n-grams, with a deviation of
    about 0.03. Words the library does not have weigh least: they cannot tell its clips apart.
    """

    name = "lexical"
    dimension = 1_024
    listens = False
    _FEATURES = 1 << 18
    _BLOCKS = (("stems", 0.75), ("grams", 0.25))

    def __init__(self, idf: NDArray[np.float32]) -> None:
        # Takes a second and 60 MB, which a worker that only composes does not need.
        from sklearn.feature_extraction import FeatureHasher

        self._idf = idf
        self._hasher = FeatureHasher(self._FEATURES, input_type="string", alternate_sign=False)
        self._sketch = _sketch(self._FEATURES, self.dimension)

    @classmethod
    def fit(cls, clips: Sequence[Clip]) -> "LexicalEncoder":
        """Weights from the captions and tags of a library."""
        encoder = cls(np.ones(cls._FEATURES, np.float32))
        frequency = sum(
            np.bincount(encoder._counts(map(text_of, clips), block).indices, minlength=cls._FEATURES)
            for block, _ in cls._BLOCKS
        )
        idf = np.log((1 + len(clips)) / (1 + frequency)) + 1
        return cls(np.where(frequency > 0, idf, 1.0).astype(np.float32))

    @classmethod
    def unweighted(cls) -> "LexicalEncoder":
        """Every word weighs the same: for texts that no library stands behind."""
        return cls(np.ones(cls._FEATURES, np.float32))

    def identity(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": 1,
            "dimension": self.dimension,
            "idf_sha256": hashlib.sha256(self._idf.tobytes()).hexdigest(),
        }

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        weighted = [np.sqrt(share) * _unit_rows(self._weighted(texts, block)) for block, share in self._BLOCKS]
        dense = (sum(weighted[1:], weighted[0]) @ self._sketch).toarray()
        norms = np.linalg.norm(dense, axis=1, keepdims=True)
        return (dense / np.where(norms > 0, norms, 1.0)).astype(np.float32)

    def embed_clips(self, clips: Sequence[Clip], read: ReadClip) -> NDArray[np.float32]:
        return self.embed_texts([text_of(clip) for clip in clips])

    def content_of(self, clip: Clip) -> str:
        return text_of(clip)

    def save(self, folder: Path) -> None:
        np.save(folder / "lexical.idf.npy", self._idf, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "LexicalEncoder":
        """Raises OSError or ValueError where the weights are missing or damaged."""
        return cls(np.load(folder / "lexical.idf.npy", allow_pickle=False))

    def _weighted(self, texts: Sequence[str], block: str) -> sparse.csr_array:
        rows = self._counts(texts, block)
        # In place: a product of sparse matrices takes ten times as long for one text.
        rows.data *= self._idf[rows.indices]
        return rows

    def _counts(self, texts: Sequence[str] | Iterator[str], block: str) -> sparse.csr_array:
        """Sublinear term counts, shape (texts, 2^18)."""
        features = stems if block == "stems" else grams
        counts = sparse.csr_array(self._hasher.transform(features(text) for text in texts))
        counts.data = 1 + np.log(counts.data)
        return counts


def text_of(clip: Clip) -> str:
    """The words by which a clip is found."""
    return ". ".join([clip.caption, *clip.tags])


_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_FUNCTION_WORDS = frozenset(
    "a an and are as at be by for from in into is it its of off on or out some someone that the to with".split()
)
_STEMMER = snowballstemmer.stemmer("english")


def words(text: str) -> list[str]:
    """Lower-case words without function words."""
    return [word for word in _WORD.findall(text.casefold()) if word not in _FUNCTION_WORDS]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The Snowball English stem of a lower-case word."""
    return _STEMMER.stemWord(word)


def stems(text: str) -> list[str]:
    """The stem of every word."""
    return [stem(word) for word in words(text)]


def grams(text: str) -> list[str]:
    """Character 3- and 4-grams of every word, with its edges marked."""
    edged = [f"<{word}>" for word in words(text)]
    return ["#" + word[i : i + n] for word in edged for n in (3, 4) for i in range(len(word) - n + 1)]


def _sketch(features: int, dimension: int) -> sparse.csr_array:
    draw = rng(0, "lexical", "sketch")
    columns = draw.integers(0, dimension, features)
    signs = draw.choice(np.array([-1.0, 1.0], np.float32), features)
    return sparse.csr_array((signs, (np.arange(features), columns)), shape=(features, dimension))


def _unit_rows(rows: sparse.csr_array) -> sparse.csr_array:
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows.data *= np.repeat(1 / np.where(norms > 0, norms, 1.0), np.diff(rows.indptr))
    return rows
