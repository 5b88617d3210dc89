"""Replies of a chat endpoint, content-addressed and kept for good: what is persisted is never requested again.

    {url}/{role}/{key[:2]}/{key}.json      one reply: the request (without key or headers), the reply, their sha256
    {url}/endpoints/{hash}.json            what was found out about an endpoint
    {url}/measured/{recipe_sha256}.json    what a build of a recipe took, for estimates

`url` is a local folder or any fsspec URL. Requests in flight are journalled in `budget.Ledger`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

log = logging.getLogger(__name__)


class StoredReply(BaseModel):
    """What one request came to. `note` says more where status is not "ok"; unknown token counts are null."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    status: Literal["ok", "refused", "cut", "too_large", "unanswered"] = "ok"
    note: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class Request(BaseModel):
    """Everything that determines a reply, and nothing that is secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    prompt_sha256: str
    model: str
    parameters: dict[str, JsonValue]
    sample_index: int
    messages: list[dict[str, JsonValue]]

    def key(self) -> str:
        """SHA-256 of the canonical JSON."""
        return _sha256(self.model_dump())

    def storable(self) -> Request:
        """The same with attached audio replaced by its hash."""
        return self.model_copy(update={"messages": [_without_audio(message) for message in self.messages]})


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    key: str
    request: Request
    reply: StoredReply
    sha256: str

    def intact(self, key: str) -> bool:
        return self.key == key and self.sha256 == _seal(self.key, self.request, self.reply)


class ReplyCache:
    """Safe for concurrent writers; the first reply to a request wins, and everyone uses that one."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = url_to_fs(url)
        self.corrupt = 0
        """Entries found damaged, and so treated as missing."""

    def path(self, request: Request) -> str:
        key = request.key()
        return f"{self._root}/{request.role}/{key[:2]}/{key}.json"

    def get(self, request: Request) -> StoredReply | None:
        """The persisted reply, or None where there is none, or only a damaged one."""
        path = self.path(request)
        data = self._read(path)
        if data is None:
            return None
        try:
            entry = _Entry.model_validate_json(data)
        except ValidationError:
            entry = None
        if entry is None or not entry.intact(request.key()):
            self.corrupt += 1
            log.warning("reply cache: %s is damaged and treated as missing; it is replaced by the next reply", path)
            return None
        return entry.reply

    def put(self, request: Request, reply: StoredReply) -> StoredReply:
        """Persist `reply` unless another writer was first; returns the reply that stands."""
        key, storable = request.key(), request.storable()
        entry = _Entry(key=key, request=storable, reply=reply, sha256=_seal(key, storable, reply))
        path, data = self.path(request), _json(entry.model_dump())
        if not self._create(path, data):
            earlier = self.get(request)
            if earlier is not None:
                return earlier
            self._replace(path, data)
        return reply

    def endpoint_note(self, base_url: str, model: str) -> dict[str, Any]:
        """What was found out about an endpoint; {} where nothing is known."""
        data = self._read(self._endpoint_path(base_url, model))
        try:
            note = json.loads(data) if data is not None else {}
        except ValueError:
            return {}
        return note if isinstance(note, dict) else {}

    def note_endpoint(self, base_url: str, model: str, note: dict[str, str]) -> None:
        note = {"base_url": base_url, "model": model, **note}
        self._replace(self._endpoint_path(base_url, model), _json(note))

    def measured(self, recipe: str) -> dict[str, Any]:
        """What the largest build of a recipe took, as `note_measured` kept it; {} where there was none."""
        data = self._read(f"{self._root}/measured/{recipe}.json")
        return {} if data is None else json.loads(data)

    def note_measured(self, recipe: str, measured: dict[str, Any]) -> None:
        """Keep what a build of a recipe (by its sha256) took."""
        self._replace(f"{self._root}/measured/{recipe}.json", _json(measured))

    def _endpoint_path(self, base_url: str, model: str) -> str:
        return f"{self._root}/endpoints/{_sha256([base_url, model])[:16]}.json"

    def _read(self, path: str) -> bytes | None:
        try:
            return self._fs.cat_file(path)  # pyright: ignore[reportReturnType]: bytes for a single path
        except FileNotFoundError:
            return None

    def _create(self, path: str, data: bytes) -> bool:
        """Write a whole new file; False where it exists."""
        if not isinstance(self._fs, LocalFileSystem):
            # An object store puts whole objects. Two writers may pass this check together; `intact` and determinism
            # of everything downstream of the stored reply bound the harm to a wasted request.
            if self._fs.exists(path):
                return False
            self._replace(path, data)
            return True
        temporary = _write_beside(Path(path), data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def _replace(self, path: str, data: bytes) -> None:
        if isinstance(self._fs, LocalFileSystem):
            _write_beside(Path(path), data).replace(path)
        else:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data)


def _write_beside(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _sha256(value: Any) -> str:
    return hashlib.sha256(_json(value)).hexdigest()


def _seal(key: str, request: Request, reply: StoredReply) -> str:
    return _sha256([key, request.model_dump(), reply.model_dump()])


def _without_audio(message: dict[str, JsonValue]) -> dict[str, JsonValue]:
    content = message["content"]
    if not isinstance(content, list):
        return message
    return {**message, "content": [_hashed_audio(part) for part in content]}


def _hashed_audio(part: JsonValue) -> JsonValue:
    if not isinstance(part, dict) or not isinstance(audio := part.get("input_audio"), dict):
        return part
    return {**part, "input_audio": {**audio, "data": f"sha256:{_sha256(audio['data'])}"}}
