"""Speech that is answered while it goes on: which words each partial answer rests on, and what it says.

Words are (word, start, end) in samples of the stream, in order. Joining the partials' texts gives the whole exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.timing import last_chunk
from schemas.plan import Segment

Word = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Partial:
    """A stretch of speech, [start_sample, end_sample) of the stream, with its words and what they give."""

    source: str
    text: str
    start_sample: int
    end_sample: int


def by_words(text: str, words: Sequence[Word]) -> tuple[Partial, ...]:
    """A transcript: one partial per chunk in which a word of `text` ends, holding the words that end there."""
    groups = [list(group) for _, group in groupby(_in_order(words), key=lambda word: last_chunk(word[2]))]
    partials: list[Partial] = []
    done = 0
    for k, group in enumerate(groups):
        upto = done
        for word, _, _ in group:
            upto = text.index(word, upto) + len(word)
        said = text[done:] if k + 1 == len(groups) else text[done:upto]
        partials.append(_partial(said.strip(), said, group))
        done = upto
    return tuple(partials)


def by_segments(segments: Sequence[Segment], words: Sequence[Word]) -> tuple[Partial, ...]:
    """A simultaneous translation: one partial per segment, over the words of its source."""
    left = _in_order(words)
    partials: list[Partial] = []
    for segment in segments:
        needed, group = _letters(segment.source), list[Word]()
        while needed > 0 and left:
            group.append(left.pop(0))
            needed -= _letters(group[-1][0])
        partials.append(_partial(segment.source.strip(), segment.target, group))
    return tuple(partials)


def _partial(source: str, text: str, words: Sequence[Word]) -> Partial:
    return Partial(source, text, words[0][1], max(words[-1][2], words[0][1] + 1))


def _in_order(words: Sequence[Word]) -> list[Word]:
    """The words with ends that never go back, so that chunks do not either."""
    ordered: list[Word] = []
    latest = 1
    for word, start, end in words:
        latest = max(latest, end)
        ordered.append((word, start, latest))
    return ordered


def _letters(text: str) -> int:
    return sum(c.isalnum() for c in text)
