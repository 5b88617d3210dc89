"""Import, open, index, search: what a user does with a library."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.errors import BadInput, StaleIdentity
from pipeline.library import store
from pipeline.library.ingest import CLIPS
from pipeline.library.library import Library, import_library, index_library


@pytest.fixture
def source(tmp_path, write_tone) -> Path:
    root = tmp_path / "source"
    write_tone(root / "dog bark" / "a.wav", hz=300)
    write_tone(root / "dog bark" / "b.flac", hz=350, rate=48_000, channels=2)
    write_tone(root / "rain" / "c.ogg", hz=400, rate=44_100)
    write_tone(root / "glass breaking" / "d.wav", hz=500, rate=8_000)
    return root


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rejections(library: Path) -> dict[str, str]:
    with (library / "rejected.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


def test_import_open_and_read(tmp_path, source):
    seen: list[tuple[int, int]] = []
    report = import_library(source, tmp_path / "lib", on_progress=lambda done, total: seen.append((done, total)))
    assert (report.imported, report.rejected, report.duplicates) == (4, (), ())
    assert seen == [(i, 4) for i in range(1, 5)]
    library = Library.open(tmp_path / "lib")
    assert list(library.clips) == sorted(library.clips)
    for clip in library.clips.values():
        samples = library.read(clip.clip_id)
        assert samples.dtype == np.float32
        assert len(samples) == clip.num_samples == pytest.approx(8_000, abs=2)
        assert np.array_equal(library.read(clip.clip_id, 100, 200), samples[100:200])
        assert clip.peak_dbfs == pytest.approx(20 * np.log10(np.abs(samples).max()), abs=0.1)
        assert clip.clip_id == clip.sha256[:16]
        assert Path(clip.path).is_file()
        assert 0 <= clip.active_start < clip.active_end <= clip.num_samples
    by_name = {Path(clip.path).name: clip for clip in library.clips.values()}
    assert (by_name["b.flac"].source_rate_hz, by_name["b.flac"].source_channels) == (48_000, 2)
    facts = json.loads((tmp_path / "lib" / "library.json").read_text())
    assert facts["clips"] == 4
    assert facts["hash"] == library.hash == report.hash
    with pytest.raises(IndexError):
        library.read(by_name["a.wav"].clip_id, 0, 10**6)


def test_unusable_files_are_reported_by_name_and_reason_and_the_import_goes_on(tmp_path, source, write_tone):
    (source / "text.wav").write_text("not a sound")
    whole = write_tone(tmp_path / "whole.ogg", seconds=5.0, rate=44_100).read_bytes()
    (source / "torn.ogg").write_bytes(whole[: len(whole) // 2])
    soundfile.write(source / "nan.wav", np.full(1_600, np.nan), 16_000, subtype="FLOAT")
    soundfile.write(source / "none.wav", np.zeros(0), 16_000)
    soundfile.write(source / "silent.wav", np.zeros(16_000), 16_000)
    shutil.copy(source / "dog bark" / "a.wav", source / "zcopy.wav")
    report = import_library(source, tmp_path / "lib")
    assert report.imported == 4
    found = rejections(tmp_path / "lib")
    expected = {
        "text.wav": "no readable audio",
        "torn.ogg": "truncated",
        "nan.wav": "NaN",
        "none.wav": "0 samples",
        "silent.wav": "nothing in it is louder",
        "zcopy.wav": "same bytes as",
    }
    assert found.keys() == expected.keys()
    assert all(part in found[name] for name, part in expected.items())
    assert [Path(entry.path).name for entry in report.duplicates] == ["zcopy.wav"]
    assert len(report.rejected) == 5


@pytest.mark.parametrize("content", ["empty", "text"])
def test_a_library_with_nothing_usable_is_refused(tmp_path, content):
    (tmp_path / "source").mkdir()
    if content == "text":
        (tmp_path / "source" / "a.wav").write_text("not a sound")
    with pytest.raises(BadInput, match="at least one usable recording"):
        import_library(tmp_path / "source", tmp_path / "lib")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_importing_again_adds_and_updates(tmp_path, source, write_tone):
    first = import_library(source, tmp_path / "lib")
    before = Library.open(tmp_path / "lib")
    kept = {clip_id: before.read(clip_id) for clip_id in before.clips}
    more = tmp_path / "more"
    write_tone(more / "horn" / "e.wav", hz=600)
    shutil.copy(source / "rain" / "c.ogg", more / "horn" / "c.ogg")
    report = import_library(more, tmp_path / "lib")
    assert (report.imported, report.updated, report.clips) == (1, 1, 5)
    assert report.hash != first.hash
    after = Library.open(tmp_path / "lib")
    assert sorted(clip.caption for clip in after.clips.values()) == [
        "dog bark", "dog bark", "glass breaking", "horn", "horn"
    ]  # fmt: skip
    assert all(np.array_equal(after.read(clip_id), samples) for clip_id, samples in kept.items())
    assert after.info()["roots"] == sorted([str(source.resolve()), str(more.resolve())])


def test_the_hash_knows_annotations_but_neither_place_nor_order(tmp_path, source, write_tone):
    moved = tmp_path / "elsewhere"
    shutil.copytree(source, moved)
    whole = import_library(source, tmp_path / "a").hash
    assert import_library(moved, tmp_path / "b").hash == whole
    import_library(source / "rain", tmp_path / "c")
    assert import_library(source, tmp_path / "c").hash == whole
    (moved / "rain" / "c.txt").write_text("rain on a tin roof")
    assert import_library(moved, tmp_path / "b").hash != whole


def test_captions_survive_with_quotes_newlines_and_emoji(tmp_path, source):
    (source / "dog bark" / "a.txt").write_text('a "big",\r\ndog; barks\n🐕‍🦺 loudly\n', "utf-8")
    import_library(source, tmp_path / "lib")
    captions = {clip.caption for clip in Library.open(tmp_path / "lib").clips.values()}
    assert 'a "big", dog; barks 🐕‍🦺 loudly' in captions


def test_only_allowed_licences_enter(tmp_path, source):
    (source / "rain" / "c.json").write_text(json.dumps({"licence": "CC0 1.0"}))
    report = import_library(source, tmp_path / "lib", licences=["CC0-1.0"])
    assert report.imported == 1
    assert set(rejections(tmp_path / "lib").values()) == {"has the licence 'unknown', which is not in the allow-list"}
    with pytest.raises(BadInput, match="none of the 4 files can be used"):
        import_library(source, tmp_path / "none", licences=["MIT"])


def test_a_failed_import_leaves_the_library_as_it_was(tmp_path, source, write_tone, monkeypatch):
    import_library(source, tmp_path / "lib")
    index_library(tmp_path / "lib")
    before = snapshot(tmp_path / "lib")
    more = write_tone(tmp_path / "more" / "e.wav", hz=600).parent
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.wav").write_text("not a sound")
    with pytest.raises(BadInput, match="none of the 1 files"):
        import_library(bad, tmp_path / "lib")
    assert snapshot(tmp_path / "lib") == before

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for target in ("append", "table"):
        with monkeypatch.context() as patch:
            if target == "append":
                patch.setattr(store.StoreWriter, "append", full)
            else:
                patch.setattr("pyarrow.parquet.write_table", full)
            with pytest.raises(BadInput, match=r"No space left.*unchanged.*free space"):
                import_library(more, tmp_path / "lib")
        library = Library.open(tmp_path / "lib")
        assert library.search(["dog"], 1)
        assert (tmp_path / "lib" / CLIPS).read_bytes() == before[CLIPS]
        assert not list((tmp_path / "lib").glob("*.partial"))
    assert import_library(more, tmp_path / "lib").clips == 5


def test_a_full_disk_leaves_no_half_library(tmp_path, source, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.StoreWriter, "append", full)
    with pytest.raises(BadInput, match="No space left"):
        import_library(source, tmp_path / "lib")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_other_folders_are_never_written_into(tmp_path, source):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(BadInput, match="not empty and no library"):
        import_library(source, tmp_path / "mine")
    with pytest.raises(BadInput, match="is a file"):
        import_library(source, tmp_path / "mine" / "thesis.txt")
    assert snapshot(tmp_path / "mine") == {"thesis.txt": b"irreplaceable"}


def test_damaged_libraries_are_refused(tmp_path, source):
    with pytest.raises(BadInput, match="is no library"):
        Library.open(tmp_path / "gone")
    import_library(source, tmp_path / "lib")
    audio = tmp_path / "lib" / "audio.pcm16"
    audio.write_bytes(audio.read_bytes()[:-2])
    with pytest.raises(BadInput, match="missing or short"):
        Library.open(tmp_path / "lib")
    (tmp_path / "lib" / CLIPS).write_text("torn")
    with pytest.raises(BadInput, match="damaged"):
        Library.open(tmp_path / "lib")


@pytest.fixture
def indexed(tmp_path, source) -> Library:
    (source / "dog bark" / "a.json").write_text(json.dumps({"caption": "two barks", "tags": ["Dog", "Animal"]}))
    import_library(source, tmp_path / "lib")
    index_library(tmp_path / "lib")
    return Library.open(tmp_path / "lib")


def captions(library: Library, hits: list) -> list[str]:
    return [library.clips[hit.clip_id].caption for hit in hits]


def test_search_is_batched_and_finds_paraphrases_by_stem_and_tag(indexed):
    queries = ["an animal in the yard", "rainy afternoon", "a glass is broken", "barking dogs"]
    best = [captions(indexed, hits)[0] for hits in indexed.search(queries, 2)]
    assert best[:3] == ["two barks", "rain", "glass breaking"]
    assert best[3] in ("two barks", "dog bark")
    (hits,) = indexed.search(["rain"], 10)
    assert len(hits) == 4
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score > 0.6 > 0.2 > hits[1].score


def test_search_within_a_subset(indexed):
    allowed = {clip_id for clip_id, clip in indexed.clips.items() if clip.caption != "rain"}
    (hits,) = indexed.search(["rain"], 10, allowed=allowed)
    assert {hit.clip_id for hit in hits} == allowed
    assert indexed.search(["rain"], 3, allowed=set()) == [[]]
    assert indexed.search(["rain"], 3, allowed=["f" * 16, "0" * 16]) == [[]]
    assert indexed.search([], 3) == []
    with pytest.raises(BadInput, match="k = 0"):
        indexed.search(["rain"], 0)


def test_equal_scores_come_in_order_of_clip_id_whatever_the_batch(tmp_path, write_tone):
    for i in range(60):
        write_tone(tmp_path / "source" / f"dog/{i}.wav", hz=100 + i, seconds=0.1)
    import_library(tmp_path / "source", tmp_path / "lib")
    index_library(tmp_path / "lib")
    library = Library.open(tmp_path / "lib")
    (alone,) = library.search(["a dog"], 5)
    assert [hit.clip_id for hit in alone] == sorted(library.clips)[:5]
    assert library.search(["a dog"] * 40, 5) == [alone] * 40


def test_a_query_without_words_finds_nothing_better_than_zero(indexed):
    (hits,) = indexed.search(["... 123 !!"], 2)
    assert all(hit.score <= 0.2 for hit in hits)


def test_a_stale_or_missing_index_names_the_fix(tmp_path, indexed, write_tone):
    fix = "streamaudio library index .*lib --encoder lexical"
    import_library(write_tone(tmp_path / "more" / "e.wav", hz=600).parent, tmp_path / "lib")
    with pytest.raises(StaleIdentity, match=fix):
        Library.open(tmp_path / "lib").search(["dog"], 1)
    index_library(tmp_path / "lib")
    assert Library.open(tmp_path / "lib").search(["dog"], 1)
    record = tmp_path / "lib" / "index" / "lexical.json"
    facts = json.loads(record.read_text())
    record.write_text(json.dumps(facts | {"encoder": facts["encoder"] | {"version": 0}}))
    with pytest.raises(StaleIdentity, match=fix):
        Library.open(tmp_path / "lib").search(["dog"], 1)
    (tmp_path / "lib" / "index" / "lexical.faiss").write_bytes(b"torn")
    with pytest.raises(BadInput, match=fix):
        Library.open(tmp_path / "lib").search(["dog"], 1)
    shutil.rmtree(tmp_path / "lib" / "index")
    with pytest.raises(BadInput, match=fix):
        Library.open(tmp_path / "lib").search(["dog"], 1)
    with pytest.raises(BadInput, match="encoder 'nope' is not known"):
        index_library(tmp_path / "lib", "nope")


def test_the_same_library_gives_the_same_index(tmp_path, source):
    for name in ("a", "b"):
        import_library(source, tmp_path / name)
        index_library(tmp_path / name)
    assert snapshot(tmp_path / "a" / "index") == snapshot(tmp_path / "b" / "index")


def test_esc_10_becomes_a_library_that_finds_its_classes(tmp_path, shared):
    report = import_library(shared / "data" / "esc10", tmp_path / "lib")
    assert (report.imported, report.rejected, report.duplicates) == (240, (), ())
    index_library(tmp_path / "lib")
    library = Library.open(tmp_path / "lib")
    assert library.info()["licences"] == {"CC0-1.0": 130, "CC-BY-3.0": 108, "CC-Sampling+": 2}
    assert all(clip.attribution for clip in library.clips.values())
    folders = {clip_id: Path(clip.path).parent.name for clip_id, clip in library.clips.items()}
    queries = {
        "a puppy is barking": "001 - Dog bark",
        "heavy rainfall": "002 - Rain",
        "ocean surf at the beach": "003 - Sea waves",
        "an infant sobbing": "004 - Baby cry",
        "ticking clock on the wall": "005 - Clock tick",
        "somebody sneezes": "006 - Person sneeze",
        "an aircraft hovering, helicopters": "007 - Helicopter",
        "power tool, chainsaws revving": "008 - Chainsaw",
        "cocks crowing at dawn": "009 - Rooster",
        "burning logs crackle": "010 - Fire crackling",
    }
    for hits, folder in zip(library.search(list(queries), 3), queries.values(), strict=True):
        assert {folders[hit.clip_id] for hit in hits} == {folder}
    ambient = dict.fromkeys(folders.values(), 0)
    for clip_id, clip in library.clips.items():
        ambient[folders[clip_id]] += clip.track_class == "ambient"
    assert min(ambient[name] for name in ("002 - Rain", "003 - Sea waves", "007 - Helicopter")) >= 20
    assert max(ambient[name] for name in ("001 - Dog bark", "006 - Person sneeze", "009 - Rooster")) == 0


# Counted by eye on the waveforms: file -> sounds a listener counts.
COUNTED = {
    "1-100032-A": 1,
    "1-110389-A": 1,
    "3-170015-A": 1,
    "3-163459-A": 2,
    "2-118072-A": 2,
    "1-97392-A": 4,
    "1-30344-A": 7,
    "2-122104-A": 7,
    "3-155312-A": 8,
    "3-157695-A": 13,
}


def test_barks_are_counted_as_a_listener_would(tmp_path, shared):
    import_library(shared / "data" / "esc10" / "001 - Dog bark", tmp_path / "lib", layout="folder")
    clips = Library.open(tmp_path / "lib").clips.values()
    found = {Path(clip.path).stem: len(clip.occurrences) for clip in clips}
    assert {name: found[name] for name in COUNTED} == COUNTED


def test_spoken_recordings_of_many_formats_are_read(tmp_path, shared):
    report = import_library(shared / "data" / "speech", tmp_path / "lib")
    clips = {Path(clip.path).name: clip for clip in Library.open(tmp_path / "lib").clips.values()}
    assert not [entry for entry in report.rejected if not entry.path.endswith(".csv")]
    assert clips["LJ002-0020.wav"].transcript == "in eighteen thirteen"
    assert clips["LJ002-0020.wav"].kind == "speech"
    assert (clips["2412-153948-0000.flac"].speaker, clips["2412-153948-0000.flac"].licence) == ("2412", "CC-BY-4.0")
    assert {clip.source_rate_hz for clip in clips.values()} == {8_000, 16_000, 22_050, 48_000}
