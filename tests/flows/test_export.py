import json
from pathlib import Path

import pytest

from tests.factories import Handmade
from tests.flows.commands import run


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handmade")
    return Handmade.make(folder).write(folder / "corpus")


@pytest.mark.parametrize("format", ["webdataset", "hub"])
def test_a_corpus_is_exported_once(capsys, monkeypatch, corpus, tmp_path, format):
    arguments = ("export", corpus, "--format", format, "--out", tmp_path / "out")
    assert run(capsys, monkeypatch, *arguments).status == 0
    again = run(capsys, monkeypatch, *arguments)
    assert again.status == 2
    assert "already holds" in again.err


def test_a_tokenizer_adds_token_rows_and_reference_moves_replies(capsys, monkeypatch, corpus, tmp_path, shared):
    rows = {}
    for name, more in (("ours", ()), ("theirs", ("--reference",))):
        out = tmp_path / name
        arguments = ("--format", "audio-interaction", "--out", out, "--tokenizer", shared / "golden" / "checkpoint")
        result = run(capsys, monkeypatch, "export", corpus, *arguments, "--system-prompt", "Listen.", *more)
        assert result.status == 0, result.err
        files = [out / split / "tokens" / "online.jsonl" for split in ("train", "test")]
        rows[name] = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [r["id"] for r in rows["ours"]] == [r["id"] for r in rows["theirs"]]
    assert rows["ours"] != rows["theirs"]


@pytest.mark.parametrize(
    "more", [("--format", "jams", "--reference"), ("--format", "audio-interaction", "--reference"), ("--format", "mp3")]
)
def test_options_that_do_not_fit_are_told(capsys, monkeypatch, corpus, tmp_path, more):
    result = run(capsys, monkeypatch, "export", corpus, "--out", tmp_path / "out", *more)
    assert result.status == 2
    assert "--" in result.err
    assert not (tmp_path / "out").exists()
