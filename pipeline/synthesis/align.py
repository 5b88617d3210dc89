"""Words of a spoken text, and an estimate of when each is heard where the engine does not say."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from pipeline.synthesis.speech import WordTime

FRAME_SAMPLES = 80  # 5 ms
AUDIBLE = 10 ** (-45 / 20)  # of the peak: frames below are silence
MARGIN_FRAMES = 4  # kept around the audible part

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{HAN}][^\w\s]*|[^\s{HAN}]+")


def words_of(text: str) -> list[re.Match[str]]:
    """The words as they are written, punctuation kept; in Chinese every character is one."""
    return [match for match in WORD.finditer(text) if re.search(r"\w", match[0])]


def audible_span(samples: np.ndarray) -> tuple[int, int]:
    """First and last sample of what stands above silence, with a margin; (0, 0) where nothing does."""
    if len(samples) == 0:
        return 0, 0
    level = _levels(samples)
    loud = np.flatnonzero(level > max(1e-4, AUDIBLE * level.max()))
    if len(loud) == 0:
        return 0, 0
    return max(0, int(loud[0]) - MARGIN_FRAMES) * FRAME_SAMPLES, min(
        len(samples), (int(loud[-1]) + 1 + MARGIN_FRAMES) * FRAME_SAMPLES
    )


def estimated_words(samples: np.ndarray, text: str) -> tuple[WordTime, ...]:
    """The words of `text` laid over the audible part of `samples` in proportion to their letters.

    An estimate: no recogniser listened. Pauses take no share, so that a word does not stretch into one. The samples
    are 16 kHz mono without silence at their edges; the last word ends with them.
    """
    words = words_of(text)
    level = _levels(samples)
    sounding = np.cumsum(level > AUDIBLE * max(float(level.max()), 1e-9)).astype(np.float64)
    shares = np.cumsum([0, *(max(1, sum(c.isalnum() for c in word[0])) for word in words)])
    bounds = sounding[-1] * shares / shares[-1]
    # A word begins in the first frame after its bound and ends in the frame that reaches the next one's.
    first = np.minimum(np.searchsorted(sounding, bounds[:-1], side="right"), len(sounding) - 1) * FRAME_SAMPLES
    last = np.minimum((np.searchsorted(sounding, bounds[1:], side="left") + 1) * FRAME_SAMPLES, len(samples))
    first[0], last[-1] = 0, len(samples)
    starts = np.maximum.accumulate(np.minimum(first, len(samples)))
    ends = [
        min(int(end), int(following))
        for end, (_, following) in zip(last, pairwise([*starts, len(samples)]), strict=True)
    ]
    return tuple(
        WordTime(word[0], int(start), max(int(start), end))
        for word, start, end in zip(words, starts, ends, strict=True)
    )


def _levels(samples: np.ndarray) -> np.ndarray:
    padded = np.pad(np.abs(samples), (0, -len(samples) % FRAME_SAMPLES))
    return padded.reshape(-1, FRAME_SAMPLES).max(axis=1)
