"""The recipes that a user copies."""

from pathlib import Path

import pytest

from pipeline.config import load_recipe
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF, SUB_TASKS

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_under_its_own_name(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def stage(n: int) -> Recipe:
    return load_recipe(ROOT / "recipes" / f"stage{n}.yaml")


def test_the_mix_ins_belong_to_stage_four() -> None:
    for n in (1, 2, 3):
        recipe = stage(n)
        assert (recipe.p_silent, recipe.p_history, recipe.p_proactive, recipe.mixed) == (0, 0, 0, 0)
    last = stage(4)
    assert (last.p_silent, last.p_history, last.p_proactive) == (0.40, 0.30, 0.30)
    assert last.mixed > 0


def test_stage_two_has_the_data_of_stage_one() -> None:
    apart = {"name", "pretty_name"}
    assert stage(1).model_dump(exclude=apart) == stage(2).model_dump(exclude=apart)


def test_the_default_mixture_follows_the_published_shares() -> None:
    mixture = Recipe().mixture
    assert set(mixture) == set(ABILITY_OF)
    shares = {ability: sum(mixture[task] for task in tasks) for ability, tasks in SUB_TASKS.items()}
    assert {ability: round(share, 1) for ability, share in shares.items()} == {
        "voice_chatting": 23.1,
        "instruction_following": 20.8,
        "audio_understanding": 16.4,
        "translation": 15.3,
        "realtime_asr": 11.6,
        "proactive_response": 7.3,
        "audio_agent": 5.5,
    }


def test_the_demo_shows_every_sub_task_twice() -> None:
    demo = load_recipe(ROOT / "flows" / "demo.yaml")
    assert set(demo.mixture) == set(ABILITY_OF)
    assert len(set(demo.mixture.values())) == 1
    assert demo.streams >= 2 * len(ABILITY_OF)
