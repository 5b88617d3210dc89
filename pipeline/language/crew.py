"""Who does what: the roles that a recipe gives to the model, and the way to it. All others are the defaults'."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import platformdirs

from pipeline.errors import ReplyRejected, SceneRejected
from pipeline.language.budget import Book, Ledger
from pipeline.language.cache import ReplyCache
from prompts import load
from schemas.language import LanguageRole
from schemas.provenance import Agent, FallbackRecord
from schemas.recipe import ModelPlanner, Recipe

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipeline.language.bridge import Bridge

    R = TypeVar("R", bound=BaseModel)

PROMPT_OF: Final = MappingProxyType(
    {
        "planner": "scenario_planner",
        "refiner": "event_refiner",
        "verifier": "clip_verifier",
        "scene_check": "scene_checker",
        "responder": "responder",
        "rewriter": "spoken_rewriter",
        "auditor": "silence_auditor",
        "history_review": "history_review",
    }
)
MAX_RAW_CHARACTERS = 4000
"""So much of a bad reply goes to quarantine."""


class Crew:
    """One per process; `bridge` is None where the recipe has no model."""

    def __init__(self, planner: ModelPlanner | None = None, bridge: Bridge | None = None) -> None:
        self._planner, self.bridge = planner, bridge

    @property
    def threads(self) -> int:
        """Scenes worth working on at once; 0 without a model."""
        return 0 if self._planner is None else self._planner.concurrency

    @property
    def hears(self) -> bool:
        """Whether the model takes audio."""
        return self._planner is not None and self._planner.audio_input

    def takes(self, *roles: LanguageRole) -> bool:
        """Whether the model does any of the roles."""
        return self._planner is not None and not set(roles).isdisjoint(self._planner.roles)

    def agent(self, role: LanguageRole) -> Agent:
        """The model in one of its roles."""
        assert self._planner is not None
        return Agent(name=self._planner.model, version=self._planner.kind, prompt_sha256=load(PROMPT_OF[role]).sha256)

    def scene(self, name: str, *, sample_index: int = 0) -> SceneCrew:
        """The crew for one scene; another `sample_index` gives other replies."""
        return SceneCrew(self, name, sample_index)

    def falls_back(self, role: LanguageRole) -> bool:
        """Whether the embedded default may stand in for the model."""
        return self._planner is not None and role in self._planner.fallback

    def __enter__(self) -> Crew:
        """At the start of a build: what a killed one left in flight is charged as lost."""
        if self.bridge is not None:
            self.bridge.ledger.recover()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bridge is not None:
            self.bridge.close()


class SceneCrew:
    """The roles around one scene."""

    def __init__(self, crew: Crew, name: str, sample_index: int) -> None:
        self.crew, self._name, self._sample_index = crew, name, sample_index
        self._fallbacks: set[FallbackRecord] = set()

    def stood_in(self) -> tuple[FallbackRecord, ...]:
        """Where the default stood in for the model, in an order that does not depend on who was asked first."""
        return tuple(sorted(self._fallbacks, key=lambda record: (record.role, record.reason)))

    def ahead(self, calls: Sequence[Callable[[], object]]) -> None:
        """Ask all at once what is asked one after another next; the replies are kept, so it is answered then."""
        if not calls:
            return
        with ThreadPoolExecutor(len(calls), thread_name_prefix="ahead") as pool:
            for asked in [pool.submit(call) for call in calls]:
                with contextlib.suppress(ReplyRejected):  # raised again in its turn
                    asked.result()

    def ask(
        self,
        role: LanguageRole,
        reply_model: type[R],
        *,
        validate: Callable[[R], None] | None = None,
        more: int = 0,
        attach: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None,
        **values: Any,
    ) -> R | None:
        """The model's reply, or None where the embedded default does the role or stands in.

        Args:
            role: who is asked.
            reply_model: what the reply must be.
            validate: raises ValueError with a reason that the model can act on; must not ask.
            more: added to the sample index, to ask the same once more.
            attach: adds audio to the messages.
            values: of the role's prompt.

        Raises:
            ReplyRejected: the reply stayed invalid and the recipe names no fallback for the role.
            EndpointDown, BudgetReached, ReplyMissing: the run is to stop.
        """
        bridge = self.crew.bridge
        if bridge is None or not self.crew.takes(role):
            return None
        prompt = load(PROMPT_OF[role])
        messages = prompt.render(**values)
        try:
            return bridge.ask(
                role,
                prompt,
                messages if attach is None else attach(messages),
                reply_model,
                scene=self._name,
                sample_index=self._sample_index + more,
                validate=validate,
            ).value
        except ReplyRejected as rejected:
            return self.give_up(role, rejected)

    def give_up(self, role: LanguageRole, rejected: ReplyRejected) -> None:
        """None where the default may stand in for the role, else ReplyRejected."""
        if not self.crew.falls_back(role):
            raise rejected
        self._fallbacks.add(FallbackRecord(role=role, reason=str(rejected)[:300]))


def rejection(rejected: ReplyRejected) -> SceneRejected:
    """A reply that could not be repaired, as the reason why its scene goes to quarantine."""
    raw = rejected.raw[:MAX_RAW_CHARACTERS]
    return SceneRejected(rejected.role, f"{rejected}; the reply was {raw!r}" if raw else str(rejected))


def open_crew(recipe: Recipe, ledger: Path | Book, *, replay_only: bool = False) -> Crew:
    """The crew of a recipe; `ledger` is what all workers of a build share: a sqlite file, or the way to one."""
    planner = recipe.planner
    if not isinstance(planner, ModelPlanner):
        return Crew()
    # The openai package takes a second to import, and a scripted build needs none of it.
    from pipeline.language.bridge import Bridge

    if isinstance(ledger, Path):
        ledger = Ledger(ledger, budget=planner.budget, currency=planner.currency)
    return Crew(planner, Bridge(planner, reply_cache(planner), ledger, replay_only=replay_only))


def reply_cache(planner: ModelPlanner) -> ReplyCache:
    """The reply cache that the recipe names, or the user's own."""
    return ReplyCache(planner.cache) if planner.cache else default_replies()


def default_replies() -> ReplyCache:
    """The user's own reply cache."""
    return ReplyCache(str(platformdirs.user_cache_path("streamaudio-builder") / "replies"))
