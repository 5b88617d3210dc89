"""How near what was said is to what should have been said, by what kind of reply it is.

transcripts    word error rate by jiwer (of Mandarin: characters), spelling of numbers and case aside
translations   BLEU and chrF by sacrebleu (Post 2018; Popovic 2015)
counts         the same numbers
choices        the right option, and no other
open           cosine of sentence vectors, a judge's score, or both

Transcripts and translations hold everything that should have been said: what was missed is empty. The others are over
labels that were answered; misses are in the triggers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.synthesis.asr import normalised
from pipeline.validation.metrics import RESAMPLES, WIDEST, Counts, Figure, Judged, answered, ratio
from pipeline.validation.replay.streams import Expected
from pipeline.validation.tasks import numbers_in
from schemas.taxonomy import ABILITY_OF

Kind = Literal["transcript", "translation", "count", "choice", "open"]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Unit vectors [texts, dimensions], or zero where there is nothing to embed."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What should have been said, and what was; `stream` numbers the stream."""

    kind: Kind
    sub_task: str
    language: str
    reference: str
    given: str
    stream: int
    options: tuple[str, ...] = ()
    right: int | None = None


Judge = Callable[[Exchange], float | None]
"""A score in [0, 1]; None where there is none."""


def kind_of(expected: Expected) -> Kind:
    """How a reply of this label is scored."""
    ability = ABILITY_OF.get(expected.sub_task)
    if ability == "realtime_asr":
        return "transcript"
    if ability == "translation":
        return "translation"
    if expected.sub_task == "count_events":
        return "count"
    return "choice" if expected.options and expected.right is not None else "open"


def exchanges(judged: Judged, stream: int) -> Iterator[Exchange]:
    """Everything that can be compared in one stream."""
    labels, replies = judged.labels, judged.outcome.replies
    pairs = answered(judged)
    for i, j in pairs:
        expected = labels.expected[i]
        kind = kind_of(expected)
        if expected.text and kind not in ("transcript", "translation"):
            yield Exchange(
                kind,
                expected.sub_task,
                labels.language,
                expected.text,
                replies[j].text,
                stream,
                expected.options,
                expected.right,
            )
    owner = {j: labels.expected[i].event for i, j in pairs}
    whole = [e for e in labels.expected if e.text and kind_of(e) in ("transcript", "translation")]
    for event, group in groupby(sorted(whole, key=lambda e: (e.event, e.chunk)), key=lambda e: e.event):
        partials = list(group)
        first, last = partials[0].first_chunk, partials[-1].chunk + WIDEST
        said = [
            r.text for j, r in enumerate(replies) if owner.get(j, event if first <= r.chunk <= last else None) == event
        ]
        language = _spoken_in(partials[0].sub_task, labels.language)
        yield Exchange(
            kind_of(partials[0]),
            partials[0].sub_task,
            language,
            "".join(partial.text for partial in partials),
            ("" if language == "zh" else " ").join(said),
            stream,
        )


def _spoken_in(sub_task: str, language: str) -> str:
    """The language of a transcript or a translation."""
    named = {"mandarin_speech": "zh", "read_speech": "en", "spontaneous_speech": "en"}
    if sub_task.startswith(("en_zh", "zh_en")):
        return sub_task[3:5]
    return named.get(sub_task, language)


def text_figures(
    streams: Sequence[Judged], seed: int, *, embed: Embed | None = None, judge: Judge | None = None
) -> dict[str, Any]:
    """Figures per kind and sub-task. Empty for a listener that never says a word."""
    if not any(reply.text for judged in streams for reply in judged.outcome.replies):
        return {}
    found: dict[Kind, list[Exchange]] = {}
    for stream, judged in enumerate(streams):
        for exchange in exchanges(judged, stream):
            found.setdefault(exchange.kind, []).append(exchange)
    spread = _Spread(len(streams), seed)
    figures: dict[str, Any] = {}
    for kind, of_kind in found.items():
        by_task = {task: [e for e in of_kind if e.sub_task == task] for task in sorted({e.sub_task for e in of_kind})}
        match kind:
            case "transcript":
                figures["transcripts"] = {
                    task: {"wer": spread.ratio(list(map(word_errors, e)), e)} for task, e in by_task.items()
                }
            case "translation":
                figures["translations"] = {task: translation_figures(e) for task, e in by_task.items()}
            case "count":
                figures["counts"] = {"exact": spread.mean([float(same_numbers(e)) for e in of_kind], of_kind)}
            case "choice":
                figures["choices"] = {"exact": spread.mean([float(right_choice(e)) for e in of_kind], of_kind)}
            case "open":
                figures["open"] = _open_figures(of_kind, by_task, spread, embed, judge)
    return figures


