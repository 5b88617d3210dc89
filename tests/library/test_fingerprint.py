"""Recordings are recognised through gain, codec, cut and noise, and told from their like."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.library.fingerprint import Book, duplicates, landmarks
from pipeline.library.library import Library, import_library

RATE = 16_000


def recording(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Chirps and bursts at random, over a little noise."""
    draw = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    samples = 0.003 * draw.standard_normal(len(t))
    for start in draw.uniform(0, seconds - 0.3, 12):
        at = (t >= start) & (t < start + 0.25)
        tone = np.sin(2 * np.pi * (draw.uniform(300, 5_000) * t[at] + draw.uniform(-2_000, 2_000) * t[at] ** 2))
        samples[at] += 0.1 * tone + 0.05 * draw.standard_normal(at.sum())
    return samples.astype(np.float32)


def through(codec: str, samples: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=codec)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


SHELF = [landmarks(recording(seed)) for seed in range(12)]


@settings(max_examples=30)
@given(st.integers(0, 11), st.floats(0.02, 2.0), st.integers(0, 20_000))
def test_gain_and_cut_do_not_hide_a_recording(seed, gain, cut):
    found = Book(SHELF).find(landmarks(np.float32(gain) * recording(seed)[cut:]))
    assert found is not None
    assert found[0] == seed


@pytest.mark.parametrize("codec", ["OGG", "MP3"])
def test_codecs_do_not_hide_a_recording(codec):
    for seed in range(12):
        found = Book(SHELF).find(landmarks(through(codec, recording(seed))))
        assert found is not None
        assert found[0] == seed


def test_other_recordings_are_not_taken_for_one():
    assert all(Book(SHELF).find(landmarks(recording(seed))) is None for seed in range(100, 130))
    assert duplicates({str(i): page for i, page in enumerate(SHELF)}) == []


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(500), np.zeros(40_000), np.full(40_000, 0.5)])
def test_what_has_no_sound_matches_nothing(samples):
    empty = landmarks(samples.astype(np.float32))
    assert Book([empty, *SHELF]).find(empty) is None
    assert duplicates({"a": empty, "b": empty}) == []


def test_duplicates_are_found_as_pairs_whatever_the_order():
    pages = {f"clip{seed:02}": landmarks(recording(seed)) for seed in range(12)}
    pages["excerpt"] = landmarks(recording(3)[16_000:48_000])
    pages["louder"] = landmarks(1.9 * recording(8))
    (one, two) = duplicates(dict(reversed(list(pages.items()))))
    assert ((one.one, one.other), (two.one, two.other)) == (("clip03", "excerpt"), ("clip08", "louder"))
    assert one.share > 0.4
    assert two.share > 0.9


def test_esc_10_holds_no_two_copies_and_a_copy_in_another_format_is_found(tmp_path, shared):
    import_library(shared / "data" / "esc10", tmp_path / "library")
    library = Library.open(tmp_path / "library")
    pages = {clip_id: landmarks(library.read(clip_id)) for clip_id in library.clips}
    pairs = duplicates(pages)
    # Two fires of one maker are mixed from one sample; nothing else in the 28,680 pairs comes near.
    assert len(pairs) <= 2
    assert {library.clips[c].tags[0] for pair in pairs for c in (pair.one, pair.other)} <= {"Fire"}
    book, names = Book(pages.values()), list(pages)
    for clip_id in names[::24]:
        found = book.find(landmarks(through("MP3", 0.3 * library.read(clip_id)[5_000:])))
        assert found is not None
        assert names[found[0]] == clip_id
