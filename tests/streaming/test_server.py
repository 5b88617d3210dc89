"""The WebSocket server over loopback: what clients get, and what they cannot break."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.streaming.checkpoint import Model
from pipeline.streaming.decoder import Cache
from pipeline.streaming.fifo import Fifo
from pipeline.streaming.server import Limits, MakeSession, Server
from pipeline.streaming.session import Session, State
from schemas.protocol import KEEP_SILENCE
from tests.streaming.conftest import noise, talk

Client = Callable[..., Any]


def pcm(chunks: np.ndarray) -> bytes:
    return (chunks.ravel() * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def serving(tiny: Model) -> Callable[..., Any]:
    """`async with serving(limits) as (server, client)`: a server on a free port and how to connect to a path of it.
    Afterwards neither sessions, tasks nor threads are left."""

    def make(prompt: str | None, number: int) -> Session:
        return Session(tiny, system_prompt=prompt or "abc", draw_with=talk, eviction="sliding")

    def others() -> set[Any]:
        return asyncio.all_tasks() - {asyncio.current_task()}

    @contextlib.asynccontextmanager
    async def open_server(
        limits: Limits | None = None, make: MakeSession = make
    ) -> AsyncIterator[tuple[Server, Client]]:
        server, tasks = Server(make, limits=limits, name="tiny"), others()
        threads = set(threading.enumerate())
        async with server.listening("127.0.0.1", 0) as (host, port):

            def client(path: str, **options: Any) -> connect:
                return connect(f"ws://{host}:{port}{path}", compression=None, **options)

            yield server, client
            for _ in range(200):
                if not server.live:
                    break
                await asyncio.sleep(0.02)
            assert server.live == 0
        await asyncio.sleep(0)
        assert others() == tasks
        assert {thread for thread in set(threading.enumerate()) - threads if thread.is_alive()} == set()

    return open_server


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


async def everything(client: ClientConnection) -> list[dict[str, Any]]:
    """What comes until the connection is closed, however that happens."""
    got = []
    with contextlib.suppress(ConnectionClosed):
        async for message in client:
            got.append(json.loads(message))
    return got


def test_a_stream_is_answered_as_by_a_session(serving: Any, tiny: Model) -> None:
    chunks = np.round(noise(8) * 32767).astype(np.float32) / 32768
    session = Session(tiny, system_prompt="abc", draw_with=talk)
    state, wanted = session.start(), []
    for chunk in chunks:
        decision, state = session.step(chunk, state)
        wanted.append(decision)

    async def work() -> list[dict[str, Any]]:
        async with serving() as (_, client), client("/v1/stream") as connection:
            data = (chunks.ravel() * 32768).astype("<i2").tobytes()
            got = []
            # One chunk at a time, each answered before the next: nothing is drained.
            for index in range(8):
                await connection.send(data[index * 12_800 : index * 12_800 + 5_000])
                await connection.send(data[index * 12_800 + 5_000 : (index + 1) * 12_800])
                while (message := json.loads(await connection.recv()))["type"] != "decision":
                    got.append(message)
                got.append(message)
            await connection.send('{"type": "end"}')
            return got + await everything(connection)

    messages = run(work())
    assert messages[0] == {"type": "session", "rate": 16_000, "channels": 1, "chunk_ms": 400}
    decisions = [message for message in messages if message["type"] == "decision"]
    assert [tuple(d["token_ids"]) for d in decisions] == [d.token_ids for d in wanted]
    assert [d["text"] for d in decisions] == [d.text for d in wanted]
    assert messages[-1]["type"] == "done"
    assert messages[-1]["latency"]["chunks"] == 8


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (8_000, 1)])
def test_other_rates_and_channels(serving: Any, rate: int, channels: int) -> None:
    async def work() -> list[dict[str, Any]]:
        async with serving() as (_, client), client(f"/v1/stream?rate={rate}&channels={channels}") as connection:
            await connection.send(bytes(2 * rate * channels))  # one second
            await connection.send('{"type": "end"}')
            return await everything(connection)

    messages = run(work())
    assert sum(message["type"] == "decision" for message in messages) == 3


@pytest.mark.parametrize("beta", [True, False])
def test_realtime_events(serving: Any, beta: bool) -> None:
    """What Pipecat and TEN-Agent wait for: created, updated, deltas that join to the text, done."""

    async def work() -> list[dict[str, Any]]:
        headers = {"OpenAI-Beta": "realtime=v1"} if beta else {}
        async with serving() as (_, client), client("/v1/realtime", additional_headers=headers) as connection:
            audio = {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}
            update = {"type": "session.update", "session": {"instructions": "cab", "audio": audio}}
            await connection.send(json.dumps(update))
            for chunk in noise(10):
                block = base64.b64encode(pcm(chunk)).decode()
                await connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": block}))
            await connection.send('{"type": "input_audio_buffer.commit"}')
            await connection.send('{"type": "response.create"}')
            await connection.send('{"type": "unheard.of"}')
            got = []
            while not any(m["type"] == "response.done" for m in got) or not any(m["type"] == "error" for m in got):
                got.append(json.loads(await connection.recv()))
            return got

    messages = run(work())
    kinds = [message["type"] for message in messages]
    assert kinds[:2] == ["session.created", "session.updated"]
    assert messages[1]["session"]["instructions"] == "cab"
    kind = "text" if beta else "output_text"
    reply = [m for m in messages if m.get("response_id") == "resp_1"]
    joined = "".join(m["delta"] for m in reply if m["type"] == f"response.{kind}.delta")
    done = next(m for m in messages if m["type"] == "response.done")
    assert kinds.index("response.created") < kinds.index(f"response.{kind}.delta") < kinds.index("response.done")
    assert next(m["text"] for m in reply if m["type"] == f"response.{kind}.done") == joined
    assert done["response"]["status"] == "completed"
    assert done["response"]["output"][0]["content"] == [{"type": kind, "text": joined}]
    assert "unheard.of" in next(m for m in messages if m["type"] == "error")["error"]["message"]
    assert len({m["event_id"] for m in messages}) == len(messages)


def test_settings_stay_once_audio_was_heard(serving: Any) -> None:
    async def work() -> dict[str, Any]:
        async with serving() as (_, client), client("/v1/realtime") as connection:
            block = base64.b64encode(bytes(960)).decode()
            await connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": block}))
            await connection.send(json.dumps({"type": "session.update", "session": {"instructions": "x"}}))
            await connection.recv()
            return json.loads(await connection.recv())

    assert "heard audio already" in run(work())["error"]["message"]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            ("/nowhere", {}, 404),
            ("/v1/stream", {"Origin": "http://example.org"}, 403),
            ("/v1/stream", {"Origin": "null"}, 403),
        ],
    )
    def test_requests(self, serving: Any, path: str, headers: dict[str, str], status: int) -> None:
        async def work() -> None:
            async with serving() as (_, client):
                with pytest.raises(InvalidStatus) as refused:
                    await client(path, additional_headers=headers).__aenter__()
                assert refused.value.response.status_code == status

        run(work())

    def test_a_rebound_name(self, serving: Any) -> None:
        """A name of somebody else's that resolves to this machine."""

        async def work() -> bytes:
            async with serving() as (_, client):
                host, port = client("/").uri.removeprefix("ws://").rstrip("/").split(":")
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(
                    b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                )
                answer = await reader.readline()
                writer.close()
                return answer

        assert b" 403 " in run(work())

    def test_too_many_sessions(self, serving: Any) -> None:
        async def work() -> None:
            async with serving(Limits(sessions=1)) as (_, client), client("/v1/stream"):
                with pytest.raises(InvalidStatus) as refused:
                    await client("/v1/stream").__aenter__()
                assert refused.value.response.status_code == 503

        run(work())

    @pytest.mark.parametrize("query", ["rate=7", "rate=x", "channels=99", "rate=16001"])
    def test_impossible_audio(self, serving: Any, query: str) -> None:
        async def work() -> int | None:
            async with serving() as (_, client), client(f"/v1/stream?{query}") as connection:
                await everything(connection)
                return connection.close_code

        assert run(work()) == 1008

    def test_a_message_that_is_too_large(self, serving: Any) -> None:
        async def work() -> int | None:
            async with serving(Limits(message_bytes=10_000)) as (_, client), client("/v1/stream") as connection:
                await connection.send(bytes(10_002))
                await everything(connection)
                return connection.close_code

        assert run(work()) == 1009

    def test_a_flood_of_messages(self, serving: Any) -> None:
        async def work() -> list[dict[str, Any]]:
            async with serving(Limits(messages_per_s=20)) as (_, client), client("/v1/stream") as connection:
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(200):
                        await connection.send(b"\0\0")
                return await everything(connection)

        assert "messages a second" in run(work())[-1]["message"]

    def test_silence_on_the_line(self, serving: Any) -> None:
        async def work() -> str | None:
            async with serving(Limits(idle_s=0.05)) as (_, client), client("/v1/stream") as connection:
                await everything(connection)
                return connection.close_reason

        assert run(work()) == "idle"


