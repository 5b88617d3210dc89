"""One HTTP attempt of a chat request: money reserved before it leaves, time and size bounded, the envelope checked.

The openai client decides about repeats and backs off; it calls `MeteredHttp.send` once per attempt, so every repeat is
a request of its own in the ledger. A fault raised here as a transport error is repeated by it; `Stop` is not.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import httpx2
import openai
from pydantic import BaseModel, Field, ValidationError

from pipeline.errors import BudgetReached

if TYPE_CHECKING:
    from pipeline.errors import StreamAudioError
    from pipeline.language.budget import Book
    from schemas.language import Price

MAX_BODY_BYTES = 1_000_000
"""More than any reply of these roles can need."""


class Stop(BaseException):
    """Carries an error through the openai client, which repeats a request on any Exception."""

    def __init__(self, error: StreamAudioError | None) -> None:
        super().__init__()
        self.error = error
        """None: the body was larger than MAX_BODY_BYTES."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


class Envelope(BaseModel):
    """The part of a chat completion that we read."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


@dataclass(slots=True)
class Attempts:
    """What the attempts of one chat request share; `envelope` is the answer of the last one."""

    key: str
    role: str
    scene: str
    model: str
    price: Price | None
    input_bound: int
    output_bound: int
    envelope: Envelope | None = None


ATTEMPTS: ContextVar[Attempts] = ContextVar("attempts")


class MeteredHttp(openai.DefaultAsyncHttpxClient):
    """The HTTP client under the openai client; `timeout_s` bounds a whole attempt, not only each read of it."""

    def __init__(self, ledger: Book, *, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s, follow_redirects=False)
        self._ledger, self._timeout_s = ledger, timeout_s

    async def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
        attempts = ATTEMPTS.get()
        row = self._reserve(attempts)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await super().send(request, stream=True)
                try:
                    body = await _read(response)
                finally:
                    await response.aclose()
            if response.status_code == httpx2.codes.OK:
                attempts.envelope = _envelope(body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            self._ledger.release(row)
            raise
        except TimeoutError:
            self._ledger.lose(row)
            raise httpx2.ReadTimeout(f"no whole reply within {self._timeout_s:g} s", request=request) from None
        except BaseException:
            self._ledger.lose(row)
            raise
        if response.status_code != httpx2.codes.OK:
            self._ledger.release(row)
        elif attempts.envelope is not None:
            usage = attempts.envelope.usage
            self._ledger.bill(row, attempts.price, usage and usage.prompt_tokens, usage and usage.completion_tokens)
        return httpx2.Response(response.status_code, headers=response.headers, content=body, request=request)

    def _reserve(self, attempts: Attempts) -> int:
        try:
            return self._ledger.reserve(
                key=attempts.key,
                role=attempts.role,
                scene=attempts.scene,
                model=attempts.model,
                price=attempts.price,
                input_tokens=attempts.input_bound,
                output_tokens=attempts.output_bound,
            )
        except BudgetReached as error:
            raise Stop(error) from None


async def _read(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        # We ask for identity; a compressed body could unfold to any size.
        raise httpx2.RemoteProtocolError("the server compresses although it was asked not to", request=response.request)
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise Stop(None)
    return bytes(body)


def _envelope(body: bytes) -> Envelope:
    try:
        return Envelope.model_validate_json(body)
    except ValidationError:
        raise httpx2.RemoteProtocolError(f"status 200 without a chat completion in its {len(body)} bytes") from None
