"""Asks a chat endpoint for typed replies, and never asks twice for the same one."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args
from weakref import WeakValueDictionary

import openai
from pydantic import BaseModel, JsonValue

from pipeline.errors import BadInput, EndpointDown, ReplyMissing, ReplyRejected
from pipeline.language.budget import cost_of
from pipeline.language.cache import Request, StoredReply
from pipeline.language.replies import InvalidReply, instruction, parse, repair, wire_schema
from pipeline.language.wire import ATTEMPTS, MAX_BODY_BYTES, Attempts, Envelope, MeteredHttp, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.language.budget import Book
    from pipeline.language.cache import ReplyCache
    from prompts import Prompt
    from schemas.language import EndpointConfig

log = logging.getLogger(__name__)
T = TypeVar("T", bound=BaseModel)

Mode = Literal["json_schema", "json_object", "text"]
"""How a server is held to the schema, from best to worst. The schema stands in the system message in every mode."""
_MODES: tuple[Mode, ...] = get_args(Mode)
MAX_REPAIRS = 2
_LOCAL_KEY = "none-needed"
_UNACCEPTABLE = (openai.BadRequestError, openai.UnprocessableEntityError)
# Upper bounds for reservations: a token covers at least one byte of text, and more than 400 bytes of base64 audio;
# servers wrap requests and messages in a template of their own.
_TOKENS_PER_REQUEST, _TOKENS_PER_MESSAGE, _BASE64_PER_AUDIO_TOKEN = 256, 16, 400


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A typed reply and what it took, repairs included.

    Tokens and cost are those of the requests when they were made, so they are equal when replayed; None where the
    server or the price table does not say. `cached`: nothing was requested now.
    """

    value: T
    raw: str
    requests: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cached: bool


