"""The texts that people and the assistant say, as YAML."""

from functools import cache
from typing import Any

from pipeline.packaged import packaged_yaml


@cache
def bank(name: str) -> Any:
    """One file of texts, read once."""
    return packaged_yaml(__name__, f"{name}.yaml")


@cache
def entries(name: str, part: str | None = None) -> tuple[tuple[str, ...], ...]:
    """The entries of a file, or of a part of it, each split into its fields."""
    listed: Any = bank(name)
    return tuple(tuple(entry.split(" | ")) for entry in (listed if part is None else listed[part]))


def in_language(language: str, name: str) -> str:
    """The file of that name in a language."""
    return name if language == "en" else f"{name}_{language}"


def spoken_in(language: str, name: str, part: str | None = None) -> tuple[tuple[str, ...], ...]:
    """The entries of a file that is there for several languages, or of a part of it."""
    return entries(in_language(language, name), part)
