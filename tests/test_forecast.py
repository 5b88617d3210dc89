"""A forecast is what was measured, in proportion."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.forecast import forecast
from pipeline.shards.timings import OPENING, PLANNING, Timings
from schemas.recipe import Recipe

RECIPE = Recipe.model_validate({"streams_per_shard": 100})
MEASURED = Timings(
    streams=20,
    audio_s=1000.0,
    bytes=20_000_000,
    wall_s=30.0,
    cpu_s=28.0,
    peak_memory_mb=500.0,
    stages_s={PLANNING: 2.0, "composition": 18.0, "encoding": 10.0},
)
MANIFEST = {"rows": 20, "foreground_sources": {"retrieved": 150, "synthesized": 40, "spoken": 3}}


@given(items=st.integers(1, 3_000_000), machines=st.integers(1, 100), cores=st.integers(1, 64))
def test_everything_is_in_proportion(items, machines, cores):
    found = forecast(RECIPE, MEASURED, MANIFEST, items=items)
    times = items / 20
    assert found.streams == items
    assert found.hours == pytest.approx(times * 1000 / 3600)
    assert sum(found.stage_hours.values()) == pytest.approx(times * 30 / 3600)
    assert found.storage["flac and labels"] == pytest.approx(times * 20_000_000)
    assert found.storage["pcm 16 bit"] == pytest.approx(found.hours * 3600 * 32_000)
    assert found.made_sounds == pytest.approx(times * 40)
    assert found.shards == -(-items // 100)
    # Planning is one process, whatever the number of machines.
    assert found.wall_hours(machines, cores) == pytest.approx(times * (2 + 28 / (machines * cores)) / 3600)


def test_the_library_is_opened_once_however_many_streams_there_are():
    opened = dataclasses.replace(MEASURED, stages_s={OPENING: 9.0, **MEASURED.stages_s})
    found = forecast(RECIPE, opened, MANIFEST, items=2000)
    assert sum(found.stage_hours.values()) == pytest.approx((9 + 100 * 30) / 3600)
    assert found.wall_hours(10, 10) == pytest.approx((9 + 100 * (2 + 0.28)) / 3600)


def test_hours_give_the_streams_that_last_as_long():
    assert forecast(RECIPE, MEASURED, MANIFEST, hours=302_000).streams == 302_000 * 3600 / 50


def test_a_size_is_needed_and_a_build_to_learn_from():
    with pytest.raises(BadInput, match="either --hours or --items"):
        forecast(RECIPE, MEASURED, MANIFEST)
    with pytest.raises(BadInput, match="at least 20"):
        forecast(RECIPE, Timings(0, 0.0, 0, 0.0, 0.0, 0.0, {}), MANIFEST, items=5)
