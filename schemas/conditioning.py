"""What a recipe may say about conditioning (TFJP, arXiv 2606.05121): the paper's letters are the defaults."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TfjpParams(BaseModel):
    """Parameters of time-frequency joint preprocessing. The paper's symbol stands in brackets.

    Times are whole frames of 20 ms, so that every cut falls on the grid of the one shared STFT.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tau_ms: Annotated[int, Field(ge=120, le=5000, multiple_of=20)] = 300
    """Longest silence left inside a sound effect [tau]."""
    max_iterations: Annotated[int, Field(ge=1, le=10)] = 3
    """Rounds of silence cut and denoising in one pass [K]."""
    omega_ms: Annotated[int, Field(ge=2, le=40, multiple_of=2)] = 20
    """Hann taper at both ends, and crossfade at every inner join [omega]."""
    delta_ms: Annotated[int, Field(ge=20, le=2000, multiple_of=20)] = 200
    """A conditioned clip is a multiple of this long; half a chunk [delta]."""
    gamma: Annotated[float, Field(ge=0, le=4)] = 1.0
    """Gating coefficient of the spectral subtraction; 0 switches denoising off [gamma]."""
    silence_percentile: Annotated[float, Field(ge=0, le=50)] = 10.0
    """Frames at or below this energy percentile may be silence ..."""
    range_db: Annotated[float, Field(ge=10, le=90)] = 40.0
    """... if they also lie this far under the clip's loudest frame: the absolute stop, for a percentile always marks
    some frames. Noise that far down is left alone, and the core of an event ends there."""
    silence_floor_db: Annotated[float, Field(ge=-120, le=-20)] = -60.0
    """A frame whose RMS is at or below this is silence whatever the percentile says (dBFS)."""
    noise_percentile: Annotated[float, Field(gt=0, le=50)] = 5.0
    """Share of the audible frames, lowest energy first, that the noise spectrum is taken from (%)."""
    noise_margin_db: Annotated[float, Field(ge=0, le=30)] = 10.0
    """Noise is noise only if the loudest frames stand out of it by this much in some band of 400 Hz."""
    noise_gain_db: Annotated[float, Field(ge=-60, le=0)] = -30.0
    """Gain of what the gate closes; above minus infinity, so that no musical noise is left alone in silence."""
    stable_db: Annotated[float, Field(gt=0, le=30)] = 6.0
    """A round of denoising that would lower the noise by less than this is not done: the statistics are stable."""
    edge_ms: Annotated[int, Field(ge=20, le=5000, multiple_of=20)] = 100
    """Silence kept at a trimmed end of speech, ambience and music."""

    @model_validator(mode="after")
    def _one_step_survives(self) -> TfjpParams:
        if self.tau_ms < self.delta_ms + 60:
            raise ValueError(
                f"tau_ms = {self.tau_ms!r} must be at least delta_ms + 60 = {self.delta_ms + 60}, "
                "or a cut could leave less than one step; raise tau_ms or lower delta_ms"
            )
        return self
