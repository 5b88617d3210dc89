"""What clients of the server say and hear: our own few messages, or the OpenAI Realtime events of agent frameworks."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.streaming.fifo import Spoken
from pipeline.streaming.intake import Intake, from_pcm16
from pipeline.streaming.session import Decision
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE

Message = dict[str, Any]
MAX_PROMPT_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Samples [n, channels] at the client's rate."""

    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Configure:
    """What the session is to be before it hears anything; the dialect's `intake` may be another now."""

    system_prompt: str | None


Order = Audio | Configure | Literal["flush", "clear", "interrupt", "end"]


class Dialect(Protocol):
    """Turns a client's messages into orders, and what happens into messages."""

    intake: Intake

    def greet(self) -> Iterator[Message]: ...

    def take(self, data: str | bytes) -> tuple[Order | None, list[Message]]:
        """One message: what to do, and what to answer at once.

        Raises:
            BadInput: a message that cannot be understood; the session goes on.
        """
        ...

    def tell(self, event: Spoken | Decision) -> Iterator[Message]: ...

    def fail(self, reason: str) -> Message: ...

    def close(self, latency: Message) -> Iterator[Message]: ...


class Plain:
    """Binary frames are PCM16, little-endian; `{"type": "end"}`, `"flush"`, `"clear"` and `"interrupt"` are orders."""

    def __init__(self, *, rate: int, channels: int) -> None:
        from_pcm16(b"", channels=channels)  # refuses an impossible number
        self.intake = Intake(rate)
        self._channels = channels

    def greet(self) -> Iterator[Message]:
        chunk_ms = CHUNK_SAMPLES * 1000 // SAMPLE_RATE
        yield {"type": "session", "rate": self.intake.rate, "channels": self._channels, "chunk_ms": chunk_ms}

    def take(self, data: str | bytes) -> tuple[Order | None, list[Message]]:
        if isinstance(data, bytes):
            return Audio(from_pcm16(data, channels=self._channels)), []
        order = _object(data).get("type")
        for known in ("flush", "clear", "interrupt", "end"):
            if order == known:
                return known, []
        raise BadInput(f"message type {order!r} is none of end, flush, clear, interrupt; audio goes in binary frames")

    def tell(self, event: Spoken | Decision) -> Iterator[Message]:
        yield {"type": "spoken" if isinstance(event, Spoken) else "decision", **asdict(event)}

    def fail(self, reason: str) -> Message:
        return {"type": "error", "message": reason}

    def close(self, latency: Message) -> Iterator[Message]:
        yield {"type": "done", "latency": latency}


