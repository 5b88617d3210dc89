"""The report on loopback: what its folder lacks comes from the shards when a browser asks for it.

Nothing of an address reaches the file system but the names listed here and the number of a row.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from pipeline.errors import BadInput
from pipeline.shards.reader import read_manifest, shard_paths
from pipeline.shards.writer import write_atomically
from pipeline.validation.findings import Finding
from pipeline.validation.listing import BROKEN, read_index, row_of
from pipeline.validation.opinions import read_audit, read_heard
from pipeline.validation.report import marked_corpus, read_findings, script
from pipeline.validation.stream_page import Stream, detail, fade_samples, read_stream
from schemas.marks import MarkedCorpus, Marks

MARKS: Final = "marks.json"
"""Beside the manifest."""
MAX_MARKS_BYTES: Final = 16 << 20
KEPT_STREAMS: Final = 4
"""A page asks for a stream's data, picture and audio one after the other."""
_SHELL: Final = {
    "": ("index.html", "text/html; charset=utf-8"),
    "index.html": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css"),
    **{f"{n}.js": (f"{n}.js", "text/javascript") for n in ("app", "list", "marks", "board", "stream", "player")},
}
_OF_ROW: Final = re.compile(r"(?:data/(\d{4,9})\.js|img/(\d{4,9})(-small)?\.png|audio/(\d{4,9})\.flac)", re.ASCII)
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


class Rows:
    """The streams of a report's list, read from the shards one at a time."""

    def __init__(self, corpus: Path, manifest: dict[str, Any], index: Mapping[str, Any]) -> None:
        columns = index["columns"]
        shards, known = columns["shard"]["names"], set(shard_paths(manifest))
        if unknown := [shard for shard in shards if shard not in known]:
            raise BadInput(
                f"the report lists shard {unknown[0]!r}, the manifest does not; delete report/ and view again"
            )
        self._places = [
            (shards[code], row) for code, row in zip(columns["shard"]["codes"], columns["row"], strict=True)
        ]
        self._corpus = corpus
        self._fade = fade_samples(manifest)
        self._doubts = read_audit(corpus)
        self._findings: dict[tuple[str, int], list[Finding]] = defaultdict(list)
        findings = read_findings(corpus)
        for finding in (f for of_rule in (findings.by_rule() if findings else {}).values() for f in of_rule):
            if place := row_of(finding):
                self._findings[place].append(finding)
        self._lock = threading.Lock()
        self._read = lru_cache(maxsize=KEPT_STREAMS)(self._read_anew)

    def _read_anew(self, number: int) -> Stream:
        shard, row = self._places[number]
        return read_stream(self._corpus / shard, row)

    def file(self, kind: str, number: int) -> bytes | None:
        """The bytes of "data", "audio", "img" or "small"; None where there is no such row or it cannot be decoded."""
        if number >= len(self._places):
            return None
        with self._lock:  # one row group and one spectrogram in memory at a time
            stream = self._read(number)
            if kind == "audio":
                return stream.flac
            if kind != "data":
                return stream.picture(small=kind == "small")
            id = stream.record["id"]
            about = detail(
                stream,
                fade=self._fade,
                findings=self._findings.get(self._places[number], ()),
                heard=read_heard(self._corpus, {id}).get(id, ()),
                doubt=self._doubts.get(id),
            )
            return script(f"details['{number:04d}']", about)


class ReportServer(ThreadingHTTPServer):
    """Serves one corpus's report on 127.0.0.1; `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, corpus: Path, *, port: int = 0) -> None:
        """Raises BadInput where `corpus` has no report, OSError where the port is taken."""
        manifest = read_manifest(corpus)
        self.folder = corpus / "report"
        if not (self.folder / "data" / "streams.js").is_file():
            raise BadInput(f"{str(corpus)!r} has no report; `streamaudio view` writes one")
        self.index = (self.folder / "data" / "streams.js").read_bytes() + b"report.served = true;\n"
        self.rows = Rows(corpus, manifest, read_index(self.folder / "data" / "streams.js"))
        self.marks_file = corpus / MARKS
        self.about = MarkedCorpus.model_validate(marked_corpus(manifest))
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """Where the report opens."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def _report(self) -> ReportServer:
        return cast("ReportServer", self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: a page asks for dozens of pictures."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/")
        if not self._from_here():
            return
        if path in _SHELL:
            name, kind = _SHELL[path]
            self._send((self._report.folder / name).read_bytes(), kind)
        elif path == "data/streams.js":
            self._send(self._report.index, "text/javascript")
        elif path == MARKS:
            self._send(self._marks(), "application/json")
        elif found := _OF_ROW.fullmatch(path):
            self._send_row(found)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self._from_here():
            return
        if urlsplit(self.path).path != f"/{MARKS}" or self.headers.get("Content-Type") != "application/json":
            self._refuse(HTTPStatus.NOT_FOUND, "only marks.json can be written, as application/json")
        elif not length.isascii() or not length.isdigit() or int(length) > MAX_MARKS_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"marks take at most {MAX_MARKS_BYTES} bytes")
        else:
            self._keep(self.rfile.read(int(length)))

    def _from_here(self) -> bool:
        """Whether a page of ours asks: another site's may not, be it under a name that leads to this machine."""
        own = {f"{host}:{self._report.server_port}" for host in ("127.0.0.1", "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in own and (origin is None or origin in {f"http://{host}" for host in own}):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "only this machine's own page may ask")
        return False

    def _marks(self) -> bytes:
        file = self._report.marks_file
        return file.read_bytes() if file.is_file() else Marks(corpus=self._report.about).model_dump_json().encode()

    def _keep(self, body: bytes) -> None:
        try:
            marks = Marks.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            self._refuse(HTTPStatus.BAD_REQUEST, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
            return
        if marks.corpus != self._report.about:
            self._refuse(HTTPStatus.CONFLICT, "the marks are about another corpus")
            return
        text = json.dumps(marks.model_dump(mode="json"), indent=2, ensure_ascii=False)
        try:
            write_atomically(self._report.marks_file, f"{text}\n".encode())
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"{MARKS} cannot be written: {error.strerror}")
            return
        self._send(b"{}", "application/json")

    def _send_row(self, found: re.Match[str]) -> None:
        data, image, small, audio = found.groups()
        kind = "data" if data else "audio" if audio else "small" if small else "img"
        try:
            content = self._report.rows.file(kind, int(data or image or audio))
        except (BadInput, *BROKEN) as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, " ".join(str(error).split()))
            return
        if content is None:
            self._refuse(HTTPStatus.NOT_FOUND, "no such stream, or its audio cannot be decoded")
        else:
            types = {"data": "text/javascript", "audio": "audio/flac"}
            self._send(content, types.get(kind, "image/png"), kept=kind in ("img", "small"))

    def _send(self, content: bytes, kind: str, *, kept: bool = False) -> None:
        """All of it, or the range asked for (RFC 9110, section 14)."""
        status, start, end = HTTPStatus.OK, 0, len(content)
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked and any(asked.groups()):
            first, last = asked.groups()
            start = int(first) if first else max(0, end - int(last))
            end = min(end, int(last) + 1) if first and last else end
            if start >= end:
                self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"there are {len(content)} bytes")
                return
            status = HTTPStatus.PARTIAL_CONTENT
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "max-age=3600" if kept else "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if status == HTTPStatus.PARTIAL_CONTENT:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(memoryview(content)[start:end])

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        body = why.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # a body may be left unread
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
