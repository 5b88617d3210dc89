"""CLAP: sounds and texts in one space, so that a clip is found by what is heard in it."""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.library import checkpoints
from pipeline.library.clip import Clip
from pipeline.library.encoders import ReadClip, save_settings

if TYPE_CHECKING:
    import torch

_MEGABYTES_PER_WINDOW = 400
"""Peak of HTSAT-base on one window, measured and rounded up."""
_MAX_BATCH = 64


class ClapEncoder:
    """Clips by their sound at 48 kHz, texts as they are. A clip of more than 10 s is the mean of its windows.

    Texts are embedded one by one: what a query finds cannot depend on which others it came with.
    """

    name = "clap"
    listens = True

    def __init__(self, checkpoint: str, tokenizer: str | None) -> None:
        """Load the model. Raises BadInput where that cannot be done."""
        import torch

        from pipeline.library.clap_towers import open_towers, weight_files

        self._settings = {"checkpoint": checkpoint, "tokenizer": tokenizer}
        path = checkpoints.find(checkpoint)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with checkpoints.quiet():
            self._towers = open_towers(path, tokenizer, self._device)
        self._sha256 = checkpoints.sha256(weight_files(path))
        self.dimension = self._towers.dimension
        self._embed_text = lru_cache(maxsize=1 << 16)(self._embed_one_text)

    def identity(self) -> dict[str, Any]:
        from pipeline.library.clap_towers import RATE_HZ, WINDOW_S

        return {
            "name": self.name,
            "version": 1,
            "checkpoint_sha256": self._sha256,
            "dimension": self.dimension,
            "rate_hz": RATE_HZ,
            "window_s": WINDOW_S,
            "normalisation": "unit length",
        }

    def content_of(self, clip: Clip) -> str:
        return clip.sha256

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = [self._embed_text(text) for text in texts]
        return np.stack(found) if found else np.zeros((0, self.dimension), np.float32)

    def embed_clips(self, clips: Sequence[Clip], read: ReadClip) -> NDArray[np.float32]:
        sums = np.zeros((len(clips), self.dimension), np.float64)
        batch: list[NDArray[np.float32]] = []
        owners: list[int] = []
        size = self._batch_size()
        for owner, window in self._windows(clips, read):
            batch.append(window)
            owners.append(owner)
            if len(batch) == size:
                np.add.at(sums, owners, self._embed_windows(batch))
                batch, owners = [], []
        if batch:
            np.add.at(sums, owners, self._embed_windows(batch))
        return unit(sums)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.name, self._settings)

    def _windows(self, clips: Sequence[Clip], read: ReadClip) -> Iterator[tuple[int, NDArray[np.float32]]]:
        from pipeline.library.clap_towers import RATE_HZ

        for owner, clip in enumerate(clips):
            for window in windows_of(read(clip, RATE_HZ)):
                yield owner, window

    def _embed_windows(self, windows: list[NDArray[np.float32]]) -> NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            found = self._towers.audio(torch.from_numpy(np.stack(windows)))
        return unit(found.double().cpu().numpy()).astype(np.float64)

    def _embed_one_text(self, text: str) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            found = self._towers.text(text)
        return unit(found.double().cpu().numpy()[None])[0]

    def _batch_size(self) -> int:
        """So many windows as free memory holds, at most `_MAX_BATCH`."""
        return max(1, min(_MAX_BATCH, _free_megabytes(self._device) // (2 * _MEGABYTES_PER_WINDOW)))


def windows_of(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Windows of exactly 10 s at 48 kHz: a short clip is repeated as often as it fits and padded with silence, as
    CLAP was trained; of a long one the last window ends with it."""
    from pipeline.library.clap_towers import WINDOW

    if len(samples) <= WINDOW:
        repeated = np.tile(samples, WINDOW // len(samples))
        return [np.pad(repeated, (0, WINDOW - len(repeated)))]
    starts = [*range(0, len(samples) - WINDOW, WINDOW), len(samples) - WINDOW]
    return [samples[start : start + WINDOW] for start in starts]


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows of unit length; zero stays zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _free_megabytes(device: "torch.device") -> int:
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] >> 20
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
