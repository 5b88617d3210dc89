"""Loading a recipe: YAML in, one frozen object out, with errors a person can act on."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.errors import BadInput
from schemas.recipe import Recipe

MAX_RECIPE_BYTES = 1_000_000


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        BadInput: the file is absent, too large, no YAML mapping, or breaks a rule of `Recipe`; the message names
            the key, its value and the fix.
    """
    if not path.is_file():
        raise BadInput(f"recipe {str(path)!r} is not a file; give the path of a YAML recipe, such as recipes/demo.yaml")
    if path.stat().st_size > MAX_RECIPE_BYTES:
        raise BadInput(f"recipe {str(path)!r} has {path.stat().st_size} bytes; a recipe has at most {MAX_RECIPE_BYTES}")
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadInput(f"recipe {str(path)!r} uses YAML aliases (*name); write the values out")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"recipe {str(path)!r} is no YAML: {reason}") from error
    if not isinstance(data, dict):
        raise BadInput(f"recipe {str(path)!r} holds {type(data).__name__}; it must be a mapping of keys to values")
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"recipe {str(path)!r}: {explain(error, Recipe)}") from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first broken rule as `key = value: rule`, with the nearest valid key for a misspelt one."""
    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location) or model.__name__
    if first["type"] == "extra_forbidden":
        valid = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(location[-1], valid, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"valid keys are {', '.join(valid)}"
        return f"unknown key {key!r}; {hint}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    # A URL that was refused may carry a key.
    value = "(not shown)" if location[-1:] == ["base_url"] else repr(first["input"])
    return f"{key} = {value}: {first['msg']}{more}"


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    node: type[BaseModel] = model
    for part in path:
        field = node.model_fields.get(part)
        candidates = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if nested:
            node = nested[0]
    return sorted(node.model_fields)


def recipe_sha256(recipe: Recipe) -> str:
    """Hash of the resolved recipe: defaults filled in, comments and key order gone."""
    canonical = json.dumps(recipe.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
