"""The YAML that determines a corpus. Every default is here, and only here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.composition import CompositionParams
from schemas.conditioning import TfjpParams
from schemas.distributions import Choice, Const, Distribution, Uniform
from schemas.language import LANGUAGE_ROLES, EndpointConfig, LanguageRole
from schemas.sound_services import (
    Asr,
    Captions,
    KnownCaptions,
    NoCheck,
    Procedural,
    SpeechParams,
    SynthesisParams,
)
from schemas.taxonomy import ABILITY_OF, SUB_TASKS, Ability, Policy

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


class OverlapParams(_Frozen):
    """Sounds that begin before the one before them is over, as they do in a lively place."""

    share: Share = 0.0
    """Of neighbouring sounds that may overlap: neither is spoken, answered, counted, or bound by an order."""
    seconds: Distribution = Uniform(low=0.2, high=1.0)
    """Length of an overlap, at most half of either sound."""

    @field_validator("seconds")
    @classmethod
    def _positive(cls, value: Distribution) -> Distribution:
        if value.bounds[0] <= 0:
            raise ValueError(f"overlap.seconds must stay above 0, not from {value.bounds[0]:g}")
        return value


_TIMING_BOUNDS = {
    "onset_delay_chunks": (0, 2),
    "translation_delay_chunks": (0, 3),
    "hesitation_s": (0.6, 2.5),
    "idle_s": (8.4, 120),
    "reply_wpm": (60, 400),
    "cut_at": (0.1, 0.9),
}


class TimingParams(_Frozen):
    """What happens between events."""

    gap_s: Distribution = Uniform(low=0.4, high=2.4)
    """Pause before a foreground event; negative overlaps the one before."""
    overlap: OverlapParams = OverlapParams()
    onset_delay_chunks: Distribution = Const(value=0)
    """Chunks between a sound event's end and its reply, 0-2; spoken turns and safety events are always 0."""

    translation_delay_chunks: Distribution = Choice(values=(0, 0, 1, 2))
    """Chunks between a segment's last word and its simultaneous translation, 0-3."""
    hesitation_s: Distribution = Uniform(low=0.6, high=2.5)
    """Pause within a hesitant turn."""
    idle_s: Distribution = Uniform(low=8.5, high=14)
    """Quiet after which the assistant asks whether somebody is still there."""
    reply_wpm: Distribution = Uniform(low=150, high=190)
    """Words (of Chinese: characters, half as many again) a minute that give a reply its nominal length."""
    cut_at: Distribution = Uniform(low=0.25, high=0.8)
    """Share of a reply's nominal length after which somebody speaks into it."""

    @field_validator("onset_delay_chunks", "translation_delay_chunks", "hesitation_s", "idle_s", "reply_wpm", "cut_at")
    @classmethod
    def _bounded(cls, value: Distribution, info: ValidationInfo) -> Distribution:
        low, high = value.bounds
        least, most = _TIMING_BOUNDS[info.field_name or ""]
        if low < least or high > most:
            raise ValueError(f"{info.field_name} must stay in {least:g}..{most:g}, not {low:g}..{high:g}")
        return value


NOISY_SNR_DB = 10.0
"""Speech is noisy from here on down."""


class NoiseParams(_Frozen):
    """Two independent beds under the whole stream (arXiv 2606.05121)."""

    enabled: bool = True
    event_snr_db: Distribution = Uniform(low=5, high=20)
    ambient_snr_db: Distribution = Uniform(low=10, high=25)
    noisy_snr_db: Distribution = Uniform(low=0, high=8)
    """Of the ambient track in `noisy_speech`, which has noise whatever `enabled` says."""

    @field_validator("noisy_snr_db")
    @classmethod
    def _noisy(cls, value: Distribution) -> Distribution:
        if value.bounds[1] > NOISY_SNR_DB:
            raise ValueError(f"noisy_snr_db must stay at or below {NOISY_SNR_DB:g} dB, not {value.bounds[1]:g}")
        return value


ENCODERS = ("lexical", "minilm", "clap")


