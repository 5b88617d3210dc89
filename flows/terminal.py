"""What every command prints with: both streams of the terminal, and bars for long work."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flows.stage_log import StageLog, as_json

if TYPE_CHECKING:
    from pipeline.storage import Location


@dataclass(slots=True)
class Settings:
    """How the command line talks; set once, when it starts."""

    json: bool = False


settings = Settings()
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def place(given: str) -> Location:
    """Parses an argument that may be a folder or a URL."""
    from pipeline.storage import location

    return location(given)


class _Rate(ProgressColumn):
    """Items per second, once there is something to measure."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s", style="dim")


@contextlib.contextmanager
def stages() -> Iterator[Any]:
    """One bar per stage, made when the stage first reports; yields a callback (stage, done, total).

    With `--log-json` a line of JSON per stage, and once a minute, instead.
    """
    if settings.json:
        yield StageLog(lambda line: print(as_json(line), file=sys.stderr, flush=True))
        return
    with Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    ) as progress:
        bars: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=total)
            progress.update(bars[stage], completed=done, total=total)

        yield update
