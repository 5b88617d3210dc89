import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.distributions import Distribution

parse = TypeAdapter(Distribution).validate_python
numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers, st.integers(0, 2**31))
def test_uniform_stays_in_its_bounds(a, b, seed):
    drawn = parse(["uniform", min(a, b), max(a, b)]).sample(np.random.default_rng(seed))
    assert min(a, b) <= drawn <= max(a, b)


@given(numbers, st.floats(0, 1e3), st.integers(0, 2**31))
def test_normal_is_clipped(mean, std, seed):
    distribution = parse(["normal", mean, std, mean - 1, mean + 1])
    drawn = distribution.sample(np.random.default_rng(seed))
    assert distribution.bounds[0] <= drawn <= distribution.bounds[1]


@given(st.lists(numbers, min_size=1, max_size=5), st.integers(0, 2**31))
def test_choice_draws_one_of_its_values(values, seed):
    assert parse(["choice", values]).sample(np.random.default_rng(seed)) in values


def test_a_bare_number_is_a_constant_and_survives_a_round_trip():
    constant = parse(3)
    assert constant.sample(np.random.default_rng(0)) == 3
    assert parse(constant.model_dump()) == constant


@pytest.mark.parametrize(
    "wrong", [["uniform", 2, 1], ["uniform", 1], ["gauss", 1, 2], [], "fast", ["choice", []], True]
)
def test_what_is_no_distribution_is_refused(wrong):
    with pytest.raises(ValidationError):
        parse(wrong)
