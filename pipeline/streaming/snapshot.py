"""A session's state in a file, to go on with later or elsewhere."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipeline.errors import BadInput, StaleIdentity
from pipeline.streaming.decoder import Cache
from pipeline.streaming.logmel import TAIL, Ear
from pipeline.streaming.session import Phase, Session, State


class _Facts(BaseModel):
    """Everything of a state that is no tensor, and the prompt it was begun with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: tuple[int, ...]
    pending: tuple[int, ...]
    phase: Phase
    position: int
    starts: tuple[int, ...]
    reply: tuple[int, ...]
    drawn: int
    chunks: int
    forwards: int
    evictions: int


def save(state: State, session: Session, path: Path) -> None:
    """Write `state`, in the middle of a reply or not, as safetensors."""
    names = [name for name in _Facts.model_fields if name != "prefix"]
    facts = _Facts(prefix=session.prefix, **{name: getattr(state, name) for name in names})
    tensors = {
        "cache": state.cache.rows[:, :, :, : state.position].cpu().contiguous(),
        "ear_maximum": torch.tensor(state.ear.maximum, dtype=torch.float64),
    }
    if state.ear.tail is not None:
        tensors["ear_tail"] = torch.from_numpy(state.ear.tail)
    save_file(tensors, path, metadata={"state": facts.model_dump_json()})


def restore(path: Path, session: Session) -> State:
    """Read what `save` wrote.

    Raises:
        BadInput: not such a file, or of another model.
        StaleIdentity: begun with another system prompt.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts = _Facts.model_validate_json((file.metadata() or {}).get("state", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError, ValidationError) as error:
        raise BadInput(f"{str(path)!r} is no saved session ({' '.join(str(error).split())[:200]})") from error
    if facts.prefix != session.prefix:
        raise StaleIdentity(f"{str(path)!r} was begun with another system prompt; use the same, or begin anew")
    rows, cache = tensors.get("cache"), session.start().cache
    fits = rows is not None and rows.shape == (*cache.rows.shape[:3], facts.position, cache.rows.shape[4])
    tail = tensors.get("ear_tail")
    if rows is None or not fits or "ear_maximum" not in tensors or (tail is not None and tail.shape != (TAIL,)):
        shape = None if rows is None else list(rows.shape)
        raise BadInput(f"{str(path)!r} holds a cache of shape {shape!r}, which is another model's; load that one")
    ear = Ear(None if tail is None else tail.numpy(), float(tensors["ear_maximum"]))
    fields = facts.model_dump(exclude={"prefix"})
    return State(cache=Cache(rows.to(cache.rows), facts.position), ear=ear, **fields)
