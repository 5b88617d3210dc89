"""The banks: enough of everything, fit to be spoken, and consistent in themselves."""

import re

import pytest

from pipeline.planning.banks import bank, entries
from pipeline.planning.settings import CJK, grammar
from pipeline.planning.tasks.speech import FILLER
from pipeline.planning.tasks.voice import NEGATIVES
from schemas.protocol import EMOTIONS

# Plain words with ordinary punctuation: what a voice speaks as it stands.
SPEAKABLE = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:[,;:.!?…]? [^\W\d_]+(?:['’-][^\W\d_]+)*)*[.!?…]")
SPEAKABLE_ZH = re.compile(r"[\u3400-\u9fff，。！？、；：]+")
FIELDS = {"questions": 2, "memories": 5, "hesitations": 2, "moods": 3, "home": 5, "waiting": 2, "surroundings": 3}
FIELDS |= {"questions_zh": 2, "moods_zh": 3, "home_zh": 5}


@pytest.mark.parametrize("name", [*FIELDS, "dialogues", "translations"])
def test_a_bank_has_forty_different_items(name: str) -> None:
    assert len(set(bank(name))) >= 40
    assert len(set(bank(name))) == len(bank(name))


@pytest.mark.parametrize("part", ["read", "spontaneous", "noisy", "mandarin"])
def test_there_are_forty_texts_for_each_kind_of_speech(part: str) -> None:
    assert len(set(bank("reading")[part])) >= 40


def test_there_are_forty_interruptions_and_as_many_other_voices() -> None:
    assert len(entries("interruptions", "cut")) >= 40
    assert sum(len(entries("interruptions", kind)) for kind in NEGATIVES) >= 40


def test_there_are_forty_questions_about_music() -> None:
    assert sum(len(items) for items in bank("music").values()) >= 40


@pytest.mark.parametrize(("name", "fields"), FIELDS.items())
def test_items_have_all_their_fields(name: str, fields: int) -> None:
    assert {len(entry) for entry in entries(name)} == {fields}
    assert all(part.strip() for entry in entries(name) for part in entry)


def spoken() -> list[str]:
    texts = [turn.split(" | ")[0] for dialogue in bank("dialogues") for turn in dialogue.split(" || ")]
    texts += [text for name in ("questions", "memories", "waiting", "home") for text, *_ in entries(name)]
    texts += [entry[2] for entry in entries("memories")]
    texts += [text.replace(" / ", " ") for text, _ in entries("hesitations")]
    texts += [entry[1] for name in ("moods", "surroundings") for entry in entries(name)]
    texts += [text for entry in entries("interruptions", "cut") for text in (entry[0], entry[2])]
    texts += [text for kind in NEGATIVES for (text,) in entries("interruptions", kind)]
    texts += [text for part in ("read", "spontaneous", "noisy") for text in bank("reading")[part]]
    texts += [english.replace(" / ", " ") for english, _ in entries("translations")]
    return texts + [question for items in bank("music") for question, _ in entries("music", items)]


def test_what_is_said_can_be_spoken_as_it_stands() -> None:
    assert [text for text in spoken() if not SPEAKABLE.fullmatch(text)] == []
    chinese = [*bank("reading")["mandarin"], *(zh.replace("/ ", "") for _, zh in entries("translations"))]
    chinese += [text for entry in entries("questions_zh") for text in entry]
    chinese += [text for words, _, _, _, reply in entries("home_zh") for text in (words, reply)]
    chinese += [text for entry in entries("moods_zh") for text in entry[1:]]
    assert [text for text in chinese if not SPEAKABLE_ZH.fullmatch(text.replace(" ", ""))] == []


def test_both_sides_of_a_translation_have_the_same_segments() -> None:
    for english, chinese in entries("translations"):
        assert len(english.split(" / ")) == len(chinese.split("/")) > 1, english
        assert not CJK.search(english)
        assert all(CJK.search(piece) for piece in chinese.split("/"))


def test_a_memory_holds_the_answer_and_no_hint() -> None:
    for said, reply, question, answer, key in entries("memories"):
        assert key.lower() in answer.lower(), answer
        assert set(re.findall(r"\w+", key.lower())) <= set(re.findall(r"\w+", said.lower())), said
        assert key.lower() not in question.lower()
        assert not re.search(r"earlier|before|you said|remember", question, re.IGNORECASE)
        assert reply


def test_a_cut_reply_is_long_enough_to_be_cut() -> None:
    for _, reply, _, _ in entries("interruptions", "cut"):
        assert len(reply.split()) >= 20, reply


def test_spontaneous_speech_hesitates() -> None:
    assert all(FILLER.search(text) for text in bank("reading")["spontaneous"])
    assert not any(re.search(r"\b(um|uh|er)\b", text) for text in bank("reading")["read"])


@pytest.mark.parametrize("name", ["moods", "moods_zh"])
def test_moods_are_the_protocols_and_each_occurs_often(name: str) -> None:
    felt = [emotion for emotion, _, _ in entries(name)]
    assert set(felt) == set(EMOTIONS) - {"normal"}
    assert min(felt.count(emotion) for emotion in felt) >= 8


def test_surroundings_are_beds_of_the_grammar() -> None:
    beds = {bed for setting in grammar().settings for bed in setting.beds}
    assert {sound for sound, _, _ in entries("surroundings")} <= beds
