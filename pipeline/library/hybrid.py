"""Several scores of a clip fused into one: what is heard in it, what its caption says, what it is tagged as.

Each encoder's cosine becomes log odds by its calibration, a shared tag counts as fixed log odds, and their weighted
mean is squeezed into [0, 1]: a logarithmic opinion pool (Genest and Zidek 1986). Calibrated so, half is even odds.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.errors import BadInput
from pipeline.library.clip import Hit
from pipeline.library.encoders import NAMES

if TYPE_CHECKING:
    from pipeline.library.library import Library

EVEN_ODDS = 0.5
TAGS = "tags"
DEPTH = 64
"""At least so many clips of each encoder are fused, so that another score can lift what one would not show."""
TAG_LOG_ODDS = 3.0
"""A shared tag, or the lack of one, is taken to be right in 95 of 100 cases."""


def search(
    library: "Library",
    texts: Sequence[str],
    tags: Sequence[Collection[str]],
    k: int,
    *,
    weights: Mapping[str, float],
    allowed: Collection[str] | None = None,
) -> list[list[Hit]]:
    """The best `k` clips per text by fused score, among the first of each encoder; ties in order of clip id.

    Args:
        tags: per text the tags of which one is wanted, whatever their case.
        weights: encoders by name, and `TAGS`; each encoder needs an index.
        allowed: clip ids that may be found; None for all.
    """
    indexes = {name: library.index(name) for name in weights if name != TAGS}
    per_encoder = [index.search(texts, max(k, DEPTH), allowed) for index in indexes.values()]
    total = sum(weights.values())
    fused: list[list[Hit]] = []
    for number, (text, wanted) in enumerate(zip(texts, tags, strict=True)):
        names = sorted({hit.clip_id for found in per_encoder for hit in found[number]})
        odds = [0.0] * len(names)
        for name, index in indexes.items():
            for at, score in enumerate(index.scores(text, names)):
                odds[at] += weights[name] * index.calibration.log_odds(score)
        heard = {tag.strip().casefold() for tag in wanted}
        for at, clip_id in enumerate(names):
            shared = heard & {tag.casefold() for tag in library.clips[clip_id].tags}
            odds[at] += weights.get(TAGS, 0.0) * (TAG_LOG_ODDS if shared else -TAG_LOG_ODDS)
        hits = [Hit(name, round(_share(value / total), 6)) for name, value in zip(names, odds, strict=True)]
        fused.append(sorted(hits, key=lambda hit: (-hit.score, hit.clip_id))[:k])
    return fused


def _share(odds: float) -> float:
    """Log odds as a probability, without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * odds))


def parse(text: str) -> dict[str, float]:
    """Weights as a person writes them: `clap=2,lexical=1,tags=1`. Raises BadInput where they are none."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        weights = {name.strip(): float(value) for name, value in pairs}
    except ValueError as error:
        raise BadInput(f"--hybrid {text!r} has no weights; write them as clap=2,lexical=1,tags=1") from error
    unknown = sorted(weights.keys() - {*NAMES, TAGS})
    if unknown or not weights.keys() & set(NAMES) or not all(0 < w < math.inf for w in weights.values()):
        raise BadInput(f"--hybrid {text!r} must weigh, above 0, at least one of {', '.join(NAMES)}, and maybe {TAGS}")
    return weights
