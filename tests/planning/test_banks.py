"""The banks: enough of everything, fit to be spoken, and consistent in themselves."""

import re

import pytest

from pipeline.planning.banks import bank, entries
from pipeline.planning.blocks import words_in
from pipeline.planning.settings import CJK, grammar
from pipeline.planning.tasks.speech import FILLER
from pipeline.planning.tasks.voice import NEGATIVES
from pipeline.planning.wording import CUE
from pipeline.speaking import reply_s
from pipeline.synthesis.align import words_of
from schemas.protocol import EMOTIONS

# Plain words with ordinary punctuation: what a voice speaks as it stands.
SPEAKABLE = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:[,;:.!?…]? [^\W\d_]+(?:['’-][^\W\d_]+)*)*[.!?…]")
SPEAKABLE_ZH = re.compile(r"[\u3400-\u9fff，。！？、；：]+")
FIELDS = {"questions": 2, "memories": 5, "hesitations": 2, "moods": 3, "home": 5, "waiting": 2, "surroundings": 3}
FIELDS |= {f"{name}_zh": fields for name, fields in FIELDS.items()}


@pytest.mark.parametrize("name", [*FIELDS, "dialogues", "dialogues_zh", "translations"])
def test_a_bank_has_forty_different_items(name: str) -> None:
    assert len(set(bank(name))) >= 40
    assert len(set(bank(name))) == len(bank(name))


@pytest.mark.parametrize("part", ["read", "spontaneous", "noisy", "mandarin"])
def test_there_are_forty_texts_for_each_kind_of_speech(part: str) -> None:
    assert len(set(bank("reading")[part])) >= 40


@pytest.mark.parametrize("name", ["interruptions", "interruptions_zh"])
def test_there_are_forty_interruptions_and_as_many_other_voices(name: str) -> None:
    assert len(set(entries(name, "cut"))) >= 40
    assert len({text for kind in NEGATIVES for text in entries(name, kind)}) >= 40


@pytest.mark.parametrize("name", ["music", "music_zh"])
def test_there_are_forty_questions_about_instruments_that_are_named(name: str) -> None:
    assert sum(len(set(items)) for items in bank(name).values()) >= 40
    assert set(bank(name)) - {"any"} <= {sound for sound, entry in bank("phrases").items() if "; music;" in entry}


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
    chinese += [
        text for name in ("questions_zh", "memories_zh", "waiting_zh") for entry in entries(name) for text in entry
    ]
    chinese += [text for words, _, _, _, reply in entries("home_zh") for text in (words, reply)]
    chinese += [text for name in ("moods_zh", "surroundings_zh") for entry in entries(name) for text in entry[1:]]
    chinese += [text for said, reply in entries("hesitations_zh") for text in (said.replace(" / ", ""), reply)]
    chinese += [
        text for dialogue in bank("dialogues_zh") for turn in dialogue.split(" || ") for text in turn.split(" | ")
    ]
    chinese += [
        text for part in bank("interruptions_zh") for entry in entries("interruptions_zh", part) for text in entry
    ]
    chinese += [
        text.replace("{hear}", "") for part in bank("music_zh") for qa in entries("music_zh", part) for text in qa
    ]
    chinese += bank("names_zh").values()
    assert [text for text in chinese if not SPEAKABLE_ZH.fullmatch(text.replace(" ", ""))] == []


def test_both_sides_of_a_translation_have_the_same_segments() -> None:
    for english, chinese in entries("translations"):
        assert len(english.split(" / ")) == len(chinese.split("/")) > 1, english
        assert not CJK.search(english)
        assert all(CJK.search(piece) for piece in chinese.split("/"))


def test_a_memory_holds_the_answer_and_no_hint() -> None:
    for said, reply, question, answer, key in (*entries("memories"), *entries("memories_zh")):
        assert key.lower() in answer.lower(), answer
        assert words_in(key)
        assert words_in(key) <= words_in(said), said
        assert not words_in(key) & words_in(question), question
        assert not CUE.search(question), question
        assert reply


def test_a_cut_reply_is_long_enough_to_be_cut() -> None:
    for _, reply, _, _ in (*entries("interruptions", "cut"), *entries("interruptions_zh", "cut")):
        assert reply_s(reply, 160) >= 7.5, reply


def test_spontaneous_speech_hesitates() -> None:
    assert all(FILLER.search(text) for text in bank("reading")["spontaneous"])
    assert not any(re.search(r"\b(um|uh|er)\b", text) for text in bank("reading")["read"])


@pytest.mark.parametrize("name", ["moods", "moods_zh"])
def test_moods_are_the_protocols_and_each_occurs_often(name: str) -> None:
    felt = [emotion for emotion, _, _ in entries(name)]
    assert set(felt) == set(EMOTIONS) - {"normal"}
    assert min(felt.count(emotion) for emotion in felt) >= 8


@pytest.mark.parametrize("name", ["dialogues", "dialogues_zh"])
def test_conversations_have_three_to_five_rounds(name: str) -> None:
    for dialogue in bank(name):
        rounds = [turn.split(" | ") for turn in dialogue.split(" || ")]
        assert 3 <= len(rounds) <= 5, dialogue
        assert {len(turn) for turn in rounds} == {2}, dialogue


@pytest.mark.parametrize("name", ["hesitations", "hesitations_zh"])
def test_a_pause_lies_between_two_words(name: str) -> None:
    for turn, _ in entries(name):
        pieces = turn.split(" / ")
        assert len(pieces) >= 2, turn
        assert all(words_of(piece) for piece in pieces), turn


def test_every_sound_that_is_no_danger_has_a_chinese_name() -> None:
    heard = {name for setting in grammar().settings for name in setting.typical | setting.maybe | setting.outside}
    dangers = {name for name, sound in grammar().sounds.items() if sound.bag_only}
    assert heard - set(bank("phrases")) - set(bank("names_zh")) - dangers == set()
    assert set(bank("names_zh")) <= set(grammar().sounds)


@pytest.mark.parametrize("name", ["surroundings", "surroundings_zh"])
def test_surroundings_are_beds_of_the_grammar(name: str) -> None:
    beds = {bed for setting in grammar().settings for bed in setting.beds}
    assert {sound for sound, _, _ in entries(name)} <= beds
