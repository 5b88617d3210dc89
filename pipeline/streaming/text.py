"""Ids to text and back: Qwen2.5's byte-level tokenizer, and text that grows without broken characters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    """A tokenizer. `begin_id` and `end_id` (its begin- and end-of-text, None without) are taken off what it encodes;
    where `begins`, every text begins with the first."""

    def __init__(
        self, tokenizer: Tokenizer, end_id: int | None, *, begin_id: int | None = None, begins: bool = False
    ) -> None:
        self.tokenizer = tokenizer
        self.end_id = end_id
        self.begin_id = begin_id
        self.begins = begins and begin_id is not None

    @classmethod
    def open(cls, folder: Path) -> Text:
        """Read tokenizer.json, and begin- and end-of-text from tokenizer_config.json or generation_config.json.

        Raises:
            BadInput: one of the first two is missing, or one is unreadable.
        """
        file = folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the tokenizers library raises a bare Exception
            raise BadInput(f"{str(file)!r} is no tokenizer ({error}); fetch the release's") from error
        config, generation = _mapping(folder / "tokenizer_config.json"), folder / "generation_config.json"
        ids = _mapping(generation) if generation.is_file() else {}

        def marker(name: str) -> int | None:
            token = config.get(f"{name}_token")
            token = token.get("content") if isinstance(token, dict) else token
            id_ = tokenizer.token_to_id(token) if isinstance(token, str) else ids.get(f"{name}_token_id")
            return id_ if isinstance(id_, int) else None

        begins = config.get("add_bos_token") is True
        return cls(tokenizer, marker("eos"), begin_id=marker("bos"), begins=begins)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, as the released code gives them: without an end-of-text behind it, and without or, where
        `begins`, with a begin-of-text before it."""
        ids = self.tokenizer.encode(text).ids
        if self.begins:
            ids = ids if ids and ids[0] == self.begin_id else [self.begin_id, *ids]
        elif ids and ids[0] == self.begin_id:
            ids = ids[1:]
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


def _mapping(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(file)!r} is missing or no JSON mapping; fetch the release's") from error
    if not isinstance(data, dict):
        raise BadInput(f"{str(file)!r} is no JSON mapping; fetch the release's")
    return data