class Realtime:
    """A subset of the OpenAI Realtime API, for text replies: session.update, input_audio_buffer.append, commit and
    clear, response.cancel; response.create changes nothing, because the model decides when to speak.

    `beta` names events as the API's beta did (response.text.delta); otherwise response.output_text.delta.
    """

    def __init__(self, *, model: str, beta: bool) -> None:
        self.intake = Intake(24_000)
        self._model = model
        self._prompt: str | None = None
        self._heard = False
        self._kind = "text" if beta else "output_text"
        self._events = 0
        self._responses = 0
        self._speaking = False

    def greet(self) -> Iterator[Message]:
        yield self._event("session.created", session=self._session())

    def take(self, data: str | bytes) -> tuple[Order | None, list[Message]]:
        message = _object(data)
        match message.get("type"):
            case "input_audio_buffer.append":
                audio = message.get("audio")
                if not isinstance(audio, str):
                    raise BadInput("input_audio_buffer.append lacks audio, base64 of PCM16")
                try:
                    pcm = base64.b64decode(audio, validate=True)
                except (binascii.Error, ValueError) as error:
                    raise BadInput(f"audio is no base64 ({error})") from error
                samples = from_pcm16(pcm)
                self._heard = True
                return Audio(samples), []
            case "session.update":
                order = self._configure(message.get("session"))
                return order, [self._event("session.updated", session=self._session())]
            case "input_audio_buffer.commit":
                return "flush", [self._event("input_audio_buffer.committed")]
            case "input_audio_buffer.clear":
                return "clear", [self._event("input_audio_buffer.cleared")]
            case "response.cancel":
                return "interrupt", []
            case "response.create":
                return None, []
            case other:
                raise BadInput(f"event type {other!r} is not understood here")

    def tell(self, event: Spoken | Decision) -> Iterator[Message]:
        if isinstance(event, Decision):
            if event.decision == "response":
                yield from self._finished(event)
            return
        if not self._speaking:
            self._speaking = True
            self._responses += 1
            yield self._event("response.created", response=self._response("in_progress", None))
            yield self._event("response.output_item.added", **self._place(), item=self._item("in_progress", None))
        if event.text:
            yield self._event(f"response.{self._kind}.delta", **self._place(), content_index=0, delta=event.text)

    def fail(self, reason: str) -> Message:
        return self._event("error", error={"type": "invalid_request_error", "code": None, "message": reason})

    def close(self, latency: Message) -> Iterator[Message]:
        return iter(())

    def _finished(self, decision: Decision) -> Iterator[Message]:
        if not self._speaking:  # cut before its first token
            return
        status = "cancelled" if decision.cut else "completed"
        text = decision.text
        yield self._event(f"response.{self._kind}.done", **self._place(), content_index=0, text=text)
        yield self._event("response.output_item.done", **self._place(), item=self._item("completed", text))
        details = {"emotion": decision.emotion, "chunk": str(decision.chunk)}
        yield self._event("response.done", response={**self._response(status, text), "metadata": details})
        self._speaking = False

    def _configure(self, session: Any) -> Configure:
        if not isinstance(session, dict):
            raise BadInput("session.update lacks session, an object")
        prompt = session.get("instructions", self._prompt)
        if prompt is not None and (not isinstance(prompt, str) or len(prompt) > MAX_PROMPT_CHARACTERS):
            raise BadInput(f"session.instructions is no text of at most {MAX_PROMPT_CHARACTERS} characters")
        old = session.get("input_audio_format")
        audio = session.get("audio")
        source = audio.get("input") if isinstance(audio, dict) else None
        new = source.get("format") if isinstance(source, dict) else None
        rate: Any = self.intake.rate
        if old is not None and old != "pcm16":
            raise BadInput(f"input_audio_format {old!r} is not pcm16")
        if new is not None:
            if not isinstance(new, dict) or new.get("type") != "audio/pcm":
                raise BadInput("audio.input.format is not audio/pcm")
            rate = new.get("rate", 24_000)
            if not isinstance(rate, int):
                raise BadInput(f"a rate of {rate!r} is no number")
        if self._heard and (prompt, rate) != (self._prompt, self.intake.rate):
            raise BadInput("the session has heard audio already; its instructions and format stay")
        self.intake, self._prompt = Intake(rate), prompt
        return Configure(prompt)

    def _event(self, kind: str, **fields: Any) -> Message:
        self._events += 1
        return {"type": kind, "event_id": f"event_{self._events}", **fields}

    def _session(self) -> Message:
        return {
            "object": "realtime.session",
            "type": "realtime",
            "model": self._model,
            "instructions": self._prompt,
            "modalities": ["text"],
            "output_modalities": ["text"],
            "input_audio_format": "pcm16",
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": self.intake.rate}}},
        }

    def _place(self) -> Message:
        return {
            "response_id": f"resp_{self._responses}",
            "item_id": f"item_{self._responses}",
            "output_index": 0,
        }

    def _item(self, status: str, text: str | None) -> Message:
        content = [] if text is None else [{"type": self._kind, "text": text}]
        return {
            "id": f"item_{self._responses}",
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _response(self, status: str, text: str | None) -> Message:
        output = [] if text is None else [self._item("completed", text)]
        return {"id": f"resp_{self._responses}", "object": "realtime.response", "status": status, "output": output}


def _object(data: str | bytes) -> Message:
    if isinstance(data, bytes):
        raise BadInput("a binary frame means nothing here; send JSON text")
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the message is no JSON ({error})") from error
    if not isinstance(message, dict):
        raise BadInput(f"the message is {type(message).__name__}; it must be an object")
    return message
