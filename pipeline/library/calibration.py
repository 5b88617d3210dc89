"""From which cosine on two things are likely the same sound: learnt from the library itself, per encoder.

Pairs of one class (a caption and another clip of its first tag) are held against random pairs that share no tag. A
logistic regression of the score (Platt 1999), both kinds weighing the same, gives log odds; where they are 0 lies the
threshold.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.library.clip import Clip
from pipeline.library.encoders import Encoder
from pipeline.seeds import rng

QUERIES = 300
SAME_PER_QUERY = 3
RANDOM_PER_QUERY = 10
MIN_PAIRS = 20
UNCALIBRATED = 0.2
"""The threshold where a library is too small to learn one from."""
USELESS_AUC = 0.6
"""An encoder that orders pairs no better than this cannot tell the library's classes apart."""


class Calibration(BaseModel):
    """What was learnt. `slope` is log odds per unit of score, 0 where a score says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["same class against random pairs", "highest of random pairs", "none: too few pairs"]
    threshold: float
    slope: float = 0.0
    same_pairs: int = 0
    random_pairs: int = 0
    same_median: float | None = None
    random_median: float | None = None
    auc: float | None = None
    """The chance that a pair of one class scores above a random one."""
    false_accepts: float | None = None
    """Share of random pairs at or above the threshold."""
    false_rejects: float | None = None
    """Share of pairs of one class below it."""

    def log_odds(self, score: float) -> float:
        """How much a score speaks for the same sound; 0 at the threshold."""
        return self.slope * (score - self.threshold)


def calibrate(
    encoder: Encoder, clips: Sequence[Clip], vectors_of: Callable[[Sequence[str]], NDArray[np.float32]]
) -> tuple[Calibration, NDArray[np.float32]]:
    """Learn from a sample of the library.

    Args:
        encoder: embeds the captions that serve as queries.
        clips: all clips of the index.
        vectors_of: the stored vectors of some clip ids, in their order.

    Returns:
        The calibration and the query vectors, (queries, dimension), which serve to measure recall too.
    """
    queries = _sample(clips)
    texts = encoder.embed_texts([clip.caption for clip in queries])
    same, random = _pairs(queries, clips)
    scores = [
        np.einsum("ij,ij->i", texts[[q for q, _ in pairs]], vectors_of([c for _, c in pairs])).astype(np.float64)
        if pairs
        else np.zeros(0)
        for pairs in (same, random)
    ]
    return fit(scores[0], scores[1]), texts


def fit(same: NDArray[np.float64], random: NDArray[np.float64]) -> Calibration:
    """The calibration of two samples of scores."""
    pairs = {"same_pairs": len(same), "random_pairs": len(random)}
    if len(random) < MIN_PAIRS:
        return Calibration(method="none: too few pairs", threshold=UNCALIBRATED, **pairs)
    auc = _auc(same, random) if len(same) >= MIN_PAIRS else None
    slope, threshold = 0.0, float(random.max())
    if auc is not None and auc >= USELESS_AUC:
        slope, threshold = _logistic(same, random)
    # Six digits are what a stored score has.
    threshold = math.ceil(threshold * 1e6) / 1e6
    return Calibration(
        method="same class against random pairs" if slope else "highest of random pairs",
        threshold=threshold,
        slope=round(slope, 6),
        same_median=round(float(np.median(same)), 6) if len(same) else None,
        random_median=round(float(np.median(random)), 6),
        auc=None if auc is None else round(auc, 4),
        false_accepts=round(float(np.mean(random >= threshold)), 4),
        false_rejects=round(float(np.mean(same < threshold)), 4) if len(same) else None,
        **pairs,
    )


def _logistic(same: NDArray[np.float64], random: NDArray[np.float64]) -> tuple[float, float]:
    """(slope, threshold) of a balanced logistic regression; the scale is taken out first, so that its weak
    regularisation bounds the slope where the samples do not overlap."""
    from sklearn.linear_model import LogisticRegression

    scores = np.concatenate([same, random])
    labels = np.repeat([1, 0], [len(same), len(random)])
    mean, spread = scores.mean(), scores.std()
    model = LogisticRegression(class_weight="balanced").fit((scores[:, None] - mean) / spread, labels)
    slope = float(model.coef_[0, 0])
    return slope / spread, float(mean - spread * model.intercept_[0] / slope)


def _auc(same: NDArray[np.float64], random: NDArray[np.float64]) -> float:
    below = np.searchsorted(np.sort(random), same, side="left") + np.searchsorted(np.sort(random), same, side="right")
    return float(below.mean() / (2 * len(random)))


def class_of(clip: Clip) -> str:
    """The first tag, or the caption where there is none."""
    return (clip.tags[0] if clip.tags else clip.caption).casefold()


def _sample(clips: Sequence[Clip]) -> list[Clip]:
    """At most `QUERIES` clips, as evenly over the classes as they allow."""
    draw = rng(0, "calibration", "queries")
    by_class: dict[str, list[Clip]] = defaultdict(list)
    for i in draw.permutation(len(clips)):
        by_class[class_of(clips[i])].append(clips[i])
    groups = [by_class[name] for name in sorted(by_class)]
    rounds = max(map(len, groups), default=0)
    return [group[turn] for turn in range(rounds) for group in groups if turn < len(group)][:QUERIES]


def _pairs(queries: Sequence[Clip], clips: Sequence[Clip]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(query, clip id) of one class, and at random."""
    draw = rng(0, "calibration", "pairs")
    by_class: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_class[class_of(clip)].append(clip)
    same: list[tuple[int, str]] = []
    random: list[tuple[int, str]] = []
    for number, query in enumerate(queries):
        others = [c for c in by_class[class_of(query)] if c.clip_id != query.clip_id]
        same += [(number, others[i].clip_id) for i in draw.permutation(len(others))[:SAME_PER_QUERY]]
        heard = {tag.casefold() for tag in query.tags} | {class_of(query)}
        for i in draw.integers(len(clips), size=RANDOM_PER_QUERY):
            clip = clips[i]
            if not heard & ({tag.casefold() for tag in clip.tags} | {class_of(clip)}):
                random.append((number, clip.clip_id))
    return same, random
