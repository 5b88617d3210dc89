import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.validation.locate import Match, match, match_anywhere

REACH = 3_000


def sound(seed: int, size: int = 8_000) -> np.ndarray:
    """Coloured noise under a decaying envelope, as a struck object sounds."""
    draw = np.random.default_rng(seed)
    white = draw.standard_normal(size + 64)
    coloured = np.convolve(white, np.hanning(24), mode="valid")[:size]
    return (0.1 * coloured * np.exp(-np.arange(size) / 3_000)).astype(np.float32)


def hum(size: int, level: float) -> np.ndarray:
    """A loud tone with some noise, which a plain correlation would be misled by."""
    draw = np.random.default_rng(7)
    return (level * np.sin(np.arange(size) * 0.05) + 0.2 * level * draw.standard_normal(size)).astype(np.float32)


def look(stem: np.ndarray, *, lag: int, gain: float, level: float) -> Match:
    """Match `stem` in a hum that holds it at `lag`, as the checker does: the rest is what is left without it."""
    recording = hum(len(stem) + 2 * REACH, level)
    recording[REACH + lag : REACH + lag + len(stem)] += gain * stem
    rest = recording.copy()
    rest[REACH : REACH + len(stem)] -= stem
    return match(recording, stem, rest, reach=REACH)


@given(seed=st.integers(0, 1000), gain=st.floats(0.0, 2.0), level=st.floats(0.001, 0.1))
def test_the_gain_is_found_within_its_error(seed: int, gain: float, level: float) -> None:
    found = look(sound(seed), lag=0, gain=gain, level=level)

    assert abs(found.gain - gain) < 6 * found.error + 0.02


@given(seed=st.integers(0, 1000), lag=st.integers(-REACH, REACH))
def test_a_shift_is_found_to_the_sample(seed: int, lag: int) -> None:
    found = look(sound(seed), lag=lag, gain=1.0, level=0.02)

    assert found.best_lag == lag
    assert found.best_gain == pytest.approx(1.0, abs=0.1)


def test_another_sound_is_no_match() -> None:
    recording = hum(8_000 + 2 * REACH, 0.01)
    recording[REACH : REACH + 8_000] += sound(1)

    found = match(recording, sound(2), recording, reach=REACH)

    assert abs(found.gain) < 6 * found.error
    assert found.error < 0.1


def test_a_tone_is_not_called_shifted_because_it_repeats() -> None:
    tone = (0.1 * np.sin(np.arange(8_000) * 0.2)).astype(np.float32)

    found = look(tone, lag=0, gain=1.0, level=0.001)

    assert found.best_gain - found.gain < 0.05


@pytest.mark.parametrize("phase", [0, 3_000, 7_999])
def test_a_tiled_bed_is_found_at_any_phase(phase: int) -> None:
    period = sound(3)
    recording = np.resize(np.roll(period, -phase), 60_000) + hum(60_000, 0.002)

    found = match_anywhere(recording.astype(np.float32), period)

    # Neighbouring repetitions add to it where they meet; the checker allows 0.3.
    assert found.gain == pytest.approx(1.0, abs=0.25)
    assert found.best_lag % len(period) == (-phase) % len(period)


def test_a_bed_cut_from_a_longer_clip_is_found() -> None:
    clip = np.random.default_rng(4).standard_normal(50_000).astype(np.float32)

    found = match_anywhere(clip[12_345:32_345], clip)

    assert found.best_lag == -12_345
    assert found.gain == pytest.approx(1.0, abs=0.01)
