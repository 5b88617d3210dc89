"""How a chat endpoint is reached and what it costs: the part of a recipe that every language role shares."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.service import Service, Url

LanguageRole = Literal[
    "planner", "refiner", "verifier", "scene_check", "responder", "rewriter", "auditor", "history_review"
]
LANGUAGE_ROLES: Final[tuple[LanguageRole, ...]] = get_args(LanguageRole)
"""What a language model can do in a build; each has an embedded default."""


class Price(BaseModel):
    """Money per million tokens, in the endpoint's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_mtok: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output_per_mtok: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class EndpointConfig(Service):
    """Any OpenAI-compatible chat endpoint (hosted, vLLM, Ollama)."""

    kind: Literal["openai"] = "openai"
    base_url: Annotated[Url, Field(description="up to and with /v1, e.g. http://127.0.0.1:11434/v1")]
    model: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    """null: not sent, for models that refuse it."""
    seed: int | None = None
    """Sample i of a request is asked with seed + i."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Hosted reasoning models know only the second name."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Requests in flight, per worker process."""
    breaker_failures: Annotated[int, Field(ge=1, le=100)] = 3
    """Requests in a row that may fail in spite of their repeats before the run stops."""
    audio_input: bool = False
    """The model takes `input_audio` parts."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """Per model; without a price the cost is unknown, not 0."""
    currency: str = "USD"
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Hard stop over all worker processes of a build, in `currency`."""

    @model_validator(mode="after")
    def _budget_needs_a_price(self) -> EndpointConfig:
        if self.budget is not None and self.model not in self.prices:
            raise ValueError(f"budget {self.budget!r} needs a price for model {self.model!r}; add it to prices")
        return self

    @property
    def price(self) -> Price | None:
        return self.prices.get(self.model)
