"""Estimated word times: in order, inside the sound, and out of its pauses."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MissingDependency
from pipeline.synthesis.align import estimated_words, words_of
from pipeline.synthesis.espeak import EspeakEngine


@given(
    st.lists(st.sampled_from(["a", "horn,", "twenty-three", "狗", "don't", "extraordinary!"]), min_size=1, max_size=30),
    st.integers(1, 60_000),
    st.integers(0, 2**32),
)
def test_words_cover_the_sound_in_order(words, length, seed):
    text = " ".join(words)
    samples = np.random.default_rng(seed).normal(size=length).astype(np.float32)
    found = estimated_words(samples, text)
    assert [w.word for w in found] == [m[0] for m in words_of(text)]
    assert found[0].start_sample == 0
    assert found[-1].end_sample == length
    for a, b in pairwise(found):
        assert 0 <= a.start_sample <= a.end_sample <= b.start_sample <= b.end_sample <= length


def test_a_pause_belongs_to_no_word():
    sound, pause = np.full(8_000, 0.5, np.float32), np.zeros(16_000, np.float32)
    first, second = estimated_words(np.concatenate([sound, pause, sound]), "here, here!")
    assert first.end_sample <= 9_000
    assert second.start_sample >= 20_000


def test_the_estimate_is_near_what_the_engine_reports():
    engine = EspeakEngine()
    text = "Tell me as soon as you hear a smoke alarm or a dog that barks outside the house."
    try:
        speech = engine.speak(text, engine.voices("en-us")[0])
    except MissingDependency as missing:
        pytest.skip(str(missing))
    off = [
        abs(e.start_sample - r.start_sample)
        for e, r in zip(estimated_words(speech.samples, text), speech.words, strict=True)
    ]
    assert np.median(off) < 0.25 * 16_000
