"""Ids to text and back: Qwen2.5's byte-level tokenizer, and text that grows without broken characters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from pipeline.errors import BadInput
from schemas.protocol import EMOTION_IDS, ENGLISH, ONLINE, SYSTEM, TEXT_BEGIN, TEXT_END, Emotion

SYSTEM_PROMPT = (
    "You listen to a live audio stream. Answer questions and follow instructions that you hear. When a sound calls for "
    "help or a warning, give it in a few words. Otherwise stay silent."
)
"""Used where neither the caller nor the checkpoint brings one."""
_EMOTIONS: dict[int, Emotion] = {token: emotion for emotion, token in EMOTION_IDS.items()}
_REPLACEMENT = "\ufffd"


class Text:
    """A tokenizer. `end_id` is the id that encoding may not end with (the tokenizer's end-of-text)."""

    def __init__(self, tokenizer: Tokenizer, end_id: int | None) -> None:
        self.tokenizer = tokenizer
        self.end_id = end_id

    @classmethod
    def open(cls, folder: Path) -> Text:
        """Read tokenizer.json and the end-of-text named in tokenizer_config.json.

        Raises:
            BadInput: either is missing or unreadable.
        """
        file, config_file = folder / "tokenizer.json", folder / "tokenizer_config.json"
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the tokenizers library raises a bare Exception
            raise BadInput(f"{str(file)!r} is no tokenizer ({error}); fetch the release's") from error
        try:
            end = json.loads(config_file.read_text(encoding="utf-8")).get("eos_token")
        except (OSError, ValueError, AttributeError) as error:
            raise BadInput(f"{str(config_file)!r} is missing or no JSON mapping; fetch the release's") from error
        end = end.get("content") if isinstance(end, dict) else end
        return cls(tokenizer, tokenizer.token_to_id(end) if isinstance(end, str) else None)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; one end-of-text at its end is taken off, as the released code does."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids[:-1] if ids and ids[-1] == self.end_id else ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` without special ones; an id outside the vocabulary gives nothing."""
        return self.tokenizer.decode([i for i in ids if self.tokenizer.id_to_token(i) is not None])

    def prefix(self, system_prompt: str) -> tuple[int, ...]:
        """What a session begins with."""
        return (ONLINE, ENGLISH, SYSTEM, TEXT_BEGIN, *self.encode(system_prompt), TEXT_END)

    def reply(self, ids: Sequence[int], *, whole: bool = True) -> tuple[Emotion | None, str]:
        """Emotion and text of a reply's `ids`, which may be the beginning of one (then not `whole`).

        The emotion is the first id where that is one of the six; otherwise it is text. A character that is split over
        ids appears when its last id is there.
        """
        emotion = _EMOTIONS.get(ids[0]) if ids else None
        words = ids[1:] if emotion else ids
        text = self.decode([i for i in words if i != TEXT_END])
        return emotion, text if whole else text.rstrip(_REPLACEMENT)
