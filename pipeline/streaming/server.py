"""The streaming module as a WebSocket server: PCM16 in, JSON events out, many sessions on one model.

/              a page with a microphone, for trying it
/v1/stream     `dialects.Plain`, with ?rate=16000&channels=1
/v1/realtime   `dialects.Realtime`
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline.errors import BadInput, StreamAudioError
from pipeline.streaming.dialects import Audio, Configure, Dialect, Message, Order, Plain, Realtime
from pipeline.streaming.engine import LiveEngine
from pipeline.streaming.fifo import Fifo, Listener
from pipeline.streaming.session import Session

log = logging.getLogger(__name__)
# A client that speaks no HTTP is no error of ours.
handshakes = logging.getLogger(f"{__name__}.handshakes")
handshakes.setLevel(logging.CRITICAL)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1008, 1011, 1013

MakeSession = Callable[[str | None, int], Session]
"""A session for a system prompt (None: the default) and the connection's number."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. Audio that comes faster than it is answered is not read: the sender waits."""

    sessions: int = 8
    message_bytes: int = 1 << 20
    messages_per_s: float = 500.0
    waiting_chunks: int = 150
    idle_s: float = 300.0


class Server:
    """Serves sessions until it is closed. `live` counts those that are open."""

    def __init__(self, make_session: MakeSession, *, limits: Limits | None = None, name: str = "") -> None:
        """`name`: the model's, as Realtime clients are told it."""
        self.limits = limits or Limits()
        self.live = 0
        self._make_session = make_session
        self._name = name
        self._engine = LiveEngine(most_sessions=self.limits.sessions)
        self._served = 0
        self._loopback = True

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
        """Serve while the context is open; gives host and port (0 takes a free one)."""
        self._loopback = host in LOOPBACK
        try:
            async with serve(
                self._serve,
                host,
                port,
                process_request=self._request,
                max_size=self.limits.message_bytes,
                max_queue=4,
                open_timeout=10,
                close_timeout=2,
                compression=None,
                logger=handshakes,
            ) as server:
                yield next(iter(server.sockets)).getsockname()[:2]
        finally:
            await self._engine.finish()

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer what is no WebSocket, refuse what comes from another page's script."""
        try:
            (host,) = request.headers.get_all("Host")
            origin = request.headers.get("Origin")
            name = urlsplit(f"//{host}").hostname
            from_here = origin is None or urlsplit(origin).netloc == host
            path = urlsplit(request.path).path
        except (ValueError, LookupError):
            return connection.respond(400, "the request has no address, host or origin that could be read\n")
        if self._loopback and name not in LOOPBACK:
            return connection.respond(403, f"host {host!r} is not this machine\n")
        if not from_here:
            return connection.respond(403, f"origin {origin!r} is another page\n")
        if path == "/":
            return _page()
        if path not in ("/v1/stream", "/v1/realtime"):
            return connection.respond(404, "there are /, /v1/stream and /v1/realtime\n")
        if self.live >= self.limits.sessions:
            return connection.respond(503, f"{self.live} sessions are open, the most that may be; try again later\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        if self.live >= self.limits.sessions:
            await connection.close(TRY_AGAIN_LATER, "too many sessions")
            return
        self.live += 1
        self._served += 1
        try:
            await self._converse(connection, self._served)
        except ConnectionClosed:
            pass
        except BadInput as error:  # an address that asks for the impossible
            await connection.close(POLICY_VIOLATION, _short(error))
        finally:
            self.live -= 1

    async def _converse(self, connection: ServerConnection, number: int) -> None:
        dialect = self._dialect(connection)
        await _send(connection, dialect.greet())
        talk = _Talk(connection, dialect, self._engine, self.limits, lambda prompt: self._make_session(prompt, number))
        # The answerer ends with the input or an error, the listener with the connection, unless it waits for room in
        # the queue: a client that is gone is answered no more.
        tasks = {asyncio.create_task(work) for work in (talk.listen(), talk.answer(), connection.wait_closed())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, StreamAudioError):
                await _send(connection, [dialect.fail(str(outcome))])
                await connection.close(POLICY_VIOLATION, _short(outcome))
            elif isinstance(outcome, TimeoutError):
                await connection.close(POLICY_VIOLATION, "idle")
            elif isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                log.error("session %d failed", number, exc_info=outcome)
                await connection.close(INTERNAL_ERROR, type(outcome).__name__)

    def _dialect(self, connection: ServerConnection) -> Dialect:
        request = connection.request
        assert request is not None
        address = urlsplit(request.path)
        if address.path == "/v1/realtime":
            beta = "realtime=v1" in request.headers.get("OpenAI-Beta", "")
            return Realtime(model=self._name, beta=beta)
        query = parse_qs(address.query)
        try:
            rate, channels = (
                int(query.get(key, [default])[0]) for key, default in (("rate", "16000"), ("channels", "1"))
            )
        except ValueError:
            raise BadInput(f"the query {address.query!r} is not rate=16000&channels=1") from None
        return Plain(rate=rate, channels=channels)


class _Talk:
    """One connection: what comes is put into a FIFO, what the FIFO gives is sent."""

    def __init__(
        self,
        connection: ServerConnection,
        dialect: Dialect,
        engine: LiveEngine,
        limits: Limits,
        make_session: Callable[[str | None], Session],
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._engine = engine
        self._limits = limits
        self._make_session = make_session
        self._prompt: str | None = None
        self._fifo: asyncio.Future[Fifo[Any]] = asyncio.get_running_loop().create_future()
        self._intake = dialect.intake
        self._ended = False

    async def listen(self) -> None:
        """Until the client leaves.

        Raises:
            BadInput: too many messages, or samples that no audio has.
            TimeoutError: nothing came for too long.
        """
        loop = asyncio.get_running_loop()
        allowance, last_s = self._limits.messages_per_s, loop.time()
        while True:
            try:
                data = await asyncio.wait_for(self._connection.recv(), self._limits.idle_s)
            except ConnectionClosed:
                return
            now_s = loop.time()
            allowance = min(allowance + (now_s - last_s) * self._limits.messages_per_s, self._limits.messages_per_s)
            allowance, last_s = allowance - 1, now_s
            if allowance < 0:
                raise BadInput(f"more than {self._limits.messages_per_s:g} messages a second; send larger blocks")
            try:
                order, answers = self._dialect.take(data)
                if self._ended and isinstance(order, Audio):
                    raise BadInput("audio after the end; open another connection")
            except BadInput as error:
                await _send(self._connection, [self._dialect.fail(str(error))])
                continue
            await _send(self._connection, answers)
            if order is not None:
                await self._do(order)

    async def answer(self) -> None:
        """Until everything is answered."""
        fifo = await self._fifo
        async with aclosing(fifo.events()) as events:
            async for event in events:
                await _send(self._connection, self._dialect.tell(event))
        await _send(self._connection, self._dialect.close(fifo.latencies.figures()))
        await self._connection.close()

    async def _do(self, order: Order) -> None:
        match order:
            case Audio(samples):
                chunks, self._intake = self._intake.push(samples)
                await self._put(chunks)
            case Configure(prompt):
                self._prompt = prompt
                if not self._fifo.done():
                    self._intake = self._dialect.intake
            case "clear":
                self._intake = self._dialect.intake
            case "interrupt":
                if self._fifo.done():
                    self._fifo.result().interrupt()
            case "flush" | "end":
                await self._put(self._intake.flush())
                self._intake = self._dialect.intake
                if order == "end" and not self._ended:
                    self._ended = True
                    self._started().end()

    async def _put(self, chunks: Iterable[Any]) -> None:
        for chunk in chunks:
            await self._started().put(chunk)

    def _started(self) -> Fifo[Any]:
        if not self._fifo.done():
            session = self._make_session(self._prompt)
            fifo = Fifo(session, self._engine, Listener(session.model), most_waiting=self._limits.waiting_chunks)
            self._fifo.set_result(fifo)
        return self._fifo.result()


async def _send(connection: ServerConnection, messages: Iterable[Message]) -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in messages:
            await connection.send(json.dumps(message, ensure_ascii=False))


def _short(error: Exception) -> str:
    """What fits into a close frame: 123 bytes."""
    return str(error).encode()[:120].decode(errors="ignore")


def _page() -> Response:
    body = (resources.files("pipeline.streaming") / "page.html").read_bytes()
    headers = Headers(
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": "default-src 'self' 'unsafe-inline' blob:; connect-src 'self' ws: wss:",
            "Connection": "close",
        }
    )
    return Response(200, "OK", headers, body)
