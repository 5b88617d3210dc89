"""The embedded rewriter: what needs no help passes to the letter, everything else is said in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.synthesis.spoken import spoken_form


@pytest.mark.parametrize(
    "text",
    ["Tell me when you hear a dog bark.", "What's that — thunder?", "听到狗叫时请告诉我。", "Well-known, isn't it?"],
)
def test_a_clean_sentence_passes_to_the_letter(text):
    assert spoken_form(text, "zh" if "狗" in text else "en") == text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("I saw 3 dogs.", "I saw three dogs."),
        ("It costs $5.20 today.", "It costs five dollars and twenty cents today."),
        ("About $1.5 million.", "About one point five million dollars."),
        ("Meet me at 3:05 pm.", "Meet me at three oh five p m"),
        ("It was -4 °C on 2024-05-01.", "It was minus four degrees Celsius on May first twenty twenty-four."),
        ("In 1999 there were 1,234 of them.", "In nineteen ninety-nine there were one thousand two hundred and "
         "thirty-four of them."),
        ("Run 5 km at 12.5 km/h.", "Run five kilometers at twelve point five kilometers per hour."),
        ("The 21st is 50% off.", "The twenty-first is fifty percent off."),
        ("**Bold** and `code` and [a link](http://x.org).", "Bold and code and a link."),
        ("See https://www.example.com/a?b=1 now.", "See example dot com now."),
        ("Mail me@example.org!", "Mail me at example dot org!"),
        ("# Title\n- one\n- two 😀\n", "Title. one. two"),
        ("Cats, dogs, etc.", "Cats, dogs, et cetera."),
        ("Dr. Smith vs. Mr. Jones & co", "Doctor Smith versus Mister Jones and co"),
        ("Run this:\n```python\nfor i in range(3): pass\n```\nDone.", "Run this: There is some code here. Done."),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "There is a table here."),
        ("Dial 007.", "Dial zero zero seven."),
        ("pages 3-5", "pages three to five"),
        ("No. 7 said no.", "number seven said no."),
    ],
)  # fmt: skip
def test_english_is_said_in_words(written, spoken):
    assert spoken_form(written, "en") == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("我有3只狗。", "我有三只狗。"),
        ("我有2只猫。", "我有两只猫。"),
        ("现在14:05了。", "现在十四点零五分了。"),
        ("增长了25%。", "增长了百分之二十五。"),
        ("2024年有10500人。", "二零二四年有一万零五百人。"),
        ("跑5km", "跑五公里"),
        ("气温-3°C", "气温负三摄氏度"),
        ("**重要**：看https://example.com/x。", "重要：看example 点 com。"),
        ("一共120038000元", "一共一亿两千零三万八千元"),
    ],
)
def test_mandarin_is_said_in_words(written, spoken):
    # 两 before 千 is a matter of taste; the numeral itself is what counts.
    assert spoken_form(written, "zh").replace("二千", "两千") == spoken


@given(st.text(max_size=80), st.sampled_from(["en", "zh"]))
def test_any_text_ends_without_digits_and_a_second_time_changes_little(text, language):
    spoken = spoken_form(text, language)
    assert not any(c in "0123456789" for c in spoken)
    assert "http://" not in spoken
