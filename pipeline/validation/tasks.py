"""The rule of each sub-task, proved again from the columns and `provenance_json`. One function per sub-task."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from pipeline.timing import last_chunk
from pipeline.validation import spoken_tasks
from pipeline.validation.findings import Finding
from pipeline.validation.stream import Stream
from schemas.taxonomy import CRITERION_OF_TASK

Check = Callable[[Stream, str], Iterator[Finding]]

_NUMBERS: Sequence[str] = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
)
_HAN = {"零": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_NUMBER = re.compile(rf"\d+|\b(?:{'|'.join(_NUMBERS)})\b|[{''.join(_HAN)}]+", re.IGNORECASE)
_FINE = "ok|okay|alright|all right|fine"
_BARE_CARE = re.compile(
    r"\W*(?:hey|oh|hello|excuse me|sorry)?\W*"
    rf"(?:are you (?:{_FINE}|safe|hurt)\b[^.!?]*|(?:is )?everything (?:{_FINE}))\W*"
    r"|\W*(?:你|您)?(?:还好|没事|没事儿)吗?\W*",
    re.IGNORECASE,
)
"""A question that helps nobody, when it is all that is said."""
MIN_ADVICE_CHARACTERS = {"en": 20, "zh": 8}


def check_tasks(stream: Stream) -> Iterator[Finding]:
    """The rule of every sub-task that the stream holds."""
    present = {step.sub_task for _, step in stream.steps()}
    if stream.row.sub_task not in present:
        yield stream.finding("task-present", f"no step belongs to the row's sub-task {stream.row.sub_task!r}")
    for sub_task in sorted(present):
        if sub_task in CHECKS:
            yield from CHECKS[sub_task](stream, sub_task)


def numbers_in(text: str) -> list[int]:
    """Whole numbers a text says, in digits or in English or Chinese words up to 99."""
    return [_value(match[0]) for match in _NUMBER.finditer(text)]


def _value(token: str) -> int:
    if token.isdecimal():
        return int(token)
    if token.lower() in _NUMBERS:
        return _NUMBERS.index(token.lower())
    tens, _, ones = token.rpartition("十") if "十" in token else ("", "", token)
    value = 10 * (_HAN.get(tens, 1) if "十" in token else 0)
    return value + (_HAN.get(ones[-1], 0) if ones else 0)


def _count_events(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """After each target, in order, the running count; each target one occurrence, nothing else sounds like it."""
    targets = stream.targets_of(sub_task)
    if not targets:
        yield stream.finding("count-targets", "there is nothing to count")
    yield from _only_answers(stream, sub_task, "count-targets", set(targets))
    steps = dict(stream.steps())
    answers = {r.event: r for r in stream.responses_of(sub_task)}
    counted = sorted(targets, key=lambda event: stream.row.events[event].end_sample)
    before = -1
    for number, event in enumerate(counted, 1):
        if not steps[event].single_occurrence:
            yield stream.finding("count-single", "its plan does not ask for a single occurrence", event=event)
        answer = answers.get(event)
        if answer is None:
            yield stream.finding("count-targets", f"target {number} has no count after it", event=event)
            continue
        said = numbers_in(answer.text)
        if number not in said or any(other > number for other in said):
            yield stream.finding("count-numbers", f"{answer.text!r} says {said}, expected {number}", event=event)
        if answer.chunk <= before:
            yield stream.finding("count-order", f"count {number} is not after count {number - 1}", event=event)
        before = answer.chunk
    yield from _unlike_targets(stream, targets)


def _unlike_targets(stream: Stream, targets: list[int]) -> Iterator[Finding]:
    """No other event could be taken for a target."""
    tags = {_tags(stream, event) for event in targets}
    captions = {stream.row.events[event].caption for event in targets}
    for i, event in stream.sounds():
        if i not in targets and (_tags(stream, i) in tags or event.caption in captions):
            yield stream.finding("count-distractors", f"{event.caption!r} could be taken for a target", event=i)


def _alert_on_event(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """One alert in all, when the target ends."""
    targets = stream.targets_of(sub_task)
    if len(targets) != 1:
        yield stream.finding("alert-once", f"targets {targets}, expected one")
    yield from _only_answers(stream, sub_task, "alert-once", set(targets))
    alerts = [r for r in stream.responses_of(sub_task) if stream.row.events[r.event].source != "spoken"]
    if len(alerts) != 1:
        yield stream.finding("alert-once", f"{len(alerts)} alerts, expected 1")
    yield from _unlike_targets(stream, targets)


def _stay_silent_unless(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Sounds are answered where the condition holds, and there always."""
    targets = set(stream.targets_of(sub_task))
    yield from _only_answers(stream, sub_task, "unless-condition", targets)
    answered = {r.event for r in stream.responses_of(sub_task)}
    for event in sorted(targets - answered):
        yield stream.finding("unless-condition", "fulfils the condition but is not answered", event=event)
    yield from _unlike_targets(stream, sorted(targets))


