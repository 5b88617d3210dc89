"""What readers of the report rely on: no text becomes markup, the choice is fair, an old report survives."""

from __future__ import annotations

import html.parser
import io
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from pipeline.shards.corpus import Quarantined
from pipeline.validation import report
from pipeline.validation.findings import Extent, Finding, Findings, StemCounts
from pipeline.validation.listing import Listed, read_index, select
from pipeline.validation.opinions import Doubt
from pipeline.validation.pictures import HOP_SAMPLES, envelope, log_mel, thumbnail, tick_heights
from pipeline.validation.report import fresh_report, write_report
from tests.validation.report_corpus import CHUNKS, doubt, hear, make_corpus, make_row

SHARD = "data/train-00000-of-00001.parquet"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> '; alert(3) // \u2028 ]]>"


def found(*findings: Finding) -> Findings:
    all_of_them = Findings(Extent(rows=1), StemCounts())
    all_of_them.add(findings)
    return all_of_them


def script(path: Path) -> dict:
    """The value that a data script assigns."""
    match = re.fullmatch(r"report\.\S+ = (.*);\n", path.read_text(encoding="ascii"))
    assert match, path
    return json.loads(match[1])


def columns(page: Path) -> dict:
    """The list of a report."""
    return read_index(page.parent / "data" / "streams.js")["columns"]


def listed(
    number: int,
    *,
    task: str = "natural_hazard",
    split: str = "train",
    pair: str | None = None,
    bad: bool = False,
    doubted: float | None = None,
) -> Listed:
    findings = (Finding("some-rule", f"{SHARD}#{number}", "wrong"),) * bad
    contradicted = None if doubted is None else Doubt(doubted, "missing", 3, doubted > 0)
    place = (SHARD, number, f"row-{number}", split)
    return Listed(*place, "proactive_response", task, "", pair, 1, 1, findings=findings, doubt=contradicted)


