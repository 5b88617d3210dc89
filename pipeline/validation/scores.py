"""All figures of one replay as JSON values: what `validate` prints, gates and the report read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from pipeline.timing import to_seconds
from pipeline.validation.metrics import (
    LEVEL,
    RESAMPLES,
    Judged,
    by_group,
    emotion_figures,
    latency_figures,
    misses,
    onset_figures,
    parts,
)
from pipeline.validation.texts import Embed, Judge, text_figures
from schemas.protocol import CHUNK_SAMPLES
from schemas.taxonomy import ABILITY_OF


def scores(
    streams: Sequence[Judged],
    *,
    seed: int = 0,
    embed: Embed | None = None,
    judge: Judge | None = None,
    chosen: Sequence[str] = (),
) -> dict[str, Any]:
    """Every figure is {value, n, low, high}; null where there is nothing to measure.

    Args:
        streams: labels beside outcomes.
        seed: of the bootstrap.
        embed: vectors of sentences, for open replies.
        judge: a judge of open replies.
        chosen: sub-tasks whose streams alone are in `gated`, which the gates look at; empty: all.
    """

    def group(name: Callable[[Judged], str], of: Sequence[Judged] = streams) -> Any:
        return by_group(of, name, seed)

    sessions = [judged for judged in streams if judged.labels.group]
    longest = max((len(judged.labels.starts) for judged in sessions), default=0)
    positions = [
        (f"{place + 1} of {longest}", part)
        for judged in sessions
        if len(judged.labels.starts) == longest
        for place, part in enumerate(parts(judged))
    ]
    placed = {id(part): place for place, part in positions}
    gated = [judged for judged in streams if not chosen or judged.labels.sub_task in chosen]
    return jsonable(
        {
            "streams": len(streams),
            "hours": to_seconds(sum(judged.labels.num_chunks for judged in streams) * CHUNK_SAMPLES) / 3600,
            "bootstrap": {"level": LEVEL, "resamples": RESAMPLES, "over": "streams", "seed": seed},
            "triggers": group(lambda _: "all").get("all"),
            "gated": {"sub_tasks": sorted(chosen), "triggers": group(lambda _: "all", gated).get("all")},
            "by_ability": group(lambda judged: ABILITY_OF.get(judged.labels.sub_task, judged.labels.sub_task)),
            "by_sub_task": group(lambda judged: judged.labels.sub_task),
            "by_split": group(lambda judged: judged.labels.split),
            "by_group": group(lambda judged: judged.labels.group, sessions),
            "by_position": group(lambda part: placed[id(part)], [part for _, part in positions]),
            "misses": misses(streams),
            "onset": onset_figures(streams, seed),
            "emotion": emotion_figures(streams, seed),
            "text": text_figures(streams, seed, embed=embed, judge=judge),
            "latency": latency_figures(streams),
            "ended_early": sum(judged.outcome.ended is not None for judged in streams),
        }
    )


def jsonable(value: Any) -> Any:
    """Dataclasses as objects, numbers to six places."""
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 6)
    return value
