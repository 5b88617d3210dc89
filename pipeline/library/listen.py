"""The sound of a clip at any rate: from its source file while that is there, else from the 16 kHz store."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.library.clip import Clip
from pipeline.library.decode import Unreadable, decode, resample
from schemas.protocol import SAMPLE_RATE

SOURCE, STORE = 1, 2


class Listener:
    """Reads clips and notes in `origin`, by clip id, what was heard: `SOURCE`, or `STORE`, which ends at 8 kHz."""

    def __init__(self, read: Callable[[str], NDArray[np.float32]]) -> None:
        self._read = read
        self.origin: dict[str, int] = {}

    def __call__(self, clip: Clip, rate_hz: int) -> NDArray[np.float32]:
        """The samples of a clip: float32 mono in [-1, 1] at `rate_hz`."""
        path = Path(clip.path)
        if rate_hz > SAMPLE_RATE and clip.source_rate_hz > SAMPLE_RATE and _is(path, clip.sha256):
            try:
                samples = decode(path, rate_hz=rate_hz).samples
                self.origin[clip.clip_id] = SOURCE
                return samples
            except Unreadable:  # by what is installed here; the store has it
                pass
        self.origin[clip.clip_id] = STORE
        return resample(self._read(clip.clip_id), from_rate=SAMPLE_RATE, to_rate=rate_hz)


def _is(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
