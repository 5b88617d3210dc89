"""How an HTTP service is reached: what language, speech, sound, caption and transcription endpoints have in common."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NOT_IDENTITY: Final = frozenset(
    {
        "base_url", "max_tokens_field", "timeout_s", "max_mb", "concurrency", "max_retries", "breaker_failures",
        "api_key_env", "prices", "currency", "budget", "cache",
    }
)  # fmt: skip
"""Keys of `SERVED` that say how an endpoint or a program is reached and bounded, what it costs and where its results
lie: none of them changes a result, so a build may go on with other values, and `recipe_sha256` leaves them out."""
SERVED: Final = ("planner", "synthesis", "captions", "speech", "asr")
"""The parts of a recipe that describe endpoints and programs."""


def _plain_http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not carry credentials, a query or a fragment; export the key as api_key_env says")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http(s) URL, e.g. http://127.0.0.1:8000/v1")
    return url.rstrip("/")


def _names_an_api_key(name: str) -> str:
    if not name.endswith("_API_KEY"):
        raise ValueError("must end in _API_KEY, so that no recipe can send another secret; export the key so")
    return name


Url = Annotated[str, AfterValidator(_plain_http_url)]
KeyVariable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$"), AfterValidator(_names_an_api_key)]


class Service(BaseModel):
    """An HTTP service; the key comes from the environment only."""

    # A mistaken value may be a key, so messages do not repeat what was given.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Url
    api_key_env: KeyVariable = "OPENAI_API_KEY"
    """Name of the environment variable with the key; a local server needs none."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Repeats of one request after 408, 409, 429, 5xx, a timeout or a broken connection."""
