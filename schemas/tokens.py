"""A stream, or a part of one, as a language model is trained on it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class TokenRow(BaseModel):
    """Ids and targets of chunks [first_chunk, first_chunk + len(audio_pos)); equally long lists, `audio_pos` apart.

    Targets stand at their own positions, as Hugging Face models expect them, which shift by one themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_chunk: int
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """`input_ids` where either mask is True, -100 elsewhere."""
    stream_mask: tuple[bool, ...]
    """True on control tokens: KEEP_SILENCE and TEXT_BEGIN."""
    lm_mask: tuple[bool, ...]
    """True on a reply's emotion, text and TEXT_END; never where `stream_mask` is."""
    audio_pos: tuple[tuple[int, int], ...]
    """[first PAD, last PAD + 1) of every chunk."""


class OfflineRow(BaseModel):
    """One recording or none, one text or none, one answer; `labels` are `input_ids` in the answer, -100 before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    audio_pos: tuple[tuple[int, int]] | None
    """[first AUDIO_PAD, last AUDIO_PAD + 1), in a list of one; None without a recording."""
