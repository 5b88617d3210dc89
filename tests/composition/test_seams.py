"""Crossfades keep power whatever the material, and the measure tells them from hard cuts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.composition.seams import crossfade_gains, hann_rise, measure_seams
from pipeline.composition.sources import tile

RATE = 16_000


def noise(samples: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(samples) * 0.1).astype(np.float32)


def power(x: np.ndarray) -> float:
    return float(np.mean(x.astype(np.float64) ** 2))


def test_unlike_material_gets_equal_power() -> None:
    out_gain, in_gain = crossfade_gains(noise(32_000, 1), noise(32_000, 2))
    assert out_gain**2 + in_gain**2 == pytest.approx(np.ones(32_000), abs=0.03)


def test_identical_material_gets_equal_gain() -> None:
    x = noise(320, 1)
    out_gain, in_gain = crossfade_gains(x, x)
    assert out_gain + in_gain == pytest.approx(np.ones(320), abs=1e-5)


@given(r=st.floats(0, 1), seed=st.integers(0, 1000))
def test_power_is_constant_at_any_correlation(r: float, seed: int) -> None:
    a, other = noise(16_000, seed), noise(16_000, seed + 5000)
    b = (r * a + np.sqrt(1 - r * r) * other).astype(np.float32)
    out_gain, in_gain = crossfade_gains(a, b)
    mixed = a * out_gain + b * in_gain
    for part in np.split(mixed, 8):
        assert 10 * np.log10(power(part) / 0.01) == pytest.approx(0, abs=0.8)


def test_tapered_clips_cross_like_untapered_ones() -> None:
    a, b, rise = noise(32_000, 1), noise(32_000, 2), hann_rise(32_000)
    out_gain, in_gain = crossfade_gains(a, b)
    out_rest, in_rest = crossfade_gains(a * rise[::-1], b * rise, taper_out_samples=32_000, taper_in_samples=32_000)
    assert a * rise[::-1] * out_rest == pytest.approx(a * out_gain, abs=1e-4)
    assert b * rise * in_rest == pytest.approx(b * in_gain, abs=1e-4)


def test_gains_begin_and_end_where_nothing_overlaps() -> None:
    for r in (0, 1):
        a, b = noise(640, 1), noise(640, 1 + (1 - r))
        out_gain, in_gain = crossfade_gains(a, b, taper_out_samples=320)
        assert (out_gain[0], in_gain[-1]) == pytest.approx((1, 1), abs=1e-3)
        assert in_gain[0] < 1e-3


def seam_of(x: np.ndarray, place: int) -> float:
    return measure_seams(lambda lo, hi: x[lo:hi], [(place, "join")], total_samples=x.size)[0].jump


@pytest.mark.parametrize("kind", ["tones", "levels", "colours"])
def test_a_crossfade_measures_lower_than_a_cut(kind: str) -> None:
    t = np.arange(RATE) / RATE
    a, b = {
        "tones": (0.2 * np.sin(2 * np.pi * 440 * t), 0.2 * np.sin(2 * np.pi * 1234 * t + 1)),
        "levels": (noise(RATE, 1), noise(RATE, 2) * 0.03),
        "colours": (np.cumsum(noise(RATE, 1)) * 0.02, noise(RATE, 2)),
    }[kind]
    a, b = a.astype(np.float32), b.astype(np.float32)
    out_gain, in_gain = crossfade_gains(a[-320:], b[:320])
    crossed = np.concatenate([a[:-320], a[-320:] * out_gain + b[:320] * in_gain, b[320:]])
    cut = np.concatenate([a, b])
    assert seam_of(crossed, RATE - 160) < 0.9 * seam_of(cut, RATE)


def test_no_join_at_all_measures_near_one() -> None:
    x = noise(20 * RATE, 3)
    places = [(k * RATE, "join") for k in range(1, 19)]
    seams = measure_seams(lambda lo, hi: x[lo:hi], places, total_samples=x.size)  # type: ignore[arg-type]
    assert np.median([s.jump for s in seams]) == pytest.approx(1, abs=0.25)


def test_joins_without_surroundings_are_left_out() -> None:
    x = noise(RATE, 3)
    assert measure_seams(lambda lo, hi: x[lo:hi], [(10, "edge"), (RATE, "edge")], total_samples=RATE) == ()


@pytest.mark.parametrize("sizes", [[16_000], [9_000, 30_000, 500], [2, 3]])
def test_a_tiled_bed_has_no_clicks_and_keeps_its_power(sizes: list[int]) -> None:
    smooth = np.convolve(noise(sum(sizes) + 400, 4), np.hanning(200), mode="valid").astype(np.float32)[: sum(sizes)]
    clips = np.split(smooth[np.random.default_rng(0).permutation(1)[0] :], np.cumsum(sizes)[:-1])
    period, joins = tile(clips, fade_samples=320)
    assert len(joins) == len(sizes)
    twice = np.tile(period, 2)
    if min(sizes) > 100:
        assert np.abs(np.diff(twice)).max() <= 1.5 * np.abs(np.diff(smooth)).max()
        assert 10 * np.log10(power(period) / power(smooth)) == pytest.approx(0, abs=0.6)


def test_hard_tiles_repeat_the_clip_as_it_is() -> None:
    x = noise(20_000, 5)
    period, joins = tile([x], fade_samples=0)
    assert np.array_equal(period, x)
    assert joins == (0,)