class LanguageClient:
    """One endpoint, for one event loop; use it as `async with`.

    Synchronous code keeps one `asyncio.Runner` for the life of the client and calls `runner.run(client.ask(...))`.
    With `replay_only` nothing is requested and no key is read.
    """

    def __init__(self, config: EndpointConfig, cache: ReplyCache, ledger: Book, *, replay_only: bool = False) -> None:
        self.config, self.cache, self.ledger = config, cache, ledger
        self.replay_only = replay_only
        self._key = "" if replay_only else _key(config.api_key_env)
        self._openai = openai.AsyncOpenAI(
            api_key=self._key or _LOCAL_KEY,
            base_url=config.base_url,
            max_retries=config.max_retries,
            default_headers={"Accept-Encoding": "identity"},
            http_client=MeteredHttp(ledger, timeout_s=config.timeout_s),
        )
        self._slots = asyncio.Semaphore(config.concurrency)
        self._same_request: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._descent = asyncio.Lock()
        self._down_because = ""
        note = cache.endpoint_note(config.base_url, config.model)
        self._mode: Mode = note["mode"] if note.get("mode") in _MODES else _MODES[0]

    async def __aenter__(self) -> LanguageClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._openai.close()

    async def ask(
        self,
        role: str,
        prompt: Prompt,
        messages: Sequence[dict[str, Any]],
        reply_model: type[T],
        *,
        scene: str = "",
        sample_index: int = 0,
        validate: Callable[[T], None] | None = None,
    ) -> Answer[T]:
        """The reply of `role` to `messages`, as a valid `reply_model`.

        `validate` adds rules that a schema cannot say: it raises ValueError with a reason that the model can act on.
        An invalid reply goes back with its reason at most twice. Another `sample_index` gives another reply.

        Raises ReplyRejected (the scene is to be quarantined; `raw` is the last text), ReplyMissing (replay_only),
        EndpointDown or BudgetReached (the run is to stop; the same command resumes it).
        """
        schema = wire_schema(reply_model)
        system, *rest = messages
        conversation = [{**system, "content": f"{system['content']}\n\n{instruction(schema)}"}, *rest]
        parameters = {
            "temperature": self.config.temperature,
            "seed": None if self.config.seed is None else self.config.seed + sample_index,
            "max_tokens": self.config.max_tokens,
            "schema": schema,
        }
        replies: list[StoredReply] = []
        all_cached = True
        while True:
            request = Request(
                role=role,
                prompt_sha256=prompt.sha256,
                model=self.config.model,
                parameters=parameters,
                sample_index=sample_index,
                messages=conversation,
            )
            reply, cached = await self._reply(request, reply_model.__name__, scene)
            replies.append(reply)
            all_cached &= cached
            if reply.status == "unanswered":
                raise ReplyRejected(
                    f"{role}: the endpoint answers other requests, but not this one: {reply.note}; "
                    f"delete {self.cache.path(request)!r} to ask again",
                    role=role,
                )
            try:
                value = parse(reply, reply_model, validate)
            except InvalidReply as error:
                if len(replies) > MAX_REPAIRS:
                    raise ReplyRejected(
                        f"{role}: after {MAX_REPAIRS} repairs the reply is still unusable: {error}",
                        role=role,
                        raw=reply.text,
                    ) from None
                conversation = [*conversation, *repair(reply, str(error))]
            else:
                return self._answer(value, replies, cached=all_cached)

    def _answer(self, value: T, replies: list[StoredReply], *, cached: bool) -> Answer[T]:
        inputs, outputs = [r.input_tokens for r in replies], [r.output_tokens for r in replies]
        known = None not in inputs and None not in outputs
        input_tokens = sum(n for n in inputs if n is not None) if known else None
        output_tokens = sum(n for n in outputs if n is not None) if known else None
        cost = None
        if input_tokens is not None and output_tokens is not None:
            cost = cost_of(self.config.price, input_tokens, output_tokens)
        return Answer(value, replies[-1].text, len(replies), input_tokens, output_tokens, cost, cached)

    async def _reply(self, request: Request, schema_name: str, scene: str) -> tuple[StoredReply, bool]:
        """The persisted reply and True, or a new one, persisted before anybody sees it, and False."""
        lock = self._same_request.setdefault(request.key(), asyncio.Lock())
        async with lock:
            stored = await asyncio.to_thread(self.cache.get, request)
            if stored is not None:
                return stored, True
            if self.replay_only:
                raise ReplyMissing(
                    f"{request.role}: the reply cache lacks {self.cache.path(request)!r} and nothing may be asked; "
                    "build once without --replay-only, from the same recipe and library"
                )
            async with self._slots:
                reply = await self._request(request, schema_name, scene)
            return await asyncio.to_thread(self.cache.put, request, reply), False

    async def _request(self, request: Request, schema_name: str, scene: str) -> StoredReply:
        """One reply from the endpoint, through its outages; "unanswered" where only this request keeps failing.

        Before an endpoint is called down it is asked for something trivial: one request that it cannot bear (too
        long, censored) must not stop a run, and would stop it again at every resume. Where it answers that, the request
        has a last try, as the outage may just be over.
        """
        reason = ""
        for attempt in range(self.config.breaker_failures + 1):
            self._check_endpoint()
            if attempt == self.config.breaker_failures and not await self._is_alive(request):
                self._down_because = (
                    f"{self.config.base_url}, model {self.config.model!r}, failed "
                    f"{self.config.breaker_failures} times in a row, repeats included: {reason}; unless it is an "
                    f"outage, check base_url, model and ${self.config.api_key_env}; "
                    "then run the same command to resume"
                )
                self._check_endpoint()
            try:
                return self._stored(await self._negotiate(request, schema_name, scene))
            except openai.APIError as error:
                reason = self._told(error)
        return StoredReply(text="", status="unanswered", note=reason)

    def _check_endpoint(self) -> None:
        """The circuit breaker: once the endpoint is down for one request, it is down for all."""
        if self._down_because:
            raise EndpointDown(self._down_because)

    async def _is_alive(self, like: Request) -> bool:
        trivial: list[dict[str, JsonValue]] = [{"role": "user", "content": "Reply with the word yes."}]
        try:
            await self._chat(like.model_copy(update={"role": "probe", "messages": trivial}), "", "", "text")
        except openai.APIError:
            return False
        return True

    async def _negotiate(self, request: Request, schema_name: str, scene: str) -> Envelope | None:
        """Ask in the best mode that the server takes, and remember which. None: the reply was too large.

        A mode is given up only when the same request succeeds in a lower one, so an error of another kind changes
        nothing.
        """
        mode = self._mode
        try:
            return await self._chat(request, schema_name, scene, mode)
        except _UNACCEPTABLE as refused:
            async with self._descent:
                if self._mode == mode:
                    return await self._descend(request, schema_name, scene, refused)
        return await self._chat(request, schema_name, scene, self._mode)

    async def _descend(
        self, request: Request, schema_name: str, scene: str, refused: openai.APIStatusError
    ) -> Envelope | None:
        for mode in _MODES[_MODES.index(self._mode) + 1 :]:
            try:
                envelope = await self._chat(request, schema_name, scene, mode)
            except _UNACCEPTABLE:
                continue
            log.info("%s: structured output by %s", self.config.base_url, mode)
            self._mode = mode
            await asyncio.to_thread(self.cache.note_endpoint, self.config.base_url, self.config.model, {"mode": mode})
            return envelope
        raise refused

    async def _chat(self, request: Request, schema_name: str, scene: str, mode: Mode) -> Envelope | None:
        parameters = request.parameters
        options: dict[str, Any] = {self.config.max_tokens_field: self.config.max_tokens}
        options.update({name: parameters[name] for name in ("temperature", "seed") if parameters[name] is not None})
        if mode == "json_schema":
            schema = {"name": schema_name, "schema": parameters["schema"], "strict": True}
            options["response_format"] = {"type": mode, "json_schema": schema}
        elif mode == "json_object":
            options["response_format"] = {"type": mode}
        attempts = Attempts(
            key=request.key(),
            role=request.role,
            scene=scene,
            model=self.config.model,
            price=self.config.price,
            input_bound=_token_bound(request.messages) + len(json.dumps(options)),
            output_bound=self.config.max_tokens,
        )
        token = ATTEMPTS.set(attempts)
        try:
            messages: Any = request.messages
            await self._openai.chat.completions.with_raw_response.create(
                model=self.config.model, messages=messages, **options
            )
        except Stop as stop:
            if stop.error is not None:
                raise stop.error from None
            return None
        finally:
            ATTEMPTS.reset(token)
        return attempts.envelope

    def _stored(self, envelope: Envelope | None) -> StoredReply:
        if envelope is None:
            return StoredReply(text="", status="too_large", note=f"more than {MAX_BODY_BYTES} bytes")
        choice, usage = envelope.choices[0], envelope.usage
        refused = choice.message.refusal or choice.finish_reason == "content_filter"
        return StoredReply(
            text=self._redacted(choice.message.content or choice.message.refusal or ""),
            status="refused" if refused else "cut" if choice.finish_reason == "length" else "ok",
            input_tokens=None if usage is None else usage.prompt_tokens,
            output_tokens=None if usage is None else usage.completion_tokens,
        )

    def _told(self, error: openai.APIError) -> str:
        """A server's error in one line without our key, which some servers repeat."""
        cause = error.__cause__
        told = " ".join(f"{error.message}{f' ({cause})' if cause and str(cause) else ''}".split())
        return self._redacted(told)[:300]

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not all("!" <= character <= "~" for character in key):
        # The value stays unsaid. Left to the HTTP library, it would stand in an error message.
        raise BadInput(f"${variable} holds characters that no API key has; export the bare key")
    return key


def attach_wav(messages: Sequence[dict[str, Any]], wav: bytes) -> list[dict[str, Any]]:
    """The same messages with a WAV file attached to the last one as an `input_audio` part."""
    *earlier, last = messages
    audio = {"data": base64.b64encode(wav).decode(), "format": "wav"}
    parts = [{"type": "text", "text": last["content"]}, {"type": "input_audio", "input_audio": audio}]
    return [*earlier, {**last, "content": parts}]


def _token_bound(messages: Sequence[dict[str, Any]]) -> int:
    bound = _TOKENS_PER_REQUEST
    for message in messages:
        content = message["content"]
        parts: list[dict[str, Any]] = [{"text": content}] if isinstance(content, str) else content
        bound += _TOKENS_PER_MESSAGE
        for part in parts:
            if "input_audio" in part:
                bound += len(part["input_audio"]["data"]) // _BASE64_PER_AUDIO_TOKEN + 1
            else:
                bound += len(part["text"].encode())
    return bound
