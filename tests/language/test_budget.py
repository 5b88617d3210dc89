"""The ledger: a hard stop shared by processes, and sums that a report can trust."""

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BudgetReached
from pipeline.language.budget import Ledger, Spend
from schemas.language import Price

PRICE = Price(input_per_mtok=1.0, output_per_mtok=2.0)


def _reserve(ledger: Ledger, *, role: str = "responder", scene: str = "s0", price: Price | None = PRICE) -> int:
    return ledger.reserve(
        key="k", role=role, scene=scene, model="m", price=price, input_tokens=1_000_000, output_tokens=500_000
    )


def test_a_reservation_counts_until_it_is_billed_and_then_what_was_billed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l", budget=5.0)
    first, second = _reserve(ledger), _reserve(ledger)
    with pytest.raises(BudgetReached, match=r"budget 5\.0 USD: 4 are spent or reserved .* may cost 2"):
        _reserve(ledger)
    ledger.bill(first, PRICE, 400_000, 100_000)
    assert ledger.spent() == pytest.approx(2.6)
    third = _reserve(ledger)
    ledger.release(second)
    ledger.lose(third)
    assert ledger.spent() == pytest.approx(2.6)
    assert ledger.in_flight() == 0


def test_a_killed_run_leaves_its_requests_charged_and_known(tmp_path: Path) -> None:
    _reserve(Ledger(tmp_path / "l"))
    ledger = Ledger(tmp_path / "l")
    assert ledger.in_flight() == 1
    assert ledger.recover() == ["k"]
    assert (ledger.recover(), ledger.spent()) == ([], 2.0)


def test_sums_per_role_per_scene_and_in_total(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    for role, scene, tokens in [("planner", "a", 10), ("planner", "b", 30), ("responder", "b", 5)]:
        ledger.bill(_reserve(ledger, role=role, scene=scene), PRICE, tokens, 0)
    assert astuple(ledger.by_role()["planner"]) == pytest.approx((2, 40, 0, 40e-6))
    assert astuple(ledger.by_scene()["b"]) == pytest.approx((2, 35, 0, 35e-6))
    assert astuple(ledger.total()) == pytest.approx((3, 45, 0, 45e-6))


def test_an_empty_ledger_sums_to_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    assert (ledger.total(), ledger.by_role()) == (Spend(0, 0, 0, 0.0), {})


def test_without_a_price_the_cost_is_unknown_and_a_budget_refuses(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.bill(_reserve(ledger, price=None), None, 10, 10)
    assert ledger.total().cost is None
    with pytest.raises(BudgetReached, match="has no price"):
        _reserve(Ledger(tmp_path / "l", budget=1.0), price=None)


@given(st.lists(st.tuples(st.sampled_from(["bill", "release", "lose", "leave"]), st.integers(0, 10**6)), max_size=12))
def test_the_running_sum_equals_the_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "l")
    for step, tokens in steps:
        row = _reserve(ledger)
        if step == "bill":
            ledger.bill(row, PRICE, tokens, tokens)
        elif step != "leave":
            getattr(ledger, step)(row)
    assert ledger.spent() == pytest.approx(ledger.total().cost, abs=1e-9)


_WORKER = """
import sys
from pathlib import Path
from pipeline.errors import BudgetReached
from pipeline.language.budget import Ledger
from schemas.language import Price

ledger, taken = Ledger(Path(sys.argv[1]), budget=50.0), 0
try:
    while True:
        ledger.reserve(key="k", role="r", scene="s", model="m", price=Price(input_per_mtok=1, output_per_mtok=0),
                       input_tokens=1_000_000, output_tokens=0)
        taken += 1
except BudgetReached:
    print(taken)
"""


def test_processes_share_one_budget_exactly(tmp_path: Path) -> None:
    command: list[Any] = [sys.executable, "-c", _WORKER, str(tmp_path / "l")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(worker.communicate(timeout=60)[0]) for worker in workers) == 50
    assert Ledger(tmp_path / "l").spent() == 50.0
