"""Distributions as a recipe writes them.

[const, 1]   [uniform, low, high]   [normal, mean, std, low, high]   [choice, [a, b, ...]]
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Const(_Frozen):
    """Always `value`."""

    kind: Literal["const"] = "const"
    value: float

    def sample(self, rng: np.random.Generator) -> float:
        """Return one draw."""
        return self.value

    def cdf(self, value: float) -> float:
        """Probability of a draw of at most `value`."""
        return float(value >= self.value)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible draw."""
        return self.value, self.value


class Uniform(_Frozen):
    """Evenly from [low, high)."""

    kind: Literal["uniform"] = "uniform"
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"uniform needs low <= high, not {self.low!r} > {self.high!r}; swap them")
        return self

    def sample(self, rng: np.random.Generator) -> float:
        """Return one draw."""
        return float(rng.uniform(self.low, self.high))

    def cdf(self, value: float) -> float:
        """Probability of a draw of at most `value`."""
        if value >= self.high:
            return 1.0
        return (value - self.low) / (self.high - self.low) if value > self.low else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible draw."""
        return self.low, self.high


class Normal(_Frozen):
    """Gaussian, clipped to [low, high]."""

    kind: Literal["normal"] = "normal"
    mean: float
    std: Annotated[float, Field(ge=0)]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Normal:
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"normal needs low <= mean <= high, not {self.low!r}, {self.mean!r}, {self.high!r}")
        return self

    def sample(self, rng: np.random.Generator) -> float:
        """Return one draw."""
        return float(np.clip(rng.normal(self.mean, self.std), self.low, self.high))

    def cdf(self, value: float) -> float:
        """Probability of a draw of at most `value`."""
        if value < self.low or value >= self.high or not self.std:
            return float(value >= (self.high if self.std else self.mean))
        return 0.5 * math.erfc((self.mean - value) / (self.std * math.sqrt(2)))

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible draw."""
        return self.low, self.high


class Choice(_Frozen):
    """One of `values`, evenly."""

    kind: Literal["choice"] = "choice"
    values: Annotated[tuple[float, ...], Field(min_length=1)]

    def sample(self, rng: np.random.Generator) -> float:
        """Return one draw."""
        return float(self.values[int(rng.integers(len(self.values)))])

    def cdf(self, value: float) -> float:
        """Probability of a draw of at most `value`."""
        return sum(v <= value for v in self.values) / len(self.values)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible draw."""
        return min(self.values), max(self.values)


_FIELDS = {
    "const": ("value",),
    "uniform": ("low", "high"),
    "normal": ("mean", "std", "low", "high"),
    "choice": ("values",),
}


def _from_list(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"kind": "const", "value": value}
    if isinstance(value, list | tuple):
        kind, *arguments = value or [None]
        names = _FIELDS.get(kind) if isinstance(kind, str) else None
        if names is None or len(arguments) != len(names):
            raise ValueError(
                f"{value!r} is no distribution: write [const, v], [uniform, low, high], "
                "[normal, mean, std, low, high] or [choice, [v, ...]]"
            )
        return {"kind": kind, **dict(zip(names, arguments, strict=True))}
    return value


Distribution = Annotated[
    Annotated[Const | Uniform | Normal | Choice, Field(discriminator="kind")], BeforeValidator(_from_list)
]
"""A recipe's distribution; a bare number is a constant."""
