"""The report in a real browser, from file:// and from its server: it filters, plays, seeks, takes and exports marks,
survives hostile text, fits a phone, and holds ten thousand streams."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline.validation.findings import Extent, Finding, Findings, StemCounts
from pipeline.validation.listing import Listed, index, read_index
from pipeline.validation.report import script, write_report
from pipeline.validation.serve import ReportServer
from schemas.marks import Mark, Marks
from tests.validation.browser import PATIENCE_S, Browser, browser, missing
from tests.validation.report_corpus import hear, make_corpus, make_row

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
SPACE, RIGHT, ESCAPE = " ", "\ue014", "\ue00c"

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    rows = [
        make_row(0, pair_id="pair-0"),
        make_row(1, pair_id="pair-0", responses=()),
        make_row(2, split="test", sub_task="safety_signal", text=HOSTILE),
        make_row(3, split="test", audio=b"no flac"),
    ]
    corpus = make_corpus(tmp_path_factory.mktemp("report") / "corpus", rows, splits=("train", "test"))
    hear(corpus)
    findings = Findings(Extent(rows=4), StemCounts())
    findings.add([Finding("audio-decodes", "data/test-00000-of-00001.parquet#1 row-003", "no FLAC")])
    return write_report(corpus, findings).resolve().as_uri()


def cards(window: Browser) -> list[str]:
    return window.run("return [...document.querySelectorAll('.card')].map((card) => card.hash)")


def choose(window: Browser, name: str, value: str) -> None:
    window.run(
        "const field = byId('filters').elements[arguments[0]]; field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', { bubbles: true }))",
        name,
        value,
    )


def test_a_person_filters_plays_and_seeks(page: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", width=1280, height=900) as window:
        window.open(page)
        window.wait("document.querySelectorAll('.card').length")
        assert cards(window) == ["#/0000", "#/0001", "#/0002", "#/0003"]
        choose(window, "split", "test")
        assert cards(window) == ["#/0000", "#/0001"]
        choose(window, "flag", "=audio-decodes")
        assert cards(window) == ["#/0001"]
        choose(window, "flag", "")
        choose(window, "split", "")
        choose(window, "score", "F1 of probe")
        assert cards(window) == ["#/0001", "#/0003", "#/0000", "#/0002"]
        choose(window, "order", "-1")
        choose(window, "least", "0.5")
        assert cards(window) == ["#/0002", "#/0000"]
        choose(window, "least", "")
        choose(window, "score", "")
        choose(window, "words", "KETTLE row-001")
        assert cards(window) == ["#/0003"]
        choose(window, "words", "")

        window.run("document.querySelectorAll('.card')[2].click()")
        window.wait("shown && audio.readyState >= 1 && document.querySelector('.picture img').complete")
        assert window.run("return document.querySelector('.picture img').naturalWidth") == 400
        assert window.run("return document.querySelector('.lane.grid').querySelectorAll('rect.reply').length") == 1
        window.click("#toggle")
        window.wait("audio.currentTime > 0.1")
        window.click("#toggle")
        window.wait("audio.paused")
        window.click(".picture", 0.5)
        window.wait("Math.abs(audio.currentTime - 4) < 0.05 && !audio.seeking")
        assert window.run("return byId('now').textContent") in {
            f"chunk {chunk}: silent · probe: silent" for chunk in (9, 10)
        }
        labels, probe = window.run("return [...document.querySelectorAll('.lane.grid')].map((grid) => grid.ariaLabel)")
        assert labels == "20 chunks, 1 with a response, 9 of verified silence"
        assert probe == "probe: 1 reply, 0 labels missed, 0 replies without a label, 0 in verified silence"
        cursor, picture = window.run(
            "return ['.cursor', '.picture'].map((s) => document.querySelector(s).getBoundingClientRect().toJSON())"
        )
        assert cursor["x"] + cursor["width"] / 2 == pytest.approx(picture["x"] + picture["width"] / 2, abs=2)
        window.press(RIGHT)
        window.wait("Math.abs(audio.currentTime - 6) < 0.05")
        window.run("document.activeElement.blur()")
        window.press(SPACE)
        window.wait("!audio.paused")

        window.run("document.querySelector('.chips a').click()")
        window.wait("shown?.stream.id === 'row-001'")
        assert window.run("return audio.paused")
        window.press(ESCAPE)
        window.wait("!byId('overview').hidden")
        assert window.console() == []
        assert not [address for address in window.requested() if address.startswith(("http", "ws"))]


def test_a_person_marks_rows_and_exports_the_marks(page: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", width=1280, height=900) as window:
        window.keep_downloads(tmp_path)
        window.open(page + "#/0002")
        window.wait("shown?.stream.id === 'row-000'")
        window.press("b")
        assert window.run("return document.querySelector('[name=mark-of-stream]:checked').value") == "bad"
        window.run(
            "byId('reason').value = arguments[0]; byId('reason').dispatchEvent(new Event('change'))", f" {HOSTILE} "
        )
        window.press("p")
        window.wait("shown?.stream.id === 'row-003'")
        window.run("document.querySelector('[name=mark-of-stream][value=good]').click()")

        window.open("about:blank")
        window.open(page)
        window.wait("document.querySelectorAll('.card').length === 4")
        assert "2 marked, 1 of them bad" in window.run("return document.querySelector('.marks-status').textContent")
        choose(window, "mark", "bad")
        assert cards(window) == ["#/0002"]
        window.run("byId('export').click()")
        end = time.monotonic() + PATIENCE_S
        while not (exported := list(tmp_path.glob("marks*.json"))) and time.monotonic() < end:
            time.sleep(0.05)
        marks = Marks.model_validate_json(exported[0].read_bytes())
        assert marks.marks == (Mark(id="row-000", mark="bad", reason=HOSTILE), Mark(id="row-003", mark="good"))
        assert (marks.corpus.recipe_sha256, marks.corpus.library_sha256) == ("0" * 64, "1" * 64)
        assert window.console() == []


def test_the_server_shows_what_the_folder_lacks_and_keeps_marks(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", [make_row(i) for i in range(3)])
    write_report(corpus, None, max_streams=1)
    with ReportServer(corpus) as server, browser(tmp_path / "profile", width=390, height=844) as window:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        window.open(server.address)
        window.wait("document.querySelectorAll('.card').length === 3")
        for key in ("0000", "0001", "0002"):
            window.run("location.hash = arguments[0]", f"#/{key}")
            window.wait(f"shown?.stream.key === '{key}' && audio.readyState >= 1")
            window.wait("document.querySelector('.picture img').naturalWidth === 400")
        window.run("seek(6)")
        window.wait("!audio.seeking && Math.abs(audio.currentTime - 6) < 0.05")
        window.run("return mark('bad')")
        assert Marks.model_validate_json((corpus / "marks.json").read_bytes()).bad == {"row-002"}
        window.open(server.address + "#/0002")
        window.wait("document.querySelector('[name=mark-of-stream]:checked')?.value === 'bad'")
        assert window.console() == []
        server.shutdown()


def test_ten_thousand_streams_are_listed_a_windowful_at_a_time(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", [make_row(0)])
    page = write_report(corpus, None)
    lengthen(page, 10_000)
    with browser(tmp_path / "profile", width=1280, height=900) as window:
        window.open(page.resolve().as_uri())
        window.wait("document.querySelectorAll('.card').length")
        choose(window, "here", "")
        assert window.run("return byId('count').textContent") == "10000 of 10000 streams"
        for place in ("0", "document.body.scrollHeight / 2", "document.body.scrollHeight"):
            window.run(f"scrollTo(0, {place}); layOut()")
            assert 0 <= len(cards(window)) < 100
        assert cards(window)[-1] == "#/9999"
        choose(window, "words", "row-04321")
        assert cards(window) == ["#/4321"]


def lengthen(page: Path, rows: int) -> None:
    """Let the list of a report of one row go on, with rows whose files are elsewhere."""
    file = page.parent / "data" / "streams.js"
    listed = [
        Listed("data/train-00000-of-00001.parquet", i, f"row-{i:05d}", "train", "proactive_response", "natural_hazard",
               f"a kettle whistles in kitchen {i}", None, 960_000, 150, (7, 90), 30, 1.1, 12.0)
        for i in range(rows)
    ]  # fmt: skip
    whole = {**read_index(file), "size": rows, "columns": index(listed, {(listed[0].shard, 0): True})}
    file.write_bytes(script("index", whole))


def test_hostile_text_is_shown_and_not_run(page: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", width=1280, height=900) as window:
        for hash in ("", "#/0000", "#/0001"):
            window.open(page + hash)
            window.wait("document.readyState === 'complete' && (location.hash === '' || shown)")
            assert "Small <corpus>" in window.run("return document.title")
        window.open(page + "#/0000")
        window.wait("shown?.stream.id === 'row-002'")
        assert HOSTILE in window.run("return byId('stream').textContent")
        assert (
            window.run("return document.querySelectorAll('#stream script, #stream img:not(.picture img)').length") == 0
        )
        assert window.console() == []


def test_nothing_is_wider_than_a_phone_and_every_control_has_a_name(page: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", width=360, height=740) as window:
        for hash in ("", "#/0000", "#/0001"):
            window.open(page + hash)
            window.wait("document.readyState === 'complete' && (location.hash === '' || shown)")
            assert window.run("return document.documentElement.scrollWidth") == 360
            nameless = window.run(
                "return [...document.querySelectorAll('button, a, input, select, summary')]"
                ".filter((e) => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.labels?.length))"
                ".map((e) => e.outerHTML)"
            )
            assert nameless == []
