"""Each operator of TFJP alone, on inputs whose answer is known by hand."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.conditioning.operators import (
    boundary_norm,
    core_locate,
    denoise,
    edge_trim,
    noise_profile,
    settled,
    silence_cut,
    silence_gate,
    silent_runs,
    spec_smooth,
)
from pipeline.conditioning.stft import BANDS, BINS, HOP, analyse, bands_of, entropy_of, istft, of_power, power_of, stft
from pipeline.conditioning.tfjp import splice
from schemas.conditioning import TfjpParams

PARAMS = TfjpParams()
TAU = 12  # silent frames that may hide 15 blocks, which are 300 ms


def frames(*runs: tuple[int, float]) -> np.ndarray:
    """Energies: (number of frames, dBFS) one after another."""
    return np.concatenate([np.full(count, 10 ** (level / 10), np.float32) for count, level in runs])


def white(frames_: int, level_db: float, seed: int = 0) -> np.ndarray:
    return (10 ** (level_db / 20) * np.random.default_rng(seed).standard_normal(frames_ * HOP)).astype(np.float32)


@given(length=st.integers(0, 400_000), seed=st.integers(0, 99))
def test_stft_inverts_to_the_sample(length, seed):
    samples = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)
    spectrum = stft(samples)
    assert spectrum.shape == (-(-length // HOP) + 2, BINS)
    np.testing.assert_allclose(istft(spectrum, length), samples, atol=2e-6)


def test_stft_matches_numpy_and_its_own_rows():
    samples = white(700, -20)
    spectrum = stft(samples)
    window = np.sqrt(np.hanning(2 * HOP + 1)[:-1])
    for row in (5, 511, 512, 600):
        start = (row - 1) * HOP - HOP // 2
        np.testing.assert_allclose(spectrum[row], np.fft.rfft(samples[start : start + 2 * HOP] * window), atol=1e-4)
    index = np.array([0, 5, 513, 701])
    np.testing.assert_allclose(analyse(samples).power(index), np.abs(spectrum[index]) ** 2, rtol=1e-5)


def test_energy_is_the_mean_square_and_bands_share_it():
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(50 * HOP) / 16_000)).astype(np.float32)
    analysis = analyse(tone)
    np.testing.assert_allclose(analysis.energy[2:-2], 0.125, rtol=1e-3)
    bands = bands_of(analysis.power(np.arange(52)))
    assert bands.shape == (52, BANDS)
    np.testing.assert_allclose(bands[2:-2].sum(axis=1), 0.125, rtol=1e-3)
    assert (bands[2:-2].argmax(axis=1) == 2).all()


@given(length=st.integers(0, 20_000), seed=st.integers(0, 99))
def test_energy_in_time_is_energy_in_frequency(length, seed):
    samples = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)
    np.testing.assert_allclose(analyse(samples).energy, of_power(power_of(stft(samples))).energy, rtol=1e-4, atol=1e-9)


def test_entropy_is_that_of_the_shares_of_the_bands():
    bands = np.random.default_rng(0).dirichlet(np.full(BANDS, 0.3), 50).astype(np.float32) * 1e-3
    expected = scipy.stats.entropy(bands.astype(float) + 1e-20, axis=1) / np.log(BANDS)
    np.testing.assert_allclose(entropy_of(bands), expected, atol=1e-5)
    assert entropy_of(np.ones((1, BANDS), np.float32)) == pytest.approx(1)
    assert entropy_of(np.eye(1, BANDS, dtype=np.float32)) == pytest.approx(0, abs=1e-6)


def test_gate_needs_the_floor_or_percentile_and_range():
    loud_and_faint = frames((80, -20), (10, -55), (10, -61))
    assert silence_gate(loud_and_faint, PARAMS).nonzero()[0].tolist() == list(range(90, 100))
    assert not silence_gate(frames((90, -20), (10, -59)), PARAMS)[:90].any()
    assert silence_gate(frames((91, -15), (10, -56)), PARAMS)[91:].all()  # in the percentile, 41 dB under the loudest
    assert not silence_gate(frames((91, -15), (10, -54)), PARAMS).any()  # in the percentile, 39 dB under it
    assert not silence_gate(frames((100, -20)), PARAMS).any()  # at the percentile are all


def test_runs():
    assert silent_runs(np.array([True, True, False, True])).tolist() == [[0, 2], [3, 4]]
    assert silent_runs(np.zeros(0, bool)).tolist() == []


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(20, -20), (TAU, -90), (20, -20)], range(52)),
        ([(20, -20), (TAU + 4, -90), (20, -20)], [*range(26), *range(30, 56)]),
        ([(30, -90), (20, -20)], range(30 - TAU, 50)),
        ([(20, -20), (30, -90)], range(20 + TAU)),
    ],
)
def test_silence_is_truncated_to_tau(runs, expected):
    assert silence_cut(frames(*runs), PARAMS).tolist() == list(expected)


@given(
    runs=st.lists(st.tuples(st.integers(1, 60), st.sampled_from([-90.0, -58.0, -45.0, -20.0])), min_size=1, max_size=9),
    unit=st.sampled_from([1, 10]),
)
def test_silence_cut_is_done_after_once_and_removes_whole_units(runs, unit):
    energy = frames(*runs)
    kept = silence_cut(energy, PARAMS, unit=unit)
    assert (len(energy) - len(kept)) % unit == 0
    again = energy[kept]
    assert len(silence_cut(again, PARAMS, unit=unit)) == len(kept)
    lengths = np.diff(silent_runs(silence_gate(again, PARAMS)), axis=1)
    assert (lengths <= TAU).all()
    assert set(np.flatnonzero(energy > 10**-4)) <= set(kept.tolist())


def test_edges_keep_edge_ms_and_the_inside_stays():
    assert edge_trim(frames((40, -90), (5, -20), (60, -90), (5, -20), (40, -90)), PARAMS) == (35, 115)
    assert edge_trim(frames((3, -90), (5, -20)), PARAMS) == (0, 8)


def test_noise_profile_is_the_spectrum_of_the_noise():
    samples = white(200, -40)
    samples[100 * HOP : 110 * HOP] += 0.5 * np.sin(2 * np.pi * 1000 * np.arange(10 * HOP) / 16_000)
    analysis = of_power(power_of(stft(samples))[1:-1])
    noise = noise_profile(analysis, np.arange(200), PARAMS)
    assert noise is not None
    true_level = 10**-4 * HOP  # of a bin: variance times the window's energy
    assert abs(10 * np.log10(noise[1:-1].mean() / true_level)) < 2
    assert noise.shape == (BINS,)


@pytest.mark.parametrize(
    "samples",
    [
        white(200, -30),  # nothing stands out of it
        np.concatenate([white(10, -10), white(190, -55)]),  # 45 dB under the loudest frame
        np.concatenate([white(10, -30), white(190, -70)]),  # under the floor
        0.5 * np.exp(-np.arange(200 * HOP) / 8000).astype(np.float32) * white(200, -3),  # a decay has no floor
        white(8, -30),  # too few frames
    ],
)
def test_no_noise_is_found_where_none_is(samples):
    analysis = analyse(samples)
    assert noise_profile(analysis, np.arange(1, len(analysis.energy) - 1), PARAMS) is None


def test_denoise_closes_on_noise_and_leaves_what_stands_out():
    power = power_of(stft(white(200, -40)))
    noise = np.full(BINS, 10**-4 * HOP, np.float32)
    power[100, 40:45] = 1000 * noise[40:45]
    gain = denoise(power, noise, PARAMS)
    assert gain.shape == power.shape
    assert gain.min() == pytest.approx(10**-3)
    assert gain.max() <= 1
    assert gain[100, 40:45].min() > 0.99
    elsewhere = np.r_[5:95, 105:195]
    assert 10 * np.log10((gain * power)[elsewhere].sum() / power[elsewhere].sum()) < -10
    assert (denoise(power, noise, TfjpParams(gamma=0)) == 1).all()


def test_denoise_does_not_depend_on_how_rows_are_grouped(monkeypatch):
    power = power_of(stft(white(200, -40)))
    noise = power[:20].mean(axis=0)
    whole = denoise(power, noise, PARAMS)
    monkeypatch.setattr("pipeline.conditioning.operators.ROWS", 7)
    np.testing.assert_allclose(denoise(power, noise, PARAMS), whole, rtol=1e-5)


def test_denoising_is_worth_it_for_noise_that_something_stands_out_of():
    samples = white(200, -40)
    rows = np.arange(1, 201)
    noise = np.full(BINS, 10**-4 * HOP, np.float32)
    assert settled(analyse(samples), rows, noise, PARAMS)  # the loudest is noise too
    samples[100 * HOP : 110 * HOP] += 0.5 * np.sin(2 * np.pi * 1000 * np.arange(10 * HOP) / 16_000)
    analysis = analyse(samples)
    assert not settled(analysis, rows, noise, PARAMS)
    assert settled(analysis, rows, noise / 100, PARAMS)  # nothing would fall
    assert settled(analysis, rows, noise, TfjpParams(gamma=0))
    power = power_of(stft(samples))
    cleaned = of_power(power * denoise(power, noise, PARAMS))
    assert noise_profile(cleaned, rows, PARAMS) is None or settled(cleaned, rows, noise, PARAMS)


def test_core_is_where_energy_is_and_prefers_low_entropy():
    energy = frames((30, -70), (20, -20), (10, -50), (20, -25), (30, -70))
    span = core_locate(energy, lambda index: np.ones(len(index), np.float32), PARAMS)
    assert span == (30, 80)
    faint = frames((20, -62), (20, -20), (20, -62))  # 42 dB under the loudest
    assert core_locate(faint, lambda index: np.ones(len(index), np.float32), PARAMS) == (20, 40)
    assert core_locate(faint, lambda index: np.zeros(len(index), np.float32), PARAMS) == (0, 60)


@given(st.data())
def test_core_is_the_span_of_the_largest_sum(data):
    levels = data.draw(st.lists(st.floats(-70, 0), min_size=2, max_size=40))
    least = data.draw(st.sampled_from([10.0, 20.0, 40.0]))
    energy = (10 ** (np.array(levels) / 10)).astype(np.float32)
    entropy = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(0, 1, len(energy)).astype(np.float32)
    start, stop = core_locate(energy, entropy.__getitem__, TfjpParams(range_db=least))
    score = energy / energy.max() / np.maximum(entropy, 0.1) - 10 ** (-least / 10)
    sums = [score[a:b].sum() for a in range(len(score)) for b in range(a + 1, len(score) + 1)]
    assert score[start:stop].sum() == pytest.approx(max(sums), abs=1e-5)


def test_core_lies_beside_the_loudest_frame_where_a_purer_sound_does():
    energy, entropy = np.zeros(32, np.float32), np.ones(32, np.float32)
    energy[0], energy[31], entropy[31] = 1, 0.2, 0.05
    assert core_locate(energy, entropy.__getitem__, TfjpParams(range_db=10)) == (31, 32)


@given(st.data())
def test_core_of_a_core_is_the_core(data):
    levels = data.draw(st.lists(st.floats(-80, 0), min_size=2, max_size=120))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    energy = (10 ** (np.array(levels) / 10)).astype(np.float32)
    entropy = rng.uniform(0, 1, len(energy)).astype(np.float32)
    start, stop = core_locate(energy, entropy.__getitem__, PARAMS)
    assert start <= int(energy.argmax()) < stop
    assert core_locate(energy[start:stop], entropy[start:stop].__getitem__, PARAMS) == (0, stop - start)


@given(st.data())
def test_boundaries_are_whole_steps_around_the_span(data):
    total = data.draw(st.integers(10, 400))
    start = data.draw(st.integers(0, total - 1))
    stop = data.draw(st.integers(start + 1, total))
    silent = np.zeros(total, bool)
    kept = boundary_norm((start, stop), silent, PARAMS)
    assert len(kept) % 10 == 0
    assert len(kept) >= 10
    assert (np.diff(kept) == 1).all()
    assert 0 <= kept[0] <= kept[-1] < total
    if len(kept) < total // 10 * 10 or stop - start <= len(kept) - 2:
        assert kept[0] <= start
        assert stop <= kept[-1] + 1
    again = boundary_norm((start - kept[0], min(stop - kept[0], len(kept))), np.zeros(len(kept), bool), PARAMS)
    assert len(again) == len(kept)


def test_boundary_comes_down_in_the_longest_pause():
    silent = np.zeros(47, bool)
    silent[5:10] = silent[20:32] = True
    kept = boundary_norm((1, 46), silent, PARAMS)
    assert kept.tolist() == [*range(22), *range(29, 47)]


def test_taper_is_hann_and_tapering_twice_is_once():
    tapered = spec_smooth(np.ones(8000, np.float32), PARAMS)
    ramp = np.sin(np.pi / 2 * np.arange(320) / 320) ** 2
    np.testing.assert_allclose(tapered[:320], ramp, atol=1e-6)
    np.testing.assert_allclose(tapered[-320:], ramp[::-1], atol=1e-6)
    assert (tapered[320:-320] == 1).all()
    assert spec_smooth(tapered, PARAMS) is tapered


def test_taper_leaves_an_end_at_rest_alone():
    samples = np.zeros(8000, np.float32)
    samples[200:7800] = 0.5
    assert spec_smooth(samples, PARAMS) is samples


@given(st.data())
def test_splice_places_every_sample_and_never_overshoots(data):
    lengths = data.draw(st.lists(st.integers(1, 1200), min_size=2, max_size=8))
    position, runs = 0, []
    for index, length in enumerate(lengths):
        if index % 2 == 0:
            runs.append((position, position + length))
        position += length
    samples = np.random.default_rng(0).uniform(-1, 1, position).astype(np.float32)
    joined = splice(samples, tuple(runs), PARAMS)
    assert len(joined) == sum(stop - start for start, stop in runs)
    assert np.abs(joined).max() <= np.abs(samples).max() + 1e-6
    place = 0
    for start, stop in runs:
        inner = slice(160, stop - start - 160) if stop - start > 320 else slice(0, 0)
        np.testing.assert_array_equal(joined[place : place + stop - start][inner], samples[start:stop][inner])
        place += stop - start
    constant = splice(np.ones(position, np.float32), tuple(runs), PARAMS)
    np.testing.assert_allclose(constant, 1, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"tau": 300}, {"tau_ms": 310}, {"tau_ms": 200}, {"max_iterations": 0}, {"gamma": -1}, {"silence_percentile": 80}],
)
def test_parameters_out_of_bounds_are_refused(change):
    with pytest.raises(ValidationError):
        TfjpParams(**change)


def test_defaults_are_the_papers():
    assert (PARAMS.tau_ms, PARAMS.max_iterations, PARAMS.omega_ms, PARAMS.delta_ms) == (300, 3, 20, 200)
    assert (PARAMS.gamma, PARAMS.silence_percentile, PARAMS.noise_percentile) == (1.0, 10, 5)
    assert all(field.description for field in TfjpParams.model_fields.values())
