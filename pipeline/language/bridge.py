"""From threads that wait to the client's event loop, and back: planning and scenes are synchronous code."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import BudgetReached, EndpointDown
from pipeline.language.client import LanguageClient

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipeline.language.budget import Book
    from pipeline.language.cache import ReplyCache
    from pipeline.language.client import Answer
    from prompts import Prompt
    from schemas.language import EndpointConfig

    R = TypeVar("R", bound=BaseModel)


class Bridge:
    """One `LanguageClient` on an event loop in a thread of its own; `ask` may be called from any other thread.

    What stops the run, stops it for everybody: after EndpointDown or BudgetReached every `ask` raises the same.
    """

    def __init__(self, config: EndpointConfig, cache: ReplyCache, ledger: Book, *, replay_only: bool = False) -> None:
        self.config, self.cache, self.ledger = config, cache, ledger
        self._stopped: EndpointDown | BudgetReached | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="language", daemon=True)
        self._thread.start()
        self._client = self._run(_open(config, cache, ledger, replay_only))

    def ask(
        self,
        role: str,
        prompt: Prompt,
        messages: Sequence[dict[str, Any]],
        reply_model: type[R],
        *,
        scene: str,
        sample_index: int,
        validate: Callable[[R], None] | None,
    ) -> Answer[R]:
        """`LanguageClient.ask`, waited for. `validate` runs on the loop's thread, so it must not ask."""
        if self._stopped is not None:
            # A new one each time: one that is raised in many threads gathers all their tracebacks.
            raise type(self._stopped)(str(self._stopped))
        try:
            return self._run(
                self._client.ask(
                    role, prompt, messages, reply_model, scene=scene, sample_index=sample_index, validate=validate
                )
            )
        except (EndpointDown, BudgetReached) as stop:
            self._stopped = stop
            raise

    def close(self) -> None:
        """Give up what is in flight, and end the thread."""
        self._stopped = EndpointDown("the build is over")
        with contextlib.suppress(asyncio.CancelledError):
            self._run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.ledger.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.__aexit__()
        await self._loop.shutdown_default_executor()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _open(config: EndpointConfig, cache: ReplyCache, ledger: Book, replay_only: bool) -> LanguageClient:
    return LanguageClient(config, cache, ledger, replay_only=replay_only)