def test_more_audio_than_can_wait_makes_the_sender_wait(serving: Any) -> None:
    async def work() -> list[dict[str, Any]]:
        async with serving(Limits(waiting_chunks=2)) as (_, client), client("/v1/stream") as connection:
            await connection.send(pcm(noise(20)))
            await connection.send('{"type": "end"}')
            return await everything(connection)

    decisions = [m for m in run(work()) if m["type"] == "decision"]
    assert [d["chunk"] for d in decisions] == list(range(20))


def test_a_client_that_is_gone_is_not_answered_to_the_end(serving: Any, tiny: Model) -> None:
    heard = [0]

    def listen(logits: torch.Tensor, state: State) -> int:
        heard.append(state.chunks)
        time.sleep(0.02)  # the client leaves in the middle of a forward
        return KEEP_SILENCE

    def make(prompt: str | None, number: int) -> Session:
        return Session(tiny, system_prompt="abc", draw_with=listen, eviction="sliding")

    async def work() -> None:
        async with serving(Limits(waiting_chunks=2), make) as (_, client), client("/v1/stream") as connection:
            await connection.send(pcm(noise(60)))
            await connection.recv()
            await connection.recv()
            connection.transport.abort()

    run(work())
    assert max(heard) < 55


def test_sessions_side_by_side(serving: Any) -> None:
    async def one(client: Client, seed: int) -> list[int]:
        async with client("/v1/stream") as connection:
            await connection.send(pcm(noise(5, seed)))
            await connection.send('{"type": "end"}')
            return [m["chunk"] for m in await everything(connection) if m["type"] == "decision"]

    async def work() -> None:
        async with serving() as (_, client):
            assert await asyncio.gather(*(one(client, seed) for seed in range(4))) == [list(range(5))] * 4

    run(work())


