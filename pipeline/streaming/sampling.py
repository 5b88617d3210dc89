"""From logits to a token: pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import BadInput


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy; the model card's own setting is 0.3 with top-k 3."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise BadInput(f"temperature {self.temperature!r} is outside 0 to 100; 0 is greedy")
        if self.top_k is not None and self.top_k < 1:
            raise BadInput(f"top-k {self.top_k!r} keeps no token; it must be at least 1")
        if not 0 <= self.top_p <= 1:
            raise BadInput(f"top-p {self.top_p!r} is outside 0 to 1; 1 keeps every token, 0 the most probable one")


GREEDY = Sampling()


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities [vocabulary] that `sampling` gives to `logits` [vocabulary]: top-k, temperature, then top-p (the
    smallest set of most probable tokens that holds at least `top_p`; Holtzman et al. 2019)."""
    logits = logits.cpu().double()  # MPS has no double precision
    if sampling.temperature == 0:
        return torch.zeros_like(logits).index_fill_(0, logits.argmax(), 1.0)
    if sampling.top_k is not None and sampling.top_k < len(logits):
        kept = logits.topk(sampling.top_k)
        logits = torch.full_like(logits, -torch.inf).scatter_(0, kept.indices, kept.values)
    result = (logits / sampling.temperature).softmax(0)
    if sampling.top_p < 1:
        ordered, indices = result.sort(descending=True, stable=True)
        before = ordered.cumsum(0) - ordered
        before[0] = -1.0  # the most probable token stays
        result = torch.zeros_like(result).scatter_(0, indices, ordered.where(before < sampling.top_p, 0.0))
        result /= result.sum()
    return result


def draw(logits: Tensor, sampling: Sampling, uniform: float) -> int:
    """The token at quantile `uniform`, in [0, 1), of `probabilities`; the most probable one where greedy."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    weights = probabilities(logits, sampling)
    cumulative = weights.cumsum(0)
    token = int(torch.searchsorted(cumulative, uniform * float(cumulative[-1]), right=True))
    # Rounding may point behind the last token that has any probability.
    return min(token, int(weights.nonzero().max()))
