import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import explain, load_recipe, recipe_sha256, resolved_sha256
from pipeline.errors import BadInput
from schemas.recipe import Gates, Recipe


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("strems: 10", ["'strems'", "did you mean 'streams'"]),
        ("noise: {event_snr: 3}", ["'noise.event_snr'", "did you mean 'event_snr_db'"]),
        ("conditioning: {tau: 3}", ["tau"]),
        ("streams: -4", ["streams", "-4", "greater than or equal to 1"]),
        ("streams: many", ["streams", "'many'"]),
        ("mixture: {count_evnts: 1}", ["'count_evnts'", "count_events"]),
        ("mixture: {count_events: 0}", ["sum to 0"]),
        ("splits: {train: 0.5}", ["sum to 0.5", "must sum to 1"]),
        ("splits: {a-b: 1.0}", ["'a-b'", "split name"]),
        ("timing: {onset_delay_chunks: 5}", ["0..2", "5"]),
        ("timing: {gap_s: [uniform, 3, 1]}", ["low <= high"]),
        ("p_silent: 1.4", ["p_silent", "1.4"]),
        ("- a\n- b", ["mapping"]),
        ("a: [1, 2", ["no YAML"]),
        ("a: &x [1]\nb: *x", ["aliases"]),
        ("!!python/object/apply:os.system ['true']", ["no YAML"]),
    ],
)
def test_a_wrong_recipe_gets_the_value_and_the_fix_in_one_line(tmp_path, text, says):
    with pytest.raises(BadInput) as caught:
        load_recipe(write(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    for part in says:
        assert part in message


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.yaml"):
        load_recipe(tmp_path / "nowhere.yaml")


def test_a_huge_recipe_is_refused_unread(tmp_path):
    with pytest.raises(BadInput, match="at most"):
        load_recipe(write(tmp_path, "# " + "x" * 2_000_000))


def test_gates_are_no_part_of_a_recipes_identity():
    one, other = Recipe(name="x"), Recipe(name="x", gates=Gates(min_f1=0.9, max_drift={"gap_s": 0.1}))
    assert recipe_sha256(one) == recipe_sha256(other)
    # A manifest that an earlier version wrote lacks what this one knows, and keeps its hash.
    resolved = one.model_dump(mode="json")
    assert resolved_sha256({**resolved, "gates": {"min_f1": 0.5}}) == resolved_sha256(
        {**resolved, "gates": {"min_f1": None}}
    )
    assert resolved_sha256({**resolved, "gates": {"min_f1": None}}) != resolved_sha256(resolved)


def test_off_and_cut_switch_conditioning_and_seams(tmp_path):
    recipe = load_recipe(write(tmp_path, "conditioning: off\ncomposition: {seams: cut}"))
    assert recipe.conditioning == "off"
    assert recipe.composition.seams == "cut"


def test_the_hash_ignores_comments_order_and_spelled_out_defaults(tmp_path):
    spare = load_recipe(write(tmp_path, "seed: 3 # a seed\nname: x"))
    full = load_recipe(write(tmp_path, yaml.safe_dump(Recipe(name="x", seed=3).model_dump(mode="json"))))
    assert recipe_sha256(spare) == recipe_sha256(full)
    assert recipe_sha256(spare) != recipe_sha256(Recipe(name="x", seed=4))


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused_politely(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(BadInput):
        load_recipe(path)


ENDPOINT = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}


def test_transport_and_money_are_no_part_of_the_hash() -> None:
    one = Recipe.model_validate({"planner": ENDPOINT})
    changed = {
        "base_url": "http://127.0.0.1:2/v1",
        "timeout_s": 1,
        "concurrency": 99,
        "max_retries": 1,
        "breaker_failures": 9,
        "api_key_env": "MY_API_KEY",
        "prices": {"m": {"input_per_mtok": 1, "output_per_mtok": 1}},
        "currency": "EUR",
        "budget": 3,
        "cache": "memory://replies",
        "max_tokens_field": "max_completion_tokens",
    }
    assert recipe_sha256(Recipe.model_validate({"planner": ENDPOINT | changed})) == recipe_sha256(one)
    for name, value in {
        "model": "n",
        "temperature": 0,
        "seed": 1,
        "roles": ["planner"],
        "fallback": ["planner"],
    }.items():
        assert recipe_sha256(Recipe.model_validate({"planner": ENDPOINT | {name: value}})) != recipe_sha256(one)


SERVED = {
    "synthesis": {
        "generators": [{"kind": "elevenlabs"}, {"kind": "command", "argv": ["sing"]}, {"kind": "procedural"}],
        "cache": None,
    },
    "captions": {"kind": "chat", "base_url": "http://127.0.0.1:1/v1", "model": "m"},
    "speech": {"engine": {"kind": "openai", "model": "m"}, "voices": [{"name": "v", "language": "en"}]},
    "asr": {"kind": "openai"},
}


@pytest.mark.parametrize(
    ("part", "changed", "same"),
    [
        ("synthesis", {"cache": "elsewhere"}, True),
        ("synthesis.generators.0", {"base_url": "http://h/v1", "timeout_s": 1, "max_retries": 1}, True),
        ("synthesis.generators.1", {"timeout_s": 1, "max_mb": 1}, True),
        ("captions", {"base_url": "http://h/v1", "api_key_env": "MY_API_KEY"}, True),
        ("speech.engine", {"base_url": "http://h/v1", "timeout_s": 1}, True),
        ("asr", {"base_url": "http://h/v1", "max_retries": 1}, True),
        ("synthesis.generators.0", {"model": "n"}, False),
        ("synthesis.generators.1", {"argv": ["hum"]}, False),
        ("captions", {"model": "n"}, False),
        ("speech.engine", {"model": "n"}, False),
        ("asr", {"max_error": 0.5}, False),
    ],
)
def test_how_a_service_is_reached_is_no_part_of_the_hash(part: str, changed: dict[str, object], same: bool) -> None:
    other = copy.deepcopy(SERVED)
    node: Any = other
    for key in part.split("."):
        node = node[int(key) if key.isdigit() else key]
    node.update(changed)
    one, two = (recipe_sha256(Recipe.model_validate(given)) for given in (SERVED, other))
    assert (one == two) is same


def test_a_split_may_be_called_what_an_endpoint_has() -> None:
    one, two = (Recipe.model_validate({"splits": {"cache": a, "budget": 1 - a}}) for a in (0.5, 0.25))
    assert recipe_sha256(one) != recipe_sha256(two)


@pytest.mark.parametrize(
    ("planner", "said"),
    [
        (ENDPOINT | {"temprature": 1}, "did you mean 'temperature'"),
        (ENDPOINT | {"bag_sise": 3}, "did you mean 'bag_size'"),
        ({"bag_sise": 3}, "did you mean 'bag_size'"),
        (ENDPOINT | {"api_key_env": "sk-hunter2"}, "api_key_env"),
        (ENDPOINT | {"api_key": "sk-hunter2"}, "unknown key"),
        ({"kind": "openai", "model": "m", "api_key": "sk-hunter2"}, "base_url"),
        (ENDPOINT | {"roles": ["planner"], "fallback": ["auditor"]}, "not among roles"),
        (ENDPOINT | {"concurrency": 0}, "planner.openai.concurrency = 0"),
        ({"kind": "hunter3"}, "planner"),
    ],
)
def test_a_wrong_planner_is_explained_without_its_secrets(planner: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"planner": planner})
    told = explain(caught.value, Recipe)
    assert said in told
    assert "hunter2" not in told
