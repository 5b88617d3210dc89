"""What a recipe will come to, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pipeline.config import recipe_sha256
from pipeline.language.budget import cost_of
from pipeline.language.crew import reply_cache
from pipeline.seeds import rng
from pipeline.slots import apportion, slots_of
from schemas.recipe import ModelPlanner, Recipe

LENGTH_SHARE: Final = 0.8
"""Length of a stream over the `duration_s` that its scene asks for: 0.70-0.93 in builds with ESC-10 and the starter."""
BYTES_PER_S: Final = 22_500
"""Of a stream in its shard, FLAC and labels: 22,300-22,800 in the same builds."""
PER_SCENE: Final = MappingProxyType(
    {
        "planner": (1.11, 1600, 360),
        "refiner": (1.11, 1180, 265),
        "auditor": (18.1, 840, 23),
        "verifier": (8.4, 1160, 42),
        "scene_check": (1.11, 1330, 38),
        "responder": (0.69, 710, 36),
    }
)
"""Requests per scene, tokens in and out of each, by role; measured against the tests' server with ESC-10 (36 scenes of
57 s at 4 characters a token). The rewriter is asked only for texts that cannot be spoken as they stand."""
DURATION_OF_AVERAGES_S: Final = 57.0
PER_EVENT: Final = frozenset({"auditor", "verifier"})
"""Roles that are asked about every sound, so that their share grows with the length of a scene."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """One language role; money is None without a price."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A corpus before it is built; `basis` says where the figures come from."""

    scenes: int
    streams: int
    hours: float
    bytes: int
    shards: int
    basis: str
    roles: dict[str, RoleEstimate]
    cost: float | None
    currency: str


def estimate(recipe: Recipe, limit: int | None = None) -> Estimate:
    """Foretell a build from what an earlier build of the same recipe took, else from built-in averages."""
    streams = min(recipe.streams, limit or recipe.streams)
    by_split = apportion(recipe.splits, streams)
    scenes = sum(1 for _ in slots_of(recipe, by_split))
    planner = recipe.planner
    measured = reply_cache(planner).measured(recipe_sha256(recipe)) if isinstance(planner, ModelPlanner) else {}
    draw = rng(recipe.seed, "estimate", "duration")
    asked_s = float(np.mean([recipe.scene.duration_s.sample(draw) for _ in range(1000)]))
    if measured:
        per_row_s, per_row_bytes = measured["hours"] * 3600 / measured["rows"], measured["bytes"] / measured["rows"]
        basis = f"measured averages of {measured['scenes']} scenes of this recipe"
    else:
        per_row_s, per_row_bytes = LENGTH_SHARE * asked_s, LENGTH_SHARE * asked_s * BYTES_PER_S
        basis = "built-in averages; a build with --limit 20 measures this recipe's own"
    roles = _roles(planner, scenes, asked_s, measured) if isinstance(planner, ModelPlanner) else {}
    costs = [role.cost for role in roles.values()]
    return Estimate(
        scenes=scenes,
        streams=streams,
        hours=streams * per_row_s / 3600,
        bytes=round(streams * per_row_bytes),
        shards=sum(-(-rows // recipe.streams_per_shard) for rows in by_split.values()),
        basis=basis,
        roles=roles,
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        currency=planner.currency if isinstance(planner, ModelPlanner) else "",
    )


def _roles(planner: ModelPlanner, scenes: int, asked_s: float, measured: dict[str, Any]) -> dict[str, RoleEstimate]:
    if measured:
        factor = scenes / measured["scenes"]
        sums = {
            role: tuple(factor * spend[name] for name in ("requests", "input_tokens", "output_tokens"))
            for role, spend in measured["by_role"].items()
        }
    else:
        sums = {}
        for role, (requests, tokens_in, tokens_out) in PER_SCENE.items():
            many = scenes * requests * (asked_s / DURATION_OF_AVERAGES_S if role in PER_EVENT else 1.0)
            sums[role] = (many, many * tokens_in, many * tokens_out)
    return {
        role: RoleEstimate(
            round(requests),
            round(tokens_in),
            round(tokens_out),
            cost_of(planner.price, round(tokens_in), round(tokens_out)),
        )
        for role, (requests, tokens_in, tokens_out) in sums.items()
        if role in planner.roles
    }
