"""The texts that people and the assistant say, as YAML."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def bank(name: str) -> dict[str, Any]:
    """One file of texts, read once."""
    return yaml.safe_load(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
