"""What flows share: Prefect's API, and how they end.

The API is the configured one, or a server of this process on loopback that never outlives it. Prefect's own temporary
server stays behind when its parent is killed. Ours reads from a pipe that only the parent holds open, and ends when
that closes, however the parent ended.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import http.client
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline.errors import StreamAudioError

START_S = 180.0
"""On a busy machine the server's imports and its database take a while."""

OWN_SETTINGS = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""Of our server: nobody looks at its page, and it tells nobody of itself."""


@contextlib.contextmanager
def prefect_api() -> Iterator[None]:
    """Within it Prefect has an API."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if PREFECT_API_URL.value():
        yield
        return
    with temporary_settings({PREFECT_API_URL: _own()}):
        yield


def start_ahead() -> None:
    """Let a server of our own, where one will be needed, start while the caller does other things."""
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        _asked()


def answering() -> bool:
    """Whether `prefect_api` has nothing to wait for."""
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return True
    waiting = _asked().sock  # closed once it was answered
    return waiting is None or bool(select.select([waiting], [], [], 0)[0])


def wait_for(futures: Sequence[Any]) -> None:
    """Wait for all tasks of a flow; the first error among theirs is raised."""
    results = [future.result(raise_on_failure=False) for future in futures]
    raise_first(result for result in results if isinstance(result, BaseException))


def raise_first(errors: Iterable[BaseException]) -> None:
    """Raise one of the errors, if there are any: first of ours, which say what to do."""
    for error in sorted(errors, key=lambda e: not isinstance(e, StreamAudioError)):
        raise error


@functools.cache
def _started() -> int:
    """The port of our server, which may not answer yet."""
    from prefect.settings import get_current_settings

    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    server = subprocess.Popen(
        # -P: a folder `flows` where the command is run is somebody else's.
        [sys.executable, "-P", "-m", __name__, str(listening.fileno())],
        stdin=subprocess.PIPE,
        pass_fds=[listening.fileno()],
        process_group=0,  # A Ctrl-C at the terminal is the build's, which then ends it without a traceback.
        env={**os.environ, **OWN_SETTINGS, **settings},
    )
    port = listening.getsockname()[1]
    listening.close()
    atexit.register(_stop, server)
    return port


@functools.cache
def _asked() -> http.client.HTTPConnection:
    """A request to our server. Its socket listens already; it answers once it serves."""
    client = http.client.HTTPConnection("127.0.0.1", _started(), timeout=START_S)
    client.request("GET", "/api/health")
    return client


@functools.cache
def _own() -> str:
    from prefect.events.clients import PrefectEventsClient
    from prefect.events.worker import EventsWorker

    client = _asked()
    client.getresponse()
    client.close()
    url = f"http://127.0.0.1:{_started()}/api"
    # A thread of Prefect's that forwards events knows no context of settings, and would start another server.
    EventsWorker.set_client_override(PrefectEventsClient, api_url=url)
    return url


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.communicate()


def serve(listening: int) -> None:
    """Serve on a listening socket until standard input ends."""
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(final=True), log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listening)])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
