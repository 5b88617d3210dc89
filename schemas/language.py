"""How a chat endpoint is reached and what it costs: the part of a recipe that every language role shares."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LanguageRole = Literal[
    "planner", "refiner", "verifier", "scene_check", "responder", "rewriter", "auditor", "history_review"
]
LANGUAGE_ROLES: Final[tuple[LanguageRole, ...]] = get_args(LanguageRole)
"""What a language model can do in a build; each has an embedded default."""
NOT_IDENTITY: Final = frozenset(
    {
        "base_url", "max_tokens_field", "timeout_s", "concurrency", "max_retries", "breaker_failures", "api_key_env",
        "prices", "currency", "budget", "cache",
    }
)  # fmt: skip
"""How an endpoint is reached, what it costs and where its replies lie: none of it changes a reply, so a build may go on
with other values, and `recipe_sha256` leaves it out."""


class Price(BaseModel):
    """Money per million tokens, in the endpoint's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_mtok: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output_per_mtok: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class EndpointConfig(BaseModel):
    """Any OpenAI-compatible chat endpoint (hosted, vLLM, Ollama)."""

    # A mistaken value may be a key; messages name what else they need.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["openai"] = "openai"
    base_url: Annotated[str, Field(description="up to and with /v1, e.g. http://127.0.0.1:11434/v1")]
    model: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """null: not sent, for models that refuse it."""
    seed: int | None = None
    """Sample i of a request is asked with seed + i."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Hosted reasoning models know only the second name."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Requests in flight, per worker process."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Repeats of one request after 408, 409, 429, 5xx, a timeout or a broken connection."""
    breaker_failures: Annotated[int, Field(ge=1, le=100)] = 3
    """Requests in a row that may fail in spite of their repeats before the run stops."""
    audio_input: bool = False
    """The model takes `input_audio` parts."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] = "OPENAI_API_KEY"
    """Name of the environment variable with the key; a local server needs none."""
    prices: dict[str, Price] = {}
    """Per model; without a price the cost is unknown, not 0."""
    currency: str = "USD"
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Hard stop over all worker processes of a build, in `currency`."""

    @field_validator("base_url")
    @classmethod
    def _plain_http_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not carry credentials, a query or a fragment; export the key as api_key_env says")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url {url!r} must be an http(s) URL; e.g. http://127.0.0.1:8000/v1")
        return url.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _names_an_api_key(cls, name: str) -> str:
        if not name.endswith("_API_KEY"):
            raise ValueError(
                f"api_key_env {name!r} must end in _API_KEY, so that no recipe can send another secret; "
                "export the key under such a name"
            )
        return name

    @model_validator(mode="after")
    def _budget_needs_a_price(self) -> EndpointConfig:
        if self.budget is not None and self.model not in self.prices:
            raise ValueError(f"budget {self.budget!r} needs a price for model {self.model!r}; add it to prices")
        return self

    @property
    def price(self) -> Price | None:
        return self.prices.get(self.model)
