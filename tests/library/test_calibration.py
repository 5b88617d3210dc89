"""Thresholds learnt from pairs: right where scores separate, cautious where they do not, absent where data lack."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.library.calibration import UNCALIBRATED, fit


@given(st.floats(-0.2, 0.5), st.floats(0.2, 0.6), st.floats(0.02, 0.1), st.integers(0, 99))
def test_separate_samples_are_split_between_them(low, gap, spread, seed):
    draw = np.random.default_rng(seed)
    same, random = draw.normal(low + gap, spread / 3, 300), draw.normal(low, spread / 3, 900)
    learnt = fit(same, random)
    assert low < learnt.threshold < low + gap
    assert learnt.false_accepts is not None
    assert max(learnt.false_accepts, learnt.false_rejects or 0) < 0.06
    assert learnt.log_odds(learnt.threshold) == 0
    assert learnt.log_odds(low + gap) > 0 > learnt.log_odds(low)


def test_rare_pairs_weigh_as_much_as_frequent_ones():
    draw = np.random.default_rng(0)
    same, random = draw.normal(0.6, 0.1, 4_000), draw.normal(0.2, 0.1, 4_000)
    assert fit(same[:100], random).threshold == pytest.approx(fit(same, random).threshold, abs=0.03)
    assert fit(same, random).threshold == pytest.approx(0.4, abs=0.02)  # the midpoint, by symmetry


def test_scores_that_say_nothing_accept_nothing_and_weigh_nothing():
    draw = np.random.default_rng(1)
    learnt = fit(draw.normal(0.3, 0.1, 200), draw.normal(0.3, 0.1, 800))
    assert learnt.method == "highest of random pairs"
    assert learnt.false_accepts is not None
    assert learnt.false_accepts < 0.01
    assert learnt.log_odds(0.9) == 0
    inverted = fit(draw.normal(0.1, 0.05, 200), draw.normal(0.6, 0.05, 800))
    assert inverted.slope == 0


def test_too_few_pairs_teach_nothing():
    learnt = fit(np.full(3, 0.9), np.full(5, 0.1))
    assert (learnt.method, learnt.threshold) == ("none: too few pairs", UNCALIBRATED)
    alone = fit(np.zeros(0), np.linspace(0, 0.3, 50))
    assert (alone.method, alone.threshold) == ("highest of random pairs", 0.3)
