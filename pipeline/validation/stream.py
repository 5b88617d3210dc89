"""A row with its plan, its provenance and its decoded audio: what the checks look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.validation.findings import Finding
from schemas.plan import Refinement, Step, StreamPlan
from schemas.provenance import AuditRecord, Provenance, SpeechRecord
from schemas.row import Event, Response, Row, Turn


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One stored stream whose indices are known to be in range; `samples` is float32, 16 kHz."""

    where: str
    row: Row
    plan: StreamPlan
    provenance: Provenance
    samples: np.ndarray

    def finding(self, rule: str, detail: str, *, event: int | None = None) -> Finding:
        """A finding at this row, or at one of its events."""
        name = "" if event is None else f" event {event} ({self.row.events[event].name})"
        return Finding(rule, self.where + name, detail)

    def steps(self) -> Iterator[tuple[int, Step]]:
        """(event, step) of the stream plan, in order."""
        yield from zip(self.provenance.step_events, self.plan.steps, strict=True)

    def steps_of(self, sub_task: str) -> list[tuple[int, Step]]:
        """Those of one sub-task; a mixed stream has several."""
        return [(event, step) for event, step in self.steps() if step.sub_task == sub_task]

    def responses_of(self, sub_task: str) -> list[Response]:
        """Responses of one sub-task, in order of time."""
        return [r for r in self.row.responses if r.sub_task == sub_task]

    def asked(self, sub_task: str) -> list[int]:
        """Spoken events of one sub-task that are answered."""
        return [e for e, step in self.steps_of(sub_task) if step.source == "speech" and step.reply is not None]

    def targets_of(self, sub_task: str) -> list[int]:
        """Foreground events that a sub-task's instruction or question is about."""
        own = {event for event, _ in self.steps_of(sub_task)}
        return sorted(own & set(self.provenance.targets))

    def speech(self, event: int) -> SpeechRecord | None:
        """Voice and words of a spoken event."""
        return next((record for record in self.provenance.speech if record.event == event), None)

    def partials(self, event: int) -> list[Turn]:
        """The turns of an event that is answered while it goes on, in order."""
        mine = {k for k, response in enumerate(self.row.responses) if response.event == event}
        return [turn for turn in self.row.turns if turn.response in mine]

    def sounds(self) -> Iterator[tuple[int, Event]]:
        """Events that nobody speaks."""
        spoken = {event for event, step in self.steps() if step.source == "speech"}
        return ((i, event) for i, event in enumerate(self.row.events) if i not in spoken)

    def audit(self, event: int) -> AuditRecord | None:
        """The trigger policy's judgement of an event's sound."""
        return next((record for record in self.provenance.audits if record.event == event), None)

    def sub_event(self, event: int) -> int | None:
        """The sub-event of the scene plan that a sound comes from: of its step, else the one of its name."""
        for at, step in self.steps():
            if at == event:
                return step.index if step.source == "event" else None
        name = self.row.events[event].name
        return next((i for i, planned in enumerate(self.plan.scene.sub_events) if planned.name == name), None)

    def refinement(self, event: int) -> Refinement | None:
        """How a sound was searched for and recognised."""
        index = self.sub_event(event)
        return None if index is None else self.plan.refinements[index]
