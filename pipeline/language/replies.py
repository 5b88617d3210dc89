"""From a model's text to a typed reply: the schema that is sent, the JSON that comes back, the words of a repair."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.language.cache import StoredReply

T = TypeVar("T", bound=BaseModel)

_MAX_ERRORS = 8
_MAX_BRACES = 200
"""Places at which a JSON object is looked for in prose."""
_ECHO_CHARACTERS = 4000
"""So much of a bad reply is shown to the model again."""
# Keywords that strict servers refuse; pydantic still checks them here.
_NOT_ON_THE_WIRE = frozenset({"title", "default", "minLength", "maxLength"})
_REFUSAL = re.compile(
    r"^\W*(?:i['’]?m sorry|sorry|i can(?:no|['’])t|i am (?:sorry|unable)|i['’]m unable|抱歉|对不起|我无法)", re.I
)
_DECODER = json.JSONDecoder(parse_constant=lambda name: _refuse_constant(name))


class InvalidReply(ValueError):
    """A reply that breaks its schema or a rule; the message goes back to the model."""


def wire_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a reply in the dialect of strict structured output: every property required, none besides."""
    schema = _strict(model.model_json_schema())
    assert isinstance(schema, dict)
    return schema


def parse(reply: StoredReply, model: type[T], validate: Callable[[T], None] | None) -> T:
    """The typed reply. Raises InvalidReply with a reason that a model (and a person) can act on."""
    if reply.status == "refused":
        raise InvalidReply("it refuses the task; the task is harmless data preparation, so do it")
    if reply.status == "too_large":
        raise InvalidReply(f"it is far too long ({reply.note})")
    try:
        value = model.model_validate_json(json.dumps(extract(reply.text)))
    except ValidationError as error:
        raise InvalidReply(_readable(error)) from None
    except InvalidReply as error:
        raise InvalidReply(
            f"{error}; it was cut at the token limit, so be shorter" if reply.status == "cut" else str(error)
        ) from None
    if validate is not None:
        try:
            validate(value)
        except ValueError as error:
            raise InvalidReply(str(error)) from None
    return value


def extract(text: str) -> dict[str, Any]:
    """The JSON object in a reply: the whole of it, or the longest one in the prose or code fence around it."""
    text = re.sub(r"^\s*<think>.*?</think>", "", text, flags=re.S).strip()
    if not text:
        raise InvalidReply("it is empty")
    longest, length, resume_at = None, 0, 0
    for brace in islice(re.finditer(r"\{", text), _MAX_BRACES):
        if brace.start() < resume_at:
            continue
        try:
            value, end = _DECODER.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        resume_at = end
        if end - brace.start() > length:
            longest, length = value, end - brace.start()
    if longest is not None:
        return longest
    if _REFUSAL.match(text):
        raise InvalidReply("it refuses the task; the task is harmless data preparation, so do it")
    if "{" in text:
        raise InvalidReply("it holds no complete JSON object (cut off, or not valid JSON)")
    raise InvalidReply("it holds no JSON object")


def instruction(schema: dict[str, Any]) -> str:
    """The last paragraph of every system message; it serves servers that cannot enforce a schema."""
    compact = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return f"Reply with one JSON object and nothing else. It follows this JSON Schema:\n{compact}"


def repair(reply: StoredReply, reason: str) -> list[dict[str, Any]]:
    """The two messages that ask for a better reply."""
    return [
        {"role": "assistant", "content": reply.text[:_ECHO_CHARACTERS] or "(nothing)"},
        {
            "role": "user",
            "content": f"That reply cannot be used: {reason}. "
            "Send the whole JSON object again, corrected, and nothing else.",
        },
    ]


def opening(text: str) -> str:
    """How a reply begins: three words, or four Chinese characters."""
    return text[:4] if re.match(r"[\u3400-\u9fff]", text) else " ".join(text.split()[:3])


def _readable(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False)
    lines = [f"{'.'.join(map(str, e['loc'])) or 'object'}: {e['msg']}" for e in errors[:_MAX_ERRORS]]
    if len(errors) > _MAX_ERRORS:
        lines.append(f"and {len(errors) - _MAX_ERRORS} more errors")
    return "; ".join(lines)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: value for key, value in node.items() if key not in _NOT_ON_THE_WIRE}
    for group in ("properties", "$defs"):
        if group in node:
            node[group] = {name: _strict(child) for name, child in node[group].items()}
    if "properties" in node:
        node.update(required=list(node["properties"]), additionalProperties=False)
    return {
        key: value if key in ("properties", "$defs", "required", "enum") else _strict(value)
        for key, value in node.items()
    }
