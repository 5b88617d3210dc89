"""What the report's server gives and to whom: the bytes of the shards, nothing else of the machine, to its own page."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.validation.report import write_report
from pipeline.validation.serve import ReportServer
from schemas.marks import Mark, MarkedCorpus, Marks
from tests.validation.report_corpus import doubt, hear, make_corpus, make_row

ABOUT = MarkedCorpus(recipe_sha256="0" * 64, library_sha256="1" * 64)


@contextmanager
def served(corpus: Path) -> Iterator[ReportServer]:
    with ReportServer(corpus) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportServer]:
    rows = [make_row(0), make_row(1), make_row(2, audio=b"no flac")]
    corpus = make_corpus(tmp_path_factory.mktemp("served") / "corpus", rows)
    hear(corpus)
    doubt(corpus, {"row-000": -1.0, "row-001": 0.75, "row-002": -1.0})
    write_report(corpus, None, max_streams=1)
    (corpus / "secret.js").write_text("secret", encoding="utf-8")
    with served(corpus) as running:
        yield running


def ask(
    server: ReportServer, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Status, body and headers; the path goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        sent = {"Host": f"127.0.0.1:{server.server_port}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        reply = connection.getresponse()
        return reply.status, reply.read(), reply.headers
    finally:
        connection.close()


def test_every_stream_is_there_be_it_in_the_folder_or_not(server: ReportServer) -> None:
    assert [path.name for path in (server.folder / "audio").iterdir()] == ["0001.flac"]
    for number in (0, 1):
        status, audio, headers = ask(server, f"/audio/{number:04d}.flac")
        assert (status, audio, headers["Content-Type"]) == (200, make_row(number).audio, "audio/flac")
        assert ask(server, f"/img/{number:04d}.png")[1].startswith(b"\x89PNG")
        assert ask(server, f"/img/{number:04d}-small.png")[1].startswith(b"\x89PNG")
    assert ask(server, "/audio/0002.flac")[0] == 404
    assert ask(server, "/audio/0003.flac")[0] == 404


def test_a_page_is_the_same_as_in_the_folder(server: ReportServer) -> None:
    assert ask(server, "/data/0001.js")[1] == (server.folder / "data" / "0001.js").read_bytes()
    assert b"0.75" in ask(server, "/data/0001.js")[1]


@pytest.mark.parametrize(
    ("asked", "span"),
    [("bytes=0-", (0, None)), ("bytes=7-99", (7, 100)), ("bytes=-5", (-5, None)), ("bytes=3-9999999", (3, None))],
)
def test_a_range_is_what_was_asked_for(server: ReportServer, asked: str, span: tuple[int, int | None]) -> None:
    whole = make_row(0).audio
    status, part, headers = ask(server, "/audio/0000.flac", Range=asked)
    assert (status, part) == (206, whole[span[0] : span[1]])
    first = whole.index(part)
    assert headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_refused(server: ReportServer) -> None:
    assert ask(server, "/audio/0000.flac", Range="bytes=99999999-")[0] == 416


@pytest.mark.parametrize(
    "path",
    ["/../manifest.json", "/data/../../manifest.json", "/..%2fmanifest.json", "/manifest.json", "/../secret.js",
     "//etc/passwd", "/data/0000.js/../../../secret.js", "/audio/00000000000000000000.flac", "/findings.json",
     "/data/", "/audio/0000.flac%00"],
)  # fmt: skip
def test_nothing_else_of_the_machine_is_given(server: ReportServer, path: str) -> None:
    status, body, _ = ask(server, path)
    assert status in (400, 404)
    assert b"secret" not in body


def test_other_sites_get_nothing_whatever_name_they_use(server: ReportServer) -> None:
    body = Marks(corpus=ABOUT).model_dump_json().encode()
    json_type = {"Content_Type": "application/json"}
    assert ask(server, "/", Host=f"evil.example:{server.server_port}")[0] == 403
    assert ask(server, "/", Origin="http://evil.example")[0] == 403
    assert ask(server, "/marks.json", method="PUT", body=body, Origin="http://evil.example", **json_type)[0] == 403
    assert ask(server, "/marks.json", method="PUT", body=body, Content_Type="text/plain")[0] == 404
    assert ask(server, "/index.html", method="PUT", body=body, **json_type)[0] == 404
    assert not server.marks_file.exists()


def test_marks_are_kept_beside_the_corpus(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0)])
    write_report(corpus, None)
    marks = Marks(corpus=ABOUT, marks=(Mark(id="row-000", mark="bad", reason="thin"),))
    with served(corpus) as server:

        def put(body: bytes) -> int:
            return ask(server, "/marks.json", method="PUT", body=body, Content_Type="application/json")[0]

        assert Marks.model_validate_json(ask(server, "/marks.json")[1]) == Marks(corpus=ABOUT)
        assert put(marks.model_dump_json().encode()) == 200
        other = marks.model_copy(update={"corpus": MarkedCorpus(recipe_sha256="2" * 64, library_sha256="1" * 64)})
        assert put(other.model_dump_json().encode()) == 409
        twice = {**marks.model_dump(mode="json"), "marks": [{"id": "a", "mark": "bad"}, {"id": "a", "mark": "good"}]}
        assert put(json.dumps(twice).encode()) == 400
        assert put(b"{") == 400
        assert Marks.model_validate_json(ask(server, "/marks.json")[1]) == marks
    assert Marks.model_validate_json((corpus / "marks.json").read_bytes()).bad == {"row-000"}


def test_a_report_that_lists_foreign_shards_is_refused(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0)])
    listed = write_report(corpus, None).parent / "data" / "streams.js"
    listed.write_text(listed.read_text(encoding="ascii").replace("data/train-0", "../../train-0"), encoding="ascii")
    with pytest.raises(BadInput, match="the manifest does not"):
        ReportServer(corpus)


def test_a_corpus_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no report"):
        ReportServer(make_corpus(tmp_path / "c", [make_row(0)]))
