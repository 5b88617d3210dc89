"""S3 on loopback (moto's), which fails when it is told to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test"}


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...


class S3Server:
    """While it is open, the environment points to it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """Method, path and query of all."""
        self.faults: list[int] = []
        """Statuses of the next answers to requests that begin with `failing`."""
        self.failing = ""
        self.down = False
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        self.requests.append(request)
        if self.down or (self.faults and request.startswith(self.failing)):
            status = 503 if self.down else self.faults.pop(0)
            body = b"<Error><Code>InternalError</Code><Message>try again</Message></Error>"
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{status} Injected", [("Content-Type", "application/xml")])
            return [body]
        return self._app(environ, start_response)

    def __enter__(self) -> Self:
        here = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1", **KEYS}
        self._before = {name: os.environ.get(name) for name in here}
        os.environ.update(here)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for name, value in self._before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