def _proactive(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Only a trigger of this sub-task's criterion is answered, with advice; every other sound is benign."""
    criterion = CRITERION_OF_TASK[sub_task]
    steps = stream.steps_of(sub_task)
    answered = [event for event, step in steps if step.decision == "respond"]
    for event, step in steps:
        record = stream.audit(event)
        if record is None:
            continue
        if step.decision == "respond" and (record.label, record.criterion) != ("respond", criterion):
            yield stream.finding(
                "proactive-criterion",
                f"judged {record.label} by {record.criterion!r}, expected {criterion!r}",
                event=event,
            )
        if step.decision == "respond" and step.criterion != criterion:
            yield stream.finding("proactive-criterion", f"planned for {step.criterion!r}", event=event)
        if step.decision == "respond" and not step.safety:
            yield stream.finding("proactive-criterion", "is not planned as a safety event", event=event)
    for record in stream.provenance.audits:
        answerable = stream.row.events[record.event].decision == "respond"
        if record.label != "silent" and not answerable:
            yield stream.finding("proactive-benign", f"judged {record.label}: {record.reason}", event=record.event)
    if not answered and not any(step.decision == "silent" for _, step in steps):
        yield stream.finding("proactive-benign", "nothing is answered and nothing is verified silent")
    for response in stream.responses_of(sub_task):
        short = len(response.text.strip()) < MIN_ADVICE_CHARACTERS[stream.plan.language]
        if short or _BARE_CARE.fullmatch(response.text):
            yield stream.finding("proactive-advice", f"{response.text!r} helps nobody", event=response.event)


def _tags(stream: Stream, event: int) -> frozenset[str]:
    refinement = stream.refinement(event)
    return frozenset(tag.strip().lower() for tag in refinement.accept_tags) if refinement else frozenset()


def _only_answers(stream: Stream, sub_task: str, rule: str, targets: set[int]) -> Iterator[Finding]:
    """Sounds that are answered are targets; targets follow the instruction."""
    instructions = [e for e, step in stream.steps_of(sub_task) if step.source == "speech"]
    if not instructions:
        yield stream.finding("instruction-first", "nobody gives the instruction")
        return
    events = stream.row.events
    end = events[instructions[0]].end_sample
    for response in stream.responses_of(sub_task):
        if events[response.event].source != "spoken" and response.event not in targets:
            yield stream.finding(rule, f"{response.text!r} answers what was not asked for", event=response.event)
        if response.chunk < last_chunk(end):
            yield stream.finding("instruction-first", f"{response.text!r} comes before the instruction's end")
    for event in targets:
        if events[event].start_sample < end - 640:
            yield stream.finding("instruction-first", "begins before the instruction has ended", event=event)


CHECKS: dict[str, Check] = {
    "count_events": _count_events,
    "alert_on_event": _alert_on_event,
    "stay_silent_unless": _stay_silent_unless,
    "single_turn_qa": spoken_tasks.spoken_answers,
    "multi_turn_dialogue": spoken_tasks.dialogue,
    "hesitation_pause": spoken_tasks.hesitation,
    "barge_in": spoken_tasks.barge_in,
    "history_review": spoken_tasks.history,
    "sound_event_qa": spoken_tasks.question_about_sounds,
    "scene_description": spoken_tasks.description,
    "music_qa": spoken_tasks.music,
    "multiple_choice_qa": spoken_tasks.choice,
    "en_zh_sentence": spoken_tasks.by_sentence,
    "zh_en_sentence": spoken_tasks.by_sentence,
    "en_zh_simultaneous": spoken_tasks.simultaneous,
    "zh_en_simultaneous": spoken_tasks.simultaneous,
    "read_speech": spoken_tasks.transcript,
    "spontaneous_speech": spoken_tasks.transcript,
    "noisy_speech": spoken_tasks.transcript,
    "mandarin_speech": spoken_tasks.transcript,
    "smart_home_control": spoken_tasks.command,
    "environment_aware_reply": spoken_tasks.environment,
    "emotion_aware_reply": spoken_tasks.emotion,
    "idle_check_in": spoken_tasks.check_in,
    "physiological_distress": _proactive,
    "natural_hazard": _proactive,
    "equipment_fault": _proactive,
    "safety_signal": _proactive,
}
