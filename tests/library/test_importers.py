"""What each layout says about its files, on miniatures."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import BadInput
from pipeline.library.importers import Layout, Rejected, Source, list_sources
from pipeline.library.importers.source import words_of_name


def listed(src: Path, layout: Layout = "auto") -> dict[str, Source]:
    entries = list(list_sources(src, layout))
    assert all(isinstance(entry, Source) for entry in entries), entries
    return {entry.path.name: entry for entry in entries if isinstance(entry, Source)}


def write_csv(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("001 - Dog bark", "dog bark"),
        ("1-100032-A", ""),
        ("LJ002-0020", ""),
        ("Breaking_window-02", "breaking window"),
        ("GlassBreaking", "glass breaking"),
        ("123456__some_user__door-knock", "door knock"),
        ("狗叫 01", "狗叫"),
    ],
)
def test_names_are_read_as_a_person_would(name, words):
    assert words_of_name(name) == words


def test_a_folder_is_captioned_by_its_names(tmp_path, write_tone):
    write_tone(tmp_path / "001 - Dog bark" / "1-100032-A.ogg", rate=44_100)
    write_tone(tmp_path / "glass" / "Breaking window 2.wav")
    write_tone(tmp_path / "a1.wav")
    (tmp_path / "glass" / "notes.md").write_text("no sound")
    found = listed(tmp_path)
    assert {name: source.caption for name, source in found.items()} == {
        "1-100032-A.ogg": "dog bark",
        "Breaking window 2.wav": "breaking window",
        "a1.wav": "a sound",
    }
    assert found["Breaking window 2.wav"].tags == ("glass",)
    assert found["a1.wav"].licence == "unknown"


def test_sidecars_and_tables_override_names(tmp_path, write_tone):
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        write_tone(tmp_path / "dogs" / name)
    (tmp_path / "dogs" / "a.txt").write_text('a "big" dog\nbarks 🐕\n', "utf-8")
    (tmp_path / "dogs" / "b.json").write_text(json.dumps({"caption": "a puppy", "tags": ["Dog"], "license": "CC0"}))
    write_csv(
        tmp_path / "captions.csv",
        [
            {"file": "dogs/a.wav", "caption": "overridden by the sidecar", "licence": "CC BY 4.0", "transcript": ""},
            {"file": "dogs/c.wav", "caption": "", "licence": "", "transcript": "good dog"},
        ],
    )
    found = listed(tmp_path)
    assert found["a.wav"].caption == 'a "big" dog barks 🐕'
    assert found["a.wav"].licence == "CC-BY-4.0"
    assert (found["b.wav"].caption, found["b.wav"].tags, found["b.wav"].licence) == ("a puppy", ("Dog",), "CC0-1.0")
    assert (found["c.wav"].kind, found["c.wav"].transcript) == ("speech", "good dog")
    assert found["d.wav"].caption == "dogs"


def test_a_damaged_sidecar_or_a_row_without_file_rejects_only_itself(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    write_tone(tmp_path / "b.wav")
    (tmp_path / "a.json").write_text("{")
    write_csv(tmp_path / "captions.csv", [{"path": "gone.wav", "caption": "gone"}])
    entries = list(list_sources(tmp_path, "auto"))
    assert {entry.path for entry in entries if isinstance(entry, Rejected)} == {"a.wav", "gone.wav"}


ESC10_ROW = {
    "class": "001 - Dog bark",
    "file": "1-100032-A.ogg",
    "source_title": "rose_bark.wav",
    "source_url": "http://sounds.example/100032/",
    "author": "nfrae",
    "licence": "CC0",
    "licence_url": "http://creativecommons.org/publicdomain/zero/1.0/",
}


def test_esc_10_has_natural_captions_tags_and_attribution(tmp_path, write_tone):
    write_tone(tmp_path / "001 - Dog bark" / "1-100032-A.ogg", rate=44_100)
    write_tone(tmp_path / "001 - Dog bark" / "1-2-A.ogg", rate=44_100)
    write_csv(tmp_path / "attribution.csv", [ESC10_ROW])
    found = listed(tmp_path)
    clip = found["1-100032-A.ogg"]
    assert "dog" in clip.caption
    assert clip.caption != "dog bark"
    assert clip.tags[:2] == ("Dog", "Bark")
    assert clip.licence == "CC0-1.0"
    assert clip.attribution == "rose_bark.wav by nfrae (http://sounds.example/100032/)"
    assert found["1-2-A.ogg"].licence == "unknown"


def test_esc_50_reads_its_meta_table_and_licence_file(tmp_path, write_tone):
    write_tone(tmp_path / "audio" / "1-9887-A-49.wav", rate=44_100)
    write_tone(tmp_path / "audio" / "1-17970-A-4.wav", rate=44_100)
    (tmp_path / "meta").mkdir()
    write_csv(
        tmp_path / "meta" / "esc50.csv",
        [
            {"filename": "1-9887-A-49.wav", "category": "hand_saw"},
            {"filename": "1-17970-A-4.wav", "category": "something_new"},
        ],
    )
    (tmp_path / "LICENSE").write_text("Terms: http://creativecommons.org/licenses/by-nc/3.0/")
    found = listed(tmp_path)
    assert "Sawing" in found["1-9887-A-49.wav"].tags
    assert found["1-17970-A-4.wav"].caption == "something new"
    assert {source.licence for source in found.values()} == {"CC-BY-NC-3.0"}


def test_every_class_of_esc_50_is_described():
    from pipeline.library.importers.esc import _classes

    assert len({tuple(entry["tags"]) for entry in _classes().values()}) == 50
    assert all(len(set(entry["captions"])) >= 2 and entry["tags"] for entry in _classes().values())


ROWS = [
    {
        "path": "a.wav",
        "caption": 'says "hi",\nthen 😀',
        "tags": "Speech; Greeting",
        "transcript": "hi",
        "speaker": "s1",
        "language": "en",
        "licence": "CC-BY-4.0",
        "attribution": "me",
        "kind": "speech",
    },
    {key: "b.wav" if key == "path" else "" for key in
     ("path", "caption", "tags", "transcript", "speaker", "language", "licence", "attribution", "kind")},
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_manifests_carry_every_column(tmp_path, write_tone, suffix):
    for name in ("a.wav", "b.wav"):
        write_tone(tmp_path / name)
    path = tmp_path / f"clips.{suffix}"
    if suffix == "csv":
        write_csv(path, ROWS)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    found = listed(path)
    assert found["a.wav"] == Source(
        tmp_path / "a.wav",
        caption='says "hi", then 😀',
        tags=("Speech", "Greeting"),
        transcript="hi",
        speaker="s1",
        language="en",
        kind="speech",
        licence="CC-BY-4.0",
        attribution="me",
    )
    assert found["b.wav"].licence == "unknown"
    assert found["b.wav"].caption


@pytest.mark.parametrize("way", ["dots", "absolute", "file link", "folder link"])
def test_a_manifest_cannot_reach_outside_its_folder(tmp_path, write_tone, way):
    secret = write_tone(tmp_path / "outside" / "secret.wav")
    root = tmp_path / "root"
    root.mkdir()
    names = {
        "dots": "../outside/secret.wav",
        "absolute": str(secret),
        "file link": "link.wav",
        "folder link": "x/secret.wav",
    }
    if way == "file link":
        (root / "link.wav").symlink_to(secret)
    if way == "folder link":
        (root / "x").symlink_to(secret.parent)
    (entry,) = list_sources(write_csv(root / "m.csv", [{"path": names[way]}]), "auto")
    assert isinstance(entry, Rejected)
    assert "lies outside" in entry.reason


def test_a_link_in_a_folder_cannot_reach_outside_it(tmp_path, write_tone):
    secret = write_tone(tmp_path / "outside" / "secret.wav")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.wav").symlink_to(secret)
    (entry,) = list_sources(tmp_path / "root", "folder")
    assert isinstance(entry, Rejected)
    assert "link" in entry.reason


def test_a_recording_of_somebody_is_speech_though_nobody_wrote_it_down(tmp_path, write_tone):
    about = (("anna", ""), ("", "en"), ("", ""))
    rows = [{"path": f"{i}.wav", "speaker": who, "language": tongue} for i, (who, tongue) in enumerate(about)]
    for row in rows:
        write_tone(tmp_path / row["path"])
    entries = list(list_sources(write_csv(tmp_path / "m.csv", rows), "auto"))
    assert [entry.kind for entry in entries if isinstance(entry, Source)] == ["speech", "speech", "sfx"]


def test_bad_rows_of_a_manifest_are_rejected_by_name(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    names = {"a.wav": "noise", "gone.wav": "", "": "", "a" * 300: ""}
    rows = [{"path": name, "kind": kind} for name, kind in names.items()]
    entries = list(list_sources(write_csv(tmp_path / "m.csv", rows), "auto"))
    assert all(isinstance(entry, Rejected) for entry in entries)
    assert [entry.path for entry in entries][:3] == ["a.wav", "gone.wav", "row 3 of m.csv"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("m.csv", "caption\nhello\n", "no row with a path"),
        ("m.jsonl", "{broken\n", "cannot be read"),
        ("m.jsonl", "[1]\n", "no JSON object"),
        ("m.parquet", "text", "cannot be read"),
        ("m.xlsx", "text", "suffix '.xlsx'"),
    ],
)
def test_unreadable_manifests_are_refused(tmp_path, name, content, match):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=match):
        list(list_sources(tmp_path / name, "manifest"))


def test_wrong_layouts_are_refused(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        list_sources(tmp_path / "gone", "auto")
    with pytest.raises(BadInput, match="layout 'zip' is not known"):
        list_sources(tmp_path, "zip")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="not laid out like ESC"):
        list(list_sources(tmp_path, "esc"))
