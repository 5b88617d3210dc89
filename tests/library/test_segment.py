"""Occurrences are what a listener would count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.library.segment import envelope, measure

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def burst(seconds: float) -> np.ndarray:
    """Noise with a sharp attack and a decay of 40 dB."""
    t = np.arange(round(seconds * RATE)) / RATE
    return noise(seconds, 1) * np.minimum(1, t / 0.01) * 10 ** (-2 * t / seconds)


def place(length_s: float, sounds: list[tuple[float, np.ndarray]], *, bed_db: float | None) -> np.ndarray:
    out = np.zeros(round(length_s * RATE)) if bed_db is None else noise(length_s, 2) * 10 ** (bed_db / 20)
    for start_s, sound in sounds:
        begin = round(start_s * RATE)
        out[begin : begin + len(sound)] += sound
    return out.astype(np.float32)


@settings(max_examples=60)
@given(
    gaps=st.lists(st.floats(0.30, 1.0), min_size=1, max_size=8),
    levels=st.lists(st.floats(-9.0, 0.0), min_size=8, max_size=8),
    length=st.floats(0.08, 0.2),
    bed_db=st.sampled_from([None, -75.0, -55.0]),
)
def test_bursts_are_counted_singly_and_found_where_they_are(gaps, levels, length, bed_db):
    starts = np.cumsum(gaps).tolist()
    sounds = [(start, 0.2 * 10 ** (level / 20) * burst(length)) for start, level in zip(starts, levels, strict=False)]
    measures = measure(place(starts[-1] + 1.0, sounds, bed_db=bed_db), rate=RATE)
    assert len(measures.occurrences) == len(starts)
    for (begin, end), start in zip(measures.occurrences, starts, strict=True):
        assert begin / RATE == pytest.approx(start, abs=0.03)
        assert start + 0.5 * length < end / RATE < start + length + 0.1
    assert measures.track_class == "event"


def test_a_short_lead_and_its_long_body_are_one_sound():
    crow = [(0.5, 0.2 * noise(0.15, 1)), (0.85, 0.3 * noise(1.2, 2))]
    assert len(measure(place(3, crow, bed_db=-70), rate=RATE).occurrences) == 1


def test_the_breath_before_a_sneeze_belongs_to_it():
    sneeze = [(0.5, 0.02 * burst(0.15)), (0.75, 0.3 * burst(0.25))]
    assert len(measure(place(3, sneeze, bed_db=-75), rate=RATE).occurrences) == 1


@pytest.mark.parametrize("swell_db", [0.0, 5.0])
def test_stationary_sound_is_one_ambient_occurrence(swell_db):
    t = np.arange(5 * RATE) / RATE
    rain = (0.05 * noise(5) * 10 ** (swell_db * np.sin(2 * np.pi * t / 4) / 20)).astype(np.float32)
    measures = measure(rain, rate=RATE)
    assert measures.track_class == "ambient"
    assert measures.occurrences == ((0, len(rain)),)
    assert not measures.onset_cut
    assert not measures.offset_cut


def test_ticks_are_events_however_regular():
    ticks = place(5, [(0.25 * i + 0.1, 0.2 * burst(0.03)) for i in range(19)], bed_db=-60)
    measures = measure(ticks, rate=RATE)
    assert measures.track_class == "event"
    assert len(measures.occurrences) == 19


def test_a_sound_far_below_the_loudest_is_not_counted():
    sounds = [(0.5, 0.5 * burst(0.2)), (1.5, 0.005 * burst(0.2))]
    assert len(measure(place(3, sounds, bed_db=-90), rate=RATE).occurrences) == 1


def test_levels_floor_and_silence_are_measured():
    samples = place(4, [(1.0, 0.5 * burst(0.5))], bed_db=-60)
    samples[3 * RATE :] = 0
    measures = measure(samples, rate=RATE)
    assert measures.peak_dbfs == pytest.approx(20 * np.log10(np.abs(samples).max()), abs=0.01)
    assert measures.noise_floor_db == pytest.approx(-60, abs=1.5)
    assert measures.snr_db > 25
    assert measures.digital_silence_tail_s == pytest.approx(1.0, abs=1e-3)
    assert measures.silence_ratio == pytest.approx(0.25, abs=0.01)


def test_cut_edges_are_told_from_natural_ones():
    whole = place(2, [(0.5, 0.3 * burst(0.5))], bed_db=-70)
    assert not measure(whole, rate=RATE).onset_cut
    assert not measure(whole, rate=RATE).offset_cut
    attack_at_once = whole[round(0.5 * RATE) :]
    assert not measure(attack_at_once, rate=RATE).onset_cut
    assert measure(whole[round(0.56 * RATE) :], rate=RATE).onset_cut
    ended_early = whole[: round(0.6 * RATE)]
    assert measure(ended_early, rate=RATE).offset_cut
    assert measure(np.concatenate([ended_early, np.zeros(RATE, np.float32)]), rate=RATE).offset_cut


def test_digital_silence_is_refused():
    with pytest.raises(ValueError, match="nothing in it is louder"):
        measure(np.zeros(RATE, np.float32), rate=RATE)


@given(st.integers(1, 2_000), st.integers(0, 9))
def test_any_clip_however_short_has_ordered_occurrences_inside_it(length, seed):
    samples = (0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)
    spans = [edge for span in measure(samples, rate=RATE).occurrences for edge in span]
    assert spans == sorted(spans)
    assert 0 <= spans[0] < spans[-1] <= length


def test_the_envelope_is_the_level_of_its_frames():
    tone = (0.1 * np.sin(2 * np.pi * 1_000 * np.arange(8_000) / RATE)).astype(np.float32)
    assert envelope(tone, rate=RATE) == pytest.approx(np.full(50, 20 * np.log10(0.1 / np.sqrt(2))), abs=0.01)
