"""`streamaudio stream`, as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from flows.cli import main
from tests.streaming.conftest import golden, golden_folder  # noqa: F401  (fixtures)
from tests.streaming.reference import Reference
from tests.streaming.test_reference import PROMPT, RECIPES, sound

KEYS = ["file", "gap", "chunk", "decision", "token_ids", "emotion", "text", "position"]


@dataclass
class Run:
    status: int | str | None
    out: str
    err: str


@pytest.fixture
def stream(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    def run(*arguments: str | Path) -> Run:
        monkeypatch.setattr("sys.argv", ["streamaudio", "stream", *map(str, arguments)])
        # The consoles were made when stdout was another.
        monkeypatch.setattr("flows.cli.err", Console(stderr=True, soft_wrap=True))
        monkeypatch.setattr("flows.streaming_cli.err", Console(stderr=True, soft_wrap=True))
        monkeypatch.setattr("flows.streaming_cli.out", Console(soft_wrap=True, highlight=False))
        with pytest.raises(SystemExit) as done:
            main()
        assert isinstance(done.value.code, int)
        out, err = capsys.readouterr()
        return Run(done.value.code, out, err)

    return run


def lines(run: Run) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert run.status == 0, run.err
    *chunks, last = map(json.loads, run.out.splitlines())
    return chunks, last["summary"]


def test_golden_session(stream: Callable[..., Run], golden: Path, golden_folder: Path) -> None:  # noqa: F811
    wanted = json.loads((golden / "expected" / "stream_session_mixed.json").read_text())
    prompt = json.loads((golden / "expected" / "tokenizer.json").read_text())["cases"][0]["text"]
    files = [golden / "inputs" / f"{name}.wav" for name in wanted["files"]]
    chunks, summary = lines(stream(*files, "--checkpoint", golden_folder, "--system-prompt", prompt, "--json"))
    assert [list(chunk) for chunk in chunks] == [KEYS] * len(chunks)
    assert [chunk["token_ids"] for chunk in chunks] == wanted["turns"]
    assert [Path(c["file"]).stem for c in chunks if not c["gap"]] == [
        name for name, step in zip(wanted["files"], wanted["steps"][::2], strict=True) for _ in range(step["n_chunks"])
    ]
    assert chunks[-1]["position"] == summary["position"] == wanted["last_forward_pos"]
    assert summary["ended"] is None


def test_every_option_at_once(stream: Callable[..., Run], tmp_path: Path) -> None:
    reference = Reference(RECIPES["plain"])
    samples, file = sound(3, 4), tmp_path / "a.wav"
    soundfile.write(file, samples, 16_000)
    options = ("--mode", "online", "--gap-s", "0.5", "--max-returned-tokens", "24", "--system-prompt", PROMPT)
    chunks, summary = lines(stream(file, "--checkpoint", reference.write(tmp_path / "model"), *options, "--json"))
    wanted = list(reference.session([samples / 32_768], PROMPT, online=True, gap_s=0.5, budget=24))
    assert [(c["gap"], c["token_ids"], c["position"]) for c in chunks] == [w[1:] for w in wanted]
    assert summary["skipped"] == 8 + 2 - len(wanted)


def test_a_live_line_per_chunk(stream: Callable[..., Run], golden: Path, golden_folder: Path) -> None:  # noqa: F811
    prompt = json.loads((golden / "expected" / "tokenizer.json").read_text())["cases"][0]["text"]
    run = stream(
        golden / "inputs" / "chirp_silence.wav",
        "--checkpoint",
        golden_folder,
        "--system-prompt",
        prompt,
        "--gap-s",
        "0",
    )
    *shown, last = run.out.splitlines()
    assert [line[:9].split() for line in shown] == [[f"{0.4 * n:.1f}", "s"] for n in range(9)]
    assert sum("·" in line for line in shown) == 9 - int(last.split(", ")[1].split()[0])
    assert "GB of weights" in run.err


def test_fifo_on_a_given_clock(stream: Callable[..., Run], golden: Path, golden_folder: Path) -> None:  # noqa: F811
    prompt = json.loads((golden / "expected" / "tokenizer.json").read_text())["cases"][0]["text"]
    file = golden / "inputs" / "cough_music_03.wav"
    options = ("--checkpoint", golden_folder, "--system-prompt", prompt, "--json", "--fifo", "--clock", "60,45,250")
    chunks, summary = lines(stream(file, *options))
    assert [chunk["chunk"] for chunk in chunks] == list(range(16))
    drained = [chunk for chunk in chunks if chunk.get("drained")]
    assert drained
    assert all(chunk["decision"] == "silent" and not chunk["token_ids"] for chunk in drained)
    assert summary["latency"]["stalls"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fifo"], "--checkpoint DIR"),
        (["--checkpoint", "nowhere"], "'nowhere' is no folder and no hub id"),
        (["--checkpoint", ".", "--mode", "sideways"], "--mode"),
        (["--checkpoint", ".", "--threshold", "0.3"], "--threshold is the bundled probe's"),
        (["--threshold", "1"], "a threshold of 1 is no probability"),
        (["--checkpoint", ".", "--fifo", "--max-returned-tokens", "9"], "--max-returned-tokens"),
    ],
)
def test_mistakes_are_one_line(stream: Callable[..., Run], arguments: list[str], message: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    run = stream(tmp_path / "a.wav", *arguments)
    assert run.status == 2
    assert message in run.err
    assert "Traceback" not in run.err
    assert run.err.count("\n") == 1


def test_no_recording(stream: Callable[..., Run], tmp_path: Path) -> None:
    run = stream(tmp_path / "none.wav", "--checkpoint", tmp_path)
    assert run.status == 2
    assert "is not a file" in run.err
