"""Drawing tokens: against the definitions, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.streaming.sampling import GREEDY, Sampling, draw, probabilities

LOGITS = torch.tensor([1.0, 3.0, 2.0, 0.0])


def softmax(values: list[float]) -> np.ndarray:
    weights = np.exp(np.array(values))
    return weights / weights.sum()


def test_greedy_takes_the_first_of_the_largest() -> None:
    assert draw(torch.tensor([0.0, 5.0, 5.0]), GREEDY, 0.999) == 1
    assert probabilities(LOGITS, GREEDY).tolist() == [0, 1, 0, 0]


def test_temperature_divides() -> None:
    got = probabilities(LOGITS, Sampling(temperature=0.5))
    np.testing.assert_allclose(got, softmax([2, 6, 4, 0]))


def test_top_k_keeps_the_k_largest() -> None:
    got = probabilities(LOGITS, Sampling(temperature=1, top_k=2))
    np.testing.assert_allclose(got[[1, 2]], softmax([3, 2]))
    assert got[[0, 3]].tolist() == [0, 0]


def test_top_p_keeps_the_smallest_set_that_holds_p() -> None:
    # softmax(3, 2, 1, 0) = 0.644, 0.237, 0.087, 0.032
    for top_p, kept in ((0.0, 1), (0.5, 1), (0.65, 2), (0.88, 2), (0.89, 3), (1.0, 4)):
        got = probabilities(LOGITS, Sampling(temperature=1, top_p=top_p))
        assert int((got > 0).sum()) == kept
        assert float(got.sum()) == pytest.approx(1)


@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=20),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.05, 5),
    st.integers(1, 25),
    st.floats(0.01, 1),
)
def test_a_draw_has_probability(logits: list[float], uniform: float, temperature: float, k: int, p: float) -> None:
    sampling = Sampling(temperature, k, p)
    weights = probabilities(torch.tensor(logits), sampling)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[draw(torch.tensor(logits), sampling, uniform)]) > 0


def test_draws_are_as_frequent_as_probable() -> None:
    sampling = Sampling(temperature=1, top_k=3)
    drawn = [draw(LOGITS, sampling, u) for u in (np.arange(10_000) + 0.5) / 10_000]
    shares = np.bincount(drawn, minlength=4) / 10_000
    np.testing.assert_allclose(shares, probabilities(LOGITS, sampling), atol=2e-4)


@pytest.mark.parametrize("bad", [{"temperature": -1}, {"top_k": 0}, {"top_p": -0.1}, {"top_p": 1.1}])
def test_impossible_settings(bad: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        Sampling(**bad)  # type: ignore[arg-type]
