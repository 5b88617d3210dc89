"""Renderers of the procedural sounds, a module per domain; `pipeline.synthesis.kinds` is the entry."""

from . import (
    ambience,
    animals,
    appliances,
    calls,
    distress,
    equipment,
    faults,
    hazards,
    home,
    human,
    music,
    nature,
    people,
    roadside,
    signals,
    traffic,
)
from .kind import SOUNDS, Criterion, SoundKind

__all__ = [
    "SOUNDS",
    "Criterion",
    "SoundKind",
    "ambience",
    "animals",
    "appliances",
    "calls",
    "distress",
    "equipment",
    "faults",
    "hazards",
    "home",
    "human",
    "music",
    "nature",
    "people",
    "roadside",
    "signals",
    "traffic",
]
