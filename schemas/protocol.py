"""Constants of the streaming protocol (Audio Interaction Model, arXiv 2606.05121, and its model card)."""

from typing import Final, Literal

SAMPLE_RATE: Final = 16_000
CHUNK_SAMPLES: Final = 6_400
"""One decision every 400 ms."""
FRAMES_PER_CHUNK: Final = 10
"""Encoder frames of 40 ms."""
MAX_POSITIONS: Final = 4_096
"""Positions a session may hold."""
SILENCE_MARKER: Final = "<no need to response>"
"""The assistant's side of a turn that must stay unanswered, as the published items spell it."""

Emotion = Literal["happy", "sad", "angry", "surprise", "normal", "urgent"]
EMOTIONS: Final[tuple[Emotion, ...]] = ("happy", "sad", "angry", "surprise", "normal", "urgent")
