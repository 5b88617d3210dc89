"""Partials: joined they are the whole, exactly; each rests on whole words and comes in their chunk."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotation.incremental import Word, by_segments, by_words
from pipeline.timing import last_chunk
from schemas.plan import Segment

TOKENS = st.lists(
    st.sampled_from(["so", "um,", "the", "train.", "I", "don't", "twenty-one", "a"]), min_size=1, max_size=40
)
HAN = st.lists(st.sampled_from(["我", "们", "，去", "海边。"]), min_size=1, max_size=30)
LENGTHS = st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)), min_size=40, max_size=40)


def timed(tokens: list[str], lengths: list[tuple[int, int]]) -> list[Word]:
    words, now = [], 1_000
    for token, (length, gap) in zip(tokens, lengths, strict=False):
        words.append((token, now, now + length))
        now += length + gap
    return words


@given(tokens=TOKENS, lengths=LENGTHS)
def test_a_transcript_joins_and_has_one_piece_per_chunk(tokens: list[str], lengths: list[tuple[int, int]]) -> None:
    text, words = " ".join(tokens), timed(tokens, lengths)
    partials = by_words(text, words)
    assert "".join(p.text for p in partials) == text
    assert [last_chunk(p.end_sample) for p in partials] == sorted({last_chunk(end) for _, _, end in words})
    assert sum(len(p.source.split()) for p in partials) == len(tokens)
    assert all(p.start_sample < p.end_sample for p in partials)


@given(characters=HAN, lengths=LENGTHS)
def test_a_chinese_transcript_joins_too(characters: list[str], lengths: list[tuple[int, int]]) -> None:
    text = "".join(characters)
    words = timed([c for c in text if c.isalnum()], lengths * 2)
    partials = by_words(text, words)
    assert "".join(p.text for p in partials) == text


@given(pieces=st.lists(TOKENS, min_size=1, max_size=4), lengths=LENGTHS)
def test_each_segment_waits_for_its_own_words(pieces: list[list[str]], lengths: list[tuple[int, int]]) -> None:
    segments = [
        Segment(source=("" if k == 0 else " ") + " ".join(piece), target=f"段{k}") for k, piece in enumerate(pieces)
    ]
    words = timed([token for piece in pieces for token in piece], lengths * 4)
    partials = by_segments(segments, words)
    assert [p.text for p in partials] == [s.target for s in segments]
    done = 0
    for partial, piece in zip(partials, pieces, strict=True):
        first, last = words[done], words[done + len(piece) - 1]
        done += len(piece)
        assert partial.start_sample == first[1]
        assert partial.end_sample == max(last[2], first[1] + 1)
