"""Kinds of sounds as varied as recordings of them are, for the probe to learn from.

A kind of the synthesizer is one recognisable sound, of which renderings differ a little; of screams, horns, dogs and
doors in the world no two are alike. Here pitch, timbre, rhythm, length and roughness are drawn from wide ranges, and
`recorded` does to a sound what microphones, files and small loudspeakers do. Corpora are made without any of it.
"""

from . import matter, others, signals, voices
from .kind import OTHERS, VARIED
from .recorder import recorded

__all__ = ["OTHERS", "VARIED", "matter", "others", "recorded", "signals", "voices"]
