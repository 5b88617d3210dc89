"""Scripted HTTP on loopback for sound services: each request takes the next of a list of replies, the last repeats."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soundfile


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    kind: str = "application/octet-stream"
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


def wav(
    seconds: float = 1.0,
    *,
    rate: int = 44_100,
    hz: float = 440.0,
    level: float = 0.5,
    quiet_s: float = 0,
) -> bytes:
    """A tone as a WAV file, with `quiet_s` of silence on either side."""
    t = np.arange(round(seconds * rate)) / rate
    return as_wav(level * np.sin(2 * np.pi * hz * t), rate=rate, quiet_s=quiet_s)


def burst(seconds: float = 1.0, *, seed: int = 0, rate: int = 44_100, quiet_s: float = 0) -> bytes:
    """Decaying noise as a WAV file: unlike a tone, it is like nothing else, and nothing else of its kind."""
    noise = np.random.default_rng(seed).normal(0, 0.15, round(seconds * rate)).clip(-0.9, 0.9)
    return as_wav(noise * np.linspace(1, 0.1, len(noise)), rate=rate, quiet_s=quiet_s)


def as_wav(samples: np.ndarray, *, rate: int, quiet_s: float) -> bytes:
    """A WAV file with silence on either side."""
    file = io.BytesIO()
    soundfile.write(file, np.pad(samples, round(quiet_s * rate)), rate, format="WAV")
    return file.getvalue()


def error(status: int, message: str = "scripted") -> Reply:
    """An error in JSON; a client that repeats is told to do so at once."""
    body = json.dumps({"error": {"message": message}, "detail": {"status": "scripted", "message": message}}).encode()
    return Reply(status, body, "application/json", headers={"retry-after-ms": "1"})


class SoundServer:
    """with SoundServer([Reply(body=wav())]) as server: server.url, server.asked"""

    def __init__(self, replies: list[Reply]) -> None:
        self.asked: list[Asked] = []
        script = list(replies)
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length)))
                reply = script.pop(0) if len(script) > 1 else script[0]
                time.sleep(reply.wait_s)
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.kind)
                    self.send_header("Content-Length", str(len(reply.body)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    pass  # the client gave up

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> SoundServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
