"""How the events of a stream are joined, levelled and mixed (SoundFlow, arXiv 2606.05121, composition)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.distributions import Distribution, Uniform


class RoleGains(BaseModel):
    """Level of each role in dB, relative to the common loudness."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    foreground: float = 0.0
    background: float = -6.0
    ambient: float = -12.0


class CompositionParams(BaseModel):
    """Everything composition does not draw by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seams: Literal["crossfade", "cut"] = "crossfade"
    """`cut` joins and tiles without fades: the baseline of an ablation."""
    crossfade_ms: Annotated[float, Field(ge=1, le=1000)] = 20.0
    role_gains_db: RoleGains = RoleGains()
    target_lufs: Annotated[float, Field(ge=-60, le=-5)] = -23.0
    """Every clip is brought to this loudness before its role's gain."""
    max_clip_gain_db: Annotated[float, Field(ge=0, le=60)] = 30.0
    """A near-silent clip is lifted by no more."""
    ceiling_dbtp: Annotated[float, Field(ge=-20, le=-0.1)] = -1.0
    """True peak above which the whole stream is lowered."""
    room_ir: str | None = None
    """A room impulse response, or a folder of them to draw from, in which all events sound; noise does not."""
    room_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the streams, where there is a room."""
    lead_s: Distribution = Uniform(low=0.8, high=2.4)
    """Time before the first foreground event; the default is that of the released helper script."""
    tail_s: Distribution = Uniform(low=0.8, high=2.4)
    """Time after the last foreground event, before the last chunk is filled up."""

    @field_validator("lead_s", "tail_s")
    @classmethod
    def _not_negative(cls, value: Distribution) -> Distribution:
        low, high = value.bounds
        if low < 0 or high > 60:
            raise ValueError(f"lead_s and tail_s must stay in 0..60 s, not {low:g}..{high:g}")
        return value
