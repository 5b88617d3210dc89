"""The varied renderers that the probe learns from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.synthesis.kinds import KINDS
from pipeline.validation.probe.scenes import HELD_OUT_KINDS, Palette, answer_of
from pipeline.validation.probe.varied import OTHERS, VARIED, recorded
from schemas.probe import ProbeScenes

RENDERERS = {
    **{kind: (renderer, lengths_s or KINDS[kind].duration_s) for kind, (renderer, lengths_s) in VARIED.items()},
    **{name: (other.renderer, other.duration_s) for name, other in OTHERS.items()},
}


def test_they_are_of_kinds_that_are_taught():
    assert set(VARIED) <= set(KINDS) - HELD_OUT_KINDS
    assert not set(OTHERS) & set(KINDS)


@pytest.mark.parametrize("kind", sorted(RENDERERS))
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), part=st.floats(0, 1))
def test_each_length_gives_a_sound_of_that_length_and_the_same_again(kind, seed, part):
    renderer, (low, high) = RENDERERS[kind]
    n = round(16_000 * (low + part * (min(high, 5) - low)))
    x, again = (renderer(np.random.default_rng(seed), n) for _ in range(2))
    assert x.shape == (n,)
    assert np.isfinite(x).all()
    assert np.abs(x).max() > 0.01
    assert np.array_equal(x, again)


def test_other_kinds_are_taught_as_harmless_and_never_examined():
    taught = {part: Palette(ProbeScenes(), part, 0) for part in ("train", "tune", "seeds", "kinds")}
    for part, palette in taught.items():
        assert (set(OTHERS) <= set(palette.benign)) == (part in ("train", "tune"))
        assert not set(OTHERS) & set(palette.triggers)
    assert all(answer_of(name) is None for name in OTHERS)


@given(seed=st.integers(0, 2**32))
def test_a_recording_keeps_length_and_range_and_its_source(seed):
    source = (0.5 * np.sin(np.arange(8_000) / 5)).astype(np.float32)
    before = source.copy()
    x = recorded(source, np.random.default_rng(seed))
    assert x.dtype == np.float32
    assert x.shape == source.shape
    assert np.abs(x).max() == pytest.approx(0.85)
    assert np.array_equal(source, before)
