"""What is protected never enters a library, in whatever form it comes, and duplicates go where that is asked for."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.errors import BadInput
from pipeline.library.dedup import drop_duplicates, find_duplicates
from pipeline.library.library import Library, import_library
from tests.library.test_fingerprint import recording


@pytest.fixture
def source(tmp_path) -> Path:
    for seed, name in enumerate(("dog", "rain", "glass", "horn")):
        path = tmp_path / "source" / name / f"{name}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, recording(seed), 16_000)
    return tmp_path / "source"


def reasons(library: Path) -> dict[str, str]:
    with (library / "rejected.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}


def captions(library: Path) -> list[str]:
    return sorted(clip.caption for clip in Library.open(library).clips.values())


def test_protected_recordings_stay_out_as_bytes_and_as_sound(tmp_path, source):
    bench = tmp_path / "bench"
    bench.mkdir()
    shutil.copy(source / "dog" / "dog.wav", bench / "item1.wav")
    soundfile.write(bench / "item2.ogg", 0.4 * recording(1)[9_000:], 16_000)
    report = import_library(source, tmp_path / "library", protect=[bench])
    assert captions(tmp_path / "library") == ["glass", "horn"]
    found = reasons(tmp_path / "library")
    assert "sha256" in found["dog.wav"]
    assert "item2.ogg" in found["rain.wav"]
    assert len(report.rejected) == 2
    stored = (tmp_path / "library" / "audio.pcm16").stat().st_size
    assert stored == 2 * sum(clip.num_samples for clip in Library.open(tmp_path / "library").clips.values())


def test_a_library_remembers_what_is_protected_and_gives_up_what_it_had(tmp_path, source):
    import_library(source, tmp_path / "library")
    assert captions(tmp_path / "library") == ["dog", "glass", "horn", "rain"]
    (tmp_path / "titles.txt").write_text("GLASS!\n\nNo such title\n")
    import_library(source / "horn", tmp_path / "library", protect=[tmp_path / "titles.txt", source / "rain"])
    assert captions(tmp_path / "library") == ["dog", "horn"]
    import_library(source, tmp_path / "library")
    assert captions(tmp_path / "library") == ["dog", "horn"]
    assert set(reasons(tmp_path / "library")) == {"glass.wav", "rain.wav"}
    info = Library.open(tmp_path / "library").info()["protected"]
    assert info == {"recordings": 1, "sha256": 0, "titles": 2}


def test_a_hash_protects_too(tmp_path, source):
    import_library(source, tmp_path / "first")
    sha256 = next(c.sha256 for c in Library.open(tmp_path / "first").clips.values() if c.caption == "horn")
    (tmp_path / "list.txt").write_text(sha256.upper())
    import_library(source, tmp_path / "library", protect=[tmp_path / "list.txt"])
    assert captions(tmp_path / "library") == ["dog", "glass", "rain"]


@pytest.mark.parametrize(
    ("name", "content"), [("gone.txt", None), ("empty.txt", b"\n"), ("binary.txt", b"\xff\xfe\x00\xd8")]
)
def test_lists_that_protect_nothing_are_refused(tmp_path, source, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=f"protected list .*{name}"):
        import_library(source, tmp_path / "library", protect=[tmp_path / name])
    assert not (tmp_path / "library").exists()


def test_duplicates_are_reported_and_dropped_where_that_is_asked_for(tmp_path, source):
    soundfile.write(source / "dog" / "excerpt.wav", 0.5 * recording(0)[20_000:], 16_000)
    soundfile.write(source / "rain" / "copy.flac", recording(1), 16_000)
    import_library(source, tmp_path / "library")
    library = Library.open(tmp_path / "library")
    found = find_duplicates(library)
    names = [{Path(library.clips[c].path).name for c in (pair.one, pair.other)} for pair in found]
    assert sorted(map(sorted, names)) == [["copy.flac", "rain.wav"], ["dog.wav", "excerpt.wav"]]
    assert drop_duplicates(library, found) == 2
    after = Library.open(tmp_path / "library")
    assert "excerpt.wav" not in {Path(clip.path).name for clip in after.clips.values()}
    assert find_duplicates(after) == []
    for clip_id in after.clips:
        assert np.array_equal(after.read(clip_id), library.read(clip_id))
    report = import_library(source, tmp_path / "clean", drop_duplicates=True)
    assert set(Library.open(tmp_path / "clean").clips) == set(after.clips)
    assert len(report.duplicates) == 2
    assert "sounds like" in reasons(tmp_path / "clean")["excerpt.wav"]
