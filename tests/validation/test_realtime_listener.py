"""The Realtime listener: against our own server, and against scripts of what hosted services send."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from websockets.sync.server import ServerConnection, serve

from pipeline.errors import BadInput, EndpointDown
from pipeline.streaming.checkpoint import Model
from pipeline.streaming.server import Server
from pipeline.streaming.session import Session
from pipeline.validation.replay.listener import Chunk, Outcome
from pipeline.validation.replay.realtime import RealtimeReplay, session_update
from schemas.listeners import RealtimeListener
from schemas.protocol import CHUNK_SAMPLES
from tests.streaming.conftest import noise, talk, tiny, tiny_folder  # noqa: F401  (fixtures)

Send = Callable[..., None]


def tone(chunks: int) -> Iterator[Chunk]:
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(chunks * CHUNK_SAMPLES) / 16_000)
    yield from samples.astype(np.float32).reshape(chunks, CHUNK_SAMPLES)


def hear(settings: RealtimeListener, chunks: Iterator[Chunk]) -> Outcome:
    listener = RealtimeReplay(settings)
    listener.open()
    try:
        return listener.listen(chunks)
    finally:
        listener.close()


def test_our_own_server_is_heard_chunk_by_chunk(tiny: Model) -> None:  # noqa: F811
    def make(prompt: str | None, number: int) -> Session:
        assert prompt == "Listen."
        return Session(tiny, system_prompt="abc", draw_with=talk, eviction="sliding")

    async def work() -> Outcome:
        async with Server(make, name="tiny").listening("127.0.0.1", 0) as (host, port):
            settings = RealtimeListener(
                url=f"ws://{host}:{port}/v1/realtime",
                model="tiny",
                instructions="Listen.",
                rate_hz=16_000,
                speed=10,
                grace_s=1,
            )
            return await asyncio.to_thread(hear, settings, iter(noise(20)))

    outcome = asyncio.run(asyncio.wait_for(work(), 60))
    assert len(outcome.chunks) == 20
    assert outcome.replies
    assert all(reply.emotion and reply.text for reply in outcome.replies)
    assert [c for c, heard in enumerate(outcome.chunks) if heard.decision == "response"] == [
        r.chunk for r in outcome.replies
    ]
    assert all((outcome.chunks[reply.chunk].latency_ms or 0) >= 0 for reply in outcome.replies)


@contextmanager
def scripted(after: dict[int, list[dict[str, Any]]], got: list[Any]) -> Iterator[str]:
    """A service that sends events after so many appended chunks; `got` is what it was sent."""

    def converse(connection: ServerConnection) -> None:
        assert connection.request is not None
        got.append((connection.request.path, connection.request.headers))
        connection.send(json.dumps({"type": "session.created", "session": {}}))
        heard = 0
        for message in connection:
            event = json.loads(message)
            got.append(event)
            if event["type"] == "session.update":
                connection.send(json.dumps({"type": "session.updated", "session": {}}))
                continue
            heard += 1
            for answer in after.get(heard, []):
                connection.send(json.dumps(answer))

    with serve(converse, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        server.shutdown()


def reply(key: str, text: str, *, kind: str, status: str = "completed") -> list[dict[str, Any]]:
    """The events of one reply, its text in two pieces."""
    return [
        {"type": "response.created", "response": {"id": key}},
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": f"response.{kind}.delta", "response_id": key, "delta": text[:3]},
        {"type": f"response.{kind}.delta", "response_id": key, "delta": text[3:]},
        {"type": f"response.{kind}.done", "response_id": key, "text": text},
        {"type": "response.done", "response": {"id": key, "status": status, "output": []}},
    ]


@pytest.mark.parametrize(
    ("beta", "kind"),
    [(False, "output_text"), (False, "output_audio_transcript"), (True, "text"), (True, "audio_transcript")],
)
def test_replies_of_either_dialect(beta: bool, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM_API_KEY", "k-2")
    got: list[Any] = []
    script = {2: reply("a", "Hello there.", kind=kind), 5: reply("b", "And", kind=kind, status="cancelled")}
    with scripted(script, got) as url:
        settings = RealtimeListener(
            url=url,
            model="glm realtime",
            beta=beta,
            api_key_env="GLM_API_KEY",
            speed=8,
            grace_s=0.3,
            session={"turn_detection": {"type": "server_vad"}},
        )
        outcome = hear(settings, tone(6))
    assert [(r.text, r.cut) for r in outcome.replies] == [("Hello there.", False), ("And", True)]
    # It was sent two, and five, chunks when the replies began.
    assert [r.chunk >= least for r, least in zip(outcome.replies, (1, 4), strict=True)] == [True, True]
    path, headers = got[0]
    assert path == "/v1/realtime?model=glm%20realtime"
    assert headers["Authorization"] == "Bearer k-2"
    assert headers.get("OpenAI-Beta") == ("realtime=v1" if beta else None)
    assert got[1] == session_update(settings)
    assert got[1]["session"]["turn_detection"] == {"type": "server_vad"}
    assert [event["type"] for event in got[2:]] == ["input_audio_buffer.append"] * 6
    sent = np.concatenate([np.frombuffer(base64.b64decode(event["audio"]), "<i2") for event in got[2:]])
    assert len(sent) == 6 * 9_600
    # The same tone at 24 kHz, 2.5 ms late, without a seam between chunks.
    expected = 0.5 * np.sin(2 * np.pi * 440 * (np.arange(len(sent)) / 24_000 - 40 / 16_000))
    assert np.abs(sent[200:] / 32767 - expected[200:]).max() < 2e-3


def test_a_reply_in_progress_at_the_end_is_waited_for() -> None:
    begun, *rest = reply("a", "Careful!", kind="output_text")
    with scripted({3: [begun, *rest[:2]]}, []) as url:
        settings = RealtimeListener(url=url, model="m", speed=20, grace_s=0.05, timeout_s=0.4)
        outcome = hear(settings, tone(3))
    assert [(r.chunk, r.text, r.cut) for r in outcome.replies] == [(2, "Car", True)]


@pytest.mark.parametrize(
    ("events", "error", "message"),
    [
        ([{"type": "error", "error": {"message": "no such model, key k-3"}}], BadInput, r"no such model, key \[key\]"),
        (
            [{"type": "response.done", "response": {"id": "a", "status": "failed", "status_details": {"x": 1}}}],
            EndpointDown,
            "a response failed",
        ),
        ([{"no": "type"}], BadInput, "no event of the Realtime protocol"),
    ],
)
def test_what_goes_wrong_is_said(
    events: list[dict[str, Any]], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k-3")
    with (
        scripted({1: events}, []) as url,
        pytest.raises(error, match=message) as caught,
    ):
        hear(RealtimeListener(url=url, model="m", speed=20, grace_s=0.3), tone(4))
    assert "k-3" not in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(EndpointDown, match="run the same command to resume"):
        hear(RealtimeListener(url="ws://127.0.0.1:9/v1/realtime", model="m", timeout_s=2), tone(1))
