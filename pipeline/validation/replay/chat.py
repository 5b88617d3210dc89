"""A chat endpoint that takes `input_audio` as a listener: asked about what it has heard so far, chunk after chunk."""

from __future__ import annotations

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
from pipeline.language.client import attach_wav
from pipeline.synthesis.audio import Refused
from pipeline.synthesis.service import Endpoint
from pipeline.timing import to_samples, to_seconds
from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome, emotion_of
from pipeline.validation.texts import Exchange
from prompts import Prompt, load
from schemas.listeners import ChatListener, JudgeSettings
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Emotion

REMEMBERED = 20
"""Replies of its own that it is reminded of."""
_DECISION = re.compile(r"<Decision>\s*(RESPOND|IGNORE)\b", re.IGNORECASE)
_REPLY = re.compile(r"<Reply>\s*(.*?)\s*(?:</Reply>|\Z)", re.IGNORECASE | re.DOTALL)
_SCORE = re.compile(r"<Score>\s*(\d+)", re.IGNORECASE)
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

    def __init__(self, settings: ChatListener | JudgeSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings)

    def ask(self, prompt: Prompt, samples: NDArray[np.float32] | None, **values: Any) -> str:
        """What it writes, about 16 kHz mono samples where there are any.

        Raises:
            BadInput: the key, the address or the request is wrong.
            EndpointDown: it does not answer.
        """
        messages = prompt.render(**values)
        if samples is not None:
            file = io.BytesIO()
            soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
            messages = attach_wav(messages, file.getvalue())
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": messages,
            "max_tokens": self._settings.max_tokens,
        }
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        try:
            completion = _Completion.model_validate_json(self._endpoint.post("/chat/completions", body))
        except Refused as refusal:
            raise BadInput(
                f"{self._settings.base_url} refuses the request: {refusal}; check that {self._settings.model!r} takes "
                "input_audio, and not too much of it (window_s)"
            ) from None
        except ValidationError:
            raise BadInput(f"{self._settings.base_url} answers without a chat completion; check base_url") from None
        return completion.choices[0].message.content or ""


class ChatBench:
    """Asked once about a whole recording, as Proactive-Sound-Bench does."""

    def __init__(self, settings: ChatListener) -> None:
        self._settings = settings
        self._chat: Chat | None = None

    def open(self) -> None:
        self._chat = Chat(self._settings)

    def close(self) -> None:
        self._chat = None

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        assert self._chat is not None, "open() comes first"
        notes, heard = Notes(), [*chunks]
        for index in range(len(heard)):
            notes.arrived(time.perf_counter())
            notes.decided(index, Heard(drained=index < len(heard) - 1))
        samples = np.concatenate(heard)
        said = self._chat.ask(load("proactive_bench"), samples, length_s=to_seconds(len(samples)))
        answer = read_answer(said)
        notes.invalid = int(answer is None)
        if answer is not None and answer.respond:
            notes.decided(notes.newest, Heard("response", latency_ms=notes.late_ms(notes.newest)))
            notes.said(notes.newest, answer.reply, answer.emotion)
        return notes.outcome()


class ChatJudge:
    """A chat model that scores replies against references, 0 to 1."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._chat = Chat(settings)
        self._prompt = load("reply_judge")

    def __call__(self, exchange: Exchange) -> float | None:
        """None where it gives no score that can be read."""
        said = self._chat.ask(
            self._prompt, None, task=exchange.sub_task, reference=exchange.reference, said=exchange.given
        )
        score = _SCORE.search(said)
        return min(10, int(score[1])) / 10 if score else None


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