def test_the_page(serving: Any) -> None:
    async def work() -> bytes:
        async with serving() as (_, client):
            host, port = client("/").uri.removeprefix("ws://").rstrip("/").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer

    answer = run(work())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"AudioWorkletNode" in answer


@dataclass(frozen=True)
class Raw:
    """Bytes put on the wire as they are, past the framing."""

    data: bytes


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(
    "session.update input_audio_buffer.append input_audio_buffer.commit input_audio_buffer.clear response.cancel "
    "response.create end flush clear interrupt".split()
)
near_misses = st.fixed_dictionaries(
    {"type": kinds}, optional={"session": json_values, "audio": json_values | st.just("AAAA"), "x": json_values}
).map(json.dumps)
messages = st.binary(max_size=40) | st.text(max_size=40) | json_values.map(json.dumps) | near_misses
audio = st.integers(1, 3).map(lambda chunks: pcm(noise(chunks)))
broken_frames = st.binary(min_size=1, max_size=40).map(Raw)


@pytest.fixture(scope="module")
def arena(serving: Any) -> Iterator[Callable[[Callable[[Client], Coroutine[Any, Any, None]]], None]]:
    """One server for many clients. Afterwards it is as if none had been there: no session, task, thread, open file nor
    any of what a connection is made of."""
    with asyncio.Runner() as runner:
        files, living = runner.run(_open_files()), _living()
        stack = contextlib.AsyncExitStack()
        _, client = runner.run(stack.enter_async_context(serving(Limits(sessions=64, messages_per_s=200))))
        yield lambda work: runner.run(asyncio.wait_for(work(client), 60))
        runner.run(stack.aclose())
        assert runner.run(_open_files()) == files
        assert _living() == living


async def _open_files() -> int:
    await asyncio.sleep(0.05)  # what was closed just now
    return len(list(Path("/dev/fd").iterdir()))


def _living() -> dict[str, int]:
    gc.collect()
    kinds = [type(thing) for thing in gc.get_objects()]
    return {kind.__name__: kinds.count(kind) for kind in (Fifo, Session, State, Cache, ServerConnection)}


@given(
    path=st.sampled_from(["/v1/stream", "/v1/realtime"]),
    sent=st.lists(messages | audio | broken_frames, max_size=8),
    leave=st.sampled_from(["close", "abort"]),
)
@example(path="/v1/stream", sent=[b"\0\0"] * 300, leave="close")
@example(path="/v1/stream", sent=[pcm(noise(30))], leave="abort")
@example(path="/v1/stream", sent=[pcm(noise(2)), Raw(b"\x83\xff\xff")], leave="abort")
@settings(max_examples=25)
def test_a_fuzzing_client_breaks_nothing(arena: Any, path: str, sent: list[Any], leave: str) -> None:
    """Anything is sent: messages, audio, too much of it, bytes that are no frame. Then the client leaves, politely or
    not, in the middle of a reply or not; the next client is served."""

    async def work(client: Client) -> None:
        with contextlib.suppress(ConnectionClosed):
            async with client(path, close_timeout=1) as connection:
                for message in sent:
                    if isinstance(message, Raw):
                        connection.transport.write(message.data)
                    else:
                        await connection.send(message)
                if leave == "abort":
                    connection.transport.abort()
        async with client("/v1/stream") as connection:
            await connection.send(bytes(12_800))
            await connection.send('{"type": "end"}')
            assert [m["type"] for m in await everything(connection)][-1] == "done"

    arena(work)


@pytest.mark.parametrize(
    "garbage", [b"\0" * 50, b"GET / HTTP/1.1\r\n\r\n", b"GET /v1/stream HTTP/1.1\r\nHost: [\r\n\r\n"]
)
def test_what_is_no_websocket(serving: Any, garbage: bytes) -> None:
    async def work() -> None:
        async with serving() as (_, client):
            host, port = client("/").uri.removeprefix("ws://").rstrip("/").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            writer.write_eof()
            await reader.read()
            writer.close()
            async with client("/v1/stream") as connection:
                assert json.loads(await connection.recv())["type"] == "session"

    run(work())
