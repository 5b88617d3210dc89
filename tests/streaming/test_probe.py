"""The probe's contract: causal, the same in chunks and as a whole, its state a value."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import BadInput
from pipeline.streaming.probe import (
    BUNDLED,
    CRITERIA,
    FAMILIES,
    Card,
    Network,
    Probe,
    State,
    features_of,
    load_probe,
    load_state,
    save_state,
    save_weights,
)
from schemas.probe import ProbeRecipe
from schemas.protocol import CHUNK_SAMPLES, KEEP_SILENCE, TEXT_BEGIN

CHUNKS = 12


@pytest.fixture(scope="module")
def probe() -> Probe:
    """Drawn weights, whose probabilities lie around the threshold."""
    torch.manual_seed(3)
    network = Network(len(CRITERIA))
    with torch.no_grad():
        for norm in network.norms:
            assert isinstance(norm, torch.nn.BatchNorm2d)
            torch.nn.init.uniform_(norm.bias)
        network.answer.weight *= 20
    return Probe(network, Card(threshold=0.5))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Tones that come and go over noise."""
    draw = np.random.default_rng(0)
    time = np.arange(CHUNKS * CHUNK_SAMPLES) / 16_000
    loud = 10 ** draw.uniform(-3, -0.5, CHUNKS).repeat(CHUNK_SAMPLES)
    pitch = draw.uniform(100, 3000, CHUNKS).repeat(CHUNK_SAMPLES)
    return (loud * np.sin(2 * np.pi * pitch * time) + 0.001 * draw.standard_normal(len(time))).astype(np.float32)


def steps(probe: Probe, samples: np.ndarray, state: State | None = None) -> tuple[list[float], list[str], State]:
    state = state or probe.start()
    heard, decisions = [], []
    for chunk in samples.reshape(-1, CHUNK_SAMPLES):
        decision, state = probe.step(chunk, state)
        assert state.judgement is not None
        heard.append(state.judgement.respond)
        decisions.append(decision.decision)
    return heard, decisions, state


def test_in_chunks_it_hears_what_it_hears_as_a_whole(probe: Probe, samples: np.ndarray) -> None:
    heard, decisions, state = steps(probe, samples)
    whole = probe.listen(features_of(samples))
    assert np.ptp(heard) > 0.1
    np.testing.assert_allclose(heard, whole.respond, atol=1e-5)
    assert state.judgement is not None
    np.testing.assert_allclose(state.judgement.families, whole.families[-1], atol=1e-5)
    assert tuple(np.flatnonzero(np.array(decisions) == "response")) == whole.replies


def test_the_future_changes_nothing(probe: Probe, samples: np.ndarray) -> None:
    cut = 7
    other = samples.copy()
    other[cut * CHUNK_SAMPLES :] = 0.9
    before, after = probe.listen(features_of(samples)), probe.listen(features_of(other))
    np.testing.assert_allclose(after.respond[:cut], before.respond[:cut], atol=1e-6)
    assert abs(after.respond[cut] - before.respond[cut]) > 1e-4


def test_a_state_is_a_value(probe: Probe, samples: np.ndarray, tmp_path: Path) -> None:
    half = CHUNKS // 2 * CHUNK_SAMPLES
    heard, decisions, _ = steps(probe, samples)
    _, _, state = steps(probe, samples[:half])
    save_state(state, tmp_path / "state.safetensors")
    for kept in (state, load_state(tmp_path / "state.safetensors", probe)):
        again, same, _ = steps(probe, samples[half:], kept)
        np.testing.assert_allclose(again, heard[CHUNKS // 2 :], atol=1e-6)
        assert same == decisions[CHUNKS // 2 :]
    assert steps(probe, samples)[0] == heard


def test_it_answers_once_and_then_when_its_cause_is_over(probe: Probe) -> None:
    assert probe.replies([0.1, 0.9, 0.9, 0.4, 0.9, 0.1, 0.6, 0.2]) == (1, 6)


def test_decisions_carry_control_ids_only(probe: Probe, samples: np.ndarray) -> None:
    decision, _ = Probe(probe.network, Card(threshold=1e-9)).step(samples[:CHUNK_SAMPLES], probe.start())
    assert (decision.decision, decision.token_ids, decision.text, decision.emotion) == (
        "response",
        (TEXT_BEGIN,),
        "",
        None,
    )
    decision, _ = Probe(probe.network, Card(threshold=1 - 1e-9)).step(samples[:CHUNK_SAMPLES], probe.start())
    assert (decision.decision, decision.token_ids) == ("silent", (KEEP_SILENCE,))


def test_weights_come_back_in_half_precision(probe: Probe, samples: np.ndarray, tmp_path: Path) -> None:
    save_weights(probe, tmp_path / "probe.safetensors")
    again = load_probe(tmp_path / "probe.safetensors")
    assert again.card == probe.card
    features = features_of(samples)
    np.testing.assert_allclose(again.listen(features).respond, probe.listen(features).respond, atol=0.02)


def test_comfort_belongs_to_the_policy_assist(probe: Probe, samples: np.ndarray) -> None:
    heard = probe.listen(features_of(samples))
    comforting = Probe(probe.network, probe.card, policy="assist").listen(features_of(samples))
    emotion = heard.answers[:, CRITERIA.index("emotion")]
    np.testing.assert_allclose(comforting.respond, heard.respond + emotion, atol=1e-6)


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        (np.zeros(100, np.float32), "float32 with 6400 samples"),
        (np.full(CHUNK_SAMPLES, np.nan, np.float32), "NaN"),
        (np.full(CHUNK_SAMPLES, 3000, np.float32), "32768"),
    ],
)
def test_no_chunk(probe: Probe, chunk: np.ndarray, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        probe.step(chunk, probe.start())


def test_no_weights(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"weights")
    with pytest.raises(BadInput, match="probe train"):
        load_probe(tmp_path / "x")
    with pytest.raises(BadInput, match="no saved state"):
        load_state(tmp_path / "x", Probe(Network(1), Card(answers=("respond",))))


def test_the_bundled_weights() -> None:
    file = Path(str(resources.files("pipeline.streaming"))) / BUNDLED
    assert file.stat().st_size < 4_000_000
    bundled = load_probe()
    assert bundled.card.answers == CRITERIA
    assert bundled.card.trained == ProbeRecipe(), "the recipe's defaults are another's; train the bundled probe again"
    noise = 0.01 * np.random.default_rng(0).standard_normal(20 * CHUNK_SAMPLES)
    assert bundled.listen(features_of(noise.astype(np.float32))).replies == ()


def test_silence_is_heard(probe: Probe) -> None:
    heard = probe.listen(features_of(np.zeros(3 * CHUNK_SAMPLES, np.float32)))
    assert np.isfinite(heard.respond).all()
    assert heard.families.shape == (3, len(FAMILIES))
