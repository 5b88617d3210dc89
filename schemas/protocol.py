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

# Token ids of the released model (Qwen2.5's vocabulary, whose last ordinary ids were given new meanings).
TEXT_END: Final = 151_643
TEXT_BEGIN: Final = 151_644
"""Starts a reply; the same id also introduces the system prompt."""
SYSTEM: Final = TEXT_BEGIN
AUDIO_BEGIN: Final = 151_647
USER: Final = 151_601
ASSISTANT: Final = 151_602
"""The control token is read here."""
KEEP_SILENCE: Final = 151_605
PAD: Final = 151_608
"""Stands where an encoder frame goes."""
ONLINE: Final = 151_609
OFFLINE: Final = 151_610
ENGLISH: Final = 151_611
OFFLINE_AUDIO_PAD: Final = 151_646
OFFLINE_AUDIO_END: Final = 151_648
EMOTION_IDS: Final[dict[Emotion, int]] = {
    "happy": 151_614,
    "sad": 151_615,
    "angry": 151_616,
    "surprise": 151_617,
    "normal": 151_618,
    "urgent": 151_619,
}
IGNORED_LABEL: Final = -100
CHUNK_TOKENS: Final = (AUDIO_BEGIN, *[PAD] * FRAMES_PER_CHUNK, ASSISTANT)
"""The 12 ids of one chunk."""

# Offline training rows: mel columns of 160 samples, cut every 200 and halved twice by the encoder.
OFFLINE_MAX_SAMPLES: Final = 20 * SAMPLE_RATE


def offline_frames(num_samples: int) -> int:
    """Encoder frames of a recording that is heard as a whole."""
    columns = -(-num_samples // 160)
    return (columns + 1) // 2 // 2
