"""Audio-Interaction's own formats: the published conversation items with their recordings, and token-level rows.

    {split}/conversation.jsonl       one stream a line; `conversation` lists its turns, each with its own recording
    {split}/tokens.jsonl             rows of the released trainer, where a tokenizer is given
    {split}/wavs/{id}.wav            the whole stream
    {split}/wavs/{id}/{turn}.wav     the stretch of it in which the turn is heard

Paths are relative to the split's folder. `pt_path_dir` is where the trainer expects the features of a token row: those
of `num_chunks` chunks of `wav_path` from chunk `first_chunk` on, made by the release's own feature step.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from pipeline.errors import BadInput
from pipeline.shards.exporters.output import Lines, safe_name, write_new
from schemas.protocol import SAMPLE_RATE
from schemas.row import Row
from schemas.tokens import TokenRow

Tokenize = Callable[[Row], Sequence[TokenRow]]


def write(rows: Iterable[Row], folder: Path, tokenize: Tokenize | None) -> list[str]:
    """Write all rows; returns, for every row that cannot be laid out as tokens, why."""
    left_out = list[str]()
    token_rows = 0
    with Lines() as lines:
        for row in rows:
            split = folder / safe_name(row.split)
            lines.add(split / "conversation.jsonl", _item(row, split))
            if tokenize is None:
                continue
            try:
                parts = tokenize(row)
            except BadInput as error:
                left_out.append(str(error))
                continue
            for part in parts:
                lines.add(split / "tokens.jsonl", _token_row(row, part, token_rows))
                token_rows += 1
    return left_out


def _item(row: Row, split: Path) -> dict[str, Any]:
    pcm, _ = sf.read(io.BytesIO(row.audio), dtype="int16")
    whole = f"wavs/{safe_name(row.id)}.wav"
    write_new(split / whole, _wav(pcm))
    turns = []
    for i, turn in enumerate(row.turns):
        path = f"wavs/{row.id}/{i:03d}.wav"
        write_new(split / path, _wav(pcm[turn.start_sample : turn.end_sample]))
        reply = row.responses[turn.response] if turn.response >= 0 else None
        turns.append(
            {
                "user": turn.user,
                "assistant": turn.assistant,
                "emotion": turn.emotion,
                "scene_type": turn.scene_type,
                "audio_path": path,
                "sub_task": turn.sub_task,
                "start_sample": turn.start_sample,
                "end_sample": turn.end_sample,
                "chunk": reply.chunk if reply else None,
                "action": reply.action if reply else None,
            }
        )
    return {
        "id": row.id,
        "stream_scene_type": row.turns[0].scene_type if row.turns else row.scenario,
        "num_turns": len(turns),
        "conversation": turns,
        "merge_path": whole,
        "ability": row.ability,
        "sub_task": row.sub_task,
        "language": row.language,
        "num_chunks": row.num_chunks,
        "sources": [{"licence": e.licence, "attribution": e.attribution, "clip_id": e.clip_id} for e in row.events],
        "noise": [track.model_dump(mode="json") for track in row.noise],
    }


def _token_row(row: Row, part: TokenRow, idx: int) -> dict[str, Any]:
    return {
        "tasks": "online",
        "idx": idx,
        "input_ids": part.input_ids,
        "labels": part.labels,
        "audio_pos": part.audio_pos,
        "pt_path_dir": f"features/{idx}",
        "id": row.id,
        "wav_path": f"wavs/{row.id}.wav",
        "first_chunk": part.first_chunk,
        "num_chunks": len(part.audio_pos),
    }


def _wav(pcm: np.ndarray) -> bytes:
    file = io.BytesIO()
    sf.write(file, pcm, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
