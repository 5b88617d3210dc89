"""Loading a recipe: YAML in, one frozen object out, with errors a person can act on."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.errors import BadInput
from schemas.recipe import Gates, Recipe
from schemas.service import NOT_IDENTITY, SERVED

MAX_RECIPE_BYTES = 1_000_000
MAX_DEPTH = 40
M = TypeVar("M", bound=BaseModel)


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe; see `load_as`."""
    return load_as(Recipe, path)


def load_as(model: type[M], path: Path) -> M:
    """Read and check a YAML file of one model.

    Raises:
        BadInput: the file is absent, too large, no YAML mapping, or breaks a rule of `model`; the message names
            the key, its value and the fix.
    """
    if not path.is_file():
        raise BadInput(f"recipe {str(path)!r} is not a file; give the path of a YAML recipe, such as recipes/demo.yaml")
    if path.stat().st_size > MAX_RECIPE_BYTES:
        raise BadInput(f"recipe {str(path)!r} has {path.stat().st_size} bytes; a recipe has at most {MAX_RECIPE_BYTES}")
    try:
        text = path.read_text(encoding="utf-8")
        _check_events(text, path)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"recipe {str(path)!r} is no YAML: {reason}") from error
    if not isinstance(data, dict):
        raise BadInput(f"recipe {str(path)!r} holds {type(data).__name__}; it must be a mapping of keys to values")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"recipe {str(path)!r}: {explain(error, model)}") from error


def _check_events(text: str, path: Path) -> None:
    """Refuse what would unfold without end, or takes the parser minutes, before anything is made of it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"recipe {str(path)!r} uses YAML aliases (*name); write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise BadInput(f"recipe {str(path)!r} nests deeper than {MAX_DEPTH} levels; no key of a recipe does")


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
    # What stands where an endpoint is described may be a key, whatever its name: numbers are shown, nothing else.
    described = ("openai", "elevenlabs", "command", "chat")
    endpoint = any(part in described for part in location) or location[-1:] == ["base_url"]
    secret = endpoint and not isinstance(first["input"], int | float)
    value = "(not shown)" if secret else repr(first["input"])
    return f"{key} = {value}: {first['msg']}{more}"


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    nodes = [model]
    for part in path:
        fields = (node.model_fields.get(part) for node in nodes)
        nested = [m for field in fields if field is not None for m in _models(field.annotation)]
        tagged = [n for n in nodes if "kind" in n.model_fields and n.model_fields["kind"].default == part]
        nodes = nested or tagged or nodes
    return sorted({key for node in nodes for key in node.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def recipe_sha256(recipe: Recipe) -> str:
    """Hash of the resolved recipe: defaults filled in, comments, key order, gates and `NOT_IDENTITY` gone."""
    return resolved_sha256(recipe.model_dump(mode="json"))


def resolved_sha256(resolved: dict[str, Any]) -> str:
    """`recipe_sha256` of a resolved recipe as a manifest holds it; keys that later versions know do not enter it."""
    served = {part: _identity(resolved[part]) for part in SERVED if part in resolved}
    counted = {**resolved, **served}
    if "gates" in resolved:
        # What a corpus is held to is no part of what it is: every recipe counts as one whose gates are open.
        gates = Gates().model_dump(mode="json")
        counted["gates"] = {key: gates[key] for key in resolved["gates"] if key in gates}
    canonical = json.dumps(counted, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _identity(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _identity(value) for key, value in node.items() if key not in NOT_IDENTITY}
    return [_identity(item) for item in node] if isinstance(node, list) else node
