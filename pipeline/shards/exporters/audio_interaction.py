"""Audio-Interaction's own formats: the published conversation items with their recordings, and token-level rows.

    {split}/conversation.jsonl       one stream a line; `conversation` lists its turns, each with its own recording
    {split}/wavs/{id}.wav            the whole stream
    {split}/wavs/{id}/{turn}.wav     the stretch of it in which the turn is heard

Where a tokenizer is given, the rows of the released trainer too, in folders that hold nothing else, as it reads every
jsonl of a folder:

    {split}/tokens/online.jsonl      streams, or parts of one
    {split}/tokens/offline.jsonl     single turns: A_T_T (recording, text, answer) and A_T (recording, answer)
    text/tokens/offline.jsonl        T_T (text, answer): the corpus's instructions
    {split}/features/{idx}/AudioFeat.pt, {split}/features_off/{idx}/AudioFeat.pt      where an encoder is given too

Paths are relative to the split's folder: run the trainer there. An online row is `num_chunks` chunks of `wav_path` from
chunk `first_chunk` on, an offline row `num_samples` of it from `start_sample` on; `pt_path_dir` is where its features
are, float32 of shape (frames, width), which the trainer skips a row without.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.shards.exporters.output import Lines, safe_name, write_new
from schemas.protocol import FRAMES_PER_CHUNK, SAMPLE_RATE
from schemas.row import Row
from schemas.tokens import OfflineRow, TokenRow

FEATURES = "AudioFeat.pt"
Span = tuple[int, int]
"""[start, end) in samples of a stream."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """Encoder features, float32 (frames, width), of float32 samples in [-1, 1]."""

    online: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Of a whole stream, ten frames a chunk."""
    offline: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Of a recording that is heard at once."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """How rows become token rows. Each raises BadInput for what it cannot lay out."""

    online: Callable[[Row], Sequence[TokenRow]]
    offline: Callable[[Row], Sequence[tuple[Span, OfflineRow]]]
    text: Callable[[str, str], OfflineRow]
    """Of an instruction and its answer."""
    encoders: Encoders | None = None


def write(
    rows: Iterable[Row], instructions: Iterable[tuple[str, str]], folder: Path, tokens: Tokens | None
) -> list[str]:
    """Write all rows and instructions; returns, for every one that cannot be laid out as tokens, why."""
    left_out = list[str]()
    with Lines() as lines:
        layout = None if tokens is None else _Layout(folder, lines, tokens)
        for row in rows:
            split = folder / safe_name(row.split)
            pcm = np.asarray(sf.read(io.BytesIO(row.audio), dtype="int16")[0], np.int16)
            lines.add(split / "conversation.jsonl", _item(row, pcm, split))
            if layout is not None:
                left_out.extend(layout.add(row, pcm))
        if layout is not None:
            for instruction, answer in instructions:
                left_out.extend(layout.add_text(instruction, answer))
    return left_out


class _Layout:
    """Token rows and features; rows are numbered over all splits."""

    def __init__(self, folder: Path, lines: Lines, tokens: Tokens) -> None:
        self._folder, self._lines, self._tokens = folder, lines, tokens
        self._online = self._offline = 0

    def add(self, row: Row, pcm: NDArray[np.int16]) -> Iterator[str]:
        """Write a stream's rows; yields why where there are none."""
        split, encoders = self._folder / row.split, self._tokens.encoders
        samples = pcm.astype(np.float32) / 32768
        about = {"id": row.id, "wav_path": f"wavs/{row.id}.wav"}
        try:
            parts = self._tokens.online(row)
        except BadInput as error:
            yield str(error)
            parts = ()
        heard = encoders.online(samples) if encoders is not None and parts else None
        for part in parts:
            place = {"first_chunk": part.first_chunk, "num_chunks": len(part.audio_pos)}
            path = f"features/{self._online}"
            self._write(split / "tokens/online.jsonl", "online", self._online, part, path, about | place)
            if heard is not None:
                start, frames = part.first_chunk * FRAMES_PER_CHUNK, len(part.audio_pos) * FRAMES_PER_CHUNK
                write_new(split / path / FEATURES, _saved(heard[start : start + frames]))
            self._online += 1
        try:
            turns = self._tokens.offline(row)
        except BadInput as error:
            yield str(error)
            return
        for (start, end), turn in turns:
            path = f"features_off/{self._offline}"
            place = {"start_sample": start, "num_samples": end - start}
            self._write(split / "tokens/offline.jsonl", "offline", self._offline, turn, path, about | place)
            if encoders is not None:
                write_new(split / path / FEATURES, _saved(encoders.offline(samples[start:end])))
            self._offline += 1

    def add_text(self, instruction: str, answer: str) -> Iterator[str]:
        """Write a row of text alone; yields why where it cannot be one."""
        try:
            laid = self._tokens.text(instruction, answer)
        except BadInput as error:
            yield str(error)
            return
        self._write(self._folder / "text/tokens/offline.jsonl", "offline", self._offline, laid, None, {})
        self._offline += 1

    def _write(
        self,
        file: Path,
        tasks: str,
        idx: int,
        laid: TokenRow | OfflineRow,
        features: str | None,
        about: dict[str, Any],
    ) -> None:
        ids = {"input_ids": laid.input_ids, "labels": laid.labels, "audio_pos": laid.audio_pos}
        self._lines.add(file, {"tasks": tasks, "idx": idx, **ids, "pt_path_dir": features, **about})


def _item(row: Row, pcm: NDArray[np.int16], split: Path) -> dict[str, Any]:
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


def _saved(features: NDArray[np.float32]) -> bytes:
    """As the trainer loads it; `torch.load` reads it with weights_only."""
    import torch

    file = io.BytesIO()
    torch.save(torch.from_numpy(np.array(features)), file)
    return file.getvalue()


def _wav(pcm: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    sf.write(file, pcm, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
