"""What a person may write where a folder is asked for."""

from pathlib import Path

import pytest
from upath import UPath

from pipeline.errors import BadInput
from pipeline.storage import files_below, location, scratch


def test_a_path_stays_a_path():
    assert location("corpora/a") == Path("corpora/a")
    assert location("file:///corpora/a") == Path("/corpora/a")
    assert scratch(Path("a")) == Path("a/.state")


def test_a_url_is_a_place_in_a_store():
    pytest.importorskip("s3fs", reason="s3fs is not installed; it comes with the extra s3")
    place = location("s3://bucket/a/b/")
    assert isinstance(place, UPath)
    assert str(place / "manifest.json") == "s3://bucket/a/b/manifest.json"
    assert scratch(place) != scratch(location("s3://bucket/a/c"))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://AKIA:secret@bucket/a", "credentials"),
        ("s3://bucket/a?key=secret", "credentials"),
        ("s3://", "names no place"),
        ("s3://bucket/../other", "names no place"),
        ("nosuchkind://bucket/a", "fsspec knows no"),
    ],
)
def test_a_url_with_a_secret_or_without_sense_is_refused(url, why):
    with pytest.raises(BadInput, match=why) as refused:
        location(url)
    assert "secret" not in str(refused.value)


def test_links_are_listed_and_not_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b").write_text("b")
    (tmp_path / "data/a").write_text("a")
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    assert files_below(tmp_path, "data") == {"data/a", "data/link"}
