"""Every rule of the contract is broken once, in a corpus that is otherwise good, and found by its name."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from pipeline.validation.contract import validate_corpus
from tests.factories import CHUNK, RATE, Handmade, flac, shard_entry
from tests.validation.test_sub_tasks import CASES as SUB_TASKS

Record = dict[str, Any]
Records = list[Record]


@dataclass(frozen=True)
class Corruption:
    """What is broken (`edit` the rows before, `spoil` the folder after they are written) and the rule that says so."""

    name: str
    rule: str
    ids: tuple[str, ...]
    edit: Callable[[Records], object] | None = None
    spoil: Callable[[Path], object] | None = None
    library: bool = True


CASES: list[Corruption] = []


def rows(rule: str, *ids: str, library: bool = True) -> Callable[[Callable[[Records], object]], None]:
    """Register a way to break rows."""
    return lambda edit: CASES.append(Corruption(edit.__name__, rule, ids, edit=edit, library=library))


def folder(rule: str, *ids: str) -> Callable[[Callable[[Path], object]], None]:
    """Register a way to break a written folder."""
    return lambda spoil: CASES.append(Corruption(spoil.__name__, rule, ids or ("count_events",), spoil=spoil))


def pcm_of(record: Record) -> np.ndarray:
    return sf.read(io.BytesIO(record["audio"]["bytes"]), dtype="int16")[0]


def set_pcm(record: Record, pcm: np.ndarray, **kwargs: Any) -> None:
    record["audio"]["bytes"] = flac(pcm, **kwargs)


def place(record: Record, event: int) -> slice:
    return slice(record["events"][event]["start_sample"], record["events"][event]["end_sample"])


def edit_json(record: Record, column: str, edit: Callable[[Any], object]) -> None:
    data = json.loads(record[column])
    edit(data)
    record[column] = json.dumps(data)


def edit_manifest(root: Path, edit: Callable[[Any], object]) -> None:
    path = root / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def reply_everywhere(record: Record, response: int, text: str) -> None:
    """Change a reply in the response, its turn and the plan, so that all three still agree."""
    event = record["responses"][response]["event"]
    record["responses"][response]["text"] = text
    next(t for t in record["turns"] if t["response"] == response)["assistant"] = text
    edit_json(record, "plan_json", lambda plan: plan["steps"][event]["reply"].update(text=text))


def answer_everywhere(record: Record, event: int, text: str) -> None:
    """Answer a sound that must not be, consistently in every column and in the plan."""
    target = record["events"][event]
    target["decision"] = "respond"
    chunk = (target["end_sample"] - 1) // CHUNK
    response = {"chunk": chunk, "text": text, "emotion": "normal", "event": event, "delay_chunks": 0}
    response |= {"moved_chunks": 0, "sub_task": record["sub_task"], "action": None}
    record["responses"] = sorted([*record["responses"], response], key=lambda r: r["chunk"])
    start, end = target["start_sample"], target["end_sample"]
    record["turns"] = [t for t in record["turns"] if (t["start_sample"], t["end_sample"]) != (start, end)]
    turn = {"user": "", "assistant": text, "emotion": "normal", "scene_type": "kitchen morning"}
    turn |= {"sub_task": record["sub_task"], "start_sample": start, "end_sample": end, "response": 0}
    record["turns"] = sorted([*record["turns"], turn], key=lambda t: t["start_sample"])
    for t in record["turns"]:
        texts = [r["text"] for r in record["responses"]]
        t["response"] = texts.index(t["assistant"]) if t["assistant"] in texts else -1
    reply = {"text": text, "emotion": "normal", "action": None}
    edit_json(record, "plan_json", lambda plan: plan["steps"][event].update(decision="respond", reply=reply))


# -- audio -------------------------------------------------------------------------------------------


@rows("event-in-place", "alert_on_event")
def one_event_a_chunk_late(records: Records) -> None:
    pcm, at = pcm_of(records[0]), place(records[0], 2)
    moved = slice(at.start, at.stop + CHUNK)
    pcm[moved] = np.concatenate([pcm[at.stop : at.stop + CHUNK], pcm[at]])
    set_pcm(records[0], pcm)


@rows("event-in-place", "physiological_distress", library=False)
def everything_a_chunk_early(records: Records) -> None:
    set_pcm(records[0], np.roll(pcm_of(records[0]), -CHUNK))


@rows("event-in-place", "alert_on_event")
def two_events_swapped(records: Records) -> None:
    pcm, first, second = pcm_of(records[0]), place(records[0], 1), place(records[0], 2)
    between = pcm[first.stop : second.start]
    pcm[first.start : second.stop] = np.concatenate([pcm[second], between, pcm[first]])
    set_pcm(records[0], pcm)


@rows("event-in-place", "alert_on_event")
def event_replaced_by_noise_of_its_level(records: Records) -> None:
    pcm, at = pcm_of(records[0]), place(records[0], 2)
    part = pcm[at].astype(float)
    pcm[at] = np.random.default_rng(0).permutation(part).astype(np.int16)
    set_pcm(records[0], pcm)


@rows("event-in-place", "alert_on_event")
def event_at_half_its_level(records: Records) -> None:
    pcm, at = pcm_of(records[0]), place(records[0], 2)
    pcm[at] //= 2
    set_pcm(records[0], pcm)


@rows("event-in-place", "alert_on_event")
def interval_a_chunk_off(records: Records) -> None:
    for group in (records[0]["events"], records[0]["turns"]):
        for item in group:
            if (item["start_sample"], item["end_sample"]) == (place(records[0], 1).start, place(records[0], 1).stop):
                item["start_sample"] += CHUNK // 2
                item["end_sample"] += CHUNK // 2


@rows("event-in-place", "alert_on_event")
def ambience_left_out(records: Records) -> None:
    # The bed is what a speechless, eventless stretch holds; other noise of that level takes its place.
    level = pcm_of(records[0])[: RATE // 2].std()
    draw = np.random.default_rng(1)
    quiet = (draw.standard_normal(records[0]["num_samples"]) * level).astype(np.int16)
    pcm = pcm_of(records[0])
    for event in range(3):
        quiet[place(records[0], event)] = pcm[place(records[0], event)]
    set_pcm(records[0], quiet)


@rows("event-audible", "alert_on_event", library=False)
def event_missing_without_the_library(records: Records) -> None:
    pcm, at = pcm_of(records[0]), place(records[0], 2)
    pcm[at] = np.resize(pcm[: RATE // 4], at.stop - at.start) // 2
    set_pcm(records[0], pcm)


@rows("audio-clipped", "count_events")
def audio_clipped(records: Records) -> None:
    set_pcm(records[0], (pcm_of(records[0]).astype(int) * 30).clip(-32768, 32767).astype(np.int16))


@rows("audio-ceiling", "count_events")
def audio_over_the_ceiling(records: Records) -> None:
    pcm = pcm_of(records[0]).astype(float)
    set_pcm(records[0], np.rint(pcm * (32000 / np.abs(pcm).max())).astype(np.int16))


@rows("audio-decodes", "count_events")
def audio_truncated(records: Records) -> None:
    audio = records[0]["audio"]
    audio["bytes"] = audio["bytes"][: len(audio["bytes"]) // 2]


@rows("audio-decodes", "count_events")
def audio_of_garbage(records: Records) -> None:
    records[0]["audio"]["bytes"] = b"RIFF" * 1000


@rows("audio-format", "count_events")
def audio_at_8_khz(records: Records) -> None:
    set_pcm(records[0], pcm_of(records[0]), rate=8_000)


@rows("audio-format", "count_events")
def audio_in_stereo(records: Records) -> None:
    set_pcm(records[0], np.stack([pcm_of(records[0])] * 2, axis=1))


@rows("audio-length", "count_events")
def audio_a_sample_short(records: Records) -> None:
    set_pcm(records[0], pcm_of(records[0])[:-1])


@rows("whole-chunks", "count_events")
def length_no_whole_chunks(records: Records) -> None:
    set_pcm(records[0], pcm_of(records[0])[:-100])
    records[0]["num_samples"] -= 100


@rows("audio-audible", "count_events")
def audio_silent(records: Records) -> None:
    set_pcm(records[0], np.zeros(records[0]["num_samples"], np.int16))


@rows("quality-lufs", "count_events")
def audio_a_decibel_louder(records: Records) -> None:
    set_pcm(records[0], np.rint(pcm_of(records[0]) * 1.12).astype(np.int16))


for column, value in (
    ("peak_dbfs", -30.0), ("lufs", None), ("silence_ratio", 0.9), ("realised_snr_db", 3.0), ("clipped_samples", 7)
):  # fmt: skip
    rule = {"peak_dbfs": "peak", "silence_ratio": "silence", "realised_snr_db": "snr", "clipped_samples": "clipped"}

    def change(records: Records, column: str = column, value: float | None = value) -> None:
        records[0]["quality"][column] = value

    change.__name__ = f"quality_{column}_untrue"
    rows(f"quality-{rule.get(column, column)}", "count_events")(change)


# -- labels ------------------------------------------------------------------------------------------


@rows("response-chunk", "count_events")
def response_a_chunk_late(records: Records) -> None:
    records[0]["responses"][1]["chunk"] += 1


@rows("response-before-evidence", "count_events")
def response_a_chunk_early(records: Records) -> None:
    records[0]["responses"][1]["chunk"] -= 1


@rows("response-delay", "count_events")
def response_delayed_beyond_the_recipe(records: Records) -> None:
    records[0]["responses"][2]["chunk"] += 2
    records[0]["responses"][2]["delay_chunks"] += 2


@rows("response-moved", "count_events")
def move_without_a_collision(records: Records) -> None:
    records[0]["responses"][2]["chunk"] += 1
    records[0]["responses"][2].update(delay_chunks=1, moved_chunks=1)


@rows("respond-answered", "count_events")
def response_dropped(records: Records) -> None:
    records[0]["responses"].pop()
    records[0]["turns"].pop()


@rows("silence-holds", "stay_silent_unless")
def response_in_a_silent_stretch(records: Records) -> None:
    answer_everywhere(records[0], 1, "I heard something.")
    records[0]["events"][1]["decision"] = "silent"


@rows("response-decision", "alert_on_event")
def response_to_an_unanswered_event(records: Records) -> None:
    answer_everywhere(records[0], 1, "I heard something.")
    records[0]["events"][1]["decision"] = "none"


@rows("one-response-per-chunk", "count_events")
def two_responses_in_a_chunk(records: Records) -> None:
    records[0]["responses"][1]["chunk"] = records[0]["responses"][0]["chunk"]


@rows("one-response-per-event", "count_events")
def event_answered_twice(records: Records) -> None:
    records[0]["responses"][1]["event"] = records[0]["responses"][0]["event"]


@rows("response-order", "count_events")
def responses_out_of_order(records: Records) -> None:
    records[0]["responses"].reverse()


@rows("response-event", "count_events")
def response_to_no_event(records: Records) -> None:
    records[0]["responses"][0]["event"] = 99


@rows("response-in-stream", "count_events")
def response_after_the_end(records: Records) -> None:
    records[0]["responses"][2]["chunk"] = records[0]["num_chunks"]


@rows("response-text", "count_events")
def response_without_words(records: Records) -> None:
    reply_everywhere(records[0], 0, " ")


@rows("response-action", "count_events")
def action_that_is_no_object(records: Records) -> None:
    records[0]["responses"][0]["action"] = "lamp on"


@rows("plan-replies", "count_events")
def reply_that_was_not_planned(records: Records) -> None:
    records[0]["responses"][0]["text"] = records[0]["turns"][1]["assistant"] = "One knock."


@rows("turn-text", "count_events")
def turn_with_another_text(records: Records) -> None:
    records[0]["turns"][1]["assistant"] = "One knock."


@rows("turn-response", "count_events")
def turn_with_another_response(records: Records) -> None:
    records[0]["turns"][1]["response"] = 2


@rows("turn-interval", "count_events")
def turn_of_no_length(records: Records) -> None:
    records[0]["turns"][0]["end_sample"] = records[0]["turns"][0]["start_sample"]


@rows("turn-order", "count_events")
def turns_out_of_order(records: Records) -> None:
    records[0]["turns"].reverse()


@rows("turn-per-event", "stay_silent_unless")
def turn_of_a_silent_event_missing(records: Records) -> None:
    records[0]["turns"].pop()


@rows("turn-per-event", "count_events")
def turn_with_other_words(records: Records) -> None:
    records[0]["turns"][0]["user"] = "Count every cat."


@rows("event-interval", "count_events")
def event_past_the_end(records: Records) -> None:
    records[0]["events"][4]["end_sample"] = records[0]["num_samples"] + 1


@rows("event-gain", "count_events")
def an_absurd_gain(records: Records) -> None:
    records[0]["events"][1]["gain_db"] = 1e9


@rows("event-length", "count_events")
def event_shorter_than_its_sound(records: Records) -> None:
    for item in (records[0]["events"][2], records[0]["events"][4]):
        item["start_sample"] += 1500


@rows("event-licence", "count_events")
def event_without_a_licence(records: Records) -> None:
    records[0]["events"][1]["licence"] = ""


@rows("event-source", "count_events")
def clip_without_its_hash(records: Records) -> None:
    records[0]["events"][1]["clip_sha256"] = "0" * 64


@rows("ambient-event", "count_events")
def ambience_judged_silent(records: Records) -> None:
    records[0]["events"][-1]["decision"] = "silent"


@rows("noise-tracks", "count_events")
def one_noise_track_twice(records: Records) -> None:
    records[0]["noise"] = [records[0]["noise"][0]] * 2


@rows("sub-task-known", "count_events")
def sub_task_of_another_ability(records: Records) -> None:
    records[0]["ability"] = "voice_chatting"


@rows("row-readable", "count_events")
def list_column_null(records: Records) -> None:
    records[0]["turns"][0]["user"] = None


@rows("row-identity", "count_events")
def row_of_another_recipe(records: Records) -> None:
    records[0]["recipe_sha256"] = "0" * 64


# -- plan and provenance -----------------------------------------------------------------------------


@rows("plan-readable", "count_events")
def plan_that_is_no_plan(records: Records) -> None:
    records[0]["plan_json"] = '{"ability": 3}'


@rows("provenance-readable", "count_events")
def provenance_that_is_none(records: Records) -> None:
    records[0]["provenance_json"] = "{"


@rows("plan-columns", "count_events")
def another_scenario_than_planned(records: Records) -> None:
    records[0]["scenario"] = "Somebody is on a beach at noon."


@rows("plan-steps", "count_events")
def a_step_without_an_event(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["step_events"].pop())


@rows("plan-decision", "stay_silent_unless")
def a_silent_event_called_none(records: Records) -> None:
    records[0]["events"][1]["decision"] = "none"
    records[0]["turns"].pop(1)


@rows("plan-events", "count_events")
def an_event_renamed(records: Records) -> None:
    records[0]["events"][2]["name"] = "explosion"


@rows("plan-dialogue", "count_events")
def other_words_than_planned(records: Records) -> None:
    records[0]["events"][0]["transcript"] = records[0]["turns"][0]["user"] = "Count every cat."


@rows("plan-order", "alert_on_event")
def steps_in_another_order(records: Records) -> None:
    events = records[0]["events"]
    for key in ("start_sample", "end_sample"):
        events[0][key], events[1][key] = events[1][key], events[0][key]


@rows("plan-constraints", "alert_on_event")
def a_constraint_broken(records: Records) -> None:
    rule = {"kind": "before", "first": "cat_meow", "second": "page_turn"}
    edit_json(records[0], "plan_json", lambda plan: plan["scene"]["constraints"].append(rule))


@rows("plan-targets", "count_events")
def a_target_forgotten(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["targets"].pop())


@rows("audit-complete", "count_events")
def a_sound_nobody_judged(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["audits"].pop())


@rows("no-borderline", "count_events")
def a_doubtful_sound(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["audits"][1].update(label="borderline"))


@rows("trigger-stays-out", "count_events")
def a_trigger_beside_another_task(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["audits"][1].update(label="respond", criterion="hazard"))


@rows("grounding-accepted", "count_events")
def a_rejected_clip_used(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["grounding"][0]["candidates"][0].update(verdict="reject"))


@rows("event-renderable", "count_events")
def a_voice_nobody_has(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["speech"][0].update(voice="en-us+nobody"))


@rows("event-renderable", "count_events", library=False)
def a_sound_of_another_kind(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["renderings"][0].update(kind="explosion"))


@rows("grounding-accepted", "count_events")
def a_clip_that_is_something_else(records: Records) -> None:
    edit_json(records[0], "plan_json", lambda plan: plan["refinements"][0].update(accept_tags=["Goat"]))


@rows("conditioning-spans", "count_events")
def another_span_of_the_clip(records: Records) -> None:
    records[0]["events"][1]["clip_start_sample"] += 160


@rows("speech-words", "count_events")
def a_word_outside_its_utterance(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["speech"][0]["words"][-1].__setitem__(2, 10**7))


@rows("clip-facts", "count_events")
def a_licence_the_clip_does_not_have(records: Records) -> None:
    records[0]["events"][1]["licence"] = "CC-BY-4.0"


# -- sub-tasks ---------------------------------------------------------------------------------------


@rows("count-numbers", "count_events")
def a_wrong_count(records: Records) -> None:
    reply_everywhere(records[0], 1, "That makes three.")


@rows("count-order", "count_events")
def counts_that_overtake(records: Records) -> None:
    first, second = records[0]["responses"][:2]
    first["chunk"], second["chunk"] = second["chunk"], first["chunk"]


@rows("count-targets", "count_events")
def a_distractor_counted(records: Records) -> None:
    answer_everywhere(records[0], 2, "That is four.")


@rows("count-single", "count_events")
def a_target_that_may_repeat(records: Records) -> None:
    edit_json(records[0], "plan_json", lambda plan: plan["steps"][1].update(single_occurrence=False))


@rows("count-distractors", "count_events")
def a_distractor_like_the_target(records: Records) -> None:
    records[0]["events"][2]["caption"] = records[0]["events"][1]["caption"]


@rows("alert-once", "alert_on_event")
def an_alert_for_another_sound(records: Records) -> None:
    answer_everywhere(records[0], 1, "There it is.")


@rows("unless-condition", "stay_silent_unless")
def the_condition_ignored(records: Records) -> None:
    answer_everywhere(records[0], 2, "I heard a cat.")


@rows("instruction-first", "alert_on_event")
def nobody_instructs(records: Records) -> None:
    edit_json(records[0], "plan_json", lambda plan: plan["steps"][0].update(sub_task="single_turn_qa"))


@rows("question-evidence", "sound_event_qa")
def a_question_about_what_comes_later(records: Records) -> None:
    events = records[0]["events"]
    events[1]["end_sample"] = events[2]["start_sample"] + 1


@rows("question-answered", "sound_event_qa")
def a_sound_answered_in_place_of_the_question(records: Records) -> None:
    answer_everywhere(records[0], 0, "That was a page.")


@rows("task-present", "count_events")
def no_step_of_the_rows_task(records: Records) -> None:
    records[0]["sub_task"] = "alert_on_event"


@rows("proactive-criterion", "physiological_distress")
def a_trigger_of_another_criterion(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["audits"][1].update(criterion="hazard"))


@rows("proactive-benign", "physiological_distress")
def a_trigger_left_unanswered(records: Records) -> None:
    edit_json(records[0], "provenance_json", lambda p: p["audits"][0].update(label="respond", criterion="signal"))


@rows("proactive-advice", "physiological_distress")
def are_you_okay(records: Records) -> None:
    reply_everywhere(records[0], 0, "Hello? Are you okay over there?")


# -- between rows ------------------------------------------------------------------------------------


PAIR = ("natural_hazard-respond", "natural_hazard-silent")


@rows("unique-ids", "count_events", "alert_on_event")
def an_id_twice(records: Records) -> None:
    records[1].update(id=records[0]["id"])


@rows("unique-audio", "count_events", "alert_on_event")
def the_same_audio_encoded_anew(records: Records) -> None:
    file = io.BytesIO()
    sf.write(file, pcm_of(records[0]), RATE, format="FLAC", subtype="PCM_16", compression_level=0.0)
    records[1].update(audio={"bytes": file.getvalue(), "path": records[1]["audio"]["path"]})
    records[1].update(num_samples=records[0]["num_samples"], num_chunks=records[0]["num_chunks"])


@rows("clip-in-one-split", "count_events", "sound_event_qa")
def a_clip_in_two_splits(records: Records) -> None:
    for key in ("clip_id", "clip_sha256"):
        records[1]["events"][0][key] = records[0]["events"][1][key]


@rows("clip-in-one-split", "count_events", "sound_event_qa")
def a_noise_clip_in_two_splits(records: Records) -> None:
    records[1]["noise"] = records[0]["noise"]


@rows("pair-two-rows", PAIR[0])
def a_pair_of_one(records: Records) -> None:
    assert records[0]["pair_id"]


@rows("pair-split", *PAIR)
def a_pair_in_two_splits(records: Records) -> None:
    records[1]["split"] = "test"


@rows("pair-noise", *PAIR)
def a_pair_over_other_noise(records: Records) -> None:
    records[1]["noise"][0]["snr_db"] = 12.0


@rows("pair-sides", *PAIR)
def a_pair_of_two_silences(records: Records) -> None:
    for record in records:
        edit_json(record, "plan_json", lambda plan: plan["pair"].update(side="silent"))


@rows("pair-plan", *PAIR)
def a_pair_of_two_plans(records: Records) -> None:
    edit_json(records[1], "plan_json", lambda plan: plan["refinements"][0].update(fallback_caption="Another bell."))


@rows("pair-labels", *PAIR)
def a_pair_answered_elsewhere(records: Records) -> None:
    answer_everywhere(records[1], 2, "Turn the page slowly and carefully.")


@rows("pair-slot", *PAIR)
def a_pair_with_another_slot(records: Records) -> None:
    edit_json(records[1], "provenance_json", lambda p: p["pair"].update(slot_end_sample=RATE * 4))


@rows("pair-audio", *PAIR)
def a_pair_that_differs_outside_its_slot(records: Records) -> None:
    pcm = pcm_of(records[1])
    pcm[-100] += 2
    set_pcm(records[1], pcm)


# -- the folder --------------------------------------------------------------------------------------

SHARD = "data/train-00000-of-00001.parquet"


@folder("shard-hash")
def a_byte_flipped(root: Path) -> None:
    data = bytearray((root / SHARD).read_bytes())
    data[len(data) // 2] ^= 1
    (root / SHARD).write_bytes(data)


@folder("shard-bytes")
def a_byte_more(root: Path) -> None:
    with (root / SHARD).open("ab") as file:
        file.write(b"\0")


@folder("shard-readable")
def a_shard_cut_short(root: Path) -> None:
    (root / SHARD).write_bytes((root / SHARD).read_bytes()[:-1000])


@folder("shard-rows")
def a_row_too_many_in_the_manifest(root: Path) -> None:
    edit_manifest(root, lambda m: m["splits"]["train"]["shards"][0].update(rows=2))


@folder("shard-schema")
def a_shard_that_datasets_cannot_decode(root: Path) -> None:
    table = pq.read_table(root / SHARD)
    pq.write_table(table.replace_schema_metadata({}), root / SHARD)
    entry = shard_entry(root, SHARD, 1)
    edit_manifest(root, lambda m: m["splits"]["train"]["shards"].__setitem__(0, entry))


@folder("shard-schema")
def a_column_of_another_type(root: Path) -> None:
    table = pq.read_table(root / SHARD)
    at = table.schema.get_field_index("seed")
    pq.write_table(table.set_column(at, "seed", table["seed"].cast(pa.int32())), root / SHARD)
    entry = shard_entry(root, SHARD, 1)
    edit_manifest(root, lambda m: m["splits"]["train"]["shards"].__setitem__(0, entry))


@folder("shard-name")
def a_shard_under_another_split(root: Path) -> None:
    edit_manifest(root, lambda m: m.update(splits={"test": m["splits"]["train"]}))


@folder("shards-listed")
def a_shard_too_many(root: Path) -> None:
    (root / "data" / "extra.parquet").write_bytes((root / SHARD).read_bytes())


@folder("shards-listed")
def a_shard_missing(root: Path) -> None:
    (root / SHARD).unlink()


@folder("shard-path-inside")
def a_shard_outside_the_folder(root: Path) -> None:
    (root / SHARD).rename(root.parent / "outside.parquet")
    edit_manifest(root, lambda m: m["splits"]["train"]["shards"][0].update(path="data/../../outside.parquet"))


@folder("no-links")
def a_shard_behind_a_link(root: Path) -> None:
    (root / SHARD).rename(root.parent / "outside.parquet")
    (root / SHARD).symlink_to(root.parent / "outside.parquet")


@folder("stray-file")
def a_temporary_file_left(root: Path) -> None:
    (root / "data" / f".train.parquet.{1}.tmp").write_bytes(b"half a shard")


@folder("manifest-readable")
def a_manifest_that_is_no_json(root: Path) -> None:
    (root / "manifest.json").write_text("{", encoding="utf-8")


@folder("manifest-recipe")
def a_recipe_changed_afterwards(root: Path) -> None:
    edit_manifest(root, lambda m: m["recipe"].update(p_silent=0.9))


@folder("manifest-recipe")
def a_split_the_recipe_lacks(root: Path) -> None:
    (root / SHARD).rename(root / SHARD.replace("train", "dev"))
    edit_manifest(root, lambda m: m.update(splits={"dev": m["splits"]["train"]}))


@folder("manifest-realised")
def a_manifest_that_knows_nothing_of_its_distributions(root: Path) -> None:
    edit_manifest(root, lambda m: m.update(realised={"distributions": {}, "reuse": {}}))


@folder("manifest-counts")
def hours_that_were_never_built(root: Path) -> None:
    edit_manifest(root, lambda m: m.update(hours=100.0))


@folder("manifest-counts")
def responses_that_are_not_there(root: Path) -> None:
    edit_manifest(root, lambda m: m.update(responses=m["responses"] + 1))


@folder("manifest-counts")
def rejected_scenes_not_in_quarantine(root: Path) -> None:
    edit_manifest(root, lambda m: m.update(quarantined=3))


@folder("card-front-matter")
def no_card(root: Path) -> None:
    (root / "README.md").unlink()


@folder("card-front-matter")
def a_card_without_front_matter(root: Path) -> None:
    (root / "README.md").write_text("# A corpus\n", encoding="utf-8")


@folder("quarantine-readable")
def no_quarantine(root: Path) -> None:
    (root / "quarantine.parquet").unlink()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corruption_is_found_by_name(case: Corruption, handmade: Handmade, root: Path) -> None:
    corpus = handmade.write(root, case.ids, case.edit)
    if case.spoil is not None:
        case.spoil(corpus)

    findings = validate_corpus(corpus, library=handmade.library if case.library else None)

    assert case.rule in findings.by_rule(), findings.by_rule()


@pytest.mark.parametrize("ids", sorted({case.ids for case in CASES} - {(PAIR[0],)}), ids=str)
def test_the_same_rows_are_good_before(ids: tuple[str, ...], handmade: Handmade, root: Path) -> None:
    findings = validate_corpus(handmade.write(root, ids), library=handmade.library)

    assert not findings.by_rule()


def test_a_trigger_is_no_noise(handmade: Handmade, root: Path) -> None:
    def lay_under(records: Records) -> None:
        records[0]["noise"][1]["clip_ids"] = [handmade.clip_id("smoke_alarm-train")]

    findings = validate_corpus(handmade.write(root, ["count_events"], lay_under), library=handmade.library)

    assert set(findings.by_rule()) == {"noise-is-silent"}


def test_no_rule_goes_untested() -> None:
    source = Path(__file__).parents[2] / "pipeline" / "validation"
    named = re.compile(r'"([a-z]+(?:-[a-z]+)+)"')
    checks = "across agreement contract folder labels sound spoken_tasks stems tasks".split()
    rules = {rule for name in checks for rule in named.findall((source / f"{name}.py").read_text(encoding="utf-8"))}

    assert rules == {case.rule for case in CASES} | {rule for _, rule, _ in SUB_TASKS} | {"noise-is-silent"}
