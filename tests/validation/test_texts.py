"""Scores of what was said, against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.library.encoders import LexicalEncoder
from pipeline.validation.replay.listener import Reply
from pipeline.validation.texts import Exchange, exchanges, right_choice, same_numbers, text_figures, word_errors
from tests.validation.replays import judged, label


def said(reference: str, given: str, language: str = "en") -> Exchange:
    return Exchange("transcript", "read_speech", language, reference, given, 0)


@pytest.mark.parametrize(
    ("reference", "given", "language", "errors"),
    [
        ("the cat sat on the mat", "the cat sat on the mat", "en", (0, 6)),
        ("the cat sat on the mat", "The cat sits on mat, now.", "en", (3, 6)),  # one of each
        ("two cats", "2 cats", "en", (0, 2)),
        ("two cats", "", "en", (2, 2)),
        ("今天下雨", "今天下雪了", "zh", (2, 4)),
    ],
)
def test_word_errors(reference: str, given: str, language: str, errors: tuple[int, int]) -> None:
    assert word_errors(said(reference, given, language)) == errors


def test_a_transcript_is_all_that_was_said_in_its_time() -> None:
    """Partials are joined; where the listener cuts words, and how late, does not matter within two chunks."""
    words = [label(c, t, "read_speech", event=1, first_chunk=4) for c, t in ((5, "the cat"), (6, " sat"), (8, " down"))]
    stream = judged(
        [label(3, "Yes.", "single_turn_qa", event=0), *words],
        [Reply(3, "Sure."), Reply(6, "the cat"), Reply(7, "sat"), Reply(10, "down"), Reply(20, "noise")],
    )
    question, transcript = exchanges(stream, 0)
    assert (question.kind, question.reference, question.given) == ("open", "Yes.", "Sure.")
    assert (transcript.reference, transcript.given) == ("the cat sat down", "the cat sat down")
    assert text_figures([stream], 0)["transcripts"]["read_speech"]["wer"].value == 0


def test_what_was_missed_counts_as_unsaid() -> None:
    heard = judged([label(5, "one two", "read_speech", event=0)], [Reply(5, "one two")], id="a")
    missed = judged([label(5, "three four", "read_speech", event=0)], [], id="b")
    figure = text_figures([heard, missed], 0)["transcripts"]["read_speech"]["wer"]
    assert (figure.value, figure.n) == (0.5, 4)


def test_translations_are_scored_by_sacrebleu() -> None:
    reference = "the quick brown fox jumps over the lazy dog"
    right = [
        judged([label(5, reference, "zh_en_sentence", event=0)], [Reply(5, reference)], id=str(i)) for i in range(3)
    ]
    found = text_figures(right, 0)["translations"]["zh_en_sentence"]
    assert found["bleu"].value == pytest.approx(100)
    assert found["chrf"].value == pytest.approx(100)
    wrong = [judged([label(5, "天气很好", "en_zh_sentence", event=0)], [Reply(5, "xyz")])]
    assert text_figures(wrong, 0)["translations"]["en_zh_sentence"]["chrf"].value == 0


def test_counts_are_numbers() -> None:
    def count(reference: str, given: str) -> bool:
        return same_numbers(Exchange("count", "count_events", "en", reference, given, 0))

    assert count("That makes two.", "2 so far")
    assert not count("That makes two.", "three")
    assert not count("That makes two.", "two or three")
    assert count("第三次。", "三")
    assert not count("None here.", "None here.")


def test_choices_name_the_right_option_alone() -> None:
    def chosen(given: str) -> bool:
        options = ("a dog", "a cat", "rain")
        return right_choice(Exchange("choice", "multiple_choice_qa", "en", "", given, 0, options, 1))

    assert chosen("The second one: A cat.")
    assert not chosen("A cat or a dog.")
    assert not chosen("a category of things")
    assert not chosen("Rain.")


def test_open_replies_are_compared_by_meaning_and_by_a_judge() -> None:
    texts = ("Leave the house and call the fire brigade.", "A violin is playing.")
    streams = [
        judged([label(5, texts[0], event=0)], [Reply(5, texts[0])], id="a"),
        judged([label(5, texts[1], "music_qa", event=0)], [Reply(5, "Leave me alone.")], id="b"),
    ]
    asked: list[Exchange] = []

    def judge(exchange: Exchange) -> float | None:
        asked.append(exchange)
        return 0.8 if exchange.sub_task == "music_qa" else None

    found = text_figures(streams, 0, embed=LexicalEncoder.unweighted().embed_texts, judge=judge)["open"]
    assert found["embedding"]["natural_hazard"].value == pytest.approx(1)
    assert found["embedding"]["music_qa"].value < 0.3
    assert found["embedding"]["all"].n == 2
    assert (found["judge"].value, found["judge"].n) == (0.8, 1)
    assert len(asked) == 2


def test_a_listener_without_words_has_no_figures_of_words() -> None:
    assert text_figures([judged([5], [5])], 0, embed=lambda texts: np.zeros((len(texts), 1), np.float32)) == {}
