"""The endpoint part of a recipe, and rules between the fields of a reply."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import explain
from schemas.language import EndpointConfig
from schemas.roles import AuditReply, SceneCheck


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"base_url": "https://user:hunter2@host/v1"}, "must not carry credentials"),
        ({"base_url": "https://host/v1?key=hunter2"}, "must not carry credentials"),
        ({"base_url": "file:///etc/passwd"}, "http"),
        ({"api_key_env": "HOME"}, "_API_KEY"),
        ({"budget": 1.0}, "needs a price"),
        ({"budget": float("inf"), "prices": {"m": {"input_per_mtok": 1, "output_per_mtok": 1}}}, "finite"),
        ({"temprature": 0.7}, "Extra inputs"),
        ({"concurrency": 0}, "greater than or equal to 1"),
    ],
)
def test_an_impossible_endpoint_is_refused(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule) as caught:
        EndpointConfig.model_validate({"base_url": "http://127.0.0.1:1/v1", "model": "m"} | change)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in explain(caught.value, EndpointConfig)


def test_an_audit_gives_a_criterion_exactly_when_it_responds() -> None:
    for criterion, label in [(None, "respond"), ("hazard", "silent")]:
        with pytest.raises(ValidationError, match="criterion"):
            AuditReply(reason="r", criterion=criterion, label=label, confidence=1)  # pyright: ignore[reportArgumentType]


def test_a_scene_is_ok_exactly_when_all_five_hold() -> None:
    with pytest.raises(ValidationError, match="exactly when the five"):
        SceneCheck(
            coherent=True, plausible=True, grounded=False, temporally_right=True, diverse=True, reason="r", ok=True
        )
