"""Indexes as a library grows and shrinks: exact and in lists, resumed, and indifferent to batches and threads."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from pipeline.errors import BadInput, StaleIdentity
from pipeline.library import encoders, index, index_build
from pipeline.library.clip import Clip
from pipeline.library.index import ClipIndex
from pipeline.library.index_build import build_index
from pipeline.library.library import Library, import_library, index_library
from pipeline.library.listen import Listener

DIMENSION = 32


class Points:
    """An encoder whose texts and clips are points drawn from their names, around the point of their first word."""

    name = "lexical"  # the one name that needs no checkpoint
    dimension = DIMENSION
    listens = False

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self.embedded: list[str] = []

    def identity(self) -> dict[str, Any]:
        return {"name": "points", "version": self.version}

    def content_of(self, clip: Clip) -> str:
        return clip.caption

    def embed_texts(self, texts) -> np.ndarray:
        rows = [_point(text.split()[0]) + 0.7 * _point(text) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)

    def embed_clips(self, clips, read) -> np.ndarray:
        self.embedded += [clip.caption for clip in clips]
        return self.embed_texts([clip.caption for clip in clips])

    def save(self, folder: Path) -> None:
        pass


def _point(name: str) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).standard_normal(DIMENSION)


class Shelf:
    """A folder of indexes and the clips they are of, by number."""

    def __init__(self, folder: Path, encoder: Points) -> None:
        self.folder, self.encoder = folder / "index", encoder
        folder.mkdir()

    def build(self, numbers, **options: Any) -> dict[str, Any]:
        self.clips = [make(number) for number in sorted(numbers)]
        captions = [clip.caption for clip in self.clips]
        self.vectors = self.encoder.embed_texts(captions).astype(np.float16).astype(float)
        self.state = f"library of {len(self.clips)}"
        return build_index(
            self.folder, "lexical", self.clips, Listener(lambda _: np.zeros(0, np.float32)), self.state, **options
        )

    def open(self) -> ClipIndex:
        return ClipIndex.open(self.folder, "lexical", self.state, len(self.clips))

    def exact(self, text: str, k: int) -> list[str]:
        (query,) = self.encoder.embed_texts([text]).astype(float)
        order = np.argsort(-np.round(self.vectors @ query, 6), kind="stable")[:k]
        return [self.clips[i].clip_id for i in order]


def make(number: int) -> Clip:
    text = dict.fromkeys(("path", "sha256", "transcript", "speaker", "language", "licence", "attribution"), "")
    zero: dict[str, Any] = dict.fromkeys(
        ("source_rate_hz", "source_channels", "source_duration_s", "num_samples", "store_offset", "peak_dbfs",
         "loudness_lufs", "noise_floor_db", "snr_db", "digital_silence_tail_s", "silence_ratio"), 0
    )  # fmt: skip
    word = f"class{number % 40}"
    return Clip(
        clip_id=f"{number:016x}", caption=f"{word} {number}", tags=(word,), kind="sfx", onset_cut=False,
        offset_cut=False, track_class="event", occurrences=((0, 1),), **text, **zero,
    )  # fmt: skip


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Shelf:
    encoder = Points()
    monkeypatch.setattr(encoders, "fit", lambda name, clips, checkpoint, tokenizer: encoder)
    monkeypatch.setattr(encoders, "load", lambda name, folder: encoder)
    return Shelf(tmp_path / "library", encoder)


@pytest.fixture
def many_lists(shelf, monkeypatch) -> Shelf:
    """A shelf on which 500 clips are already many."""
    for module in (index, index_build):
        monkeypatch.setattr(module, "EXACT_UP_TO", 500, raising=False)
    monkeypatch.setattr(index, "EXACT_SUBSET", 100)
    return shelf


QUERIES = [f"class{i % 40} wanted {i}" for i in range(150)]


def ids(hits) -> list[str]:
    return [hit.clip_id for hit in hits]


def test_a_large_library_gets_lists_whose_recall_is_measured(many_lists):
    small, large = many_lists.build(range(500)), many_lists.build(range(3_000))
    assert small["kind"].startswith("exact")
    assert small["recall_at_3"] == 1
    assert re.match(r"inverted file, \d+ of 128 lists", large["kind"])
    assert large["recall_at_3"] > 0.97
    opened = many_lists.open()
    found = [ids(hits) for hits in opened.search(QUERIES, 3)]
    agree = np.mean(
        [len({*hits} & {*many_lists.exact(text, 3)}) / 3 for text, hits in zip(QUERIES, found, strict=True)]
    )
    assert agree > 0.97


@pytest.mark.parametrize("many", [300, 3_000])
def test_neither_batch_nor_threads_show_in_what_is_found(many_lists, many):
    many_lists.build(range(many))
    opened = many_lists.open()
    allowed = {clip.clip_id for clip in many_lists.clips[::3]}
    for subset in (None, allowed):
        whole = opened.search(QUERIES, 5, subset)
        assert [opened.search([text], 5, subset)[0] for text in QUERIES] == whole
        faiss.omp_set_num_threads(3)
        assert opened.search(QUERIES, 5, subset) == whole
        faiss.omp_set_num_threads(1)
        if subset:
            assert all(set(ids(hits)) <= subset for hits in whole)


def test_a_small_allowed_part_of_a_graph_is_searched_exactly(many_lists):
    many_lists.build(range(3_000))
    allowed = [clip.clip_id for clip in many_lists.clips[:90]]
    (hits,) = many_lists.open().search([QUERIES[3]], 90, allowed)
    assert set(ids(hits)) == set(allowed)


@pytest.mark.parametrize("many", [300, 2_000])
def test_adding_and_deleting_embeds_only_what_is_new(many_lists, many):
    many_lists.build(range(many))
    many_lists.encoder.embedded.clear()
    kept = [n for n in range(many) if n % 10]
    facts = many_lists.build([*kept, *range(many, many + 25)])
    assert len(many_lists.encoder.embedded) == 25
    assert facts["count"] == len(kept) + 25
    opened = many_lists.open()
    gone = {f"{n:016x}" for n in range(0, many, 10)}
    found = [set(ids(hits)) for hits in opened.search(QUERIES, 5)]
    assert not any(hits & gone for hits in found)
    agree = [len(hits & {*many_lists.exact(text, 5)}) / 5 for hits, text in zip(found, QUERIES, strict=True)]
    assert np.mean(agree) > 0.95
    (hits,) = opened.search([make(many + 7).caption], 1)
    assert ids(hits) == [f"{many + 7:016x}"]
    assert facts["rows"] == (many + 25 if many > 500 else len(kept) + 25)
    many_lists.encoder.embedded.clear()
    many_lists.build(range(many // 4))  # most of the many_lists is stale now
    assert many_lists.open().facts["rows"] == many // 4


def test_a_changed_caption_is_embedded_again(shelf, monkeypatch):
    shelf.build(range(50))
    shelf.encoder.embedded.clear()
    original = make

    def changed(number: int) -> Clip:
        clip = original(number)
        return clip if number != 7 else type(clip)(**{**_fields(clip), "caption": "class1 renamed"})

    monkeypatch.setitem(globals(), "make", changed)
    shelf.build(range(50))
    assert shelf.encoder.embedded == ["class1 renamed"]


def _fields(clip: Clip) -> dict[str, Any]:
    return {name: getattr(clip, name) for name in clip.__slots__}


def test_an_interrupted_run_goes_on_and_gives_the_same_index(tmp_path, monkeypatch):
    encoder = Points()
    monkeypatch.setattr(encoders, "fit", lambda name, clips, checkpoint, tokenizer: encoder)
    whole, torn = Shelf(tmp_path / "whole", encoder), Shelf(tmp_path / "torn", encoder)
    whole.build(range(300))

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 128:
            raise Stop

    with pytest.raises(Stop):
        torn.build(range(300), on_progress=stop)
    with (torn.folder / ".lexical.partial" / "vectors").open("ab") as file:
        file.write(b"half a vector")
    encoder.embedded.clear()
    seen: list[tuple[int, int]] = []
    torn.build(range(300), on_progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (128, 300)
    assert len(encoder.embedded) == 172
    assert not (torn.folder / ".lexical.partial").exists()
    for path in whole.folder.iterdir():
        assert path.read_bytes() == (torn.folder / path.name).read_bytes(), path.name


def test_another_encoder_starts_over_and_is_refused_for_search(shelf):
    shelf.build(range(40))
    opened = shelf.open()
    shelf.encoder.version = 1
    with pytest.raises(StaleIdentity, match=r"another encoder.*library index"):
        opened.search(["class1"], 1)
    shelf.encoder.embedded.clear()
    shelf.build(range(40))
    assert len(shelf.encoder.embedded) == 40
    assert shelf.open().search(["class1"], 1)


def test_exact_scores_are_those_of_search(shelf):
    shelf.build(range(100))
    opened = shelf.open()
    (hits,) = opened.search(["class3 x"], 10)
    assert opened.scores("class3 x", ids(hits)) == [hit.score for hit in hits]
    with pytest.raises(KeyError):
        opened.rows_of(["f" * 16])


def test_torn_files_are_refused_and_mended(shelf):
    shelf.build(range(30))
    (shelf.folder / "lexical.rows.npy").write_bytes(b"torn")
    with pytest.raises(BadInput, match=r"cannot be read.*library index"):
        shelf.open()
    shelf.build(range(30))
    assert len(shelf.open().search(["class1"], 3)[0]) == 3
    record = shelf.folder / "lexical.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"calibration": {}}))
    with pytest.raises(BadInput, match="cannot be read"):
        shelf.open()


def test_an_index_opened_before_goes_on_while_another_is_written(tmp_path, write_tone):
    for name in ("dog bark", "rain"):
        write_tone(tmp_path / "source" / name / "a.wav", hz=300 + len(name))
    import_library(tmp_path / "source", tmp_path / "library")
    index_library(tmp_path / "library")
    before = Library.open(tmp_path / "library")
    expected = before.search(["dog"], 2)
    write_tone(tmp_path / "more" / "horn" / "b.wav", hz=700)
    import_library(tmp_path / "more", tmp_path / "library")
    index_library(tmp_path / "library")
    shutil.rmtree(tmp_path / "source")
    assert before.search(["dog"], 2) == expected
    assert len(Library.open(tmp_path / "library").search(["dog"], 9)[0]) == 3
