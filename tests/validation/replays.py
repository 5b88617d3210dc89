"""Streams and outcomes for the tests of replay and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.validation.metrics import Judged
from pipeline.validation.replay.listener import Chunk, Heard, Outcome, Reply
from pipeline.validation.replay.streams import Expected, Labels


def label(chunk: int, text: str = "", sub_task: str = "natural_hazard", **fields: object) -> Expected:
    """A labelled reply."""
    given = {"emotion": "urgent", "event": chunk, "first_chunk": max(0, chunk - 3), **fields}
    return Expected(chunk=chunk, text=text, sub_task=sub_task, **given)  # pyright: ignore[reportArgumentType]


def judged(
    labels: Sequence[int | Expected],
    replies: Sequence[int | Reply],
    *,
    chunks: int = 50,
    silent: Iterable[int] = (),
    drained: Iterable[int] = (),
    heard: int | None = None,
    language: str = "en",
    sub_task: str = "natural_hazard",
    id: str = "a",
) -> Judged:
    """A stream: chunks of labels and of replies, chunks in verified silence, chunks nobody was asked about."""
    expected = tuple(label(e) if isinstance(e, int) else e for e in labels)
    said = tuple(Reply(r, "") if isinstance(r, int) else r for r in replies)
    verified = np.zeros(chunks, bool)
    verified[list(silent)] = True
    at, apart = {r.chunk for r in said}, set(drained)
    listened = tuple(
        Heard("response" if c in at else "silent", c in apart, None, 10.0 + c)
        for c in range(chunks if heard is None else heard)
    )
    stream = Labels(id, "train", sub_task, language, chunks, expected, verified)
    return Judged(stream, Outcome(listened, said))


class Perfect:
    """Knows the labels of the streams it will hear."""

    def __init__(self, streams: Iterable[Labels]) -> None:
        self._streams = list(streams)

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def listen(self, chunks: Iterable[Chunk]) -> Outcome:
        labels = self._streams.pop(0)
        replies = tuple(Reply(e.chunk, e.text, e.emotion) for e in labels.expected)  # pyright: ignore[reportArgumentType]
        at = {reply.chunk for reply in replies}
        heard = tuple(Heard("response" if c in at else "silent") for c, _ in enumerate(chunks))
        return Outcome(heard, replies)
