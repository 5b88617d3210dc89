"""`streamaudio export`: joins exporters, token layout and encoder, which do not know one another."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.annotation import offline
from pipeline.annotation.tokens import Encode, reference_tokenize, tokenize
from pipeline.shards.exporters.audio_interaction import Encoders, Span, Tokens
from pipeline.streaming.text import SYSTEM_PROMPT, Text
from schemas.protocol import OFFLINE, offline_frames
from schemas.row import Row
from schemas.tokens import OfflineRow


def tokens(
    folder: Path, system_prompt: str | None, *, reference: bool, checkpoint: str | None = None, device: str = "cpu"
) -> Tokens:
    """Token rows with the tokenizer of a Hugging Face folder, and features with a checkpoint's audio tower.

    Raises:
        BadInput: `folder` holds no tokenizer, or `checkpoint` is none.
    """
    text = Text.open(folder)
    prefix = text.prefix(system_prompt or SYSTEM_PROMPT)
    lay_out = reference_tokenize if reference else tokenize
    single = functools.partial(offline.lay_out, prefix=(OFFLINE, *prefix[1:]), encode=text.encode)
    return Tokens(
        online=functools.partial(lay_out, prefix=prefix, encode=text.encode),
        offline=lambda row: _offline(row, prefix=(OFFLINE, *prefix[1:]), encode=text.encode),
        text=lambda instruction, answer: single(answer, user=instruction, audio_frames=None),
        encoders=None if checkpoint is None else encoders(checkpoint, device),
    )


def _offline(row: Row, *, prefix: Sequence[int], encode: Encode) -> list[tuple[Span, OfflineRow]]:
    laid = list[tuple[Span, OfflineRow]]()
    for example in offline.examples(row):
        frames = offline_frames(example.audio[1] - example.audio[0])
        ids = offline.lay_out(example.assistant, user=example.user, audio_frames=frames, prefix=prefix, encode=encode)
        laid.append((example.audio, ids))
    return laid


def encoders(checkpoint: str, device: str) -> Encoders:
    """The audio tower of a release, as its training data was made with it.

    Raises:
        BadInput: no such checkpoint, or no such device.
    """
    from pipeline.streaming.checkpoint import find, inspect, load_encoder
    from pipeline.streaming.encoder import blocks_of
    from pipeline.streaming.logmel import at_once
    from pipeline.streaming.logmel import offline as whole_chunks

    encoder = load_encoder(inspect(find(checkpoint)), device=device)

    def online(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        return encoder(blocks_of(whole_chunks(samples))).flatten(0, 1).cpu().numpy()

    def at_a_time(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        return encoder.whole(at_once(samples)).cpu().numpy()

    return Encoders(online=online, offline=at_a_time)
