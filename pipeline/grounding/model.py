"""The language model as verifier of clips and as the last judge of a whole grounded scene."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile as sf

from pipeline.grounding.verify import Evidence, RuleVerifier, Target, Verdict, measured
from pipeline.language.crew import SceneCrew
from schemas import roles
from schemas.plan import ScenePlan
from schemas.protocol import SAMPLE_RATE
from schemas.recipe import GroundingParams

HEARD_S = 30.0
"""So much of a clip is attached for a model that takes audio."""


@dataclass(frozen=True, slots=True)
class ModelVerifier:
    """A `Verifier`: what is measured is decided by rule, what must be heard or read by the model."""

    crew: SceneCrew
    params: GroundingParams
    objection: str | None = None
    """Why the scene was sent back."""

    def __call__(self, target: Target, evidence: Evidence) -> Verdict:
        """Judge a candidate. Raises ReplyRejected where the reply stays invalid."""
        broken = measured(target, evidence, self.params)
        if broken is not None:
            return broken
        beside = [name for name in (target.previous, target.next) if name]

        def valid(reply: roles.Verdict) -> None:
            unknown = [name for name in reply.conflicts_with if name not in beside]
            if unknown:
                raise ValueError(f"conflicts_with names {unknown[0]!r}, which is no neighbour: choose from {beside}")

        hears = self.crew.crew.hears and evidence.samples is not None
        reply = self.crew.ask(
            "verifier",
            roles.Verdict,
            validate=valid,
            attach=_attach(evidence.samples) if hears else None,
            scenario=target.scenario,
            target={
                "name": target.sub_event.name,
                "role": target.sub_event.role,
                "rough_duration_s": target.sub_event.rough_duration_s,
                "brief_description": target.sub_event.brief_description,
            },
            previous=target.previous,
            following=target.next,
            caption=evidence.caption or ", ".join(evidence.tags),
            measurements={
                "duration_s": round(evidence.duration_s, 2),
                "occurrences": evidence.occurrences,
                "onset_cut": evidence.onset_cut,
                "offset_cut": evidence.offset_cut,
                "snr_db": None if evidence.snr_db is None else round(evidence.snr_db, 1),
                "similarity": None if evidence.score is None else round(evidence.score, 3),
                "tags": list(evidence.tags),
            },
            source=evidence.source,
            objection=self.objection,
            with_audio=hears,
        )
        if reply is None:
            return RuleVerifier(self.params)(target, evidence)
        if reply.verdict == "accept" and target.max_duration_s and evidence.duration_s > target.max_duration_s:
            return Verdict(
                "reprocess", f"duration: {evidence.duration_s:.2f} s, its slot {target.max_duration_s:.2f} s"
            )
        return Verdict(reply.verdict, reply.reason, reply.conflicts_with)


def check_scene(scene: ScenePlan, events: Sequence[dict[str, Any]], crew: SceneCrew) -> roles.SceneCheck | None:
    """The last judgement of a grounded scene: coherent, plausible, grounded, temporally right, diverse.

    Args:
        scene: the plan.
        events: what was grounded, in the order of time: name, role, caption, source, start_s, end_s.
        crew: who judges; None is returned where nobody does.
    """
    return crew.ask("scene_check", roles.SceneCheck, plan=scene.model_dump(mode="json"), events=list(events))


def _attach(samples: np.ndarray | None) -> Any:
    assert samples is not None
    file = io.BytesIO()
    sf.write(file, samples[: round(HEARD_S * SAMPLE_RATE)], SAMPLE_RATE, format="WAV", subtype="PCM_16")

    def attach(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from pipeline.language.client import attach_wav

        return attach_wav(messages, file.getvalue())

    return attach