def _open_figures(
    of_kind: list[Exchange],
    by_task: dict[str, list[Exchange]],
    spread: _Spread,
    embed: Embed | None,
    judge: Judge | None,
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if embed is not None:
        vectors = embed([e.reference for e in of_kind]), embed([e.given for e in of_kind])
        cosine = dict(zip(map(id, of_kind), np.einsum("ij,ij->i", *vectors).tolist(), strict=True))
        figures["embedding"] = {
            "all": spread.mean([cosine[id(e)] for e in of_kind], of_kind),
            **{task: spread.mean([cosine[id(e)] for e in part], part) for task, part in by_task.items()},
        }
    if judge is not None:
        scores = [(e, score) for e in of_kind if (score := judge(e)) is not None]
        figures["judge"] = spread.mean([score for _, score in scores], [e for e, _ in scores])
    return figures


def word_errors(exchange: Exchange) -> tuple[float, float]:
    """Substitutions, deletions and insertions; and words of the reference (of Mandarin: characters)."""
    import jiwer

    wanted, got = (normalised(text, exchange.language) for text in (exchange.reference, exchange.given))
    if not wanted or not got:
        return float(len(wanted) + len(got)), float(len(wanted))
    found = jiwer.process_words(" ".join(wanted), " ".join(got))
    return float(found.substitutions + found.deletions + found.insertions), float(len(wanted))


def same_numbers(exchange: Exchange) -> bool:
    """Whether both say the same numbers, and any at all."""
    wanted = set(numbers_in(exchange.reference))
    return bool(wanted) and wanted == set(numbers_in(exchange.given))


def right_choice(exchange: Exchange) -> bool:
    """Whether the right option is named, in any case, and none of the others."""
    assert exchange.right is not None
    said = [_says(exchange.given, option) for option in exchange.options]
    return said[exchange.right] and sum(said) == 1


def _says(text: str, option: str) -> bool:
    bounded = rf"(?<![A-Za-z]){re.escape(option)}(?![A-Za-z])"
    return re.search(bounded, text, re.IGNORECASE) is not None


def translation_figures(exchanges: Sequence[Exchange]) -> dict[str, Figure]:
    """BLEU and chrF of a corpus, 0 to 100; the intervals are sacrebleu's bootstrap over segments."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    given, references = [e.given for e in exchanges], [[e.reference for e in exchanges]]
    metrics = {"bleu": BLEU(tokenize="zh" if exchanges[0].language == "zh" else "13a"), "chrf": CHRF()}
    figures = {}
    for name, metric in metrics.items():
        value = metric.corpus_score(given, references).score
        if len(exchanges) < 2:
            figures[name] = Figure(value, len(exchanges))
            continue
        resampled = metric.corpus_score(given, references, n_bootstrap=RESAMPLES)
        mean, half = resampled._mean, resampled._ci
        figures[name] = Figure(value, len(exchanges), mean - half, mean + half)
    return figures


class _Spread:
    """Figures from scores of exchanges; the bootstrap is over streams."""

    def __init__(self, streams: int, seed: int) -> None:
        self._streams = streams
        self._seed = seed

    def mean(self, scores: Sequence[float], of: Sequence[Exchange]) -> Figure:
        return self.ratio([(score, 1.0) for score in scores], of)

    def ratio(self, scores: Sequence[tuple[float, float]], of: Sequence[Exchange]) -> Figure:
        counts = Counts(self._seed, [{"part": 0.0, "whole": 0.0} for _ in range(self._streams)])
        for (part, whole), exchange in zip(scores, of, strict=True):
            row = counts.rows[exchange.stream]
            row["part"] += part
            row["whole"] += whole
        return counts.figure(["part", "whole"], ratio)
