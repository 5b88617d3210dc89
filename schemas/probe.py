"""How a probe is trained: the recipe of the bundled weights is this one's defaults."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.taxonomy import Criterion

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ProbeScenes(_Frozen):
    """The corpus that a probe renders for itself."""

    streams: Count = 3000
    tuned_on: Count = 100
    """Further streams, of other seeds, that the threshold is chosen on where the recipe has none."""
    trigger_variants: Count = 100
    """Renderings of each kind of sound that is answered."""
    benign_variants: Count = 30
    """Renderings of each other kind."""
    lines: Count = 160
    """Spoken lines."""


class ProbeTraining(_Frozen):
    """Muon for the matrices, AdamW for the rest, under one cycle of the learning rate."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = 4
    batch: Annotated[int, Field(ge=2, le=1024)] = 4
    """Stretches of 25.6 s in a step."""
    rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    decay: Annotated[float, Field(ge=0, le=1)] = 0.02


class ProbeRecipe(_Frozen):
    """The same recipe gives the same weights on one machine with one version of this package."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    scenes: ProbeScenes = ProbeScenes()
    training: ProbeTraining = ProbeTraining()
    odds: dict[Criterion, Annotated[float, Field(gt=0, le=1000)]] = {"distress": 4.0}
    """What the odds of an answer are multiplied by when training is over. People cry out in more ways than were taught,
    and to miss one costs more than to look up in vain (docs/probe.md)."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = 0.4
    """Probability from which a reply is given. Of a recording the probe is seldom as sure as of what it was taught;
    0.4 is a compromise between both (docs/probe.md). null chooses it on rendered scenes alone."""
