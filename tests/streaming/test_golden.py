"""The released code's own results on a tiny checkpoint: features, ids, decisions, positions."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from pipeline.errors import SessionFull
from pipeline.streaming.checkpoint import Model
from pipeline.streaming.encoder import blocks_of
from pipeline.streaming.files import FileSession, Line, with_gaps
from pipeline.streaming.logmel import Ear, hear, offline
from pipeline.streaming.session import RESET_AT, Session
from schemas.protocol import CHUNK_SAMPLES

SHORT = (
    "boundary_flip chirp_silence cough_music_01 cough_music_02 cough_music_03 count_bark_01 count_bark_02 "
    "exact_0800ms short_0050ms tone_frame"
).split()
RUNS = [
    *(f"single_{name}" for name in SHORT),
    *(f"session_{name}" for name in ("count_bark", "cough_music", "mixed")),
    *(f"budget_{n}" for n in (71, 76, 80, 83, 95)),
    pytest.param("long_fit", marks=pytest.mark.slow),  # as long as the next one, which also ends
    "long_over",
]


@pytest.fixture(scope="session")
def recording(golden: Path) -> Any:
    """`recording("chirp_silence")`: its samples; long ones are joined as golden/inputs/manifest.json says."""
    manifest = json.loads((golden / "inputs" / "manifest.json").read_text())

    def read(name: str) -> np.ndarray:
        if name in manifest:
            whole = np.concatenate([read(part) for part in manifest[name]["parts"]])
            return np.resize(whole, manifest[name]["total_samples"])
        return soundfile.read(golden / "inputs" / f"{name}.wav", dtype="float32")[0]

    return read


@pytest.fixture(scope="session")
def session(golden_model: Model, expected: Any) -> Session:
    return Session(golden_model, system_prompt=expected("tokenizer")["cases"][0]["text"])


def padded(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return float(np.abs(got - wanted).max()) <= 1e-4 * float(np.abs(wanted).max())


def test_tokenizer(golden_model: Model, session: Session, expected: Any) -> None:
    cases = expected("tokenizer")
    assert list(session.prefix) == cases["prefix_ids"]
    for case in cases["cases"]:
        assert golden_model.text.encode(case["text"]) == case["ids"]
        assert golden_model.text.decode(case["ids"]) == case["decoded"]
    for case in cases["decode_single"]:
        assert golden_model.text.decode([case["id"]]) == case["text"]


@pytest.mark.parametrize("name", SHORT)
def test_log_mel(name: str, recording: Any, expected: Any) -> None:
    mel, facts = offline(recording(name)).numpy(), expected("logmel")[name]
    assert list(mel.shape) == facts["shape"]
    for statistic in ("min", "max", "mean", "std"):
        assert float(getattr(mel, statistic)()) == pytest.approx(facts[statistic], abs=1e-4)
    whole = expected("logmel_short.npz")
    if name in whole:
        assert close(mel, whole[name])


@pytest.mark.parametrize("name", SHORT)
def test_features(name: str, golden_model: Model, recording: Any, expected: Any) -> None:
    samples = recording(name)
    frames = golden_model.encoder(blocks_of(offline(samples))).numpy()
    assert close(frames, expected("features_offline.npz")[name])
    ear, blocks = Ear(), []
    for chunk in padded(samples).reshape(-1, CHUNK_SAMPLES):
        mel, ear = hear(chunk, ear)
        blocks.append(mel)
    assert close(golden_model.encoder(torch.stack(blocks)).numpy(), expected("features_online.npz")[name])


@pytest.mark.parametrize("name", ["long_fit", "long_over"])
def test_features_of_long_recordings(name: str, golden_model: Model, recording: Any, expected: Any) -> None:
    frames = golden_model.encoder(blocks_of(offline(recording(name)))[::5]).numpy()
    assert close(frames, expected("features_offline_long_every5.npz")[name])


def test_features_of_inserted_silence(golden_model: Model, expected: Any) -> None:
    frames = golden_model.encoder(blocks_of(offline(np.zeros(16_000, np.float32)))).numpy()
    assert close(frames, expected("features_offline.npz")["silence_1s"])


@pytest.mark.parametrize("name", RUNS)
def test_stream(name: str, session: Session, recording: Any, expected: Any) -> None:
    run = expected(f"stream_{name}")
    files = FileSession(session, max_returned_tokens=run["max_returned_tokens"])
    lines: list[Line] = []
    # The reference fails where we end the session.
    with pytest.raises(SessionFull) if run["error"] else contextlib.nullcontext():
        for line in files.run(with_gaps(((name, recording(name)) for name in run["files"]), 1.0)):
            lines.append(line)
    wanted = [
        (
            step["kind"] == "silence",
            chunk["pos"][1] + len(chunk.get("reply", [])),
            chunk["decision"],
            chunk.get("reply"),
        )
        for step in run["steps"]
        for chunk in step["chunks"]
    ]
    got = [
        (line.gap, line.decision.position, line.decision.token_ids[0], list(line.decision.token_ids[1:]) or None)
        for line in lines
    ]
    assert got == wanted
    assert [line.decision.chunk for line in lines] == list(range(len(lines)))
    turns = [list(line.decision.token_ids) for line in lines if not line.decision.cut]
    assert run["turns"] is None or turns == run["turns"]


@pytest.mark.parametrize("name", ["session_mixed", "budget_83", pytest.param("long_fit", marks=pytest.mark.slow)])
def test_hidden_states(name: str, session: Session, recording: Any, expected: Any) -> None:
    """Behind every forward: hidden state, some logits, last position, tokens fed, token drawn."""
    run, trace = expected(f"stream_{name}"), expected("stream_trace.npz")
    probes = trace["probe_ids"]
    seen: list[tuple[Any, ...]] = []
    decoder = session.model.decoder

    class Watched(type(decoder)):  # type: ignore[misc]
        def forward(self, feeds: Any) -> Any:
            hidden, caches = decoder.forward(feeds)
            logits = decoder.logits(hidden)[0]
            fed = len(feeds[0].embeddings)
            seen.append((hidden[0].numpy(), logits[probes].numpy(), feeds[0].position + fed - 1, fed, logits.argmax()))
            return hidden, caches

    watched = replace(session.model, decoder=Watched(decoder.model, decoder.head))
    prompted = Session(watched, system_prompt=expected("tokenizer")["cases"][0]["text"])
    files = FileSession(prompted, max_returned_tokens=run["max_returned_tokens"])
    for _ in files.run(with_gaps(((name, recording(name)) for name in run["files"]), 1.0)):
        pass
    hidden, logits, positions, counts, tokens = (np.array(column) for column in zip(*seen, strict=True))
    assert np.abs(hidden - trace[f"{name}/hidden"]).max() < 2e-4
    assert np.abs(logits - trace[f"{name}/probe_logits"]).max() < 1e-3
    np.testing.assert_array_equal(positions, trace[f"{name}/pos_last"])
    np.testing.assert_array_equal(counts, trace[f"{name}/n_in"])
    np.testing.assert_array_equal(tokens, trace[f"{name}/token"])


def test_web_session(golden_model: Model, recording: Any, expected: Any) -> None:
    """The released web server: online features, everything forgotten after a reply and at 1,500 positions."""
    web, features = expected("web_session"), expected("web_session_features.npz")["features"]
    prompt = expected("tokenizer")["cases"][0]["text"]
    session = Session(golden_model, system_prompt=prompt, eviction="reset", max_reply_tokens=web["max_text_tokens"])
    state, label, got, wanted, frames = session.start(), "", [], [], []
    for event in web["log"]:
        if event["ev"] == "post":
            label = event["label"]
        elif event["ev"] == "reset" and event["reply_count_before"] == 0 and event["maxp1_before"] < RESET_AT:
            state = session.reset(state)  # the harness's own, in between
        elif event["ev"] == "text":
            wanted[-1].append(event["token"])
        elif event["ev"] == "frame" and label == "oversize":
            frames.append(np.full_like(features[0], np.nan))  # of a frame that is not stored; a reset follows
        elif event["ev"] == "frame":
            name, index = label.split("#")
            chunks = padded(recording(name)).reshape(-1, CHUNK_SAMPLES)
            chunk = chunks[int(index) % len(chunks)]
            frames.append(session.perceive(chunk, state)[0][0].numpy())
            assert (state.position or len(session.prefix) - 1) + 1 == event["maxp1_before"]
            decision, state = session.step(chunk, state)
            got.append(list(decision.token_ids))
            wanted.append([event["token"]])
    assert got == wanted
    stored = [i for i in range(len(features)) if not np.isnan(frames[i]).any()]
    assert close(np.stack([frames[i] for i in stored]), features[stored])
