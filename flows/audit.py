"""The silence auditor on lines of text: captions, or JSON objects with their context."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.annotation.audit import audit
from pipeline.config import explain
from pipeline.errors import BadInput
from schemas.taxonomy import Policy


class AuditRequest(BaseModel):
    """One sound and what is around it; further keys of a line are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    caption: str
    tags: tuple[str, ...] = ()
    scenario: str | None = None
    neighbours: tuple[str, ...] | None = None


def audit_lines(lines: Iterable[str], policy: Policy) -> Iterator[dict[str, Any]]:
    """The judgement of each line that is not blank: label, criterion, reason, confidence.

    A line that begins with "{" is a JSON object with caption and, if known, tags, scenario and neighbours; any other is
    a caption.

    Raises:
        BadInput: a line is no JSON object of that form.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        request = _request(text, number) if text.startswith("{") else AuditRequest(caption=text)
        judged = audit(
            request.caption,
            request.tags,
            scenario=request.scenario or "",
            neighbours=request.neighbours or (),
            policy=policy,
        )
        yield asdict(judged)


def _request(text: str, number: int) -> AuditRequest:
    try:
        return AuditRequest.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise BadInput(f"line {number} {text[:60]!r} is no JSON ({error.msg}); give an object or a caption") from None
    except ValidationError as error:
        raise BadInput(f"line {number}: {explain(error, AuditRequest)}; a line has a caption of text") from None
