"""Blocks of any size and rate become the same chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.library.decode import resample
from pipeline.streaming.intake import Intake, from_pcm16
from pipeline.streaming.logmel import Ear, hear
from schemas.protocol import CHUNK_SAMPLES
from tests.streaming.conftest import noise

RATES = (8_000, 16_000, 22_050, 44_100, 48_000)


def chunks_of(samples: np.ndarray, rate: int, cuts: list[int]) -> list[np.ndarray]:
    intake, result = Intake(rate), []
    for block in np.split(samples, cuts):
        chunks, intake = intake.push(block)
        result += chunks
    return [*result, *intake.flush()]


@given(rate=st.sampled_from(RATES), seed=st.integers(0, 9), cuts=st.lists(st.integers(0, 60_000), max_size=30))
@settings(max_examples=20)
def test_blocks_do_not_show(rate: int, seed: int, cuts: list[int]) -> None:
    samples = noise(9, seed)[:, :5000].ravel()
    whole, cut = (chunks_of(samples, rate, c) for c in ([], sorted(cuts)))
    assert len(whole) == -(-len(samples) * 16_000 // (rate * CHUNK_SAMPLES))
    np.testing.assert_array_equal(np.stack(whole), np.stack(cut))


def test_single_samples_and_one_minute() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 7_000).astype(np.float32)
    one_by_one = chunks_of(samples, 16_000, list(range(1, len(samples))))
    np.testing.assert_array_equal(np.concatenate(one_by_one)[: len(samples)], samples)
    minute = np.resize(samples, 48_000 * 60)
    assert len(chunks_of(minute, 48_000, [])) == 150


@pytest.mark.parametrize("rate", RATES)
def test_resampled_as_whole_recordings_are(rate: int) -> None:
    samples = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    got = np.concatenate(chunks_of(samples, rate, [100, 7_000]))
    wanted = resample(samples, from_rate=rate)
    np.testing.assert_allclose(got[: len(wanted)], wanted, atol=1e-5)


def test_channels_are_averaged() -> None:
    left, right = noise(2)
    stereo = np.stack((left, right), axis=1)
    chunks, _ = Intake().push(stereo)
    np.testing.assert_allclose(chunks[0], (left + right) / 2, atol=1e-7)


def test_refused_with_a_reason() -> None:
    intake = Intake()
    for rate in (3_999, 192_005, 16_001):
        with pytest.raises(BadInput, match=f"a rate of {rate} Hz"):
            Intake(rate)
    for samples in (np.zeros(4), np.zeros((2, 2, 2), np.float32), np.zeros((3, 0), np.float32)):
        with pytest.raises(BadInput, match="cannot be heard"):
            intake.push(samples)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="NaN or infinite"):
        intake.push(np.array([0.1, np.nan], np.float32))
    with pytest.raises(BadInput, match="divide 16-bit integers"):
        intake.push(np.array([12_000.0], np.float32))
    with pytest.raises(BadInput, match="3 bytes are no whole number"):
        from_pcm16(b"abc")
    with pytest.raises(BadInput, match="0 channels"):
        from_pcm16(b"", channels=0)


def test_pcm16_is_what_soundfile_reads() -> None:
    np.testing.assert_array_equal(
        from_pcm16(np.array([0, 1, -32768, 32767], "<i2").tobytes())[:, 0],
        np.array([0, 1 / 32768, -1, 32767 / 32768], np.float32),
    )


def reencoded(history: np.ndarray) -> np.ndarray:
    """The reference's way: the log-mel of everything heard, reflected at both ends; its last 40 columns."""
    filters = _filters()
    spectrum = torch.stft(torch.from_numpy(history), 400, 160, window=torch.hann_window(400), return_complex=True)
    mel = (filters @ spectrum[:, :-1].abs().square()).clamp(min=1e-10).log10()
    return ((mel.clamp(min=float(mel.max()) - 8) + 4) / 4).numpy()[:, -40:]


def _filters() -> torch.Tensor:
    from pipeline.streaming.logmel import _filters

    return _filters()


def test_online_log_mel_is_that_of_the_whole_history() -> None:
    samples = np.concatenate((noise(6), np.zeros((2, CHUNK_SAMPLES), np.float32), noise(3, seed=7)))
    samples[3, -200:] = np.linspace(0, 1, 200)  # goes on with the opposite sign: the provisional column is far off
    samples[4, :200] = -1
    ear = Ear()
    for index, chunk in enumerate(samples):
        mel, ear = hear(chunk, ear)
        np.testing.assert_allclose(mel.numpy(), reencoded(samples[: index + 1].ravel()), atol=1e-4)
