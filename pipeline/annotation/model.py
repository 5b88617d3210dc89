"""The language model as silence auditor, in the words and with the criteria of the embedded one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.annotation.audit import Audit, audit
from pipeline.language.crew import SceneCrew
from schemas.roles import AuditReply
from schemas.taxonomy import Policy


@dataclass(frozen=True, slots=True)
class ModelAuditor:
    """Judges the sounds of one scene; called like `pipeline.annotation.audit.audit`, which it falls back to."""

    crew: SceneCrew

    def __call__(
        self,
        caption: str,
        tags: Sequence[str] = (),
        *,
        scenario: str = "",
        neighbours: Sequence[str] = (),
        policy: Policy = "strict",
    ) -> Audit:
        """One sound, as `audit` takes it. Raises ReplyRejected where the reply stays invalid."""

        def valid(reply: AuditReply) -> None:
            if reply.criterion == "emotion" and policy != "assist":
                raise ValueError("criterion 'emotion' is none of the policy 'strict': answer silent, or another one")

        reply = self.crew.ask(
            "auditor",
            AuditReply,
            validate=valid,
            caption=caption or ", ".join(tags),
            scenario=scenario or None,
            neighbours=list(neighbours),
            policy=policy,
        )
        if reply is None:
            return audit(caption, tags, scenario=scenario, neighbours=neighbours, policy=policy)
        return Audit(reply.label, reply.criterion, reply.reason, reply.confidence)
