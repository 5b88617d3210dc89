"""The YAML that determines a corpus. Every default is here, and only here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from schemas.composition import CompositionParams
from schemas.conditioning import TfjpParams
from schemas.distributions import Choice, Const, Distribution, Uniform
from schemas.language import LANGUAGE_ROLES, EndpointConfig, LanguageRole
from schemas.taxonomy import ABILITY_OF, Policy

Share = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneParams(_Frozen):
    """How full a scene is."""

    duration_s: Distribution = Uniform(low=24, high=90)
    """Intended length of a stream; the composed one ends with its last event and whole chunks."""
    background_events: Distribution = Choice(values=(0, 1, 1, 2))
    """Sub-events at -6 dB under the foreground."""
    max_reuse: Annotated[int | None, Field(ge=1)] = None
    """At most so many events are offered the same clip; None does not bound it."""


class TimingParams(_Frozen):
    """What happens between events."""

    gap_s: Distribution = Uniform(low=0.4, high=2.4)
    """Pause before a foreground event; negative overlaps the one before."""
    onset_delay_chunks: Distribution = Const(value=0)
    """Chunks between a sound event's end and its reply, 0-2; spoken turns and safety events are always 0."""

    @field_validator("onset_delay_chunks")
    @classmethod
    def _bounded(cls, value: Distribution) -> Distribution:
        low, high = value.bounds
        if low < 0 or high > 2:
            raise ValueError(f"onset_delay_chunks must stay in 0..2 chunks, not {low:g}..{high:g}")
        return value


class NoiseParams(_Frozen):
    """Two independent beds under the whole stream (arXiv 2606.05121)."""

    enabled: bool = True
    event_snr_db: Distribution = Uniform(low=5, high=20)
    ambient_snr_db: Distribution = Uniform(low=10, high=25)


class GroundingParams(_Frozen):
    """When a found clip is good enough."""

    encoder: str = "lexical"
    top_k: Annotated[int, Field(ge=1, le=50)] = 3
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """Cosine below which a clip is another sound; encoders calibrate their own where they can."""
    min_duration_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    max_duration_ratio: Annotated[float, Field(ge=1)] = 2.0


BagSize = Annotated[int, Field(ge=3, le=200)]


class ScriptedPlanner(_Frozen):
    """The embedded planner: a scene grammar, banks of texts, rules that judge."""

    kind: Literal["scripted"] = "scripted"
    bag_size: BagSize = 16
    """Clip annotations shown to the planner for one scene."""


class ModelPlanner(EndpointConfig):
    """A language model behind an OpenAI-compatible endpoint, in the roles it is given."""

    bag_size: BagSize = 16
    """Clip annotations shown to the planner for one scene."""
    cache: str | None = None
    """Folder or fsspec URL of the replies; None is a folder of the user's cache."""
    roles: Annotated[tuple[LanguageRole, ...], Field(min_length=1)] = LANGUAGE_ROLES
    """What the model does; the embedded defaults do the rest. `history_review` waits for the sub-task of that name."""
    fallback: tuple[LanguageRole, ...] = ()
    """Roles in which the embedded default stands in where a reply stays invalid; in others the scene is rejected."""

    @model_validator(mode="after")
    def _falls_back_in_its_roles(self) -> ModelPlanner:
        for role in self.fallback:
            if role not in self.roles:
                raise ValueError(f"fallback names {role!r}, which is not among roles {list(self.roles)!r}")
        return self


def _kind(planner: Any) -> str:
    return planner.get("kind", "scripted") if isinstance(planner, dict) else getattr(planner, "kind", "scripted")


Planner = Annotated[
    Annotated[ScriptedPlanner, Tag("scripted")] | Annotated[ModelPlanner, Tag("openai")], Discriminator(_kind)
]
"""Who writes the scenes: `kind` says."""


class SpeechParams(_Frozen):
    """Who speaks the user's side."""

    engine: Literal["espeak"] = "espeak"
    rate_wpm: Distribution = Uniform(low=140, high=180)
    pitch: Distribution = Uniform(low=35, high=65)


class SynthesisParams(_Frozen):
    """What makes the sounds that nobody recorded."""

    generator: Literal["procedural"] = "procedural"


def _switch(value: Any) -> Any:
    # YAML 1.1 reads a bare `off` as false.
    return "off" if value is False else value


_DEFAULT_MIXTURE: dict[str, float] = {
    "physiological_distress": 1,
    "natural_hazard": 1,
    "equipment_fault": 1,
    "safety_signal": 1,
    "count_events": 1,
    "alert_on_event": 1,
    "stay_silent_unless": 1,
    "sound_event_qa": 1,
}


class Recipe(_Frozen):
    """A corpus, determined: the same recipe, library and planner replies give the same bytes."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "streamaudio"
    pretty_name: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    streams: Annotated[int, Field(ge=1, le=100_000_000)] = 24
    """Rows of the corpus before quarantine; a pair is two."""
    streams_per_shard: Annotated[int, Field(ge=1, le=100_000)] = 500
    splits: dict[str, Share] = {"train": 0.8, "validation": 0.1, "test": 0.1}
    library: Literal["starter"] | None = None
    """`starter` renders the embedded library where the command line names none."""
    languages: Annotated[tuple[Literal["en", "zh"], ...], Field(min_length=1)] = ("en",)
    mixture: dict[str, Annotated[float, Field(ge=0)]] = _DEFAULT_MIXTURE
    """Weight per sub-task."""
    policy: Policy = "strict"
    p_silent: Share = 0.40
    p_history: Share = 0.30
    p_proactive: Share = 0.30
    pairs: Share = 0.5
    """Share of proactive streams that come as counterfactual pairs."""
    licences: tuple[str, ...] | None = None
    """Clips under any other licence stay out; None admits all."""
    max_quarantined: Share = 0.05
    scene: SceneParams = SceneParams()
    timing: TimingParams = TimingParams()
    noise: NoiseParams = NoiseParams()
    planner: Planner = ScriptedPlanner()
    grounding: GroundingParams = GroundingParams()
    conditioning: Annotated[TfjpParams | Literal["off"], BeforeValidator(_switch)] = TfjpParams()
    composition: CompositionParams = CompositionParams()
    speech: SpeechParams = SpeechParams()
    synthesis: SynthesisParams = SynthesisParams()

    @field_validator("mixture")
    @classmethod
    def _known_tasks(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(ABILITY_OF))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no sub-task; choose from {', '.join(sorted(ABILITY_OF))}")
        if sum(value.values()) <= 0:
            raise ValueError("the weights sum to 0; give at least one sub-task a weight above 0")
        return value

    @model_validator(mode="after")
    def _splits_sum(self) -> Recipe:
        for name in self.splits:
            if not name.isidentifier():
                raise ValueError(f"{name!r} is no split name; use letters, digits and _ (datasets allows no others)")
        total = sum(self.splits.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"splits sum to {total:g}, must sum to 1; got {self.splits!r}")
        return self
