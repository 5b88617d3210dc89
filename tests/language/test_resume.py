"""SIGKILL in the middle of a run: what is persisted is never asked again, what was in flight is known and charged."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.language.budget import Ledger
from pipeline.language.cache import ReplyCache
from pipeline.language.client import LanguageClient
from prompts import load
from schemas.language import EndpointConfig
from schemas.roles import Rewrite
from tests.language.server import HANG, Canned, Received, ScriptedServer, smart

TEXTS, ANSWERED, CONCURRENCY = 12, 5, 3


async def ask_all(url: str, folder: Path) -> list[str]:
    config = EndpointConfig(
        base_url=url,
        model="scripted",
        concurrency=CONCURRENCY,
        max_tokens=200,
        prices={"scripted": {"input_per_mtok": 1.0, "output_per_mtok": 1.0}},  # pyright: ignore[reportArgumentType]
    )
    prompt = load("spoken_rewriter")
    async with LanguageClient(config, ReplyCache(str(folder / "replies")), Ledger(folder / "ledger")) as client:
        calls = [
            client.ask("spoken_rewriter", prompt, prompt.render(text=f"text {i}", language="en"), Rewrite)
            for i in range(TEXTS)
        ]
        return [answer.value.text for answer in await asyncio.gather(*calls)]


def _replies(folder: Path) -> list[Path]:
    return list((folder / "replies" / "spoken_rewriter").rglob("*.json"))


def test_after_a_kill_only_requests_in_flight_are_repeated(tmp_path: Path) -> None:
    answered: list[Any] = []

    def until_killed(request: Received) -> Canned:
        if len(answered) >= ANSWERED:
            return HANG
        answered.append(request.body["messages"])
        return smart(request)

    with ScriptedServer(until_killed) as server:
        worker = subprocess.Popen([sys.executable, "-m", "tests.language.test_resume", server.url, str(tmp_path)])
        deadline = time.monotonic() + 60
        while len(server.requests) < ANSWERED + CONCURRENCY or len(_replies(tmp_path)) < ANSWERED:
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        worker.kill()
        worker.wait()

    ledger = Ledger(tmp_path / "ledger")
    assert len(ledger.recover()) == CONCURRENCY
    spent_before = ledger.spent()
    persisted = {json.dumps(messages) for messages in answered}
    with ScriptedServer(smart) as server:
        texts = asyncio.run(ask_all(server.url, tmp_path))
    asked = [json.dumps(request.body["messages"]) for request in server.requests]
    assert texts == [f"text {i}" for i in range(TEXTS)]
    assert len(asked) == len(set(asked)) == TEXTS - ANSWERED
    assert not persisted & set(asked)
    assert ledger.total().requests == TEXTS + CONCURRENCY
    assert ledger.spent() > spent_before


if __name__ == "__main__":
    asyncio.run(ask_all(sys.argv[1], Path(sys.argv[2])))
