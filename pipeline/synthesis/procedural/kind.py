"""What a procedural sound is, and how its renderer registers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Criterion = Literal["distress", "hazard", "equipment", "signal"]
Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True, slots=True)
class SoundKind:
    """One recognisable sound: its words, its tags, its trigger class.

    `criterion` is the trigger class under the strict policy, None for a benign sound. `sustained`
    sounds fill any length; the others are one audible occurrence of a length within `duration_s`.
    `counterpart` names, for a trigger, the benign kind that can take its place in a scene: alike in place
    or timbre, and in length.
    """

    name: str
    captions: tuple[str, ...]
    tags: tuple[str, ...]
    kind: Literal["sfx", "music"]
    domain: str
    criterion: Criterion | None
    counterpart: str | None
    sustained: bool
    duration_s: tuple[float, float]


SOUNDS: dict[str, tuple[SoundKind, Draw]] = {}


def sound(
    domain: str, tags: str, duration_s: tuple[float, float], *captions: str,
    criterion: Criterion | None = None, counterpart: str | None = None, sustained: bool = False,
    kind: Literal["sfx", "music"] = "sfx",
) -> Callable[[Draw], Draw]:  # fmt: skip
    """Register a renderer `(rng, n) -> n samples` under its own name; `tags` are "; "-separated."""

    def register(draw: Draw) -> Draw:
        name = draw.__name__
        SOUNDS[name] = (
            SoundKind(
                name, captions, tuple(tags.split("; ")), kind, domain, criterion, counterpart, sustained, duration_s
            ),
            draw,
        )
        return draw

    return register
