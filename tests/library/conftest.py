"""Miniature sources: short synthetic recordings in the layouts people have."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

WriteTone = Callable[..., Path]


@pytest.fixture
def write_tone() -> WriteTone:
    """Write a decaying tone; equal arguments give equal bytes, another `hz` gives another file."""

    def write(
        path: Path, *, hz: float = 440.0, seconds: float = 0.5, rate: int = 16_000, channels: int = 1, **kw
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        t = np.arange(round(seconds * rate)) / rate
        tone = 0.4 * np.sin(2 * np.pi * hz * t) * np.exp(-3 * t)
        soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, **kw)
        return path

    return write
