import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.library.licences import clashes, from_document, normalise


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("CC0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Creative Commons 0", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("Public Domain", "public-domain"),
        ("public-domain", "public-domain"),
        ("http://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/us/", "CC-BY-NC-SA-3.0-US"),
        ("Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International", "CC-BY-NC-SA-4.0"),
        ("Attribution Noncommercial", "CC-BY-NC"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0"),
        ("CC BY-NC-ND 2.0", "CC-BY-NC-ND-2.0"),
        ("CC-BY", "CC-BY"),
        ("http://creativecommons.org/licenses/sampling+/1.0/", "CC-Sampling+"),
        ("Sampling+", "CC-Sampling+"),
        ("apache-2.0", "Apache-2.0"),
        ("mit", "MIT"),
    ],
)
def test_known_licences_get_their_id(written, expected):
    assert normalise(written) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        None,
        "cc",
        "not CC0",
        "all rights reserved",
        "free for attribution in games",
        "CC-BY-SA-ND-4.0",
        "CC-BY or MIT",
        "public domain in the US only",
        "https://example.org/licenses/by/4.0/",
        "CC BY 3.0 or 4.0",
        "non-commercial",
    ],
)
def test_the_rest_is_unknown(written):
    assert normalise(written) == "unknown"


def test_the_first_recognised_text_wins():
    assert normalise("http://creativecommons.org/licenses/by/3.0/", "CC-BY") == "CC-BY-3.0"
    assert normalise("see website", "CC-BY") == "CC-BY"


def test_a_licence_file_is_read_by_its_address():
    assert from_document("Released under ... (http://creativecommons.org/licenses/by-nc/3.0/).") == "CC-BY-NC-3.0"
    assert from_document("Do what you like.") == "unknown"


@given(st.text())
def test_any_text_gives_an_id_that_is_stable(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("names", "use", "stand_in_the_way"),
    [
        ("CC0-1.0 CC-BY-4.0 CC-BY-NC-4.0 unknown", "research", []),
        ("CC0-1.0 CC-BY-4.0 MIT", "commercial", []),
        ("CC-BY-NC-3.0 CC-BY-4.0 CC-NC-Sampling+", "commercial", ["CC-BY-NC-3.0", "CC-NC-Sampling+"]),
        ("unknown CC0-1.0", "commercial", ["unknown"]),
        ("CC-BY-ND-4.0 CC0-1.0", "research", ["CC-BY-ND-4.0"]),
        ("CC-BY-ND-4.0 CC-BY-NC-4.0 CC-BY-SA-4.0", "private", []),
        ("CC-BY-SA-3.0 CC-BY-SA-4.0 CC-BY-4.0", "research", []),
        ("CC-BY-SA-4.0 CC-BY-NC-4.0 CC0-1.0", "research", ["CC-BY-NC-4.0", "CC-BY-SA-4.0"]),
        ("CC-BY-NC-SA-4.0 CC-BY-NC-4.0", "research", []),
        ("CC-BY-NC-SA-4.0 CC-BY-SA-4.0", "research", ["CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"]),
        ("ODbL-1.0 CC-BY-SA-4.0", "research", ["CC-BY-SA-4.0", "ODbL-1.0"]),
    ],
)
def test_licences_that_cannot_make_up_one_corpus(names, use, stand_in_the_way):
    assert sorted(name for _, found in clashes(names.split(), use) for name in found) == stand_in_the_way
