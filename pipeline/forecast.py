"""What a corpus of any size will come to, extrapolated from what a build of the same recipe took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pipeline.errors import BadInput
from pipeline.estimate import Estimate, estimate
from pipeline.shards.timings import OPENING, PLANNING, Timings
from schemas.recipe import Recipe

COUNTED: Final = 10_000
"""Streams whose scenes are counted one by one; beyond, they are as many in proportion."""
OTHER_CODECS: Final[Mapping[str, int]] = MappingProxyType({"pcm 16 bit": 32_000, "opus 32 kbit/s": 4_000})
"""Bytes a second, by definition, of what shards do not hold; FLAC is measured."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A corpus to be; hours of machines are of one core each."""

    streams: int
    hours: float
    shards: int
    stage_hours: Mapping[str, float]
    """Core hours per stage; opening and planning, which are one process, are among them."""
    planning_hours: float
    """Of both."""
    storage: Mapping[str, float]
    """Bytes per codec."""
    language_cost: float | None
    """None where a model has no price; 0 without one."""
    currency: str
    made_sounds: float
    """Foreground sounds that no clip of the library fits: what a generating service would be asked for, at most."""
    basis: str

    def wall_hours(self, machines: int, cores: int) -> float:
        """On so many machines: planning is done before, by one process."""
        rest = sum(self.stage_hours.values()) - self.planning_hours
        return self.planning_hours + rest / (machines * cores)


def forecast(
    recipe: Recipe,
    measured: Timings,
    manifest: Mapping[str, Any],
    *,
    hours: float | None = None,
    items: int | None = None,
) -> Forecast:
    """Extrapolate to `hours` of audio or to `items` streams.

    Args:
        recipe: what is to be built.
        measured: what a build of it took.
        manifest: of that build.

    Raises:
        BadInput: neither or both sizes are given, or the build is too small to learn from.
    """
    if (hours is None) == (items is None):
        raise BadInput("give either --hours or --items")
    if not measured.streams or not measured.audio_s:
        raise BadInput("the build that was measured has no streams; measure one of at least 20")
    per_stream_s = measured.audio_s / measured.streams
    streams = items if items is not None else round((hours or 0.0) * 3600 / per_stream_s)
    factor = streams / measured.streams
    counted = min(streams, COUNTED)
    foretold: Estimate = estimate(recipe.model_copy(update={"streams": counted}))
    cost = foretold.cost * streams / counted if foretold.cost is not None else None
    audio_s = streams * per_stream_s
    # The library is opened once, however many streams there are.
    times = {name: 1.0 if name == OPENING else factor for name in measured.stages_s}
    stages = {name: seconds * times[name] / 3600 for name, seconds in measured.stages_s.items()}
    return Forecast(
        streams=streams,
        hours=audio_s / 3600,
        shards=-(-streams // recipe.streams_per_shard),
        stage_hours=stages,
        planning_hours=stages.get(OPENING, 0.0) + stages.get(PLANNING, 0.0),
        storage={
            "flac and labels": measured.bytes * factor,
            **{codec: rate * audio_s for codec, rate in OTHER_CODECS.items()},
        },
        language_cost=cost,
        currency=foretold.currency,
        made_sounds=manifest["foreground_sources"].get("synthesized", 0) * streams / manifest["rows"],
        basis=(
            f"{measured.streams} streams, {measured.audio_s / 3600:.2f} h of audio, built in {measured.wall_s:.1f} s "
            f"of one process ({measured.cpu_s:.1f} s of processor time, peak memory {measured.peak_memory_mb:.0f} MB)"
        ),
    )