class Elements(html.parser.HTMLParser):
    """Names of a page's elements, and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_hostile_text_becomes_no_markup_and_is_kept_to_the_letter(tmp_path: Path) -> None:
    plain = Elements(write_report(make_corpus(tmp_path / "plain", [make_row(0)]), None).read_text(encoding="utf-8"))
    rejected = Quarantined("q", "train", HOSTILE, HOSTILE, HOSTILE, "{}", 0)
    corpus = make_corpus(tmp_path / "hostile", [make_row(0, text=HOSTILE)], quarantined=[rejected])
    page = write_report(corpus, found(Finding("some-rule", f"{SHARD}#0 {HOSTILE}", HOSTILE)))

    elements = Elements(page.read_text(encoding="utf-8"))
    assert elements.names.count("script") == plain.names.count("script")
    assert "img" not in elements.names
    assert not any(name.startswith("on") for name, _ in elements.attributes)
    for path in (page.parent / "data").iterdir():
        assert "<" not in path.read_text(encoding="ascii")
    detail = script(page.parent / "data" / "0000.js")
    assert detail["events"][1]["caption"] == HOSTILE
    assert detail["provenance"]["audits"][0]["reason"] == HOSTILE
    assert detail["findings"] == [{"rule": "some-rule", "detail": HOSTILE}]


def test_the_report_names_no_place_outside_its_folder(tmp_path: Path) -> None:
    page = write_report(make_corpus(tmp_path / "c", [make_row(0)]), None)
    for path in page.parent.rglob("*"):
        if path.suffix in {".html", ".css", ".js"}:
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"(?i)https?:|//[a-z0-9-]+\.[a-z]|\burl\((?!#)|@import", text), path.name


def test_audio_is_the_stored_flac_and_pictures_span_it(tmp_path: Path) -> None:
    row = make_row(3)
    folder = write_report(make_corpus(tmp_path / "c", [row]), None).parent
    assert (folder / "audio" / "0000.flac").read_bytes() == row.audio
    columns = CHUNKS * 6400 // HOP_SAMPLES
    assert imread(folder / "img" / "0000.png").shape[:2] == (80, columns)
    detail = script(folder / "data" / "0000.js")
    assert len(detail["envelope"]) == columns
    assert set(detail["envelope"]) == {30}
    assert detail["verified"] == [1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert detail["seed"] == str(2**62 + 3)


@given(st.data())
def test_the_choice_is_bounded_spread_and_keeps_pairs(data: st.DataObject) -> None:
    tasks = st.sampled_from(("a", "b", "c"))
    rows = [
        listed(
            i, task=data.draw(tasks), split=data.draw(st.sampled_from(("train", "test"))), bad=data.draw(st.booleans())
        )
        for i in range(data.draw(st.integers(0, 30)))
    ]
    limit = data.draw(st.integers(0, 35))
    chosen = select(rows, limit)
    assert len(chosen) == min(limit, len(rows))
    assert chosen == sorted(chosen, key=lambda row: row.index)
    flagged = sum(bool(row.findings) for row in rows)
    assert sum(bool(row.findings) for row in chosen) == min(limit, flagged)
    if limit >= flagged + 6:
        assert {(row.sub_task, row.split) for row in chosen} == {(row.sub_task, row.split) for row in rows}


def test_findings_come_before_labels_in_doubt_and_these_before_the_rest() -> None:
    rows = [*(listed(i) for i in range(4)), listed(4, doubted=0.1), listed(5, doubted=-0.1), listed(6, bad=True)]
    assert [row.index for row in select(rows, 1)] == [6]
    assert [row.index for row in select(rows, 2)] == [4, 6]


def test_rows_of_a_pair_come_together_or_not_at_all() -> None:
    rows = [listed(i, pair=f"p{i // 2}") for i in range(40)]
    chosen = select(rows, 7)
    assert len(chosen) == 6
    assert {row.pair_id for row in chosen} == {row.pair_id for row in chosen[::2]}


def test_only_so_many_streams_get_a_page_but_all_are_counted(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(i) for i in range(5)])
    page = write_report(corpus, None, max_streams=2)
    assert len(list((page.parent / "audio").iterdir())) == 2
    assert sorted(columns(page)["here"]) == [0, 0, 0, 1, 1]
    text = page.read_text(encoding="utf-8")
    assert "2 of 5 streams" in text
    assert "<dt>Streams</dt><dd>5</dd>" in text


def test_findings_are_counted_and_reach_their_stream(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(i) for i in range(12)])
    page = write_report(
        corpus, found(Finding("late-reply", f"{SHARD}#1 row-001, response 0", "chunk 9")), max_streams=1
    )
    assert re.search(r'late-reply.*<a href="#/0001"><code>', page.read_text(encoding="utf-8"), re.DOTALL)
    of_all = columns(page)
    assert of_all["here"] == [int(id == "row-001") for id in of_all["id"]]
    assert [[of_all["flags"]["names"][code] for code in codes] for codes in of_all["flags"]["codes"]][:3] == [
        [],
        ["late-reply"],
        [],
    ]


def test_the_spread_of_settings_events_and_openings_is_shown(tmp_path: Path) -> None:
    rows = [make_row(i, text="mind the step" if i == 0 else "the kettle boils over") for i in range(3)]
    page = write_report(make_corpus(tmp_path / "c", rows), None).read_text(encoding="utf-8")
    section = page[page.index('id="h-variety"') : page.index('id="h-streams"')]
    counts = re.findall(r'<th scope="row">(.*?)</th><td class="count">.*?</span>(\d+)</td>', section)
    # Two foreground sounds a row; an opening is three words.
    events = [("the kettle boils over", "4"), ("mind the step", "2")]
    assert counts == [("kitchen", "3"), *events, ("the kettle boils", "2"), ("mind the step", "1")]
    assert re.findall(r"(\d+) different of (\d+)", section) == [("1", "3"), ("2", "6"), ("2", "3")]
    assert "evenness 0.92" in section


def test_a_split_or_a_corpus_without_rows(tmp_path: Path) -> None:
    some = make_corpus(tmp_path / "some", [make_row(0)], splits=("train", "test"))
    assert re.search(
        r'<th scope="row">test</th><td class="number">0<', write_report(some, None).read_text(encoding="utf-8")
    )
    none = make_corpus(tmp_path / "none", [])
    assert "<dt>Streams</dt><dd>0</dd>" in write_report(none, None).read_text(encoding="utf-8")


def test_a_new_report_replaces_the_old_one_whole(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0), make_row(1)])
    stray = write_report(corpus, None).parent / "stray"
    stray.write_text("of the older report", encoding="utf-8")
    page = write_report(corpus, found(), max_streams=1)
    assert not stray.exists()
    assert "Every rule of the contract holds" in page.read_text(encoding="utf-8")
    assert not list(corpus.glob(".report*"))


@pytest.mark.parametrize("stage", ["_write_media", "_write_pages"])
def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0)])
    before = write_report(corpus, None).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, stage, full)
    with pytest.raises(OSError, match="No space left"):
        write_report(corpus, found())
    assert (corpus / "report" / "index.html").read_bytes() == before
    assert not list(corpus.glob(".report*"))


def test_a_failed_swap_puts_the_old_report_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0)])
    before = write_report(corpus, None).read_bytes()
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        write_report(corpus, found())
    assert (corpus / "report" / "index.html").read_bytes() == before


def test_damaged_audio_and_provenance_are_shown_without(tmp_path: Path) -> None:
    rows = [
        make_row(0, audio=b"no flac"),
        make_row(1, audio=make_row(1).audio[:900], provenance_json="{", plan_json="{"),
    ]
    page = write_report(make_corpus(tmp_path / "c", rows), None)
    folder = page.parent
    assert columns(page)["here"] == [2, 2]
    assert script(folder / "data" / "0000.js")["envelope"] is None
    assert not (folder / "audio" / "0000.flac").exists()
    assert script(folder / "data" / "0001.js")["provenance"] is None
    assert script(folder / "data" / "0001.js")["plan"] == "{"


def test_an_unreadable_shard_is_named(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0), make_row(1, split="test")], splits=("train", "test"))
    (corpus / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 not really PAR1")
    text = write_report(corpus, None).read_text(encoding="utf-8")
    assert "data/test-00000-of-00001.parquet, from row 0 on" in text
    assert "<dt>Streams</dt><dd>1</dd>" in text


def test_a_response_without_an_event_is_still_shown(tmp_path: Path) -> None:
    row = make_row(0)
    stray = row.responses[0].model_copy(update={"event": 99, "chunk": 12})
    page = write_report(make_corpus(tmp_path / "c", [row.model_copy(update={"responses": (stray,)})]), None)
    assert columns(page)["responses"] == [[12]]


@pytest.mark.parametrize("hz", [500, 1000, 2000, 4000])
def test_a_tone_lies_at_its_label(hz: int) -> None:
    db = log_mel(np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32) / 2)
    height = dict(tick_heights())[hz]
    assert abs((db.mean(axis=1).argmax() + 0.5) / len(db) - height) < 0.02


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 6400])
def test_pictures_have_one_column_per_20_ms_and_no_gaps(samples: int) -> None:
    for signal in (np.zeros(samples, np.float32), np.full(samples, np.nan, np.float32), np.ones(samples, np.float32)):
        db = log_mel(signal)
        assert db.shape == (80, -(-samples // 320))
        assert np.isfinite(db).all()
        assert np.isfinite(thumbnail(db)).all()
        assert len(envelope(signal)) == db.shape[1]


def test_flac_of_the_test_corpus_is_what_a_shard_holds() -> None:
    samples, rate = sf.read(io.BytesIO(make_row(0).audio))
    assert (len(samples), rate) == (CHUNKS * 6400, 16000)


def test_what_listeners_and_the_audit_say_reaches_list_overview_and_page(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(i) for i in range(4)])
    hear(corpus)
    doubt(corpus, {"row-000": 0.75, "row-001": 0.25, "row-002": -0.5, "row-003": -0.5})
    page = write_report(corpus, None)
    of_all = columns(page)
    flags = [{of_all["flags"]["names"][code] for code in codes} for codes in of_all["flags"]["codes"]]
    broken = {"probe: a reply without a label", "probe: a verified silence broken"}
    assert flags == [{"label in doubt", *broken}, {"probe: a label missed"}, set(), {"probe: a label missed", *broken}]
    assert of_all["scores"]["F1 of probe"] == [0.667, 0.0, 1.0, 0.0]
    assert of_all["scores"]["doubt in a label"][:2] == [0.75, 0.25]
    text = page.read_text(encoding="utf-8")
    # 2 of 4 labels answered, 2 of 4 replies agree.
    assert re.search(r'<th scope="row">probe</th>\s*<td class="number">0\.50', text)
    assert "<dt>Labels in doubt</dt><dd>1</dd>" in text

    first = script(page.parent / "data" / "0000.js")
    (heard,) = first["heard"]
    assert first["doubt"] == {"score": 0.75, "doubt": "unexpected", "chunk": 7, "contradicted": True}
    assert heard["decisions"] == "ssdssssrssssssrsssss"
    assert [reply["chunk"] for reply in heard["replies"]] == [7, 14]
    assert (heard["missed"], heard["extra"], heard["false"]) == ([], [1], [1])
    assert script(page.parent / "data" / "0001.js")["heard"][0]["missed"] == [0]


def test_replays_of_other_suites_are_left_out(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0)])
    hear(corpus).rename(corpus / "replay" / "probe.stability.parquet")
    results = corpus / "replay" / "probe.stability.parquet"
    metadata = {"replay": json.dumps({"heard": {"suite": "stability"}})}
    pq.write_table(pq.read_table(results).replace_schema_metadata(metadata), results)
    assert script(write_report(corpus, None).parent / "data" / "0000.js")["heard"] == []


def test_a_report_older_than_a_replay_is_written_again_with_what_was_found_before(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "c", [make_row(0), make_row(1)])
    page = write_report(corpus, found(Finding("late-reply", f"{SHARD}#1 row-001", "chunk 9")))
    before = page.stat().st_mtime_ns
    assert fresh_report(corpus).stat().st_mtime_ns == before
    results = hear(corpus)
    os.utime(results, (time.time() + 9, time.time() + 9))
    assert fresh_report(corpus).stat().st_mtime_ns != before
    assert script(page.parent / "data" / "0001.js")["findings"] == [{"rule": "late-reply", "detail": "chunk 9"}]
    assert len(script(page.parent / "data" / "0001.js")["heard"]) == 1
    os.utime(corpus / "manifest.json", (time.time() + 99, time.time() + 99))
    assert "Not validated yet" in fresh_report(corpus).read_text(encoding="utf-8")


def test_seams_are_where_sounds_begin_and_end(tmp_path: Path) -> None:
    page = write_report(make_corpus(tmp_path / "c", [make_row(0)]), None)
    seams = script(page.parent / "data" / "0000.js")["seams"]
    # The fades are 20 ms long; a stream's own ends are none, and a tone without a break is smooth everywhere.
    ends = [0.41, 1.01, 1.89, 2.01, 3.09, 4.01, 4.99, 5.99]
    assert [round(sample / 16000, 2) for sample, _, _ in seams] == ends
    assert {kind for _, kind, _ in seams} == {"edge"}
    assert max(jump for *_, jump in seams) < 1.5


def test_where_a_bed_repeats_is_a_seam(tmp_path: Path) -> None:
    row = make_row(0)
    provenance = json.loads(row.provenance_json) | {"bed_seams": [24_000, 56_000]}
    corpus = make_corpus(tmp_path / "c", [row.model_copy(update={"provenance_json": json.dumps(provenance)})])
    seams = script(write_report(corpus, None).parent / "data" / "0000.js")["seams"]
    assert [sample for sample, kind, _ in seams if kind == "tile"] == [24_000, 56_000]


def test_the_mixture_is_beside_what_was_asked(tmp_path: Path) -> None:
    recipe = {"name": "small", "mixture": {"natural_hazard": 3.0, "count_events": 1.0}}
    text = write_report(make_corpus(tmp_path / "c", [make_row(0)], recipe=recipe), None).read_text(encoding="utf-8")
    assert re.search(r'Natural hazard.*?<td class="number">100.0 %</td><td class="number">75.0 %</td>', text, re.DOTALL)
    assert "Asked for and not there: count events (25.0 %)" in text
