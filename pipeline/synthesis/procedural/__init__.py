"""Renderers of the procedural sounds, a module per domain; `pipeline.synthesis.kinds` is the entry."""

from . import ambience, animals, appliances, equipment, home, human, music, nature, people, traffic
from .kind import SOUNDS, Criterion, SoundKind

__all__ = [
    "SOUNDS",
    "Criterion",
    "SoundKind",
    "ambience",
    "animals",
    "appliances",
    "equipment",
    "home",
    "human",
    "music",
    "nature",
    "people",
    "traffic",
]
