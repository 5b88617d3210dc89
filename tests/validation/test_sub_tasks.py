"""Each sub-task's rule is proved from the stored row alone: it holds in what is built, and is seen when it breaks."""

import json
import runpy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.annotation.offline import ABOUT_SOUND, ALONE, INSTRUCTED, examples
from pipeline.planning.streams import LANGUAGE_OF
from pipeline.shards.reader import to_row
from pipeline.validation.contract import validate_corpus
from schemas.protocol import OFFLINE_MAX_SAMPLES
from schemas.taxonomy import ABILITY_OF, CRITERION_OF_TASK, INCREMENTAL
from tests.validation.sub_tasks import Record, broken, built, found_in, found_in_damaged

CHUNK = 6_400
Edit = Callable[[Record, Record, Record], object]


@pytest.fixture(scope="module")
def corpus(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    out = tmp_path_factory.mktemp("all") / "corpus"
    return out, built(28, starter, out, mixed=0, p_history=0, p_proactive=0, pairs=0)


@pytest.fixture(scope="module")
def row_of(corpus: tuple[Path, list[Record]]) -> Callable[[str], Record]:
    rows = {record["sub_task"]: record for record in corpus[1]}
    return rows.__getitem__


@pytest.fixture(scope="module")
def sessions(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    out = tmp_path_factory.mktemp("mixed") / "corpus"
    return built(28, starter, out, mixed=1.0, p_history=1.0, p_proactive=1.0, pairs=0, seed=12)


@pytest.mark.parametrize("sub_task", sorted(ABILITY_OF))
def test_the_rule_holds_in_what_is_built(sub_task: str, row_of: Callable[[str], Record]) -> None:
    record = row_of(sub_task)
    assert record["ability"] == ABILITY_OF[sub_task]
    assert found_in(record) == []


def test_an_independent_checker_finds_nothing(
    corpus: tuple[Path, list[Record]], shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["check_corpus.py", str(corpus[0])])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(shared / "acceptance" / "check_corpus.py"), run_name="__main__")
    assert done.value.code == 0, capsys.readouterr().out
    assert "28 sub-tasks" in capsys.readouterr().out


@pytest.mark.slow
def test_a_corpus_of_every_sub_task_breaks_no_rule(starter: Path, tmp_path: Path) -> None:
    rows = built(84, starter, tmp_path / "corpus", pairs=1.0)
    assert len({record["sub_task"] for record in rows}) == 28
    findings = validate_corpus(tmp_path / "corpus", library=starter)
    assert findings.by_rule() == {}


@pytest.mark.slow
def test_every_rule_holds_in_chinese(starter: Path, tmp_path: Path) -> None:
    rows = built(56, starter, tmp_path / "corpus", languages=["zh"], mixed=0.3, p_history=1.0, pairs=0, seed=5)
    assert {record["sub_task"] for record in rows} == set(ABILITY_OF)
    assert {record["sub_task"] for record in rows if record["language"] == "en"} == {
        task for task, language in LANGUAGE_OF.items() if language == "en"
    }
    assert [finding for record in rows for finding in found_in(record)] == []
    assert validate_corpus(tmp_path / "corpus", library=starter).by_rule() == {}

    def never_said(row: Record, plan: Record, provenance: Record) -> None:
        response_text(row, len(row["responses"]) - 1, "桑给巴尔。")

    for sub_task, rule, edit in (
        ("multiple_choice_qa", "choice-right", another_option),
        ("history_review", "history-answer", never_said),
    ):
        assert any(rule in broken(row, edit) for row in rows if row["sub_task"] == sub_task), rule


# -- sessions of several sub-tasks ------------------------------------------------------------------


def test_sessions_hold_several_sub_tasks_and_keep_the_rule_of_each(sessions: list[Record]) -> None:
    for record in sessions:
        assert found_in(record) == []
        assert record["sub_task"] in {turn["sub_task"] for turn in record["turns"]}
    several = [record for record in sessions if len({r["sub_task"] for r in record["responses"]}) > 1]
    assert len(several) > 20
    assert any(r["sub_task"] in CRITERION_OF_TASK for record in several for r in record["responses"])
    assert any(r["sub_task"] == "history_review" for record in several for r in record["responses"]), (
        "a long session is asked about what was said"
    )


def test_a_standing_instruction_comes_last(sessions: list[Record]) -> None:
    for record in sessions:
        if record["sub_task"] in INCREMENTAL:
            own = [r["chunk"] for r in record["responses"] if r["sub_task"] == record["sub_task"]]
            other = [r["chunk"] for r in record["responses"] if r["sub_task"] != record["sub_task"]]
            assert max(other, default=0) < min(own)


# -- each rule, broken ------------------------------------------------------------------------------

CASES: list[tuple[str, str, Edit]] = []


def breaks(rule: str, *sub_tasks: str) -> Callable[[Edit], Edit]:
    def register(edit: Edit) -> Edit:
        CASES.extend((sub_task, rule, edit) for sub_task in sub_tasks)
        return edit

    return register


def steps_of(plan: Record) -> list[tuple[int, Record]]:
    return list(enumerate(plan["steps"]))


def response_text(row: Record, k: int, text: str) -> None:
    row["responses"][k]["text"] = text
    next(turn for turn in row["turns"] if turn["response"] == k)["assistant"] = text


def drop_response(row: Record, k: int) -> None:
    del row["responses"][k]
    row["turns"] = [turn for turn in row["turns"] if turn["response"] != k]
    for turn in row["turns"]:
        turn["response"] -= turn["response"] > k


@breaks(
    "question-answered",
    *"single_turn_qa multi_turn_dialogue hesitation_pause barge_in sound_event_qa music_qa multiple_choice_qa "
    "en_zh_sentence zh_en_sentence smart_home_control environment_aware_reply emotion_aware_reply".split(),
)
def an_answer_is_missing(row: Record, plan: Record, provenance: Record) -> None:
    drop_response(row, len(row["responses"]) - 1)


@breaks("dialogue-turns", "multi_turn_dialogue")
def two_turns_only(row: Record, plan: Record, provenance: Record) -> None:
    asked = [step for _, step in steps_of(plan) if step["source"] == "speech"]
    for step in asked[2:]:
        step["sub_task"] = "single_turn_qa"


@breaks("dialogue-voice", "multi_turn_dialogue")
def another_voice(row: Record, plan: Record, provenance: Record) -> None:
    provenance["speech"][1]["voice"] = "somebody else"


@breaks("hesitation-pauses", "hesitation_pause")
def no_pause(row: Record, plan: Record, provenance: Record) -> None:
    provenance["speech"][0]["pauses"] = []


@breaks("hesitation-silence", "hesitation_pause")
def an_answer_in_the_pause(row: Record, plan: Record, provenance: Record) -> None:
    row["responses"][0]["chunk"] = provenance["speech"][0]["pauses"][0][0] // CHUNK + 1


@breaks("barge-in-cut", "barge_in")
def the_cut_is_elsewhere(row: Record, plan: Record, provenance: Record) -> None:
    reply = provenance["replies"][0]
    reply["cut_sample"] = 1 if reply["cut_sample"] is None else None


@breaks("barge-in-reply", "barge_in")
def the_reply_has_another_length(row: Record, plan: Record, provenance: Record) -> None:
    provenance["replies"][0]["nominal_end_sample"] += 16_000


@breaks("count-numbers", "count_events")
def a_wrong_count(row: Record, plan: Record, provenance: Record) -> None:
    response_text(row, 0, "Seven.")


@breaks("alert-once", "alert_on_event")
def no_alert(row: Record, plan: Record, provenance: Record) -> None:
    drop_response(row, 0)


@breaks("unless-condition", "stay_silent_unless")
def said_without_need(row: Record, plan: Record, provenance: Record) -> None:
    answered = {response["event"] for response in row["responses"]}
    event = next(e for e, step in steps_of(plan) if step["source"] == "event" and e not in answered)
    chunk = (row["events"][event]["end_sample"] - 1) // CHUNK
    row["responses"].append(
        {"chunk": chunk, "text": "There.", "emotion": "normal", "event": event, "delay_chunks": 0, "moved_chunks": 0,
         "sub_task": "stay_silent_unless", "action": None}
    )  # fmt: skip


@breaks("history-turn", "history_review")
def the_turn_is_too_near(row: Record, plan: Record, provenance: Record) -> None:
    spoken = [k for k, turn in enumerate(row["turns"]) if turn["user"]]
    provenance["answers"][0]["answer_turn"] = spoken[-2]


@breaks("history-answer", "history_review")
def the_answer_was_never_said(row: Record, plan: Record, provenance: Record) -> None:
    response_text(row, len(row["responses"]) - 1, "Zanzibar.")


@breaks("history-hint", "history_review")
def the_question_points_back(row: Record, plan: Record, provenance: Record) -> None:
    last = [turn for turn in row["turns"] if turn["user"]][-1]
    last["user"] = f"As you said earlier, {last['user']}"


@breaks("choice-evidence", "multiple_choice_qa")
def something_else_was_heard(row: Record, plan: Record, provenance: Record) -> None:
    step = plan["steps"][provenance["targets"][0]]
    plan["scene"]["sub_events"][step["index"]]["brief_description"] = "An owl hooting, softly."
    plan["refinements"][step["index"]]["accept_tags"] = ["Owl"]


@breaks("command-environment", "smart_home_control")
def nothing_around(row: Record, plan: Record, provenance: Record) -> None:
    for event in row["events"]:
        event["role"] = "foreground"


@breaks("question-evidence", "sound_event_qa", "music_qa", "multiple_choice_qa")
def the_question_is_about_nothing(row: Record, plan: Record, provenance: Record) -> None:
    provenance["targets"] = []


@breaks("description-complete", "scene_description")
def a_sound_is_passed_over(row: Record, plan: Record, provenance: Record) -> None:
    drop_response(row, 0)


@breaks("music-heard", "music_qa")
def no_music(row: Record, plan: Record, provenance: Record) -> None:
    row["events"][provenance["targets"][0]]["kind"] = "sfx"


@breaks("choice-right", "multiple_choice_qa")
def another_option(row: Record, plan: Record, provenance: Record) -> None:
    record = provenance["answers"][0]
    record["right_option"] = (record["right_option"] + 1) % len(record["options"])


@breaks("choice-options", "multiple_choice_qa")
def an_option_nobody_offered(row: Record, plan: Record, provenance: Record) -> None:
    record = provenance["answers"][0]
    record["options"][record["right_option"] - 1] = "a unicorn singing"


@breaks("instruction-first", *"en_zh_sentence zh_en_sentence".split(), *sorted(INCREMENTAL))
def nobody_instructs(row: Record, plan: Record, provenance: Record) -> None:
    step = next(step for _, step in steps_of(plan) if step["source"] == "speech")
    step["sub_task"] = "single_turn_qa"


@breaks("translation-language", "en_zh_sentence", "zh_en_sentence")
def not_translated(row: Record, plan: Record, provenance: Record) -> None:
    event = row["events"][row["responses"][0]["event"]]
    response_text(row, 0, event["transcript"])


@breaks("partials-join", *sorted(INCREMENTAL))
def a_piece_is_lost(row: Record, plan: Record, provenance: Record) -> None:
    response_text(row, 1, "?")


@breaks("partials-words", *sorted(INCREMENTAL))
def a_piece_ends_between_words(row: Record, plan: Record, provenance: Record) -> None:
    next(turn for turn in row["turns"] if turn["response"] == 1)["end_sample"] -= 7


@breaks("partials-per-chunk", "read_speech", "spontaneous_speech", "noisy_speech", "mandarin_speech")
def a_piece_comes_late(row: Record, plan: Record, provenance: Record) -> None:
    row["responses"][-1]["delay_chunks"] += 1
    row["responses"][-1]["chunk"] += 1


@breaks("speech-manner", "noisy_speech")
def no_noise(row: Record, plan: Record, provenance: Record) -> None:
    for track in row["noise"]:
        track["snr_db"] = 30.0


@breaks("speech-manner", "spontaneous_speech", "mandarin_speech")
def spoken_otherwise(row: Record, plan: Record, provenance: Record) -> None:
    step = next(step for _, step in steps_of(plan) if step["incremental"])
    event = plan["steps"].index(step)
    text = "read aloud from paper"
    row["events"][event]["transcript"] = text
    mine = [k for k, response in enumerate(row["responses"]) if response["event"] == event]
    for k in mine:
        response_text(row, k, text if k == mine[0] else "")


@breaks("proactive-advice", *CRITERION_OF_TASK)
def no_advice(row: Record, plan: Record, provenance: Record) -> None:
    response_text(row, 0, "Are you okay?")


@breaks("proactive-criterion", *CRITERION_OF_TASK)
def no_danger(row: Record, plan: Record, provenance: Record) -> None:
    event = row["responses"][0]["event"]
    record = next(record for record in provenance["audits"] if record["event"] == event)
    record.update(label="silent", criterion=None)


@breaks("command-action", "smart_home_control")
def no_action(row: Record, plan: Record, provenance: Record) -> None:
    row["responses"][0]["action"] = json.dumps({"device": "lamp"})


@breaks("environment-evidence", "environment_aware_reply")
def nothing_beneath(row: Record, plan: Record, provenance: Record) -> None:
    provenance["targets"] = []


@breaks("emotion-audible", "emotion_aware_reply")
def without_emotion(row: Record, plan: Record, provenance: Record) -> None:
    provenance["speech"][0]["emotion"] = "normal"


@breaks("emotion-tone", "emotion_aware_reply")
def another_tone(row: Record, plan: Record, provenance: Record) -> None:
    felt = provenance["speech"][0]["emotion"]
    row["responses"][0]["emotion"] = "happy" if felt != "happy" else "sad"


@breaks("idle-once", "idle_check_in")
def no_check_in(row: Record, plan: Record, provenance: Record) -> None:
    drop_response(row, len(row["responses"]) - 1)


@breaks("idle-quiet", "idle_check_in")
def too_soon(row: Record, plan: Record, provenance: Record) -> None:
    row["responses"][-1].update(delay_chunks=20)


@pytest.mark.parametrize(("sub_task", "rule", "edit"), CASES, ids=[f"{t}-{e.__name__}" for t, _, e in CASES])
def test_a_broken_rule_is_seen(sub_task: str, rule: str, edit: Edit, row_of: Callable[[str], Record]) -> None:
    assert rule in broken(row_of(sub_task), edit)


def test_no_damage_stops_the_rules(corpus: tuple[Path, list[Record]]) -> None:
    """Any single value of a row, its plan or its provenance may be anything."""
    draw = np.random.default_rng(1)
    for record in corpus[1]:
        for _ in range(20):
            found_in_damaged(record, draw)


def test_every_sub_task_has_a_broken_rule() -> None:
    assert set(Counter(sub_task for sub_task, _, _ in CASES)) == set(ABILITY_OF)


# -- what stands by itself ---------------------------------------------------------------------------


def test_single_turns_become_offline_examples(row_of: Callable[[str], Record]) -> None:
    for sub_task in ALONE | INSTRUCTED | ABOUT_SOUND:
        row = to_row(row_of(sub_task))
        found = list(examples(row))
        asked = {r.event for r in row.responses if r.sub_task == sub_task}
        asked -= {e for e in asked if row.events[e].end_sample - row.events[e].start_sample > OFFLINE_MAX_SAMPLES}
        assert len(found) == len(asked), sub_task
        for example, event in zip(found, sorted(asked), strict=True):
            place = row.events[event]
            assert example.assistant == "".join(r.text for r in row.responses if r.event == event)
            if sub_task in ABOUT_SOUND:
                assert example.user == place.transcript
                assert example.audio[1] <= place.start_sample
                assert any(example.audio == (e.start_sample, e.end_sample) for e in row.events if e.kind != "speech")
            else:
                assert example.audio == (place.start_sample, place.end_sample)
                assert (example.user is not None) == (sub_task in INSTRUCTED)
            if sub_task in INSTRUCTED:
                first = next(e for e in row.events if e.kind == "speech")
                assert example.user == first.transcript


def test_what_needs_the_stream_before_it_becomes_none(row_of: Callable[[str], Record]) -> None:
    for sub_task in set(ABILITY_OF) - ALONE - INSTRUCTED - ABOUT_SOUND:
        assert list(examples(to_row(row_of(sub_task)))) == [], sub_task
