"""A stream between its plan and its row: what it is built with, and what both of its makers must say alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.annotation.audit import Audit
from pipeline.annotation.model import ModelAuditor
from pipeline.annotation.responses import Labels
from pipeline.composition.mix import Composition
from pipeline.composition.timeline import Timeline
from pipeline.grounding.captions import Captioner
from pipeline.grounding.cascade import Grounded
from pipeline.language.crew import Crew, SceneCrew
from pipeline.library.library import Library
from pipeline.planning.blocks import beside
from pipeline.rooms import Room
from pipeline.sounds import Conditioner, Sound
from pipeline.speaking import (
    Cut,
    Spoken,
)
from pipeline.stopwatch import Stopwatch
from pipeline.synthesis.asr import SpeechCheck
from pipeline.synthesis.generators import SoundGenerator
from pipeline.synthesis.made import MadeCache
from pipeline.synthesis.speech import SpeechEngine
from schemas.plan import Step, StreamPlan
from schemas.recipe import GroundingParams, Recipe
from schemas.taxonomy import AuditLabel
from schemas.unit import PlannedStream


@dataclass(frozen=True, slots=True)
class Tools:
    """What a scene is built with; one per worker process."""

    recipe: Recipe
    recipe_sha256: str
    grounding: GroundingParams
    """The recipe's, with the threshold that the library learnt where the recipe gives none."""
    library: Library
    speech: SpeechEngine
    check_speech: SpeechCheck
    condition: Conditioner
    generators: tuple[SoundGenerator, ...]
    captioner: Captioner
    made: MadeCache
    """Where generated sounds, served speech and what was heard in either are kept."""
    crew: Crew
    rooms: tuple[Room, ...] = ()
    watch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One event of the stream to be: what it is made of, and how it sounds after conditioning."""

    key: str
    made_of: Grounded | Spoken
    sound: Sound
    """Pauses included."""
    cuts: tuple[Cut, ...] = ()
    """Where pauses were composed into speech."""


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A stream before its row: everything decided, nothing encoded."""

    stream: PlannedStream
    parts: tuple[Part, ...]
    timeline: Timeline
    labels: Labels
    mix: Composition
    room: Room | None
    words_per_minute: float
    """How fast replies are spoken."""
    sent_back: str | None


def expected_label(step: Step | None) -> AuditLabel:
    """What the auditor must say of an event's sound: only a trigger that is answered may be one."""
    return "respond" if step is not None and step.decision == "respond" and step.criterion is not None else "silent"


def audit(caption: str, tags: Sequence[str], plan: StreamPlan, index: int, tools: Tools, crew: SceneCrew) -> Audit:
    """The judgement of one sound in the place of a sub-event, by the recipe's auditor."""
    near = beside(plan.scene, index)
    auditor = ModelAuditor(crew)
    return auditor(caption, tags, scenario=plan.scene.scenario, neighbours=near, policy=tools.recipe.policy)
