"""One HTTP service: the key from the environment, repeats with back-off, time and size bounded, errors said plainly."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from pipeline.errors import BadInput, EndpointDown
from pipeline.synthesis.audio import Refused
from schemas.service import Service

MAX_BODY_BYTES = 100_000_000
"""Three minutes of 96 kHz stereo float."""
_LOCAL_KEY = "none-needed"


class _TooLarge(BaseException):
    """Passes through the openai client, which repeats a request on any Exception."""


class Endpoint:
    """POST to a service. The openai client decides about repeats; other headers than its own may carry the key."""

    def __init__(self, service: Service, *, key_header: str | None = None) -> None:
        self._service = service
        self._key = os.environ.get(service.api_key_env, "").strip()
        if not all("!" <= character <= "~" for character in self._key):
            raise BadInput(f"${service.api_key_env} holds characters that no API key has; export the bare key")
        self._headers: dict[str, Any] = {"Accept-Encoding": "identity"}
        if key_header is not None:
            self._headers |= {"Authorization": openai.Omit(), key_header: self._key}
        self._client = openai.OpenAI(
            api_key=self._key or _LOCAL_KEY,
            base_url=service.base_url,
            max_retries=service.max_retries,
            http_client=_BoundedHttp(service.timeout_s),
        )

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The reply's bytes; with `files` the body is sent as a form.

        Raises:
            Refused: 400, 413, 422 or a reply that is too large: this request will never do.
            BadInput: 401, 403, 404: the key, its rights or the address are wrong.
            EndpointDown: it does not answer in spite of the repeats; the run is to stop and can be resumed.
        """
        form = {} if files is None else {"Content-Type": "multipart/form-data"}
        options: Any = {"params": dict(query or {}), "headers": self._headers | form}
        try:
            response = self._client.post(path, cast_to=httpx2.Response, body=dict(body), files=files, options=options)
        except _TooLarge:
            raise Refused(f"the reply is larger than {MAX_BODY_BYTES} bytes") from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            variable = self._service.api_key_env
            state = "is set, but refused" if self._key else "is not set"
            raise BadInput(
                f"{self._service.base_url}: ${variable} {state}: {self._told(error)}; "
                "export a valid key with rights and credit"
            ) from None
        except openai.NotFoundError as error:
            raise BadInput(
                f"{self._service.base_url}{path} is not there: {self._told(error)}; check base_url and model"
            ) from None
        except openai.APIStatusError as error:
            if error.status_code in (400, 413, 415, 422):
                raise Refused(self._told(error)) from None
            raise self._down(error) from None
        except openai.APIError as error:
            raise self._down(error) from None
        return response.content

    def _down(self, error: openai.APIError) -> EndpointDown:
        return EndpointDown(
            f"{self._service.base_url} failed {self._service.max_retries + 1} times: {self._told(error)}; "
            "when it works again, run the same command to resume"
        )

    def _told(self, error: openai.APIError) -> str:
        """A server's error in one line without our key, which some servers repeat."""
        cause = error.__cause__
        told = " ".join(f"{error.message}{f' ({cause})' if cause and str(cause) else ''}".split())
        return (told.replace(self._key, "[key]") if self._key else told)[:300]


class _BoundedHttp(openai.DefaultHttpxClient):
    """`timeout_s` bounds a whole attempt, not only each read of it."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s, follow_redirects=False)
        self._timeout_s = timeout_s

    def send(self, request: httpx2.Request, **_options: Any) -> httpx2.Response:
        deadline = time.monotonic() + self._timeout_s
        response = super().send(request, stream=True)
        try:
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise _TooLarge
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout(f"no whole reply within {self._timeout_s:g} s", request=request)
        finally:
            response.close()
        return httpx2.Response(response.status_code, headers=response.headers, content=bytes(body), request=request)
