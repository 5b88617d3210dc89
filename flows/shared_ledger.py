"""One ledger for the workers of several machines: an actor of Ray's where the build is run, over that build's file."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.corpus_build import Workplace
from pipeline.errors import BadInput
from pipeline.language.budget import Ledger
from pipeline.language.crew import Crew, open_crew
from schemas.recipe import ModelPlanner, Recipe


@dataclass(frozen=True, slots=True)
class SharedWorkplace(Workplace):
    """Whose workers enter what a language model takes in the ledger of the machine that builds."""

    actor: str = ""

    def crew(self, recipe: Recipe) -> Crew:
        """The language model in its roles."""
        return open_crew(recipe, SharedLedger(self.actor), replay_only=self.replay_only)


@dataclass(frozen=True, slots=True)
class SharedLedger:
    """A `Book` that asks the actor of this name; every request to a model takes it two calls of about a millisecond."""

    actor: str

    def reserve(self, **request: Any) -> int:
        return self._ask("reserve", **request)

    def bill(self, row: int, price: Any, input_tokens: int | None, output_tokens: int | None) -> None:
        self._ask("bill", row, price, input_tokens, output_tokens)

    def release(self, row: int) -> None:
        self._ask("release", row)

    def lose(self, row: int) -> None:
        self._ask("lose", row)

    def recover(self) -> list[str]:
        return self._ask("recover")

    def close(self) -> None:
        """Others go on with it."""

    def _ask(self, what: str, *arguments: Any, **named: Any) -> Any:
        import ray
        from ray.exceptions import RayTaskError

        try:
            return ray.get(getattr(ray.get_actor(self.actor), what).remote(*arguments, **named))
        except RayTaskError as error:
            raise error.cause from None


@contextlib.contextmanager
def shared_ledger(ray: Any, workplace: Workplace, address: str | None) -> Iterator[Workplace]:
    """The workplace for workers of a cluster, while its ledger is open; the same where none is needed.

    Raises:
        BadInput: `address` is of Ray's client, which leaves the build on a machine outside the cluster.
    """
    if address is None:
        yield workplace
        return
    planner = Recipe.model_validate_json((workplace.folder.state / "recipe.json").read_bytes()).planner
    if not isinstance(planner, ModelPlanner):
        yield workplace
        return
    if address.startswith("ray://"):
        raise BadInput(
            f"--address {address!r}: what the language model takes is counted on the machine where this runs, which "
            "must be one of the cluster; run it there with --address auto"
        )
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    name, here = f"ledger-{uuid.uuid4().hex}", ray.get_runtime_context().get_node_id()
    actor = ray.remote(num_cpus=0)(Ledger).options(
        name=name, scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False)
    )
    kept = actor.remote(workplace.ledger, budget=planner.budget, currency=planner.currency)
    yield SharedWorkplace(workplace.root, workplace.library_path, workplace.replay_only, name)
    del kept  # The actor ends with its last handle.
