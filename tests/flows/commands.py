"""Running the command line as a user does, in this process or in one that can be killed."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows import cli

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    """One command in this process."""
    monkeypatch.setattr(sys, "argv", ["streamaudio", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    printed = capsys.readouterr()
    return Result(int(stopped.value.code or 0), printed.out, printed.err)


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """One command in a process of its own, leader of a process group."""
    return subprocess.Popen(
        [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
