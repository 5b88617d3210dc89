"""A chat endpoint that takes `input_audio` as a listener: asked about what it has heard so far, chunk after chunk."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import BadInput
from pipeline.synthesis.audio import Refused
from pipeline.synthesis.service import Endpoint
from pipeline.timing import to_samples, to_seconds
from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome, emotion_of
from prompts import Prompt, load
from schemas.listeners import ChatListener
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Emotion

REMEMBERED = 20
"""Replies of its own that it is reminded of."""
_DECISION = re.compile(r"<Decision>\s*(RESPOND|IGNORE)\b", re.IGNORECASE)
_REPLY = re.compile(r"<Reply>\s*(.*?)\s*(?:</Reply>|\Z)", re.IGNORECASE | re.DOTALL)
_EMOTION = re.compile(r"<Emotion>\s*(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote: whether it responds, and what it says."""

    respond: bool
    reply: str
    emotion: Emotion | None = None


def read_answer(text: str) -> Answer | None:
    """`<Decision>RESPOND|IGNORE</Decision> <Reply>...</Reply>`, closing tags optional; None where no decision is."""
    decision, reply, emotion = _DECISION.search(text), _REPLY.search(text), _EMOTION.search(text)
    if decision is None:
        return None
    respond = decision[1].upper() == "RESPOND"
    said = reply[1] if reply and respond else ""
    return Answer(respond, said, emotion_of(emotion[1]) if emotion and respond else None)


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    model_config = ConfigDict(extra="ignore")

    choices: list[_Choice] = Field(min_length=1)


class Chat:
    """Asks the endpoint about recordings."""

    def __init__(self, settings: ChatListener) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings)

    def ask(self, prompt: Prompt, samples: NDArray[np.float32], **values: Any) -> str:
        """What it writes about 16 kHz mono samples.

        Raises:
            BadInput: the key, the address or the request is wrong.
            EndpointDown: it does not answer.
        """
        file = io.BytesIO()
        soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        system, user = prompt.render(**values)
        audio = {"data": base64.b64encode(file.getvalue()).decode(), "format": "wav"}
        parts = [{"type": "text", "text": user["content"]}, {"type": "input_audio", "input_audio": audio}]
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [system, {"role": "user", "content": parts}],
            "max_tokens": self._settings.max_tokens,
        }
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        try:
            completion = _Completion.model_validate_json(self._endpoint.post("/chat/completions", body))
        except Refused as refusal:
            raise BadInput(
                f"{self._settings.base_url} refuses the request: {refusal}; check that {self._settings.model!r} takes "
                "input_audio, or send less with window_s"
            ) from None
        except ValidationError:
            raise BadInput(f"{self._settings.base_url} answers without a chat completion; check base_url") from None
        return completion.choices[0].message.content or ""


class ChatReplay:
    """In lock-step; latency is how long an answer took."""

    def __init__(self, settings: ChatListener) -> None:
        self._settings = settings
        self._prompt = load("stream_listener")
        self._chat: Chat | None = None

    def open(self) -> None:
        self._chat = Chat(self._settings)

    def close(self) -> None:
        self._chat = None

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        assert self._chat is not None, "open() comes first"
        notes, said = Notes(), list[dict[str, Any]]()
        keep = max(CHUNK_SAMPLES, to_samples(self._settings.window_s))
        window, heard_samples = np.zeros(0, np.float32), 0
        for index, chunk in enumerate(chunks):
            window = np.concatenate([window, chunk])[-keep:]
            heard_samples += len(chunk)
            notes.arrived(time.perf_counter())
            if (index + 1) % self._settings.every_chunks:
                notes.decided(index, Heard("silent", drained=True))
                continue
            answer = read_answer(self._chat.ask(self._prompt, window, said=said[-REMEMBERED:]))
            notes.stalls += notes.late_ms(index) > 1000 * CHUNK_S
            notes.invalid += answer is None
            respond = answer is not None and answer.respond
            notes.decided(index, Heard("response" if respond else "silent", latency_ms=notes.late_ms(index)))
            if answer is not None and answer.respond:
                notes.said(index, answer.reply, answer.emotion)
            now_s = to_seconds(heard_samples)
            if answer is not None and answer.respond:
                said.append({"at_s": round(now_s, 1), "reply": answer.reply})
        return notes.outcome()
