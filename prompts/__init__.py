"""One Markdown template per language role, and the only place where they become chat messages.

A template has two parts, `# System` and `# User`. The system part is rendered from switches only; whatever others
wrote (captions, scenarios, transcripts) enters through the `data` filter, which fences it:

    <data name="captions">
    ["a dog barks", "rain on a \\u003ctin\\u003e roof"]
    </data>

The content is JSON in which every angle bracket, ampersand, line break, control and formatting character is escaped,
so no content can close its fence or imitate another. A string that is printed without the filter is an error.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, meta

ROLES = (
    "scenario_planner",
    "event_refiner",
    "clip_verifier",
    "clip_captioner",
    "scene_checker",
    "history_review",
    "silence_auditor",
    "spoken_rewriter",
    "responder",
)
LISTENING = ("stream_listener", "proactive_bench", "reply_judge")
"""What models are told to which a corpus is replayed, and who judges them; their replies are text with tags."""


class _Fenced(str):
    __slots__ = ()


def _escaped(character: str) -> str:
    # Cc, Cf, Cs, Co, Cn: control, bidi and zero-width marks, lone surrogates; Zl, Zp: line and paragraph separators.
    if (
        character in "<>&"
        or unicodedata.category(character)[0] == "C"
        or unicodedata.category(character) in ("Zl", "Zp")
    ):
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    return character


def _data(value: Any, name: str) -> str:
    body = "".join(map(_escaped, json.dumps(value, ensure_ascii=False, allow_nan=False)))
    return _Fenced(f'<data name="{name}">\n{body}\n</data>')


def _printable(value: Any) -> Any:
    if isinstance(value, _Fenced | int | float | StrictUndefined):
        return value
    raise TypeError(f"a template prints {type(value).__name__} unfenced; use the data filter")


# No autoescape: the output is no HTML, and `finalize` lets nothing foreign through unfenced.
_environment = Environment(
    undefined=StrictUndefined, finalize=_printable, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
)
_environment.filters["data"] = _data


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template; `sha256` of its text is stored with everything it produced."""

    name: str
    text: str
    sha256: str
    variables: frozenset[str]
    _system: Template = field(repr=False)
    _user: Template = field(repr=False)

    def render(self, **values: Any) -> list[dict[str, Any]]:
        """The system and the user message. TypeError unless exactly `variables` are given; the values are JSON."""
        if values.keys() != self.variables:
            raise TypeError(f"prompt {self.name!r} takes {sorted(self.variables)}, not {sorted(values)}")
        return [
            {"role": "system", "content": self._system.render(values).strip()},
            {"role": "user", "content": self._user.render(values).strip()},
        ]


@cache
def load(name: str) -> Prompt:
    """The prompt of one of `ROLES` or `LISTENING`; KeyError for any other name."""
    if name not in ROLES + LISTENING:
        raise KeyError(f"no prompt {name!r}; there are {', '.join(ROLES + LISTENING)}")
    text = resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    system, _, user = text.removeprefix("# System\n").partition("\n# User\n")
    return Prompt(
        name=name,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        variables=frozenset(meta.find_undeclared_variables(_environment.parse(text))),
        _system=_environment.from_string(system),
        _user=_environment.from_string(user),
    )
