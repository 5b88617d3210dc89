"""The varied renderers that the probe learns from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.synthesis.kinds import KINDS
from pipeline.validation.probe.scenes import HELD_OUT_KINDS
from pipeline.validation.probe.varied import VARIED, recorded


def test_they_are_of_kinds_that_are_taught():
    assert set(VARIED) <= set(KINDS) - HELD_OUT_KINDS


@pytest.mark.parametrize("kind", sorted(VARIED))
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), part=st.floats(0, 1))
def test_each_length_gives_a_sound_of_that_length_and_the_same_again(kind, seed, part):
    renderer, lengths_s = VARIED[kind]
    low, high = lengths_s or KINDS[kind].duration_s
    n = round(16_000 * (low + part * (min(high, 5) - low)))
    x, again = (renderer(np.random.default_rng(seed), n) for _ in range(2))
    assert x.shape == (n,)
    assert np.isfinite(x).all()
    assert np.abs(x).max() > 0.01
    assert np.array_equal(x, again)


@given(seed=st.integers(0, 2**32))
def test_a_recording_keeps_length_and_range_and_its_source(seed):
    source = (0.5 * np.sin(np.arange(8_000) / 5)).astype(np.float32)
    before = source.copy()
    x = recorded(source, np.random.default_rng(seed))
    assert x.dtype == np.float32
    assert x.shape == source.shape
    assert np.abs(x).max() == pytest.approx(0.85)
    assert np.array_equal(source, before)
