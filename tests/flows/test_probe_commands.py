"""`streamaudio probe` and the probe as `streamaudio stream`'s own model, as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.streaming.probe import load_probe
from pipeline.synthesis.kinds import render
from schemas.protocol import KEEP_SILENCE, TEXT_BEGIN
from tests.flows.commands import Result, run

Streamaudio = Callable[..., Result]

TINY = """
seed: 3
scenes: {streams: 2, tuned_on: 1, trigger_variants: 1, benign_variants: 1, lines: 1}
training: {epochs: 1, batch: 2}
threshold: 0.35
"""


@pytest.fixture
def streamaudio(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Streamaudio:
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


def test_stream_without_a_checkpoint(streamaudio: Streamaudio, tmp_path: Path) -> None:
    quiet = 0.002 * np.random.default_rng(0).standard_normal(80_000)
    alarm = np.concatenate([quiet, 0.3 * render("smoke_alarm", np.random.default_rng(1)), quiet])
    soundfile.write(tmp_path / "alarm.wav", alarm, 16_000)
    soundfile.write(tmp_path / "quiet.wav", quiet, 16_000)
    result = streamaudio("stream", tmp_path / "quiet.wav", tmp_path / "alarm.wav", "--json")
    assert result.status == 0, result.err
    *chunks, last = map(json.loads, result.out.splitlines())
    assert {tuple(c["token_ids"]) for c in chunks} == {(KEEP_SILENCE,), (TEXT_BEGIN,)}
    assert all(c["text"] == "" and c["emotion"] is None for c in chunks)
    replies = [c for c in chunks if c["decision"] == "response"]
    # Between two groups of beeps it may think the alarm over: where it replies is what counts, not how often.
    assert {Path(c["file"]).name for c in replies} == {"alarm.wav"}
    assert last["summary"]["response"] == len(replies)


@pytest.mark.parametrize("option", [["--fifo"], ["--max-returned-tokens", "9"], ["--system-prompt", "Listen."]])
def test_the_probe_has_no_words(streamaudio: Streamaudio, tmp_path: Path, option: list[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    result = streamaudio("stream", tmp_path / "a.wav", *option)
    assert result.status == 2
    assert "--checkpoint DIR" in result.err


@pytest.mark.slow
def test_train_and_test(streamaudio: Streamaudio, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    for name in ("one", "same"):
        trained = streamaudio("probe", "train", "--recipe", tmp_path / "tiny.yaml", "--out", tmp_path / name)
        assert trained.status == 0, trained.err
    assert (tmp_path / "one").read_bytes() == (tmp_path / "same").read_bytes()
    assert load_probe(tmp_path / "one").card.trained is not None
    assert load_probe(tmp_path / "one").card.threshold == 0.35
    figures = tmp_path / "figures.json"
    tested = streamaudio("probe", "test", "--weights", tmp_path / "one", "--streams", "1", "--json", figures)
    assert tested.status == 0, tested.err
    assert json.loads(figures.read_text())["known kinds, silent: f1"] == 0


def test_mistakes(streamaudio: Streamaudio, tmp_path: Path) -> None:
    result = streamaudio("probe", "train", "--out", tmp_path / "nowhere" / "x")
    assert result.status == 2
    assert "lies in no folder" in result.err
    (tmp_path / "bad.yaml").write_text("scene: {}")
    result = streamaudio("probe", "train", "--out", tmp_path / "x", "--recipe", tmp_path / "bad.yaml")
    assert result.status == 2
    assert "did you mean 'scenes'?" in result.err
