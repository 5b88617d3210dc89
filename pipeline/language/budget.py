"""Tokens and money of a build, in one sqlite file that all its worker processes share.

Before a request leaves, its upper bound is reserved here; that row is also the journal of requests in flight. What is
billed replaces the bound. A request that may have been billed without our knowing (a timeout, a cut connection, a
killed process) stays charged at its bound, so the budget is never passed by accident.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import filelock

from pipeline.errors import BudgetReached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.language import Price

# The running sum is kept in whole millionths of a millionth, so that what is added and taken away cancels exactly.
_PICO = 1e-12
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, role TEXT NOT NULL, scene TEXT NOT NULL, model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_flight', 'billed', 'lost')),
    input_tokens INTEGER, output_tokens INTEGER, cost REAL);
CREATE TABLE IF NOT EXISTS spent (one INTEGER PRIMARY KEY CHECK (one = 1), pico INTEGER NOT NULL);
INSERT OR IGNORE INTO spent VALUES (1, 0);
"""


@dataclass(frozen=True, slots=True)
class Spend:
    """Requests, tokens and money; `cost` is None where a price is unknown."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None


def cost_of(price: Price | None, input_tokens: int, output_tokens: int) -> float | None:
    """Money for so many tokens; None without a price."""
    if price is None:
        return None
    return (input_tokens * price.input_per_mtok + output_tokens * price.output_per_mtok) / 1e6


class Book(Protocol):
    """Where requests are entered: a `Ledger`, or the way to one of another machine."""

    def reserve(
        self, *, key: str, role: str, scene: str, model: str, price: Price | None, input_tokens: int, output_tokens: int
    ) -> int: ...
    def bill(self, row: int, price: Price | None, input_tokens: int | None, output_tokens: int | None) -> None: ...
    def release(self, row: int) -> None: ...
    def lose(self, row: int) -> None: ...
    def recover(self) -> list[str]: ...
    def close(self) -> None: ...


class Ledger:
    """One per process over the same local `path`; `budget` is the hard stop, None for no limit."""

    def __init__(self, path: Path, *, budget: float | None = None, currency: str = "USD") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.budget, self.currency = path, budget, currency
        # Autocommit; transactions are explicit. WAL survives a killed process without an fsync per request.
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        # SQLite does not wait its turn for the change to WAL, so those who open a new file queue up before it.
        with filelock.FileLock(path.with_name(path.name + ".lock")):
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            with self._transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._db.execute(statement)

    def close(self) -> None:
        self._db.close()

    def reserve(
        self, *, key: str, role: str, scene: str, model: str, price: Price | None, input_tokens: int, output_tokens: int
    ) -> int:
        """Charge the upper bound of a request before it starts; BudgetReached, and no charge, if it could pass."""
        bound = cost_of(price, input_tokens, output_tokens)
        with self._transaction():
            if self.budget is not None:
                spent = self.spent()
                if bound is None:
                    raise BudgetReached(
                        f"budget {self.budget!r} {self.currency}: model {model!r} has no price; add one"
                    )
                if spent + bound > self.budget:
                    raise BudgetReached(
                        f"budget {self.budget!r} {self.currency}: {spent:.6g} are spent or reserved and the next "
                        f"request ({role}) may cost {bound:.6g}; raise the budget and run the same command to resume"
                    )
            row = self._db.execute(
                "INSERT INTO requests (key, role, scene, model, state, input_tokens, output_tokens, cost) "
                "VALUES (?, ?, ?, ?, 'in_flight', ?, ?, ?)",
                (key, role, scene, model, input_tokens, output_tokens, bound),
            ).lastrowid
            self._add(bound)
        assert row is not None
        return row

    def bill(self, row: int, price: Price | None, input_tokens: int | None, output_tokens: int | None) -> None:
        """Replace a reservation by what the server reported; without a report the bound stands."""
        if input_tokens is None or output_tokens is None:
            self._db.execute("UPDATE requests SET state = 'billed' WHERE id = ?", (row,))
            return
        cost = cost_of(price, input_tokens, output_tokens)
        with self._transaction():
            self._add(cost, instead_of=row)
            self._db.execute(
                "UPDATE requests SET state = 'billed', input_tokens = ?, output_tokens = ?, cost = ? WHERE id = ?",
                (input_tokens, output_tokens, cost, row),
            )

    def release(self, row: int) -> None:
        """Forget a request that cannot have been billed: never sent, or answered with an error status."""
        with self._transaction():
            self._add(None, instead_of=row)
            self._db.execute("DELETE FROM requests WHERE id = ?", (row,))

    def lose(self, row: int) -> None:
        """Keep a request charged at its bound: it was sent, and nobody knows what it cost."""
        self._db.execute("UPDATE requests SET state = 'lost' WHERE id = ?", (row,))

    def recover(self) -> list[str]:
        """At the start of a run: requests that a killed run left in flight become lost; returns their cache keys."""
        with self._transaction():
            keys = [
                key for (key,) in self._db.execute("SELECT key FROM requests WHERE state = 'in_flight' ORDER BY id")
            ]
            self._db.execute("UPDATE requests SET state = 'lost' WHERE state = 'in_flight'")
        return keys

    def spent(self) -> float:
        """Money spent and reserved so far, requests without a price left out."""
        return self._db.execute("SELECT pico FROM spent").fetchone()[0] * _PICO

    def in_flight(self) -> int:
        return self._db.execute("SELECT count(*) FROM requests WHERE state = 'in_flight'").fetchone()[0]

    def total(self) -> Spend:
        return self._spends("''").get("", Spend(0, 0, 0, 0.0))

    def by_role(self) -> dict[str, Spend]:
        return self._spends("role")

    def by_scene(self) -> dict[str, Spend]:
        return self._spends("scene")

    def _spends(self, column: str) -> dict[str, Spend]:
        rows = self._db.execute(
            # `column` is a literal of this class.
            f"SELECT {column}, count(*), sum(input_tokens), sum(output_tokens), sum(cost), count(cost) "  # noqa: S608
            "FROM requests GROUP BY 1 ORDER BY 1"
        )
        return {
            name: Spend(requests, input_tokens, output_tokens, cost if priced == requests else None)
            for name, requests, input_tokens, output_tokens, cost, priced in rows
        }

    def _add(self, cost: float | None, *, instead_of: int | None = None) -> None:
        earlier = self._db.execute("SELECT cost FROM requests WHERE id = ?", (instead_of,)).fetchone()
        change = _pico(cost) - (0 if earlier is None else _pico(earlier[0]))
        self._db.execute("UPDATE spent SET pico = pico + ?", (change,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _pico(cost: float | None) -> int:
    return round((cost or 0.0) / _PICO)
