"""Words that a model may choose, and words on which labels hang."""

import pytest

from pipeline.language.replies import opening
from pipeline.planning.model import setting_of
from pipeline.planning.wording import CUE


@pytest.mark.parametrize(
    ("scenario", "setting"),
    [
        ("In a farmhouse kitchen early in the morning, someone makes tea.", "kitchen morning"),
        ("Late at night in a hospital ward a nurse makes her round.", "hospital ward night"),
        ("On the deck of a submarine at 7 pm.", "elsewhere 7 pm"),
        ("傍晚，厨房里，有人在做饭。", "kitchen evening"),
    ],
)
def test_a_free_sentence_has_a_setting_in_the_grammars_words(scenario: str, setting: str) -> None:
    assert setting_of(scenario) == setting


@pytest.mark.parametrize(
    "question", ["What did I say earlier?", "Which colour was it again?", "Do you remember my cat?", "我刚才说了什么？"]
)
def test_a_question_that_points_back_is_known(question: str) -> None:
    assert CUE.search(question)


@pytest.mark.parametrize("question", ["What is my cat called?", "Which train do I take?", "我的猫叫什么名字？"])
def test_a_plain_question_points_nowhere(question: str) -> None:
    assert not CUE.search(question)


def test_an_opening_is_three_words_or_four_characters() -> None:
    assert opening("Careful, the glass is broken.") == "Careful, the glass"
    assert opening("小心，玻璃碎了。") == "小心，玻"
