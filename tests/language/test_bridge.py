"""Many threads, one client; results in order whoever is done first."""

import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BudgetReached, EndpointDown
from pipeline.language.bridge import Bridge
from pipeline.language.budget import Ledger
from pipeline.language.cache import ReplyCache
from pipeline.language.ordered import in_order
from prompts import load
from schemas.language import EndpointConfig
from schemas.roles import Rewrite
from tests.language.server import ScriptedServer, smart, status


def open_bridge(url: str, folder: Path, **config: Any) -> Bridge:
    given: dict[str, Any] = {"base_url": url, "model": "m", "max_retries": 0, "breaker_failures": 1}
    return Bridge(EndpointConfig(**given | config), ReplyCache(str(folder / "replies")), Ledger(folder / "ledger"))


def rewrite(bridge: Bridge, text: str) -> str:
    prompt = load("spoken_rewriter")
    messages = prompt.render(text=text, language="en")
    return bridge.ask("rewriter", prompt, messages, Rewrite, scene="s", sample_index=0, validate=None).value.text


def test_threads_share_one_client_and_its_slots(tmp_path: Path) -> None:
    with ScriptedServer(smart, latency_s=0.05) as server:
        bridge = open_bridge(server.url, tmp_path, concurrency=3)
        with ThreadPoolExecutor(12) as pool:
            texts = list(pool.map(lambda i: rewrite(bridge, f"text {i}"), range(12)))
        bridge.close()
    assert texts == [f"text {i}" for i in range(12)]
    assert server.most_at_once == 3


def test_what_stops_the_run_stops_everybody(tmp_path: Path) -> None:
    with ScriptedServer([status(500)]) as server:
        bridge = open_bridge(server.url, tmp_path)
        with pytest.raises(EndpointDown):
            rewrite(bridge, "one")
        asked = len(server.requests)
        with pytest.raises(EndpointDown):
            rewrite(bridge, "two")
        assert len(server.requests) == asked
        bridge.close()


def test_closing_gives_up_what_is_in_flight(tmp_path: Path) -> None:
    with ScriptedServer(smart, latency_s=30) as server:
        bridge = open_bridge(server.url, tmp_path)
        pool = ThreadPoolExecutor(1)
        waiting = pool.submit(rewrite, bridge, "slow")
        while not server.requests:
            time.sleep(0.01)
        bridge.close()
        with pytest.raises(CancelledError):
            waiting.result(10)
        with pytest.raises(EndpointDown, match="over"):
            rewrite(bridge, "late")


@given(st.lists(st.floats(0, 0.003), max_size=20), st.integers(0, 5))
def test_results_come_in_order(delays: list[float], threads: int) -> None:
    def slow(item: tuple[int, float]) -> int:
        time.sleep(item[1])
        return item[0]

    assert list(in_order(slow, enumerate(delays), threads=threads)) == list(range(len(delays)))


def test_no_more_is_taken_ahead_than_the_threads_need() -> None:
    taken: list[int] = []

    def items() -> Any:
        for i in range(100):
            taken.append(i)
            yield i

    results = in_order(lambda i: i, items(), threads=2)
    assert next(results) == 0
    assert len(taken) <= 8
    results.close()


def test_an_error_comes_in_its_turn_and_starts_nothing_new() -> None:
    started: list[int] = []

    def work(i: int) -> int:
        started.append(i)
        if i == 3:
            raise BudgetReached("enough")
        time.sleep(0.01)
        return i

    results = in_order(work, range(1000), threads=2)
    done: list[int] = []
    with pytest.raises(BudgetReached):
        done.extend(results)
    assert len(started) < 20
