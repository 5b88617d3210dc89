"""`streamaudio export`: joins exporters and token layout, which do not know one another."""

from __future__ import annotations

import functools
from pathlib import Path

from pipeline.annotation.tokens import reference_tokenize, tokenize
from pipeline.shards.exporters.audio_interaction import Tokenize
from pipeline.streaming.text import SYSTEM_PROMPT, Text


def tokenizer(folder: Path, system_prompt: str | None, *, reference: bool) -> Tokenize:
    """A row's token rows with the tokenizer of a Hugging Face folder.

    Raises:
        BadInput: `folder` holds no tokenizer.
    """
    text = Text.open(folder)
    lay_out = reference_tokenize if reference else tokenize
    return functools.partial(lay_out, prefix=text.prefix(system_prompt or SYSTEM_PROMPT), encode=text.encode)
