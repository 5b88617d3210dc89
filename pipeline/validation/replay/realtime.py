"""A service that speaks the OpenAI Realtime protocol as a listener: audio in real time, replies when it likes.

Both dialects are understood: the API's own and that of its beta, which GLM-Realtime and Qwen's realtime service share.
A reply belongs to the newest chunk that was sent when `response.created` arrived; to the chunk that its metadata names
where the service says so (`streamaudio serve` does).
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from pipeline.errors import BadInput, EndpointDown
from pipeline.validation.replay.command import pcm16
from pipeline.validation.replay.listener import CHUNK_S, Heard, Notes, Outcome, emotion_of
from prompts import load
from schemas.listeners import RealtimeListener
from schemas.protocol import SAMPLE_RATE

MAX_MESSAGE_BYTES = 8 << 20
_CONTEXT = 40
"""Samples around a chunk that its resampling sees, 2.5 ms: what is sent is late by so much."""
_DELTAS = (
    "response.text.delta",
    "response.output_text.delta",
    "response.audio_transcript.delta",
    "response.output_audio_transcript.delta",
)


class RealtimeReplay:
    """One connection per stream."""

    def __init__(self, settings: RealtimeListener) -> None:
        self._settings = settings
        self._key = ""

    def open(self) -> None:
        self._key = os.environ.get(self._settings.api_key_env, "").strip()
        if not all("!" <= character <= "~" for character in self._key):
            raise BadInput(f"${self._settings.api_key_env} holds characters that no API key has; export the bare key")

    def close(self) -> None:
        self._key = ""

    def listen(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        settings = self._settings
        try:
            with connect(
                f"{settings.url}?model={quote(settings.model)}",
                additional_headers=self._headers(),
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=settings.timeout_s,
                close_timeout=2,
            ) as connection:
                return _Conversation(settings, connection, self._redacted).hear(chunks)
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise EndpointDown(
                f"{settings.url}, model {settings.model!r}: {self._redacted(str(error) or type(error).__name__)}; "
                f"unless it is an outage, check url, model and ${settings.api_key_env}; then run the same command to "
                "resume"
            ) from None

    def _headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return key | ({"OpenAI-Beta": "realtime=v1"} if self._settings.beta else {})

    def _redacted(self, text: str) -> str:
        told = " ".join(text.split())
        return (told.replace(self._key, "[key]") if self._key else told)[:300]


def session_update(settings: RealtimeListener) -> dict[str, Any]:
    """The message that says what the session is to be."""
    instructions = settings.instructions or load("stream_listener").render(said=[])[0]["content"]
    if settings.beta:
        session: dict[str, Any] = {"modalities": ["text"], "input_audio_format": "pcm16"}
        if settings.rate_hz != 24_000:
            session["input_audio_sample_rate"] = settings.rate_hz
    else:
        heard = {"format": {"type": "audio/pcm", "rate": settings.rate_hz}}
        session = {"type": "realtime", "output_modalities": ["text"], "audio": {"input": heard}}
    return {"type": "session.update", "session": _merged({**session, "instructions": instructions}, settings.session)}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(one)
    for key, value in other.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if nested else value
    return result


class _Conversation:
    """One stream over one connection."""

    def __init__(self, settings: RealtimeListener, connection: Connection, redacted: Any) -> None:
        self._settings = settings
        self._connection = connection
        self._redacted = redacted
        self._notes = Notes()
        self._replies: dict[str, dict[str, Any]] = {}
        """By response id: chunk, text and the time of its first sign; those that are not over."""

    def hear(self, chunks: Iterable[NDArray[np.float32]]) -> Outcome:
        settings, notes = self._settings, self._notes
        self._send(session_update(settings))
        self._until("session.updated")
        pace_s, started_s = CHUNK_S / settings.speed, time.perf_counter()
        for index, block in enumerate(_resampled(chunks, settings.rate_hz)):
            due_s = started_s + (index + 1) * pace_s
            while self._hear_for(max(0.0, due_s - time.perf_counter())):
                pass
            notes.arrived(due_s)
            self._send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm16(block)).decode()})
            notes.stalls += time.perf_counter() - due_s > pace_s
        while self._hear_for(settings.timeout_s if self._replies else settings.grace_s):
            pass
        for key in list(self._replies):
            self._done(key, cut=True)
        return notes.outcome()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._connection.send(json.dumps(message))

    def _until(self, kind: str) -> None:
        deadline_s = time.perf_counter() + self._settings.timeout_s
        while (left_s := deadline_s - time.perf_counter()) > 0:
            if self._hear_for(left_s) == kind:
                return
        raise EndpointDown(f"{self._settings.url} sent no {kind} within {self._settings.timeout_s:g} s")

    def _hear_for(self, seconds: float) -> str | None:
        """Take one event that arrives in time; its type."""
        try:
            message = self._connection.recv(timeout=seconds)
        except TimeoutError:
            return None
        try:
            event = json.loads(message)
            self._take(event)
            return event["type"]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            shown = self._redacted(message[:200] if isinstance(message, str) else "bytes")
            raise BadInput(f"{self._settings.url} sent {shown!r}, which is no event of the Realtime protocol") from None

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "error":
            said = self._redacted(json.dumps(event.get("error"), ensure_ascii=False))
            raise BadInput(f"{self._settings.url} refuses: {said}; check the model and the session's settings")
        if kind == "response.created":
            self._reply(event["response"]["id"])
        elif kind in _DELTAS:
            reply = self._reply(event["response_id"])
            reply["text"] += event["delta"]
        elif kind == "response.done":
            self._finished(event["response"])

    def _reply(self, key: str) -> dict[str, Any]:
        if key not in self._replies:
            newest = max(0, self._notes.newest)
            self._replies[key] = {"chunk": newest, "text": "", "sign_s": time.perf_counter(), "emotion": None}
        return self._replies[key]

    def _finished(self, response: dict[str, Any]) -> None:
        status = response.get("status")
        if status == "failed":
            details = self._redacted(json.dumps(response.get("status_details"), ensure_ascii=False))
            raise EndpointDown(f"{self._settings.url}: a response failed: {details}; run the same command to resume")
        reply, metadata = self._reply(response["id"]), response.get("metadata") or {}
        named = str(metadata.get("chunk", ""))
        if named.isdecimal() and int(named) <= self._notes.newest:
            reply["chunk"], reply["told"] = int(named), True
        reply["emotion"] = emotion_of(metadata.get("emotion"))
        if not reply["text"]:
            parts = [part for item in response.get("output", []) for part in item.get("content", [])]
            reply["text"] = "".join(part.get("text") or part.get("transcript") or "" for part in parts)
        self._done(response["id"], cut=status == "cancelled")

    def _done(self, key: str, *, cut: bool) -> None:
        reply = self._replies.pop(key)
        if self._notes.newest < 0:  # it greets before anything was said
            return
        chunk, late = reply["chunk"], time.perf_counter() - reply["sign_s"]
        # Of a reply that was attributed by its arrival the latency is in the onset error.
        latency_ms = max(0.0, self._notes.late_ms(chunk) - 1000 * late) if reply.get("told") else None
        self._notes.decided(chunk, Heard("response", latency_ms=latency_ms))
        self._notes.said(chunk, reply["text"] + " ", reply["emotion"], cut=cut)


def _resampled(chunks: Iterable[NDArray[np.float32]], rate_hz: int) -> Iterable[NDArray[np.float32]]:
    """Chunks at another rate, without a seam and without what comes later."""
    if rate_hz == SAMPLE_RATE:
        yield from chunks
        return
    up, down = 3, 2
    before = np.zeros(2 * _CONTEXT, np.float32)
    for chunk in chunks:
        whole = np.concatenate([before, chunk])
        edge = _CONTEXT * up // down
        yield resample_poly(whole, up, down)[edge:-edge].astype(np.float32)
        before = whole[-2 * _CONTEXT :]
