"""Dialogues as the published sets have them, beside the clips of a library."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import BadInput
from pipeline.library.dialogues import import_dialogues, import_translations, read_dialogues
from pipeline.library.ingest import import_library, read_clips

HELLO = [("user", "Hello there."), ("assistant", "Hello! How can I help?")]


@pytest.fixture
def library(tmp_path, write_tone):
    write_tone(tmp_path / "sounds" / "bark.wav")
    import_library(tmp_path / "sounds", tmp_path / "lib")
    return tmp_path / "lib"


def said(dialogue):
    return [(turn.speaker, turn.text) for turn in dialogue.turns]


@pytest.mark.parametrize(
    "record",
    [
        {"id": "0", "data": ["Hello there.", "Hello! How can I help?"]},
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello there."},
                      {"role": "assistant", "content": "Hello! How can I help?"}]},
        {"conversations": [{"from": "human", "value": "Hello there."},
                           {"from": "gpt", "value": "Hello! How can I help?"}]},
        {"conversation": [{"human": "Hello there.", "assistant": "Hello! How can I help?"}]},
        {"conversation_id": 1, "meta_instruction": "MOSS is kind.", "num_turns": 1, "chat": {"turn_1": {
            "Human": "<|Human|>: Hello there.<eoh>\n", "Inner Thoughts": "<|Inner Thoughts|>: None<eot>\n",
            "MOSS": "<|MOSS|>: Hello! How can I help?<eom>\n"}}},
        {"prefix": "MOSS is kind.", "plain_text": "[Human]: Hello there.<eoh> [MOSS]: Hello! How can I help?<eoa>"},
        {"instruction": "Hello there.", "input": "", "output": "Hello! How can I help?"},
        {"question": "Hello there.", "answers": ["Hello! How can I help?", "Hi."]},
        {"prompt": "Hello there.", "response": "Hello! How can I help?"},
    ],
)  # fmt: skip
def test_every_published_shape_gives_the_same_dialogue(tmp_path, library, record):
    (tmp_path / "d.jsonl").write_text(json.dumps(record) + "\n")
    report = import_dialogues(tmp_path / "d.jsonl", library, licence="CC BY-NC 4.0")
    (dialogue,) = read_dialogues(library)
    assert said(dialogue) == HELLO
    assert (dialogue.language, dialogue.licence, report.imported) == ("en", "CC-BY-NC-4.0", 1)


def test_files_of_any_format_add_up_and_equal_ones_count_once(tmp_path, library):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "LICENSE").write_text("See https://creativecommons.org/licenses/by/4.0/ for terms.")
    (folder / "a.json").write_text(json.dumps([{"prompt": "一加一等于几？", "response": "等于二。", "license": "MIT"}]))
    with gzip.open(folder / "b.jsonl.gz", "wt") as file:
        file.write(json.dumps({"data": ["Hello there.", "Hi."]}) + "\n")
    pq.write_table(pa.Table.from_pylist([{"prompt": "Hello there.", "response": "Hi."}]), folder / "c.parquet")
    report = import_dialogues(folder, library)
    assert (report.imported, report.duplicates, report.dialogues) == (2, 1, 2)
    by_language = {d.language: d for d in read_dialogues(library)}
    assert by_language["zh"].licence == "MIT"
    assert by_language["en"].licence == "CC-BY-4.0"
    assert import_dialogues(folder, library).imported == 0


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"data": ["only a question"]}, "no turn of a user that an assistant answers"),
        ({"messages": [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Hi."}]}, "user's first"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "'tool'"),
        ([1], "no JSON object"),
    ],
)
def test_a_row_that_is_no_dialogue_is_rejected_alone(tmp_path, library, record, reason):
    (tmp_path / "d.jsonl").write_text(json.dumps(record) + "\n" + json.dumps({"data": ["Hello.", "Hi."]}) + "\n")
    report = import_dialogues(tmp_path / "d.jsonl", library)
    assert [r.path for r in report.rejected] == ["d.jsonl:1"]
    assert reason in report.rejected[0].reason
    assert report.imported == 1


def test_what_cannot_be_used_is_said(tmp_path, library):
    with pytest.raises(BadInput, match="no file of dialogues"):
        import_dialogues(tmp_path / "sounds", library)
    (tmp_path / "d.jsonl").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        import_dialogues(tmp_path / "d.jsonl", library)
    with pytest.raises(BadInput, match="is no library"):
        import_dialogues(tmp_path / "d.jsonl", tmp_path / "sounds")


def test_translations_name_the_clip_that_says_the_sentence(tmp_path, write_tone):
    write_tone(tmp_path / "covost" / "clips" / "cv_1.mp3")
    (tmp_path / "covost" / "covost_v2.en_zh-CN.train.tsv").write_text(
        "path\tsentence\ttranslation\tclient_id\ncv_1.mp3\tGood morning.\t早上好。\tc0\n", "utf-8"
    )
    library = import_library(tmp_path / "covost", tmp_path / "lib").library
    assert import_translations(tmp_path / "covost", library).imported == 1
    (dialogue,) = read_dialogues(library)
    (clip,) = read_clips(library)
    assert dialogue.task == "translation"
    assert said(dialogue) == [("user", "Good morning."), ("assistant", "早上好。")]
    assert [turn.language for turn in dialogue.turns] == ["en", "zh"]
    assert dialogue.turns[0].clip_id == clip.clip_id
    assert dialogue.licence == "CC-BY-NC-4.0"
