"""Runs a program for one result: no shell, a private folder that goes afterwards, no secrets, time and size bounded."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import BadInput, MissingDependency
from pipeline.synthesis.audio import Unusable
from schemas.sound_services import Program

OUT = "out.wav"
POLL_S = 0.02
TOLD_CHARACTERS = 300
ALWAYS_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")


def check_program(program: Program) -> None:
    """Raises MissingDependency where the program cannot be found."""
    if shutil.which(program.argv[0]) is None:
        raise MissingDependency(
            f"program {program.argv[0]!r} is not on PATH or not executable; give its full path as the first of argv"
        )


def run(program: Program, values: Mapping[str, str], *, text: str) -> bytes:
    """The bytes of the sound file that the program writes to {out}, or `out.wav` in its folder.

    Args:
        program: what is run.
        values: fill the gaps of its arguments; a value cannot become an option, for leading dashes go.
        text: stands in place of `values[text]` on standard input where no argument takes it.

    Raises:
        Unusable: it failed, wrote nothing, or took too long or too much space.
        MissingDependency: it is not there.
    """
    check_program(program)
    with tempfile.TemporaryDirectory(prefix="streamaudio-") as name:
        folder = Path(name)
        work, logs = folder / "work", folder / "log"
        work.mkdir()
        given = {**{k: v.lstrip("-") for k, v in values.items()}, "out": str(work / OUT)}
        argv = [_filled(argument, given) for argument in program.argv]
        takes_text = any(f"{{{text}}}" in argument for argument in program.argv)
        _supervised(program, argv, work, logs, "" if takes_text else values[text])
        out = work / OUT
        if not out.is_file() or out.is_symlink():
            raise Unusable(f"{program.argv[0]!r} ended well but wrote no {OUT}: {_told(logs)}")
        return out.read_bytes()


def _filled(argument: str, values: Mapping[str, str]) -> str:
    """All gaps at once, so that a value which looks like a gap stays as it is."""
    return re.sub(r"\{(\w+)\}", lambda gap: values.get(gap[1], gap[0]), argument)


def _supervised(program: Program, argv: list[str], work: Path, log: Path, stdin: str) -> None:
    environment = {k: os.environ[k] for k in (*ALWAYS_KEPT, *program.keep_env) if k in os.environ}
    environment |= {"HOME": str(work), "TMPDIR": str(work)}
    source = work.parent / "stdin"
    source.write_text(stdin, encoding="utf-8")
    deadline = time.monotonic() + program.timeout_s
    with source.open("rb") as reader, log.open("wb") as writer:
        try:
            process = subprocess.Popen(
                argv, cwd=work, env=environment, stdin=reader, stdout=writer, stderr=writer, start_new_session=True
            )
        except OSError as error:
            raise BadInput(f"program {argv[0]!r} cannot be started ({error.strerror}); correct argv") from error
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Unusable(f"{argv[0]!r} took more than {program.timeout_s:g} s")
                if _size(work.parent) > program.max_mb * 1e6:
                    raise Unusable(f"{argv[0]!r} wrote more than {program.max_mb:g} MB")
                time.sleep(POLL_S)
        finally:
            _kill(process)
    if _size(work.parent) > program.max_mb * 1e6:
        raise Unusable(f"{argv[0]!r} wrote more than {program.max_mb:g} MB")
    if process.returncode != 0:
        raise Unusable(f"{argv[0]!r} ended with status {process.returncode}: {_told(log)}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and whatever it started and left running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except FileNotFoundError:  # a temporary file of the program's
                continue
    return total


def _told(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2_000))
        told = " ".join(file.read().decode("utf-8", errors="replace").split())
    return told[-TOLD_CHARACTERS:] or "it said nothing"
