"""Checkpoints of other shapes than the golden one, against the model and session written down once more in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from flows.stream import ModelOptions, Opened, open_model, recordings, run_files
from pipeline.streaming.encoder import blocks_of
from pipeline.streaming.logmel import offline
from tests.streaming.reference import KEEP_SILENCE, TEXT_END, Recipe, Reference

RECIPES = {
    # As many groups as heads, a vocabulary padded by rule, a short context, one file.
    "plain": Recipe(24, 1, 3, 3, 8, 40, 10_000, 1e-5, block_size=400, padded=None, n_window=10, seed=1),
    # One group, heads wider than the model, bfloat16 in three files, blocks no longer than a chunk.
    "wide heads": Recipe(
        32, 3, 4, 1, 16, 48, 500_000, 1e-6, shards=3, stored=torch.bfloat16, tower_width=24, tower_layers=2,
        tower_heads=3, n_window=20, positions=20, seed=2,
    ),
    # Two groups, a long context.
    "long": Recipe(24, 2, 4, 2, 6, 32, 1_000_000, 1e-6, shards=2, n_window=50, seed=5, speaks=0.6),
}  # fmt: skip
PROMPT = "badcafe"
Lines = list[dict[str, Any]]
Make = Callable[[str], tuple[Reference, Opened]]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Reference, Opened]]:
    """The reference of a recipe, and its checkpoint opened by the module."""

    @cache
    def made(name: str) -> tuple[Reference, Opened]:
        reference = Reference(RECIPES[name])
        folder = reference.write(tmp_path_factory.mktemp("made") / "model")
        return reference, open_model(ModelOptions(str(folder), system_prompt=PROMPT), lambda _: None)

    return made


def sound(seconds: float, seed: int) -> np.ndarray:
    """Noise, tones and pauses, 16 bit."""
    rng = np.random.default_rng(seed)
    parts = []
    while sum(map(len, parts)) < seconds * 16_000:
        time = np.arange(rng.integers(1_000, 12_000)) / 16_000
        tone = np.sin(2 * np.pi * rng.uniform(100, 3_000) * time)
        parts.append(rng.choice([0, 0.01, 0.3]) * tone + rng.choice([0, 0.001, 0.1]) * rng.standard_normal(len(time)))
    return np.round(np.concatenate(parts)[: int(seconds * 16_000)].clip(-1, 0.999) * 32_767).astype(np.int16)


def ours(opened: Opened, files: list[Path], prompt: str = PROMPT, **options: Any) -> tuple[Lines, dict[str, Any]]:
    lines: Lines = []
    run_files(opened.session(system_prompt=prompt), recordings(files), lines.append, **options)
    return lines[:-1], lines[-1]["summary"]


def same(lines: Lines, wanted: list[tuple[int, bool, list[int], int]], files: list[Path]) -> None:
    got = [(files.index(Path(x["file"])), x["gap"], x["token_ids"], x["position"]) for x in lines]
    assert got == wanted


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    ("mode", "gap_s", "budget"),
    [("offline", 1.0, None), ("online", 0.0, None), ("online", 0.5, 24), ("offline", 0.1, 20)],
)
def test_sessions_over_files(
    name: str, mode: str, gap_s: float, budget: int | None, make: Make, tmp_path: Path
) -> None:
    reference, opened = make(name)
    files, samples = [tmp_path / f"{n}.wav" for n in range(3)], [sound(s, n) for n, s in enumerate((2.2, 0.05, 2.4))]
    for file, values in zip(files, samples, strict=True):
        soundfile.write(file, values, 16_000)
    lines, _ = ours(opened, files, mode=mode, gap_s=gap_s, max_returned_tokens=budget)
    wanted = reference.session(
        [s / 32_768 for s in samples], PROMPT, online=mode == "online", gap_s=gap_s, budget=budget or 4_096
    )
    same(lines, list(wanted), files)
    if budget is None and gap_s:  # otherwise there is little to be seen
        assert {line["decision"] for line in lines} == {"silent", "response"}
    assert {line["token_ids"][-1] for line in lines if not line.get("cut")} <= {KEEP_SILENCE, TEXT_END}


@pytest.mark.parametrize("name", RECIPES)
def test_features(name: str, make: Make) -> None:
    reference, opened = make(name)
    samples = sound(4, 5).astype(np.float32) / np.float32(32_768)
    wanted = reference.frames(samples.astype(np.float64))
    got = opened.model.encoder(blocks_of(offline(samples))).numpy()
    assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_what_is_said_before_loading_and_the_prompt_beside_the_weights(make: Make) -> None:
    _, opened = make("plain")
    folder, said = Path(opened.options.checkpoint), list[str]()
    prompt = folder / "system_prompt.txt"
    prompt.write_text("cab\n")
    assert open_model(ModelOptions(str(folder)), said.append).system_prompt == "cab"
    prompt.unlink()
    # 151,680 rows of 24 values of 4 bytes, twice; the rest is small.
    assert said == ["loading model as float32 on cpu: 0.03 GB of weights, up to 0.00 GB per session"]


def test_a_context_ends_where_its_block_size_says(make: Make, tmp_path: Path) -> None:
    reference, opened = make("plain")
    file, samples = tmp_path / "a.wav", sound(14, 6)
    soundfile.write(file, samples, 16_000)
    lines, summary = ours(opened, [file], mode="offline", gap_s=1.0, max_returned_tokens=None)
    same(lines, list(reference.session([samples / 32_768], PROMPT, online=False, gap_s=1.0)), [file])
    assert "of 400 leaves no room" in summary["ended"]
    assert summary["position"] in range(400 - 13, 400)


def test_a_session_past_2048_positions(make: Make, tmp_path: Path) -> None:
    """Where float16 begins to round positions, behind a long prompt; two channels, one recording after another."""
    reference, opened = make("long")
    prompt = "bad" * 617
    files, samples = [tmp_path / f"{n}.wav" for n in range(2)], [sound(s, 7 + n) for n, s in enumerate((12, 4))]
    for file, values in zip(files, samples, strict=True):
        soundfile.write(file, np.stack((values, values), axis=1), 16_000)
    lines, summary = ours(opened, files, prompt, mode="offline", gap_s=1.0, max_returned_tokens=None)
    same(lines, list(reference.session([s / 32_768 for s in samples], prompt, online=False, gap_s=1.0)), files)
    assert summary["position"] > 2_400
    assert sum(line["token_ids"][-1] == TEXT_END for line in lines) > 5


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 2)])
def test_other_rates_and_channels_decide_alike(rate: int, channels: int, make: Make, tmp_path: Path) -> None:
    """A sound below 3 kHz, stored at another rate: what is heard is what was there before."""
    reference, opened = make("plain")
    low = scipy.signal.firwin(401, 2_800, fs=16_000)
    samples = scipy.signal.filtfilt(low, 1, sound(4, 9) / 65_536)
    up, down = (rate // 100, 160) if rate % 16_000 else (rate // 16_000, 1)
    stored = scipy.signal.resample_poly(samples, up, down)
    soundfile.write(tmp_path / "a.wav", np.stack([stored] * channels, axis=1), rate, subtype="FLOAT")
    ((_, heard),) = recordings([tmp_path / "a.wav"])
    inner = slice(2_000, len(samples) - 2_000)
    assert np.abs(heard[: len(samples)] - samples)[inner].max() < 2e-3 * np.abs(samples).max()
    lines, _ = ours(opened, [tmp_path / "a.wav"], mode="online", gap_s=0.0, max_returned_tokens=None)
    wanted = reference.session([samples], PROMPT, online=True, gap_s=0.0)
    assert [line["decision"] for line in lines] == [
        "silent" if drawn == [KEEP_SILENCE] else "response" for _, _, drawn, _ in wanted
    ]
