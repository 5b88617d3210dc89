"""Listeners that a corpus is replayed to: which one, how it is reached, and what it is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.sound_services import Argv, KeyVariable, Service, Variable
from schemas.taxonomy import Policy

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Pace = Literal["step", "live"]
"""step: a chunk is given when the one before is answered. live: every 0.4 s, whatever the listener does."""
NOT_IDENTITY = frozenset({"name", "timeout_s", "start_timeout_s", "max_retries", "api_key_env", "base_url", "url"})
"""How a listener is reached: none of it changes what it answers."""


def _web_socket_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not carry credentials, a query or a fragment; export the key as api_key_env says")
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("must be a WebSocket URL, e.g. wss://api.openai.com/v1/realtime")
    return url


class _Listener(BaseModel):
    # A mistaken value may be a key, so messages do not repeat what was given.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name | None = None
    """Of its results in CORPUS/replay; None: its kind."""


class ProbeListener(_Listener):
    """The bundled streaming probe."""

    kind: Literal["probe"] = "probe"
    weights: str | None = None
    """A safetensors file of `streamaudio probe train`; None: the bundled one."""
    policy: Policy = "strict"
    """Which sounds deserve a reply."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Probability from which it replies; None: that of the weights."""


class SessionListener(_Listener):
    """The released Audio-Interaction model, listening while it speaks (pipeline.streaming)."""

    kind: Literal["audio-interaction"] = "audio-interaction"
    checkpoint: str
    """A folder with the released files, or a hub id."""
    system_prompt: str | None = None
    """None: the checkpoint's own, or ours."""
    clock: Literal["measured"] | Annotated[tuple[float, float, float], Field(description="ms")] = "measured"
    """measured: work takes the time it really takes. Or the milliseconds of an encoding, a control step and a token:
    the same result on every machine."""
    eviction: Literal["none", "reset", "sliding"] = "sliding"
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_k: Annotated[int, Field(ge=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    max_reply_tokens: Annotated[int, Field(ge=1)] | None = 512
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class CommandListener(_Listener):
    """Any program that reads PCM16 on standard input and writes JSON events on standard output."""

    kind: Literal["command"] = "command"
    argv: Argv
    """The program and its arguments; no shell sees them."""
    pace: Pace = "step"
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """With the pace live: how many times faster than real time."""
    framed: bool = False
    """Chunks come with their length, and one process hears stream after stream; without, each stream has its own."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Longest wait for an answer."""
    start_timeout_s: Annotated[float, Field(gt=0, le=7200)] = 600.0
    """Longest wait for the first answer of a process: it loads its model."""
    keep_env: tuple[Variable, ...] = ()
    """Variables it gets besides PATH and the locale, such as CUDA_VISIBLE_DEVICES or HF_HOME."""
    version: str = "1"
    """Change it with the program or its model, so that old results are not taken for its."""


class RealtimeListener(_Listener):
    """A service that speaks the OpenAI Realtime protocol; its own turn detection decides when it answers."""

    kind: Literal["openai-realtime"] = "openai-realtime"
    url: Annotated[str, AfterValidator(_web_socket_url)] = "wss://api.openai.com/v1/realtime"
    model: Annotated[str, Field(min_length=1)]
    api_key_env: KeyVariable = "OPENAI_API_KEY"
    """Name of the environment variable with the key; a local server needs none."""
    beta: bool = False
    """Speak the protocol of the API's beta, as GLM-Realtime and Qwen's realtime service do."""
    rate_hz: Literal[16_000, 24_000] = 24_000
    instructions: Annotated[str, Field(min_length=1)] | None = None
    """None: those for stream listeners in prompts/."""
    session: dict[str, Any] = {}
    """Further keys of `session.update`, such as turn_detection."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How many times faster than real time."""
    grace_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """Longest silence of the service, after the last chunk, before the stream is over."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Of connecting, and of an answer that has begun."""


class ChatListener(Service):
    """An OpenAI-compatible chat endpoint that takes `input_audio`, asked again and again about what it has heard."""

    kind: Literal["audio-chat"] = "audio-chat"
    name: Name | None = None
    """Of its results in CORPUS/replay; None: its kind."""
    model: Annotated[str, Field(min_length=1)]
    every_chunks: Annotated[int, Field(ge=1, le=1000)] = 1
    """It is asked after so many chunks; those between are marked as drained."""
    window_s: Annotated[float, Field(ge=0.4, le=600)] = 30.0
    """It is sent so much of what came last."""
    max_tokens: Annotated[int, Field(ge=16)] = 256
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """null: not sent, for models that refuse it."""


class JudgeSettings(Service):
    """An OpenAI-compatible chat endpoint that scores open replies against their references."""

    model: Annotated[str, Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=16)] = 128
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    """null: not sent, for models that refuse it."""


ListenerSettings = Annotated[
    ProbeListener | SessionListener | CommandListener | RealtimeListener | ChatListener, Field(discriminator="kind")
]
