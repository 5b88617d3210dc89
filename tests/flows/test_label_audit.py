"""`validate --audit` from the command line: what it says, what it leaves behind, and what the report makes of it."""

import json
from pathlib import Path

import pytest

from pipeline.validation.listing import read_index
from pipeline.validation.opinions import AUDIT
from pipeline.validation.probe import audit
from pipeline.validation.report import read_findings, write_report
from schemas.probe import ProbeTraining
from tests.flows.commands import run
from tests.validation.report_corpus import make_corpus, make_row


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven rows, and an audit that learns next to nothing but is soon done."""
    monkeypatch.setattr(audit, "TRAINING", ProbeTraining(epochs=1, rate=1e-4))
    return make_corpus(tmp_path / "corpus", [make_row(i) for i in range(7)])


def test_it_names_rows_and_the_report_shows_them(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "CONFIDENT", -1.0)
    result = run(capsys, monkeypatch, "validate", corpus, "--no-contract", "--audit", "--report")
    assert result.status == 0, "a doubt is no broken rule"
    rows = json.loads((corpus / AUDIT).read_text(encoding="utf-8"))["rows"]
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert "7 of 7 rows have a label that is contradicted" in result.out
    assert all(row["row"] in result.out and f"{row['score']:.2f}" in result.out for row in rows)
    flags = read_index(corpus / "report" / "data" / "streams.js")["columns"]["flags"]
    assert flags["names"] == ["label in doubt"]


def test_nothing_is_contradicted_where_the_prediction_is_not_sure(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "CONFIDENT", 1.5)
    result = run(capsys, monkeypatch, "validate", corpus, "--no-contract", "--audit")
    assert result.status == 0
    assert "0 of 7 rows have a label that is contradicted" in result.out
    assert result.out.count("row-00") == 3, "the most doubtful are shown all the same"
    assert "flag 'label in doubt'" not in result.out


def test_too_few_rows_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(
        capsys, monkeypatch, "validate", make_corpus(tmp_path / "c", [make_row(0)]), "--no-contract", "--audit"
    )
    assert result.status == 2
    assert "1 rows are too few to audit" in result.err


def test_a_report_without_the_contract_keeps_what_was_found_before(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = run(capsys, monkeypatch, "validate", corpus, "--report")
    assert checked.status == 3
    before = read_findings(corpus)
    assert before is not None
    assert before.by_rule()
    again = run(capsys, monkeypatch, "validate", corpus, "--no-contract", "--audit", "--report")
    assert again.status == 0
    assert f"the report has what was found before: {before.summary()}" in again.out
    assert read_findings(corpus) == before
    write_report(corpus, None)
    none = run(capsys, monkeypatch, "validate", corpus, "--no-contract", "--audit", "--report")
    assert "found before" not in none.out
