"""Which scenarios say nearly the same: a model that writes a million scenes repeats itself."""

from __future__ import annotations

import numpy as np

from pipeline.library.encoders import Encoder

NEAR_DUPLICATE = 0.9
"""Cosine of two scenarios, by the encoder that grounds, from which one of them is written again."""
REMEMBERED = 20_000
"""So many of the latest are compared, which bounds memory."""


class Scenarios:
    """The latest scenarios, by their embeddings."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._texts: list[str] = []
        self._vectors = np.zeros((REMEMBERED, encoder.dimension), np.float32)
        self._next = 0

    def near_duplicate(self, scenario: str) -> str | None:
        """An earlier one that says nearly the same, or None and this one is remembered."""
        vector = self._encoder.embed_texts([scenario])[0]
        similar = self._vectors[: len(self._texts)] @ vector
        if len(similar) and similar.max() >= NEAR_DUPLICATE:
            return self._texts[int(np.argmax(similar))]
        self._vectors[self._next] = vector
        self._texts[self._next : self._next + 1] = [scenario]
        self._next = (self._next + 1) % REMEMBERED
        return None