class GroundingParams(_Frozen):
    """When a found clip is good enough."""

    encoder: str = "lexical"
    """lexical, minilm or clap; the library needs an index made with it."""
    hybrid: dict[str, Annotated[float, Field(gt=0)]] | None = None
    """Weights of scores that are fused into one: encoders by name, and `tags`; None: the cosine of `encoder` alone."""
    top_k: Annotated[int, Field(ge=1, le=50)] = 3
    min_score: Annotated[float | None, Field(ge=-1, le=1)] = None
    """Score below which a clip is another sound; None: what the encoder's index learnt from the library."""
    min_duration_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    max_duration_ratio: Annotated[float, Field(ge=1)] = 2.0
    variants: Annotated[int, Field(ge=1, le=2**53)] = 16
    """Renderings that the events of one synthesized kind and length share; each is made once and kept beside the
    library."""

    @field_validator("hybrid")
    @classmethod
    def _fuses_encoders(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        unknown = sorted(set(value or ()) - {*ENCODERS, "tags"})
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no score; choose from {', '.join(ENCODERS)}, tags")
        if value is not None and not set(value) & set(ENCODERS):
            raise ValueError(f"at least one encoder finds the clips; add one of {', '.join(ENCODERS)}")
        return value

    @property
    def scorer(self) -> str:
        """What a row names as the encoder of a score."""
        if self.hybrid is None:
            return self.encoder
        return f"hybrid({', '.join(f'{name} {weight:g}' for name, weight in sorted(self.hybrid.items()))})"


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
    """What the model does; the embedded defaults do the rest."""
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


MEASURED = ("duration_s", "gap_s", "overlap_s", "onset_delay_chunks", "event_snr_db", "ambient_snr_db")


class Gates(_Frozen):
    """What `streamaudio validate` refuses."""

    max_drift: dict[str, Share] = {}
    """Per distribution the largest Kolmogorov-Smirnov distance between what was asked and what came of it, on top of
    what chance explains."""
    max_seam_jump: Annotated[float, Field(gt=0)] | None = None
    """Largest 95th percentile over streams of `quality.max_seam_jump`; 1 is as smooth as the sound around a seam."""
    max_quarantined: Share | None = None
    """Largest share of streams that were rejected. The recipe's own `max_quarantined` is the build's."""
    min_f1: Share | None = None
    """Least F1 of a listener that hears the corpus (`validate --model`), replies against labels."""
    max_false_per_hour: Annotated[float, Field(ge=0)] | None = None
    """Most replies of a listener per hour of verified silence."""
    tolerance_chunks: Literal[0, 1, 2] = 1
    """Chunks by which a reply may be early or late, for `min_f1`."""
    sub_tasks: tuple[str, ...] = ()
    """Streams of these alone count for `min_f1` and `max_false_per_hour`; empty: all. The probe, which knows no
    instruction, can be asked about the proactive ones only."""

    @field_validator("sub_tasks")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(ABILITY_OF))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no sub-task; choose from {', '.join(sorted(ABILITY_OF))}")
        return value

    @field_validator("max_drift")
    @classmethod
    def _measured(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(MEASURED))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not measured; choose from {', '.join(MEASURED)}")
        return value


def _switch(value: Any) -> Any:
    # YAML 1.1 reads a bare `off` as false.
    return "off" if value is False else value


_ABILITY_SHARES: dict[Ability, float] = {
    "voice_chatting": 23.1,
    "instruction_following": 20.8,
    "audio_understanding": 16.4,
    "translation": 15.3,
    "realtime_asr": 11.6,
    "proactive_response": 7.3,
    "audio_agent": 5.5,
}
"""Of source items, in percent (arXiv 2606.05121); applied to rows."""
_DEFAULT_MIXTURE: dict[str, float] = {
    task: round(share / len(SUB_TASKS[ability]), 4)
    for ability, share in _ABILITY_SHARES.items()
    for task in SUB_TASKS[ability]
}


Use = Literal["private", "research", "commercial"]


class InstructionParams(_Frozen):
    """Texts of an instruction corpus: JSON lines of `instruction`, `answer` and, where not English, `language`."""

    file: Annotated[str, Field(min_length=1)]
    spoken: Share = 0.5
    """Share of the `single_turn_qa` streams whose question is one of them, said aloud."""
    text_only: bool = True
    """Publish all of them as text/instructions.jsonl too, for training on text alone."""


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
    """Weight per sub-task; those left out have none. The default follows the published shares of the abilities."""
    mixed: Share = 0.3
    """Share of streams that hold other sub-tasks before their own, in one unbroken session."""
    instructions: InstructionParams | None = None
    policy: Policy = "strict"
    p_silent: Share = 0.40
    p_history: Share = 0.30
    p_proactive: Share = 0.30
    pairs: Share = 0.5
    """Share of proactive streams that come as counterfactual pairs."""
    licences: tuple[str, ...] | None = None
    """Clips under any other licence stay out; None admits all."""
    use: Use = "research"
    """What the corpus is for: clips whose licences forbid it, or that cannot be joined for it, are refused. `private`
    is never shared, `research` is shared but not for commerce, `commercial` for anything."""
    max_quarantined: Share = 0.05
    gates: Gates = Gates()
    scene: SceneParams = SceneParams()
    timing: TimingParams = TimingParams()
    noise: NoiseParams = NoiseParams()
    planner: Planner = ScriptedPlanner()
    grounding: GroundingParams = GroundingParams()
    conditioning: Annotated[TfjpParams | Literal["off"], BeforeValidator(_switch)] = TfjpParams()
    composition: CompositionParams = CompositionParams()
    speech: SpeechParams = SpeechParams()
    asr: Asr = NoCheck()
    synthesis: SynthesisParams = SynthesisParams()
    captions: Captions = KnownCaptions()

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

    @model_validator(mode="after")
    def _generators_are_heard(self) -> Recipe:
        others = [g for g in self.synthesis.generators if not isinstance(g, Procedural)]
        if others and isinstance(self.captions, KnownCaptions):
            raise ValueError(
                f"synthesis.generators has {others[0].kind!r}, which does not say what its sounds are, and they are "
                "never judged by their prompt; set captions: {kind: clap} or {kind: chat, ...}"
            )
        for generator in others:
            if self.licences is not None and generator.licence not in self.licences:
                raise ValueError(
                    f"synthesis.generators has {generator.kind!r} under {generator.licence!r}, which is not in "
                    f"licences {list(self.licences)!r}; state its licence or allow it"
                )
        return self
