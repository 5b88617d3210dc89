"""The report in a real browser, from file://: it filters, plays, seeks, survives hostile text, fits a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.validation.findings import Extent, Finding, Findings, StemCounts
from pipeline.validation.report import write_report
from tests.validation.browser import Browser, browser, missing
from tests.validation.report_corpus import make_corpus, make_row

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
        choose(window, "rule", "=audio-decodes")
        assert cards(window) == ["#/0001"]
        choose(window, "rule", "")
        choose(window, "split", "")
        choose(window, "words", "KETTLE row-001")
        assert cards(window) == ["#/0003"]
        choose(window, "words", "")

        window.run("document.querySelectorAll('.card')[2].click()")
        window.wait("shown && audio.readyState >= 1 && document.querySelector('.picture img').complete")
        assert window.run("return document.querySelector('.picture img').naturalWidth") == 400
        assert window.run("return document.querySelectorAll('.lane.grid rect.reply').length") == 1
        window.click("#toggle")
        window.wait("audio.currentTime > 0.1")
        window.click("#toggle")
        window.wait("audio.paused")
        window.click(".picture", 0.5)
        window.wait("Math.abs(audio.currentTime - 4) < 0.05 && !audio.seeking")
        assert window.run("return byId('now').textContent") in {"chunk 9: silent", "chunk 10: silent"}
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
                "return [...document.querySelectorAll('button, a, input, select')].filter((e) => e.checkVisibility()"
                " && !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
            )
            assert nameless == []
