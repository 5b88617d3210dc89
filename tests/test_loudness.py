"""The fast loudness agrees with pyloudnorm; true peak agrees with plain oversampling."""

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample

from pipeline.loudness import PEAK_CONTEXT, active_energy, loudness, measure, true_peak

RATE = 16_000


def reference(x: np.ndarray) -> float:
    return float(pyloudnorm.Meter(RATE).integrated_loudness(x.astype(np.float64)))


def signal(kind: str, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    t = np.arange(int(seconds * RATE)) / RATE
    white = rng.standard_normal(t.size)
    x = {
        "white": 0.1 * white,
        "rumble": 0.02 * np.cumsum(white) / np.sqrt(np.arange(1, t.size + 1)),
        "50 Hz": 0.3 * np.sin(2 * np.pi * 50 * t),
        "1 kHz": 0.3 * np.sin(2 * np.pi * 1000 * t),
        "6 kHz": 0.3 * np.sin(2 * np.pi * 6000 * t),
        "bursts": 0.3 * white * (np.sin(2 * np.pi * 0.7 * t) > 0.8),
        "quiet and loud": white * np.where(t < seconds / 2, 0.001, 0.2),
    }[kind]
    return x.astype(np.float32)


@pytest.mark.parametrize("kind", ["white", "rumble", "50 Hz", "1 kHz", "6 kHz", "bursts", "quiet and loud"])
def test_agrees_with_pyloudnorm(kind: str) -> None:
    x = signal(kind, 20.0)
    assert loudness(x) == pytest.approx(reference(x), abs=0.05)


def test_agrees_with_pyloudnorm_on_recordings(shared: Path) -> None:
    for file in sorted((shared / "data" / "esc10").rglob("*.ogg"))[::16]:
        x, rate = soundfile.read(file, dtype="float32")
        x = np.asarray(resample(x, x.size * RATE // rate), np.float32)
        x = x[: x.size // 1600 * 1600]  # pyloudnorm counts a last block that is partly outside, the standard does not
        expected = reference(x)
        if np.isfinite(expected):
            assert loudness(x) == pytest.approx(expected, abs=0.05), file.name


def test_full_scale_sine_reads_what_the_standard_says() -> None:
    # BS.1770: 997 Hz at 0 dBFS in one channel reads -3.01 LKFS at 48 kHz; the shelf is a little lower at 16 kHz.
    t = np.arange(10 * RATE) / RATE
    assert loudness(np.sin(2 * np.pi * 997 * t).astype(np.float32)) == pytest.approx(-3.01, abs=0.1)


def test_short_clip_has_the_loudness_of_a_longer_one_of_its_kind() -> None:
    x = signal("white", 20.0)
    for samples in (200, 1600, 6399):
        short = np.median([loudness(x[k * 7000 : k * 7000 + samples]) for k in range(40)])
        assert short == pytest.approx(loudness(x), abs=0.5)


def test_digital_silence_around_a_clip_does_not_change_its_level() -> None:
    x = signal("white", 0.3)
    padded = np.concatenate([np.zeros(9000, np.float32), x, np.zeros(40_000, np.float32)])
    assert measure(padded) == measure(x)


def test_silence_has_no_loudness() -> None:
    silent = measure(np.zeros(RATE, np.float32))
    assert (silent.loudness_lufs, silent.peak_dbfs) == (-np.inf, -np.inf)


def test_true_peak_finds_what_lies_between_samples() -> None:
    t = np.arange(4000)
    x = np.sin(2 * np.pi * t / 4 + np.pi / 4).astype(np.float32)  # samples at +-0.707 of a sine of 1
    assert np.abs(x).max() == pytest.approx(0.7071, abs=1e-3)
    assert true_peak(x) == pytest.approx(1.0, abs=0.02)


@given(seed=st.integers(0, 10_000), size=st.integers(500, 3000), above=st.floats(0, 0.5))
def test_true_peak_agrees_with_an_ideal_interpolator(seed: int, size: int, above: float) -> None:
    rng = np.random.default_rng(seed)
    spectrum = np.zeros(size // 2 + 1, complex)
    spectrum[: int(0.4 * size)] = rng.standard_normal(int(0.4 * size)) + 1j * rng.standard_normal(int(0.4 * size))
    x = np.fft.irfft(spectrum, size)
    x *= np.hanning(size) * 0.5 / np.abs(x).max()
    ideal = float(np.abs(np.asarray(resample(x, size * 4))).max())
    found = true_peak(np.pad(x.astype(np.float32), PEAK_CONTEXT), above=above)
    assert found == 0 if ideal <= above - 0.01 else (found == pytest.approx(ideal, rel=0.03) or ideal < above + 0.01)


def test_active_level_leaves_pauses_out() -> None:
    burst = signal("white", 1.0)
    gappy = np.concatenate([burst, np.zeros(5 * RATE, np.float32), burst])
    energy, samples = active_energy(gappy)
    assert samples == 2 * burst.size
    assert energy == pytest.approx(2 * float(np.sum(burst.astype(float) ** 2)), rel=1e-4)
    assert active_energy(np.zeros(RATE, np.float32)) == (0.0, 0)
