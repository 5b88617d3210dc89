"""Which clips an event may be offered: top-k by FAISS among those of its split, least used first among equals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from pipeline.library import hybrid
from pipeline.library.library import Library
from schemas.plan import Refinement
from schemas.recipe import GroundingParams
from schemas.unit import Offer

SPREAD = 8
"""How many times `top_k` is looked at before near-equal scores are shuffled."""
NEAR = 0.05
"""Scores closer than this are equals: the least used clip comes first, then chance decides."""


class Usage:
    """How many events each clip was offered to; a clip at its cap is offered no more."""

    def __init__(self, cap: int | None) -> None:
        self.cap = cap
        self.counts: Counter[str] = Counter()

    def open(self, clip_id: str) -> bool:
        """Whether the clip may be offered once more."""
        return self.cap is None or self.counts[clip_id] < self.cap


def with_threshold(params: GroundingParams, library: Library) -> GroundingParams:
    """`params` with the threshold that the library's index learnt where they give none."""
    if params.min_score is not None:
        return params
    learnt = hybrid.EVEN_ODDS if params.hybrid else library.index(params.encoder).calibration.threshold
    return params.model_copy(update={"min_score": learnt})


def offers(
    library: Library,
    refinements: Sequence[Refinement],
    *,
    allowed: Collection[str],
    params: GroundingParams,
    usage: Usage,
    rng: np.random.Generator,
) -> list[tuple[Offer, ...]]:
    """At most `top_k` clips for each refinement, best first; among equals those the scene does not have yet come first.

    Args:
        library: an indexed library.
        refinements: what to look for; `query` is the text that is embedded.
        allowed: clip ids of the scene's split that its policy admits.
        params: encoder or hybrid weights, and `top_k`.
        usage: updated: every offered clip counts, whether it is taken in the end or not.
        rng: decides among equals.
    """
    if not allowed or not refinements:
        return [() for _ in refinements]
    queries, k = [r.query for r in refinements], params.top_k * SPREAD
    if params.hybrid is None:
        found = library.search(queries, k, encoder=params.encoder, allowed=allowed)
    else:
        tags = [r.accept_tags for r in refinements]
        found = hybrid.search(library, queries, tags, k, weights=params.hybrid, allowed=allowed)
    taken: set[str] = set()
    chosen: list[tuple[Offer, ...]] = []
    for hits in found:
        free = [h for h in hits if usage.open(h.clip_id)]
        free.sort(key=lambda h: (-round(h.score / NEAR), h.clip_id in taken, usage.counts[h.clip_id], rng.random()))
        picked = tuple(Offer(clip_id=h.clip_id, score=float(h.score)) for h in free[: params.top_k])
        taken.update(offer.clip_id for offer in picked)
        usage.counts.update(offer.clip_id for offer in picked)
        chosen.append(picked)
    return chosen
