"""Fused scores: as good as their parts, on one scale, with even odds as the threshold."""

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.library import hybrid
from pipeline.library.library import Library, import_library, index_library
from tests.library.test_minilm import folder  # noqa: F401 - a fixture


@pytest.fixture
def library(tmp_path, write_tone, folder) -> Library:  # noqa: F811
    for i in range(60):
        name = ("dog barks", "heavy rain", "glass")[i % 3]
        write_tone(tmp_path / "source" / name / f"{i}.wav", hz=100 + 7 * i, seconds=0.1)
    import_library(tmp_path / "source", tmp_path / "library")
    index_library(tmp_path / "library")
    index_library(tmp_path / "library", "minilm", checkpoint=str(folder))
    return Library.open(tmp_path / "library")


def kinds(library: Library, hits) -> list[str]:
    return [library.clips[hit.clip_id].tags[0] for hit in hits]


def test_one_encoder_alone_keeps_its_order_and_its_threshold(library):
    (alone,) = library.search(["a dog"], 20)
    (fused,) = hybrid.search(library, ["a dog"], [()], 20, weights={"lexical": 3.0})
    assert [hit.clip_id for hit in fused] == [hit.clip_id for hit in alone]
    threshold = library.index("lexical").calibration.threshold
    assert [hit.score >= hybrid.EVEN_ODDS for hit in fused] == [hit.score >= threshold for hit in alone]
    assert all(0 <= hit.score <= 1 for hit in fused)


def test_a_wanted_tag_decides_where_words_do_not(library):
    weights = {"lexical": 1.0, "tags": 1.0}
    (rain, glass) = hybrid.search(library, ["unheard of"] * 2, [["RAIN", "heavy rain"], ["glass"]], 60, weights=weights)
    assert kinds(library, rain[:20]) == ["heavy rain"] * 20
    assert kinds(library, glass[:20]) == ["glass"] * 20


def test_queries_do_not_depend_on_one_another_nor_leave_the_subset(library):
    weights = {"lexical": 1.0, "minilm": 1.0, "tags": 0.5}
    texts, tags = ["dog barks", "heavy rain", "glass"], [["dog barks"], [], ["glass"]]
    whole = hybrid.search(library, texts, tags, 5, weights=weights)
    assert [
        hybrid.search(library, [text], [wanted], 5, weights=weights)[0]
        for text, wanted in zip(texts, tags, strict=True)
    ] == whole
    allowed = set(list(library.clips)[:7])
    (hits,) = hybrid.search(library, ["glass"], [["glass"]], 50, weights=weights, allowed=allowed)
    assert {hit.clip_id for hit in hits} == allowed


def test_weights_are_read_as_they_are_written():
    assert hybrid.parse("clap=2, lexical=1,tags=0.5") == {"clap": 2.0, "lexical": 1.0, "tags": 0.5}
    for text in ("clap", "clap=x", "tags=1", "nope=1", "clap=0", "clap=nan", ""):
        with pytest.raises(BadInput, match=r"clap=2|above 0"):
            hybrid.parse(text)


def test_every_encoder_needs_its_index(library: Library, tmp_path: Path):
    with pytest.raises(BadInput, match=r"no index for the encoder 'clap'.*--encoder clap"):
        hybrid.search(library, ["dog"], [()], 1, weights={"lexical": 1.0, "clap": 1.0})
