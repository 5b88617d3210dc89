"""Renderers of the procedural sounds, a module per domain; `pipeline.synthesis.kinds` is the entry."""

from . import ambience, equipment, home, human, music, nature, traffic
from .kind import SOUNDS, Criterion, SoundKind

__all__ = ["SOUNDS", "Criterion", "SoundKind", "ambience", "equipment", "home", "human", "music", "nature", "traffic"]
