"""Encoder features of training rows against those that the released scripts wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from flows.export import encoders
from pipeline.errors import BadInput
from pipeline.shards.exporters.audio_interaction import Encoders
from pipeline.streaming.logmel import at_once
from schemas.protocol import OFFLINE_MAX_SAMPLES, offline_frames

FRAME = 640


@pytest.fixture(scope="module")
def heard(golden_folder: Path) -> Encoders:
    return encoders(str(golden_folder), "cpu")


def read(golden: Path, name: str) -> np.ndarray:
    return soundfile.read(golden / name, dtype="float32")[0]


def recording(golden: Path, name: str) -> np.ndarray:
    """A golden input; `long_21s.wav` is joined as inputs/manifest.json says."""
    if name.startswith("inputs/"):
        return read(golden, name)
    plan = json.loads((golden / "inputs/manifest.json").read_text())[Path(name).stem]
    whole = np.concatenate([read(golden, f"inputs/{part}.wav") for part in plan["parts"]])
    return np.resize(whole, plan["total_samples"])


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return got.shape == wanted.shape and float(np.abs(got - wanted).max()) <= 2e-4


def test_features_of_offline_rows(golden: Path, expected: Any, heard: Encoders) -> None:
    rows, features = expected("annotation_offline"), expected("annotation_offline_features.npz")
    compared = 0
    for row in rows["output"]:
        source = rows["input"][row["idx"]]
        source = source.get("conversation", [source])[0]
        name = source.get("audio_path") or source.get("merge_path")
        if row["audio_pos"] is None:
            continue
        samples = recording(golden, name)[:OFFLINE_MAX_SAMPLES]
        found = heard.offline(samples)
        assert close(found, features[f"idx{row['idx']}"]), name
        assert offline_frames(len(samples)) == len(found) == np.diff(row["audio_pos"][0])[0]
        compared += 1
    assert compared == 5


def test_lengths_of_offline_recordings(expected: Any) -> None:
    for case in expected("annotation_load_mel_lengths"):
        if "error" in case:
            with pytest.raises(BadInput, match="too short"):
                at_once(np.zeros(case["samples"], np.float32))
        else:
            assert offline_frames(case["samples"]) == case["output_len"]


def test_features_of_online_rows(golden: Path, expected: Any, heard: Encoders) -> None:
    noise = read(golden, "inputs_annotation/noise.wav")
    whole = expected("annotation_end_to_end")
    for record in whole["step3"]:
        parts = []
        for turn in record["turns"]:
            at = round(turn["leading_noise_start_s"] * 16_000)
            parts.append(noise[at : at + turn["leading_silence_frames"] * FRAME])
            length = turn["audio_frames"] * FRAME
            said = read(golden, turn["audio_path"])[:length]
            parts.append(np.pad(said, (0, length - len(said))))
        at = round(record["tail_noise_start_s"] * 16_000)
        parts.append(noise[at : at + record["tail_silence_frames_actual"] * FRAME])
        spliced = np.clip(np.concatenate(parts) * 32767.0, -32768, 32767).astype(np.int16)
        assert hashlib.sha256(spliced.tobytes()).hexdigest() in json.dumps(whole)
        found = heard.online(spliced.astype(np.float32) / 32768)
        assert close(found, expected("annotation_end_to_end_features.npz")[f"idx{record['idx']}"])


@pytest.mark.parametrize("columns", [3, 4, 199, 200, 201, 202, 203, 401])
def test_every_length_has_the_features_it_is_laid_out_with(heard: Encoders, columns: int) -> None:
    samples = np.random.default_rng(columns).uniform(-0.5, 0.5, columns * 160).astype(np.float32)
    assert len(heard.offline(samples)) == offline_frames(len(samples))
